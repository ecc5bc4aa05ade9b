package worker

import (
	"fmt"
	"net/netip"
	goruntime "runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sansrtc/rtc/runtime"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// toy is a loop whose parts a test fills in. It holds what is promised of the calls to a Loop: Receive and Turn one at a time, nothing
// after Done but Released, Released once and last.
type toy struct {
	turn     func(now time.Time) runtime.Next
	dispatch func()

	host     *Host
	inLoop   atomic.Int32
	inside   atomic.Int32
	receives atomic.Int64
	turns    atomic.Int64
	ended    atomic.Bool
	quit     atomic.Bool
	last     time.Time
	busy     sync.Mutex // guards the next two
	running  bool
	again    bool
	released chan struct{}
	wrong    atomic.Pointer[string]
}

func spawn(t testing.TB, p *Pool, l *toy) *toy {
	t.Helper()
	l.released = make(chan struct{})
	l.busy.Lock()
	defer l.busy.Unlock()
	h, err := p.Spawn(l, func(*Host, netip.AddrPort) (Socket, error) { return new(stub), nil })
	if err != nil {
		t.Fatal(err)
	}
	l.host = h
	return l
}

func (l *toy) mistake(format string, args ...any) {
	s := fmt.Sprintf(format, args...)
	l.wrong.CompareAndSwap(nil, &s)
}

func (l *toy) enter(what string, now time.Time) func() {
	if l.inLoop.Add(1) != 1 {
		l.mistake("%s while another call ran", what)
	}
	l.inside.Add(1)
	if l.ended.Load() {
		l.mistake("%s after Done", what)
	}
	if now.Before(l.last) {
		l.mistake("%s at %v, earlier than %v", what, now, l.last)
	}
	l.last = now
	return func() {
		l.inside.Add(-1)
		l.inLoop.Add(-1)
	}
}

func (l *toy) Receive(now time.Time, _ runtime.UDPSocket, _ *runtime.Datagrams) {
	defer l.enter("Receive", now)()
	l.receives.Add(1)
}

func (l *toy) SocketFailed(now time.Time, _ runtime.UDPSocket, _ error) {
	defer l.enter("SocketFailed", now)()
}

func (l *toy) Turn(now time.Time) (next runtime.Next) {
	defer l.enter("Turn", now)()
	l.turns.Add(1)
	if l.turn != nil {
		next = l.turn(now)
	}
	if l.quit.Load() {
		next.Done = true
		l.ended.Store(true)
	}
	return next
}

func (l *toy) Dispatch() {
	l.inside.Add(1)
	defer l.inside.Add(-1)
	l.busy.Lock()
	defer l.busy.Unlock()
	if l.again = true; l.running {
		return // the one that runs takes over
	}
	l.running = true
	defer func() { l.running = false }()
	for l.again {
		l.again = false
		l.handle()
	}
}

// handle runs the handler with busy unlocked. It may end the goroutine.
func (l *toy) handle() {
	l.busy.Unlock()
	defer l.busy.Lock()
	if l.dispatch != nil {
		l.dispatch()
	}
}

func (l *toy) Released() {
	if !l.ended.Load() {
		l.mistake("Released before Done")
	}
	if n := l.inside.Load(); n != 0 {
		l.mistake("Released while %d calls ran", n)
	}
	close(l.released) // panics the second time
}

// end makes the loop return Done and waits for Released.
func (l *toy) end(t testing.TB) {
	t.Helper()
	l.quit.Store(true)
	l.host.Wake()
	receive(t, "Released", l.released)
	if s := l.wrong.Load(); s != nil {
		t.Fatal(*s)
	}
}

// stub is a socket that nothing arrives on but what a test says.
type stub struct{ closed atomic.Bool }

func (s *stub) LocalAddr() netip.AddrPort     { return netip.AddrPort{} }
func (s *stub) Send(*runtime.Datagrams) error { return nil }
func (s *stub) MaxSegments() int              { return 1 }
func (s *stub) Close() error                  { s.closed.Store(true); return nil }
func (s *stub) Closed() bool                  { return s.closed.Load() }

// receive waits for a value.
func receive[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(10 * time.Second):
		buf := make([]byte, 1<<16)
		t.Fatalf("%s: nothing after 10 s\n%s", what, buf[:goruntime.Stack(buf, true)])
		panic("unreachable")
	}
}

// eventually waits until cond holds.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for limit := time.Now().Add(10 * time.Second); !cond(); pause(time.Millisecond) {
		if time.Now().After(limit) {
			buf := make([]byte, 1<<16)
			t.Fatalf("%s: not so after 10 s\n%s", what, buf[:goruntime.Stack(buf, true)])
		}
	}
}

// pause waits for the system, which no test can move on.
func pause(d time.Duration) { <-time.NewTimer(d).C }

// check holds each worker's counters against what they count.
func (p *Pool) check() {
	for _, w := range p.workers {
		w.mu.Lock()
		w.check()
		w.mu.Unlock()
	}
}

func (w *Worker) check() {
	bug := func(format string, args ...any) { panic("BUG: worker: " + fmt.Sprintf(format, args...)) }
	w.deadlines.check(bug)
	for _, d := range w.deadlines {
		h := d.host
		switch {
		case h.home.Load() != w:
			bug("a deadline of a host that is elsewhere")
		case h.done.Load():
			bug("a deadline of a host that has ended")
		case !h.at.IsZero() && d.at > w.pool.stamp(h.at):
			bug("an entry at %v is too late for %v", d.at, w.pool.stamp(h.at))
		}
	}
	if w.head > len(w.queue) || w.head > 0 && w.head == len(w.queue) {
		bug("the queue begins at %d of %d", w.head, len(w.queue))
	}
	seen := map[*Host]bool{}
	for _, h := range w.queue[w.head:] {
		if h.home.Load() == w && h.queued {
			seen[h] = true
		}
	}
	if len(w.queue) > w.head && w.parked {
		bug("the driver waits with %d hosts in the queue", len(w.queue)-w.head)
	}
	if !w.running && (w.users > 0 || len(seen) > 0) {
		bug("nobody drives for %d users", w.users)
	}
}

func (d deadlines) check(bug func(format string, args ...any)) {
	for i, e := range d {
		if e.host.slot != i+1 {
			bug("entry %d is at %d for its host", i, e.host.slot-1)
		}
		if i > 0 && d[(i-1)/arity].at > e.at {
			bug("entry %d is earlier than its parent", i)
		}
	}
}
