package sctp

// forward is the sending side of partial reliability: RFC 3758 section 3.5.
type forward struct {
	supported bool
	point     TSN        // Advanced.Peer.Ack.Point; Invariant: cum <= point <= scanned < next
	scanned   TSN        // all before are abandoned, or the peer has them
	skips     []StreamID // streams with an ordered message abandoned after cum; outStream.skipTSN and skipSSN say which
	due       bool
	max       int // how many streams fit into one FORWARD TSN
}

// abandon gives up a message of which something was sent.
func (a *Association) abandon(m *message) {
	q := &a.sent
	m.abandoned = true
	a.stats.MessagesAbandoned++
	if !m.allSent() {
		// What is left would have had the next TSN. One is given to it and abandoned, so that the peer is told of the end of the message
		// even when all chunks that were sent have been acknowledged.
		st := a.sched.head
		a.sched.pop()
		a.unbuffer(st, len(m.data)-int(m.sent))
		q.add(m, int(m.sent), 0, sentAbandoned)
		m.sent = uint32(len(m.data))
	}
	for t := m.first + TSN(m.chunks-m.held); t != m.first+TSN(m.chunks); t++ {
		if q.at(t).state != sentAcked {
			q.leave(t, sentAbandoned)
		}
	}
}

// advanceForward moves the point to the last abandoned chunk that is preceded only by such and by what the peer has in whole messages
// that it may lose. A message without such limits is only passed by the cumulative TSN itself, since a peer may take back what its gap
// blocks said.
func (a *Association) advanceForward() {
	q, f := &a.sent, &a.forward
	for f.scanned+1 != q.next {
		m := q.at(f.scanned + 1).msg
		last := m.first + TSN(m.chunks) - 1
		switch {
		case m.abandoned && (m.unordered || a.noteSkip(m)):
			f.point, f.due = last, true
		case m.abandoned || m.unacked > 0 || !m.allSent() || !m.limited():
			return
		}
		f.scanned = last
	}
}

// noteSkip notes that the peer must not wait for m in its stream's order; false when no more streams fit into a FORWARD TSN.
func (a *Association) noteSkip(m *message) bool {
	f := &a.forward
	st := a.out.get(m.stream)
	if !st.skipping {
		if len(f.skips) == f.max {
			return false
		}
		st.skipping = true
		f.skips = append(f.skips, m.stream)
	}
	st.skipSSN, st.skipTSN = m.ssn, m.first+TSN(m.chunks)-1
	return true
}

// forgetSkips drops the streams all of whose abandoned messages the peer knows of.
func (a *Association) forgetSkips() {
	f := &a.forward
	keep := f.skips[:0]
	for _, id := range f.skips {
		if st := a.out.get(id); a.sent.cum.Less(st.skipTSN) {
			keep = append(keep, id)
		} else {
			st.skipping = false
		}
	}
	f.skips = keep
}

// appendForward appends FORWARD TSN (RFC 3758 section 3.2).
func (a *Association) appendForward(dst []byte) []byte {
	f := &a.forward
	dst = put16(dst, chunkHead(chunkForwardTSN, 0))
	dst = put16(dst, uint16(forwardHeader+4*len(f.skips)))
	dst = put32(dst, uint32(f.point))
	for _, id := range f.skips {
		dst = put16(dst, uint16(id))
		dst = put16(dst, a.out.get(id).skipSSN)
	}
	return dst
}
