package std

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sansrtc/rtc/runtime"
)

// arrival is a copy of what a Receive handed in.
type arrival struct {
	local, remote netip.AddrPort
	data          string
	segment       int
}

// catcher is a loop that passes on what it receives.
func catcher(t testing.TB, rt *Runtime) (*toy, chan arrival) {
	c := make(chan arrival, 1000)
	l := newToy()
	l.receive = func(_ time.Time, _ runtime.UDPSocket, d *runtime.Datagrams) {
		c <- arrival{d.Local, d.Remote, string(d.Data), d.SegmentSize}
		clear(d.Data) // "it may overwrite Data"
	}
	return l.spawn(t, rt), c
}

// Local "is the address that the datagrams … were sent to", and a send from it comes from it, also on a socket that listens on all.
func TestWildcardSocketKnowsItsAddresses(t *testing.T) {
	rt := New(Config{})
	l, got := catcher(t, rt)
	list, err := rt.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	var v4, v6 []netip.Addr
	for _, i := range list {
		for _, a := range i.Addrs {
			if a.Is4() {
				v4 = append(v4, a)
			} else {
				v6 = append(v6, a)
			}
		}
	}
	for _, listen := range []string{"0.0.0.0:0", "[::]:0"} {
		s, o := l.listen(t, listen), l.listen(t, listen)
		addrs := v4
		if s.LocalAddr().Addr().Is6() {
			addrs = append(v6, v4...)
		}
		for _, a := range addrs {
			from, to := netip.AddrPortFrom(a, o.LocalAddr().Port()), netip.AddrPortFrom(a, s.LocalAddr().Port())
			if err := o.Send(&runtime.Datagrams{Local: from, Remote: to, Data: []byte(a.String())}); err != nil {
				t.Fatalf("%v -> %v: %v", from, to, err)
			}
			if d := receive(t, a.String(), got); d.local != to || d.remote != from || d.data != a.String() {
				t.Fatalf("sent %v -> %v, received %+v", from, to, d)
			}
		}
		to := netip.AddrPortFrom(v4[0], s.LocalAddr().Port())
		if err := o.Send(&runtime.Datagrams{Remote: to, Data: []byte("x")}); err != nil {
			t.Fatal(err)
		}
		if d := receive(t, "without a local address", got); d.local != to || !d.remote.Addr().IsValid() || d.remote.Addr().IsUnspecified() {
			t.Fatalf("sent to %v, received %+v", to, d)
		}
		s.Close()
		o.Close()
	}
	l.end(t)
}

func TestSocketOfOneAddress(t *testing.T) {
	l, got := catcher(t, New(Config{}))
	for _, a := range loopbacks(t) {
		s := l.listen(t, netip.AddrPortFrom(a, 0).String())
		if s.LocalAddr().Addr() != a || s.LocalAddr().Port() == 0 {
			t.Fatalf("LocalAddr is %v", s.LocalAddr())
		}
		if err := s.Send(&runtime.Datagrams{Remote: s.LocalAddr(), Data: []byte("x")}); err != nil {
			t.Fatal(err)
		}
		if d := receive(t, "datagram", got); d.local != s.LocalAddr() || d.remote != s.LocalAddr() {
			t.Fatalf("%+v", d)
		}
	}
	l.end(t)
}

func TestListenErrors(t *testing.T) {
	l := newToy().spawn(t, New(Config{}))
	s := l.listen(t, "127.0.0.1:0")
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := l.host.ListenUDP(cancelled, s.LocalAddr()); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	var addrErr *net.AddrError
	if _, err := l.host.ListenUDP(context.Background(), netip.AddrPort{}); !errors.As(err, &addrErr) {
		t.Errorf("zero address: %v", err)
	}
	var opErr *net.OpError
	if _, err := l.host.ListenUDP(context.Background(), s.LocalAddr()); !errors.As(err, &opErr) {
		t.Errorf("taken port: %v", err)
	}
	if _, err := l.host.ListenUDP(context.Background(), netip.MustParseAddrPort("192.0.2.1:0")); !errors.As(err, &opErr) {
		t.Errorf("address of others: %v", err)
	}
	l.end(t)
}

// "An error concerns these datagrams only".
func TestSendErrorsAreOfOneDatagram(t *testing.T) {
	l, got := catcher(t, New(Config{}))
	s := l.listen(t, "127.0.0.1:0")
	for why, d := range map[string]runtime.Datagrams{
		"too long":       {Remote: s.LocalAddr(), Data: make([]byte, 70000)},
		"other family":   {Remote: netip.MustParseAddrPort("[::1]:9"), Data: []byte("x")},
		"invalid remote": {Data: []byte("x")},
	} {
		if err := s.Send(&d); err == nil || errors.Is(err, runtime.ErrClosed) {
			t.Errorf("%s: %v", why, err)
		}
	}
	// Nobody listens there. The ICMP error that comes back must not break the socket.
	gone := l.listen(t, "127.0.0.1:0")
	gone.Close()
	for range 10 {
		if err := s.Send(&runtime.Datagrams{Remote: gone.LocalAddr(), Data: []byte("x")}); err != nil {
			t.Fatal(err)
		}
	}
	for _, data := range []string{"still alive", ""} {
		if err := s.Send(&runtime.Datagrams{Remote: s.LocalAddr(), Data: []byte(data)}); err != nil {
			t.Fatal(err)
		}
		if d := receive(t, "datagram", got); d.data != data {
			t.Fatalf("received %q, want %q", d.data, data)
		}
	}
	l.end(t)
}

func TestReceiveIsNotCalledAfterClose(t *testing.T) {
	l, got := catcher(t, New(Config{}))
	for range 50 {
		s := l.listen(t, "127.0.0.1:0")
		o := l.listen(t, "127.0.0.1:0")
		for range 5 {
			_ = o.Send(&runtime.Datagrams{Remote: s.LocalAddr(), Data: []byte("x")})
		}
		turned := make(chan struct{})
		once := false
		l.setTurn(func(time.Time) runtime.Next {
			if !once {
				once = true
				s.Close()
				for len(got) > 0 {
					<-got
				}
				close(turned)
			}
			return runtime.Next{}
		})
		l.host.Wake()
		receive(t, "Turn", turned)
		pause(time.Millisecond)
		if n := len(got); n != 0 {
			t.Fatalf("%d times Receive after Close", n)
		}
		if err := s.Close(); err != nil {
			t.Fatalf("second Close: %v", err)
		}
		o.Close()
	}
	l.end(t)
}

// A loop may close a socket from within the Receive that reads it.
func TestCloseFromWithinReceive(t *testing.T) {
	for _, first := range []bool{true, false} {
		l := newToy()
		closed := make(chan struct{})
		l.receive = func(_ time.Time, s runtime.UDPSocket, _ *runtime.Datagrams) {
			s.Close()
			close(closed)
		}
		l.spawn(t, New(Config{}))
		a, b := l.listen(t, "127.0.0.1:0"), l.listen(t, "127.0.0.1:0")
		to, from := a, b
		if !first {
			to, from = b, a
		}
		if err := from.Send(&runtime.Datagrams{Remote: to.LocalAddr(), Data: []byte("x")}); err != nil {
			t.Fatal(err)
		}
		receive(t, "Close returns", closed)
		l.end(t)
	}
}

// Promise 2, one goroutine: also when the sockets beside the last one are closed, whichever that is.
func TestTheLastSocketIsReadByTheDriver(t *testing.T) {
	base := baseline(t)
	for keep := range 3 {
		l, got := catcher(t, New(Config{}))
		var events int
		l.turn = func(time.Time) runtime.Next { events++; return runtime.Next{Events: true} }
		dispatched := make(chan struct{}, 1000)
		l.dispatch = func() { dispatched <- struct{}{} }
		var sockets []runtime.UDPSocket
		for range 3 {
			sockets = append(sockets, l.listen(t, "127.0.0.1:0"))
		}
		wantGoroutines(t, "a reader for each further socket", base+3)
		for _, s := range sockets {
			_ = s.Send(&runtime.Datagrams{Remote: s.LocalAddr(), Data: []byte("x")})
			receive(t, "datagram on each socket", got)
			receive(t, "Dispatch after it", dispatched)
		}
		for i, s := range sockets {
			if i != keep {
				s.Close()
			}
		}
		wantGoroutines(t, "one when one socket is left", base+1)
		s := sockets[keep]
		_ = s.Send(&runtime.Datagrams{Remote: s.LocalAddr(), Data: []byte("x")})
		receive(t, "datagram on the last socket", got)
		s.Close()
		n := l.turns.Load()
		l.host.Wake()
		eventually(t, "Wake works without a socket", func() bool { return l.turns.Load() > n })
		o := l.listen(t, "127.0.0.1:0")
		_ = o.Send(&runtime.Datagrams{Remote: o.LocalAddr(), Data: []byte("x")})
		receive(t, "datagram on a new socket", got)
		wantGoroutines(t, "one with a new socket", base+1)
		l.end(t)
	}
}

func TestInterfaces(t *testing.T) {
	rt := New(Config{})
	list, err := rt.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range list {
		if i.Name == "" || i.Index == 0 || i.MTU <= 0 {
			t.Errorf("incomplete: %+v", i)
		}
		for j, a := range i.Addrs {
			if !a.IsValid() || a.Is4In6() || a.Is6() && a.IsLinkLocalUnicast() != (a.Zone() == i.Name) {
				t.Errorf("%s: address %v", i.Name, a)
			}
			i.Addrs[j] = netip.Addr{} // the answer is the caller's
		}
		if got := rt.net.Interfaces.ZoneIndex(i.Name); got != uint32(i.Index) {
			t.Errorf("zone %s has index %d, want %d", i.Name, got, i.Index)
		}
		if got := rt.net.Interfaces.ZoneName(uint32(i.Index)); got != i.Name {
			t.Errorf("index %d is zone %s, want %s", i.Index, got, i.Name)
		}
	}
	again, err := rt.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	loopback := 0
	for _, i := range again {
		for _, a := range i.Addrs {
			if !a.IsValid() {
				t.Errorf("%s: the cache was changed through an answer", i.Name)
			}
			if i.Loopback && a.IsLoopback() {
				loopback++
			}
		}
	}
	if loopback == 0 {
		t.Error("no loopback address")
	}
	if got := rt.net.Interfaces.ZoneName(1 << 20); got != "1048576" {
		t.Errorf("an unknown index is zone %q", got)
	}
	if got := rt.net.Interfaces.ZoneIndex("1048576"); got != 1<<20 {
		t.Errorf("a zone that is a number has index %d", got)
	}
}

func TestRandAndDefault(t *testing.T) {
	if one, two := Default(), Default(); one != two {
		t.Error("Default makes a new Runtime each time")
	}
	var b [32]byte
	if n, err := Default().Rand().Read(b[:]); n != len(b) || err != nil || strings.Trim(string(b[:]), "\x00") == "" {
		t.Errorf("Rand gave %d bytes %x, %v", n, b, err)
	}
}
