package sctp

import "time"

// cwnd is the congestion window in bytes of DATA chunks, headers included. It is CUBIC's (RFC 9438) after HyStart++'s slow start (RFC 9406),
// with the bookkeeping of RFC 9002: what is lost is told by packet numbers, so a loss of what was sent after the last reduction is a new
// congestion event, if it is one at all (see tolerance).
type cwnd struct {
	mtu, initial int

	size      int
	ssthresh  int
	full      uint64 // number of the packet that would have been sent when the window last kept one back
	recovery  uint64 // packets before this number belong to the last congestion event
	lastSent  instant
	hystart   hystart
	cubic     cubic
	tolerance tolerance
	prior     prior

	// Proportional rate reduction (RFC 6937): while recovering, what is sent follows what arrives.
	recovering      bool
	before          int // flight when the event began
	delivered, sent int // since then
}

// prior is the window before the last congestion event, for the case that nothing was lost in truth.
type prior struct {
	size, ssthresh int
	cubic          cubic
	losses         int // chunks of the event that have not turned out to have arrived; 0: there is nothing to undo
}

func newCwnd(mtu, packets int) cwnd {
	return cwnd{mtu: mtu, initial: mtu * packets, size: mtu * packets, ssthresh: 1 << 30, tolerance: tolerance{credit: minTolerated * mtu}}
}

func (c *cwnd) slowStart() bool { return c.size < c.ssthresh }

// onAck grows the window for n bytes that were newly acknowledged, the last of them sent in packet. next is the number of the next packet to
// be sent, and rtt the round trip that was measured, if any. All of n counts in slow start, not one MTU for each SACK: one SACK answers a
// whole burst.
func (c *cwnd) onAck(now instant, n int, packet, next uint64, rtt time.Duration, r *rto) {
	c.tolerance.onAck(n, c)
	if packet < c.recovery {
		if c.recovering {
			c.delivered += n
		}
		return
	}
	c.recovering = false
	// "to increase cwnd only if the current congestion window is being fully utilized" (RFC 9260 section 7.2.1): it has kept something back
	// since packet was sent, which is within a round trip.
	busy := packet < c.full
	if c.slowStart() {
		grow, over := c.hystart.hold == 0, false
		if rtt > 0 {
			grow, over = c.hystart.onAck(rtt, r.shortest, n, c.mtu, packet, next)
		}
		switch {
		case over:
			c.ssthresh = c.size
		case grow && busy:
			c.size += min(n, max(c.ssthresh-c.size, c.mtu))
		}
		return
	}
	c.size = c.cubic.grow(now, c.size, n, c.mtu, busy, r.srtt.Seconds())
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

// onLoss reacts to the loss of n bytes in packet, when next is the number of the next packet to be sent and flight bytes were in flight.
// It says whether a new congestion event has begun.
func (c *cwnd) onLoss(n int, packet, next uint64, flight int, r *rto) bool {
	if packet < c.recovery {
		if c.prior.losses > 0 {
			c.prior.losses++
		}
		return false
	}
	if c.tolerance.takes(n, r) {
		return false
	}
	c.prior = prior{size: c.size, ssthresh: c.ssthresh, cubic: c.cubic, losses: 1}
	c.recovery = next
	c.ssthresh = max(c.cubic.reduce(c.size), minSSThresh*c.mtu)
	c.size = min(c.size, c.ssthresh)
	c.recovering, c.before, c.delivered, c.sent = true, max(flight, 1), 0, 0
	return true
}

// minSSThresh is the least threshold in packets: RFC 9260 section 7.2.3.
const minSSThresh = 4

// onSpurious is told of chunks that were taken for lost and had arrived. When that holds for all of the last event, it is undone, as
// RFC 9438 section 4.9 has it.
func (c *cwnd) onSpurious(chunks int) {
	p := &c.prior
	if p.losses == 0 {
		return
	}
	if p.losses = max(p.losses-chunks, 0); p.losses == 0 {
		c.size, c.ssthresh, c.cubic = max(c.size, p.size), max(c.ssthresh, p.ssthresh), p.cubic
		c.cubic.epoch = 0
		c.recovering = false
	}
}

// onTimeout reacts to T3: RFC 9260 section 7.2.3. The threshold is reduced once for all timeouts in a row.
func (c *cwnd) onTimeout(first bool, next uint64) {
	if first {
		c.ssthresh = max(c.cubic.reduce(c.size), minSSThresh*c.mtu)
	}
	c.recovery = next
	c.size = c.mtu
	c.recovering = false
	c.prior = prior{}
	c.hystart = hystart{}
}

// onSend notes that n bytes leave. After a silence the window is halved for each RTO, down to the initial one: what it knew of the
// path is old.
func (c *cwnd) onSend(now instant, n, flight int, rto time.Duration) {
	if flight == 0 && c.lastSent != 0 {
		for idle := now.since(c.lastSent); idle > rto && c.size > c.initial; idle -= rto {
			c.ssthresh = max(c.ssthresh, c.size*3/4)
			c.size = max(c.size/2, c.initial)
			c.cubic.epoch = 0
		}
	}
	c.lastSent = now
	c.sent += n
}
