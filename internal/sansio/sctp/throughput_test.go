package sctp

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sansrtc/rtc/internal/simnet"
)

// path is a pair with a bulk flow from end 0 to end 1: messages of 16 KiB on stream 0.
type path struct {
	*pair
	size  int // of messages
	bytes int // that have arrived
}

// newPath has a bottleneck of rate bit/s with a queue of so many bandwidth-delay products each way.
func newPath(t testing.TB, rate float64, rtt time.Duration, queue float64, cfg simnet.Config) *path {
	cfg.Delay, cfg.Rate, cfg.Queue = rtt/2, int64(rate), int(rate/8*rtt.Seconds()*queue)
	p := &path{pair: newPair(t, 1, cfg, Config{Interleaving: true, ZeroChecksum: true}), size: 16 << 10}
	cfg.Loss, cfg.Reorder, cfg.Burst = 0, 0, simnet.Burst{}
	p.wire.Pipes[1].SetConfig(cfg)
	p.checks = false
	p.onEvent = func(end int, e Event) { p.bytes += len(e.Data) }
	p.connect()
	return p
}

// possible is the share of the rate that payload can have: what is left of a packet without the headers of IP, UDP, SCTP and I-DATA.
const possible = float64(1160-headerSize-iDataHeader) / (1160 + simnet.Overhead)

// fill keeps the flow busy for d and returns its rate as a share of what is possible at rate.
func (p *path) fill(d time.Duration, rate float64) float64 {
	before := p.bytes
	for until := p.now.Add(d); p.more(until); {
	}
	return float64(p.bytes-before) * 8 / d.Seconds() / (rate * possible)
}

func (p *path) more(until time.Time) bool {
	p.steps = 0
	for p.end[0].BufferedAmount(0) < 1<<20 {
		p.send(0, 0, make([]byte, p.size), reliable)
	}
	return p.step(until)
}

const gigabit = 1e9

// Promise: a path of 1 Gbit/s is filled to 90 % after slow start, and to half when it loses every thousandth packet. Its queue may be a
// quarter of the bandwidth-delay product.
func TestThroughputOnALongPath(t *testing.T) {
	for _, c := range []struct {
		rtt         time.Duration
		queue, loss float64
		after       time.Duration
		want        float64
	}{
		{20 * time.Millisecond, 1, 0, time.Second, 0.9},
		{50 * time.Millisecond, 1, 0, time.Second, 0.9},
		{50 * time.Millisecond, 0.25, 0, 2 * time.Second, 0.85},
		{100 * time.Millisecond, 1, 0, 2 * time.Second, 0.9},
		{20 * time.Millisecond, 1, 0.001, time.Second, 0.5},
		{100 * time.Millisecond, 1, 0.001, 2 * time.Second, 0.5},
	} {
		t.Run(fmt.Sprintf("%v/queue %v/loss %v", c.rtt, c.queue, c.loss), func(t *testing.T) {
			p := newPath(t, gigabit, c.rtt, c.queue, simnet.Config{Loss: c.loss})
			p.fill(c.after, gigabit)
			share := p.fill(time.Second, gigabit)
			t.Logf("%.0f Mbit/s of %.0f: %+v", share*possible*1e3, possible*1e3, p.end[0].Stats())
			if share < c.want {
				t.Errorf("%.1f %% of the path", 100*share)
			}
		})
	}
}

// Promise: a path that becomes narrower, or wider, is filled again.
func TestRateChanges(t *testing.T) {
	const rate = 100e6
	p := newPath(t, rate, 50*time.Millisecond, 1, simnet.Config{})
	set := func(rate float64) {
		c := p.wire.Pipes[0].Config()
		c.Rate = int64(rate)
		p.wire.Pipes[0].SetConfig(c)
	}
	p.fill(2*time.Second, rate)
	set(rate / 2)
	p.fill(2*time.Second, rate)
	if share := p.fill(2*time.Second, rate/2); share < 0.9 {
		t.Errorf("%.1f %% of half the rate", 100*share)
	}
	set(rate)
	p.fill(8*time.Second, rate)
	if share := p.fill(2*time.Second, rate); share < 0.9 {
		t.Errorf("%.1f %% of the rate, when it is what it was", 100*share)
	}
}

// Promise: losses in bursts of ten packets, 1 % of all, are found without a timer, and leave a tenth of the rate.
func TestBurstsOfLosses(t *testing.T) {
	const rate = 100e6
	p := newPath(t, rate, 50*time.Millisecond, 1, simnet.Config{Burst: simnet.Burst{Enter: 0.001, Leave: 0.1, Loss: 1}})
	p.fill(5*time.Second, rate)
	share := p.fill(15*time.Second, rate)
	if s := p.end[0].Stats(); share < 0.1 || s.Timeouts > 0 {
		t.Errorf("%.1f %% of the path: %+v", 100*share, s)
	}
}

// Promise: packets that come 10 ms late on a path of 50 ms are not taken for lost, after the first, and the rate stays.
func TestReorderedPacketsAreNotLost(t *testing.T) {
	const rate = 100e6
	p := newPath(t, rate, 50*time.Millisecond, 1, simnet.Config{Reorder: 0.01, ReorderDelay: 10 * time.Millisecond})
	p.fill(2*time.Second, rate)
	before := p.end[0].Stats()
	share := p.fill(3*time.Second, rate)
	after := p.end[0].Stats()
	if again := after.Retransmissions - before.Retransmissions; share < 0.9 || again > 0 || before.Spurious == 0 {
		t.Errorf("%.1f %% of the path, %d sent again: %+v", 100*share, again, after)
	}
}

// Promise: two flows share a bottleneck, the second of which came 5 s later. So do one that tolerates losses and one that takes every loss
// for congestion, as RFC 9438 does.
func TestFlowsShareABottleneck(t *testing.T) {
	const rate = 50e6
	for _, c := range []struct {
		queue float64
		plain bool
	}{{1, false}, {0.25, false}, {1, true}, {0.25, true}} {
		t.Run(fmt.Sprintf("queue %v/plain %v", c.queue, c.plain), func(t *testing.T) {
			a := newPath(t, rate, 40*time.Millisecond, c.queue, simnet.Config{})
			b := newPath(t, rate, 40*time.Millisecond, c.queue, simnet.Config{})
			b.wire.Pipes[0] = a.wire.Pipes[0]
			a.fill(5*time.Second, rate)
			b.run(a.now.Sub(b.now))
			from := [2]int{}
			until := a.now.Add(70 * time.Second)
			for start := a.now.Add(10 * time.Second); a.now.Before(until) || b.now.Before(until); {
				p := a
				if b.now.Before(a.now) {
					p = b
				}
				if c.plain {
					b.end[0].cwnd.tolerance.credit = 0
				}
				p.more(p.now.Add(time.Millisecond))
				if p.now.Before(start) {
					from = [2]int{a.bytes, b.bytes}
				}
			}
			x, y := float64(a.bytes-from[0]), float64(b.bytes-from[1])
			jain := (x + y) * (x + y) / (2 * (x*x + y*y))
			t.Logf("%.1f and %.1f Mbit/s, Jain %.3f", x*8/60e6, y*8/60e6, jain)
			if all := (x + y) * 8 / 60 / (rate * possible); jain < 0.9 || all < 0.9 {
				t.Errorf("Jain's index %.3f, %.1f %% of the path", jain, 100*all)
			}
		})
	}
}

// Promise: beside two bulk flows a small message arrives within two round trips and 10 ms, in 99 of 100 cases, also without I-DATA.
func TestSmallMessagesBesideBulk(t *testing.T) {
	const rate, rtt = 200e6, 50 * time.Millisecond
	for _, interleaving := range []bool{true, false} {
		p := newPath(t, rate, rtt, 1, simnet.Config{})
		for _, a := range p.end {
			a.agreeInterleaving(interleaving)
		}
		var delays []time.Duration
		var sent []time.Time
		p.onEvent = func(end int, e Event) {
			if e.Kind == EventMessage && e.Stream == 2 {
				delays = append(delays, p.now.Sub(sent[len(delays)]))
			}
		}
		for range 130 {
			sent = append(sent, p.now)
			p.send(0, 2, make([]byte, 100), reliable)
			for until := p.now.Add(100 * time.Millisecond); p.now.Before(until); p.more(until) {
				for p.end[0].BufferedAmount(1) < 1<<20 {
					p.send(0, 1, make([]byte, 16<<10), reliable)
				}
			}
		}
		slices.Sort(delays)
		p99 := delays[len(delays)*99/100]
		t.Logf("interleaving %v: %v at the median, %v at 99 %%", interleaving, delays[len(delays)/2], p99)
		if p99 > 2*rtt+10*time.Millisecond || len(delays) < 120 {
			t.Errorf("interleaving %v: %d messages, %v", interleaving, len(delays), p99)
		}
	}
}
