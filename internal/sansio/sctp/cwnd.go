package sctp

import "time"

// cwnd is the congestion window in bytes of DATA chunks, headers included: RFC 9260 section 7.2 with the bookkeeping of RFC 9002.
// What is lost is told by packet numbers, so a loss of what was sent after the last reduction is a new congestion event.
type cwnd struct {
	mtu, initial int

	size     int
	ssthresh int
	acked    int    // bytes acknowledged since size last grew, in congestion avoidance
	recovery uint64 // packets before this number belong to the last congestion event
	lastSent instant
	hystart  hystart

	// Proportional rate reduction (RFC 6937): while recovering, what is sent follows what arrives.
	recovering      bool
	before          int // flight when the event began
	delivered, sent int // since then
}

func newCwnd(mtu, packets int) cwnd {
	return cwnd{mtu: mtu, initial: mtu * packets, size: mtu * packets, ssthresh: 1 << 30}
}

func (c *cwnd) slowStart() bool { return c.size < c.ssthresh }

// onAck grows the window for n bytes that were newly acknowledged, the last of them sent in packet, when flight bytes were in flight
// before. All of n counts in slow start, not one MTU for each SACK: one SACK answers a whole burst.
func (c *cwnd) onAck(n, flight int, packet, next uint64, rtt time.Duration) {
	if packet < c.recovery {
		if c.recovering {
			c.delivered += n
		}
		return
	}
	c.recovering = false
	if c.slowStart() {
		if rtt > 0 && c.hystart.onAck(rtt, n, c.mtu, packet, next) {
			c.ssthresh = c.size
			return
		}
		// "to increase cwnd only if the current congestion window is being fully utilized" (section 7.2.1). In slow start half used is
		// on the way to that: the sender has been stopped by the window one round trip ago.
		if 2*flight >= c.size {
			if c.hystart.conservative {
				n /= hystartCSSDivisor
			}
			c.size += min(n, max(c.ssthresh-c.size, c.mtu))
		}
		return
	}
	if flight+c.mtu < c.size {
		return
	}
	for c.acked += n; c.acked >= c.size; {
		c.acked -= c.size
		c.size += c.mtu
	}
}

// room is how many bytes may be sent when flight are in flight; a packet may be sent when it is positive.
func (c *cwnd) room(flight int) int {
	if !c.recovering || flight == 0 {
		return c.size - flight
	}
	if flight > c.ssthresh {
		return c.delivered*c.ssthresh/c.before - c.sent
	}
	return min(c.ssthresh-flight, c.delivered-c.sent+c.mtu)
}

// onLoss reacts to the loss of packet, when next is the number of the next packet to be sent and flight bytes were in flight. It says
// whether it was a new event.
func (c *cwnd) onLoss(packet, next uint64, flight int) bool {
	if packet < c.recovery {
		return false
	}
	c.recovery = next
	c.ssthresh = max(c.size/2, 4*c.mtu)
	c.size = min(c.size, c.ssthresh)
	c.acked = 0
	c.recovering, c.before, c.delivered, c.sent = true, max(flight, 1), 0, 0
	return true
}

// onTimeout reacts to T3: section 7.2.3. The threshold is reduced once for all timeouts in a row.
func (c *cwnd) onTimeout(first bool, next uint64) {
	if first {
		c.ssthresh = max(c.size/2, 4*c.mtu)
	}
	c.recovery = next
	c.size = c.mtu
	c.acked = 0
	c.recovering = false
}

// onSend notes that n bytes leave. After a silence the window is halved for each RTO, down to the initial one: what it knew of the
// path is old.
func (c *cwnd) onSend(now instant, n, flight int, rto time.Duration) {
	if flight == 0 && c.lastSent != 0 {
		for idle := now.since(c.lastSent); idle > rto && c.size > c.initial; idle -= rto {
			c.ssthresh = max(c.ssthresh, c.size*3/4)
			c.size = max(c.size/2, c.initial)
		}
	}
	c.lastSent = now
	c.sent += n
}
