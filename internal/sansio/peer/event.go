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

// keepEvents is how many places an empty queue keeps: enough for the small messages of a burst.
const keepEvents = 1024

// events is a queue that gives its memory back when it has been long. What take has taken out of it leaves an empty place.
// Invariant: the first place is not empty.
type events struct {
	q    []Event
	head int
}

func (e *events) push(ev Event) { e.q = append(e.q, ev) }

func (e *events) len() int { return len(e.q) - e.head }

func (e *events) pop() (ev Event, ok bool) {
	if e.len() == 0 {
		return ev, false
	}
	ev = e.q[e.head]
	e.drop()
	return ev, true
}

// take gives the first message of a channel, wherever it is, and takes it out; or the error or close that comes before one, and leaves it.
func (e *events) take(h Handle) (ev Event, ok bool) {
	for i := e.head; i < len(e.q); i++ {
		if e.q[i].Channel != h {
			continue
		}
		switch ev = e.q[i]; ev.Kind {
		case EventMessage:
			if e.q[i] = (Event{}); i == e.head {
				e.drop()
			}
			return ev, true
		case EventChannelError, EventChannelClosed:
			return ev, true
		}
	}
	return Event{}, false
}

// drop removes the first place and the empty ones behind it.
func (e *events) drop() {
	e.q[e.head] = Event{}
	for e.len() > 0 && e.q[e.head].Kind == 0 {
		e.head++
	}
	switch {
	case e.head == len(e.q) && cap(e.q) > keepEvents:
		e.q, e.head = nil, 0
	case e.head == len(e.q):
		e.q, e.head = e.q[:0], 0
	case e.head > 1024 && e.head > len(e.q)/2:
		e.q = append([]Event(nil), e.q[e.head:]...)
		e.head = 0
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
