package sctp

// EventKind says what happened.
type EventKind uint8

// The kinds of events, with the fields of Event that they use.
const (
	EventConnected         EventKind = iota + 1 // the association is established
	EventMessage                                // Stream, PPID, Data, Unordered
	EventIncomingReset                          // Streams: the peer ended these; all their messages came before
	EventOutgoingReset                          // Streams, Err: our reset is done, or was refused with Err
	EventBufferedAmountLow                      // Stream: its buffered amount fell to the threshold
	EventAborted                                // Err: *AbortError; nothing follows
	EventClosed                                 // the association ended gracefully; nothing follows
)

// Event is one thing that happened. Events come in one order.
type Event struct {
	Kind      EventKind
	Unordered bool
	Stream    StreamID
	PPID      PPID
	Data      []byte // belongs to the receiver of the event; counts against the receive window until Consume
	Streams   []StreamID
	Err       error
}

// queuedEvent is an Event in the form in which many may wait. What few kinds have is in eventQueue.rare.
type queuedEvent struct {
	data      []byte
	ppid      PPID
	stream    StreamID
	kind      EventKind
	unordered bool
}

type rareEvent struct {
	streams []StreamID
	err     error
}

// eventQueue is a ring of events and, in the same order, what the rare ones of them have more.
type eventQueue struct {
	ring    []queuedEvent // len is a power of two
	head, n int
	rare    []rareEvent
}

func (q *eventQueue) push(e queuedEvent) {
	if q.n == len(q.ring) {
		ring := make([]queuedEvent, max(8, 2*len(q.ring)))
		for i := range q.n {
			ring[i] = q.ring[(q.head+i)&(len(q.ring)-1)]
		}
		q.ring, q.head = ring, 0
	}
	q.ring[(q.head+q.n)&(len(q.ring)-1)] = e
	q.n++
}

func (q *eventQueue) pushRare(kind EventKind, streams []StreamID, err error) {
	q.push(queuedEvent{kind: kind})
	q.rare = append(q.rare, rareEvent{streams, err})
}

func (k EventKind) rare() bool {
	return k == EventIncomingReset || k == EventOutgoingReset || k == EventAborted
}

// keepEvents is how many places a queue keeps when it has run empty.
const keepEvents = 1024

func (q *eventQueue) pop() (Event, bool) {
	if q.n == 0 {
		return Event{}, false
	}
	p := &q.ring[q.head]
	e := Event{Kind: p.kind, Stream: p.stream, PPID: p.ppid, Data: p.data, Unordered: p.unordered}
	q.drop()
	if e.Kind.rare() {
		e.Streams, e.Err = q.rare[0].streams, q.rare[0].err
		q.rare[0] = rareEvent{}
		if q.rare = q.rare[1:]; len(q.rare) == 0 {
			q.rare = nil
		}
	}
	return e, true
}

// drop takes the first event out of the ring.
func (q *eventQueue) drop() {
	q.ring[q.head].data = nil // the ring must not keep a message alive
	q.head = (q.head + 1) & (len(q.ring) - 1)
	q.n--
	if q.n == 0 && len(q.ring) > keepEvents {
		q.ring, q.head = nil, 0
	}
}

// PollEvent returns the next event.
func (a *Association) PollEvent() (Event, bool) { return a.events.pop() }

// Message is what an EventMessage has.
type Message struct {
	Unordered bool
	Stream    StreamID
	PPID      PPID
	Data      []byte
}

// PollMessage is PollEvent when the next event is an EventMessage, as most are; false: it is not.
func (a *Association) PollMessage() (m Message, ok bool) {
	q := &a.events
	if q.n == 0 {
		return m, false
	}
	p := &q.ring[q.head]
	if p.kind != EventMessage {
		return m, false
	}
	m = Message{Unordered: p.unordered, Stream: p.stream, PPID: p.ppid, Data: p.data}
	q.drop()
	return m, true
}
