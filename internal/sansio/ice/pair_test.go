package ice

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sansrtc/rtc/internal/simnet"
)

// Setup takes one round trip: both sides have a route at exactly r when both know each other's credentials and candidates at 0.
func TestRouteAfterOneRoundTrip(t *testing.T) {
	for _, r := range []time.Duration{time.Millisecond, 20 * time.Millisecond, 100 * time.Millisecond, 240 * time.Millisecond, 700 * time.Millisecond} {
		w := newWorld(t, 1, Config{}, Config{})
		w.base(0, "192.0.2.1:1000")
		w.base(1, "192.0.2.2:2000")
		w.join(simnet.Config{Delay: r / 2})
		w.introduce()
		var at [2]time.Duration
		w.hear = func(who int, e Event) {
			if e.Kind == EventRouteChange && at[who] == 0 {
				at[who] = w.now.Sub(epoch)
			}
		}
		w.run(5 * time.Second)
		if at != [2]time.Duration{r, r} {
			t.Errorf("round-trip time %v: routes after %v", r, at)
		}
		for i, a := range w.agents {
			if rtt := a.RTT(); rtt != r {
				t.Errorf("agent %d: RTT %v, want %v", i, rtt, r)
			}
			if a.State() != StateCompleted {
				t.Errorf("agent %d: %v", i, a.State())
			}
		}
		if !w.agreed() {
			t.Error("different pairs selected")
		}
	}
}

// Whatever the network does short of a partition, both sides connect and come to select the same pair.
func TestBothSelectTheSamePair(t *testing.T) {
	seeds := 1000
	if testing.Short() {
		seeds = 300
	}
	var worst, sum time.Duration
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 99))
			w := newWorld(t, seed, Config{}, Config{})
			if rng.IntN(2) == 0 {
				w.agents[0].SetControlling(w.now, false)
				w.agents[1].SetControlling(w.now, true)
			}
			randomBases(w, rng)
			w.join(simnet.Config{})
			for _, p := range w.paths {
				for i := range p.wire.Pipes {
					p.wire.Pipes[i].SetConfig(simnet.Config{
						Delay:     time.Duration(rng.IntN(150)) * time.Millisecond,
						Jitter:    time.Duration(rng.IntN(30)) * time.Millisecond,
						Loss:      rng.Float64() * 0.3,
						Duplicate: rng.Float64() * 0.1,
						Reorder:   rng.Float64() * 0.2,
					})
				}
			}
			c0, c1 := w.addLocals(0), w.addLocals(1)
			w.signal(1, c0)
			w.run(time.Duration(rng.IntN(300)) * time.Millisecond)
			if rng.IntN(4) == 0 {
				c1 = nil // all of side 1 is peer-reflexive
			}
			w.signal(0, c1)
			d := w.runUntil("both select one pair", 30*time.Second, w.agreed)
			sum += d
			worst = max(worst, d)
			w.run(40 * time.Second)
			w.runUntil("it stays that way", 20*time.Second, w.agreed)
			for i, a := range w.agents {
				if s := a.State(); s != StateConnected && s != StateCompleted {
					t.Errorf("agent %d is %v", i, s)
				}
			}
		})
	}
	t.Logf("%d runs: mean %v, worst %v", seeds, sum/time.Duration(seeds), worst)
}

// randomBases gives side 0 addresses that can be reached, and puts some of side 1 behind NATs.
func randomBases(w *world, rng *rand.Rand) {
	for who := range 2 {
		for i := range 1 + rng.IntN(3) {
			b := w.base(who, fmt.Sprintf("10.%d.%d.1:%d", who, i, 1000+i))
			if who == 1 && rng.IntN(3) == 0 {
				w.nat[b] = addr(fmt.Sprintf("198.51.100.%d:%d", who*10+i, 5000+i))
			}
		}
		if rng.IntN(2) == 0 {
			w.base(who, fmt.Sprintf("[2001:db8::%d]:600%d", who+1, who))
		}
	}
}
