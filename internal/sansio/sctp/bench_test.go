package sctp

import (
	"fmt"
	"testing"
	"time"

	"github.com/sansrtc/rtc/internal/simnet"
)

// BenchmarkBulk moves messages between two associations in memory, in bursts of up to 64 packets, and counts both ends.
func BenchmarkBulk(b *testing.B) {
	for _, size := range []int{64, 1 << 10, 16 << 10, 256 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) { benchmarkBulk(b, size, reliable) })
	}
	b.Run("unreliable64", func(b *testing.B) { benchmarkBulk(b, 64, SendParams{Unordered: true}) })
}

func benchmarkBulk(b *testing.B, size int, params SendParams) {
	p := newPair(b, 1, simnet.Config{})
	p.checks = false
	p.connect()
	s, r := p.end[0], p.end[1]
	data := make([]byte, size)
	slab := make([]byte, 0, 64*s.mtu)
	var ends [64]int
	now := p.now
	b.SetBytes(int64(size))
	b.ReportAllocs()
	sent, received := 0, 0
	move := func(from, to *Association) bool {
		n, start := 0, 0
		slab = slab[:0]
		for n < len(ends) {
			var ok bool
			if slab, ok = from.AppendPacket(now, slab); !ok {
				break
			}
			ends[n] = len(slab)
			n++
		}
		for _, end := range ends[:n] {
			to.HandlePacket(now, slab[start:end])
			start = end
		}
		if n > 0 {
			to.HandleBurstEnd(now)
		}
		return n > 0
	}
	for b.Loop() {
		if err := s.Send(now, 1, 53, data, params); err != nil {
			b.Fatal(err)
		}
		sent++
		for s.BufferedAmount(1) > 256<<10 {
			now = now.Add(10 * time.Microsecond)
			move(s, r)
			for e, ok := r.PollEvent(); ok; e, ok = r.PollEvent() {
				r.Consume(now, len(e.Data))
				received++
			}
			for _, ok := s.PollEvent(); ok; _, ok = s.PollEvent() {
			}
			move(r, s)
		}
	}
	st := s.Stats()
	b.ReportMetric(float64(st.PacketsSent)/float64(b.N), "packets/op")
	b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(st.PacketsSent), "ns/packet")
	if received*2 < sent && sent > 10000 || st.Retransmissions > 0 {
		b.Fatalf("%d of %d received: %+v", received, sent, st)
	}
}

// BenchmarkSack is a SACK with gaps that acknowledges nothing new, with 100 000 chunks in flight.
func BenchmarkSack(b *testing.B) {
	p := newPair(b, 1, simnet.Config{}, Config{ReceiveBuffer: 512 << 20})
	p.checks = false
	p.connect()
	a := p.end[0]
	a.cwnd.size = 1 << 30
	for range 100_000 {
		p.send(0, 0, make([]byte, 1000), reliable)
	}
	for _, ok := a.AppendPacket(p.now, p.buf[:0]); ok; _, ok = a.AppendPacket(p.now, p.buf[:0]) {
	}
	sack := put32(put32(nil, uint32(a.sent.cum)), 512<<20)
	sack = put16(put16(sack, 100), 0)
	for i := range 100 {
		sack = put16(put16(sack, uint16(600*i+2)), uint16(600*i+300))
	}
	b.ReportAllocs()
	for b.Loop() {
		a.handleSack(sack)
		a.HandleBurstEnd(p.now)
	}
	if a.stats.Drops.BadSack > 0 {
		b.Fatal("SACK was dropped")
	}
}

// BenchmarkStreams is a packet sent, received and acknowledged while so many streams have a message that waits.
func BenchmarkStreams(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10_000, 65_535} {
		b.Run(fmt.Sprint(n), func(b *testing.B) { benchmarkFlow(b, n, 100) })
	}
}

// BenchmarkInFlight is the same while so many packets are in flight.
func BenchmarkInFlight(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) { benchmarkFlow(b, 1, n) })
	}
}

func benchmarkFlow(b *testing.B, streams, inFlight int) {
	p := newPair(b, 1, simnet.Config{}, Config{ReceiveBuffer: 512 << 20})
	p.checks = false
	p.connect()
	s, r := p.end[0], p.end[1]
	s.cwnd.size, s.cwnd.ssthresh, s.peerWindow, r.recv.limit = 1<<29, 1, 512<<20, 512<<20
	data, now, next := make([]byte, 1000), p.now, 0
	flight := make([][]byte, 0, inFlight)
	oldest := 0
	send := func() {
		if err := s.Send(now, StreamID(next), 53, data, reliable); err != nil {
			b.Fatal(err)
		}
		next = (next + 1) % streams
	}
	for range streams {
		send()
	}
	step := func() {
		now = now.Add(time.Microsecond)
		send()
		if len(flight) < inFlight {
			q, ok := s.AppendPacket(now, make([]byte, 0, s.MaxPacket()))
			if !ok {
				b.Fatalf("nothing to send: %+v", s.Stats())
			}
			flight = append(flight, q)
			return
		}
		r.HandlePacket(now, flight[oldest])
		r.HandleBurstEnd(now)
		for e, ok := r.PollEvent(); ok; e, ok = r.PollEvent() {
			r.Consume(now, len(e.Data))
		}
		for q, ok := r.AppendPacket(now, p.buf[:0]); ok; q, ok = r.AppendPacket(now, p.buf[:0]) {
			s.HandlePacket(now, q)
		}
		s.HandleBurstEnd(now)
		if q, ok := s.AppendPacket(now, flight[oldest][:0]); ok {
			flight[oldest] = q
		} else {
			b.Fatalf("nothing to send: %+v", s.Stats())
		}
		oldest = (oldest + 1) % inFlight
	}
	for range 2*inFlight + streams {
		step()
	}
	b.ReportAllocs()
	for b.Loop() {
		step()
	}
	if st := s.Stats(); st.Retransmissions > 0 || r.Stats().Drops.Duplicate > 0 {
		b.Fatalf("%+v", st)
	}
}
