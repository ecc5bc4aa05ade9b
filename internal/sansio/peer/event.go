package peer

import (
	"github.com/sansrtc/rtc/internal/sansio/channel"
	"github.com/sansrtc/rtc/internal/sansio/ice"
)

// EventKind says what an Event tells.
type EventKind uint8

// The events.
const (
	EventNegotiationNeeded EventKind = iota + 1 // ask NegotiationNeeded again before believing it: W3C decides when the task runs
	EventSignalingState                         // State is a SignalingState
	EventGatheringState                         // State is a GatheringState
	EventCandidate                              // Candidate, or nil at the end
	EventServerUnused                           // Server: an ICE server's URL that no candidate is gathered from
	EventICEState                               // State is an ICEState
	EventConnectionState                        // State is a ConnectionState
	EventChannelIncoming                        // Channel, Params
	EventChannelOpen                            // Channel, Params
	EventMessage                                // Channel, Data, IsString
	EventBufferedAmountLow                      // Channel
	EventChannelClosing                         // Channel
	EventChannelError                           // Channel, Err
	EventChannelClosed                          // Channel
)

// Event is one thing that happened.
type Event struct {
	Kind      EventKind
	State     uint8
	IsString  bool
	Channel   Handle
	Charge    int    // to be given back by Taken
	Data      []byte // belongs to the receiver of the event
	Params    *Params
	Candidate *LocalCandidate
	Err       error
	Server    string
}

// LocalCandidate is a gathered candidate and the section it belongs to.
type LocalCandidate struct {
	ice.Candidate
	Mid        string
	MLineIndex int
}

// queuedEvent is an Event in the form in which many may wait: what only few of them have is in events.more.
type queuedEvent struct {
	data     []byte
	charge   int
	channel  Handle
	kind     EventKind // 0: an empty place
	state    uint8
	isString bool
	more     bool // the next of events.more is all of it
}

// event is e, but for what events.more has.
func (e *queuedEvent) event() Event {
	return Event{Kind: e.kind, State: e.state, IsString: e.isString, Channel: e.channel, Charge: e.charge, Data: e.data}
}

// events is a queue. What take has taken out of it leaves an empty place.
// Invariant: the first place is not empty.
type events struct {
	ring    []queuedEvent // len is zero or a power of two
	head, n int
	more    []Event // in the same order
}

func (e *events) at(i int) *queuedEvent { return &e.ring[(e.head+i)&(len(e.ring)-1)] }

func (e *events) push(ev Event) {
	q := queuedEvent{data: ev.Data, charge: ev.Charge, channel: ev.Channel, kind: ev.Kind, state: ev.State, isString: ev.IsString}
	if ev.Params != nil || ev.Candidate != nil || ev.Err != nil || ev.Server != "" {
		q.more = true
		e.more = append(e.more, ev)
	}
	if e.n == len(e.ring) {
		ring := make([]queuedEvent, max(8, 2*len(e.ring)))
		for i := range e.n {
			ring[i] = *e.at(i)
		}
		e.ring, e.head = ring, 0
	}
	e.n++
	*e.at(e.n - 1) = q
}

// len is zero when there is no event; it counts empty places too.
func (e *events) len() int { return e.n }

func (e *events) pop() (ev Event, ok bool) {
	if e.n == 0 {
		return ev, false
	}
	q := e.at(0)
	if ev = q.event(); q.more {
		ev = e.more[0]
		e.more[0] = Event{}
		if e.more = e.more[1:]; len(e.more) == 0 {
			e.more = nil
		}
	}
	e.drop()
	return ev, true
}

// take gives the first message of a channel, wherever it is, and takes it out; or the error or close that comes before one, and leaves it.
func (e *events) take(h Handle) (Event, bool) {
	more := 0
	for i := range e.n {
		q := e.at(i)
		switch {
		case q.channel == h && q.kind == EventMessage:
			ev := q.event()
			if *q = (queuedEvent{}); i == 0 {
				e.drop()
			}
			return ev, true
		case q.channel == h && (q.kind == EventChannelError || q.kind == EventChannelClosed):
			if q.more {
				return e.more[more], true
			}
			return q.event(), true
		case q.more:
			more++
		}
	}
	return Event{}, false
}

// drop removes the first place and the empty ones behind it.
func (e *events) drop() {
	*e.at(0) = queuedEvent{} // the ring must not keep a message alive
	for e.n > 0 && e.at(0).kind == 0 {
		e.head = (e.head + 1) & (len(e.ring) - 1)
		e.n--
	}
}

var channelEvents = [...]EventKind{
	channel.EventIncoming:          EventChannelIncoming,
	channel.EventOpen:              EventChannelOpen,
	channel.EventMessage:           EventMessage,
	channel.EventBufferedAmountLow: EventBufferedAmountLow,
	channel.EventClosing:           EventChannelClosing,
	channel.EventError:             EventChannelError,
	channel.EventClosed:            EventChannelClosed,
}
