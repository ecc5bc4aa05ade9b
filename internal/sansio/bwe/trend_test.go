package bwe

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// Packets that are sent within 5 ms of the first are one group, which is as late as the last to arrive; what was sent before is no part of it.
func TestGroups(t *testing.T) {
	const us = time.Microsecond
	var g grouper
	for i, p := range []struct {
		sent, arrival time.Duration
		want          delta
	}{
		{0, 100_000, delta{}},
		{3000, 104_000, delta{}},
		{5000, 103_000, delta{}},
		{5001, 110_000, delta{}},
		{2000, 300_000, delta{}},
		{11_000, 120_000, delta{110_000 * us, 1 * us, 6000 * us}},
		{12_000, 121_000, delta{}},
		{16_000, 119_000, delta{}},
		{30_000, 140_000, delta{121_000 * us, 10_999 * us, 11_000 * us}},
		{29_999, 150_000, delta{}},
		{50_000, 130_000, delta{140_000 * us, 14_000 * us, 19_000 * us}},
		{60_000, 160_000, delta{130_000 * us, 20_000 * us, -10_000 * us}},
	} {
		got, ok := g.add(Result{Sent: testEpoch.Add(p.sent * us), Arrived: true, Arrival: p.arrival * us})
		if got != p.want || ok != (p.want != delta{}) {
			t.Errorf("packet %d: %+v, %v; want %+v", i, got, ok, p.want)
		}
	}
}

// plainTrend is what a trend computes, from all groups each time.
type plainTrend struct {
	at, delay                []float64 // ms
	accumulated, smoothed    float64
	slope, over, threshold   float64
	state                    usage
	grows, shrinks, restarts int
}

func (p *plainTrend) add(at, sent, came float64) {
	elapsed := 0.0
	if n := len(p.at); n > 0 {
		elapsed = min(max(at-p.at[n-1], 0), 100)
	}
	p.accumulated += came - sent
	p.smoothed = 0.9*p.smoothed + 0.1*p.accumulated
	p.at, p.delay = append(p.at, at), append(p.delay, p.smoothed)
	former := p.slope
	if n := len(p.at); n >= 20 {
		var x, y, xy, xx float64
		for i := n - 20; i < n; i++ {
			x, y = x+(p.at[i]-p.at[n-1])/20, y+p.delay[i]/20
		}
		for i := n - 20; i < n; i++ {
			dx := p.at[i] - p.at[n-1] - x
			xy, xx = xy+dx*(p.delay[i]-y), xx+dx*dx
		}
		p.slope = xy / xx
	}
	trend := p.slope * float64(min(len(p.at), 60)) * 4
	switch {
	case trend > p.threshold:
		if p.over += sent; p.over > 10 && p.slope >= former {
			p.state = overuse
		} else if p.over > 10 && p.state != overuse {
			p.shrinks++
		}
	case trend < -p.threshold:
		p.over, p.state = 0, underuse
	default:
		p.over, p.state = 0, normal
	}
	off := math.Abs(trend) - p.threshold
	switch {
	case off > 15:
		p.restarts++
	case off > 0:
		p.threshold += 0.0087 * off * elapsed
		p.grows++
	default:
		p.threshold += 0.039 * off * elapsed
	}
	p.threshold = min(max(p.threshold, 9), 600)
}

// The trend is the slope through the last 20 groups' smoothed delays, times four and the number of groups, at most 60. It is a sign of a queue when it stays
// above the threshold for 10 ms and does not become less; and the threshold follows it, unless it is far away.
func TestTrend(t *testing.T) {
	states := [3]int{}
	var all plainTrend
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var tr trend
		p := plainTrend{threshold: 9}
		at, queue := time.Duration(rng.IntN(1e9)), 0.0
		steep, noise := rng.Float64()*0.4, rng.Float64()
		for i := range 1500 {
			sent := time.Duration(5_000_000 + rng.IntN(10_000_000))
			if rng.IntN(50) == 0 {
				sent += time.Duration(rng.IntN(200)) * time.Millisecond
			}
			queue = steep * math.Sin(float64(i)/40)
			if rng.IntN(100) == 0 {
				queue += 3 * rng.Float64()
			}
			came := sent + time.Duration((queue*ms(sent)+noise*rng.NormFloat64())*1e6)
			d := delta{at: at.Truncate(time.Microsecond), sent: sent, came: came}
			got := tr.add(d)
			if p.add(ms(d.at), ms(sent), ms(came)); got != p.state || math.Abs(tr.threshold-p.threshold) > 1e-6 {
				t.Fatalf("seed %d, group %d: state %d, threshold %v; want %d, %v", seed, i, got, tr.threshold, p.state, p.threshold)
			}
			states[got]++
			if at += came; rng.IntN(30) == 0 {
				at -= time.Duration(rng.IntN(20)) * time.Millisecond // reordered
			}
		}
		all.grows, all.shrinks, all.restarts = all.grows+p.grows, all.shrinks+p.shrinks, all.restarts+p.restarts
	}
	if min(states[normal], states[underuse], states[overuse], all.grows, all.shrinks, all.restarts) < 100 {
		t.Errorf("states %v, %+v: too few to say anything", states, all)
	}
}

// A path that was quiet has the least threshold, one that was never quiet no more than 600 ms; between them it follows at once what is near.
func TestThreshold(t *testing.T) {
	tr := trend{threshold: 9}
	for range 100_000 {
		tr.adapt(tr.threshold+15, tr.updated+100*time.Millisecond)
	}
	if tr.threshold != 600 {
		t.Errorf("at most %v", tr.threshold)
	}
	tr.adapt(-580, tr.updated+100*time.Millisecond)
	if want := 600 - 0.039*20*100; math.Abs(tr.threshold-want) > 1e-6 {
		t.Errorf("%v, want %v", tr.threshold, want)
	}
	before := tr.threshold
	tr.adapt(0, tr.updated-time.Hour)
	if tr.threshold != before {
		t.Errorf("%v after time went backwards, from %v", tr.threshold, before)
	}
}

// A receiver that tells one arrival of many groups makes no trend, and does not keep the next queue from being found.
func TestTrendOfOneInstant(t *testing.T) {
	var tr trend
	for range 50 {
		if tr.add(delta{at: time.Second, sent: 10 * time.Millisecond, came: 10 * time.Millisecond}) != normal {
			t.Fatal("a trend without time")
		}
	}
	at, state := time.Second, normal
	for range 50 {
		at += 15 * time.Millisecond
		state = tr.add(delta{at: at, sent: 10 * time.Millisecond, came: 15 * time.Millisecond})
	}
	if state != overuse {
		t.Errorf("a queue fills, and the state is %d with a threshold of %v", state, tr.threshold)
	}
}

// The time above the threshold is that since the trend was last at or below it, also when it was far below.
func TestOveruseTime(t *testing.T) {
	for _, low := range []float64{0, -0.1} {
		tr := trend{n: 60}
		tr.adapt(0, 0)
		for i, c := range []struct {
			slope float64
			want  usage
		}{{0.1, normal}, {low, normal}, {0.1, normal}, {0.1, overuse}} {
			if tr.detect(c.slope, delta{sent: 6 * time.Millisecond}); (tr.state == overuse) != (c.want == overuse) {
				t.Errorf("%v, group %d: state %d", low, i, tr.state)
			}
		}
	}
}
