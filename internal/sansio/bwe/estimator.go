package bwe

import (
	"math"
	"time"
)

// Config bounds the estimate, in bit/s. The zero value of each field is its default.
type Config struct {
	Start float64 // before anything is known; 300 000
	Min   float64 // 30 000
	Max   float64 // 100 000 000
}

// Result is what is known of a packet that was sent.
type Result struct {
	Sent    time.Time
	Size    int // bytes
	Arrived bool
	Arrival time.Duration // by the receiver's clock; only differences mean something
}

// Estimator estimates.
type Estimator struct {
	cfg Config

	target  float64
	begun   bool // a sign of congestion has ended the start
	silent  bool // there is no feedback
	groups  grouper
	trend   trend
	arrived throughput
	loss    losses

	// The curve: where congestion was last, when the target was lowered, and how long it takes back.
	top   float64
	since time.Time
	back  time.Duration

	last    time.Time // feedback came
	waiting time.Time // since when something was sent that no feedback has come after; zero: nothing was
	lowered time.Time // last decrease
	rtt     time.Duration
}

// New makes an estimator.
func New(cfg Config) *Estimator {
	or := func(v *float64, d float64) {
		if *v == 0 {
			*v = d
		}
	}
	or(&cfg.Start, 300_000)
	or(&cfg.Min, 30_000)
	or(&cfg.Max, 100_000_000)
	return &Estimator{cfg: cfg, target: min(max(cfg.Start, cfg.Min), cfg.Max)}
}

// Target is the estimate in bit/s.
func (e *Estimator) Target() float64 { return e.target }

// LossRate is the share of packets that were lost lately.
func (e *Estimator) LossRate() float64 { return e.loss.rate() }

// HandleSent tells that something was sent that feedback has to come for.
func (e *Estimator) HandleSent(now time.Time) {
	if e.waiting.IsZero() {
		e.waiting = now
	}
}

// silence is how long feedback may be away before the target falls: the path, or the way back, is gone.
const silence = time.Second

// PollTimeout is when HandleTimeout is due; zero: never.
func (e *Estimator) PollTimeout() time.Time {
	if e.waiting.IsZero() || e.last.IsZero() || e.target <= e.cfg.Min {
		return time.Time{}
	}
	return e.waiting.Add(silence)
}

// HandleTimeout lowers the target when there is no feedback.
func (e *Estimator) HandleTimeout(now time.Time) {
	if at := e.PollTimeout(); at.IsZero() || now.Before(at) {
		return
	}
	e.waiting = now
	e.lower(now, e.target/2)
	e.silent = true
}

// HandleResults takes the results of one feedback message, at least one, in the order in which the packets were sent.
func (e *Estimator) HandleResults(now time.Time, results []Result) {
	e.last, e.waiting = now, time.Time{}
	if e.silent {
		// The path is back, and is another one perhaps: all begins anew. What was sent in vain says nothing about it.
		*e = Estimator{cfg: e.cfg, target: e.target, last: now, lowered: e.lowered}
		for len(results) > 0 && !results[0].Arrived {
			results = results[1:]
		}
	}
	congested := false
	for _, r := range results {
		if r.Sent.After(e.lowered) { // what was sent before has been answered for, so losses lower the target once in a round trip
			e.loss.add(r.Arrived)
		}
		if !r.Arrived {
			continue
		}
		e.rtt = now.Sub(r.Sent)
		e.arrived.add(r.Arrival, r.Size)
		if g, ok := e.groups.add(r); ok && e.trend.add(g) == overuse {
			congested = true
		}
	}
	switch {
	case congested:
		if now.Sub(e.lowered) > max(e.rtt, 200*time.Millisecond) {
			// While a queue grows, what arrives is what the path carries.
			rate, _ := e.arrived.rate(throughputBuckets)
			if r, ok := e.arrived.rate(recent); ok {
				e.lower(now, decrease*min(max(rate, r), e.target))
			}
		}
	case e.loss.rate() > tolerated && e.loss.full():
		if now.Sub(e.lowered) > 300*time.Millisecond {
			// Section 6 of the draft: A·(1 - 0.5·p).
			e.lower(now, e.target*(1-e.loss.rate()/2))
			e.loss = losses{}
		}
	case e.trend.state == normal:
		e.raise(now)
	}
}

const (
	decrease  = 0.93 // of what arrived while the queue grew: that is what the path carries
	drained   = 0.9  // of what arrives while the target is lower: with it the queue becomes empty
	tolerated = 0.1  // losses, of all packets
	// cubic is the curve's steepness: a rate that fell by seven hundredths is back after some three seconds.
	cubic = 0.004
	// ahead is how far the target may be above what arrives: more would be a guess.
	ahead = 1.5
)

func (e *Estimator) lower(now time.Time, target float64) {
	target = min(max(target, e.cfg.Min), e.target)
	e.top = e.target
	if rate, ok := e.arrived.rate(recent); ok {
		// When more arrives than the target says, retransmissions do, or what a queue still holds: it is about what the path carries, and lowering
		// the target once more does not make that less. The queue has to drain, so not all of it counts.
		e.top = max(min(e.top, rate), drained*rate)
	}
	e.top = max(e.top, target)
	e.target = target
	e.begun = true
	e.since, e.lowered = now, now
	e.back = time.Duration(math.Cbrt((e.top-e.target)/e.top/cubic) * float64(time.Second))
}

func (e *Estimator) raise(now time.Time) {
	if !e.begun && e.target < e.cfg.Start {
		e.set(min(e.target*1.2, e.cfg.Start)) // what was tried blindly once may be tried again
		return
	}
	rate, _ := e.arrived.rate(throughputBuckets)
	if !e.begun {
		e.set(max(e.target, 2*rate))
		return
	}
	t := (now.Sub(e.since) - e.back).Seconds()
	want := e.top * (1 + cubic*t*t*t)
	e.set(max(e.target, min(want, ahead*rate+10_000)))
	if e.target < want/2 {
		// The application does not use what there is: the curve waits for it.
		e.top, e.since, e.back = e.target, now, 0
	}
}

func (e *Estimator) set(target float64) { e.target = min(max(target, e.cfg.Min), e.cfg.Max) }
