package sctp

// forward is the sending side of partial reliability: RFC 3758 section 3.5, RFC 8260 section 2.3.
type forward struct {
	supported bool
	point     TSN    // Advanced.Peer.Ack.Point; Invariant: cum <= point <= scanned < next
	scanned   TSN    // all before are abandoned, or the peer has them
	skips     []skip // of messages abandoned after cum that the peer may wait for
	due       bool
	max       int // how many skips fit into one FORWARD TSN
}

// skip tells the peer up to which message of a stream it must not wait: ordered ones, and with I-DATA also unordered ones.
type skip struct {
	tsn       TSN // the last abandoned chunk
	mid       uint32
	stream    StreamID
	unordered bool
}

// abandon gives up a message of which something was sent.
func (a *Association) abandon(m *message) {
	q := &a.sent
	m.abandoned = true
	a.stats.MessagesAbandoned++
	if !m.allSent() {
		// What is left would have had the next TSN. One is given to it and abandoned, so that the peer is told of the end of the message
		// even when all chunks that were sent have been acknowledged.
		st := a.out.get(m.stream)
		a.sched.pop(st)
		a.finishLarge(m)
		a.unbuffer(st, len(m.data)-int(m.sent))
		q.add(m, int(m.sent), 0, sentAbandoned)
		m.sent = uint32(len(m.data))
	}
	for t, n := m.last, m.held; n > 0; n-- {
		c := q.at(t)
		if c.state != sentAcked {
			q.leave(t, sentAbandoned)
		}
		t = c.before
	}
}

// advanceForward moves the point to the last abandoned chunk that is preceded only by such and by what the peer has in whole messages
// that it may lose. A message without such limits is only passed by the cumulative TSN itself, since a peer may take back what its gap
// blocks said.
func (a *Association) advanceForward() {
	q, f := &a.sent, &a.forward
	for t := f.scanned + 1; t != q.next; t++ {
		m := q.at(t).msg
		switch {
		case m.abandoned && (m.unordered && !a.interleaving || a.noteSkip(m, t)):
			f.point, f.due = t, true
		case m.abandoned || m.unacked > 0 || !m.allSent() || !m.limited():
			return
		}
		f.scanned = t
	}
}

// noteSkip notes that the peer must not wait for m, of which t is a chunk; false when no more fits into a FORWARD TSN.
func (a *Association) noteSkip(m *message, t TSN) bool {
	f := &a.forward
	at := &a.out.get(m.stream).skip[index(m.unordered)]
	if *at == 0 {
		if len(f.skips) == f.max {
			return false
		}
		f.skips = append(f.skips, skip{stream: m.stream, unordered: m.unordered})
		*at = uint16(len(f.skips))
	}
	s := &f.skips[*at-1]
	s.tsn, s.mid = t, m.mid
	return true
}

func index(unordered bool) int {
	if unordered {
		return 1
	}
	return 0
}

// forgetSkips drops those that the peer knows of.
func (a *Association) forgetSkips() {
	f := &a.forward
	keep := f.skips[:0]
	for _, s := range f.skips {
		at := &a.out.get(s.stream).skip[index(s.unordered)]
		if *at = 0; a.sent.cum.Less(s.tsn) {
			keep = append(keep, s)
			*at = uint16(len(keep))
		}
	}
	f.skips = keep
}

// appendForward appends FORWARD TSN (RFC 3758 section 3.2) or I-FORWARD-TSN (RFC 8260 section 2.3.1).
func (a *Association) appendForward(dst []byte) []byte {
	f := &a.forward
	head := chunkHead(chunkForwardTSN, 0)
	if a.interleaving {
		head = chunkHead(chunkIForwardTSN, 0)
	}
	dst = put16(dst, head)
	dst = put16(dst, uint16(a.forwardSize()))
	dst = put32(dst, uint32(f.point))
	for _, s := range f.skips {
		dst = put16(dst, uint16(s.stream))
		if a.interleaving {
			dst = put32(put16(dst, uint16(index(s.unordered))), s.mid)
		} else {
			dst = put16(dst, uint16(s.mid))
		}
	}
	return dst
}

func (a *Association) forwardSize() int { return forwardHeader + a.skipSize()*len(a.forward.skips) }

// skipSize is what a skip takes in a chunk.
func (a *Association) skipSize() int {
	if a.interleaving {
		return 8
	}
	return 4
}
