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
