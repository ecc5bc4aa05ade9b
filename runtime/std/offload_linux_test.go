//go:build !portable

package std

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/sansrtc/rtc/runtime"
)

// deadlineAllocs is what a wait that ends by its deadline allocates.
const deadlineAllocs = 0

// split takes apart what arrived.
func split(d *runtime.Datagrams) (out []string) {
	rest := d.Data
	for range d.Segments() {
		n := len(rest)
		if d.SegmentSize > 0 {
			n = min(n, d.SegmentSize)
		}
		out = append(out, string(rest[:n]))
		rest = rest[n:]
	}
	return out
}

// TestOffloadChangesNothing: the same sends arrive as the same datagrams, whatever the kernel carries at once.
func TestOffloadChangesNothing(t *testing.T) {
	type send struct{ data, size int }
	sends := []send{{1, 0}, {1200, 0}, {1200, 1200}, {2400, 1200}, {2401, 1200}, {1, 1}, {64 * 100, 100}, {65 * 100, 100}, {200*100 + 7, 100},
		{65000, 65000}, {65507, 1200}, {100 * 1200, 1200}, {3000, 2999}, {0, 0}, {10, 50}}
	rng := rand.New(rand.NewPCG(1, 2))
	var want []string
	var slabs [][]byte
	for i, s := range sends {
		data := make([]byte, s.data)
		for j := range data {
			data[j] = byte(rng.Uint32())
		}
		if s.data > 0 {
			data[0] = byte(i)
		}
		slabs = append(slabs, data)
		want = append(want, split(&runtime.Datagrams{Data: bytes.Clone(data), SegmentSize: s.size})...)
	}
	for _, to := range loopbacks(t) {
		for mode := range 4 {
			name := fmt.Sprintf("%v gso=%v gro=%v", to, mode&1 == 0, mode&2 == 0)
			rt := New(Config{DisableGSO: mode&1 != 0, DisableGRO: mode&2 != 0})
			l := newToy()
			got := make(chan []string, 10000)
			l.receive = func(_ time.Time, _ runtime.UDPSocket, d *runtime.Datagrams) {
				if n := d.Segments(); mode&2 != 0 && n > 1 {
					l.mistake("%s: %d segments in a receive", name, n)
				}
				got <- split(d)
			}
			l.spawn(t, rt)
			s, o := l.listen(t, "[::]:0"), l.listen(t, "[::]:0")
			var all []string
			for i, data := range slabs {
				d := runtime.Datagrams{Remote: netip.AddrPortFrom(to, s.LocalAddr().Port()), Data: data, SegmentSize: sends[i].size}
				before := bytes.Clone(data)
				if err := o.Send(&d); err != nil {
					t.Fatalf("%s: send %d: %v", name, i, err)
				}
				if !bytes.Equal(data, before) {
					t.Fatalf("%s: Send changed its data", name)
				}
				for n := max(1, len(split(&d))); n > 0; {
					part := receive(t, name, got)
					all = append(all, part...)
					n -= len(part)
				}
			}
			if diff := cmp.Diff(want, all); diff != "" {
				t.Fatalf("%s: (-sent +received)\n%.500s", name, diff)
			}
			if n := rt.Stats(); n.GSOFallbacks+n.Truncated+n.ReceiveErrors != 0 {
				t.Errorf("%s: %+v", name, n)
			}
			l.end(t)
		}
	}
}

// A datagram is sent "from" its Local address, not from the one that the system would choose.
func TestSendFromAnotherAddress(t *testing.T) {
	l, got := catcher(t, New(Config{}))
	s, o := l.listen(t, "[::]:0"), l.listen(t, "[::]:0")
	for _, from := range []string{"127.0.0.2", "127.0.0.3", "127.0.0.1"} {
		d := runtime.Datagrams{
			Local:  netip.AddrPortFrom(netip.MustParseAddr(from), o.LocalAddr().Port()),
			Remote: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), s.LocalAddr().Port()),
			Data:   []byte("abc"), SegmentSize: 2,
		}
		if err := o.Send(&d); err != nil {
			t.Fatal(err)
		}
		if a := receive(t, from, got); a.remote != d.Local || a.local != d.Remote {
			t.Fatalf("sent from %v to %v, received from %v at %v", d.Local, d.Remote, a.remote, a.local)
		}
	}
	l.end(t)
}

// faulty makes a runtime whose sends meet errors, and reports what was offered to the system.
func faulty(t *testing.T, fault func(bytes, segment int) syscall.Errno) (l *toy, s runtime.UDPSocket, got chan []string, rt *Runtime) {
	rt = New(Config{})
	rt.net.Fault = fault
	l = newToy()
	got = make(chan []string, 100)
	l.receive = func(_ time.Time, _ runtime.UDPSocket, d *runtime.Datagrams) { got <- split(d) }
	l.spawn(t, rt)
	return l, l.listen(t, "127.0.0.1:0"), got, rt
}

func TestSegmentationIsGivenUp(t *testing.T) {
	l, s, _, _ := faulty(t, nil)
	most := s.MaxSegments()
	l.end(t)
	if most == 1 {
		return // nothing to give up on this kernel
	}
	data := []byte("aaabbbccc")
	want := []string{"aaa", "bbb", "ccc"}
	for _, tc := range []struct {
		name    string
		fault   func(bytes, segment int) syscall.Errno
		gone    bool // GSO is off afterwards
		refused error
	}{
		{"EIO: no checksum offload", func(n, size int) syscall.Errno {
			if n > size {
				return unix.EIO
			}
			return 0
		}, true, nil},
		{"EINVAL that splitting heals", func(n, size int) syscall.Errno {
			if n > size {
				return unix.EINVAL
			}
			return 0
		}, true, nil},
		{"EINVAL of the address, not of the segments", func(int, int) syscall.Errno { return unix.EINVAL }, false, unix.EINVAL},
		{"ENETUNREACH", func(int, int) syscall.Errno { return unix.ENETUNREACH }, false, unix.ENETUNREACH},
		{"EPERM", func(int, int) syscall.Errno { return unix.EPERM }, false, unix.EPERM},
	} {
		l, s, got, rt := faulty(t, tc.fault)
		if n := s.MaxSegments(); n != most {
			t.Fatalf("MaxSegments is %d", n)
		}
		err := s.Send(&runtime.Datagrams{Remote: s.LocalAddr(), Data: data, SegmentSize: 3})
		if err != tc.refused {
			t.Fatalf("%s: %v, want %v", tc.name, err, tc.refused)
		}
		if err == nil {
			var all []string
			for len(all) < len(want) {
				all = append(all, receive(t, tc.name, got)...)
			}
			if !slices.Equal(all, want) {
				t.Fatalf("%s: received %q", tc.name, all)
			}
		}
		if one := s.MaxSegments() == 1; one != tc.gone || rt.Stats().GSOFallbacks == 1 != tc.gone {
			t.Fatalf("%s: MaxSegments is %d, %+v", tc.name, s.MaxSegments(), rt.Stats())
		}
		l.end(t)
	}
}

func TestSendWaitsForRoom(t *testing.T) {
	for _, errno := range []syscall.Errno{unix.ENOBUFS, unix.EAGAIN, unix.EINTR, unix.ECONNREFUSED} {
		left := 2
		l, s, got, _ := faulty(t, func(int, int) syscall.Errno {
			if left--; left >= 0 {
				return errno
			}
			return 0
		})
		if errno == unix.EAGAIN {
			left = 1 // the poller knows that this socket is writable and would not tell again
		}
		if err := s.Send(&runtime.Datagrams{Remote: s.LocalAddr(), Data: []byte("x")}); err != nil {
			t.Fatalf("%v twice: %v", errno, err)
		}
		receive(t, errno.Error(), got)
		l.end(t)
	}
	// A device that stays stuck must not hold the loop for long.
	for _, errno := range []syscall.Errno{unix.ENOBUFS, unix.EAGAIN} {
		l, s, got, rt := faulty(t, func(int, int) syscall.Errno { return errno })
		start := time.Now()
		if err := s.Send(&runtime.Datagrams{Remote: s.LocalAddr(), Data: []byte("x")}); err != errno {
			t.Fatalf("%v for ever: %v", errno, err)
		}
		if d := time.Since(start); d > time.Second {
			t.Fatalf("%v for ever: Send took %v", errno, d)
		}
		rt.net.Fault = nil
		if err := s.Send(&runtime.Datagrams{Remote: s.LocalAddr(), Data: []byte("x")}); err != nil {
			t.Fatalf("after %v: %v", errno, err)
		}
		receive(t, "datagram", got)
		l.end(t)
	}
}

// A socket that only fails is told of once and closed; errors of single datagrams are passed over.
func TestSocketFailed(t *testing.T) {
	l := newToy()
	failed := make(chan error, 2)
	l.failed = func(_ runtime.UDPSocket, err error) { failed <- err }
	l.spawn(t, New(Config{}))
	s := l.listen(t, "127.0.0.1:0").(*socket)
	// Another descriptor takes the place of the socket's: every receive fails from now on.
	if err := s.system[0].Control(func(fd uintptr) {
		r, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		_ = unix.Dup3(r, int(fd), unix.O_CLOEXEC)
		_ = unix.Close(r)
	}); err != nil {
		t.Fatal(err)
	}
	l.host.Wake()
	if err := receive(t, "SocketFailed", failed); !errors.Is(err, unix.ENOTSOCK) {
		t.Fatalf("SocketFailed with %v", err)
	}
	if err := s.Send(&runtime.Datagrams{Remote: s.local, Data: []byte("x")}); err != runtime.ErrClosed {
		t.Fatalf("Send on a failed socket: %v", err)
	}
	l.listen(t, "127.0.0.1:0")
	l.end(t)
	if len(failed) != 0 {
		t.Fatal("SocketFailed twice")
	}
}
