package worker

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sansrtc/rtc/runtime"
	"github.com/sansrtc/rtc/runtime/internal/together"
)

// Socket is a socket of a host.
type Socket interface {
	runtime.UDPSocket
	// Closed tells whether Close was called.
	Closed() bool
}

// Listen opens a socket for h, in whatever way the runtime does that.
type Listen func(h *Host, local netip.AddrPort) (Socket, error)

// Host is a loop's place on a worker.
type Host struct {
	pool   *Pool
	loop   runtime.Loop
	listen Listen

	// refs counts those who will still call the loop: the host itself until Done, and each Dispatch. Who counts the last one down calls
	// Released.
	refs atomic.Int32

	turning sync.Mutex // see the package's comment
	last    time.Time  // the latest time that the loop was told
	touched bool       // something was received, and the host is in the list of a worker that will turn it
	away    int        // receives in a row by a worker that is not the home

	home  atomic.Pointer[Worker] // changed holding the mu of the old and the new one
	woken atomic.Bool            // a Turn is wanted now; set under home.mu

	// Guarded by home.mu.
	at     time.Time // when the next Turn is due; zero: not by itself
	again  bool      // a Dispatch has ended its goroutine: another one is due
	queued bool      // is in home's queue
	slot   int       // in home's deadlines

	done atomic.Bool // written holding turning and home.mu

	mu      sync.Mutex
	ended   bool
	sockets []Socket // open ones
}

// lock locks the mu of h's home.
func (h *Host) lock() *Worker {
	for {
		w := h.home.Load()
		w.mu.Lock()
		if w == h.home.Load() {
			return w
		}
		w.mu.Unlock()
	}
}

// Home is the worker that h belongs to.
func (h *Host) Home() *Worker { return h.home.Load() }

// Wake implements [runtime.Host].
func (h *Host) Wake() {
	// The Turn that will clear the flag comes after this load, so it sees all that the caller did before.
	if !h.woken.Load() {
		h.want(false)
	}
}

// want has h turned, and dispatched if again is true.
func (h *Host) want(again bool) {
	w := h.lock()
	defer w.mu.Unlock()
	if h.done.Load() {
		return
	}
	h.again = h.again || again
	h.woken.Store(true)
	w.enqueue(h)
}

// WakeAt implements [runtime.Host].
func (h *Host) WakeAt(t time.Time) {
	w := h.lock()
	defer w.mu.Unlock()
	if t.IsZero() || h.done.Load() || (!h.at.IsZero() && !t.Before(h.at)) {
		return
	}
	h.at = t
	w.schedule(h)
}

// ListenUDP implements [runtime.Host].
func (h *Host) ListenUDP(ctx context.Context, local netip.AddrPort) (runtime.UDPSocket, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if h.done.Load() {
		return nil, runtime.ErrClosed
	}
	s, err := h.listen(h, local)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	if !h.ended {
		h.sockets = append(h.sockets, s)
	}
	ended := h.ended
	h.mu.Unlock()
	if ended {
		s.Close()
		return nil, runtime.ErrClosed
	}
	return s, nil
}

// Go runs f on a goroutine that counts as h's: Released is not called before f returns. It reports false if h has ended.
func (h *Host) Go(f func()) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		return false
	}
	h.refs.Add(1)
	go func() {
		defer h.release()
		f()
	}()
	return true
}

// Forget is called for a socket that was closed.
func (h *Host) Forget(s Socket) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sockets = slices.DeleteFunc(h.sockets, func(o Socket) bool { return o == s })
}

// receive hands d to the loop, and reports whether nobody else will turn it for that.
func (h *Host) receive(w *Worker, s Socket, d *runtime.Datagrams) (first bool) {
	h.turning.Lock()
	defer h.turning.Unlock()
	if h.done.Load() || s.Closed() {
		return false
	}
	h.loop.Receive(h.tick(time.Now()), s, d)
	if w != nil {
		h.follow(w)
	}
	first = !h.touched
	h.touched = true
	return first
}

// Receive hands d to the loop, on a goroutine that is no worker's, and has it turned.
func (h *Host) Receive(s Socket, d *runtime.Datagrams) {
	if h.receive(nil, s, d) {
		h.Wake()
	}
}

// Failed tells the loop that s, which was just closed for that, will receive no more.
func (h *Host) Failed(s Socket, err error) {
	h.turning.Lock()
	if !h.done.Load() {
		h.loop.SocketFailed(h.tick(time.Now()), s, err)
	}
	h.turning.Unlock()
	h.Wake()
}

// moveAfter is how many receives in a row by another worker make it the home.
const moveAfter = 8

// follow moves h to the worker that reads for it. Called with turning held.
func (h *Host) follow(w *Worker) {
	from := h.home.Load()
	if from == w {
		h.away = 0
		return
	}
	if h.away++; h.away < moveAfter {
		return
	}
	h.away = 0
	first, second := from, w
	if first.index > second.index {
		first, second = second, first
	}
	// Only here homes change, and turning is held: from still is the home.
	first.mu.Lock()
	second.mu.Lock()
	from.deadlines.remove(h)
	wanted := h.queued // the entry in from's queue counts no more
	h.queued = false
	h.home.Store(w)
	w.users++
	from.leave()
	if wanted {
		w.enqueue(h)
	}
	w.schedule(h)
	second.mu.Unlock()
	first.mu.Unlock()
	from.load.Add(-1)
	w.load.Add(1)
}

// turn calls Turn and notes the answer. If events is true the caller has a reference for the Dispatch that it is to call.
func (h *Host) turn(now time.Time) (events, done bool) {
	h.turning.Lock()
	defer h.turning.Unlock()
	h.touched = false
	if h.done.Load() {
		return false, false
	}
	// What was asked for until here the coming Turn knows of. What is asked for while it runs is joined with its answer.
	w := h.lock()
	h.woken.Store(false)
	h.at = time.Time{}
	w.mu.Unlock()
	next := h.loop.Turn(h.tick(now))
	w = h.lock()
	defer w.mu.Unlock()
	if next.Done {
		h.done.Store(true)
		w.deadlines.remove(h)
		return false, true
	}
	if at := together.At(next, w.load.Load(), w.pool.epoch); h.at.IsZero() || (!at.IsZero() && at.Before(h.at)) {
		h.at = at
	}
	w.schedule(h)
	if events = next.Events || h.again; events {
		h.again = false
		h.refs.Add(1)
	}
	return events, false
}

// tick returns now, but never an earlier time than before: two goroutines that read the clock may arrive here in the other order. Called
// with turning held.
func (h *Host) tick(now time.Time) time.Time {
	if now.After(h.last) {
		h.last = now
	}
	return h.last
}

// shutdown lets go of everything after Done. It is called once.
func (h *Host) shutdown() {
	h.mu.Lock()
	h.ended = true
	open := slices.Clone(h.sockets)
	h.mu.Unlock()
	for _, s := range open {
		s.Close()
	}
	h.release()
}

func (h *Host) release() {
	if h.refs.Add(-1) != 0 {
		return
	}
	h.pool.hosts.Add(-1)
	w := h.home.Load() // no call of the loop is left that could move it
	w.load.Add(-1)
	h.loop.Released()
	w.mu.Lock()
	w.leave()
	w.mu.Unlock()
}
