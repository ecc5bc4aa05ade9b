package bwe

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// The rate is that of what arrived in the last 500 ms, or 160, in steps of 20: once 100 ms are known. What is older when it comes does not count, and after a
// gap of 500 ms all begins anew.
func TestThroughput(t *testing.T) {
	const step = 20 * time.Millisecond
	type arrival struct {
		at   time.Duration
		size int
	}
	begin := func(at time.Duration) time.Duration { return at - (at%step+step)%step }
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var r throughput
		var all []arrival
		if _, ok := r.rate(throughputBuckets); ok {
			t.Fatal("a rate of nothing")
		}
		at := time.Duration(rng.IntN(3000)-2000) * time.Millisecond
		for range 2000 {
			a := arrival{at, 100 + rng.IntN(1400)}
			if rng.IntN(10) == 0 {
				a.at -= time.Duration(rng.IntN(600)) * time.Millisecond
			}
			r.add(a.at, a.size)
			latest := a.at
			for _, b := range all {
				latest = max(latest, b.at)
			}
			switch {
			case len(all) > 0 && begin(a.at) <= begin(latest)-500*time.Millisecond:
			case len(all) > 0 && begin(a.at) >= begin(slices.MaxFunc(all, func(a, b arrival) int { return int(a.at - b.at) }).at)+500*time.Millisecond:
				all = []arrival{a}
			default:
				all = append(all, a)
			}
			for buckets, window := range map[int64]time.Duration{throughputBuckets: 500 * time.Millisecond, recent: 160 * time.Millisecond} {
				from, first, sum := begin(latest)+step-window, latest, 0
				for _, b := range all {
					first = min(first, b.at)
					if b.at >= from {
						sum += b.size
					}
				}
				span := latest - max(from, first)
				got, ok := r.rate(buckets)
				if want := float64(sum*8) / span.Seconds(); ok != (span >= 100*time.Millisecond) || ok && math.Abs(got-want) > want/1e9 {
					t.Fatalf("seed %d, %v: %v in %v, known: %v; want %v of %v", seed, latest, got, window, ok, want, span)
				}
			}
			switch at += time.Duration(rng.IntN(20)) * time.Millisecond; rng.IntN(100) {
			case 0:
				at += time.Duration(rng.IntN(700)) * time.Millisecond
			case 1:
				at = begin(at) + 500*time.Millisecond
			}
		}
	}
}

// The loss rate is that of the last 512 packets, and means something from 100 on.
func TestLosses(t *testing.T) {
	var l losses
	if l.rate() != 0 {
		t.Errorf("%v of nothing was lost", l.rate())
	}
	rng := rand.New(rand.NewPCG(1, 1))
	var all []float64 // 1: lost
	for i := range 5000 {
		lost := rng.IntN(2 + i/300)
		l.add(lost != 0)
		if lost != 0 {
			lost = 1
		}
		all = append(all, float64(1-lost))
		last, sum := all[max(0, len(all)-512):], 0.0
		for _, v := range last {
			sum += v
		}
		if got, want := l.rate(), sum/float64(len(last)); got != want || l.full() != (i >= 99) {
			t.Fatalf("%v of %d packets, full: %v; want %v", got, i+1, l.full(), want)
		}
	}
}
