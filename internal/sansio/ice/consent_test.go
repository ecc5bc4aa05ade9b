package ice

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sansrtc/rtc/internal/simnet"
)

// RFC 7675 section 5.1: each interval MUST be randomized from between 0.8 and 1.2 times the basic period, and MUST NOT be less than 4 seconds; also
// when both sides ask each other at once, and whenever the owner wakes up within the window it was told.
func TestConsentIntervals(t *testing.T) {
	for seed := range uint64(1000) {
		rng := rand.New(rand.NewPCG(seed, 1))
		w := newWorld(t, seed, Config{}, Config{})
		w.base(0, "192.0.2.1:1000")
		w.base(1, "192.0.2.2:2000")
		w.join(simnet.Config{Delay: time.Duration(rng.IntN(100)) * time.Millisecond})
		var last [2]time.Time
		var intervals [2][]time.Duration
		w.see = func(from int, _, _ netip.AddrPort, b []byte) {
			if !strings.HasPrefix(describe(b), "request") {
				return
			}
			d := w.now.Sub(last[from])
			if last[from] = w.now; w.now.Before(epoch.Add(time.Second)) {
				return
			}
			intervals[from] = append(intervals[from], d)
			if d < 4*time.Second || d > 6*time.Second {
				t.Fatalf("seed %d: side %d asks after %v", seed, from, d)
			}
		}
		w.introduce()
		for end := epoch.Add(time.Minute); w.now.Before(end); {
			w.step(end)
			for _, a := range w.agents {
				if at, early := a.PollWindow(); early > 0 && w.now.Add(early).After(at) && rng.IntN(2) == 0 {
					a.HandleTimeout(w.now)
				}
			}
			w.flush()
		}
		for who, list := range intervals {
			if slices.Sort(list); len(list) < 8 || list[len(list)-1]-list[0] < 100*time.Millisecond {
				t.Fatalf("seed %d: side %d asks after %v", seed, who, list)
			}
		}
	}
}

// A path that dies is noticed within 9 s when it is idle, and within 5 s when data is not answered.
func TestSilence(t *testing.T) {
	for seed := range uint64(200) {
		for _, data := range []bool{false, true} {
			w := newWorld(t, seed, Config{}, Config{})
			w.base(0, "192.0.2.1:1000")
			w.base(1, "192.0.2.2:2000")
			w.join(simnet.Config{Delay: 20 * time.Millisecond})
			w.introduce()
			w.run(10*time.Second + time.Duration(seed)*53*time.Millisecond)
			for i := range w.paths[0].wire.Pipes {
				w.paths[0].wire.Pipes[i].SetConfig(simnet.Config{Down: true})
			}
			w.run(20 * time.Millisecond) // what was under way arrives
			limit := 9 * time.Second
			if data {
				limit = 5 * time.Second
				w.agents[0].HandleSent(w.now)
			}
			w.runUntil("silence is noticed", limit, func() bool { return w.agents[0].State() == StateDisconnected })
			died := w.now
			w.runUntil("consent ends", 30*time.Second, func() bool { return w.agents[0].State() == StateFailed && w.agents[1].State() == StateFailed })
			if w.now.Sub(died) < 20*time.Second {
				t.Errorf("seed %d: failed %v after it was disconnected", seed, w.now.Sub(died))
			}
		}
	}
}

// What is idle is not suspected, however short the timeouts are: they count from questions that are not answered.
func TestIdleIsNotSilence(t *testing.T) {
	w := newWorld(t, 3, Config{DisconnectedTimeout: time.Second, FailedTimeout: time.Second}, Config{})
	w.base(0, "192.0.2.1:1000")
	w.base(1, "192.0.2.2:2000")
	w.join(simnet.Config{Delay: 20 * time.Millisecond})
	w.introduce()
	w.run(10 * time.Minute)
	for i, list := range w.events {
		for _, e := range list {
			if e.Kind == EventStateChange && e.State == StateDisconnected {
				t.Errorf("agent %d was disconnected", i)
			}
		}
	}
}
