//go:build !portable

package loop

import (
	"context"
	"errors"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sansrtc/rtc/runtime"
)

// catcher is a loop that passes on what it hears.
type catcher struct {
	host     runtime.Host
	got      chan string
	failed   chan error
	quit     chan struct{}
	released chan struct{}
}

func newCatcher(t *testing.T, rt *Runtime) (*catcher, *socket) {
	t.Helper()
	l := &catcher{got: make(chan string, 100), failed: make(chan error, 2), quit: make(chan struct{}), released: make(chan struct{})}
	var err error
	if l.host, err = rt.Spawn(l); err != nil {
		t.Fatal(err)
	}
	s, err := l.host.ListenUDP(context.Background(), netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { close(l.quit); l.host.Wake(); <-l.released })
	return l, s.(*socket)
}

func (l *catcher) Receive(_ time.Time, _ runtime.UDPSocket, d *runtime.Datagrams) {
	l.got <- string(d.Data)
}
func (l *catcher) SocketFailed(_ time.Time, _ runtime.UDPSocket, err error) { l.failed <- err }
func (l *catcher) Dispatch()                                                {}
func (l *catcher) Released()                                                { close(l.released) }
func (l *catcher) Turn(time.Time) runtime.Next {
	select {
	case <-l.quit:
		return runtime.Next{Done: true}
	default:
		return runtime.Next{}
	}
}

func receive[T any](t *testing.T, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(10 * time.Second):
		t.Fatalf("%s: nothing after 10 s", what)
	}
	return v
}

// A socket that only fails is told of once and closed; the loop goes on.
func TestSocketFailed(t *testing.T) {
	l, s := newCatcher(t, New(Config{Workers: 1}))
	// Another descriptor takes the place of the socket's: every receive fails from now on. It can be read, so the worker is told.
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[1])
	_ = s.bare.Control(func(fd uintptr) {
		_ = unix.Dup3(fds[0], int(fd), unix.O_CLOEXEC)
		_ = unix.Close(fds[0])
	})
	s.Ready(s.host.Home())
	if err := receive(t, "SocketFailed", l.failed); !errors.Is(err, unix.ENOTSOCK) {
		t.Fatalf("SocketFailed with %v", err)
	}
	if err := s.Send(&runtime.Datagrams{Remote: s.LocalAddr(), Data: []byte("x")}); err != runtime.ErrClosed {
		t.Fatalf("Send on a failed socket: %v", err)
	}
	again, err := l.host.ListenUDP(context.Background(), netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Send(&runtime.Datagrams{Remote: again.LocalAddr(), Data: []byte("hello")}); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, "a datagram", l.got); got != "hello" || len(l.failed) != 0 {
		t.Fatalf("received %q, %d more failures", got, len(l.failed))
	}
}

// "A Send waits at most 5 ms for room in the system's buffer, since others wait behind it."
func TestSendDoesNotWaitForLong(t *testing.T) {
	rt := New(Config{Workers: 1})
	l, s := newCatcher(t, rt)
	full := true
	tries := 0
	rt.net.Fault = func(int, int) syscall.Errno {
		if tries++; full {
			return unix.EAGAIN
		}
		return 0
	}
	start := time.Now()
	if err := s.Send(&runtime.Datagrams{Remote: s.LocalAddr(), Data: []byte("x")}); err != unix.EAGAIN {
		t.Fatalf("Send into a full buffer: %v", err)
	}
	if d := time.Since(start); d < sendPatience || d > 500*time.Millisecond {
		t.Errorf("Send took %v", d)
	}
	full, tries = false, 0
	if err := s.Send(&runtime.Datagrams{Remote: s.LocalAddr(), Data: []byte("y")}); err != nil || tries != 1 {
		t.Errorf("Send afterwards: %v after %d tries", err, tries)
	}
	if got := receive(t, "a datagram", l.got); got != "y" {
		t.Errorf("received %q", got)
	}
}
