package sctp

// agreeInterleaving makes the association one with I-DATA or one with DATA (RFC 8260 section 2.2): what they take in a packet differs.
func (a *Association) agreeInterleaving(on bool) {
	a.interleaving, a.asm.interleaved = on, on
	a.sent.header = dataHeader
	if on {
		a.sent.header = iDataHeader
	}
	a.forward.max = (a.mtu - headerSize - sackHeader - forwardHeader) / a.skipSize()
}

// mayBegin says whether a message may be sent, or gone on with. What is begun must fit into the peer's buffer at the same time, or the window
// could close with nothing in it but parts of messages, none of which could ever be finished. Half of the buffer is left to the others.
func (a *Association) mayBegin(m *message) bool {
	s := &a.sched
	return !a.interleaving || m.sent > 0 || s.begun == 0 || len(m.data) <= a.mtu-headerSize-iDataHeader || s.begun+len(m.data) <= a.peerBuffer/2
}

// finishLarge lets those begin that waited for m, all of which was sent or given up.
func (a *Association) finishLarge(m *message) {
	s := &a.sched
	if !m.begun {
		return
	}
	m.begun = false
	s.begun -= len(m.data)
	for st := s.waiting.head; st != nil && a.mayBegin(st.head); st = s.waiting.head {
		s.waiting.remove(st)
		s.push(st)
	}
}

// wrongChunk ends an association whose peer sends the chunks of one with DATA where I-DATA was agreed, or the other way round.
func (a *Association) wrongChunk() {
	const reason = "DATA and I-DATA mixed"
	a.abort(&AbortError{Cause: causeProtocolViolation, Reason: reason}, []byte(reason))
}

// appendIDataHeader appends all of an I-DATA chunk but its n bytes (RFC 8260 section 2.1).
func appendIDataHeader(dst []byte, flags byte, n int, t TSN, m *message, fsn uint32) []byte {
	last := fsn
	if flags&flagB != 0 {
		last = uint32(m.ppid) // the first fragment has the PPID in the place of FSN
	}
	return append(dst, chunkIData, flags, byte((iDataHeader+n)>>8), byte(iDataHeader+n),
		byte(t>>24), byte(t>>16), byte(t>>8), byte(t),
		byte(m.stream>>8), byte(m.stream), 0, 0,
		byte(m.mid>>24), byte(m.mid>>16), byte(m.mid>>8), byte(m.mid),
		byte(last>>24), byte(last>>16), byte(last>>8), byte(last))
}

// setIData turns a chunk that was read as DATA into I-DATA.
func (d *dataChunk) setIData(mid uint32) {
	d.mid, d.ssn = mid, 0
	if d.flags&flagB == 0 {
		d.fsn, d.ppid = uint32(d.ppid), 0
	}
}

// partID names a message that arrives in fragments.
type partID struct {
	mid       uint32
	stream    StreamID
	unordered bool
}

// part is what of it has arrived.
type part struct {
	id    partID
	ppid  PPID
	data  []byte            // fragments before next
	next  uint32            // FSN
	end   uint32            // FSN of the last fragment, when ended
	ended bool              // the last has arrived
	size  int               // bytes of all fragments
	early map[uint32][]byte // fragments after next; never walked where order shows
}

// What a part is charged with beyond its fragments, and for the map of the early ones: what they cost to keep.
const (
	partOverhead  = 128
	earlyOverhead = 256
)

// insertInterleaved takes an I-DATA chunk that is not a duplicate. Its message is found by stream and number, whatever its TSN is.
func (r *reassembly) insertInterleaved(d *dataChunk, events *eventQueue) insertResult {
	n := len(d.payload)
	st := r.streams.make(d.stream)
	first := st.next
	if d.unordered() {
		first = st.passed
	}
	if int32(d.mid-first) < 0 {
		return insertOrphan // it was given up, or delivered
	}
	if d.flags&(flagB|flagE) == flagB|flagE {
		if n > r.limit {
			return insertTooLarge
		}
		r.charged += n + messageOverhead
		r.complete(d, r.clone(d.payload), events)
		return insertOK
	}
	p := r.part(partID{d.mid, d.stream, d.unordered()})
	_, twice := p.early[d.fsn]
	switch {
	case twice || d.fsn < p.next || (d.fsn == 0) != (d.flags&flagB != 0) || p.ended && (d.fsn > p.end || d.flags&flagE != 0):
		if p.size == 0 {
			r.dropPart(p)
		}
		return insertOrphan
	case p.size+n > r.limit:
		return insertTooLarge
	}
	p.size += n
	r.charged += n
	if d.flags&flagB != 0 {
		p.ppid = d.ppid
	}
	if d.flags&flagE != 0 {
		p.ended, p.end = true, d.fsn
	}
	if d.fsn != p.next {
		if p.early == nil {
			p.early = make(map[uint32][]byte)
			r.charged += earlyOverhead
		}
		p.early[d.fsn] = append([]byte(nil), d.payload...)
		r.charged += messageOverhead
		return insertOK
	}
	if d.fsn == 0 {
		hint := 0
		if len(r.parts) == 1 {
			hint = r.hint // a peer that begins many messages shall not be given as much for each
		}
		p.data = make([]byte, 0, min(max(hint, 2*n, p.size), r.limit))
	}
	p.data = append(p.data, d.payload...)
	p.next++
	for f, ok := p.early[p.next]; ok; f, ok = p.early[p.next] {
		p.data = append(p.data, f...)
		delete(p.early, p.next)
		r.charged -= messageOverhead
		p.next++
	}
	if !p.ended || p.next <= p.end {
		return insertOK
	}
	data := p.data
	r.hint = len(data)
	if cap(data) > len(data)+len(data)/4 {
		data = append(make([]byte, 0, len(data)), data...)
	}
	p.data = nil
	r.charged += messageOverhead // of the message, beside its bytes
	p.size -= len(data)          // what is left lay after the end
	r.dropPart(p)
	flags := byte(0)
	if p.id.unordered {
		flags = flagU
	}
	r.complete(&dataChunk{stream: p.id.stream, mid: p.id.mid, ppid: p.ppid, flags: flags}, data, events)
	return insertOK
}

// part finds a message, or begins it.
func (r *reassembly) part(id partID) *part {
	if r.last != nil && r.last.id == id {
		return r.last
	}
	p := r.parts[id]
	if p == nil {
		if p = r.unused; p == nil {
			p = new(part)
		}
		r.unused = nil
		*p = part{id: id}
		if r.parts == nil {
			r.parts = make(map[partID]*part)
		}
		r.parts[id] = p
		r.charged += partOverhead
	}
	r.last = p
	return p
}

// dropPart forgets a message, and that it was charged.
func (r *reassembly) dropPart(p *part) {
	r.charged -= partOverhead + messageOverhead*len(p.early) + p.size
	if p.early != nil {
		r.charged -= earlyOverhead
	}
	delete(r.parts, p.id)
	if r.last == p {
		r.last = nil
	}
	p.data, p.early = nil, nil
	r.unused = p
}

// dropParts forgets all messages that are chosen.
func (r *reassembly) dropParts(chosen func(id partID) bool) {
	for id, p := range r.parts { // which is first does not show
		if chosen(id) {
			r.dropPart(p)
		}
	}
}

// skipInterleaved takes the list of I-FORWARD-TSN (RFC 8260 section 2.3.1): messages up to a number are not waited for, and what has
// arrived of them is forgotten. All that is kept is walked once, however long the list is.
func (r *reassembly) skipInterleaved(list []byte, streams int, events *eventQueue) {
	type key struct {
		stream    StreamID
		unordered bool
	}
	entry := func(b []byte) (k key, mid uint32) { return key{StreamID(be16(b)), b[3]&1 != 0}, be32(b[4:]) }
	if len(r.parts) > 0 {
		upTo := map[key]uint32{}
		for b := list; len(b) > 0; b = b[8:] {
			k, mid := entry(b)
			if old, ok := upTo[k]; !ok || int32(mid-old) > 0 {
				upTo[k] = mid
			}
		}
		r.dropParts(func(id partID) bool {
			mid, ok := upTo[key{id.stream, id.unordered}]
			return ok && int32(id.mid-mid) <= 0
		})
	}
	for b := list; len(b) > 0; b = b[8:] {
		k, mid := entry(b)
		switch {
		case int(k.stream) >= streams:
		case !k.unordered:
			r.skip(k.stream, mid, events)
		default:
			if st := r.streams.make(k.stream); int32(mid-st.passed) >= 0 {
				st.passed = mid + 1
			}
		}
	}
}

// passUnordered keeps the number of what was passed near to those in use, so that their order tells old from new.
func (s *inStream) passUnordered(mid uint32) {
	if mid-s.passed > 1<<30 {
		s.passed = mid - 1<<29
	}
}
