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

	EventTransceiver  // Media.Transceiver, Media.Change
	EventSender       // Media.Transceiver, Media.Section: what the transceiver may send has changed; with Section.Sending false it sends nothing now
	EventTrack        // Stream, Media: a source of the peer has begun; it comes before its first EventRTP
	EventTrackCodec   // Stream, Media: the source uses another payload type from here on
	EventTrackMuted   // Stream, Media: the peer said BYE, or the section does not receive now
	EventTrackUnmuted // Stream, Media: it goes on
	EventTrackEnded   // Stream, Media: it comes after its last EventRTP
	EventRTP          // Stream, Data: a packet in the clear, with its header. FreeRTP gives its memory back
	EventRTCP         // Data: a compound packet in the clear, only with WantRTCP
	EventKeyframe     // Media.Transceiver, Media.Encoding: the peer asks for a keyframe
	EventBandwidth    // Bandwidth has changed by 5 % or more; at most five times in a second
)

// Event is one thing that happened.
type Event struct {
	Kind      EventKind
	State     uint8
	IsString  bool
	Channel   Handle
	Stream    StreamID
	Charge    int    // to be given back by Taken
	Data      []byte // belongs to the receiver of the event
	Params    *Params
	Candidate *LocalCandidate
	Err       error
	Server    string
	Media     *MediaEvent
}

// LocalCandidate is a gathered candidate and the section it belongs to.
type LocalCandidate struct {
	ice.Candidate
	Mid        string
	MLineIndex int
}

// ParseCandidate reads a candidate-attribute (RFC 8839 section 5.1).
func ParseCandidate(line string) (Candidate, error) { return ice.ParseCandidate(line) }

// queuedEvent is an Event in the form in which many may wait: what only few of them have is in events.more.
type queuedEvent struct {
	data     []byte
	charge   int
	source   uint32    // the channel, or the stream of an EventRTP
	kind     EventKind // 0: an empty place
	state    uint8
	isString bool
	more     bool // the next of events.more is all of it
}

// event is e, but for what events.more has.
func (e *queuedEvent) event() Event {
	ev := Event{Kind: e.kind, State: e.state, IsString: e.isString, Charge: e.charge, Data: e.data}
	if e.kind == EventRTP {
		ev.Stream = StreamID(e.source)
	} else {
		ev.Channel = Handle(e.source)
	}
	return ev
}

// events is a queue. What take has taken out of it leaves an empty place.
// Invariant: the first place is not empty.
type events struct {
	ring    []queuedEvent // len is zero or a power of two
	head, n int
	more    []Event // in the same order

	empty int // places among n that are empty
	rtp   int // packets among them
	rtcp  int // and those of RTCP
	// No packet is before this place. It only moves on, so that looking for the oldest packet costs what was put in between, once.
	firstRTP int
}

func (e *events) at(i int) *queuedEvent { return &e.ring[(e.head+i)&(len(e.ring)-1)] }

// pushMessage is push of an EventMessage.
func (e *events) pushMessage(m Message) {
	if e.n == len(e.ring) {
		e.makeRoom()
	}
	e.n++
	*e.at(e.n - 1) = queuedEvent{kind: EventMessage, data: m.Data, charge: m.Charge, source: uint32(m.Channel), isString: m.IsString}
}

// popMessage is pop when the next event is an EventMessage; false: it is not.
func (e *events) popMessage() (m Message, ok bool) {
	if e.n == 0 {
		return m, false
	}
	q := e.at(0)
	if q.kind != EventMessage {
		return m, false
	}
	m = Message{Channel: Handle(q.source), IsString: q.isString, Data: q.data, Charge: q.charge}
	e.remove(0)
	return m, true
}

func (e *events) push(ev Event) {
	q := queuedEvent{data: ev.Data, charge: ev.Charge, source: uint32(ev.Channel), kind: ev.Kind, state: ev.State, isString: ev.IsString}
	switch ev.Kind {
	case EventRTP:
		q.source = uint32(ev.Stream)
		e.rtp++
	case EventRTCP:
		e.rtcp++
	}
	if ev.Params != nil || ev.Candidate != nil || ev.Err != nil || ev.Server != "" || ev.Media != nil {
		q.more = true
		e.more = append(e.more, ev)
	}
	if e.n == len(e.ring) {
		e.makeRoom()
	}
	e.n++
	*e.at(e.n - 1) = q
}

// makeRoom takes out the empty places, and makes the ring larger when that is not much.
func (e *events) makeRoom() {
	n := 0
	for i := range e.n {
		q := *e.at(i)
		*e.at(i) = queuedEvent{}
		if q.kind != 0 {
			*e.at(n) = q
			n++
		}
	}
	e.n, e.empty, e.firstRTP = n, 0, 0
	if n > len(e.ring)/2 || n == 0 {
		ring := make([]queuedEvent, max(8, 2*len(e.ring)))
		for i := range n {
			ring[i] = *e.at(i)
		}
		e.ring, e.head = ring, 0
	}
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
	e.remove(0)
	return ev, true
}

// take gives the first message of a channel, wherever it is, and takes it out; or the error or close that comes before one, and leaves it.
func (e *events) take(h Handle) (Event, bool) {
	more := 0
	for i := range e.n {
		q := e.at(i)
		switch {
		case q.source == uint32(h) && q.kind == EventMessage:
			ev := q.event()
			e.remove(i)
			return ev, true
		case q.source == uint32(h) && (q.kind == EventChannelError || q.kind == EventChannelClosed):
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

// takeStream gives the first packet of a stream, wherever it is, and takes it out; or the end that comes before one, and leaves it.
func (e *events) takeStream(id StreamID) (Event, bool) {
	more := 0
	for i := range e.n {
		q := e.at(i)
		switch {
		case q.kind == EventRTP && q.source == uint32(id):
			ev := q.event()
			e.remove(i)
			return ev, true
		case q.more:
			if ev := &e.more[more]; ev.Kind == EventTrackEnded && ev.Stream == id {
				return *ev, true
			}
			more++
		}
	}
	return Event{}, false
}

// takeRTP takes the oldest packet out. There has to be one.
func (e *events) takeRTP() Event {
	for e.at(e.firstRTP).kind != EventRTP {
		e.firstRTP++
	}
	ev := e.at(e.firstRTP).event()
	e.remove(e.firstRTP)
	return ev
}

// remove empties a place. When it is the first, it goes, and so do the empty ones behind it.
func (e *events) remove(i int) {
	switch e.at(i).kind {
	case EventRTP:
		e.rtp--
	case EventRTCP:
		e.rtcp--
	}
	*e.at(i) = queuedEvent{} // the ring must not keep a message alive
	e.empty++
	for e.n > 0 && e.at(0).kind == 0 {
		e.head = (e.head + 1) & (len(e.ring) - 1)
		e.n--
		e.empty--
		e.firstRTP = max(e.firstRTP-1, 0)
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
