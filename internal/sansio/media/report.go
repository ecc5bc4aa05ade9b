package media

import (
	"slices"
	"time"

	"github.com/pion/rtcp"
)

// maxBlocks is how many reception reports a packet has room for (RFC 3550 section 6.4.1: RC has 5 bits).
const maxBlocks = 31

// localSSRC is the source that our reports and feedback come from: one that sends, if any does.
func (m *Machine) localSSRC() uint32 {
	for _, s := range m.senders {
		if s.seq.begun {
			return s.enc.SSRC
		}
	}
	return m.ssrc
}

// writeReports sends what is regularly due: a sender report for each source that sent, with reports of what is received, and the name of
// all (RFC 3550 section 6.1: each compound packet has a report first, and SDES). False: nothing was sent or received since the last time, and
// nothing is to be said until something is.
func (m *Machine) writeReports() bool {
	blocks, heard := m.receptionReports()
	if !heard && !slices.ContainsFunc(m.senders, func(s *sender) bool { return s.reported }) {
		return false
	}
	var packets []rtcp.Packet
	size := 0
	flush := func() {
		if len(packets) > 0 {
			m.writeCompound(packets)
			packets, size = nil, 0
		}
	}
	take := func() []rtcp.ReceptionReport {
		n := min(len(blocks), maxBlocks)
		b := blocks[:n:n]
		blocks = blocks[n:]
		return b
	}
	for _, s := range m.senders {
		if !s.reported {
			continue
		}
		s.reported = false
		if size+28+len(blocks)*24 > m.cfg.MTU/2 {
			flush()
		}
		// The same instant in both clocks: that of the last packet, carried on.
		elapsed := uint64(m.now.since(s.stampedAt)) * uint64(s.clockRate) / uint64(time.Second)
		sr := &rtcp.SenderReport{
			SSRC: s.enc.SSRC, NTPTime: m.ntp(m.now), RTPTime: s.timestamp + uint32(elapsed),
			PacketCount: uint32(s.counts.Packets - s.counts.RetransmittedPackets),
			OctetCount:  uint32(s.counts.Bytes - s.counts.RetransmittedBytes),
			Reports:     take(),
		}
		packets = append(packets, sr)
		size += 28 + 24*len(sr.Reports)
	}
	flush()
	for len(blocks) > 0 {
		m.writeCompound([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: m.localSSRC(), Reports: take()}})
	}
	return true
}

// receptionReports is RFC 3550 appendix A.3 for each source that has not ended. Heard says whether anything came since the last time.
func (m *Machine) receptionReports() (blocks []rtcp.ReceptionReport, heard bool) {
	for _, s := range m.streams {
		expected, received := s.expected(), s.counts.Packets
		if expected == 0 || s.muted && expected == s.reportedExpected {
			continue
		}
		r := rtcp.ReceptionReport{
			SSRC:               s.ssrc,
			TotalLost:          uint32(s.lost()) & (1<<24 - 1),
			LastSequenceNumber: uint32(s.seq.last - s.base&^0xffff),
			Jitter:             s.jitter >> 4,
		}
		if e, lost := expected-s.reportedExpected, int64(expected-s.reportedExpected)-int64(received-s.reportedReceived); e > 0 && lost > 0 {
			r.FractionLost = uint8(min(lost<<8/int64(e), 255))
		}
		heard = heard || received != s.reportedReceived
		s.reportedExpected, s.reportedReceived = expected, received
		if s.sr.ntp != 0 {
			r.LastSenderReport = compact(s.sr.ntp)
			r.Delay = toCompact(m.now.since(s.sr.arrived))
		}
		blocks = append(blocks, r)
	}
	return blocks, heard
}

// writeCompound completes packets that begin with a report and puts them into the queue.
func (m *Machine) writeCompound(packets []rtcp.Packet) {
	chunks := make([]rtcp.SourceDescriptionChunk, 0, len(packets))
	for _, p := range packets {
		ssrc := m.localSSRC()
		if sr, ok := p.(*rtcp.SenderReport); ok {
			ssrc = sr.SSRC
		}
		chunks = append(chunks, rtcp.SourceDescriptionChunk{
			Source: ssrc,
			Items:  []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: m.cfg.CNAME}},
		})
	}
	m.queueRTCP(append(packets, &rtcp.SourceDescription{Chunks: chunks}))
}

// writeNow sends feedback at once: alone where RFC 5506 was agreed on, and else as a compound packet.
func (m *Machine) writeNow(p rtcp.Packet) {
	if m.reducedSize {
		m.queueRTCP([]rtcp.Packet{p})
		return
	}
	ssrc := m.localSSRC()
	m.queueRTCP([]rtcp.Packet{
		&rtcp.ReceiverReport{SSRC: ssrc},
		&rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{
			Source: ssrc,
			Items:  []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: m.cfg.CNAME}},
		}}},
		p,
	})
}

func (m *Machine) queueRTCP(packets []rtcp.Packet) {
	b, err := rtcp.Marshal(packets)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	if m.WriteRTCP(b) != nil {
		m.stats.RTCPDropped++
	}
}

// goodbye says that sources have ended (RFC 3550 section 6.6).
func (m *Machine) goodbye(ssrc ...uint32) { m.writeNow(&rtcp.Goodbye{Sources: ssrc}) }

// maxRTCP bounds the packets that wait.
const maxRTCP = 256

// WriteRTCP queues a compound packet of the user's. The machine keeps b.
func (m *Machine) WriteRTCP(b []byte) error {
	if len(b) < 8 || len(b)%4 != 0 || b[0]>>6 != 2 || b[1] < 192 || b[1] > 223 {
		return ErrRTCP
	}
	if len(b) > m.cfg.MTU {
		return ErrTooLarge
	}
	if m.tx == nil {
		return nil
	}
	if len(m.rtcp) >= maxRTCP {
		return ErrQueueFull
	}
	m.rtcp = append(m.rtcp, b)
	return nil
}

// pollRTCP seals the next packet behind dst, which has room for it.
func (m *Machine) pollRTCP(dst []byte) []byte {
	b := m.rtcp[0]
	if m.rtcp = m.rtcp[1:]; len(m.rtcp) == 0 {
		m.rtcp = nil
	}
	sealed, err := m.tx.EncryptRTCP(dst[len(dst):len(dst):cap(dst)], b, nil)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	m.stats.RTCPSent++
	m.stats.RTCPBytesSent += uint64(len(sealed))
	return dst[:len(dst)+len(sealed)]
}
