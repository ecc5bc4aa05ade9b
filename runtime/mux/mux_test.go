package mux

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	goruntime "runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sansrtc/rtc/runtime"
)

// "A STUN Binding request whose USERNAME begins with a username fragment that a socket has claimed": to that socket; "else to the socket that
// owns the remote address"; "else nowhere".
func TestRouting(t *testing.T) {
	rt := open(t, Config{Shards: 2})
	a, b := newToy(t, rt, "a", "aaaa", "aaaa2"), newToy(t, rt, "b", "bbbb")
	x, y := newClient(t, rt), newClient(t, rt)

	x.check("aaaa")
	a.wants("its check", "check aaaa")
	x.send("data")
	x.check("zzzz")
	x.send("\x01\x01 a response")
	y.check("bbbb")
	b.wants("its check", "check bbbb")
	eventually(t, "what nobody owns is counted", func() bool {
		st := rt.Stats()
		return st.UnknownAddress == 1 && st.UnknownUfrag == 1 && st.UnknownSTUN == 1
	})
	if n := rt.Stats().Routes; n != 0 {
		t.Errorf("%d routes are learned from what arrives", n)
	}
	a.send(x, "answer")
	b.send(y, "answer")
	for range 20 {
		x.send("from x")
		a.wants("it owns the address", "from x")
		y.send("from y")
		b.wants("it owns the address", "from y")
	}
	x.check("aaaa2")
	a.wants("its second username fragment", "check aaaa2")
	x.check("bbbb")
	b.wants("the username fragment goes before the address", "check bbbb")
	x.check("zzzz")
	eventually(t, "a request to nobody is not for the owner of the address", func() bool { return rt.Stats().UnknownUfrag == 2 })
	x.send("")
	a.wants("an empty datagram", "")
}

// What claims nothing is told apart by addresses only.
func TestLoopWithoutUfrag(t *testing.T) {
	rt := open(t, Config{})
	a := newToy(t, rt, "a")
	x := newClient(t, rt)
	a.send(x, "hello")
	x.check("zzzz")
	a.wants("everything from there", "check zzzz")
}

// "So a peer that roams is followed."
func TestRoaming(t *testing.T) {
	rt := open(t, Config{Shards: 2})
	a := newToy(t, rt, "a", "aaaa")
	a.answer.Store(true)
	for range 10 {
		x := newClient(t, rt)
		x.check("aaaa")
		a.wants("from a new address", "check aaaa")
		x.send("data")
		a.wants("the address is its own since it has answered", "data")
	}
	if n := rt.Stats().Routes; n != 10 {
		t.Errorf("%d routes", n)
	}
}

// Everybody can name another client's address as a candidate, and even forge its source: who is there keeps its address.
func TestAddressIsNotStolen(t *testing.T) {
	rt := open(t, Config{})
	victim, thief := newToy(t, rt, "victim", "vvvv"), newToy(t, rt, "thief", "tttt")
	x := newClient(t, rt)
	x.check("vvvv")
	victim.take(1)
	victim.send(x, "answer")

	thief.send(x, "a check to the candidate")
	x.send("data")
	victim.wants("sending does not make the thief the owner", "data")
	x.check("vvvv")
	victim.take(1)
	x.check("tttt") // forged by the thief
	thief.wants("it is its username fragment", "check tttt")
	thief.send(x, "answer")
	x.send("data")
	victim.wants("a forged request does not make the thief the owner", "data")
	if n := rt.Stats().Contested; n != 2 {
		t.Errorf("%d contested sends, want 2", n)
	}
	victim.end()
	thief.send(x, "again")
	x.send("data")
	thief.wants("an address that nobody owns", "data")
}

// A client that got a port which another one has left: the loop that it asks becomes the owner when it answers, although the other lives on.
func TestNewcomerTakesOver(t *testing.T) {
	rt := open(t, Config{})
	old, young := newToy(t, rt, "old", "oooo"), newToy(t, rt, "young", "yyyy")
	x := newClient(t, rt)
	old.send(x, "a check to the candidate") // nothing was ever heard of old's peer there
	x.check("yyyy")
	young.take(1)
	x.send("before the answer")
	old.wants("it is the owner until somebody answers", "before the answer")
	young.send(x, "answer")
	old.send(x, "another check")
	x.send("data")
	young.wants("it was asked, and has answered", "data")
}

func TestUfragCollision(t *testing.T) {
	rt := open(t, Config{})
	a, b := newToy(t, rt, "a", "same"), newToy(t, rt, "b")
	x := newClient(t, rt)
	if err := b.socket.ClaimUfrag("same"); !errors.Is(err, ErrUfragTaken) {
		t.Errorf("a second claim: %v", err)
	}
	if err := a.socket.ClaimUfrag("same"); err != nil {
		t.Errorf("the same claim again: %v", err)
	}
	x.check("same")
	a.wants("the first claim counts", "check same")
	a.socket.Close()
	if err := b.socket.ClaimUfrag("same"); err != nil {
		t.Errorf("a claim that was given up: %v", err)
	}
	x.check("same")
	b.wants("the new claim counts", "check same")
	if err := a.socket.ClaimUfrag("other"); !errors.Is(err, runtime.ErrClosed) {
		t.Errorf("a claim of a closed socket: %v", err)
	}
	for _, u := range []string{"", "abc", "ab:cd", "ab cd", strings.Repeat("x", 257)} {
		if err := b.socket.ClaimUfrag(u); !errors.Is(err, ErrUfragInvalid) {
			t.Errorf("a claim of %q: %v", u, err)
		}
	}
	for i := range 10 {
		if err := b.socket.ClaimUfrag(fmt.Sprintf("more%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := rt.Stats().Claims; n != maxClaims {
		t.Errorf("%d claims, want %d", n, maxClaims)
	}
	x.check("more9")
	x.check("more0")
	x.check("more6")
	b.wants("the last claims count", "check more9", "check more6")
}

// One receive of the kernel may carry STUN for one socket beside data for another.
func TestSlabWithSTUN(t *testing.T) {
	rt := open(t, Config{})
	a, b := newToy(t, rt, "a", "aaaa"), newToy(t, rt, "b", "bbbb")
	x := newClient(t, rt)
	a.send(x, "hello")
	check := request("bbbb:peer")
	filler := strings.Repeat("d", len(check))
	d := &runtime.Datagrams{Local: x.to, Remote: x.addr(), Data: []byte(filler + string(check) + filler + "last"), SegmentSize: len(check)}
	rt.deliver(nil, d)
	a.wants("the data", filler, filler, "last")
	b.wants("the check", "check bbbb")
	rt.deliver(nil, &runtime.Datagrams{Local: x.to, Remote: x.addr(), Data: []byte(filler + filler + "la"), SegmentSize: len(filler)})
	a.wants("a slab of data is handed on as it is", filler, filler, "la")
	y := netip.MustParseAddrPort("192.0.2.9:9")
	rt.deliver(nil, &runtime.Datagrams{Local: x.to, Remote: y, Data: []byte("xxxyyyz"), SegmentSize: 3})
	if n := rt.Stats().UnknownAddress; n != 3 {
		t.Errorf("%d datagrams of unknown addresses, want 3", n)
	}
}

// "If a socket has claimed ufrag when UnknownUfrag returns, it gets the request."
func TestUnknownUfrag(t *testing.T) {
	var rt *Runtime
	var late *toy
	var calls atomic.Int64
	gate := make(chan struct{})
	rt = open(t, Config{UnknownUfrag: func(ufrag string, from netip.AddrPort) {
		<-gate
		calls.Add(1)
		if ufrag == "lazy" {
			if !from.Addr().IsLoopback() {
				t.Errorf("asked from %v", from)
			}
			late = newToy(t, rt, "late", "lazy")
		}
	}})
	x := newClient(t, rt)
	for range 5 {
		x.check("lazy")
	}
	x.check("none")
	eventually(t, "two requests wait", func() bool {
		rt.lobby.mu.Lock()
		defer rt.lobby.mu.Unlock()
		return len(rt.lobby.waiting) == 2
	})
	close(gate)
	eventually(t, "both were told", func() bool { return calls.Load() == 2 && rt.Stats().UnknownUfrag == 1 })
	late.wants("the request that asked", "check lazy")
	late.answer.Store(true)
	x.check("lazy")
	late.wants("the next one", "check lazy")
	x.send("data")
	late.wants("and data", "data")
	if rt.Stats().Overload != 0 {
		t.Errorf("%+v", rt.Stats())
	}
}

// "One call runs at a time, at most 64 wait, and there are no more than 500 a second."
func TestUnknownUfragIsBounded(t *testing.T) {
	gate := make(chan struct{})
	var inside, calls atomic.Int64
	rt := open(t, Config{UnknownUfrag: func(string, netip.AddrPort) {
		if inside.Add(1) > 1 {
			t.Error("two calls at a time")
		}
		<-gate
		calls.Add(1)
		inside.Add(-1)
	}})
	d := func(i int) *runtime.Datagrams {
		return &runtime.Datagrams{
			Local: netip.MustParseAddrPort("127.0.0.1:1"), Remote: netip.MustParseAddrPort("127.0.0.1:2"),
			Data: request(fmt.Sprintf("flood%d:x", i)),
		}
	}
	before := goruntime.NumGoroutine()
	for i := range 1000 {
		rt.lobby.admit(d(i), fmt.Sprintf("flood%d", i), time.Second)
	}
	rt.lobby.mu.Lock()
	if n := len(rt.lobby.waiting); n != lobbySize {
		t.Errorf("%d requests wait", n)
	}
	rt.lobby.mu.Unlock()
	if n := goruntime.NumGoroutine() - before; n > 1 {
		t.Errorf("%d goroutines for the hook", n)
	}
	if n := rt.Stats().Overload; n != 1000-lobbySize {
		t.Errorf("%d were dropped", n)
	}
	close(gate)
	eventually(t, "all that waited are told", func() bool { return calls.Load() == lobbySize && rt.Stats().UnknownUfrag == lobbySize })
	// The burst is used up: a tenth of a second allows for fifty.
	for i := range 1000 {
		rt.lobby.admit(d(i), fmt.Sprintf("again%d", i), time.Second+100*time.Millisecond)
	}
	eventually(t, "those of a tenth of a second are told", func() bool { return calls.Load() == lobbySize+lobbyRate/10 })
	big := d(1)
	big.Data = make([]byte, maxRequest+1)
	rt.lobby.admit(big, "big1", 10*time.Second)
	if n := calls.Load(); n != lobbySize+lobbyRate/10 {
		t.Errorf("%d calls", n)
	}
}

// "ListenUDP … unspecified or equal".
func TestListenAddress(t *testing.T) {
	rt := open(t, Config{Addr: netip.MustParseAddrPort("127.0.0.1:0")})
	a := newToy(t, rt, "a")
	port := rt.LocalAddr().Port()
	for addr, ok := range map[string]bool{
		"[::]:0": true, "0.0.0.0:0": true, "127.0.0.1:0": true, rt.LocalAddr().String(): true, fmt.Sprintf("[::]:%d", port): true,
		"127.0.0.2:0": false, "[::1]:0": false, fmt.Sprintf("127.0.0.1:%d", port+1): false, "0.0.0.0:1": false,
	} {
		s, err := a.host.ListenUDP(context.Background(), netip.MustParseAddrPort(addr))
		if ok != (err == nil) || err != nil && !errors.Is(err, ErrAddress) {
			t.Errorf("ListenUDP(%s): %v", addr, err)
		}
		if s != nil && s.LocalAddr() != rt.LocalAddr() {
			t.Errorf("ListenUDP(%s) listens on %v", addr, s.LocalAddr())
		}
	}
}

// The shards share a port with each other and with nobody else, and each client always meets the same one.
func TestPortIsTaken(t *testing.T) {
	rt := open(t, Config{Addr: netip.MustParseAddrPort("127.0.0.1:0"), Shards: 4})
	var opErr *net.OpError
	if _, err := New(Config{Addr: rt.LocalAddr(), Shards: 4}); !errors.As(err, &opErr) {
		t.Errorf("a second mux on the port: %v", err)
	}
	if _, err := New(Config{Addr: rt.LocalAddr(), Shards: 1}); !errors.As(err, &opErr) {
		t.Errorf("a second mux on the port: %v", err)
	}
	if _, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(rt.LocalAddr())); err == nil {
		t.Error("a plain socket on the port")
	}
	rt.Close()
	again := open(t, Config{Addr: rt.LocalAddr(), Shards: 2})
	if again.LocalAddr() != rt.LocalAddr() {
		t.Errorf("the port is given as %v, want %v", again.LocalAddr(), rt.LocalAddr())
	}
}

// Close tells the loops that their sockets have failed, and they live on until they end.
func TestClose(t *testing.T) {
	rt := open(t, Config{Shards: 2})
	a, b := newToy(t, rt, "a", "aaaa"), newToy(t, rt, "b", "bbbb")
	x := newClient(t, rt)
	a.send(x, "hello")
	b.end()
	rt.Close()
	rt.Close()
	a.mu.Lock()
	failed := a.failed
	a.mu.Unlock()
	if failed == nil {
		t.Error("SocketFailed should be called")
	}
	if err := a.socket.Send(&runtime.Datagrams{Remote: x.addr(), Data: []byte("x")}); !errors.Is(err, runtime.ErrClosed) {
		t.Errorf("Send: %v", err)
	}
	if _, err := rt.Spawn(a); !errors.Is(err, runtime.ErrClosed) {
		t.Errorf("Spawn: %v", err)
	}
	if _, err := a.host.ListenUDP(context.Background(), netip.MustParseAddrPort("[::]:0")); !errors.Is(err, runtime.ErrClosed) {
		t.Errorf("ListenUDP: %v", err)
	}
	if st := rt.Stats(); st.Claims+st.Routes != 0 || st.Hosts != 1 {
		t.Errorf("%+v", st)
	}
}

// Everything at once: sockets that come and go, claims, sends to the same few clients, and what they send.
func TestStress(t *testing.T) {
	rt := open(t, Config{Shards: 2, UnknownUfrag: func(string, netip.AddrPort) {}})
	var clients []*client
	for range 4 {
		clients = append(clients, newClient(t, rt))
	}
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() {
			for n := range 40 {
				ufrag := fmt.Sprintf("u%dn%d", i, n)
				l := newToy(t, rt, ufrag, ufrag)
				l.answer.Store(n%2 == 0)
				for _, c := range clients {
					l.send(c, "x")
					c.check(ufrag)
					c.send("data")
				}
				if n%3 == 0 {
					l.socket.Close()
				}
				l.end()
			}
		})
	}
	all.Wait()
	if st := rt.Stats(); st.Claims+st.Routes != 0 || st.Hosts != 0 {
		t.Errorf("what is left: %+v", st)
	}
	if n := rt.routes.anyway.Load(); n != 0 {
		t.Errorf("%d routes without a local address are counted", n)
	}
}
