package runtimetest

import (
	"io"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/sansrtc/rtc/runtime"
)

var worldTests = []Test{
	{"ManyLoops", "a runtime hosts many loops at once", func(b *bench) {
		const pairs, rounds = 100, 5
		var left []*loop
		for range pairs {
			l, peer := b.loop(b.h.A), b.loop(b.h.B)
			s, to := l.listen(b.h.AddrA, 0), peer.listen(b.h.AddrB, 0)
			peer.echo()
			l.with(func() {
				l.onReceive = func(runtime.UDPSocket, *runtime.Datagrams) { l.events++ }
				l.onDispatch = func(event int) {
					if event+1 < rounds {
						b.send(s, to.LocalAddr(), "ping")
					}
				}
			})
			b.send(s, to.LocalAddr(), "ping")
			left = append(left, l)
		}
		for _, l := range left {
			b.eventually("each loop should get its answers", l.holds(func() bool { return l.dispatched == rounds }))
		}
	}},
	{"Now", "the clock goes on, and never back", func(b *bench) {
		l := b.loop(b.h.A)
		start := b.h.A.Now()
		last := start
		l.with(func() {
			l.onTurn = func(now time.Time) runtime.Next { return runtime.Next{At: now.Add(time.Millisecond)} }
		})
		l.host.Wake()
		b.eventually("the clock should go on", func() bool {
			now := b.h.A.Now()
			if now.Before(last) {
				b.Errorf("the clock goes back by %v", last.Sub(now))
			}
			last = now
			return now.Sub(start) >= 10*time.Millisecond
		})
		l.with(func() {
			if l.lastTurn.Before(start) || l.lastTurn.After(b.h.A.Now()) {
				b.Errorf("a Turn is told %v, which is not between %v and %v", l.lastTurn, start, b.h.A.Now())
			}
		})
	}},
	{"Rand", "Rand gives bytes, to anybody who asks", func(b *bench) {
		var mu sync.Mutex
		var all [][32]byte
		var readers sync.WaitGroup
		for range 4 {
			readers.Go(func() {
				for range 50 {
					var got [32]byte
					if _, err := io.ReadFull(b.h.A.Rand(), got[:]); err != nil {
						b.Errorf("Rand: %v", err)
					}
					mu.Lock()
					all = append(all, got)
					mu.Unlock()
				}
			})
		}
		readers.Wait()
		seen := map[[32]byte]bool{}
		for _, got := range all {
			if seen[got] {
				b.Fatal("Rand gives the same 32 bytes twice")
			}
			seen[got] = true
		}
	}},
	{"Interfaces", "Interfaces lists the network interfaces that are up, with unmapped addresses", func(b *bench) {
		list, err := b.h.A.Interfaces()
		if err != nil {
			b.Fatalf("Interfaces: %v", err)
		}
		var addrs []netip.Addr
		for _, i := range list {
			if i.Name == "" {
				b.Errorf("an interface has no name: %+v", i)
			}
			for _, a := range i.Addrs {
				if !a.IsValid() || a.Is4In6() || a.IsUnspecified() || a.IsLoopback() != i.Loopback {
					b.Errorf("%s has the address %v, Loopback is %v", i.Name, a, i.Loopback)
				}
				if a.Is6() && a.IsLinkLocalUnicast() && a.Zone() == "" {
					b.Errorf("%s has the address %v without its zone", i.Name, a)
				}
				addrs = append(addrs, a)
			}
		}
		for _, a := range []netip.Addr{b.h.AddrA, b.h.Addr6A} {
			if a.IsValid() && !slices.Contains(addrs, a.WithZone("")) {
				b.Errorf("%v is not on any interface: %v", a, addrs)
			}
		}
	}},
}
