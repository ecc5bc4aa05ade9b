package sctp

import "time"

// hystart ends slow start when round trips grow, before the queue on the path is full and half a window is lost: HyStart++, RFC 9406.
type hystart struct {
	end           uint64 // the round lasts until something of this packet or a later one is acknowledged
	last, current time.Duration
	bytes         int  // acknowledged in this round
	conservative  bool // CSS: growth is slower, and the delay is watched
	baseline      time.Duration
	rounds        int // in CSS
}

// RFC 9406 section 4.3.
const (
	hystartMinThreshold  = 4 * time.Millisecond
	hystartMaxThreshold  = 16 * time.Millisecond
	hystartSamplePackets = 8
	hystartCSSDivisor    = 4
	hystartCSSRounds     = 5
)

// onAck takes the round trip of an acknowledgement for n bytes up to packet, when next is the number of the next packet to be sent. It
// says whether slow start is over. Samples are counted in bytes: one SACK may answer a burst of many packets.
func (h *hystart) onAck(rtt time.Duration, n, mtu int, packet, next uint64) bool {
	if packet >= h.end {
		h.last, h.current, h.bytes, h.end = h.current, 0, 0, next
		if h.conservative {
			if h.rounds++; h.rounds >= hystartCSSRounds {
				return true
			}
		}
	}
	h.bytes += n
	if h.current == 0 || rtt < h.current {
		h.current = rtt
	}
	switch {
	case h.bytes < hystartSamplePackets*mtu || h.last == 0:
	case h.conservative:
		if h.current < h.baseline {
			h.conservative = false
		}
	case h.current >= h.last+min(max(h.last/8, hystartMinThreshold), hystartMaxThreshold):
		h.conservative, h.baseline, h.rounds = true, h.current, 0
	}
	return false
}
