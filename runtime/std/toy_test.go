package std

import (
	"context"
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
	receive  func(now time.Time, s runtime.UDPSocket, d *runtime.Datagrams)
	turn     func(now time.Time) runtime.Next
	dispatch func()
	failed   func(s runtime.UDPSocket, err error)

	parts    sync.Mutex // guards turn, once the loop runs
	host     runtime.Host
	inLoop   atomic.Int32 // calls of Receive, SocketFailed and Turn that run now
	inside   atomic.Int32 // calls of anything that run now
	turns    atomic.Int64
	ended    atomic.Bool // Done was returned
	quit     atomic.Bool // the next Turn returns Done
	last     time.Time   // the latest time told; no lock: the host orders the calls
	busy     sync.Mutex  // guards the next two
	running  bool        // a Dispatch runs
	again    bool        // and has to look once more
	released chan struct{}
	wrong    atomic.Pointer[string]
}

func newToy() *toy { return &toy{released: make(chan struct{})} }

func (l *toy) spawn(t testing.TB, rt *Runtime) *toy {
	t.Helper()
	h, err := rt.Spawn(l)
	if err != nil {
		t.Fatal(err)
	}
	l.host = h
	return l
}

// setTurn replaces turn while the loop runs.
func (l *toy) setTurn(f func(now time.Time) runtime.Next) {
	l.parts.Lock()
	defer l.parts.Unlock()
	l.turn = f
}

func (l *toy) mistake(format string, args ...any) {
	s := fmt.Sprintf(format, args...)
	l.wrong.CompareAndSwap(nil, &s)
}

func (l *toy) enter(what string, now time.Time) {
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
}

func (l *toy) leave() {
	l.inside.Add(-1)
	l.inLoop.Add(-1)
}

func (l *toy) Receive(now time.Time, s runtime.UDPSocket, d *runtime.Datagrams) {
	l.enter("Receive", now)
	defer l.leave()
	if l.receive != nil {
		l.receive(now, s, d)
	}
}

func (l *toy) SocketFailed(now time.Time, s runtime.UDPSocket, err error) {
	l.enter("SocketFailed", now)
	defer l.leave()
	if l.failed != nil {
		l.failed(s, err)
	}
}

func (l *toy) Turn(now time.Time) (next runtime.Next) {
	l.enter("Turn", now)
	defer l.leave()
	l.turns.Add(1)
	l.parts.Lock()
	turn := l.turn
	l.parts.Unlock()
	if turn != nil {
		next = turn(now)
	}
	if l.quit.Load() {
		next.Done = true
	}
	if next.Done {
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

// handle runs the handlers with busy unlocked. They may end the goroutine.
func (l *toy) handle() {
	l.busy.Unlock()
	defer l.busy.Lock()
	if l.dispatch != nil {
		l.dispatch()
	}
}

// takesOver tells whether the running Dispatch has work of another one.
func (l *toy) takesOver() bool {
	l.busy.Lock()
	defer l.busy.Unlock()
	return l.again
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

func (l *toy) listen(t testing.TB, local string) runtime.UDPSocket {
	t.Helper()
	s, err := l.host.ListenUDP(context.Background(), netip.MustParseAddrPort(local))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// end makes the loop return Done and waits for Released.
func (l *toy) end(t testing.TB) {
	t.Helper()
	l.quit.Store(true)
	l.host.Wake()
	select {
	case <-l.released:
	case <-time.After(10 * time.Second):
		t.Fatal("the loop should be released after Done")
	}
	if s := l.wrong.Load(); s != nil {
		t.Fatal(*s)
	}
}

// eventually waits until cond holds.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for limit := time.Now().Add(10 * time.Second); !cond(); {
		if time.Now().After(limit) {
			buf := make([]byte, 1<<16)
			t.Fatalf("%s: not so after 10 s\n%s", what, buf[:goruntime.Stack(buf, true)])
		}
		pause(time.Millisecond)
	}
}

// pause waits for the system, which no test can move on.
func pause(d time.Duration) {
	timer := time.NewTimer(d)
	<-timer.C
}

// receive waits for a value.
func receive[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(10 * time.Second):
		t.Fatalf("%s: nothing after 10 s", what)
		panic("unreachable")
	}
}

// loopbacks are the loopback addresses that this machine has.
func loopbacks(t testing.TB) (addrs []netip.Addr) {
	t.Helper()
	list, err := Default().Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range list {
		if i.Loopback {
			addrs = append(addrs, i.Addrs...)
		}
	}
	if len(addrs) == 0 {
		t.Fatal("this machine has no loopback interface")
	}
	return addrs
}
