package media

import (
	"cmp"
	"encoding/binary"
	"slices"
	"time"

	"github.com/pion/rtp"
)

// SenderID names an encoding that is sent.
type SenderID uint32

// Encoding is one source that we send, as it was negotiated.
type Encoding struct {
	Kind       Kind
	MID, RID   string
	SSRC       uint32
	RTX        uint32 // zero: nothing is sent again on a source of its own (RFC 4588)
	Payloads   []Payload
	Extensions Extensions
	Others     []uint8 // identifiers of other extensions that were negotiated: what a packet given to Send has under them leaves with it
	Inactive   bool    // RTCRtpEncodingParameters.active is false: nothing leaves
}

// Payload is a payload type that an encoding may send.
type Payload struct {
	Type      uint8
	ClockRate uint32
	NACK      bool  // the peer may ask for packets again
	RTXType   uint8 // payload type of the retransmissions; zero: none
}

// sender is an encoding and its history.
type sender struct {
	id  SenderID
	enc Encoding

	// What the user numbers and stamps is moved by these, so that a new source carries on where the last one was.
	seqOffset uint16
	tsOffset  uint32
	moved     bool // the next packet begins a new source
	seq       unwrapped
	window    window
	history   history

	rtxSeq uint16

	// For sender reports.
	timestamp uint32 // of the packet that was sent last
	stampedAt instant
	clockRate uint32
	reported  bool // since the last report something was sent

	heard  bool  // the peer has reported about it, so it knows our MID and RID
	fir    uint8 // sequence number of the last FIR
	hasFIR bool
	told   instant // when the last keyframe event was
	counts SenderCounts
}

// SenderCounts are a sender's numbers for W3C's outbound-rtp and remote-inbound-rtp records.
type SenderCounts struct {
	Packets, Bytes, HeaderBytes              uint64 // what was sent, retransmissions included; Bytes are of payloads
	RetransmittedPackets, RetransmittedBytes uint64
	Dropped                                  uint64        // given to Send, and never sent: the queue was full
	Duplicates                               uint64        // given to Send twice
	NACKs, PLIs, FIRs                        uint64        // received; NACKs by packets that were asked for
	NACKMessages                             uint64        // W3C's nackCount
	QueueDelay                               time.Duration // of all packets together
	Remote                                   ReceptionReport
	MID, RID                                 string
	SSRC, RTXSSRC                            uint32
}

// ReceptionReport is what the peer's last report said of a source (RFC 3550 section 6.4.1).
type ReceptionReport struct {
	At           time.Time // zero: there was none
	FractionLost float64
	Lost         int32
	Jitter       time.Duration
	RoundTrip    time.Duration // zero: not known
	RoundTrips   uint64        // measurements
	TotalRTT     time.Duration
}

// AddSender makes an encoding ready to send.
func (m *Machine) AddSender(e Encoding) SenderID {
	m.lastSender++
	s := &sender{id: m.lastSender, enc: e, rtxSeq: uint16(m.rand.Uint32())}
	s.history.limit = m.cfg.HistoryPackets
	s.setHistory(m.cfg.HistoryTime)
	m.senders = append(m.senders, s)
	return s.id
}

// UpdateSender tells what a new negotiation, or the user, has made of an encoding. Its source stays, whatever e says.
func (m *Machine) UpdateSender(id SenderID, e Encoding) {
	if s := m.sender(id); s != nil {
		e.SSRC = s.enc.SSRC
		if s.enc.Inactive && !e.Inactive {
			s.moved = s.seq.begun // what was not sent meanwhile leaves no gap
		}
		s.enc = e
		s.setHistory(m.cfg.HistoryTime)
	}
}

// setHistory: what nobody may ask for again is not kept.
func (s *sender) setHistory(keep time.Duration) {
	s.history.keep = 0
	if slices.ContainsFunc(s.enc.Payloads, func(p Payload) bool { return p.NACK }) {
		s.history.keep = keep
	}
}

// RemoveSender ends an encoding and says BYE (RFC 3550 section 6.6).
func (m *Machine) RemoveSender(now time.Time, id SenderID) {
	m.enter(now)
	s := m.sender(id)
	if s == nil {
		return
	}
	for i := range m.queues {
		m.queues[i].remove(s)
	}
	m.senders = slices.DeleteFunc(m.senders, func(o *sender) bool { return o == s })
	if s.seq.begun {
		m.goodbye(s.enc.SSRC)
	}
}

// NewSource tells that the next packet of an encoding comes from somewhere else: its numbers and timestamps are moved so that they carry on.
func (m *Machine) NewSource(id SenderID) {
	if s := m.sender(id); s != nil {
		s.moved = s.seq.begun
	}
}

func (m *Machine) sender(id SenderID) *sender {
	i, ok := slices.BinarySearchFunc(m.senders, id, func(s *sender, id SenderID) int { return cmp.Compare(s.id, id) })
	if !ok {
		return nil
	}
	return m.senders[i]
}

func (m *Machine) senderOf(ssrc uint32) *sender {
	for _, s := range m.senders {
		if s.enc.SSRC == ssrc {
			return s
		}
	}
	return nil
}

func (e *Encoding) payload(payloadType uint8) *Payload {
	for i := range e.Payloads {
		if e.Payloads[i].Type == payloadType {
			return &e.Payloads[i]
		}
	}
	return nil
}

// Send takes a packet of an encoding: header's source and, after NewSource, its numbers are replaced. It leaves with PollWrite. Before
// SetKeys, while the encoding is inactive, and when it was sent before it goes nowhere, and that is no error.
func (m *Machine) Send(now time.Time, id SenderID, header *rtp.Header, payload []byte) error {
	m.enter(now)
	s := m.sender(id)
	if s == nil {
		return ErrNoSender
	}
	pt := s.enc.payload(header.PayloadType)
	if pt == nil {
		return ErrPayloadType
	}
	if m.tx == nil || s.enc.Inactive {
		return nil
	}
	s.follow(m.now, header, pt.ClockRate)
	n := s.seq.peek(header.SequenceNumber + s.seqOffset)
	if s.window.begun && (s.window.old(n) || n <= s.window.highest && s.window.has(n)) {
		// Sealing another packet under a number that was used would break the cipher: RFC 7714 section 8.1, "the same key […] MUST NOT be
		// used with the same IV" twice.
		s.counts.Duplicates++
		return nil
	}
	mid, rid := s.enc.Extensions.MID, s.enc.Extensions.RID
	if s.heard {
		mid, rid = 0, 0 // RFC 8843 section 15.2 lets us stop when the peer knows the source
	}
	number, foreign := noNumber[:], false
	if m.cfg.KeepTransportCC && s.enc.Extensions.TransportCC != 0 {
		if n := header.GetExtension(s.enc.Extensions.TransportCC); len(n) == 2 {
			number, foreign, m.foreign = n, true, true
		}
	}
	h := appendHeader(m.header[:0], header, &s.enc, mid, rid, number)
	binary.BigEndian.PutUint16(h[2:], uint16(n))
	binary.BigEndian.PutUint32(h[4:], header.Timestamp+s.tsOffset)
	binary.BigEndian.PutUint32(h[8:], s.enc.SSRC)
	m.header = h
	padding := 0
	if header.Padding {
		padding = int(header.PaddingSize)
	}
	length := len(h) + len(payload) + padding
	if length > m.cfg.MTU {
		return ErrTooLarge
	}
	s.seq.advance(uint16(n))
	s.window.add(n)
	p, dropped := s.history.place(m.now, n)
	if dropped {
		s.counts.Dropped++
	}
	p.header = len(h)
	p.foreign = foreign
	p.b = append(append(slices.Grow(p.b, length), h...), payload...)
	if padding > 0 {
		for range padding - 1 {
			p.b = append(p.b, 0)
		}
		p.b = append(p.b, byte(padding))
	}
	class := priority(s.enc.Kind)
	m.queues[class].push(queued{s, n, class, false})
	return nil
}

// follow moves the offsets when the user's numbers begin anew.
func (s *sender) follow(now instant, h *rtp.Header, clockRate uint32) {
	if s.seq.begun && !s.moved && s.window.old(s.seq.peek(h.SequenceNumber+s.seqOffset)) {
		s.moved = true // so far back is no reordering
	}
	if s.moved {
		s.moved = false
		s.seqOffset = uint16(s.seq.last) + 1 - h.SequenceNumber
		elapsed := uint64(now.since(s.stampedAt)) * uint64(clockRate) / uint64(time.Second)
		s.tsOffset = s.timestamp + max(uint32(elapsed), 1) - h.Timestamp
	}
	s.clockRate = clockRate
}

// SenderCounts returns the numbers of an encoding; false: there is none of that name.
func (m *Machine) SenderCounts(id SenderID) (SenderCounts, bool) {
	s := m.sender(id)
	if s == nil {
		return SenderCounts{}, false
	}
	c := s.counts
	c.MID, c.RID, c.SSRC, c.RTXSSRC = s.enc.MID, s.enc.RID, s.enc.SSRC, s.enc.RTX
	return c, true
}
