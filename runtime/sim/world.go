package sim

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sansrtc/rtc/internal/simnet"
	"github.com/sansrtc/rtc/runtime"
)

// Link describes one direction of a path between two hosts. The zero value is a perfect path: no delay, no loss, no limit.
type Link = simnet.Config

// Burst adds losses that come in runs to a [Link].
type Burst = simnet.Burst

// Counters tell what became of the datagrams that were sent over a link.
type Counters = simnet.Counters

// Config describes a world. The zero value is a world of perfect paths with seed 0.
type Config struct {
	// Seed chooses everything that is left to chance: losses, jitter, a NAT's ports, and what the hosts' Rand gives.
	Seed uint64
	// Start is what the clock shows first. Zero: a fixed instant in 2001, so that runs reproduce, and so far from the wall clock that
	// code which reads it fails its tests.
	Start time.Time
	// Link is the path between any two hosts for which SetLink said nothing.
	Link Link
	// Handoff is the real time after which the simulation goes on without a handler that waits for something else than Sleep. 0: 20 ms,
	// negative: never.
	Handoff time.Duration
	// MaxSegments is what the sockets' MaxSegments says. 0: 64.
	MaxSegments int
	// Coalesce is how many datagrams of equal size that arrive from one peer at the same instant one Receive gets at most. 0: 64,
	// negative: one.
	Coalesce int
	// Moderation is how long a datagram that has arrived waits for others before its loop gets them all, as it does behind a network card
	// that moderates its interrupts: so that datagrams which a path has spread are joined, too. 0: not at all.
	Moderation time.Duration
}

// World is a simulation: a clock, hosts, and the network between them. All methods but Step, Run and RunUntil may be called from any
// goroutine; what other goroutines than the simulation's own do while it runs is not reproducible.
type World struct {
	cfg Config
	now atomic.Int64 // virtual nanoseconds since cfg.Start; only the simulation moves it

	mu     sync.Mutex // guards all below, and the hosts, loops, sockets, and NATs
	queue  queue
	active bool // Step, Run or RunUntil is under way
	closed bool
	steps  int // events run at this instant
	limit  int // of steps: maxSteps, but in tests

	coroutines coroutines

	public   realm
	names    map[string]bool
	hosts    []*Host
	nats     int
	links    map[[2]*Host]*path
	byAddr   map[[2]netip.Addr]*path
	fallback Link
	loops    int
	sockets  int
	opened   int // sockets so far

	captures []func(Packet)
	drop     func(Packet) bool

	spare    [][]byte          // buffers of datagrams that have arrived
	idle     []*datagram       // events of datagrams that have arrived
	slab     []byte            // where datagrams of one Receive are joined; the simulation's own
	received runtime.Datagrams // what Receive is given; the simulation's own
}

// New returns a world without hosts.
func New(cfg Config) *World {
	if cfg.Start.IsZero() {
		cfg.Start = time.Unix(1_000_000_000, 0).UTC()
	}
	cfg.Start = cfg.Start.Round(0) // without the wall clock's monotonic reading
	if cfg.Handoff == 0 {
		cfg.Handoff = 20 * time.Millisecond
	}
	if cfg.MaxSegments == 0 {
		cfg.MaxSegments = 64
	}
	if cfg.Coalesce == 0 {
		cfg.Coalesce = 64
	}
	w := &World{
		cfg:      cfg,
		public:   realm{nodes: map[netip.Addr]node{}},
		names:    map[string]bool{},
		links:    map[[2]*Host]*path{},
		byAddr:   map[[2]netip.Addr]*path{},
		fallback: cfg.Link,
		limit:    maxSteps,
	}
	w.coroutines.init()
	return w
}

// Now is the virtual time.
func (w *World) Now() time.Time { return w.cfg.Start.Add(time.Duration(w.now.Load())) }

// Step runs what is due next, at the time when it is due. It returns false when nothing is left to do.
func (w *World) Step() bool {
	w.begin()
	defer w.end()
	for {
		switch w.step(math.MaxInt64) {
		case ran:
			return true
		case nothing:
			return false
		}
	}
}

// Run lets d of virtual time pass, and runs everything that is due within it.
func (w *World) Run(d time.Duration) {
	w.RunUntil(func() bool { return false }, d)
}

// RunUntil lets virtual time pass until cond is true, but no longer than limit, and returns what cond says then. It calls cond after
// each step, on the calling goroutine. Time passes as fast as the events of the simulation allow.
func (w *World) RunUntil(cond func() bool, limit time.Duration) bool {
	w.begin()
	defer w.end()
	end := int64(math.MaxInt64)
	if now := w.now.Load(); int64(limit) < end-now {
		end = now + int64(limit)
	}
	for !cond() {
		if w.step(end) == nothing {
			w.now.Store(max(end, w.now.Load()))
			return cond()
		}
	}
	return true
}

// After runs f on the simulation when d has passed. f must not block; an actor started by Go may.
func (w *World) After(d time.Duration, f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.queue.set(&event{call: f}, w.in(d))
	}
}

// Open is the number of loops that have not been released, and of sockets that have not been closed.
func (w *World) Open() (loops, sockets int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.loops, w.sockets
}

// Close ends the simulation: its clock stands still, its sockets are closed, its loops are called no more. Handlers and actors that are
// in Sleep end there, as by runtime.Goexit, one after the other and before Close returns, unless the simulation itself calls Close.
func (w *World) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	w.closed = true
	for _, h := range w.hosts {
		h.closeSockets(nil)
	}
	slices.SortFunc(w.queue.heap, func(a, b *event) int { return cmp.Compare(a.seq, b.seq) })
	var asleep []*sleeper
	for _, e := range w.queue.heap {
		e.pos = 0
		if e.asleep != nil {
			asleep = append(asleep, e.asleep)
		}
	}
	w.queue.heap = nil
	for _, s := range asleep {
		if w.active {
			w.coroutines.loose = append(w.coroutines.loose, s.worker)
			close(s.wake)
		} else {
			w.resume(s)
			w.mu.Lock()
		}
	}
	w.coroutines.close()
}

func (w *World) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.active {
		panic("sim: Step, Run or RunUntil called while the simulation runs")
	}
	w.active = true
}

func (w *World) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.active = false
}

// in is the instant in d from now. The lock is held.
func (w *World) in(d time.Duration) int64 {
	now := w.now.Load()
	return now + min(max(int64(d), 0), math.MaxInt64-now)
}

// maxSteps is how many events one instant may have. Only a simulation in which two loops answer each other over a path without delay
// for ever, and so keep the clock from moving, has as many.
const maxSteps = 1 << 22

type progress int

const (
	nothing progress = iota // is due before the limit
	ran                     // an event
	yielded                 // to a handler that is running beside the simulation
)

// due tells whether an event is due at this instant.
func (w *World) due() bool {
	e := w.queue.first()
	return e != nil && e.at <= w.now.Load()
}

// step runs the next event, if it is due by limit.
func (w *World) step(limit int64) progress {
	w.mu.Lock()
	if len(w.coroutines.loose) > 0 && !w.due() {
		w.mu.Unlock()
		if w.unsettled() {
			return yielded
		}
		w.mu.Lock()
	}
	e := w.queue.first()
	if !w.due() {
		if e == nil || e.at > limit {
			w.mu.Unlock()
			return nothing
		}
		w.now.Store(e.at)
		w.steps = 0
	}
	if w.steps++; w.steps > w.limit {
		w.steps = 0
		w.mu.Unlock()
		panic(fmt.Sprintf("sim: %d events at %v: time stands still", w.limit, w.Now()))
	}
	w.queue.remove(e)
	switch { // each releases the lock
	case e.loop != nil:
		w.turn(e.loop)
	case e.arrival != nil:
		w.arrive(e.arrival)
	case e.asleep != nil:
		w.resume(e.asleep)
	case e.actor != nil:
		w.start(job{actor: e.actor})
	default:
		w.mu.Unlock()
		e.call()
	}
	return ran
}
