package media

import (
	"encoding/binary"
	"time"

	"github.com/pion/rtcp"
)

// HandleRTCP takes a protected RTCP packet. It returns what was in it, in the clear and in b's memory; false when it has no effect.
func (m *Machine) HandleRTCP(now time.Time, b []byte) ([]byte, bool) {
	m.enter(now)
	m.results = m.results[:0]
	m.stats.RTCPReceived++
	m.stats.RTCPBytesReceived += uint64(len(b))
	if m.rx == nil {
		m.drops.NoKeys++
		return nil, false
	}
	var h rtcp.Header
	plain, err := m.rx.DecryptRTCP(b[:0], b, &h)
	if err != nil {
		m.refuse(err)
		return nil, false
	}
	m.note(binary.BigEndian.Uint32(plain[4:]))
	for rest := plain; len(rest) > 0; {
		n := packetLength(rest)
		if n == 0 || !m.handlePacket(rest[:n]) {
			m.drops.Malformed++
			return nil, false
		}
		rest = rest[n:]
	}
	return plain, true
}

// packetLength is that of the first packet of a compound (RFC 3550 section 6.4.1: in words, less one); zero: there is none.
func packetLength(b []byte) int {
	if len(b) < 4 {
		return 0
	}
	if n := 4 * (int(binary.BigEndian.Uint16(b[2:])) + 1); n <= len(b) {
		return n
	}
	return 0
}

// handlePacket takes one packet of a compound, and reports whether it is well-formed.
func (m *Machine) handlePacket(b []byte) bool {
	// Transport-wide feedback comes often, with a number for each packet: it is read where it is.
	if b[0]>>6 == 2 && b[0]&31 == rtcp.FormatTCC && b[1] == byte(rtcp.TypeTransportSpecificFeedback) {
		return m.handleTransportCC(b)
	}
	packets, err := rtcp.Unmarshal(b)
	for _, p := range packets {
		m.handleRTCP(p)
	}
	return err == nil
}

func (m *Machine) handleRTCP(p rtcp.Packet) {
	switch p := p.(type) {
	case *rtcp.SenderReport:
		if b, ok := m.bindings[p.SSRC]; ok && !b.rtx {
			b.stream.sr = senderReport{p.NTPTime, p.RTPTime, m.now, p.PacketCount, p.OctetCount}
			b.stream.counts.RemoteReports++
		}
		m.handleReports(p.Reports)
	case *rtcp.ReceiverReport:
		m.handleReports(p.Reports)
	case *rtcp.Goodbye:
		for _, ssrc := range p.Sources {
			if b, ok := m.bindings[ssrc]; ok && !b.rtx {
				m.mute(b.stream)
			}
		}
	case *rtcp.TransportLayerNack:
		m.handleNACK(p)
	case *rtcp.PictureLossIndication:
		if s := m.senderOf(p.MediaSSRC); s != nil {
			s.counts.PLIs++
			m.askedForKeyframe(s)
		} else {
			m.drops.Feedback++
		}
	case *rtcp.FullIntraRequest:
		for _, f := range p.FIR {
			s := m.senderOf(f.SSRC)
			if s == nil {
				m.drops.Feedback++
				continue
			}
			// RFC 5104 section 4.3.1.2: "a new value of Seq nr" is a new request, the same one a repetition.
			if s.hasFIR && s.fir == f.SequenceNumber {
				continue
			}
			s.fir, s.hasFIR = f.SequenceNumber, true
			s.counts.FIRs++
			m.askedForKeyframe(s)
		}
	case *rtcp.ReceiverEstimatedMaximumBitrate:
		m.push(Event{Kind: EventEstimate, Bitrate: float64(p.Bitrate), SSRCs: p.SSRCs})
	case *rtcp.CCFeedbackReport:
		m.handleCCFB(p)
	}
}

// handleReports takes what the peer says of our sources.
func (m *Machine) handleReports(reports []rtcp.ReceptionReport) {
	for _, r := range reports {
		s := m.senderOf(r.SSRC)
		if s == nil {
			continue // of our retransmissions, or of what we no longer send
		}
		s.heard = true
		remote := &s.counts.Remote
		remote.At = m.at(m.now)
		remote.FractionLost = float64(r.FractionLost) / 256
		remote.Lost = int32(r.TotalLost<<8) >> 8 // 24 bits with a sign
		if s.clockRate != 0 {
			remote.Jitter = time.Duration(uint64(r.Jitter) * uint64(time.Second) / uint64(s.clockRate))
		}
		if r.LastSenderReport == 0 {
			continue
		}
		// RFC 3550 section 6.4.1, DLSR: the round trip is the time of arrival less LSR less DLSR.
		rtt := int32(compact(m.ntp(m.now)) - r.LastSenderReport - r.Delay)
		if rtt < 0 || uint32(rtt) > toCompact(maxRoundTrip) {
			continue
		}
		remote.RoundTrip = fromCompact(uint32(rtt))
		remote.RoundTrips++
		remote.TotalRTT += remote.RoundTrip
		m.measured(remote.RoundTrip)
	}
}

// maxRoundTrip is more than what a conversation bears; a report that tells of a longer one has an LSR of another time.
const maxRoundTrip = 30 * time.Second

// SetRTT tells the path's round-trip time, which is between the requests for a packet. It counts until reports have told one.
func (m *Machine) SetRTT(rtt time.Duration) {
	if !m.hasRTT {
		m.rtt = rtt
	}
}

// PathChanged tells that the path is another one: its round-trip time is not known yet.
func (m *Machine) PathChanged() { m.hasRTT = false }

func (m *Machine) measured(rtt time.Duration) {
	if !m.hasRTT {
		m.rtt, m.hasRTT = rtt, true
	}
	m.rtt += (rtt - m.rtt) / 8
}

// handleNACK puts what the peer asks for back into the queue (RFC 4585 section 6.2.1).
func (m *Machine) handleNACK(p *rtcp.TransportLayerNack) {
	s := m.senderOf(p.MediaSSRC)
	if s == nil {
		m.drops.Feedback++
		return
	}
	s.counts.NACKMessages++
	for _, pair := range p.Nacks {
		for i := range uint16(17) {
			if i > 0 && pair.LostPackets>>(i-1)&1 == 0 {
				continue
			}
			s.counts.NACKs++
			m.repair(s, pair.PacketID+i)
		}
	}
}

// repair queues a packet again, unless it is on its way: a packet is not sent twice in a round trip.
func (m *Machine) repair(s *sender, seq uint16) {
	n := s.seq.peek(seq)
	p := s.history.find(n)
	if p == nil || p.sent == 0 || p.queued || m.now.since(p.put) > m.cfg.HistoryTime {
		return
	}
	if p.resends > 0 && m.now.since(p.sent) < m.rtt*3/4 {
		return
	}
	if pl := s.enc.payload(p.b[1] & 127); pl == nil || !pl.NACK || s.enc.RTX != 0 && pl.RTXType == 0 {
		return
	}
	if m.credit < len(p.b) {
		return // the peer asks again
	}
	m.credit -= len(p.b)
	p.queued = true
	m.queues[classRepair].push(queued{s, n, classRepair, true})
}

// maxCredit bounds the bytes that may be sent again in excess of what is sent for the first time. When more than half is lost there is no room for
// repairs, which would only make it worse; and a peer must not make us send without end.
const maxCredit = 500_000

// askedForKeyframe tells of a request, but not of those that come before its answer can have arrived.
func (m *Machine) askedForKeyframe(s *sender) {
	if s.told != 0 && m.now.since(s.told) < max(m.rtt, keyframeInterval) {
		return
	}
	s.told = m.now
	m.push(Event{Kind: EventKeyframe, Sender: s.id, SSRC: s.enc.SSRC, MID: s.enc.MID, RID: s.enc.RID})
}

// keyframeInterval is the least time between two requests for a keyframe.
const keyframeInterval = 300 * time.Millisecond
