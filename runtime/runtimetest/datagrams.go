package runtimetest

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/sansrtc/rtc/runtime"
)

var datagramTests = []Test{
	{"Slab", "a slab arrives as the same datagrams, in order", func(b *bench) {
		for _, c := range []struct{ size, n, last int }{
			{1, 2, 1}, {100, 1, 100}, {100, 7, 1}, {1200, 3, 1200}, {1200, 10, 17}, {1228, 30, 1228}, {1400, 44, 900},
		} {
			for _, f := range b.families() {
				b.slab(f, c.size, c.n, c.last)
			}
		}
	}},
	{"SlabMax", "MaxSegments datagrams, and more, may be sent at once", func(b *bench) {
		f := b.families()[0]
		l := b.loop(f.a)
		limit := l.listen(f.addrA, 0).MaxSegments()
		if limit < 1 {
			b.Fatalf("MaxSegments is %d", limit)
		}
		for _, n := range []int{limit, limit + 1, 2*limit + 3} {
			b.slab(f, 200, n, 150)
		}
	}},
	{"SegmentSizeZero", "SegmentSize 0, or one that is not smaller than Data, means that Data is one datagram", func(b *bench) {
		l, peer := b.loop(b.h.A), b.loop(b.h.B)
		s, to := l.listen(b.h.AddrA, 0), peer.listen(b.h.AddrB, 0)
		for n, size := range []int{0, 5, 6, 1000} {
			d := &runtime.Datagrams{Local: s.LocalAddr(), Remote: to.LocalAddr(), Data: []byte("hello"), SegmentSize: size}
			if err := s.Send(d); err != nil {
				b.Fatalf("Send with SegmentSize %d: %v", size, err)
			}
			b.eventually("one datagram should arrive", peer.hasData(n+1))
			if got := peer.data(); len(got) != n+1 || got[n] != "hello" {
				b.Fatalf("with SegmentSize %d arrives %q", size, got)
			}
		}
	}},
	{"Sizes", "datagrams of any size arrive as they were sent, empty ones too", func(b *bench) {
		for _, f := range b.families() {
			l, peer := b.loop(f.a), b.loop(f.b)
			s, to := l.listen(f.addrA, 0), peer.listen(f.addrB, 0)
			for n, size := range []int{0, 1, 0, 20, 1200, 0, 1452, 1} {
				want := strings.Repeat("x", size)
				b.send(s, to.LocalAddr(), want)
				b.eventually("the datagram should arrive", peer.hasData(n+1))
				if got := peer.data()[n]; got != want {
					b.Fatalf("a datagram of %d bytes arrives as %d bytes", size, len(got))
				}
			}
		}
	}},
	{"SendKeepsNothing", "Send does not keep what it is given", func(b *bench) {
		l, peer := b.loop(b.h.A), b.loop(b.h.B)
		s, to := l.listen(b.h.AddrA, 0), peer.listen(b.h.AddrB, 0)
		d := &runtime.Datagrams{Data: make([]byte, 64)}
		var want []string
		for n := range 50 {
			d.Local, d.Remote, d.SegmentSize = s.LocalAddr(), to.LocalAddr(), 32
			copy(d.Data, fmt.Sprintf("%032d%032d", n, -n))
			want = append(want, split(d)...)
			if err := s.Send(d); err != nil {
				b.Fatalf("Send: %v", err)
			}
			clear(d.Data)
			d.Remote, d.SegmentSize = s.LocalAddr(), 1
		}
		b.eventually("all should arrive", peer.hasData(len(want)))
		if got := peer.data(); !slices.Equal(got, want) {
			b.Errorf("received %q, want %q", got, want)
		}
	}},
	{"SendFromAnywhere", "a socket's methods may be called from any goroutine", func(b *bench) {
		l, peer := b.loop(b.h.A), b.loop(b.h.B)
		s, to := l.listen(b.h.AddrA, 0), peer.listen(b.h.AddrB, 0)
		const senders, each = 4, 20
		var all sync.WaitGroup
		for i := range senders {
			all.Go(func() {
				for n := range each {
					d := &runtime.Datagrams{Local: s.LocalAddr(), Remote: to.LocalAddr(), Data: fmt.Appendf(nil, "%d %02d", i, n)}
					if err := s.Send(d); err != nil {
						b.Errorf("Send: %v", err)
					}
				}
			})
		}
		all.Wait()
		b.eventually("all should arrive", peer.hasData(senders*each))
		got := peer.data()
		slices.Sort(got)
		if n := len(slices.Compact(got)); n != senders*each {
			b.Errorf("%d different datagrams arrive of %d", n, senders*each)
		}
	}},
	{"SendInReceive", "Send works within Receive, Turn and Dispatch", func(b *bench) {
		l, peer := b.loop(b.h.A), b.loop(b.h.B)
		s, to := l.listen(b.h.AddrA, 0), peer.listen(b.h.AddrB, 0)
		peer.echo()
		const hops = 100
		l.with(func() {
			l.onReceive = func(runtime.UDPSocket, *runtime.Datagrams) {
				if len(l.got) < hops {
					b.send(s, to.LocalAddr(), "ping")
				}
			}
			l.onDispatch = func(int) { b.send(s, to.LocalAddr(), "ping") }
		})
		l.post(1)
		b.eventually("a hundred answers should arrive", l.hasData(hops))
	}},
}

// slab sends n datagrams of the given size, the last of another one, at once.
func (b *bench) slab(f family, size, n, last int) {
	b.Helper()
	l, peer := b.loop(f.a), b.loop(f.b)
	s, to := l.listen(f.addrA, 0), peer.listen(f.addrB, 0)
	d := &runtime.Datagrams{Local: s.LocalAddr(), Remote: to.LocalAddr(), SegmentSize: size, Data: make([]byte, (n-1)*size+last)}
	for i := range d.Data {
		d.Data[i] = byte(i*7 + i/size)
	}
	want := split(d)
	if d.Segments() != n || len(want) != n {
		b.Fatalf("Segments is %d for %d datagrams", d.Segments(), n)
	}
	if err := s.Send(d); err != nil {
		b.Fatalf("Send of %d datagrams of %d bytes: %v", n, size, err)
	}
	b.eventually(fmt.Sprintf("%d datagrams of %d bytes should arrive", n, size), peer.hasData(n))
	if got := peer.data(); !slices.Equal(got, want) {
		b.Errorf("of %d datagrams of %d bytes, the last of %d, others arrive than were sent", n, size, last)
	}
}
