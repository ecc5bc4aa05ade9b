package media

import (
	"encoding/binary"
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

// handleTransportCC is section 3.1 of draft-holmer-rmcat-transport-wide-cc-extensions-01. It reports whether b is well-formed.
func (m *Machine) handleTransportCC(b []byte) bool {
	if len(b) < 20 {
		return false
	}
	seq, left := binary.BigEndian.Uint16(b[12:]), int(binary.BigEndian.Uint16(b[14:]))
	reference := time.Duration(b[16])<<16 | time.Duration(b[17])<<8 | time.Duration(b[18])
	chunks, n := b[20:], 0
	for covered := 0; covered < left; n += 2 {
		if len(chunks) < n+2 {
			return false
		}
		covered += statusChunk(binary.BigEndian.Uint16(chunks[n:])).len()
	}
	deltas := chunks[n:]
	arrival := m.peerClock.unwrap(reference*64*time.Millisecond, 64*time.Millisecond<<24)
	for ; left > 0; chunks = chunks[2:] {
		chunk := statusChunk(binary.BigEndian.Uint16(chunks))
		for i := range min(chunk.len(), left) {
			size := chunk.deltaSize(i)
			if len(deltas) < size {
				return false
			}
			switch size {
			case 1:
				arrival += time.Duration(deltas[0]) * arrivalUnit
			case 2:
				arrival += time.Duration(int16(binary.BigEndian.Uint16(deltas))) * arrivalUnit
			}
			deltas = deltas[size:]
			if sent := m.sentLog.find(seq); sent != nil {
				m.result(sent, size > 0, arrival)
			} else {
				m.drops.Feedback++
			}
			seq++
		}
		left -= chunk.len()
	}
	return true
}

// arrivalUnit is of the "receive delta", section 3.1.5.
const arrivalUnit = 250 * time.Microsecond

// statusChunk tells of some packets whether they have come: sections 3.1.3 and 3.1.4.
type statusChunk uint16

// len is how many packets it tells of.
func (c statusChunk) len() int {
	switch {
	case c>>15 == 0: // run length: the last 13 bits
		return int(c & 0x1fff)
	case c>>14&1 == 0: // "symbol size" of one bit
		return 14
	}
	return 7
}

// deltaSize is how many bytes tell when the ith of its packets has come. Section 3.1.1: one for "packet received, small delta", two for "large or
// negative delta"; none for a packet that has not, nor for the reserved symbol.
func (c statusChunk) deltaSize(i int) int {
	var symbol statusChunk
	switch {
	case c>>15 == 0:
		symbol = c >> 13
	case c>>14&1 == 0:
		symbol = c >> (13 - i) & 1
	default:
		symbol = c >> (12 - 2*i)
	}
	if symbol &= 3; symbol == 3 {
		return 0
	}
	return int(symbol)
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
