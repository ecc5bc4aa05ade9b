package std

import (
	"context"
	"net/netip"
	goruntime "runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sansrtc/rtc/runtime"
	"github.com/sansrtc/rtc/runtime/internal/monitor"
	"github.com/sansrtc/rtc/runtime/internal/together"
)

// host runs one loop. One goroutine at a time is its driver: it calls Turn, Dispatch, and waits in the read of the primary conn, or on
// the bell while there is none. Each other conn has a reader goroutine, which calls Receive and Turn, but leaves Dispatch to the driver.
//
// # The lease
//
// lease says who drives. Even: the goroutine that drives is not in Dispatch. Odd: it is, and has armed the handoff timer. It ends its
// Dispatch, or the timer's goroutine takes over, by adding one with a compare-and-swap; lease only grows, so exactly one of them
// succeeds, however late the other comes. The one that succeeds is the driver from then on, the other ends. A timer that fires late, in
// the middle of the next Dispatch, takes that one over too early, which costs a goroutine and breaks nothing.
//
// # References
//
// refs counts the goroutines that will still touch the host: the driver, also before it begins, readers, dispatchers that have lost the lease, and the armed
// handoff timer, which stands for the goroutine it may start. Who counts the last one down calls Released.
type host struct {
	rt   *Runtime
	loop runtime.Loop

	lease   atomic.Uint64
	handoff *time.Timer // owned by the driver; armed only while lease is odd
	refs    atomic.Int32

	// turning is held during Receive, SocketFailed and Turn and while the answer is noted, so that answers are noted in the order in
	// which the loop gave them, and nothing is called after Done. Taken before mu.
	turning sync.Mutex
	last    time.Time // the latest time that the loop was told; guarded by turning

	mu       sync.Mutex
	woken    atomic.Bool // a Turn is wanted now; set under mu
	events   bool        // the driver has to call Dispatch
	done     bool        // written holding turning and mu: either is enough to read it
	begun    bool        // there is a driver: the first poke has made it
	parked   bool        // the driver waits, or is about to, or has not begun, and nobody has poked it yet
	at       time.Time   // when the next Turn is due; zero: not by itself
	primary  *conn       // what the driver is to wait for; nil: the bell
	parkedOn *conn       // what it waits for while parked; nil: the bell
	bell     chan struct{}
	sockets  []*socket // open ones
}

func spawn(rt *Runtime, loop runtime.Loop) *host {
	h := &host{rt: rt, loop: loop, parked: true}
	h.refs.Store(1)
	rt.stats.hosts.Add(1)
	return h
}

// begin is the first driver's goroutine.
func (h *host) begin() {
	growStack()
	h.drive()
}

// loopStack is what a loop's deepest work needs of the driver's stack: public-key cryptography, when a connection is made.
const loopStack = 9 << 10

// growStack makes the stack large enough for that at once, while nothing is on it. By doubling it would be copied three times, with all the
// frames that lead to that work. What is not used the garbage collector takes back.
//
//go:noinline
func growStack() {
	var room [loopStack]byte
	goruntime.KeepAlive(&room)
}

// drive is the life of a driver. It ends when the loop is done or another goroutine has taken over.
func (h *host) drive() {
	for begun := time.Now(); ; {
		now, due := h.wait()
		if !due {
			continue
		}
		events, rests, done := h.turn(now)
		if done {
			h.shutdown()
			return
		}
		if events && !h.dispatch() {
			return
		}
		if rests && now.Sub(begun) > worthResting {
			h.handoff = nil // if a lost Dispatch has left it armed, it has its reference and gives it back
			go h.drive()
			return
		}
	}
}

const (
	// longRest is a wait that is worth a new goroutine: what it needs fits into a new stack, and one that has grown never becomes as small again.
	longRest = 2 * time.Second
	// worthResting is how long a goroutine has driven before it is replaced, so that there are few of them however often a loop rests.
	worthResting = 10 * time.Millisecond
)

// turn calls the loop's Turn and notes the answer; rests says that a long wait follows. It is the driver's.
func (h *host) turn(now time.Time) (events, rests, done bool) {
	h.turning.Lock()
	h.answer(now)
	events, done = h.events, h.done
	rests = h.at.IsZero() || h.at.Sub(now) > longRest
	h.events = false
	h.mu.Unlock()
	h.turning.Unlock()
	return events, rests, done
}

// answer calls Turn and notes its answer. It is called with turning held, and returns with mu held too.
func (h *host) answer(now time.Time) {
	h.mu.Lock()
	if h.done {
		return
	}
	// What was asked for until here the coming Turn knows of. What is asked for while it runs is joined with its answer.
	h.woken.Store(false)
	h.at = time.Time{}
	h.mu.Unlock()
	next := h.loop.Turn(h.tick(now))
	h.mu.Lock()
	if at := together.At(next, h.rt.stats.hosts.Load(), h.rt.epoch); h.at.IsZero() || (!at.IsZero() && at.Before(h.at)) {
		h.at = at
	}
	h.events = h.events || next.Events
	h.done = next.Done
}

// tick returns now, but never an earlier time than before: two goroutines that read the clock may arrive here in the other order. Called
// with turning held.
func (h *host) tick(now time.Time) time.Time {
	if now.After(h.last) {
		h.last = now
	}
	return h.last
}

// dispatch runs the loop's handlers, and reports whether the caller still drives. If not, the caller's reference is gone.
func (h *host) dispatch() (driving bool) {
	if h.handoff == nil {
		h.handoff = time.AfterFunc(time.Hour, h.takeOver)
		h.handoff.Stop()
	}
	lease := h.lease.Add(1)
	h.refs.Add(1)
	if h.handoff.Reset(h.rt.handoffAfter) {
		h.refs.Add(-1) // it was still armed by a driver that lost the lease to a late timer
	}
	monitor.Wake()
	returned := false
	defer func() {
		if !returned {
			h.dispatchAgain()
		}
		driving = h.endDispatch(lease)
		if !returned && driving {
			go h.drive()
		}
	}()
	h.loop.Dispatch()
	returned = true
	return
}

// dispatchAgain is for a handler that ends its goroutine by runtime.Goexit, as t.FailNow does. The connection goes on, and what that
// Dispatch has left behind, also what it has taken over from others, needs another one.
func (h *host) dispatchAgain() {
	h.mu.Lock()
	h.events = true
	h.poke()
	h.mu.Unlock()
}

func (h *host) endDispatch(lease uint64) (driving bool) {
	if !h.lease.CompareAndSwap(lease, lease+1) {
		h.release()
		return false
	}
	if h.handoff.Stop() {
		h.refs.Add(-1)
	}
	return true
}

// takeOver makes the handoff timer's goroutine the driver, if a Dispatch still runs.
func (h *host) takeOver() {
	lease := h.lease.Load()
	if lease%2 == 0 || !h.lease.CompareAndSwap(lease, lease+1) {
		h.release()
		return
	}
	h.rt.stats.handoffs.Add(1)
	h.drive()
}

// shutdown lets go of everything after Done. The driver calls it and ends.
func (h *host) shutdown() {
	h.mu.Lock()
	open := slices.Clone(h.sockets)
	h.mu.Unlock()
	for _, s := range open {
		s.Close()
	}
	if h.handoff != nil && h.handoff.Stop() {
		h.refs.Add(-1)
	}
	h.release()
}

func (h *host) release() {
	if h.refs.Add(-1) == 0 {
		h.rt.stats.hosts.Add(-1)
		h.loop.Released()
	}
}

// ListenUDP implements [runtime.Host].
func (h *host) ListenUDP(ctx context.Context, local netip.AddrPort) (runtime.UDPSocket, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s, err := listen(h, local)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.done {
		s.closed.Store(true)
		s.closeConns()
		return nil, runtime.ErrClosed
	}
	h.sockets = append(h.sockets, s)
	for _, c := range s.conns {
		if h.primary == nil {
			h.primary = c
			h.poke()
		} else {
			h.refs.Add(1)
			go h.readConn(c)
		}
	}
	return s, nil
}
