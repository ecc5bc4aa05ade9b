package runtimetest

import (
	"time"

	"github.com/sansrtc/rtc/runtime"
)

var dispatchTests = []Test{
	{"Dispatch", "Dispatch is called after each Turn that returned Events", func(b *bench) {
		l := b.loop(b.h.A)
		var got []int
		l.with(func() { l.onDispatch = func(event int) { got = append(got, event) } })
		for n := 1; n <= 200; n++ {
			l.post(1)
			if n%10 == 0 {
				b.eventually("all events should be dispatched", l.holds(func() bool { return l.dispatched == n && !l.dispatching }))
			}
		}
		l.with(func() {
			for i, event := range got {
				if event != i {
					b.Fatalf("event %d is dispatched at place %d", event, i)
				}
			}
			if l.calls > l.turns {
				b.Errorf("Dispatch is called %d times for %d Turns", l.calls, l.turns)
			}
		})
	}},
	{"DispatchNot", "Dispatch is not called after a Turn without Events", func(b *bench) {
		l := b.loop(b.h.A)
		for n := range 5 {
			l.host.Wake()
			b.eventually("Wake should lead to a Turn", l.holds(func() bool { return l.turns > n }))
		}
		b.never("Dispatch should not be called", l.holds(func() bool { return l.calls > 0 }))
	}},
	{"DispatchBlocks", "a Dispatch that blocks does not keep the same loop from its Receive and Turn calls", func(b *bench) {
		l, peer := b.loop(b.h.A), b.loop(b.h.B)
		to := l.listen(b.h.AddrA, 0)
		s := peer.listen(b.h.AddrB, 0)
		l.echo()
		release := b.blockDispatch(l)
		defer release()

		for n := 1; n <= 20; n++ {
			b.send(s, to.LocalAddr(), "are you there?")
			b.eventually("a loop in a blocked Dispatch should receive and answer", peer.hasData(n))
		}
		var turns int
		l.with(func() {
			turns = l.turns
			l.onTurn = func(now time.Time) runtime.Next { return runtime.Next{At: now.Add(2 * time.Millisecond)} }
		})
		l.host.Wake()
		b.eventually("a loop in a blocked Dispatch should get its Turns", l.holds(func() bool { return l.turns >= turns+10 }))
		l.with(func() { l.onTurn = nil })
		release()
		b.eventually("Dispatch should return", l.holds(func() bool { return !l.dispatching }))
	}},
	{"DispatchBlocksAlone", "a Dispatch that blocks does not keep another loop from anything", func(b *bench) {
		blocked, l, peer := b.loop(b.h.A), b.loop(b.h.A), b.loop(b.h.B)
		to := l.listen(b.h.AddrA, 0)
		s := peer.listen(b.h.AddrB, 0)
		l.echo()
		release := b.blockDispatch(blocked)
		defer release()
		for n := 1; n <= 20; n++ {
			b.send(s, to.LocalAddr(), "are you there?")
			b.eventually("another loop should receive and answer", peer.hasData(n))
			l.post(1)
			b.eventually("another loop's events should be dispatched", l.holds(func() bool { return l.dispatched == n }))
		}
	}},
	{"DispatchTakesOver", "events that come while a Dispatch runs are dispatched after it, none is forgotten", func(b *bench) {
		l := b.loop(b.h.A)
		release := b.blockDispatch(l)
		defer release()
		for n := 2; n <= 50; n++ {
			l.post(1)
		}
		b.never("a second handler should not run beside the first", l.holds(func() bool { return l.dispatched > 0 }))
		release()
		b.eventually("all events should be dispatched", l.holds(func() bool { return l.dispatched == 50 && !l.dispatching }))
		l.post(1)
		b.eventually("an event after that should be dispatched", l.holds(func() bool { return l.dispatched == 51 }))
	}},
	{"DispatchBlocksOften", "after a Dispatch that blocked everything is as before", func(b *bench) {
		l, peer := b.loop(b.h.A), b.loop(b.h.B)
		to := l.listen(b.h.AddrA, 0)
		s := peer.listen(b.h.AddrB, 0)
		l.echo()
		for n := 1; n <= 5; n++ {
			release := b.blockDispatch(l)
			b.send(s, to.LocalAddr(), "during")
			b.eventually("the loop should answer while it is blocked", peer.hasData(2*n-1))
			release()
			b.eventually("Dispatch should return", l.holds(func() bool { return l.dispatched == n && !l.dispatching }))
			b.send(s, to.LocalAddr(), "after")
			b.eventually("the loop should answer afterwards", peer.hasData(2*n))
		}
	}},
	{"HandlerUsesHost", "the Host's methods may be called within Dispatch, Turn and Receive", func(b *bench) {
		l, peer := b.loop(b.h.A), b.loop(b.h.B)
		s := peer.listen(b.h.AddrB, 0)
		var opened []runtime.UDPSocket
		use := func() {
			opened = append(opened, l.listen(b.h.AddrA, 0))
			l.host.WakeAt(l.rt.Now().Add(time.Millisecond))
			l.host.Wake()
		}
		l.with(func() { l.onDispatch = func(int) { use() } })
		l.post(1)
		b.eventually("a handler should be able to open a socket", l.holds(func() bool { return l.dispatched == 1 }))
		l.with(func() { l.onTurn = func(time.Time) runtime.Next { l.onTurn = nil; use(); return runtime.Next{} } })
		l.host.Wake()
		b.eventually("a Turn should be able to open a socket", l.holds(func() bool { return len(opened) == 2 }))
		l.with(func() { l.onReceive = func(runtime.UDPSocket, *runtime.Datagrams) { l.onReceive = nil; use() } })
		b.send(s, opened[0].LocalAddr(), "x")
		b.eventually("a Receive should be able to open a socket", l.holds(func() bool { return len(opened) == 3 }))
		for i, o := range opened {
			b.send(s, o.LocalAddr(), "x")
			b.eventually("the socket should work", l.hasData(2+i))
		}
	}},
}

// blockDispatch makes a handler of l block until release, which may be called twice.
func (b *bench) blockDispatch(l *loop) (release func()) {
	b.Helper()
	gate := make(chan struct{})
	entered := false
	l.with(func() {
		l.onDispatch = func(int) {
			l.with(func() { entered, l.onDispatch = true, nil })
			<-gate
		}
	})
	l.post(1)
	b.eventually("Dispatch should be called", l.holds(func() bool { return entered }))
	open := true
	return func() {
		if open {
			open = false
			close(gate)
		}
	}
}
