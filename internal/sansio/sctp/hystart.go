package sctp

import "time"

// hystart ends slow start when round trips grow, before the queue on the path is full and half a window is lost. It is HyStart++ (RFC 9406)
// with two changes that packets which are paced make possible. A delay is seen in the middle of a round, and not from the least of a whole
// one; and the window is held, and not grown by a quarter, while it is found out whether the delay stays.
type hystart struct {
	bytes   int           // acknowledged in this group of hystartSamplePackets
	least   time.Duration // round trip in this group, or in the round that decides
	hold    uint64        // the window is held until something of this packet or a later one is acknowledged; 0: it is not
	decides bool          // this round, which was sent at the held window, decides
}

// RFC 9406 section 4.3; its least threshold of 4 ms would be half of the queue of some paths.
const (
	hystartMinThreshold  = 2 * time.Millisecond
	hystartMaxThreshold  = 16 * time.Millisecond
	hystartSamplePackets = 8
)

// onAck takes the round trip of an acknowledgement for n bytes up to packet, when next is the number of the next packet to be sent, and the
// shortest round trip. It says whether the window may grow, and whether slow start is over. Samples are counted in bytes: one SACK may
// answer a burst of many packets.
func (h *hystart) onAck(rtt, shortest time.Duration, n, mtu int, packet, next uint64) (grow, over bool) {
	long := shortest + min(max(shortest/8, hystartMinThreshold), hystartMaxThreshold)
	if h.bytes == 0 || rtt < h.least {
		h.least = rtt
	}
	h.bytes += n
	switch {
	case h.hold == 0:
		if h.bytes >= hystartSamplePackets*mtu {
			h.bytes = 0
			if h.least >= long {
				h.hold = next
			}
		}
	case packet >= h.hold && !h.decides:
		h.hold, h.decides, h.bytes, h.least = next, true, n, rtt
	case packet >= h.hold:
		over = h.least >= long
		*h = hystart{}
	}
	return h.hold == 0 && !over, over
}
