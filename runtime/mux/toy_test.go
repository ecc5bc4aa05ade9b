package mux

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	goruntime "runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sansrtc/rtc/runtime"
)

// toy is a loop that has one socket and writes down what arrives.
type toy struct {
	t      testing.TB
	name   string
	host   runtime.Host
	socket *socket

	mu       sync.Mutex
	got      []string
	failed   error
	quit     bool
	answer   atomic.Bool // sends each datagram back
	released chan struct{}
}

func newToy(t testing.TB, rt *Runtime, name string, ufrags ...string) *toy {
	t.Helper()
	l := &toy{t: t, name: name, released: make(chan struct{})}
	h, err := rt.Spawn(l)
	if err != nil {
		t.Fatal(err)
	}
	l.host = h
	s, err := h.ListenUDP(context.Background(), netip.MustParseAddrPort("[::]:0"))
	if err != nil {
		t.Fatal(err)
	}
	l.socket = s.(*socket)
	for _, u := range ufrags {
		if err := l.socket.ClaimUfrag(u); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(l.end)
	return l
}

func (l *toy) Receive(_ time.Time, s runtime.UDPSocket, d *runtime.Datagrams) {
	l.mu.Lock()
	defer l.mu.Unlock()
	size := d.SegmentSize
	if size == 0 {
		size = max(1, len(d.Data))
	}
	for rest := d.Data; ; rest = rest[size:] {
		one := rest[:min(size, len(rest))]
		if u := requestUfrag(one); u != nil {
			l.got = append(l.got, "check "+string(u))
		} else {
			l.got = append(l.got, string(one))
		}
		if len(rest) <= size {
			break
		}
	}
	if l.answer.Load() {
		_ = s.Send(d)
	}
	clear(d.Data) // "it may overwrite Data"
}

func (l *toy) SocketFailed(_ time.Time, _ runtime.UDPSocket, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = err
}

func (l *toy) Turn(time.Time) runtime.Next {
	l.mu.Lock()
	defer l.mu.Unlock()
	return runtime.Next{Done: l.quit}
}

func (l *toy) Dispatch() {}

func (l *toy) Released() { close(l.released) }

// end ends the loop, once.
func (l *toy) end() {
	l.mu.Lock()
	l.quit = true
	l.mu.Unlock()
	l.host.Wake()
	<-l.released
}

// send sends one datagram to a client.
func (l *toy) send(c *client, data string) {
	l.t.Helper()
	if err := l.socket.Send(&runtime.Datagrams{Remote: c.addr(), Data: []byte(data)}); err != nil {
		l.t.Fatalf("%s: %v", l.name, err)
	}
}

// take waits for n datagrams and forgets them.
func (l *toy) take(n int) (got []string) {
	l.t.Helper()
	eventually(l.t, fmt.Sprintf("%s receives %d datagrams", l.name, n), func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.got) >= n
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	got, l.got = l.got, nil
	return got
}

// wants fails the test unless the next that l receives is this.
func (l *toy) wants(why string, data ...string) {
	l.t.Helper()
	if got := l.take(len(data)); fmt.Sprint(got) != fmt.Sprint(data) {
		l.t.Errorf("%s: %s received %q, want %q", why, l.name, got, data)
	}
}

// client is a socket of somebody else.
type client struct {
	t    testing.TB
	conn *net.UDPConn
	to   netip.AddrPort
}

func newClient(t testing.TB, rt *Runtime) *client {
	t.Helper()
	lo := netip.MustParseAddr("127.0.0.1")
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(lo, 0)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &client{t, conn, netip.AddrPortFrom(lo, rt.LocalAddr().Port())}
}

func (c *client) addr() netip.AddrPort { return c.conn.LocalAddr().(*net.UDPAddr).AddrPort() }

func (c *client) send(data string) {
	c.t.Helper()
	if _, err := c.conn.WriteToUDPAddrPort([]byte(data), c.to); err != nil {
		c.t.Fatal(err)
	}
}

// check sends a connectivity check.
func (c *client) check(ufrag string) { c.send(string(request(ufrag + ":peer"))) }

// eventually waits until cond holds.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for limit := time.Now().Add(10 * time.Second); !cond(); <-time.NewTimer(time.Millisecond).C {
		if time.Now().After(limit) {
			buf := make([]byte, 1<<16)
			t.Fatalf("%s: not so after 10 s\n%s", what, buf[:goruntime.Stack(buf, true)])
		}
	}
}

func open(t testing.TB, cfg Config) *Runtime {
	t.Helper()
	rt, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rt.Close() })
	return rt
}
