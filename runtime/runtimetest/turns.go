package runtimetest

import (
	"net/netip"
	"sync"
	"time"

	"github.com/sansrtc/rtc/runtime"
)

var turnTests = []Test{
	{"TurnAt", "Turn is called when the time that the last Turn returned has come", func(b *bench) {
		l := b.loop(b.h.A)
		var want, got []time.Time
		l.with(func() {
			var at time.Time
			l.onTurn = func(now time.Time) runtime.Next {
				if !at.IsZero() && now.Before(at) {
					return runtime.Next{At: at} // early is allowed
				}
				if !at.IsZero() {
					want, got = append(want, at), append(got, now)
				}
				if len(got) == 10 {
					return runtime.Next{}
				}
				at = now.Add(3 * time.Millisecond)
				return runtime.Next{At: at}
			}
		})
		l.host.Wake()
		b.eventually("ten deadlines in a row should be honoured", l.holds(func() bool { return len(got) == 10 }))
		for i := range got {
			if got[i].Before(want[i]) {
				b.Errorf("turn %d is told %v, before its deadline %v", i, got[i], want[i])
			}
		}
	}},
	{"TurnAtPast", "a deadline that has passed is due", func(b *bench) {
		l := b.loop(b.h.A)
		l.with(func() {
			l.onTurn = func(now time.Time) runtime.Next {
				if l.turns < 5 {
					return runtime.Next{At: now.Add(-time.Second)}
				}
				return runtime.Next{}
			}
		})
		l.host.Wake()
		b.eventually("Turn should be called again", l.holds(func() bool { return l.turns >= 5 }))
	}},
	{"TurnNever", "At zero: not before Receive or Wake", func(b *bench) {
		l := b.loop(b.h.A)
		l.host.Wake()
		b.eventually("Wake should lead to a Turn", l.holds(func() bool { return l.turns > 0 }))
		b.never("Turn should not be called", l.holds(func() bool { return l.turns > 1 }))
	}},
	{"TurnAtWithSocket", "a loop that has a socket gets its Turns in time", func(b *bench) {
		l := b.loop(b.h.A)
		l.listen(b.h.AddrA, 0)
		var at, late time.Time
		l.with(func() {
			l.onTurn = func(now time.Time) runtime.Next {
				switch {
				case at.IsZero():
					at = now.Add(10 * time.Millisecond)
				case !now.Before(at):
					late = now
					return runtime.Next{}
				}
				return runtime.Next{At: at}
			}
		})
		l.host.Wake()
		b.eventually("the deadline should be honoured", l.holds(func() bool { return !late.IsZero() }))
	}},
	{"Wake", "Turn is called soon after Wake, from anywhere", func(b *bench) {
		l, peer := b.loop(b.h.A), b.loop(b.h.B)
		s, to := peer.listen(b.h.AddrB, 0), l.listen(b.h.AddrA, 0)
		turns := func() (n int) { l.with(func() { n = l.turns }); return n }
		more := func(n int) func() bool { return l.holds(func() bool { return l.turns > n }) }

		n := turns()
		called := make(chan struct{})
		go func() { l.host.Wake(); close(called) }()
		<-called
		b.eventually("a Wake from another goroutine should lead to a Turn", more(n))

		n = turns()
		l.with(func() {
			l.onTurn = func(time.Time) runtime.Next {
				l.onTurn = nil
				l.host.Wake()
				return runtime.Next{}
			}
		})
		l.host.Wake()
		b.eventually("a Wake within Turn should lead to another Turn", more(n+1))

		n = turns()
		l.with(func() { l.onReceive = func(runtime.UDPSocket, *runtime.Datagrams) { l.host.Wake() } })
		b.send(s, to.LocalAddr(), "x")
		b.eventually("a Wake within Receive should lead to a Turn", more(n))

		var before int
		l.with(func() { l.onDispatch = func(int) { before = turns(); l.host.Wake() } })
		l.post(1)
		b.eventually("a Wake within Dispatch should lead to another Turn", l.holds(func() bool {
			return l.dispatched == 1 && l.turns > before
		}))
	}},
	{"WakeMany", "many calls of Wake may become one Turn, but the last is not lost", func(b *bench) {
		l := b.loop(b.h.A)
		const wakers, each = 8, 100
		var asked, seen int
		l.with(func() { l.onTurn = func(time.Time) runtime.Next { seen = asked; return runtime.Next{} } })
		var all sync.WaitGroup
		for range wakers {
			all.Go(func() {
				for range each {
					l.with(func() { asked++ })
					l.host.Wake()
				}
			})
		}
		all.Wait()
		b.eventually("a Turn should see what was there before the last Wake", l.holds(func() bool { return seen == wakers*each }))
		l.with(func() {
			if l.turns > wakers*each {
				b.Errorf("%d Wakes led to %d Turns", wakers*each, l.turns)
			}
		})
	}},
	{"WakeAtEarlier", "WakeAt makes the runtime call Turn at t, if the last Turn did not ask for an earlier time", func(b *bench) {
		for _, withSocket := range []bool{false, true} {
			l := b.loop(b.h.A)
			if withSocket {
				l.listen(b.h.AddrA, 0)
			}
			l.with(func() { l.onTurn = func(now time.Time) runtime.Next { return runtime.Next{At: now.Add(hour)} } })
			l.host.Wake()
			b.eventually("Wake should lead to a Turn", l.holds(func() bool { return l.turns > 0 }))
			at := l.rt.Now().Add(10 * time.Millisecond)
			l.host.WakeAt(at)
			b.eventually("Turn should be called at t", l.holds(func() bool { return !l.lastTurn.Before(at) }))
		}
	}},
	{"WakeAtFirst", "WakeAt works before any Turn, and for a time that has passed", func(b *bench) {
		for _, d := range []time.Duration{5 * time.Millisecond, -hour} {
			l := b.loop(b.h.A)
			at := l.rt.Now().Add(d)
			l.host.WakeAt(at)
			b.eventually("Turn should be called at t", l.holds(func() bool { return l.turns > 0 && !l.lastTurn.Before(at) }))
		}
	}},
	{"WakeAtLater", "WakeAt does not put off what the last Turn asked for", func(b *bench) {
		l := b.loop(b.h.A)
		var at time.Time
		l.with(func() {
			l.onTurn = func(now time.Time) runtime.Next {
				if at.IsZero() {
					at = now.Add(20 * time.Millisecond)
				}
				if now.Before(at) {
					return runtime.Next{At: at}
				}
				return runtime.Next{}
			}
		})
		l.host.Wake()
		b.eventually("Wake should lead to a Turn", l.holds(func() bool { return l.turns > 0 }))
		l.host.WakeAt(l.rt.Now().Add(hour))
		b.eventually("Turn should be called when it was asked for", l.holds(func() bool { return !l.lastTurn.Before(at) }))
	}},
	{"WakeAtReplaced", "the next Turn's answer replaces WakeAt", func(b *bench) {
		l := b.loop(b.h.A)
		l.host.WakeAt(l.rt.Now().Add(hour))
		l.host.Wake()
		b.eventually("Wake should lead to a Turn", l.holds(func() bool { return l.turns > 0 }))
		start := l.rt.Now()
		l.host.WakeAt(start.Add(moment / 2))
		l.host.Wake()
		b.eventually("Wake should lead to a Turn", l.holds(func() bool { return l.turns > 1 }))
		if l.rt.Now().Sub(start) < moment/2 {
			b.never("Turn should not be called at the time that was replaced", l.holds(func() bool { return l.turns > 2 }))
		}
	}},
	{"WakeAtWithinTurn", "a WakeAt during a Turn is not undone by that Turn's later At", func(b *bench) {
		l := b.loop(b.h.A)
		var at time.Time
		l.with(func() {
			l.onTurn = func(now time.Time) runtime.Next {
				if at.IsZero() {
					at = now.Add(10 * time.Millisecond)
					l.host.WakeAt(at)
				}
				return runtime.Next{At: now.Add(hour)}
			}
		})
		l.host.Wake()
		b.eventually("Turn should be called at t", l.holds(func() bool { return !at.IsZero() && !l.lastTurn.Before(at) }))
	}},
}

// send sends one datagram, or ends the test.
func (b *bench) send(s runtime.UDPSocket, to netip.AddrPort, data string) {
	b.Helper()
	if err := s.Send(&runtime.Datagrams{Remote: to, Local: unspecified(to), Data: []byte(data)}); err != nil {
		b.Fatalf("Send to %v: %v", to, err)
	}
}
