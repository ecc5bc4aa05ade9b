package sim

import (
	"context"
	"runtime"
	"runtime/pprof"
	"slices"
	"time"
)

// Handlers and actors may block in Sleep, so each runs on a goroutine of its own, but as a coroutine: the simulation waits while one of
// them runs. At any instant there is
//
//   - at most one attached worker, for which the simulation's goroutine waits in await;
//   - any number of sleeping ones, each with an event in the queue;
//   - loose ones: they overstayed because they wait for something that is not of this world, and the simulation went on without them.
//
// A worker changes from one to another only with the world's lock held.
type coroutines struct {
	idle     []*worker
	attached *worker
	loose    []*worker
	back     chan struct{} // tells await that nothing is attached any more

	// The watch ticks while there is something to watch.
	watch    *time.Timer
	watching bool
	turns    uint64 // how often a worker was attached
	seen     uint64 // turns at the last tick
	ticks    int    // how often the attached worker was found still computing

	busy     time.Time     // real time since when loose workers have been computing
	patience time.Duration // patience, but in tests
}

// A worker that computes for this long, in real time, is gone on without, too. On a machine that has much else to do a goroutine may
// have to wait for a good part of it.
const patience = 5 * time.Second

type worker struct {
	id   uint64 // of its goroutine
	jobs chan job
	lost bool // loose, and so busy that the simulation does not care any more
}

// job is either the Dispatch of a loop or an actor.
type job struct {
	loop  *place
	actor func()
}

type sleeper struct {
	event
	worker *worker
	wake   chan struct{}
}

func (c *coroutines) init() { c.back, c.patience = make(chan struct{}, 1), patience }

func (c *coroutines) close() {
	for _, k := range c.idle {
		close(k.jobs)
	}
	c.idle = nil
	if c.watch != nil && c.attached == nil {
		c.watch.Stop()
	}
}

// Go starts f as an actor of the simulation: it runs when the simulation does, nothing else of the simulation runs at the same time, and
// it may Sleep. The name appears in goroutine profiles.
func (w *World) Go(name string, f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	w.queue.set(&event{actor: func() {
		pprof.Do(context.Background(), pprof.Labels("sim actor", name), func(context.Context) { f() })
	}}, w.now.Load())
}

// Sleep blocks the calling handler or actor for d of virtual time. It may be called by the goroutine that runs a Loop's Dispatch, or
// an actor, only; others would keep the simulation from going on.
func (w *World) Sleep(d time.Duration) {
	id := goroutine()
	w.mu.Lock()
	k := w.coroutines.find(id)
	if k == nil {
		w.mu.Unlock()
		panic("sim: Sleep called by a goroutine that runs neither a handler nor an actor")
	}
	if w.closed {
		w.mu.Unlock()
		runtime.Goexit()
	}
	s := &sleeper{worker: k, wake: make(chan struct{})}
	s.event.asleep = s
	w.queue.set(&s.event, w.in(d))
	w.coroutines.leave(k)
	w.mu.Unlock()
	<-s.wake
	w.mu.Lock()
	closed := w.closed
	w.mu.Unlock()
	if closed {
		runtime.Goexit()
	}
}

// start runs j until it returns, sleeps or overstays. The lock is held, and released.
func (w *World) start(j job) {
	c := &w.coroutines
	var k *worker
	if n := len(c.idle); n > 0 {
		k = c.idle[n-1]
		c.idle = c.idle[:n-1]
	} else {
		k = &worker{jobs: make(chan job, 1)}
		id := make(chan uint64)
		go w.work(k, id)
		k.id = <-id // before anybody asks whether it computes
	}
	k.jobs <- j
	w.await(k)
}

// resume lets s go on until it returns, sleeps again or overstays. The lock is held, and released.
func (w *World) resume(s *sleeper) {
	close(s.wake)
	w.await(s.worker)
}

func (w *World) await(k *worker) {
	c := &w.coroutines
	c.attached = k
	c.turns++
	if !c.watching && w.cfg.Handoff > 0 {
		c.watching, c.seen, c.ticks = true, c.turns, 0
		if c.watch == nil {
			c.watch = time.AfterFunc(w.cfg.Handoff, w.tick)
		} else {
			c.watch.Reset(w.cfg.Handoff)
		}
	}
	w.mu.Unlock()
	<-c.back
}

// work does jobs until the world is closed or a job ends the goroutine.
func (w *World) work(k *worker, id chan<- uint64) {
	id <- goroutine()
	for j := range k.jobs {
		if !w.do(k, j) {
			return
		}
	}
}

func (w *World) do(k *worker, j job) (more bool) {
	returned := false
	defer func() { // also when a handler calls runtime.Goexit, as testing's FailNow does
		w.mu.Lock()
		defer w.mu.Unlock()
		if j.loop != nil {
			j.loop.dispatched()
		}
		if more = returned && !w.closed; more {
			w.coroutines.idle = append(w.coroutines.idle, k)
		}
		w.coroutines.leave(k)
	}()
	if j.loop != nil {
		j.loop.loop.Dispatch()
	} else {
		j.actor()
	}
	returned = true
	return
}

// leave ends k's being attached or loose.
func (c *coroutines) leave(k *worker) {
	if c.attached == k {
		c.detach()
	} else if i := slices.Index(c.loose, k); i >= 0 {
		c.loose = slices.Delete(c.loose, i, i+1)
	}
}

func (c *coroutines) detach() {
	c.attached = nil
	c.back <- struct{}{}
}

func (c *coroutines) find(id uint64) *worker {
	if c.attached != nil && c.attached.id == id {
		return c.attached
	}
	for _, k := range c.loose {
		if k.id == id {
			return k
		}
	}
	return nil
}

// tick lets the simulation go on without a worker that has been attached since the last tick and waits for something. One that computes
// is given more time: it may only be that this machine is slow, and then nothing would reproduce.
func (w *World) tick() {
	c := &w.coroutines
	w.mu.Lock()
	defer w.mu.Unlock()
	k, turns := c.attached, c.turns
	if k == nil {
		c.watching = false
		return
	}
	if turns != c.seen {
		c.seen, c.ticks = turns, 0
	} else {
		c.ticks++
		lost := time.Duration(c.ticks)*w.cfg.Handoff >= c.patience
		w.mu.Unlock() // a worker that waits for it computes
		waits := lost || !computing([]*worker{k})
		w.mu.Lock()
		if waits && c.attached == k && c.turns == turns {
			k.lost = lost
			c.loose = append(c.loose, k)
			c.detach()
		}
	}
	c.watch.Reset(w.cfg.Handoff)
}

// unsettled tells whether a loose worker is computing. The clock waits for those, so that a handler which was waiting for a lock or a
// channel and has got it goes on at the instant at which it got it. The lock must not be held: a worker could be waiting for it.
func (w *World) unsettled() bool {
	w.mu.Lock()
	c := &w.coroutines
	loose := slices.DeleteFunc(slices.Clone(c.loose), func(k *worker) bool { return k.lost })
	w.mu.Unlock()
	if len(loose) == 0 || quiet() || !computing(loose) {
		c.busy = time.Time{}
		return false
	}
	if now := time.Now(); c.busy.IsZero() {
		c.busy = now
	} else if now.Sub(c.busy) > c.patience {
		c.busy = time.Time{}
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, k := range loose {
			k.lost = slices.Contains(c.loose, k)
		}
		return false
	}
	runtime.Gosched()
	return true
}
