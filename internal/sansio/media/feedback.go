package media

import (
	"time"

	"github.com/pion/rtcp"
)

// PacketResult is what the peer says of a packet that we sent.
type PacketResult struct {
	Sent    time.Time
	Size    int
	Arrived bool
	// Arrival is by the peer's clock, whose zero is not known: only differences mean something.
	Arrival time.Duration
}

// maxResults bounds what waits for PollResults.
const maxResults = 4 * sentWindow

// PollResults returns what transport-wide feedback has told since the last call, in the order in which the packets were sent as far as one
// message tells, and keeps nothing. The slice is the caller's until the next call of HandleRTCP.
func (m *Machine) PollResults() []PacketResult {
	r := m.results
	m.results = m.results[:0]
	return r
}

// Numbered is how many packets were sent that feedback has to come for.
func (m *Machine) Numbered() uint64 { return m.sentLog.all }

// peerClock unwraps the peer's arrival times.
type peerClock struct {
	last  time.Duration
	begun bool
}

// unwrap returns the time nearest to the last one that is t after whole wraps.
func (c *peerClock) unwrap(t, wrap time.Duration) time.Duration {
	if c.begun {
		t += (c.last - t + wrap/2) / wrap * wrap
		if c.last-t > wrap/2 {
			t += wrap
		}
	}
	c.last, c.begun = t, true
	return t
}

// handleTransportCC is section 3.1 of draft-holmer-rmcat-transport-wide-cc-extensions-01.
func (m *Machine) handleTransportCC(p *rtcp.TransportLayerCC) {
	arrival := m.peerClock.unwrap(time.Duration(p.ReferenceTime)*64*time.Millisecond, 64*time.Millisecond<<24)
	seq, left, deltas := p.BaseSequenceNumber, int(p.PacketStatusCount), p.RecvDeltas
	status := func(symbol uint16) {
		if left == 0 {
			return
		}
		left--
		arrived := symbol == rtcp.TypeTCCPacketReceivedSmallDelta || symbol == rtcp.TypeTCCPacketReceivedLargeDelta
		if arrived {
			if len(deltas) == 0 {
				left = 0
				return
			}
			arrival += time.Duration(deltas[0].Delta) * time.Microsecond
			deltas = deltas[1:]
		}
		if sent := m.sentLog.find(seq); sent != nil {
			m.result(sent, arrived, arrival)
		} else {
			m.drops.Feedback++
		}
		seq++
	}
	for _, chunk := range p.PacketChunks {
		switch c := chunk.(type) {
		case *rtcp.RunLengthChunk:
			for range min(int(c.RunLength), left) {
				status(c.PacketStatusSymbol)
			}
		case *rtcp.StatusVectorChunk:
			for _, symbol := range c.SymbolList {
				status(symbol)
			}
		}
	}
}

// handleCCFB is RFC 8888: the same for packets named by source and sequence number.
func (m *Machine) handleCCFB(p *rtcp.CCFeedbackReport) {
	at := m.peerClock.unwrap(fromCompact(p.ReportTimestamp), fromCompact(1<<31)*2)
	for i, block := range p.ReportBlocks {
		if m.senderOf(block.MediaSSRC) == nil || i >= len(m.senders) {
			m.drops.Feedback++
			continue
		}
		for k := range m.sentLog.n {
			sent := m.sentLog.oldest(k)
			if n := int(sent.rtp - block.BeginSequence); sent.ssrc == block.MediaSSRC && n < len(block.MetricBlocks) {
				// "the arrival time offset": before the report, in 1/1024 s (section 3.1).
				metric := block.MetricBlocks[n]
				m.result(sent, metric.Received, at-time.Duration(metric.ArrivalTimeOffset)*time.Second/1024)
			}
		}
	}
}

// result takes what the peer says of a packet: once that it was lost, and after that perhaps that it came.
func (m *Machine) result(p *sentPacket, arrived bool, arrival time.Duration) {
	if p.state == sentArrived || p.state == sentLost && !arrived || len(m.results) == maxResults {
		return
	}
	p.state = sentLost
	if arrived {
		p.state = sentArrived
	}
	m.results = append(m.results, PacketResult{Sent: m.at(p.at), Size: int(p.size), Arrived: arrived, Arrival: arrival})
}
