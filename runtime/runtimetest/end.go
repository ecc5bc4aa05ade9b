package runtimetest

import (
	"context"
	"errors"
	"net/netip"

	"github.com/sansrtc/rtc/runtime"
)

var endTests = []Test{
	{"Done", "Released is called once, after a Turn that returned Done; no other call follows", func(b *bench) {
		for _, sockets := range []int{0, 1, 3} {
			l, peer := b.loop(b.h.A), b.loop(b.h.B)
			s := peer.listen(b.h.AddrB, 0)
			var to []runtime.UDPSocket
			for range sockets {
				to = append(to, l.listen(b.h.AddrA, 0))
			}
			l.with(func() { l.onDispatch = func(int) {} })
			l.post(3)
			b.eventually("the events should be dispatched", l.holds(func() bool { return l.dispatched == 3 }))
			l.end()
			b.eventually("Released should be called", l.isReleased)
			l.post(1)
			l.host.WakeAt(l.rt.Now())
			for _, t := range to {
				s.Send(&runtime.Datagrams{Local: s.LocalAddr(), Remote: t.LocalAddr(), Data: []byte("x")})
			}
			b.never("Released should be called once", l.holds(func() bool { return l.released > 1 }))
		}
	}},
	{"DoneCloses", "after Released no socket of the loop is left, and the Host's methods do nothing", func(b *bench) {
		l, peer := b.loop(b.h.A), b.loop(b.h.B)
		to := peer.listen(b.h.AddrB, 0)
		s := l.listen(b.h.AddrA, 0)
		l.listen(any4, 0)
		addr := s.LocalAddr()
		l.end()
		b.eventually("Released should be called", l.isReleased)
		err := s.Send(&runtime.Datagrams{Local: addr, Remote: to.LocalAddr(), Data: []byte("x")})
		if !errors.Is(err, runtime.ErrClosed) {
			b.Errorf("Send on a socket of a loop that has ended returns %v, want ErrClosed", err)
		}
		if err := s.Close(); err != nil {
			b.Errorf("Close of a socket of a loop that has ended: %v", err)
		}
		l.host.Wake()
		l.host.WakeAt(l.rt.Now())
		if _, err := l.host.ListenUDP(context.Background(), netip.AddrPortFrom(b.h.AddrA, 0)); !errors.Is(err, runtime.ErrClosed) {
			b.Errorf("ListenUDP of a loop that has ended returns %v, want ErrClosed", err)
		}
		next := b.loop(b.h.A)
		if again := next.listen(b.h.AddrA, addr.Port()); again.LocalAddr() != addr {
			b.Errorf("the port is given as %v, want %v", again.LocalAddr(), addr)
		}
	}},
	{"DoneDuringDispatch", "a loop is not Released before its handler has returned", func(b *bench) {
		l := b.loop(b.h.A)
		l.listen(b.h.AddrA, 0)
		release := b.blockDispatch(l)
		defer release()
		l.end()
		b.eventually("a Turn should be called while Dispatch blocks", l.holds(func() bool { return l.done }))
		b.never("Released should not be called while Dispatch blocks", l.isReleased)
		release()
		b.eventually("Released should be called when Dispatch has returned", l.isReleased)
	}},
	{"DoneFromDispatch", "a handler may end its own loop", func(b *bench) {
		for range 20 {
			l := b.loop(b.h.A)
			l.listen(b.h.AddrA, 0)
			l.with(func() { l.onDispatch = func(int) { l.end() } })
			l.post(1)
			b.eventually("Released should be called", l.isReleased)
		}
	}},
	{"DoneAlone", "the end of one loop is nothing to another", func(b *bench) {
		l, peer := b.loop(b.h.A), b.loop(b.h.B)
		s, to := l.listen(b.h.AddrA, 0), peer.listen(b.h.AddrB, 0)
		peer.echo()
		for n := 1; n <= 10; n++ {
			other := b.loop(b.h.A)
			other.listen(b.h.AddrA, 0)
			other.end()
			b.eventually("Released should be called", other.isReleased)
			b.send(s, to.LocalAddr(), "x")
			b.eventually("an answer should arrive", l.hasData(n))
		}
	}},
}
