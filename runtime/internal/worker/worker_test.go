package worker

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	goruntime "runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sansrtc/rtc/runtime"
)

// "There is no goroutine … of a host's own", and a worker runs only while it has a user.
func TestGoroutines(t *testing.T) {
	const workers = 3
	base := goruntime.NumGoroutine()
	p := New(Config{Workers: workers})
	var all []*toy
	for range 2000 {
		l := spawn(t, p, &toy{turn: func(now time.Time) runtime.Next { return runtime.Next{At: now.Add(time.Hour), Events: true} }})
		all = append(all, l)
		l.host.Wake()
	}
	for _, l := range all {
		eventually(t, "a Turn", func() bool { return l.turns.Load() > 0 })
	}
	p.check()
	if n := goruntime.NumGoroutine() - base; n > workers {
		t.Errorf("%d goroutines for %d workers and %d hosts", n, workers, len(all))
	}
	for _, w := range p.Workers() {
		if n := w.load.Load(); n < 600 || n > 700 {
			t.Errorf("a worker has %d of %d hosts", n, len(all))
		}
	}
	for _, l := range all {
		l.end(t)
	}
	eventually(t, "no goroutine is left", func() bool { return goruntime.NumGoroutine() <= base })
	if p.Hosts() != 0 {
		t.Errorf("%d hosts are left", p.Hosts())
	}
	p.check()

	again := spawn(t, p, new(toy)) // and the pool can be used again
	again.host.Wake()
	eventually(t, "a Turn", func() bool { return again.turns.Load() > 0 })
	again.end(t)
}

// A handler that stays delays the others of its worker by HandoffAfter, once, and when it has returned there is one driver again.
func TestHandoff(t *testing.T) {
	base := goruntime.NumGoroutine()
	p := New(Config{Workers: 1, HandoffAfter: 2 * time.Millisecond})
	release := make(chan struct{})
	entered := make(chan struct{}, 10)
	var stay []*toy
	for range 5 {
		l := spawn(t, p, &toy{dispatch: func() { entered <- struct{}{}; <-release }})
		l.turn = func(time.Time) runtime.Next { return runtime.Next{Events: l.turns.Load() == 1} }
		stay = append(stay, l)
	}
	other := spawn(t, p, &toy{turn: func(now time.Time) runtime.Next { return runtime.Next{At: now.Add(time.Millisecond)} }})
	other.host.Wake()
	for _, l := range stay {
		l.host.Wake()
	}
	for range stay {
		receive(t, "a handler runs", entered)
	}
	n := other.turns.Load()
	eventually(t, "the other host has its Turns", func() bool { return other.turns.Load() > n+20 })
	if p.Handoffs() < 5 {
		t.Errorf("%d handoffs for 5 handlers", p.Handoffs())
	}
	n = stay[0].turns.Load()
	stay[0].host.Wake()
	eventually(t, "so has the one whose handler stays", func() bool { return stay[0].turns.Load() > n })
	stay[0].quit.Store(true)
	stay[0].host.Wake()
	pause(5 * time.Millisecond)
	select {
	case <-stay[0].released:
		t.Error("Released while its handler runs")
	default:
	}
	close(release)
	eventually(t, "one driver again", func() bool { return goruntime.NumGoroutine() <= base+1 })
	p.check()
	receive(t, "Released", stay[0].released)
	for _, l := range append(stay[1:], other) {
		l.end(t)
	}
}

// A handler that ends its goroutine leaves neither the worker nor its own loop behind.
func TestHandlerEndsItsGoroutine(t *testing.T) {
	p := New(Config{Workers: 1, HandoffAfter: time.Millisecond})
	for _, stay := range []bool{false, true} {
		var calls atomic.Int64
		l := spawn(t, p, &toy{dispatch: func() {
			if calls.Add(1) == 1 {
				if stay {
					pause(10 * time.Millisecond)
				}
				goruntime.Goexit()
			}
		}})
		l.turn = func(time.Time) runtime.Next { return runtime.Next{Events: l.turns.Load() == 1} }
		l.host.Wake()
		eventually(t, "another Dispatch", func() bool { return calls.Load() == 2 })
		l.end(t)
	}
}

// Wakes that never end keep no other host from its deadline.
func TestBusyHostLeavesTime(t *testing.T) {
	p := New(Config{Workers: 1})
	busy := spawn(t, p, new(toy))
	busy.turn = func(time.Time) runtime.Next { busy.host.Wake(); return runtime.Next{} }
	busy.host.Wake()
	l := spawn(t, p, &toy{turn: func(now time.Time) runtime.Next { return runtime.Next{At: now.Add(100 * time.Microsecond)} }})
	l.host.Wake()
	eventually(t, "the deadlines of another", func() bool { return l.turns.Load() > 50 })
	busy.end(t)
	l.end(t)
}

// What was asked for earlier is not forgotten by a Turn that asks for a later time, and the entry of the heap is put right.
func TestDeadlineMoves(t *testing.T) {
	p := New(Config{Workers: 1})
	var at atomic.Pointer[time.Time]
	l := spawn(t, p, &toy{turn: func(time.Time) runtime.Next { return runtime.Next{At: *at.Load()} }})
	set := func(d time.Duration) time.Time {
		t := time.Now().Add(d)
		at.Store(&t)
		return t
	}
	set(time.Hour)
	l.host.Wake()
	eventually(t, "the first Turn", func() bool { return l.turns.Load() == 1 })
	far := set(2 * time.Hour)
	l.host.WakeAt(time.Now().Add(5 * time.Millisecond))
	eventually(t, "the Turn that WakeAt asked for", func() bool { return l.turns.Load() == 2 })
	l.host.WakeAt(far.Add(time.Hour)) // later: nothing
	l.host.WakeAt(time.Time{})
	w := l.host.lock()
	if !l.host.at.Equal(far) {
		t.Errorf("the host is due at %v, want %v", l.host.at, far)
	}
	w.check()
	w.mu.Unlock()
	// The heap's entry is at the earlier time of two; the Turn comes at the later one, which is the one that counts.
	set(5 * time.Millisecond)
	l.host.Wake()
	eventually(t, "the Turn that asks for 5 ms", func() bool { return l.turns.Load() == 3 })
	due := set(40 * time.Millisecond)
	l.host.Wake()
	eventually(t, "the Turn that asks for 40 ms", func() bool { return l.turns.Load() == 4 })
	set(time.Hour)
	eventually(t, "the Turn after 40 ms", func() bool { return l.turns.Load() == 5 })
	if now := time.Now(); now.Before(due) {
		t.Errorf("the Turn comes %v early", due.Sub(now))
	}
	l.end(t)
	l.host.Wake()
	l.host.WakeAt(time.Now())
	if _, err := l.host.ListenUDP(context.Background(), netip.AddrPort{}); !errors.Is(err, runtime.ErrClosed) {
		t.Errorf("ListenUDP after the end: %v", err)
	}
	p.check()
}

// A host moves to the worker that receives for it, with its deadline and its place in the queue.
func TestHostMoves(t *testing.T) {
	p := New(Config{Workers: 2})
	keep := []*toy{spawn(t, p, new(toy)), spawn(t, p, new(toy))} // so that both run
	l := spawn(t, p, &toy{turn: func(now time.Time) runtime.Next { return runtime.Next{At: now.Add(time.Millisecond)} }})
	s := new(stub)
	for range 20 {
		other := p.workers[1-l.host.Home().index]
		for range moveAfter {
			l.host.receive(other, s, &runtime.Datagrams{})
		}
		if l.host.Home() != other {
			t.Fatal("the host stays where nobody receives for it")
		}
		p.check()
		n := l.turns.Load()
		l.host.Wake()
		eventually(t, "a Turn there", func() bool { return l.turns.Load() > n+2 })
	}
	for range moveAfter - 1 {
		l.host.receive(p.workers[1-l.host.Home().index], s, &runtime.Datagrams{})
	}
	home := l.host.Home()
	l.host.receive(home, s, &runtime.Datagrams{})
	l.host.receive(p.workers[1-home.index], s, &runtime.Datagrams{})
	if l.host.Home() != home {
		t.Error("a few receives elsewhere should not move a host")
	}
	l.end(t)
	for _, l := range keep {
		l.end(t)
	}
	if n := p.workers[0].load.Load() + p.workers[1].load.Load(); n != 0 {
		t.Errorf("the workers count %d hosts", n)
	}
}

// TestStress lets everything happen at once: wakes, deadlines, receives by several workers, handlers that overstay and that end their
// goroutine, and the end at any moment.
func TestStress(t *testing.T) {
	lives := 400
	if testing.Short() {
		lives = 80
	}
	seed := uint64(time.Now().UnixNano())
	p := New(Config{Workers: 3, HandoffAfter: 200 * time.Microsecond})
	keep := []*toy{spawn(t, p, new(toy)), spawn(t, p, new(toy)), spawn(t, p, new(toy))} // so that all run
	var wg sync.WaitGroup
	const together = 8
	for i := range together {
		wg.Go(func() {
			for n := range lives / together {
				stressOnce(t, p, rand.New(rand.NewPCG(seed, uint64(i*lives+n))))
				if t.Failed() {
					t.Logf("seed %d, life %d", seed, i*lives+n)
					return
				}
			}
		})
	}
	wg.Wait()
	for _, l := range keep {
		l.end(t)
	}
	p.check()
	if p.Hosts() != 0 || p.Handoffs() == 0 {
		t.Errorf("%d hosts are left, %d handoffs (seed %d)", p.Hosts(), p.Handoffs(), seed)
	}
}

func stressOnce(t *testing.T, p *Pool, rng *rand.Rand) {
	var asked, turned, dispatched, exits atomic.Int64
	handler := rand.New(rand.NewPCG(rng.Uint64(), 1)) // one handler at a time uses it
	l := &toy{turn: func(now time.Time) (next runtime.Next) {
		if n := asked.Load(); n > turned.Load() {
			turned.Store(n)
			next.Events = true
		}
		if n := turned.Load(); n%4 == 1 {
			next.At = now.Add(time.Duration(n%7) * 50 * time.Microsecond)
		}
		return next
	}}
	l.dispatch = func() {
		dispatched.Store(turned.Load())
		switch handler.IntN(12) {
		case 0:
			pause(time.Duration(handler.IntN(600)) * time.Microsecond)
		case 1:
			l.host.Wake()
		case 2:
			if exits.Add(1) < 3 {
				goruntime.Goexit()
			}
		}
	}
	spawn(t, p, l)
	s := new(stub)
	var all sync.WaitGroup
	for range 2 {
		wrng := rand.New(rand.NewPCG(rng.Uint64(), 2))
		all.Go(func() {
			for range 60 {
				asked.Add(1)
				switch wrng.IntN(4) {
				case 0:
					l.host.WakeAt(time.Now().Add(time.Duration(wrng.IntN(200)-50) * time.Microsecond))
				case 1:
					// As a driver does that has read for the host.
					l.host.receive(p.workers[wrng.IntN(3)], s, &runtime.Datagrams{})
					l.host.Wake()
				case 2:
					l.host.Receive(s, &runtime.Datagrams{})
				default:
					l.host.Wake()
				}
				if wrng.IntN(8) == 0 {
					pause(time.Duration(wrng.IntN(100)) * time.Microsecond)
				}
			}
		})
	}
	if rng.IntN(3) > 0 { // else the end comes in the middle
		all.Wait()
		asked.Add(1)
		l.host.Wake()
		eventually(t, "all that was asked for has had its Turn and Dispatch", func() bool { return dispatched.Load() == asked.Load() })
	} else {
		pause(time.Duration(rng.IntN(1000)) * time.Microsecond)
	}
	p.check()
	l.end(t)
	all.Wait()
}
