package sim

import (
	"fmt"
	"io"
	goruntime "runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sansrtc/rtc/runtime"
)

// Actors take turns in virtual time, and in the same order in each run.
func TestActors(t *testing.T) {
	w := testWorld(t, Config{})
	start := w.Now()
	var log []string
	for _, name := range []string{"a", "b", "c"} {
		w.Go(name, func() {
			for i := range 3 {
				log = append(log, fmt.Sprintf("%s%d@%v", name, i, w.Now().Sub(start)))
				w.Sleep(ms)
			}
		})
	}
	w.Run(time.Second)
	want := "a0@0s b0@0s c0@0s a1@1ms b1@1ms c1@1ms a2@2ms b2@2ms c2@2ms"
	if got := strings.Join(log, " "); got != want {
		t.Errorf("the actors' order is %s, want %s", got, want)
	}
}

// A handler that sleeps delays nothing but the events of its own loop.
func TestSleepInDispatch(t *testing.T) {
	w := testWorld(t, Config{Link: Link{Delay: ms}})
	start := w.Now()
	p, q := on(t, w.Host("a")), on(t, w.Host("b"))
	q.onReceive = func(d *runtime.Datagrams) { q.send(d.Remote, "answer") }
	var woke time.Duration
	handlers := 0
	p.onTurn = func(now time.Time) runtime.Next { return runtime.Next{At: now.Add(10 * ms), Events: handlers == 0} }
	p.onDispatch = func() {
		if handlers++; handlers == 1 {
			w.Sleep(time.Second)
			woke = w.Now().Sub(start)
		}
	}
	p.Wake()
	w.Run(500 * ms)
	if p.turns < 50 {
		t.Errorf("while the handler sleeps its loop has %d turns", p.turns)
	}
	p.send(q.addr(), "ping")
	w.Run(2 * ms)
	if len(p.got) != 1 {
		t.Errorf("while the handler sleeps its loop receives %q", p.got)
	}
	w.Run(time.Second)
	if woke != time.Second {
		t.Errorf("Sleep(1s) ends at %v", woke)
	}
}

// Run returns at its time though a handler sleeps longer; the next Run takes it up.
func TestSleepAcrossRuns(t *testing.T) {
	w := testWorld(t, Config{})
	done := false
	w.Go("sleeper", func() { w.Sleep(time.Hour); done = true })
	w.Run(59 * time.Minute)
	if done {
		t.Fatal("Sleep ends early")
	}
	w.Run(time.Minute)
	if !done {
		t.Fatal("Sleep does not end")
	}
}

// Sleep by anybody else would stop the simulation, and says so.
func TestSleepElsewhere(t *testing.T) {
	w := testWorld(t, Config{})
	wantPanic(t, "neither a handler nor an actor", func() { w.Sleep(ms) })
	w.After(0, func() { wantPanic(t, "neither a handler nor an actor", func() { w.Sleep(ms) }) })
	p := on(t, w.Host("a"))
	p.onTurn = func(time.Time) runtime.Next {
		wantPanic(t, "neither a handler nor an actor", func() { w.Sleep(ms) })
		return runtime.Next{}
	}
	p.Wake()
	w.Run(time.Second)
	if p.turns == 0 {
		t.Error("no Turn")
	}
}

// A handler that waits for something real is gone on without after Handoff, and taken back when it has returned or sleeps.
func TestHandoff(t *testing.T) {
	w := testWorld(t, Config{Handoff: ms})
	gate, inside := make(chan struct{}), make(chan struct{}, 1)
	var log []string
	start := w.Now()
	note := func(s string) { log = append(log, fmt.Sprintf("%s@%v", s, w.Now().Sub(start))) }
	w.Go("stuck", func() {
		inside <- struct{}{}
		<-gate
		w.Sleep(time.Second) // this takes it back
		note("stuck")
		w.Sleep(time.Second)
		note("stuck")
	})
	w.Go("other", func() {
		for range 3 {
			w.Sleep(time.Second)
			note("other")
		}
	})
	w.Run(1500 * ms)
	<-inside
	close(gate)
	w.Run(5 * time.Second)
	if got, want := strings.Join(log, " "), "other@1s other@2s stuck@2.5s other@3s stuck@3.5s"; got != want {
		t.Errorf("the order is %s, want %s", got, want)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.coroutines.loose); n != 0 {
		t.Errorf("%d workers are loose", n)
	}
}

// With a negative Handoff the simulation waits for ever.
func TestHandoffNever(t *testing.T) {
	w := testWorld(t, Config{Handoff: -1})
	gate, inside := make(chan struct{}), make(chan struct{})
	start := w.Now()
	var passed time.Duration
	w.Go("stuck", func() {
		close(inside)
		<-gate
		passed = w.Now().Sub(start)
	})
	go func() {
		<-inside
		for range 20 { // longer than it would take with the default
			<-time.After(2 * ms)
		}
		close(gate)
	}()
	w.Run(time.Hour)
	if passed != 0 {
		t.Errorf("while the actor is stuck %v pass", passed)
	}
}

// A handler that only computes for long, and sends now and then, is not gone on without: a slow machine sees the same simulation.
func TestSlowHandler(t *testing.T) {
	w := testWorld(t, Config{Handoff: 2 * ms})
	start := w.Now()
	var passed time.Duration
	var done atomic.Bool
	calls := 0
	w.Go("slow", func() {
		for end := time.Now().Add(25 * ms); time.Now().Before(end); {
			w.mu.Lock() // as what it calls does
			calls++
			w.mu.Unlock()
		}
		passed = w.Now().Sub(start)
		done.Store(true)
	})
	w.After(0, func() {
		if !done.Load() {
			t.Error("the simulation goes on while the actor computes")
		}
	})
	w.Run(time.Hour)
	if passed != 0 {
		t.Errorf("while the actor computes %v pass", passed)
	}
}

// But one that computes for ever is, also when it begins to do so after it was gone on without.
func TestEndlessHandler(t *testing.T) {
	for _, waits := range []bool{false, true} {
		w := testWorld(t, Config{Handoff: 200 * time.Microsecond})
		w.coroutines.patience = 10 * ms
		gate, stop := make(chan struct{}), make(chan struct{})
		w.Go("endless", func() {
			if waits {
				<-gate
			}
			for computing := true; computing; {
				select {
				case <-stop:
					computing = false
				default:
				}
			}
		})
		w.Run(time.Hour)
		close(gate)
		for range 3 {
			w.Run(time.Hour)
		}
		close(stop)
		w.awaitLoose()
		w.coroutines.patience = patience
		settled(t, w) // the goroutine is as good as any again
	}
}

// awaitLoose waits in real time until no worker is loose.
func (w *World) awaitLoose() {
	for n := 1; n > 0; goruntime.Gosched() {
		w.mu.Lock()
		n = len(w.coroutines.loose)
		w.mu.Unlock()
	}
}

// A loose handler goes on at the virtual time at which it gets what it waits for: the clock does not move before it waits again.
func TestLooseIsSettled(t *testing.T) {
	settled(t, testWorld(t, Config{Handoff: ms}))
}

func settled(t *testing.T, w *World) {
	start := w.Now()
	signal := make(chan time.Duration, 1)
	var wrong []string
	n := 0
	w.Go("waiter", func() {
		for sent := range signal {
			if now := w.Now().Sub(start); now != sent {
				wrong = append(wrong, fmt.Sprintf("sent at %v, seen at %v", sent, now))
			}
			n++
		}
	})
	const rounds = 500
	for i := range rounds {
		w.After(time.Duration(i)*ms, func() { signal <- w.Now().Sub(start) })
		w.After(time.Duration(i)*ms+ms/2, func() {})
	}
	w.Run(rounds * ms)
	close(signal)
	w.awaitLoose()
	if n != rounds || len(wrong) > 0 {
		t.Errorf("of %d signals %d are seen, %d at another time: %v", rounds, n, len(wrong), wrong)
	}
}

// Goexit in a handler, as FailNow of package testing calls it, ends that handler only.
func TestGoexit(t *testing.T) {
	w := testWorld(t, Config{Handoff: -1})
	p := on(t, w.Host("a"))
	calls := 0
	p.onTurn = func(time.Time) runtime.Next { return runtime.Next{Events: true} }
	p.onDispatch = func() {
		if calls++; calls == 1 {
			goruntime.Goexit()
		}
	}
	for range 3 {
		p.Wake()
		w.Run(ms)
	}
	w.Go("exits", goruntime.Goexit)
	w.Run(ms)
	if calls != 3 {
		t.Errorf("Dispatch is called %d times, want 3", calls)
	}
}

// Close ends sleepers where they are, idle goroutines, and lets a handler that is stuck end when it can.
func TestCloseEndsAll(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	w := New(Config{Handoff: ms})
	deferred, after := 0, 0
	gate := make(chan struct{})
	for range 5 {
		w.Go("sleeper", func() {
			defer func() { deferred++ }()
			w.Sleep(time.Hour)
			after++
		})
		w.Go("short", func() {})
	}
	stuck := make(chan struct{})
	w.Go("stuck", func() { defer close(stuck); <-gate; w.Sleep(ms); after++ })
	w.Run(time.Minute)
	w.Close()
	if deferred != 5 || after != 0 {
		t.Errorf("of 5 sleepers %d end by Close, and %d go on", deferred, after)
	}
	close(gate)
	<-stuck
}

// The handlers' goroutines are used again.
func TestWorkersReused(t *testing.T) {
	w := testWorld(t, Config{})
	for range 1000 {
		w.Go("short", func() {})
		w.Run(ms)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.coroutines.idle); n != 1 {
		t.Errorf("%d goroutines serve one actor at a time", n)
	}
}

// A host's Rand depends on the seed and its name, and on nothing else.
func TestRand(t *testing.T) {
	draw := func(seed uint64, name string, before int) (b [16]byte) {
		w := testWorld(t, Config{Seed: seed})
		for i := range before {
			w.Host(fmt.Sprint("other ", i))
		}
		if _, err := io.ReadFull(w.Host(name).Rand(), b[:]); err != nil {
			t.Fatal(err)
		}
		return b
	}
	if draw(1, "a", 0) != draw(1, "a", 3) {
		t.Error("other hosts change what a host draws")
	}
	all := [][16]byte{draw(1, "a", 0), draw(2, "a", 0), draw(1, "b", 0)}
	for i, b := range all {
		if slices.Contains(all[i+1:], b) {
			t.Error("different seeds or names draw the same")
		}
	}
}

// header reads what the Go runtime writes, and nothing else.
func TestHeader(t *testing.T) {
	if goroutine() == 0 {
		t.Error("the number of this goroutine is not found")
	}
	for trace, want := range map[string]string{
		"goroutine 7 [running]:\nmain.main()":                           "7 running]:",
		"goroutine 12 [chan receive, 5 minutes]:\n":                     "12 chan",
		"goroutine 9 gp=0xc000 m=nil [select]:\n":                       "9 select]:",
		"goroutine 3 [chan receive (durable), synctest bubble 1]:\n...": "3 chan",
		"goroutine x [running]:":                                        "", "": "", "main.main()": "", "goroutine 7": "",
	} {
		id, state, ok := header([]byte(trace))
		if got := strings.TrimSpace(fmt.Sprintf("%d %.8s", id, strings.Fields(string(state) + " x")[0])); ok && got != fmt.Sprintf("%.10s", want) || ok != (want != "") {
			t.Errorf("%q is read as %q, %v", trace, got, ok)
		}
	}
}
