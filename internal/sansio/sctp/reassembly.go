package sctp

// messageOverhead is what a message, or a fragment that waits for others, is charged with beyond its bytes: what it costs to keep.
const messageOverhead = 64

// dataChunk is a received DATA chunk (section 3.3.1).
type dataChunk struct {
	tsn     TSN
	stream  StreamID
	ssn     uint16
	flags   byte
	ppid    PPID
	mid     uint32 // of I-DATA
	fsn     uint32 // likewise
	payload []byte // borrowed from the packet, unless it is kept in reassembly.fragments
}

func (d *dataChunk) unordered() bool { return d.flags&flagU != 0 }

// sameMessage says whether d goes on with what c did not end.
func (c *dataChunk) sameMessage(d *dataChunk) bool {
	return c.tsn+1 == d.tsn && c.flags&flagE == 0 && d.flags&flagB == 0 && c.stream == d.stream && c.unordered() == d.unordered() &&
		(c.unordered() || c.ssn == d.ssn)
}

// fragment is a chunk that arrived before one with a smaller TSN. Those of one message that touch are a run; its first and last know its
// extent, so that joining runs needs no walk.
type fragment struct {
	dataChunk
	first, last TSN // of the run
	size        int // bytes of the run
}

// heldMessage waits for messages with smaller numbers.
type heldMessage struct {
	data []byte
	ppid PPID
	mid  uint32
}

// inStream is the receiving side of a stream.
type inStream struct {
	held   []heldMessage // a heap, the nearest number first
	next   uint32        // number; SSN is its lower half
	passed uint32        // unordered messages of I-DATA with smaller numbers are not waited for
	reset  bool          // nothing arrived since the peer reset it
}

// reassembly makes messages of chunks and puts them in their streams' order. It counts all that it keeps.
type reassembly struct {
	limit   int // of a message
	streams table[inStream]

	begun   dataChunk // the last chunk of the message that all chunks up to the cumulative TSN have begun and not ended
	partial []byte    // what of it has arrived; empty when there is none
	hint    int       // size of the last message that took more than one chunk

	interleaved bool
	parts       map[partID]*part // of I-DATA; never walked where order shows
	last        *part            // the one that grew last, or nil
	unused      *part            // for the next, or nil

	fragments map[TSN]*fragment // after the cumulative TSN; never walked where order shows
	spare     []*fragment       // with a buffer of their own

	left  int    // what of the packet comes after this chunk
	block []byte // for small messages of the packet

	charged   int // all that is kept, and what the application has not consumed
	delivered int // of that: given out as events
	messages  uint64
}

// maxSpare bounds the fragments kept for reuse.
const maxSpare = 64

// insertResult says what became of a chunk.
type insertResult uint8

const (
	insertOK insertResult = iota
	insertOrphan
	insertTooLarge
)

// insert takes a chunk that is not a duplicate. next says whether all chunks before it have arrived.
func (r *reassembly) insert(d *dataChunk, next bool, events *eventQueue) insertResult {
	switch {
	case d.flags&(flagB|flagE) == flagB|flagE:
		orphan := next && r.dropPartial()
		if len(d.payload) > r.limit {
			return insertTooLarge
		}
		r.charged += len(d.payload) + messageOverhead
		r.complete(d, r.clone(d.payload), events)
		if orphan {
			return insertOrphan
		}
		return insertOK
	case next:
		return r.extend(d, events)
	default:
		return r.join(d, events)
	}
}

// Messages of up to maxShared bytes that came in one packet share memory, blockSize bytes of it: who keeps one of them keeps no more than that.
const (
	maxShared = 128
	blockSize = 512
)

// clone copies a whole message.
func (r *reassembly) clone(b []byte) []byte {
	n := len(b)
	if n > maxShared {
		return append([]byte(nil), b...)
	}
	if n > cap(r.block)-len(r.block) {
		r.block = make([]byte, 0, min(n+r.left, blockSize))
	}
	at := len(r.block)
	r.block = append(r.block, b...)
	return r.block[at : at+n : at+n]
}

// extend goes on with the message at the cumulative TSN.
func (r *reassembly) extend(d *dataChunk, events *eventQueue) insertResult {
	result := insertOK
	n := len(d.payload)
	switch {
	case d.flags&flagB != 0:
		if r.dropPartial() {
			result = insertOrphan
		}
		r.charged += messageOverhead
		r.partial = make([]byte, 0, min(max(r.hint, 2*n), r.limit))
	case len(r.partial) == 0 || !r.begun.sameMessage(d):
		r.dropPartial()
		return insertOrphan
	}
	if len(r.partial)+n > r.limit {
		return insertTooLarge
	}
	r.charged += n
	r.partial = append(r.partial, d.payload...)
	r.begun = *d
	r.begun.payload = nil
	if d.flags&flagE != 0 {
		data := r.partial
		r.partial = nil
		r.hint = len(data)
		if cap(data) > len(data)+len(data)/4 {
			data = append(make([]byte, 0, len(data)), data...)
		}
		r.complete(d, data, events)
	}
	return result
}

// dropPartial forgets what was begun and says whether there was something.
func (r *reassembly) dropPartial() bool {
	if len(r.partial) == 0 {
		return false
	}
	r.charged -= len(r.partial) + messageOverhead
	r.partial = nil
	return true
}

// join keeps a fragment that has overtaken others, and delivers its message if that is whole now.
func (r *reassembly) join(d *dataChunk, events *eventQueue) insertResult {
	f := r.keep(d)
	if p := r.fragments[d.tsn-1]; p != nil && p.sameMessage(d) {
		f.first = p.first
		f.size += r.fragments[p.first].size
	}
	if p := r.fragments[d.tsn+1]; p != nil && f.sameMessage(&p.dataChunk) {
		f.last = p.last
		f.size += r.fragments[p.last].size
	}
	first, last := r.fragments[f.first], r.fragments[f.last]
	first.last, first.size = f.last, f.size
	last.first, last.size = f.first, f.size
	if f.size > r.limit {
		return insertTooLarge
	}
	if first.flags&flagB == 0 || last.flags&flagE == 0 {
		return insertOK
	}
	head, end := first.dataChunk, last.tsn+1
	data := make([]byte, 0, first.size)
	for t := head.tsn; t != end; t++ {
		f := r.fragments[t]
		data = append(data, f.payload...)
		r.drop(f)
	}
	r.charged += len(data) + messageOverhead
	r.complete(&head, data, events)
	return insertOK
}

// keep copies a chunk. Buffers of full packets are reused; small ones are as small as they are charged.
func (r *reassembly) keep(d *dataChunk) *fragment {
	var f *fragment
	if n := len(r.spare); n > 0 && len(d.payload) <= cap(r.spare[n-1].payload) && 2*len(d.payload) >= cap(r.spare[n-1].payload) {
		f, r.spare = r.spare[n-1], r.spare[:n-1]
	} else {
		f = new(fragment)
	}
	buf := f.payload[:0]
	*f = fragment{dataChunk: *d, first: d.tsn, last: d.tsn, size: len(d.payload)}
	f.payload = append(buf, d.payload...)
	if r.fragments == nil {
		r.fragments = make(map[TSN]*fragment)
	}
	r.fragments[d.tsn] = f
	r.charged += len(d.payload) + messageOverhead
	return f
}

func (r *reassembly) drop(f *fragment) {
	delete(r.fragments, f.tsn)
	r.charged -= len(f.payload) + messageOverhead
	if len(r.spare) < maxSpare {
		r.spare = append(r.spare, f)
	}
}

// advance follows the cumulative TSN over chunks that arrived early: from is the first that was passed, to the last. It returns how many
// could not be used.
func (r *reassembly) advance(from, to TSN, events *eventQueue) (orphans int, result insertResult) {
	for t := from; len(r.fragments) > 0 && t != to+1; t++ {
		f := r.fragments[t]
		if f == nil {
			continue // a whole message was here
		}
		d := f.dataChunk
		switch r.extend(&d, events) {
		case insertOrphan:
			orphans++
		case insertTooLarge:
			result = insertTooLarge
		}
		r.drop(f)
	}
	return orphans, result
}

// complete puts a message in its stream's order; its bytes are charged already.
func (r *reassembly) complete(d *dataChunk, data []byte, events *eventQueue) {
	st := r.streams.make(d.stream)
	st.reset = false
	m := heldMessage{data: data, ppid: d.ppid, mid: d.mid}
	if !r.interleaved {
		m.mid = widen(d.ssn, st.next)
	}
	switch {
	case d.unordered():
		st.passUnordered(m.mid)
		r.deliver(d.stream, m, true, events)
	case m.mid == st.next:
		st.next++
		r.deliver(d.stream, m, false, events)
		r.release(d.stream, st, events)
	case int32(m.mid-st.next) > 0:
		st.hold(m)
	default: // its place has been passed
		r.charged -= len(data) + messageOverhead
	}
}

// release delivers what waited for st.next.
func (r *reassembly) release(id StreamID, st *inStream, events *eventQueue) {
	for len(st.held) > 0 && int32(st.held[0].mid-st.next) <= 0 {
		m := st.unhold()
		if m.mid != st.next {
			r.charged -= len(m.data) + messageOverhead
			continue
		}
		st.next++
		r.deliver(id, m, false, events)
	}
}

// widen makes a number of an SSN: that which is nearest to the one expected.
func widen(ssn uint16, next uint32) uint32 { return next + uint32(int16(ssn-uint16(next))) }

// skip makes a stream no longer wait for messages up to mid (RFC 3758 section 3.6).
func (r *reassembly) skip(id StreamID, mid uint32, events *eventQueue) {
	st := r.streams.make(id)
	for len(st.held) > 0 && int32(st.held[0].mid-mid) <= 0 {
		m := st.unhold()
		if int32(m.mid-st.next) < 0 {
			r.charged -= len(m.data) + messageOverhead
			continue
		}
		st.next = m.mid + 1
		r.deliver(id, m, false, events)
	}
	if int32(mid-st.next) >= 0 {
		st.next = mid + 1
	}
	r.release(id, st, events)
}

// forwardTo forgets what was begun and all fragments up to to.
func (r *reassembly) forwardTo(from, to TSN) {
	r.dropPartial()
	if from.Distance(to) < len(r.fragments) {
		for t := from; t != to+1; t++ {
			if f := r.fragments[t]; f != nil {
				r.drop(f)
			}
		}
		return
	}
	for t, f := range r.fragments { // which of the spare buffers is used next does not show
		if !to.Less(t) {
			r.drop(f)
		}
	}
}

// resetStream begins a stream again at SSN 0 and says whether it was not in that state already. What waits for SSNs that the peer never
// sent is lost.
func (r *reassembly) resetStream(id StreamID) bool {
	r.dropParts(func(p partID) bool { return p.stream == id })
	st := r.streams.make(id)
	for _, m := range st.held {
		r.charged -= len(m.data) + messageOverhead
	}
	again := st.reset
	*st = inStream{reset: true}
	return !again
}

func (r *reassembly) deliver(id StreamID, m heldMessage, unordered bool, events *eventQueue) {
	r.delivered += len(m.data) + messageOverhead
	r.messages++
	events.push(queuedEvent{kind: EventMessage, stream: id, ppid: m.ppid, data: m.data, unordered: unordered})
}

// consume is told that the application took a message of n bytes.
func (r *reassembly) consume(n int) {
	n = min(n+messageOverhead, r.delivered)
	r.delivered -= n
	r.charged -= n
}

// hold puts m into the heap.
func (s *inStream) hold(m heldMessage) {
	s.held = append(s.held, m)
	for i := len(s.held) - 1; i > 0; {
		up := (i - 1) / 2
		if s.held[up].mid-s.next <= s.held[i].mid-s.next {
			break
		}
		s.held[up], s.held[i] = s.held[i], s.held[up]
		i = up
	}
}

// unhold takes the first out of the heap.
func (s *inStream) unhold() heldMessage {
	m, last := s.held[0], len(s.held)-1
	s.held[0] = s.held[last]
	s.held[last] = heldMessage{}
	if s.held = s.held[:last]; last == 0 {
		s.held = nil
	}
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < last; child++ {
			if s.held[child].mid-m.mid < s.held[least].mid-m.mid {
				least = child
			}
		}
		if least == i {
			return m
		}
		s.held[i], s.held[least] = s.held[least], s.held[i]
		i = least
	}
}
