package std

import (
	"context"
	"errors"
	goruntime "runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sansrtc/rtc/runtime"
)

// baseline counts the goroutines once those that are about to end have ended.
func baseline(t *testing.T) (n int) {
	t.Helper()
	same := 0
	eventually(t, "the number of goroutines settles", func() bool {
		last := n
		if n = goruntime.NumGoroutine(); n == last {
			same++
		} else {
			same = 0
		}
		return same == 10
	})
	return n
}

// wantGoroutines waits until there are n goroutines, and holds that there stay so many.
func wantGoroutines(t *testing.T, why string, n int) {
	t.Helper()
	got := 0
	eventually(t, why, func() bool {
		got = goruntime.NumGoroutine()
		return got == n
	})
	pause(20 * time.Millisecond)
	if got = goruntime.NumGoroutine(); got != n {
		t.Fatalf("%s: %d goroutines, want %d", why, got, n)
	}
}

// A loop that has asked for nothing yet holds no goroutine, whatever it asks for first gives it one.
func TestNoGoroutineBeforeItIsNeeded(t *testing.T) {
	base := baseline(t)
	rt := New(Config{})
	for name, first := range map[string]func(l *toy){
		"Wake":      func(l *toy) { l.host.Wake() },
		"WakeAt":    func(l *toy) { l.host.WakeAt(time.Now().Add(time.Hour)) },
		"ListenUDP": func(l *toy) { l.listen(t, "127.0.0.1:0") },
	} {
		l := newToy().spawn(t, rt)
		wantGoroutines(t, "before "+name, base)
		first(l)
		wantGoroutines(t, "after "+name, base+1)
		l.end(t)
		wantGoroutines(t, "the end", base)
	}
}

// Promise 2, one goroutine: a loop in steady state holds exactly one.
func TestOneGoroutineForEachLoop(t *testing.T) {
	base := baseline(t)
	rt := New(Config{})
	const n = 100
	var loops []*toy
	for range n {
		l := newToy()
		l.turn = func(now time.Time) runtime.Next { return runtime.Next{At: now.Add(time.Hour), Events: true} }
		loops = append(loops, l.spawn(t, rt))
		l.host.Wake()
	}
	wantGoroutines(t, "loops without a socket", base+n)
	var sockets []runtime.UDPSocket
	for _, l := range loops {
		sockets = append(sockets, l.listen(t, "127.0.0.1:0"))
	}
	for i, s := range sockets {
		d := runtime.Datagrams{Local: s.LocalAddr(), Remote: sockets[(i+1)%n].LocalAddr(), Data: []byte("hello")}
		if err := s.Send(&d); err != nil {
			t.Fatal(err)
		}
	}
	for _, l := range loops {
		eventually(t, "each loop gets its datagram", func() bool { return l.turns.Load() >= 2 })
	}
	wantGoroutines(t, "loops with a socket", base+n)
	for _, l := range loops {
		l.end(t)
	}
	wantGoroutines(t, "released loops", base)
	if n := rt.Stats().Hosts; n != 0 {
		t.Fatalf("%d hosts are counted after all are released", n)
	}
}

func TestNoTurnBeforeItIsAskedFor(t *testing.T) {
	l := newToy().spawn(t, New(Config{}))
	l.listen(t, "127.0.0.1:0")
	pause(20 * time.Millisecond)
	if n := l.turns.Load(); n != 0 {
		t.Fatalf("%d turns before Receive or Wake", n)
	}
	l.end(t)
}

func TestTurnComesAtTheTimeAskedFor(t *testing.T) {
	for _, socket := range []bool{false, true} {
		l := newToy()
		asked := make(chan time.Time, 1)
		came := make(chan time.Time, 1)
		first := true
		l.turn = func(now time.Time) runtime.Next {
			if first {
				first = false
				at := now.Add(20 * time.Millisecond)
				asked <- at
				return runtime.Next{At: at}
			}
			came <- now
			return runtime.Next{}
		}
		l.spawn(t, New(Config{}))
		if socket {
			l.listen(t, "127.0.0.1:0")
		}
		l.host.Wake()
		at, now := receive(t, "first turn", asked), receive(t, "second turn", came)
		if now.Before(at) || now.Sub(at) > time.Second {
			t.Fatalf("socket %v: turn at %v, %v after the time asked for", socket, now, now.Sub(at))
		}
		l.end(t)
	}
}

// WakeAt: "if the last Turn did not ask for an earlier time. The next Turn's answer replaces it."
func TestWakeAt(t *testing.T) {
	for _, socket := range []bool{false, true} {
		l := newToy()
		turns := make(chan time.Time, 10)
		var answer atomic.Pointer[time.Time]
		l.turn = func(now time.Time) (next runtime.Next) {
			if at := answer.Swap(nil); at != nil { // for one Turn
				next.At = *at
			}
			turns <- now
			return next
		}
		l.spawn(t, New(Config{}))
		if socket {
			l.listen(t, "127.0.0.1:0")
		}
		wantTurn := func(why string, from, to time.Time) {
			t.Helper()
			if now := receive(t, why, turns); now.Before(from) || now.After(to) {
				t.Fatalf("%s (socket %v): turn %v after the earliest time, allowed are %v", why, socket, now.Sub(from), to.Sub(from))
			}
		}
		wantQuiet := func(why string, d time.Duration) {
			t.Helper()
			pause(d)
			if n := len(turns); n != 0 {
				t.Fatalf("%s (socket %v): %d turns", why, socket, n)
			}
		}
		const soon, slack = 30 * time.Millisecond, time.Second

		start := time.Now()
		l.host.WakeAt(start.Add(soon))
		wantTurn("a loop that asked for nothing", start.Add(soon), start.Add(soon+slack))

		far := time.Now().Add(time.Hour)
		answer.Store(&far)
		l.host.Wake()
		receive(t, "turn by Wake", turns)
		pause(2 * time.Millisecond) // it waits again
		start = time.Now()
		l.host.WakeAt(start.Add(soon))
		l.host.WakeAt(start.Add(2 * soon))
		wantTurn("WakeAt is earlier than the last answer", start.Add(soon), start.Add(soon+slack))
		wantQuiet("the answer replaced the second WakeAt", 2*soon)

		near := time.Now().Add(soon)
		answer.Store(&near)
		l.host.Wake()
		receive(t, "turn by Wake", turns)
		l.host.WakeAt(time.Now().Add(soon / 2).Add(time.Hour))
		wantTurn("the last answer is earlier than WakeAt", near, near.Add(slack))
		wantQuiet("the answer replaced WakeAt", 2*soon)
		l.end(t)
	}
}

// A WakeAt that comes while a Turn runs may be about something that this Turn has not seen: its answer must not replace it.
func TestWakeAtDuringATurnSurvivesItsAnswer(t *testing.T) {
	l := newToy()
	turns := make(chan time.Time, 10)
	var first atomic.Bool
	first.Store(true)
	l.turn = func(now time.Time) runtime.Next {
		if first.Swap(false) {
			l.host.WakeAt(now.Add(10 * time.Millisecond))
			return runtime.Next{At: now.Add(time.Hour)}
		}
		turns <- now
		return runtime.Next{}
	}
	l.spawn(t, New(Config{}))
	l.host.Wake()
	receive(t, "turn by WakeAt", turns)
	l.end(t)
}

// A Wake makes a Turn that begins after it, whatever the driver is doing just then.
func TestNoWakeIsLost(t *testing.T) {
	rounds := 20000
	if testing.Short() {
		rounds = 2000
	}
	for _, socket := range []bool{false, true} {
		l := newToy()
		var asked, told atomic.Int64
		seen := make(chan int64, 1)
		l.turn = func(time.Time) runtime.Next {
			n := asked.Load()
			if n > told.Swap(n) {
				seen <- n
			}
			return runtime.Next{Events: n%3 == 0}
		}
		l.dispatch = func() {
			for range told.Load() % 7 {
				goruntime.Gosched()
			}
		}
		l.spawn(t, New(Config{}))
		if socket {
			l.listen(t, "127.0.0.1:0")
		}
		for i := range rounds {
			asked.Add(1)
			l.host.Wake()
			if i%5 == 0 {
				goruntime.Gosched()
			}
			receive(t, "turn after Wake", seen)
		}
		l.end(t)
	}
}

// "Dispatch … may block for as long as they do: a runtime must not let that keep the same loop, or another one, from its Receive and Turn
// calls."
func TestBlockedDispatchIsHandedOff(t *testing.T) {
	base := baseline(t)
	rt := New(Config{})
	l, other := newToy(), newToy()
	block := make(chan struct{})
	entered := make(chan struct{}, 1)
	received := make(chan string, 1)
	var blocked atomic.Bool
	l.turn = func(now time.Time) runtime.Next {
		return runtime.Next{At: now.Add(time.Millisecond), Events: !blocked.Swap(true)}
	}
	l.dispatch = func() {
		entered <- struct{}{}
		<-block
	}
	l.receive = func(_ time.Time, _ runtime.UDPSocket, d *runtime.Datagrams) { received <- string(d.Data) }
	l.spawn(t, rt)
	other.spawn(t, rt)
	s, o := l.listen(t, "127.0.0.1:0"), other.listen(t, "127.0.0.1:0")
	l.host.Wake()
	receive(t, "Dispatch", entered)

	if err := o.Send(&runtime.Datagrams{Remote: s.LocalAddr(), Data: []byte("while blocked")}); err != nil {
		t.Fatal(err)
	}
	receive(t, "Receive while Dispatch blocks", received)
	n := l.turns.Load()
	eventually(t, "timers go on while Dispatch blocks", func() bool { return l.turns.Load() > n+10 })
	wantGoroutines(t, "one more while Dispatch blocks", base+3)
	if n := rt.Stats().Handoffs; n != 1 {
		t.Fatalf("%d handoffs, want 1", n)
	}
	close(block)
	wantGoroutines(t, "one again when Dispatch has returned", base+2)
	n = l.turns.Load()
	eventually(t, "timers go on when Dispatch has returned", func() bool { return l.turns.Load() > n+10 })
	l.end(t)
	other.end(t)
	wantGoroutines(t, "released loops", base)
}

// A handler that computes is found too, also on a single processor.
func TestComputingDispatchIsHandedOff(t *testing.T) {
	defer goruntime.GOMAXPROCS(goruntime.GOMAXPROCS(1))
	rt := New(Config{HandoffAfter: time.Millisecond})
	l := newToy()
	var begun atomic.Bool
	var found atomic.Bool
	l.receive = func(time.Time, runtime.UDPSocket, *runtime.Datagrams) { begun.Store(true) }
	var once atomic.Bool
	l.turn = func(time.Time) runtime.Next { return runtime.Next{Events: begun.Load() && !once.Swap(true)} }
	done := make(chan struct{})
	l.dispatch = func() {
		defer close(done)
		for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
			if rt.Stats().Handoffs > 0 {
				found.Store(true)
				return
			}
		}
	}
	l.spawn(t, rt)
	s := l.listen(t, "127.0.0.1:0")
	if err := s.Send(&runtime.Datagrams{Remote: s.LocalAddr(), Data: []byte("compute")}); err != nil {
		t.Fatal(err)
	}
	<-done
	if !found.Load() {
		t.Error("a handler computes for five seconds, and nobody has taken over")
	}
	l.end(t)
}

// Released comes when nothing of the loop is left, also when a handler outlives the connection.
func TestReleasedWaitsForTheLastDispatch(t *testing.T) {
	rt := New(Config{HandoffAfter: time.Millisecond})
	l := newToy()
	block, entered := make(chan struct{}), make(chan struct{}, 1)
	var once atomic.Bool
	l.turn = func(time.Time) runtime.Next { return runtime.Next{Events: !once.Swap(true)} }
	l.dispatch = func() {
		entered <- struct{}{}
		<-block
	}
	l.spawn(t, rt)
	s := l.listen(t, "127.0.0.1:0")
	l.host.Wake()
	receive(t, "Dispatch", entered)
	l.quit.Store(true)
	l.host.Wake()
	eventually(t, "the loop ends while Dispatch blocks", l.ended.Load)
	eventually(t, "its sockets are closed", func() bool {
		return errors.Is(s.Send(&runtime.Datagrams{Remote: s.LocalAddr(), Data: []byte("x")}), runtime.ErrClosed)
	})
	select {
	case <-l.released:
		t.Fatal("Released while Dispatch runs")
	default:
	}
	close(block)
	l.end(t)
}

// t.FailNow and its like end the goroutine that runs a handler. The connection lives on, and so do the events that came meanwhile.
func TestHandlerThatEndsItsGoroutine(t *testing.T) {
	base := baseline(t)
	for _, handedOff := range []bool{false, true} {
		l := newToy()
		rt := New(Config{HandoffAfter: time.Millisecond})
		var asked, handled atomic.Int32
		l.turn = func(time.Time) runtime.Next { return runtime.Next{Events: asked.Load() > handled.Load()} }
		l.dispatch = func() {
			switch n := handled.Add(1); {
			case n == 1 && handedOff:
				eventually(t, "handed off", func() bool { return rt.Stats().Handoffs > 0 })
				turns := l.turns.Load()
				asked.Add(1)
				l.host.Wake()
				eventually(t, "this Dispatch is to take over the second event", func() bool { return l.turns.Load() > turns && l.takesOver() })
				goruntime.Goexit()
			case n == 1:
				asked.Add(1)
				goruntime.Goexit()
			}
		}
		l.spawn(t, rt)
		l.listen(t, "127.0.0.1:0")
		asked.Add(1)
		l.host.Wake()
		eventually(t, "the second event is handled", func() bool { return handled.Load() >= 2 })
		n := l.turns.Load()
		l.host.Wake()
		eventually(t, "turns go on", func() bool { return l.turns.Load() > n })
		wantGoroutines(t, "one goroutine goes on", base+1)
		l.end(t)
	}
}

func TestHostAfterItsLoopEnded(t *testing.T) {
	l := newToy().spawn(t, New(Config{}))
	s := l.listen(t, "127.0.0.1:0")
	l.end(t)
	l.host.Wake()
	l.host.WakeAt(time.Now())
	if _, err := l.host.ListenUDP(context.Background(), s.LocalAddr()); !errors.Is(err, runtime.ErrClosed) {
		t.Fatalf("ListenUDP: %v, want ErrClosed", err)
	}
	if err := s.Send(&runtime.Datagrams{Remote: s.LocalAddr()}); !errors.Is(err, runtime.ErrClosed) {
		t.Fatalf("Send: %v, want ErrClosed", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// Endless wakes must not keep a loop from what arrives.
func TestReceiveIsNotStarvedByWakes(t *testing.T) {
	l := newToy()
	got := make(chan struct{}, 1)
	l.turn = func(time.Time) runtime.Next {
		l.host.Wake()
		return runtime.Next{}
	}
	l.receive = func(time.Time, runtime.UDPSocket, *runtime.Datagrams) { got <- struct{}{} }
	l.spawn(t, New(Config{}))
	s := l.listen(t, "127.0.0.1:0")
	l.host.Wake()
	eventually(t, "turns go on by themselves", func() bool { return l.turns.Load() > 10 })
	if err := s.Send(&runtime.Datagrams{Remote: s.LocalAddr(), Data: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	receive(t, "datagram", got)
	l.end(t)
}

// Two goroutines that read the clock may come to the loop in the other order. For the loop time never goes back.
func TestTheLoopsTimeNeverGoesBack(t *testing.T) {
	h := &host{}
	now := time.Now()
	for _, step := range []struct{ told, want time.Duration }{{0, 0}, {2, 2}, {1, 2}, {3, 3}} {
		if got := h.tick(now.Add(step.told)); !got.Equal(now.Add(step.want)) {
			t.Fatalf("told %v, the loop hears %v", step.told, got.Sub(now))
		}
	}
}
