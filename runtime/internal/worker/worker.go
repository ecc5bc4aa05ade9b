package worker

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/sansrtc/rtc/runtime"
	"github.com/sansrtc/rtc/runtime/internal/monitor"
)

// Worker is one goroutine that works for many hosts.
type Worker struct {
	pool  *Pool
	index int
	load  atomic.Int64 // hosts

	lease   atomic.Uint64 // see the package's comment
	handoff *time.Timer   // armed only while lease is odd

	mu        sync.Mutex
	users     int     // hosts and watched descriptors: the worker runs while there are some
	running   bool    // there is a driver
	queue     []*Host // to be turned
	head      int     // the first in queue
	deadlines deadlines
	parked    bool      // the driver waits, or is about to, and nobody has poked it yet
	armed     time.Time // until when; zero: not by itself

	poller poller

	// Owned by the driver.
	turns   int     // how many of the queue may be turned before the next look at the descriptors
	touched []*Host // hosts that have received something and are to be turned
}

// Index is w's place among its pool's workers.
func (w *Worker) Index() int { return w.index }

// littleEarly is how much too early a deadline may be. To wake up for nothing costs an idle process as much as some hundred moves.
const littleEarly = 100 * time.Millisecond

// past is a deadline that ends a wait at once.
var past = time.Unix(1, 0)

// Receive hands d to h's loop, on the driver of w, and has it turned when the [Source] that is Ready has returned.
func (w *Worker) Receive(h *Host, s Socket, d *runtime.Datagrams) {
	if h.receive(w, s, d) {
		w.touched = append(w.touched, h)
	}
}

// join counts a user, and starts the worker for the first one.
func (w *Worker) join() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.running {
		if err := w.poller.open(); err != nil {
			return err
		}
		w.running = true
		w.armed = time.Time{}
		go w.drive()
	}
	w.users++
	return nil
}

// leave takes a user back. Called with mu held.
func (w *Worker) leave() {
	if w.users--; w.users == 0 {
		w.poke()
	}
}

// enqueue has h turned. Called with mu held.
func (w *Worker) enqueue(h *Host) {
	if !h.queued {
		h.queued = true
		w.queue = append(w.queue, h)
		w.poke()
	}
}

// poke ends the driver's wait, if it waits. Called with mu held.
func (w *Worker) poke() {
	if w.parked {
		// From here the driver counts as running. A deadline set before it has noticed would undo the poke, so none is.
		w.parked = false
		w.arm(past)
	}
}

// schedule sees that h is turned at h.at. Called with mu held.
func (w *Worker) schedule(h *Host) {
	if h.at.IsZero() {
		return // an entry that is left is passed over when its time comes
	}
	w.deadlines.set(h, w.pool.stamp(h.at))
	if w.parked && (w.armed.IsZero() || h.at.Before(w.armed)) {
		w.arm(h.at)
	}
}

// arm tells the poller when the wait is to end. Called with mu held.
func (w *Worker) arm(t time.Time) {
	w.armed = t
	w.poller.arm(t)
}

// drive is the life of a driver. It ends when the worker has no users or another goroutine has taken over.
func (w *Worker) drive() {
	for w.step() {
	}
}

// step does one thing, so that after each Dispatch everything is where another driver finds it. It reports whether the caller still drives.
func (w *Worker) step() bool {
	if n := len(w.touched); n > 0 {
		h := w.touched[n-1]
		w.touched[n-1] = nil
		w.touched = w.touched[:n-1]
		return w.turn(h)
	}
	if w.poller.ready(w) {
		return true
	}
	if w.turns > 0 {
		w.turns--
		if h := w.dequeue(); h != nil {
			return w.turn(h)
		}
		return true
	}
	return w.wait()
}

// dequeue takes the next host of the queue that still wants its Turn.
func (w *Worker) dequeue() *Host {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.head == len(w.queue) {
		w.turns = 0
		return nil
	}
	h := w.queue[w.head]
	w.queue[w.head] = nil
	if w.head++; w.head == len(w.queue) {
		w.queue, w.head = w.queue[:0], 0
	}
	// The host may have moved to another worker, and come back: only the entry that made it queued counts.
	if h.home.Load() != w || !h.queued {
		return nil
	}
	h.queued = false
	if !h.woken.Load() && (h.at.IsZero() || w.pool.stamp(h.at) > w.pool.stamp(time.Now())) {
		return nil // it was turned for another reason
	}
	return h
}

// turnsAtOnce is how many of the queue are turned between two looks at the descriptors. Neither Wakes that never end, nor the deadlines of
// thousands of hosts that are late, keep the others from what arrives: else a worker that was kept from running for a while would never catch
// up, since each host that has not heard an answer sends again.
const turnsAtOnce = 64

// wait waits until something is to be done.
func (w *Worker) wait() bool {
	now := time.Now()
	w.mu.Lock()
	if w.users == 0 {
		w.stop()
		w.mu.Unlock()
		return false
	}
	w.expire(now)
	park := w.head == len(w.queue)
	if park {
		var at time.Time
		if len(w.deadlines) > 0 {
			at = w.pool.epoch.Add(time.Duration(w.deadlines[0].at))
		}
		// A deadline that is a little too early is left as it is: it ends one wait for nothing, which is cheaper than moving it for each
		// packet.
		if !w.armed.After(now) || (!at.IsZero() && (at.Before(w.armed) || at.Sub(w.armed) > littleEarly)) {
			if !w.armed.IsZero() || !at.IsZero() {
				w.arm(at)
			}
		}
		w.parked = true
	}
	w.mu.Unlock()
	w.poller.wait(w, park)
	w.mu.Lock()
	w.parked = false
	w.expire(time.Now())
	w.turns = min(len(w.queue)-w.head, turnsAtOnce)
	w.mu.Unlock()
	return true
}

// expire queues the hosts whose time has come. Called with mu held.
func (w *Worker) expire(now time.Time) {
	for limit := w.pool.stamp(now); len(w.deadlines) > 0 && w.deadlines[0].at <= limit; {
		h := w.deadlines[0].host
		w.deadlines.remove(h)
		if h.at.IsZero() {
			continue
		}
		if at := w.pool.stamp(h.at); at > limit {
			w.deadlines.set(h, at)
		} else if !h.queued {
			h.queued = true
			w.queue = append(w.queue, h)
		}
	}
}

// stop ends the worker, until the next user comes. Called with mu held.
func (w *Worker) stop() {
	w.running = false
	w.queue, w.head, w.deadlines, w.touched, w.turns = nil, 0, nil, nil, 0
	w.handoff.Stop()
	w.poller.close()
}

// turn turns h and runs its handlers, and reports whether the caller still drives.
func (w *Worker) turn(h *Host) bool {
	events, done := h.turn(time.Now())
	if done {
		h.shutdown()
	}
	return !events || w.dispatch(h)
}

// dispatch runs h's handlers. If it reports false, another goroutine drives.
func (w *Worker) dispatch(h *Host) (driving bool) {
	lease := w.lease.Add(1)
	w.handoff.Reset(w.pool.after)
	monitor.Wake()
	returned := false
	defer func() {
		if !returned {
			// A handler has ended its goroutine by runtime.Goexit, as t.FailNow does. The connection goes on, and what that Dispatch
			// has left behind, also what it has taken over from others, needs another one.
			h.want(true)
		}
		if driving = w.lease.CompareAndSwap(lease, lease+1); driving {
			w.handoff.Stop()
		}
		h.release()
		if !returned && driving {
			go w.drive()
		}
	}()
	h.loop.Dispatch()
	returned = true
	return
}

// takeOver makes the handoff timer's goroutine the driver, if a Dispatch still runs.
func (w *Worker) takeOver() {
	if lease := w.lease.Load(); lease%2 != 0 && w.lease.CompareAndSwap(lease, lease+1) {
		w.pool.handoffs.Add(1)
		w.drive()
	}
}
