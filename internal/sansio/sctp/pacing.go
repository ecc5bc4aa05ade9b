package sctp

import "time"

// pacing spreads packets over the round trip instead of sending all that acknowledgements allow at once: a burst would overflow a queue
// that is shorter than the window. Packets leave in small bursts, which cost little more than none.
type pacing struct {
	drained instant // when all that was sent would have left at the rate
	until   instant // nothing leaves before
}

const (
	// A path with shorter round trips is not paced: its queues are not what limits it, and timers would be too coarse.
	minPacedRTT = time.Millisecond
	// pacingBurst is what leaves at once, in time, and pacingPackets at the least.
	pacingBurst   = time.Millisecond
	pacingPackets = 10
	// What leaves in a round trip, in eighths of the window. It is more than the window, so that the window is what limits, and not a round
	// trip that was overestimated; in slow start, while the window grows, it is what that will be.
	pacingGain          = 10
	pacingGainSlowStart = 16
)

// interval is how long n bytes take at the rate.
func (c *cwnd) interval(n int, srtt time.Duration) time.Duration {
	gain := pacingGain
	if c.slowStart() && c.hystart.hold == 0 {
		gain = pacingGainSlowStart
	}
	return time.Duration(float64(n) * float64(srtt) * 8 / float64(c.size*gain))
}

// paced says whether DATA waits for its turn, and sets the timer if so.
func (a *Association) paced() bool {
	p := &a.pacing
	if a.now >= p.until {
		return false
	}
	a.timers.set(timerPacing, p.until)
	return true
}

// onSend notes that n bytes leave.
func (p *pacing) onSend(now instant, n int, c *cwnd, r *rto) {
	if r.shortest < minPacedRTT {
		*p = pacing{}
		return
	}
	p.drained = max(p.drained, now).add(c.interval(n, r.srtt))
	burst := max(pacingBurst, c.interval(pacingPackets*c.mtu, r.srtt))
	if p.drained > now.add(burst) {
		p.until = p.drained - instant(burst/2)
	}
}
