package ice

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v4"

	"github.com/sansrtc/rtc/internal/simnet"
)

// RFC 7675 section 5.1: each interval MUST be randomized from between 0.8 and 1.2 times the basic period, and MUST NOT be less than 4 seconds; also
// when both sides ask each other at once, and whenever the owner wakes up within the window it was told. The period is 5 s while data moves
// and for 30 s after it, then 15 s.
func TestConsentIntervals(t *testing.T) {
	for seed := range uint64(1000) {
		idle := seed%2 == 0
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
			began := last[from].Sub(epoch)
			if last[from] = w.now; w.now.Before(epoch.Add(time.Second)) {
				return
			}
			least, most := 4*time.Second, 6*time.Second
			switch {
			case !idle || began < 30*time.Second:
			case began < 30500*time.Millisecond:
				most = 18 * time.Second // the route is half a second old at most when it is 30 s that nothing moves
			default:
				least, most = 12*time.Second, 18*time.Second
				intervals[from] = append(intervals[from], d)
			}
			if !idle {
				intervals[from] = append(intervals[from], d)
			}
			if d < least || d > most {
				t.Fatalf("seed %d: side %d asks after %v at %v", seed, from, d, w.now.Sub(epoch))
			}
		}
		w.introduce()
		for end := epoch.Add(3 * time.Minute); w.now.Before(end); {
			w.step(end)
			for _, a := range w.agents {
				if !idle {
					a.HandleUse(w.now)
				}
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

// A path that dies is noticed within 5 s when data is sent that is not answered, within 9 s when data has moved in the last 30 s, and within
// 21 s else. Both sides have failed 30 s after the last consent, so no later than 30 s after its death, however idle they were.
func TestSilence(t *testing.T) {
	for seed := range uint64(300) {
		for _, c := range []struct {
			idle, limit, apart time.Duration // how long it was idle; then the state is disconnected, and failed
			data               bool
		}{
			{idle: 10 * time.Second, limit: 9 * time.Second, apart: 20 * time.Second},
			{idle: 10 * time.Second, limit: 5 * time.Second, apart: 20 * time.Second, data: true},
			{idle: 50 * time.Second, limit: 21 * time.Second, apart: 9 * time.Second},
			{idle: 50 * time.Second, limit: 5 * time.Second, apart: 9 * time.Second, data: true},
		} {
			w := newWorld(t, seed, Config{}, Config{})
			w.base(0, "192.0.2.1:1000")
			w.base(1, "192.0.2.2:2000")
			w.join(simnet.Config{Delay: 20 * time.Millisecond})
			w.introduce()
			w.run(c.idle + time.Duration(seed)*53*time.Millisecond)
			for i := range w.paths[0].wire.Pipes {
				w.paths[0].wire.Pipes[i].SetConfig(simnet.Config{Down: true})
			}
			w.run(20 * time.Millisecond) // what was under way arrives
			died := w.now
			if c.data {
				w.agents[0].HandleSent(w.now)
				w.agents[0].HandleUse(w.now)
			}
			w.runUntil("silence is noticed", c.limit, func() bool { return w.agents[0].State() == StateDisconnected })
			noticed := w.now
			w.runUntil("consent ends", 30*time.Second-w.now.Sub(died), func() bool { return w.agents[0].State() == StateFailed && w.agents[1].State() == StateFailed })
			if w.now.Sub(noticed) < c.apart {
				t.Errorf("seed %d: %+v: failed %v after it was disconnected", seed, c, w.now.Sub(noticed))
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

// When an idle route is used again, at either end, the next check is the one that would be due if it had never been idle: at once if the last one
// was longer ago than the short interval.
func TestUseAfterIdle(t *testing.T) {
	for seed := range uint64(200) {
		p := newConnectedPeer(t, Config{})
		asked := p.now
		for p.now.Sub(epoch) < 50*time.Second {
			p.advance(p.a.PollTimeout().Sub(p.now))
			asked = p.now
			p.send(p.success(p.wantRequest("consent")))
		}
		wait := time.Duration(seed) * 50 * time.Millisecond
		p.advance(wait)
		p.wantIdle("nothing is due on an idle route")
		p.a.HandleUse(p.now)
		if wait < 4*time.Second {
			p.wantIdle("consent is fresh")
			p.advance(p.a.PollTimeout().Sub(p.now))
		} else if wait < 6*time.Second && len(p.a.out) == 0 {
			p.advance(p.a.PollTimeout().Sub(p.now))
		}
		p.wantRequest("the route is used")
		if d := p.now.Sub(asked); d < 4*time.Second || d > max(wait, 6*time.Second) {
			t.Fatalf("consent is asked for %v after the last time, used after %v", d, wait)
		}
	}
}

// A question that is not answered ends the idle pace, until the path has answered two in time.
func TestDoubtAfterIdle(t *testing.T) {
	p := newConnectedPeer(t, Config{})
	for p.now.Sub(epoch) < 50*time.Second {
		p.advance(p.a.PollTimeout().Sub(p.now))
		p.send(p.success(p.wantRequest("consent")))
	}
	p.advance(p.a.PollTimeout().Sub(p.now))
	p.wantRequest("lost")
	p.advance(500 * time.Millisecond)
	p.send(p.success(p.wantRequest("the same question, 500 ms later")))
	if d := p.a.PollTimeout().Sub(p.now); d > 6*time.Second {
		t.Errorf("the next question is due in %v", d)
	}
	p.advance(p.a.PollTimeout().Sub(p.now))
	p.send(p.success(p.wantRequest("the path is well")))
	if d := p.a.PollTimeout().Sub(p.now); d < 12*time.Second {
		t.Errorf("the next question is due in %v", d)
	}
}

// An interval that was chosen always holds, and so does the default towards a lite peer.
func TestNoIdlePace(t *testing.T) {
	for name, c := range map[string]struct {
		cfg         Config
		lite        bool
		least, most time.Duration
	}{
		"lite":   {Config{}, true, 4 * time.Second, 6 * time.Second},
		"chosen": {Config{ConsentInterval: 4 * time.Second}, false, 3200 * time.Millisecond, 4800 * time.Millisecond},
	} {
		p := newConnectedPeer(t, c.cfg)
		if c.lite {
			p.a.SetRemote(p.now, p.creds, true)
		}
		asked := p.now
		for p.now.Sub(epoch) < 5*time.Minute {
			p.advance(p.a.PollTimeout().Sub(p.now))
			p.send(p.success(p.wantRequest("consent")))
			if d := p.now.Sub(asked); asked.After(epoch.Add(time.Second)) && (d < c.least || d > c.most) {
				t.Errorf("%s: asked after %v at %v", name, d, p.now.Sub(epoch))
			}
			asked = p.now
		}
	}
}

// Pairs that are kept as reserves outlive any pause: they are asked as often as the route is.
func TestReservesOfIdle(t *testing.T) {
	for seed := range uint64(50) {
		w := newWorld(t, seed, Config{}, Config{})
		w.base(0, "192.0.2.1:1000")
		w.base(0, "198.51.100.1:1001")
		w.base(1, "192.0.2.2:2000")
		w.join(simnet.Config{Delay: 20 * time.Millisecond})
		w.introduce()
		for range 100 {
			w.run(10 * time.Second)
			for i, a := range w.agents {
				for _, p := range a.Stats().Pairs {
					if p.State != PairSucceeded {
						t.Fatalf("seed %d: after %v a pair of agent %d is %v", seed, w.now.Sub(epoch), i, p.State)
					}
				}
			}
		}
	}
}

// A peer that asks more often than we do is answered, and does not make us ask more often.
func TestPeerAsksOften(t *testing.T) {
	p := newConnectedPeer(t, Config{})
	asked := p.now
	for p.now.Sub(epoch) < 5*time.Minute {
		p.advance(min(2*time.Second, p.a.PollTimeout().Sub(p.now)))
		p.send(p.request())
		for _, s := range p.packets() {
			if s.m.Type != stun.BindingRequest {
				continue
			}
			least := 4 * time.Second
			if asked.Sub(epoch) > 31*time.Second {
				least = 12 * time.Second
			}
			if d := p.now.Sub(asked); asked.Sub(epoch) > time.Second && d < least {
				t.Errorf("asked after %v at %v", d, p.now.Sub(epoch))
			}
			asked = p.now
			p.send(p.success(s))
		}
	}
}
