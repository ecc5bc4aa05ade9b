package runtimetest

import (
	"context"
	"errors"
	"net/netip"

	"github.com/sansrtc/rtc/runtime"
)

var (
	any4 = netip.IPv4Unspecified()
	any6 = netip.IPv6Unspecified()
)

var socketTests = []Test{
	{"ListenPortZero", "port 0 chooses a free one", func(b *bench) {
		l := b.loop(b.h.A)
		seen := map[uint16]bool{}
		for range 50 {
			s := l.listen(b.h.AddrA, 0)
			if a := s.LocalAddr(); a.Addr() != b.h.AddrA || a.Port() == 0 || seen[a.Port()] {
				b.Fatalf("LocalAddr is %v: want %v and a port that is not taken", a, b.h.AddrA)
			}
			seen[s.LocalAddr().Port()] = true
		}
	}},
	{"ListenTaken", "an address is given to one socket at a time", func(b *bench) {
		l := b.loop(b.h.A)
		s := l.listen(b.h.AddrA, 0)
		for _, a := range []netip.Addr{b.h.AddrA, any4} {
			if _, err := l.host.ListenUDP(context.Background(), netip.AddrPortFrom(a, s.LocalAddr().Port())); err == nil {
				b.Errorf("ListenUDP(%v) should fail: the port is taken", a)
			}
		}
		port := s.LocalAddr().Port()
		s.Close()
		b.eventually("a port should be free again soon after Close", func() bool {
			again, err := l.host.ListenUDP(context.Background(), netip.AddrPortFrom(b.h.AddrA, port))
			return err == nil && again.LocalAddr().Port() == port
		})
	}},
	{"ListenElsewhere", "an address that the host does not have cannot be listened on", func(b *bench) {
		l := b.loop(b.h.A)
		if _, err := l.host.ListenUDP(context.Background(), netip.MustParseAddrPort("192.0.2.77:0")); err == nil {
			b.Error("ListenUDP should fail")
		}
	}},
	{"Echo", "Receive is called with what arrives on the loop's sockets, then Turn", func(b *bench) {
		for _, f := range b.families() {
			l, peer := b.loop(f.a), b.loop(f.b)
			s, to := l.listen(f.addrA, 0), peer.listen(f.addrB, 0)
			peer.echo()
			for n := 1; n <= 50; n++ {
				b.send(s, to.LocalAddr(), "hello")
				b.eventually("an answer should arrive", l.hasData(n))
			}
			b.eventually("a Turn should follow Receive", l.holds(func() bool { return !l.unturned }))
			l.with(func() {
				for _, d := range l.got {
					if want := (datagram{s, s.LocalAddr(), to.LocalAddr(), "hello"}); d != want {
						b.Fatalf("received %v, want %v", d, want)
					}
				}
			})
		}
	}},
	{"ListenUnspecified", "an unspecified address listens on all addresses of its family; Local is the one that was sent to", func(b *bench) {
		for _, f := range b.families() {
			b.answerFrom(f, f.unspecified, f.unspecified)
		}
	}},
	{"ListenDual", "[::] listens on all addresses of both families", func(b *bench) {
		for _, f := range b.families() {
			if b.h.Addr6B.IsValid() {
				b.answerFrom(f, f.unspecified, any6)
			}
		}
	}},
	{"SendChooses", "in a send Local may be unspecified, in either family: the system chooses", func(b *bench) {
		for _, f := range b.families() {
			from := []netip.Addr{f.addrA, f.unspecified}
			if b.h.Addr6A.IsValid() {
				from = append(from, any6)
			}
			for _, bind := range from {
				if bind.Is6() && !bind.IsUnspecified() != f.addrA.Is6() {
					continue
				}
				l, peer := b.loop(f.a), b.loop(f.b)
				s, to := l.listen(bind, 0), peer.listen(f.addrB, 0)
				b.send(s, to.LocalAddr(), "x")
				b.eventually("the datagram should arrive", peer.hasData(1))
				peer.with(func() {
					r := peer.got[0].remote
					if r.Port() != s.LocalAddr().Port() || r.Addr().IsUnspecified() || r.Addr().Is4() != f.addrA.Is4() {
						b.Errorf("Remote is %v for a socket on %v", r, s.LocalAddr())
					}
				})
			}
		}
	}},
	{"SendFrom", "Local is the address that the datagrams are sent from", func(b *bench) {
		for _, addr := range []netip.Addr{b.h.OtherA, b.h.AddrA} {
			for _, bind := range []netip.Addr{any4, any6} {
				if addr.IsValid() && (bind.Is4() || b.h.Addr6A.IsValid()) {
					f := b.families()[0]
					f.addrA = addr
					b.answerFrom(f, bind, any4)
				}
			}
		}
	}},
	{"TwoSockets", "Receive says on which of the loop's sockets something arrived", func(b *bench) {
		l, peer := b.loop(b.h.A), b.loop(b.h.B)
		var to []runtime.UDPSocket
		for range 5 {
			to = append(to, l.listen(b.h.AddrA, 0))
		}
		s := peer.listen(b.h.AddrB, 0)
		for n := range 20 {
			b.send(s, to[n%5].LocalAddr(), "x")
			b.eventually("the datagram should arrive", l.hasData(n+1))
			l.with(func() {
				if d := l.got[n]; d.s != to[n%5] || d.local != to[n%5].LocalAddr() {
					b.Fatalf("a datagram to %v is received on %v", to[n%5].LocalAddr(), d.local)
				}
			})
		}
	}},
	{"SendNowhere", "an error of Send concerns these datagrams only", func(b *bench) {
		l, peer := b.loop(b.h.A), b.loop(b.h.B)
		s, to := l.listen(b.h.AddrA, 0), peer.listen(b.h.AddrB, 0)
		peer.echo()
		gone := peer.listen(b.h.AddrB, 0)
		gone.Close()
		for n := 1; n <= 5; n++ {
			for range 3 { // nobody listens there: these may fail, and the system may complain later
				err := s.Send(&runtime.Datagrams{Local: s.LocalAddr(), Remote: gone.LocalAddr(), Data: []byte("x")})
				if errors.Is(err, runtime.ErrClosed) {
					b.Fatal("Send to where nobody listens returns ErrClosed, but the socket is open")
				}
			}
			b.send(s, to.LocalAddr(), "x")
			b.eventually("the socket should go on working", l.hasData(n))
		}
		b.never("SocketFailed should not be called", l.holds(func() bool { return l.failures > 0 }))
	}},
	{"Close", "Close is idempotent; Send returns ErrClosed afterwards; the loop is not told SocketFailed", func(b *bench) {
		l, peer := b.loop(b.h.A), b.loop(b.h.B)
		s, to := l.listen(b.h.AddrA, 0), peer.listen(b.h.AddrB, 0)
		second := l.listen(b.h.AddrA, 0)
		for range 3 {
			if err := s.Close(); err != nil {
				b.Errorf("Close: %v", err)
			}
			err := s.Send(&runtime.Datagrams{Local: s.LocalAddr(), Remote: to.LocalAddr(), Data: []byte("x")})
			if !errors.Is(err, runtime.ErrClosed) {
				b.Errorf("Send after Close returns %v", err)
			}
		}
		b.never("SocketFailed should not be called", l.holds(func() bool { return l.failures > 0 }))
		b.send(second, to.LocalAddr(), "x")
		b.eventually("the loop's other socket should go on working", peer.hasData(1))
	}},
	{"CloseInReceive", "Close works within Receive; Receive is not called for the socket after that Turn", func(b *bench) {
		l, peer := b.loop(b.h.A), b.loop(b.h.B)
		to, s := l.listen(b.h.AddrA, 0), peer.listen(b.h.AddrB, 0)
		addr := to.LocalAddr()
		var closedAt, late int
		l.with(func() {
			l.onReceive = func(got runtime.UDPSocket, d *runtime.Datagrams) {
				switch {
				case closedAt == 0:
					got.Close()
					closedAt = l.turns + 1
				case l.turns > closedAt:
					late++
				}
			}
		})
		for range 10 {
			b.send(s, addr, "x")
		}
		b.eventually("the first datagram should arrive", l.holds(func() bool { return closedAt > 0 && l.turns >= closedAt }))
		for range 10 {
			s.Send(&runtime.Datagrams{Local: s.LocalAddr(), Remote: addr, Data: []byte("x")})
		}
		b.never("Receive should not be called after the Turn", l.holds(func() bool { return late > 0 }))
	}},
}

// family is one address family's part of the harness.
type family struct {
	a, b                      runtime.Runtime
	addrA, addrB, unspecified netip.Addr
}

func (b *bench) families() []family {
	list := []family{{b.h.A, b.h.B, b.h.AddrA, b.h.AddrB, any4}}
	if b.h.Addr6A.IsValid() && b.h.Addr6B.IsValid() {
		list = append(list, family{b.h.A, b.h.B, b.h.Addr6A, b.h.Addr6B, any6})
	}
	return list
}

// answerFrom proves that a socket on an unspecified address tells where datagrams were sent to, and can answer from there.
func (b *bench) answerFrom(f family, bindA, bindB netip.Addr) {
	b.Helper()
	l, peer := b.loop(f.a), b.loop(f.b)
	s, to := l.listen(bindA, 0), peer.listen(bindB, 0)
	if a := to.LocalAddr(); !a.Addr().IsUnspecified() || a.Port() == 0 {
		b.Fatalf("LocalAddr is %v: want an unspecified address, and a port", a)
	}
	peer.echo()
	want := netip.AddrPortFrom(f.addrB, to.LocalAddr().Port())
	if err := s.Send(&runtime.Datagrams{
		Local: netip.AddrPortFrom(f.addrA, s.LocalAddr().Port()), Remote: want, Data: []byte("x"),
	}); err != nil {
		b.Fatalf("Send from %v: %v", f.addrA, err)
	}
	b.eventually("an answer should arrive", l.hasData(1))
	peer.with(func() {
		if d := peer.got[0]; d.local != want || d.remote != netip.AddrPortFrom(f.addrA, s.LocalAddr().Port()) {
			b.Errorf("a datagram from %v to %v has Local %v and Remote %v", f.addrA, want, d.local, d.remote)
		}
	})
	l.with(func() {
		if d := l.got[0]; d.remote != want || d.local.Addr() != f.addrA {
			b.Errorf("the answer has Remote %v and Local %v, want %v and %v", d.remote, d.local, want, f.addrA)
		}
	})
}

// unspecified is a Local for a send to addr that lets the system choose.
func unspecified(to netip.AddrPort) netip.AddrPort {
	if to.Addr().Is4() {
		return netip.AddrPortFrom(any4, 0)
	}
	return netip.AddrPortFrom(any6, 0)
}
