package sim

import (
	"fmt"
	"hash/fnv"
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/sansrtc/rtc/runtime"
)

// chatter is a world of loops that talk at random: over bad paths, from behind NATs, with handlers that sleep, actors, sockets that
// open and close, and hosts that move. It returns a digest of all datagrams, and one of all that loops and actors saw.
func chatter(t testing.TB, seed uint64, length time.Duration) (packets, events string) {
	w := New(Config{Seed: seed, Link: Link{
		Delay: 10 * ms, Jitter: 3 * ms, Loss: 0.05, Duplicate: 0.02, Reorder: 0.05, Rate: 5e6,
		Burst: Burst{Enter: 0.01, Leave: 0.3, Loss: 0.8},
	}})
	defer w.Close()
	trace, seen := w.Trace(), fnv.New128a()
	note := func(format string, args ...any) {
		fmt.Fprintf(seen, "%d ", w.now.Load())
		fmt.Fprintf(seen, format+"\n", args...)
	}
	var peers []*peer
	hosts := []*Host{
		w.Host("a"), w.Host("b"),
		w.NAT("n1", Symmetric, netip.MustParseAddr("203.0.113.1")).Host("c"),
		w.NAT("n2", NATKind{Filtering: AddressDependent, Timeout: time.Second}, netip.MustParseAddr("203.0.113.2")).Host("d"),
	}
	dice := func(h *Host, n int) int {
		var b [2]byte
		io.ReadFull(h.Rand(), b[:])
		return (int(b[0])<<8 | int(b[1])) % n
	}
	for i := range 12 {
		p := on(t, hosts[i%len(hosts)])
		peers = append(peers, p)
		p.onReceive = func(d *runtime.Datagrams) {
			note("%d receives %x on %v from %v", i, d.Data, d.Local, d.Remote)
			if dice(p.host, 3) == 0 {
				p.s.Send(&runtime.Datagrams{Remote: d.Remote, Data: d.Data[:len(d.Data)/2], SegmentSize: 1 + len(d.Data)/5})
			}
		}
		p.onTurn = func(now time.Time) runtime.Next {
			to := peers[dice(p.host, len(peers))]
			p.send(to.addr(), fmt.Sprintf("%d to %v at %d", i, to.addr(), w.now.Load()))
			return runtime.Next{At: now.Add(time.Duration(dice(p.host, 100)) * ms), Events: dice(p.host, 3) == 0}
		}
		p.onDispatch = func() {
			note("%d handles", i)
			if dice(p.host, 4) == 0 {
				w.Sleep(time.Duration(dice(p.host, 50)) * ms)
				note("%d slept", i)
				p.Wake()
			}
		}
		p.Wake()
	}
	w.Go("operator", func() {
		for {
			w.Sleep(300 * ms)
			a, b := hosts[dice(hosts[0], 4)], hosts[dice(hosts[0], 4)]
			w.Partition(a, b, dice(hosts[0], 4) == 0)
			note("partition %v %v", a.Name(), b.Name())
		}
	})
	for w.Now().Sub(w.cfg.Start) < length {
		w.Run(50 * ms)
		w.check()
	}
	return trace.Digest(), fmt.Sprintf("%x", seen.Sum(nil))
}

// Promise 6: the same seed gives the same packets and the same events; another seed gives others.
func TestReproduces(t *testing.T) {
	seeds := uint64(200)
	if testing.Short() {
		seeds = 25
	}
	digests := map[string]uint64{}
	for seed := range seeds {
		length := 150 * ms
		if seed < 3 {
			length = 2 * time.Second
		}
		p1, e1 := chatter(t, seed, length)
		p2, e2 := chatter(t, seed, length)
		if p1 != p2 || e1 != e2 {
			t.Fatalf("seed %d: two runs differ: packets %v, %v; events %v, %v", seed, p1, p2, e1, e2)
		}
		if other, ok := digests[p1]; ok {
			t.Fatalf("seeds %d and %d give the same packets", other, seed)
		}
		digests[p1] = seed
	}
}

// A thousand loops that speak every five seconds for an hour: real time is spent on computing only.
func TestAnHour(t *testing.T) {
	w := testWorld(t, Config{Link: Link{Delay: 20 * ms}})
	const pairs = 50
	length := time.Hour
	if testing.Short() {
		length = 10 * time.Minute
	}
	var peers []*peer
	for i := range pairs {
		p, q := on(t, w.Host(fmt.Sprint("a", i))), on(t, w.Host(fmt.Sprint("b", i)))
		q.onReceive = func(d *runtime.Datagrams) { q.got = nil; q.send(d.Remote, "answer") }
		p.onTurn = func(now time.Time) runtime.Next {
			if len(p.got) > 0 {
				p.got, p.slabs = p.got[:0], p.slabs[:0]
				return runtime.Next{At: p.at.Add(5 * time.Second), Events: true}
			}
			p.send(q.addr(), "check")
			return runtime.Next{At: now.Add(5 * time.Second)}
		}
		p.Wake()
		peers = append(peers, p)
	}
	w.Run(length)
	for _, p := range peers {
		if want := int(length/(5*time.Second)) - 10; p.turns < want {
			t.Fatalf("a loop has %d turns, want %d", p.turns, want)
		}
	}
}

// Nothing is allocated for a datagram that is sent and received, nor for a handler that is run.
func TestNoAllocation(t *testing.T) {
	w := testWorld(t, Config{Link: Link{Delay: ms}})
	p, q := on(t, w.Host("a")), on(t, w.Host("b"))
	quiet := &quietLoop{}
	host, err := q.host.Spawn(quiet)
	if err != nil {
		t.Fatal(err)
	}
	s, err := host.ListenUDP(t.Context(), netip.AddrPortFrom(q.host.Addrs()[0], 0))
	if err != nil {
		t.Fatal(err)
	}
	d := &runtime.Datagrams{Remote: s.LocalAddr(), Data: make([]byte, 16*1200), SegmentSize: 1200}
	allocs := testing.AllocsPerRun(500, func() {
		if err := p.s.Send(d); err != nil {
			t.Fatal(err)
		}
		w.Run(2 * ms)
	})
	if allocs > 0.5 {
		t.Errorf("%v allocations for 16 datagrams and a Dispatch", allocs)
	}
	if quiet.datagrams < 500*16 || quiet.handled < 500 {
		t.Errorf("%d datagrams arrive, %d handlers run", quiet.datagrams, quiet.handled)
	}
}

// quietLoop counts and keeps nothing.
type quietLoop struct{ datagrams, handled int }

func (l *quietLoop) Receive(_ time.Time, _ runtime.UDPSocket, d *runtime.Datagrams) {
	l.datagrams += d.Segments()
}
func (l *quietLoop) SocketFailed(time.Time, runtime.UDPSocket, error) {}
func (l *quietLoop) Turn(time.Time) runtime.Next                      { return runtime.Next{Events: true} }
func (l *quietLoop) Dispatch()                                        { l.handled++ }
func (l *quietLoop) Released()                                        {}

// BenchmarkSlab is the cost of 32 datagrams of 1200 bytes from Send to Receive, with one Dispatch.
func BenchmarkSlab(b *testing.B) {
	w := testWorld(b, Config{Link: Link{Delay: ms}})
	p, l := on(b, w.Host("a")), &quietLoop{}
	h := w.Host("b")
	host, _ := h.Spawn(l)
	s, err := host.ListenUDP(b.Context(), netip.AddrPortFrom(h.Addrs()[0], 0))
	if err != nil {
		b.Fatal(err)
	}
	d := &runtime.Datagrams{Remote: s.LocalAddr(), Data: make([]byte, 32*1200), SegmentSize: 1200}
	b.SetBytes(int64(len(d.Data)))
	b.ReportAllocs()
	for b.Loop() {
		p.s.Send(d)
		w.Run(2 * ms)
	}
	if lost := 32*b.N - l.datagrams; lost != 0 {
		b.Errorf("%d datagrams are lost", lost)
	}
}

// BenchmarkDispatch is the cost of a Wake, a Turn and a handler.
func BenchmarkDispatch(b *testing.B) {
	w := testWorld(b, Config{})
	host, _ := w.Host("a").Spawn(&quietLoop{})
	b.ReportAllocs()
	for b.Loop() {
		host.Wake()
		w.Run(1)
	}
}

// BenchmarkSleep is the cost of going to sleep and being woken.
func BenchmarkSleep(b *testing.B) {
	w := testWorld(b, Config{})
	w.Go("sleeper", func() {
		for {
			w.Sleep(ms)
		}
	})
	for b.Loop() {
		w.Step()
	}
}
