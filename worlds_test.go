package rtc_test

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime"
	"github.com/sansrtc/rtc/runtime/loop"
	"github.com/sansrtc/rtc/runtime/mux"
	"github.com/sansrtc/rtc/runtime/sim"
	"github.com/sansrtc/rtc/runtime/std"
)

// world is where a test of the API runs: over a simulated network, or over the system's sockets by one of the runtimes.
type world struct {
	name  string
	shape func(c *sim.Config)                // of a simulated network; not called for a real one
	rt    func(t testing.TB) runtime.Runtime // makes the runtime of one side; nil: it is simulated
	stats func(rt runtime.Runtime) (loops int64, handoffs uint64)
	// The address that its connections listen on; empty: the runtime's own.
	listen []string
}

// simulated is the world of tests that only a simulation can run: what they promise is about a path, or a figure of virtual time.
var simulated = &world{name: "sim", shape: func(*sim.Config) {}}

var (
	lo = netip.AddrFrom4([4]byte{127, 0, 0, 1})

	simulations = []*world{
		// Datagrams come and go one by one,
		{name: "sim", shape: func(c *sim.Config) { c.MaxSegments, c.Coalesce = 1, -1 }},
		// or in slabs, as GSO and GRO make them.
		{name: "sim-slabs", shape: func(c *sim.Config) { c.Moderation = 100 * time.Microsecond }},
	}
	sockets = []*world{
		{
			name: "std", listen: []string{"127.0.0.1:0"},
			rt:    func(testing.TB) runtime.Runtime { return std.New(std.Config{}) },
			stats: func(rt runtime.Runtime) (int64, uint64) { s := rt.(*std.Runtime).Stats(); return s.Hosts, s.Handoffs },
		}, {
			name: "loop", listen: []string{"127.0.0.1:0"},
			rt:    func(testing.TB) runtime.Runtime { return loop.New(loop.Config{}) },
			stats: func(rt runtime.Runtime) (int64, uint64) { s := rt.(*loop.Runtime).Stats(); return s.Hosts, s.Handoffs },
		}, {
			name: "mux",
			rt: func(t testing.TB) runtime.Runtime {
				rt, err := mux.New(mux.Config{Addr: netip.AddrPortFrom(lo, 0)})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { rt.Close() })
				return rt
			},
			stats: func(rt runtime.Runtime) (int64, uint64) { s := rt.(*mux.Runtime).Stats(); return s.Hosts, s.Handoffs },
		},
	}
)

// everywhere runs a test of the API over each runtime.
func everywhere(t *testing.T, test func(t *testing.T, w *world)) {
	for _, w := range simulations {
		t.Run(w.name, func(t *testing.T) { test(t, w) })
	}
	overSockets(t, test)
}

// overSockets runs a test over each runtime but the simulation.
func overSockets(t *testing.T, test func(t *testing.T, w *world)) {
	for _, w := range sockets {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			test(t, w)
		})
	}
}

// simulated tells whether time is virtual, so that it may be measured, and much of it may pass.
func (w *world) simulated() bool { return w.rt == nil }

// runtimes makes one for each side.
func (w *world) runtimes(t testing.TB) [2]runtime.Runtime {
	return [2]runtime.Runtime{w.rt(t), w.rt(t)}
}

// loops is how many loops runtimes host.
func (w *world) loops(rts [2]runtime.Runtime) int64 {
	a, _ := w.stats(rts[0])
	b, _ := w.stats(rts[1])
	return a + b
}

// some is how many of n repetitions are worth their time: over sockets they differ by more than their seed.
func (w *world) some(n int) int {
	switch w.name {
	case "sim":
		return n
	case "sim-slabs":
		return max(n/3, 2)
	}
	return max(n/10, 2)
}

// candidates is how many addresses a side of a pair has.
func (w *world) candidates() int {
	if w.simulated() {
		return 2
	}
	return 1
}

// builder is a Builder for rt.
func (w *world) builder(rt runtime.Runtime) rtc.Builder {
	return rtc.NewBuilder().Runtime(rt).ListenAddrs(w.listen...)
}

// newPair builds two connections, a and b, that have not heard of each other. build, when given, changes each one's builder. cfg is the
// network of a simulation; a real one is as it is.
func (w *world) newPair(t testing.TB, cfg sim.Config, build func(i int, b rtc.Builder) rtc.Builder) *pair {
	t.Helper()
	return w.newPairOf(t, cfg, func(_ int, r *recorder) rtc.EventHandler { return r }, build)
}

// newPairOf is newPair with handlers that are made of the recorders.
func (w *world) newPairOf(t testing.TB, cfg sim.Config, handler func(i int, r *recorder) rtc.EventHandler, build func(i int, b rtc.Builder) rtc.Builder) *pair {
	t.Helper()
	p := &pair{t: t}
	if w.simulated() {
		w.shape(&cfg)
		p.world = sim.New(cfg)
	} else {
		p.floor = &floor{moved: make(chan struct{}, 1)}
		p.floor.take()
	}
	rts := &p.rt
	for i, name := range []string{"a", "b"} {
		if w.simulated() {
			p.hosts[i] = p.world.Host(name)
			rts[i] = p.hosts[i]
		} else {
			rts[i] = w.rt(t)
		}
		p.rec[i] = &recorder{name: name, floor: p.floor}
		b := w.builder(rts[i]).Handler(handler(i, p.rec[i]))
		if build != nil {
			b = build(i, b)
		}
		pc, err := b.Build(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		p.pc[i] = pc
	}
	t.Cleanup(func() {
		p.over = !w.simulated()
		for _, pc := range p.pc {
			pc.Close()
		}
		if !w.simulated() {
			defer p.floor.give()
			p.until("the end of both", func() bool { return done(p.pc[0]) && done(p.pc[1]) })
			p.until("the end of both loops", func() bool { return w.loops(*rts) == 0 })
			return
		}
		p.end()
	})
	return p
}

// build makes another connection in p's world, which is closed at the end of the test.
func (p *pair) build(b rtc.Builder) *rtc.PeerConnection {
	p.t.Helper()
	pc, err := b.Build(p.t.Context())
	p.must(err)
	p.t.Cleanup(func() { pc.Close() })
	return pc
}

// end holds that a simulation whose connections are closed has nothing left.
func (p *pair) end() {
	p.world.Run(time.Second)
	if loops, sockets := p.world.Open(); loops+sockets > 0 {
		p.t.Errorf("after Close %d loops and %d sockets are open", loops, sockets)
	}
	p.world.Close()
}

// connected makes a pair with one channel, made by a, open at both ends.
func (w *world) connected(t testing.TB, cfg sim.Config, init *rtc.DataChannelInit, build func(i int, b rtc.Builder) rtc.Builder) (p *pair, a, b *rtc.DataChannel) {
	t.Helper()
	p = w.newPair(t, cfg, build)
	_, err := p.pc[0].CreateDataChannel("data", init)
	p.must(err)
	p.negotiate(0)
	p.until("channel open at both ends", func() bool { return p.rec[0].channel(0) != nil && p.rec[1].channel(0) != nil })
	return p, p.rec[0].channel(0), p.rec[1].channel(0)
}

// done tells whether a connection's Done is closed.
func done(pc *rtc.PeerConnection) bool {
	select {
	case <-pc.Done():
		return true
	default:
		return false
	}
}

// floor is what the test, its actors and the handlers of its connections hand to each other over real sockets, where they would run at
// the same time: so that a test is written as for a simulation, where handlers run while the test waits in until or pass. What runs beside it
// are the connections themselves.
type floor struct {
	sync.Mutex
	moved chan struct{} // somebody has had the floor
}

func (f *floor) take() {
	if f != nil {
		f.Lock()
	}
}

func (f *floor) give() {
	if f == nil {
		return
	}
	f.Unlock()
	select {
	case f.moved <- struct{}{}:
	default:
	}
}

// call is what after has put off.
type call struct {
	at time.Time
	f  func()
}

// Over real sockets a test's time is short.
const (
	patience  = 30 * time.Second // how long until waits
	quicker   = 50               // how much shorter than virtual time
	longest   = 50 * time.Millisecond
	heartbeat = time.Millisecond // how often until looks for what no handler hears
)

func shorter(d time.Duration) time.Duration { return min(d/quicker, longest) }

// rest gives away the floor until somebody has had it, or end, and then makes the calls that are due.
func (p *pair) rest(end time.Time) {
	if len(p.later) > 0 && p.later[0].at.Before(end) {
		end = p.later[0].at
	}
	timer := time.NewTimer(time.Until(end))
	defer timer.Stop()
	p.floor.Unlock()
	select {
	case <-p.floor.moved:
	case <-timer.C:
	}
	p.floor.Lock()
	for len(p.later) > 0 && !p.later[0].at.After(time.Now()) {
		f := p.later[0].f
		p.later = p.later[1:]
		f()
	}
}

// until lets time pass until cond holds, and fails the test when it takes longer than a minute of virtual time, or than patience.
func (p *pair) until(what string, cond func() bool) {
	p.t.Helper()
	met := true
	if p.world != nil {
		met = p.world.RunUntil(cond, time.Minute)
	} else {
		for end := time.Now().Add(patience); met && !cond(); met = time.Now().Before(end) {
			p.rest(time.Now().Add(heartbeat))
		}
	}
	if !met {
		p.t.Fatalf("%s: not in time\na heard %q\nb heard %q", what, p.rec[0].heard(), p.rec[1].heard())
	}
}

// pass lets d of virtual time pass, or a moment over real sockets: all that should happen in it may not have happened then.
func (p *pair) pass(d time.Duration) {
	if p.world != nil {
		p.world.Run(d)
		return
	}
	for end := time.Now().Add(shorter(d)); time.Now().Before(end); {
		p.rest(end)
	}
}

func (p *pair) now() time.Time {
	if p.world != nil {
		return p.world.Now()
	}
	return time.Now()
}

// sleep is pass for actors and handlers.
func (p *pair) sleep(d time.Duration) {
	if p.world != nil {
		p.world.Sleep(d)
		return
	}
	p.aside(func() { <-time.After(shorter(d)) })
}

// doze is sleep for actors that run beside everything else.
func (p *pair) doze(d time.Duration) {
	if p.world != nil {
		p.world.Sleep(d)
		return
	}
	<-time.After(shorter(d))
}

// after calls f when d has passed.
func (p *pair) after(d time.Duration, f func()) {
	if p.world != nil {
		p.world.After(d, f)
		return
	}
	c := call{time.Now().Add(shorter(d)), f}
	i, _ := slices.BinarySearchFunc(p.later, c, func(a, b call) int {
		if a.at.After(b.at) {
			return 1
		}
		return -1 // those of one time stay in their order
	})
	p.later = slices.Insert(p.later, i, c)
}

// act starts an actor: nothing else of the test runs at the same time.
func (p *pair) act(name string, f func()) {
	if p.world != nil {
		p.world.Go(name, f)
		return
	}
	go func() {
		p.floor.take()
		defer p.floor.give()
		f()
	}()
}

// actAside starts an actor that waits in the API, where others have to go on: it runs beside everything else.
func (p *pair) actAside(name string, f func()) {
	if p.world != nil {
		p.world.Go(name, f)
		return
	}
	go f()
}

// aside calls f, which waits in the API, from an actor or a handler, and lets others go on meanwhile.
func (p *pair) aside(f func()) {
	p.floor.give()
	defer p.floor.take()
	f()
}
