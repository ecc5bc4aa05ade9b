package sctp

// cwnd is the congestion window in bytes of DATA chunks, headers included: RFC 9260 section 7.2 with the bookkeeping of RFC 9002.
// What is lost is told by packet numbers, so a loss of what was sent after the last reduction is a new congestion event.
type cwnd struct {
	mtu, initial int

	size     int
	ssthresh int
	acked    int    // bytes acknowledged since size last grew, in congestion avoidance
	recovery uint64 // packets before this number belong to the last congestion event
	lastSent instant
}

func newCwnd(mtu, packets int) cwnd {
	return cwnd{mtu: mtu, initial: mtu * packets, size: mtu * packets, ssthresh: 1 << 30}
}

func (c *cwnd) slowStart() bool { return c.size < c.ssthresh }

// onAck grows the window for n bytes that were newly acknowledged, the last of them sent in packet, when flight bytes were in flight.
// All of n counts in slow start, not one MTU for each SACK: one SACK answers a whole burst.
func (c *cwnd) onAck(n, flight int, packet uint64) {
	if packet < c.recovery {
		return
	}
	if c.slowStart() {
		// "cwnd MUST be increased only if the current congestion window is being fully utilized" (section 7.2.1). In slow start half
		// used is on the way to that: the sender has been stopped by the window one round trip ago.
		if 2*flight >= c.size {
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

// onLoss reacts to the loss of packet, when next is the number of the next packet to be sent. It says whether it was a new event.
func (c *cwnd) onLoss(packet, next uint64) bool {
	if packet < c.recovery {
		return false
	}
	c.recovery = next
	c.ssthresh = max(c.size/2, 4*c.mtu)
	c.size = min(c.size, c.ssthresh)
	c.acked = 0
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
}

// onSend notes that new data leaves. After a silence the window is halved for each RTO, down to the initial one: what it knew of the
// path is old.
func (c *cwnd) onSend(now instant, flight int, rto instant) {
	if flight == 0 && c.lastSent != 0 && rto > 0 {
		for idle := now - c.lastSent; idle > rto && c.size > c.initial; idle -= rto {
			c.ssthresh = max(c.ssthresh, c.size*3/4)
			c.size = max(c.size/2, c.initial)
		}
	}
	c.lastSent = now
}
