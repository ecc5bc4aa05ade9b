package channel

import "time"

// EventKind says what an Event tells.
type EventKind uint8

const (
	EventIncoming          EventKind = iota + 1 // the remote made a channel; it is open
	EventOpen                                   // a channel made here is open
	EventMessage                                // Data and IsString
	EventBufferedAmountLow                      // SCTP's queue fell to the threshold
	EventClosing                                // the remote, or a mistake of it, began to close the channel
	EventError                                  // Err says why the channel closes
	EventClosed                                 // the last event of a channel
)

func (k EventKind) String() string {
	return [...]string{"none", "incoming", "open", "message", "buffered amount low", "closing", "error", "closed"}[k]
}

// Event is one step of one channel. The events of a channel come in the order
// Incoming or Open, messages, Closing, Error, Closed; each but Closed may be
// missing, and a channel that never opened has no messages.
type Event struct {
	Kind     EventKind
	IsString bool
	Channel  Handle
	Params   *Params // of EventIncoming and EventOpen; belongs to the receiver of the event
	Data     []byte  // likewise
	Err      error   // *Error, *ProtocolError or what HandleClosed was given

	// Charge is the length of the SCTP message that became this event. The
	// caller gives it back to SCTP when the application has taken the event.
	Charge int
}

// Message is what an EventMessage has.
type Message struct {
	Channel  Handle
	IsString bool
	Data     []byte
	Charge   int
}

func (m Message) event() Event {
	return Event{Kind: EventMessage, Channel: m.Channel, IsString: m.IsString, Data: m.Data, Charge: m.Charge}
}

// Outgoing is one SCTP user message. Data must not be changed.
type Outgoing struct {
	Stream         uint16
	PPID           uint32
	Data           []byte
	Unordered      bool
	MaxRetransmits int32         // -1: no limit
	Lifetime       time.Duration // -1: no limit, otherwise at least a millisecond
}
