package media

import (
	"slices"
	"time"
)

// StreamID names a stream that is received: one encoding of one m-line.
type StreamID uint32

// stream is what is known of a source that we receive.
type stream struct {
	id          StreamID
	mid, rid    string
	section     *section
	ssrc, rtx   uint32
	payloadType uint8
	clockRate   uint32

	seq    unwrapped // of the source itself
	window window
	base   uint64  // the lowest number that was received
	last   instant // when something came

	// RFC 3550 appendix A.8: transit is arrival less timestamp, in timestamp units, and jitter 16 times the estimate.
	transit    uint32
	jitter     uint32
	hasTransit bool

	// At the last report (appendix A.3).
	reportedExpected, reportedReceived uint64

	sr       senderReport
	nack     missing
	fir      uint8   // sequence number of the last FIR
	wanted   bool    // a keyframe request waits to be sent
	keyframe instant // when the next one may leave
	muted    bool    // nothing comes: BYE did, or the section does not receive
	counts   StreamCounts
}

// senderReport is what the peer's last SR said.
type senderReport struct {
	ntp     uint64
	rtp     uint32
	arrived instant
	packets uint32
	octets  uint32
}

// StreamCounts are a stream's numbers for W3C's inbound-rtp and remote-outbound-rtp records.
type StreamCounts struct {
	Packets, Bytes, HeaderBytes       uint64 // received, repaired ones included, duplicates not; Bytes are of payloads
	Lost                              int64  // RFC 3550 appendix A.3: expected less received
	Duplicates                        uint64
	Discarded                         uint64 // received, and never given to the user: see Discard
	Repaired                          uint64 // packets that came by RTX or again after a NACK
	RTXPackets, RTXBytes              uint64
	NACKs, PLIs, FIRs                 uint64 // sent; NACKs by packets that were asked for
	NACKMessages                      uint64 // W3C's nackCount
	Jitter                            time.Duration
	LastPacket                        time.Time
	SSRC, RTXSSRC                     uint32
	MID, RID                          string
	PayloadType                       uint8
	Muted                             bool
	RemotePackets, RemoteBytes        uint64 // by the last sender report
	RemoteTimestamp, RemoteReportedAt time.Time
	RemoteReports                     uint64
}

// restart forgets the source, for another one that carries on.
func (s *stream) restart(ssrc uint32) {
	s.ssrc = ssrc
	s.seq, s.window, s.base = unwrapped{}, window{}, 0
	s.hasTransit, s.jitter = false, 0
	s.reportedExpected, s.reportedReceived = 0, 0
	s.sr = senderReport{}
	s.nack.clear()
	s.counts.Packets, s.counts.Duplicates = 0, 0
}

// arrive counts a packet of the source. It returns false for one that came before, or so late that this can't be known.
func (s *stream) arrive(now instant, seq uint16, timestamp uint32, payload, header int, repaired bool) bool {
	begun, highest := s.seq.begun, s.seq.last
	n := s.seq.advance(seq)
	if !s.window.add(n) {
		s.counts.Duplicates++
		return false
	}
	switch {
	case !begun:
		s.base = n
	case n < s.base:
		s.base = n // before the first that came
	case n > highest:
		if s.nacks() {
			s.nack.lose(now, highest+1, n)
		}
	default:
		s.nack.arrive(n)
	}
	s.last = now
	s.counts.Packets++
	s.counts.Bytes += uint64(payload)
	s.counts.HeaderBytes += uint64(header)
	if repaired {
		s.counts.Repaired++
	} else {
		s.updateJitter(now, timestamp)
	}
	return true
}

// nacks: the peer sends again what we ask for.
func (s *stream) nacks() bool {
	c := s.section.codec(s.payloadType)
	return c != nil && c.NACK
}

// updateJitter is RFC 3550 appendix A.8. A packet that came late because it was sent twice says nothing about the network.
func (s *stream) updateJitter(now instant, timestamp uint32) {
	if s.clockRate == 0 {
		return
	}
	sec, ns := uint64(now)/uint64(time.Second), uint64(now)%uint64(time.Second)
	arrival := uint32(sec*uint64(s.clockRate) + ns*uint64(s.clockRate)/uint64(time.Second))
	transit := arrival - timestamp
	if s.hasTransit {
		d := int32(transit - s.transit)
		if d < 0 {
			d = -d
		}
		s.jitter += uint32(d) - (s.jitter+8)>>4
	}
	s.transit, s.hasTransit = transit, true
}

// expected is how many packets the source has sent, as far as we can tell.
func (s *stream) expected() uint64 {
	if !s.seq.begun {
		return 0
	}
	return s.seq.last - s.base + 1
}

// lost is RFC 3550 appendix A.3's cumulative number, in the 24 bits that a report has for it.
func (s *stream) lost() int64 {
	return min(max(int64(s.expected())-int64(s.counts.Packets), -1<<23), 1<<23-1)
}

// mute tells that nothing comes any more, and waits for nothing.
func (m *Machine) mute(s *stream) {
	s.nack.clear()
	s.wanted = false
	if !s.muted {
		s.muted = true
		m.push(Event{Kind: EventStreamMuted, Stream: s.id, SSRC: s.ssrc})
	}
}

// deadline is when something is to be said about the stream; zero: never.
func (s *stream) deadline() instant {
	at := s.nack.next
	if s.wanted {
		at = sooner(at, max(s.keyframe, 1))
	}
	if s.nack.tooMany {
		at = 1
	}
	return at
}

// endStream forgets a stream and tells of it.
func (m *Machine) endStream(s *stream) {
	delete(m.bindings, s.ssrc)
	if s.rtx != 0 {
		delete(m.bindings, s.rtx)
	}
	m.streams = slices.DeleteFunc(m.streams, func(o *stream) bool { return o == s })
	m.push(Event{Kind: EventStreamEnded, Stream: s.id, MID: s.mid, RID: s.rid, SSRC: s.ssrc})
}

func (m *Machine) stream(id StreamID) *stream {
	for _, s := range m.streams {
		if s.id == id {
			return s
		}
	}
	return nil
}

// Discard counts a packet of a stream that the user had no time for.
func (m *Machine) Discard(id StreamID) {
	if s := m.stream(id); s != nil {
		s.counts.Discarded++
	}
}

// StreamCounts returns the numbers of a stream; false: there is none of that name.
func (m *Machine) StreamCounts(id StreamID) (c StreamCounts, ok bool) {
	s := m.stream(id)
	if s == nil {
		return c, false
	}
	c = s.counts
	c.Lost = s.lost()
	if s.clockRate != 0 {
		c.Jitter = time.Duration(uint64(s.jitter>>4) * uint64(time.Second) / uint64(s.clockRate))
	}
	c.LastPacket = m.at(s.last)
	c.SSRC, c.RTXSSRC, c.MID, c.RID, c.PayloadType, c.Muted = s.ssrc, s.rtx, s.mid, s.rid, s.payloadType, s.muted
	c.RemotePackets, c.RemoteBytes = uint64(s.sr.packets), uint64(s.sr.octets)
	c.RemoteReportedAt = m.at(s.sr.arrived)
	if s.sr.ntp != 0 {
		c.RemoteTimestamp = fromNTP(s.sr.ntp)
	}
	return c, true
}
