package media

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

// Config is what a machine is made with. The zero value of each field but Rand and CNAME is its default.
type Config struct {
	Rand           io.Reader
	CNAME          string        // of all our sources (RFC 3550 section 6.5.1)
	MTU            int           // bytes of a packet before protection; 1200
	HistoryTime    time.Duration // how long a packet can be asked for again; 1 s
	HistoryPackets int           // and of how many of a source, a power of two; 2048
	MaxStreams     int           // that are received at a time; 1024
	ReportInterval time.Duration // between reports, on the average; 1 s
	// KeepTransportCC leaves a transport-wide number that a packet given to Send carries as it is: whoever wrote it reads the feedback. Then
	// retransmissions have none, and there are no results about these packets.
	KeepTransportCC bool
}

func (c *Config) complete() {
	or := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	or(&c.MTU, 1200)
	or(&c.HistoryPackets, 2048)
	or(&c.MaxStreams, 1024)
	if c.HistoryTime == 0 {
		c.HistoryTime = time.Second
	}
	if c.ReportInterval == 0 {
		c.ReportInterval = time.Second
	}
}

// Machine is the media of one connection: all its sources, in both directions, over one transport.
type Machine struct {
	cfg   Config
	rand  *rand.Rand
	epoch time.Time
	now   instant
	ssrc  uint32 // of our reports while nothing is sent

	keys    Keys
	tx, rx  *srtp.Context
	sources map[uint32]struct{} // that rx keeps something of

	overhead int // that protection adds to an RTP packet

	sections    []*section
	transportCC uint8 // identifier of the extension; zero: not negotiated
	reducedSize bool

	// What is received.
	streams    []*stream
	bindings   map[uint32]binding
	lastStream StreamID
	due        instant // no stream has anything to say before
	recorder   *twcc.Recorder
	arrivals   int     // packets since the last transport-wide feedback
	ccNext     instant // when the next is due

	// What is sent.
	senders    []*sender
	lastSender SenderID
	queues     [numClasses]fifo
	pace       pacer
	sentLog    sentLog
	credit     int  // bytes that may be sent again
	foreign    bool // packets came with transport-wide numbers of their own
	rtcp       [][]byte
	report     instant // when the next reports are due

	rtt       time.Duration
	hasRTT    bool // from reports
	peerClock peerClock
	results   []PacketResult
	events    []Event
	drops     Drops
	stats     Stats

	// Kept so that packets cost no memory.
	in, stored, sealed rtp.Header
	header, scratch    []byte
	asked              []uint16
}

// New makes a machine. It fails only when Rand does.
func New(cfg Config) (*Machine, error) {
	cfg.complete()
	var seed [32]byte
	if _, err := io.ReadFull(cfg.Rand, seed[:]); err != nil {
		return nil, fmt.Errorf("media: %w", err)
	}
	m := &Machine{cfg: cfg, rand: rand.New(rand.NewChaCha8(seed)), bindings: make(map[uint32]binding), credit: maxCredit}
	m.ssrc = m.rand.Uint32()
	return m, nil
}

// Packet is one that was received, in the clear.
type Packet struct {
	Stream StreamID
	// Raw is the whole packet, in the memory of what was given to HandleRTP. One that came as a retransmission is what it was at first.
	Raw []byte
	// Header is of Raw, and valid until the next call.
	Header   *rtp.Header
	Payload  []byte
	Repaired bool
}

// HandleRTP takes a protected RTP packet, and returns it in the clear, with a Stream if it is to be given to the user. False: it is not authentic.
func (m *Machine) HandleRTP(now time.Time, b []byte) (Packet, bool) {
	m.enter(now)
	m.stats.RTPReceived++
	m.stats.RTPBytesReceived += uint64(len(b))
	if m.rx == nil {
		m.drops.NoKeys++
		return Packet{}, false
	}
	plain, err := m.rx.DecryptRTP(b[:0], b, &m.in)
	if err != nil {
		m.refuse(err)
		return Packet{}, false
	}
	m.record()
	p, _ := m.take(plain, headerLength(plain))
	return p, true
}

// headerLength is that of a packet whose header was parsed.
func headerLength(b []byte) int {
	n := 12 + 4*int(b[0]&15)
	if b[0]&0x10 != 0 {
		n += 4 + 4*int(binary.BigEndian.Uint16(b[n+2:]))
	}
	return n
}

// take finds out what an authentic packet is of.
func (m *Machine) take(plain []byte, header int) (Packet, bool) {
	bound, ok := m.route(&m.in)
	if !ok {
		return Packet{}, false
	}
	s := bound.stream
	if bound.rtx {
		if plain, ok = m.restore(s, plain, header); !ok {
			return Packet{}, false
		}
	}
	payload, ok := unpad(plain, header)
	if !ok {
		m.drops.Malformed++
		return Packet{}, false
	}
	if !bound.rtx && m.in.PayloadType != s.payloadType {
		codec := s.section.codec(m.in.PayloadType)
		if codec == nil || codec.RTX {
			m.drops.PayloadType++
			return Packet{}, false
		}
		s.payloadType, s.clockRate, s.hasTransit = m.in.PayloadType, codec.ClockRate, false
		m.push(Event{Kind: EventPayloadType, Stream: s.id, PayloadType: s.payloadType})
	}
	highest := s.seq.last
	if !s.arrive(m.now, m.in.SequenceNumber, m.in.Timestamp, len(payload), header, bound.rtx) {
		return Packet{}, false
	}
	if s.muted && s.seq.last > highest {
		s.muted = false
		m.push(Event{Kind: EventStreamUnmuted, Stream: s.id, SSRC: s.ssrc})
	}
	m.due = sooner(m.due, s.deadline())
	if m.report == 0 {
		m.scheduleReport()
	}
	return Packet{Stream: s.id, Raw: plain, Header: &m.in, Payload: payload, Repaired: bound.rtx}, true
}

// unpad returns the payload without padding (RFC 3550 section 5.1).
func unpad(b []byte, header int) ([]byte, bool) {
	payload := b[header:]
	if b[0]&0x20 == 0 {
		return payload, true
	}
	if len(payload) == 0 {
		return nil, false
	}
	n := int(payload[len(payload)-1])
	if n == 0 || n > len(payload) {
		return nil, false
	}
	return payload[:len(payload)-n], true
}

// restore makes the original of a retransmission (RFC 4588 section 4), in place.
func (m *Machine) restore(s *stream, b []byte, header int) ([]byte, bool) {
	payload, ok := unpad(b, header)
	if !ok || len(payload) < 2 {
		m.drops.Padding++
		return nil, false
	}
	codec := s.section.codec(m.in.PayloadType)
	if codec == nil || !codec.RTX {
		m.drops.PayloadType++
		return nil, false
	}
	s.counts.RTXPackets++
	s.counts.RTXBytes += uint64(len(payload) - 2)
	osn := binary.BigEndian.Uint16(payload)
	copy(b[2:], b[:header])
	b = b[2 : header+len(payload)]
	b[0] &^= 0x20
	b[1] = b[1]&0x80 | codec.Of
	binary.BigEndian.PutUint16(b[2:], osn)
	binary.BigEndian.PutUint32(b[8:], s.ssrc)
	if _, err := m.in.Unmarshal(b); err != nil {
		panic("BUG: " + err.Error())
	}
	return b, true
}

// record takes note of when a packet came, for transport-wide feedback.
func (m *Machine) record() {
	if m.transportCC == 0 {
		return
	}
	seq := m.in.GetExtension(m.transportCC)
	if len(seq) < 2 {
		return
	}
	if m.recorder == nil {
		m.recorder = twcc.NewRecorder(m.localSSRC())
	}
	m.recorder.Record(m.in.SSRC, binary.BigEndian.Uint16(seq), int64(m.now)/1000)
	m.arrivals++
	if m.ccNext == 0 {
		m.ccNext = m.now.add(feedbackInterval)
	}
}

// feedbackInterval is between two transport-wide feedback messages: some per round trip of most paths, and few bytes.
const feedbackInterval = 50 * time.Millisecond

// refuse counts a packet that protection refused.
func (m *Machine) refuse(err error) {
	if errors.Is(err, srtp.ErrFailedToVerifyAuthTag) {
		m.drops.Protection++
	} else {
		m.drops.Replayed++
	}
}

// scheduleReport is RFC 3550 section 6.2: the interval varies between half and one and a half, so that reports don't fall in step.
func (m *Machine) scheduleReport() {
	m.report = m.now.add(time.Duration((0.5 + m.rand.Float64()) * float64(m.cfg.ReportInterval)))
}

// writeFeedback puts into the queue what is due: requests for packets and keyframes, transport-wide feedback, reports.
func (m *Machine) writeFeedback() {
	if m.tx == nil {
		return
	}
	if m.due != 0 && m.due <= m.now {
		m.due = 0
		for _, s := range m.streams {
			m.writeNACKs(s)
			if s.wanted && s.keyframe <= m.now {
				m.writeKeyframeRequest(s)
			}
			m.due = sooner(m.due, s.deadline())
		}
	}
	if m.ccNext != 0 && m.ccNext <= m.now {
		m.ccNext, m.arrivals = 0, 0
		for _, p := range m.recorder.BuildFeedbackPacket() {
			m.writeNow(p)
		}
	}
	if m.report != 0 && m.report <= m.now {
		if m.report = 0; m.writeReports() {
			m.scheduleReport()
		}
	}
}

func (m *Machine) writeNACKs(s *stream) {
	var gaveUp bool
	if m.asked, gaveUp = s.nack.ask(m.now, m.rtt, m.asked[:0]); len(m.asked) > 0 {
		s.counts.NACKs += uint64(len(m.asked))
		s.counts.NACKMessages++
		m.writeNow(&rtcp.TransportLayerNack{
			SenderSSRC: m.localSSRC(), MediaSSRC: s.ssrc, Nacks: rtcp.NackPairsFromSequenceNumbers(m.asked),
		})
	}
	if gaveUp || s.nack.tooMany {
		s.nack.tooMany = false
		if s.section.Kind == Video {
			s.wanted = true
		}
	}
}

// RequestKeyframe asks the peer for a keyframe: at once, or when the last request is old enough. It does nothing when the peer has not said that it
// understands PLI (RFC 4585 section 6.3.1) or FIR (RFC 5104 section 4.3.1).
func (m *Machine) RequestKeyframe(now time.Time, id StreamID) {
	m.enter(now)
	if s := m.stream(id); s != nil {
		s.wanted = true
		m.due = sooner(m.due, s.deadline())
	}
}

func (m *Machine) writeKeyframeRequest(s *stream) {
	s.wanted = false
	c := s.section.codec(s.payloadType)
	switch {
	case c == nil:
		return
	case c.PLI:
		s.counts.PLIs++
		m.writeNow(&rtcp.PictureLossIndication{SenderSSRC: m.localSSRC(), MediaSSRC: s.ssrc})
	case c.FIR:
		s.counts.FIRs++
		m.writeNow(&rtcp.FullIntraRequest{SenderSSRC: m.localSSRC(), MediaSSRC: 0, FIR: []rtcp.FIREntry{{SSRC: s.ssrc, SequenceNumber: s.fir}}})
		s.fir++
	default:
		return
	}
	s.keyframe = m.now.add(max(m.rtt, keyframeInterval))
}

// PollTimeout is when HandleTimeout is due; zero: not before something else happens.
func (m *Machine) PollTimeout() time.Time {
	if m.tx == nil {
		return time.Time{}
	}
	at := sooner(sooner(m.report, m.ccNext), m.due)
	if (m.queues[classRepair].n > 0 || m.queues[classVideo].n > 0) && !m.pace.open(m.now) {
		at = sooner(at, m.pace.next())
	}
	return m.at(at)
}

// HandleTimeout does what is due. What there is to send leaves with PollWrite.
func (m *Machine) HandleTimeout(now time.Time) {
	m.enter(now)
	m.writeFeedback()
}

// Close ends all streams, drops what waits to be sent, and queues BYE for all that was.
func (m *Machine) Close(now time.Time) {
	m.enter(now)
	m.SetSections(nil)
	m.dropQueued()
	var ended []uint32
	for _, s := range m.senders {
		if s.seq.begun {
			ended = append(ended, s.enc.SSRC)
		}
	}
	for some := range slices.Chunk(ended, maxBlocks) {
		m.goodbye(some...)
	}
	m.report, m.ccNext, m.arrivals, m.due = 0, 0, 0, 0
}

// Stop ends protection: the keys are no longer to be used. Nothing is sent or received any more.
func (m *Machine) Stop() {
	m.tx, m.rx, m.rtcp = nil, nil, nil
	m.dropQueued()
}

// dropQueued drops the packets that wait.
func (m *Machine) dropQueued() {
	for _, s := range m.senders {
		for i := range m.queues {
			m.queues[i].remove(s)
		}
		s.history.drop()
	}
}

// Rest gives back the memory that is only needed while packets go to and fro. What was sent cannot be asked for again afterwards.
func (m *Machine) Rest() {
	for i := range m.queues {
		if m.queues[i].n > 0 {
			return // of packets that wait for the pacer
		}
	}
	m.dropQueued()
	m.queues = [numClasses]fifo{}
	m.sentLog = sentLog{next: m.sentLog.next, all: m.sentLog.all}
	m.results, m.scratch, m.asked = nil, nil, nil
}
