package bwe

import "time"

// groupSpan is the time within which packets are sent as one group (section 5.2 of the draft: burst_time).
const groupSpan = 5 * time.Millisecond

// group is packets that were sent together.
type group struct {
	firstSent, lastSent time.Time
	arrival             time.Duration // of the last
}

// grouper makes groups of packets.
type grouper struct {
	current, previous group
	has, hasPrevious  bool
}

// delta is how one group relates to the one before.
type delta struct {
	at         time.Duration // arrival
	sent, came time.Duration // how much later than the one before
}

// add takes a packet that arrived. When it begins a new group, the one that is complete is compared with that before it.
func (g *grouper) add(r Result) (d delta, ok bool) {
	switch {
	case !g.has:
		g.current, g.has = group{r.Sent, r.Sent, r.Arrival}, true
		return d, false
	case r.Sent.Before(g.current.firstSent):
		return d, false // it was sent before, and reordered
	case r.Sent.Sub(g.current.firstSent) <= groupSpan:
		g.current.lastSent = r.Sent
		g.current.arrival = max(g.current.arrival, r.Arrival)
		return d, false
	}
	if ok = g.hasPrevious; ok {
		d = delta{
			at:   g.current.arrival,
			sent: g.current.lastSent.Sub(g.previous.lastSent),
			came: g.current.arrival - g.previous.arrival,
		}
	}
	g.previous, g.hasPrevious = g.current, true
	g.current = group{r.Sent, r.Sent, r.Arrival}
	return d, ok
}

type usage uint8

const (
	normal usage = iota
	underuse
	overuse
)

const (
	trendWindow = 20  // groups
	smoothing   = 0.9 // of the accumulated delay
	trendGain   = 4.0
	maxDeltas   = 60
	// The threshold of section 5.4 of the draft, in ms: it follows the trend, faster down than up, so that a small queue is not missed
	// and a competing flow does not starve this one.
	thresholdMin  = 9.0
	thresholdMax  = 600.0
	thresholdUp   = 0.0087
	thresholdDown = 0.039
	// overuseTime is how long the trend must be above the threshold.
	overuseTime = 10 * time.Millisecond
)

// trend finds the slope of the delay over the last groups: above zero a queue fills. It begins as the zero value: until there are enough groups the
// slope is zero, and the threshold becomes the least.
type trend struct {
	state     usage
	threshold float64

	accumulated, smoothed float64 // ms
	points                [trendWindow]point
	n                     int // groups so far

	over     time.Duration // the trend has been above the threshold for so long
	previous float64
	updated  time.Duration
}

type point struct{ at, delay float64 } // ms

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// add takes the next group and says how the path is used.
func (t *trend) add(d delta) usage {
	t.accumulated += ms(d.came - d.sent)
	t.smoothed = smoothing*t.smoothed + (1-smoothing)*t.accumulated
	t.points[t.n%trendWindow] = point{ms(d.at), t.smoothed}
	t.n++
	slope := t.previous
	if t.n >= trendWindow {
		if s, ok := t.slope(); ok {
			slope = s
		}
	}
	t.detect(slope, d)
	return t.state
}

// slope is that of the line through the points, by least squares.
func (t *trend) slope() (float64, bool) {
	var x, num, den float64
	for _, p := range t.points {
		x += p.at / trendWindow
	}
	for _, p := range t.points {
		num += (p.at - x) * p.delay
		den += (p.at - x) * (p.at - x)
	}
	return num / den, den != 0
}

func (t *trend) detect(slope float64, d delta) {
	trend := slope * float64(min(t.n, maxDeltas)) * trendGain
	switch {
	case trend > t.threshold:
		t.over += d.sent
		if t.over > overuseTime && slope >= t.previous {
			t.state = overuse
		}
	case trend < -t.threshold:
		t.over, t.state = 0, underuse
	default:
		t.over, t.state = 0, normal
	}
	t.previous = slope
	t.adapt(trend, d.at)
}

func (t *trend) adapt(trend float64, at time.Duration) {
	elapsed := min(max(ms(at-t.updated), 0), 100) // groups may arrive in another order
	t.updated = at
	m := max(trend, -trend)
	if m > t.threshold+15 {
		return // a spike says nothing about the noise
	}
	k := thresholdDown
	if m > t.threshold {
		k = thresholdUp
	}
	t.threshold = min(max(t.threshold+k*(m-t.threshold)*elapsed, thresholdMin), thresholdMax)
}
