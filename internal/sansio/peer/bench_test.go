package peer

import (
	"testing"
	"time"
)

// link is two connected cores in one thread and no network: what one writes the other reads, in place. It is what the core costs.
type link struct {
	*world
	a, b    Handle
	got     int // messages at B, and at A
	packets int
	echo    bool
}

func newLink(t testing.TB, whole bool) *link {
	l := &link{world: newWorld(t, 1, lan)}
	for _, c := range l.core {
		c.SetWholeDatagrams(whole)
	}
	l.a, l.b = l.connect()
	l.settle()
	// The congestion window is open, and the path's packet size is found.
	for range 4000 {
		l.put(message16K)
	}
	l.drain()
	l.got, l.packets = 0, 0
	return l
}

var message16K = make([]byte, 16<<10)

// put queues a message and, when a batch is there, carries it over.
func (l *link) put(m []byte) {
	if err := l.core[0].Send(l.now, l.a, m, false); err != nil {
		l.fatalf("%v", err)
	}
	if l.core[0].BufferedAmount(l.a) > 256<<10 {
		l.drain()
	}
}

// drain carries everything that both have to say, until they are quiet.
func (l *link) drain() {
	for quiet := 0; quiet < 2; {
		quiet = 0
		for i := range l.core {
			if l.carry(i) == 0 {
				quiet++
			}
		}
		l.now = l.now.Add(10 * time.Microsecond)
		for _, c := range l.core {
			if t := c.PollTimeout(); !t.IsZero() && !t.After(l.now) {
				c.HandleTimeout(l.now)
			}
		}
	}
}

// carry moves what one has to say, a slab at a time as a loop reads it.
func (l *link) carry(from int) (n int) {
	c, other := l.core[from], l.core[1-from]
	for t, ok := c.PollWrite(l.now, l.slab[:0], 64); ok; t, ok = c.PollWrite(l.now, l.slab[:0], 64) {
		n += (len(t.Data) + t.SegmentSize - 1) / t.SegmentSize
		other.HandleRead(l.now, l.addr[1-from], l.addr[from], t.Data, t.SegmentSize)
		other.EndBurst(l.now)
		for e, ok := other.PollEvent(); ok; e, ok = other.PollEvent() {
			if e.Kind == EventMessage {
				l.got++
				if l.echo && from == 0 {
					if err := other.Send(l.now, l.b, e.Data, false); err != nil {
						l.fatalf("%v", err)
					}
				}
			}
			other.Taken(l.now, e.Charge)
		}
	}
	for ev, ok := c.PollEvent(); ok; ev, ok = c.PollEvent() {
		c.Taken(l.now, ev.Charge)
	}
	l.packets += n
	return n
}

// Promise: no allocation per packet, and at most one per message, at the receiver, whom it belongs to then; small ones that come together share
// one. (Buffers that grow are made once.)
func TestAllocations(t *testing.T) {
	l := newLink(t, false)
	for _, c := range []struct {
		name     string
		size     int
		messages int
		perEach  float64
	}{
		{"16 KiB", 16 << 10, 100, 1.05},
		{"200 KiB", 200 << 10, 10, 1.5},
		{"64 bytes", 64, 2000, 0.25},
	} {
		m := make([]byte, c.size)
		got, packets := l.got, l.packets
		allocs := testing.AllocsPerRun(20, func() {
			for range c.messages {
				l.put(m)
			}
			l.drain()
		})
		if n := l.got - got; n != 21*c.messages {
			t.Fatalf("%s: %d messages arrived", c.name, n)
		}
		t.Logf("%s: %.3f allocations for each message, %.2f packets", c.name, allocs/float64(c.messages), float64(l.packets-packets)/float64(21*c.messages))
		if each := allocs / float64(c.messages); each > c.perEach {
			t.Errorf("%s: %.3f allocations for each message", c.name, each)
		}
	}
}

// Datagrams that are dropped cost no allocation either: nobody can make us collect garbage.
func TestAllocationsOfGarbage(t *testing.T) {
	l := newLink(t, false)
	var s sniffer
	replay := []byte(nil)
	l.see = func(from int, b []byte) bool { s.describe(from, b); replay = append([]byte(nil), b...); return true }
	l.send1(l.a, "x")
	l.see = nil
	buf := make([]byte, 2000)
	for name, b := range map[string][]byte{
		"unknown":        {99, 1, 2, 3},
		"cut record":     {23, 0xfe, 0xfd, 0, 1},
		"forged record":  append([]byte{23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 99, 0, 1, 0, 100}, make([]byte, 100)...),
		"replayed":       replay,
		"plain data":     plain(23, make([]byte, 100)),
		"plain alert":    plain(21, []byte{2, 40}),
		"not STUN":       make([]byte, 100),
		"forged request": l.request(0, nil),
	} {
		remotes := append(l.strangers(), l.addr[1])
		allocs := testing.AllocsPerRun(100, func() {
			for _, remote := range remotes {
				l.core[0].HandleRead(l.now, l.addr[0], remote, buf[:copy(buf, b)], 0)
				l.core[0].EndBurst(l.now)
			}
		})
		if allocs > 0 {
			t.Errorf("%s: %.1f allocations", name, allocs)
		}
	}
}

func BenchmarkBulk16K(b *testing.B) { bulk(b, false, message16K) }

// BenchmarkBulk16KWhole is a path that carries packets of 16 KiB.
func BenchmarkBulk16KWhole(b *testing.B) { bulk(b, true, message16K) }

func BenchmarkBulk64B(b *testing.B) { bulk(b, false, make([]byte, 64)) }

func bulk(b *testing.B, whole bool, m []byte) {
	l := newLink(b, whole)
	b.SetBytes(int64(len(m)))
	b.ReportAllocs()
	for b.Loop() {
		l.put(m)
	}
	l.drain()
	b.ReportMetric(float64(l.packets)/float64(b.N), "packets/op")
}

// BenchmarkPingPong is a message of 64 bytes there and back.
func BenchmarkPingPong(b *testing.B) {
	l := newLink(b, false)
	l.echo = true
	m := make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		l.put(m)
		l.drain()
	}
	if l.got != 2*b.N {
		b.Errorf("%d messages of %d", l.got, 2*b.N)
	}
	b.ReportMetric(float64(l.packets)/float64(b.N), "packets/op")
}

// BenchmarkSetup is two cores from nothing to an open channel, cryptography included.
func BenchmarkSetup(b *testing.B) {
	certificates()
	b.ReportAllocs()
	for b.Loop() {
		w := newWorld(b, 1, lan)
		w.unchecked = true
		w.connect()
	}
}
