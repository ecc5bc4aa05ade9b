package sctp

// outStream is the sending side of a stream.
type outStream struct {
	head, tail *message   // not yet sent whole, in order
	prev, next *outStream // in the scheduler's round
	buffered   int        // bytes of them that have not been sent
	low        int32      // threshold of EventBufferedAmountLow
	pending    int32      // messages that are not yet forgotten, those in flight included
	mids       [2]uint32  // of the next ordered and unordered message
	skip       [2]uint16  // 1 + where in forward.skips they are, or 0
	id         StreamID
	reset      resetState
	scheduled  bool
}

// schedule decides whose message is sent next. Streams take turns, with I-DATA by fragment, with DATA by message: "The transmitter MUST then assign, in sequence, a separate TSN
// to each of the DATA chunks in the series." (RFC 9260 section 6.9), so that a message that was begun is always finished first.
type schedule struct {
	round          // streams that have a turn
	waiting  round // streams whose first message is too large to be begun now; only while others are begun
	begun    int   // bytes of the large messages that were begun and are not finished, with I-DATA
	buffered int   // bytes of all streams that have not been sent
}

// round is a list of streams.
type round struct{ head, tail *outStream }

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

func (s *round) push(st *outStream) {
	if st.prev = s.tail; s.tail == nil {
		s.head = st
	} else {
		s.tail.next = st
	}
	s.tail = st
}

// rotate ends the turn of the first stream.
func (s *round) rotate() {
	if st := s.head; st != s.tail {
		s.remove(st)
		s.push(st)
	}
}

func (s *round) remove(st *outStream) {
	if st.prev == nil {
		s.head = st.next
	} else {
		st.prev.next = st.next
	}
	if st.next == nil {
		s.tail = st.prev
	} else {
		st.next.prev = st.prev
	}
	st.prev, st.next = nil, nil
}

// pop takes the first message of st, all of which was sent or given up, out of the queue; st waits for its next turn.
func (s *schedule) pop(st *outStream) *message {
	m := st.head
	if st.head = m.next; st.head == nil {
		st.tail = nil
	}
	m.next = nil
	s.remove(st)
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
	if before > int(st.low) && st.buffered <= int(st.low) {
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
			if a.mayBegin(m) {
				return m
			}
			st := a.sched.head
			a.sched.remove(st)
			a.sched.waiting.push(st)
			continue
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
	m := a.sched.pop(st)
	a.stats.MessagesAbandoned++
	a.unbuffer(st, len(m.data))
	a.forget(st, m)
}

// forget ends the life of a message.
func (a *Association) forget(st *outStream, m *message) {
	st.pending--
	if m.recycle {
		a.cfg.Recycle(m.data)
	}
	a.pool.put(m)
	if st.pending == 0 && st.reset == resetWanted {
		a.readyToReset(st)
	}
}
