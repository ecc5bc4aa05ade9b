package sctp

// outStream is the sending side of a stream.
type outStream struct {
	head, tail *message   // not yet sent whole, in order
	next       *outStream // in the scheduler's round
	buffered   int        // bytes of them that have not been sent
	low        int        // threshold of EventBufferedAmountLow
	pending    int32      // messages that are not yet forgotten, those in flight included
	skipTSN    TSN        // the last abandoned ordered chunk, and its SSN, while in forward.skips
	skipSSN    uint16
	ssn        uint16 // of the next ordered message
	id         StreamID
	reset      resetState
	scheduled  bool
	skipping   bool
}

// schedule decides whose message is sent next. Streams take turns by message: "The transmitter MUST then assign, in sequence, a separate TSN
// to each of the DATA chunks in the series." (RFC 9260 section 6.9), so that a message that was begun is always finished first.
type schedule struct {
	head, tail *outStream
	buffered   int // bytes of all streams that have not been sent
}

func (s *schedule) empty() bool { return s.head == nil }

func (s *schedule) enqueue(st *outStream, m *message) {
	if st.tail == nil {
		st.head = m
	} else {
		st.tail.next = m
	}
	st.tail = m
	st.buffered += len(m.data)
	s.buffered += len(m.data)
	st.pending++
	if !st.scheduled {
		st.scheduled = true
		s.push(st)
	}
}

func (s *schedule) push(st *outStream) {
	if s.tail == nil {
		s.head = st
	} else {
		s.tail.next = st
	}
	s.tail = st
}

// pop takes the message whose turn it is, all of which was sent or given up, out of its stream's queue; the next stream has its turn.
func (s *schedule) pop() *message {
	st := s.head
	m := st.head
	if st.head = m.next; st.head == nil {
		st.tail = nil
	}
	m.next = nil
	s.head = st.next
	if s.head == nil {
		s.tail = nil
	}
	st.next = nil
	if st.scheduled = st.head != nil; st.scheduled {
		s.push(st)
	}
	return m
}

// unbuffer notes that n bytes are no longer queued on st.
func (a *Association) unbuffer(st *outStream, n int) {
	before := st.buffered
	st.buffered -= n
	a.sched.buffered -= n
	if before > st.low && st.buffered <= st.low {
		e := queuedEvent{kind: EventBufferedAmountLow, stream: st.id}
		if a.open() {
			a.events.push(e)
		} else {
			a.early = append(a.early, e)
		}
	}
}

// nextMessage is the message whose turn it is, after those that are too old have been dropped.
func (a *Association) nextMessage() *message {
	for !a.sched.empty() {
		m := a.sched.head.head
		if !m.expired(a.now) {
			return m
		}
		if m.sent > 0 {
			if !a.forward.supported {
				return m
			}
			a.abandon(m)
			a.advanceForward()
			if a.open() && !a.timers.running(timerT3) {
				a.timers.set(timerT3, a.now.add(a.rto.current()))
			}
			continue
		}
		a.dropUnsent()
	}
	return nil
}

// dropUnsent drops the message whose turn it is and of which nothing was sent: the peer never hears of it.
func (a *Association) dropUnsent() {
	st := a.sched.head
	m := a.sched.pop()
	a.stats.MessagesAbandoned++
	a.unbuffer(st, len(m.data))
	a.forget(st, m)
}

// forget ends the life of a message.
func (a *Association) forget(st *outStream, m *message) {
	st.pending--
	a.pool.put(m)
	if st.pending == 0 && st.reset == resetWanted {
		a.readyToReset(st)
	}
}
