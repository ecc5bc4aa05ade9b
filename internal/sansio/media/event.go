package media

import "time"

// EventKind says what happened.
type EventKind uint8

// The kinds of events, with the fields of Event that they use.
const (
	EventStream        EventKind = iota + 1 // Stream, MID, RID, SSRC, PayloadType: a source of the peer has begun
	EventStreamEnded                        // Stream, MID, RID, SSRC: it is no longer negotiated
	EventStreamMuted                        // Stream, SSRC: the peer said BYE, or the section does not receive now
	EventStreamUnmuted                      // Stream, SSRC: a packet came
	EventPayloadType                        // Stream, PayloadType: the source uses another one now
	EventKeyframe                           // Sender: the peer asks for a keyframe
	EventEstimate                           // Bitrate, SSRCs: the peer's estimate of what it can receive (REMB)
)

// Event is one thing that happened. Events come in one order.
type Event struct {
	Kind        EventKind
	Stream      StreamID
	Sender      SenderID
	MID, RID    string
	SSRC        uint32
	PayloadType uint8
	Bitrate     float64 // bit/s
	SSRCs       []uint32
}

func (m *Machine) push(e Event) { m.events = append(m.events, e) }

// PollEvent returns the next event.
func (m *Machine) PollEvent() (Event, bool) {
	if len(m.events) == 0 {
		return Event{}, false
	}
	e := m.events[0]
	if m.events = m.events[1:]; len(m.events) == 0 {
		m.events = nil
	}
	return e, true
}

// Drops counts what came and had no effect.
type Drops struct {
	Malformed      uint64 // not RTP or RTCP
	Protection     uint64 // not authentic
	Replayed       uint64 // came before, or is too short to be protected
	NoKeys         uint64 // before SetKeys
	Unrouted       uint64 // of no known section or stream
	Unwanted       uint64 // of a section that does not receive
	PayloadType    uint64 // not negotiated
	TooManyStreams uint64
	Padding        uint64 // retransmissions without a payload, which probe the path
	Feedback       uint64 // feedback about what we did not send
}

// Stats are the numbers of the machine as a whole.
type Stats struct {
	Drops                            Drops
	RTPSent, RTPReceived             uint64 // packets
	RTPBytesSent, RTPBytesReceived   uint64 // protected
	RTCPSent, RTCPReceived           uint64
	RTCPBytesSent, RTCPBytesReceived uint64
	RTCPDropped                      uint64 // ours, for which there was no room
	Queued                           int    // packets that wait to be sent
	Numbered                         uint64 // packets sent that transport-wide feedback will tell about
	RoundTrip                        time.Duration
}

// Stats returns the numbers.
func (m *Machine) Stats() Stats {
	s := m.stats
	s.Drops = m.drops
	for i := range m.queues {
		s.Queued += m.queues[i].n
	}
	s.RoundTrip, s.Numbered = m.rtt, m.sentLog.all
	return s
}
