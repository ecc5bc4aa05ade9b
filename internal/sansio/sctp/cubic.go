package sctp

import "math"

// cubic is the growth of the window in congestion avoidance: RFC 9438. After a reduction it comes back quickly to where it was, waits there,
// and goes on faster and faster when nothing happens; how fast depends on time and not on the round trip. All windows are in bytes.
type cubic struct {
	max   float64 // W_max: the window before the last reduction, or less by fast convergence
	k     float64 // seconds from epoch until the window is max again
	reno  float64 // W_est: the window that Reno would have
	epoch instant // when growth began; 0: it has not since the last reduction
	last  instant // when it was last looked at
}

// RFC 9438 sections 4.1, 4.3 and 4.6.
const (
	cubicC     = 0.4 // segments/s³
	cubicBeta  = 0.7
	cubicAlpha = 3 * (1 - cubicBeta) / (1 + cubicBeta)
)

// reduce notes a congestion event at a window of size, and returns the next window.
func (c *cubic) reduce(size int) int {
	w := float64(size)
	if w < c.max {
		// "a flow with fast convergence further reduces the W_max": a new flow wants its share (section 4.7).
		c.max = w * (1 + cubicBeta) / 2
	} else {
		c.max = w
	}
	c.epoch = 0
	return int(w * cubicBeta)
}

// grow returns the window that follows size when n bytes were acknowledged. busy says that the window is made use of; time in which it is
// not does not count: "the flow is application limited" (section 4.2). Conversions keep multiplications and additions from being fused,
// so that all machines compute the same.
func (c *cubic) grow(now instant, size, n, mtu int, busy bool, srtt float64) int {
	w, segment := float64(size), float64(mtu)
	if c.epoch == 0 {
		c.epoch, c.last, c.reno = now, now, w
		c.max = max(c.max, w)
		c.k = math.Cbrt((c.max - w) / segment / cubicC)
	}
	if !busy {
		c.epoch += now - c.last
	}
	c.last = now
	if !busy {
		return size
	}
	at := func(t float64) float64 {
		d := t - c.k
		return c.max + float64(cubicC*d*d*d*segment)
	}
	alpha := cubicAlpha
	if c.reno >= c.max {
		alpha = 1 // "Once W_est has grown to reach the cwnd at the time of most recently setting ssthresh" (section 4.3)
	}
	c.reno += float64(alpha * segment * float64(n) / w)
	t := now.since(c.epoch).Seconds()
	if at(t) < c.reno {
		return max(size, int(c.reno))
	}
	target := min(max(at(t+srtt), w), w*1.5)
	return size + int(float64((target-w)*float64(n)/w)+0.5)
}
