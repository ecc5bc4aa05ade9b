package peer

import (
	"slices"
	"testing"
	"time"

	"github.com/pion/rtp"

	"github.com/sansrtc/rtc/internal/simnet"
)

// forwarder is the path of a packet through an SFU: from a publisher, B of one world, to a subscriber, A of another.
type forwarder struct {
	in, out *mediaWorld
	spare   [][]byte // memory of packets
	packets [][]byte // that the publisher has sealed
	n       int
	packet  rtp.Packet
	sent    int
	slab    [64 << 10]byte
}

func newForwarder(t testing.TB) *forwarder {
	f := &forwarder{}
	memory := MediaConfig{}
	f.in = newMediaWorld(t, 1, simnet.Config{Delay: time.Millisecond}, memory)
	f.out = newMediaWorld(t, 2, simnet.Config{Delay: time.Millisecond}, memory)
	f.in.core[1].cfg.Media.NewBuffer = func(size int) []byte {
		if n := len(f.spare); n > 0 {
			b := f.spare[n-1]
			f.spare = f.spare[:n-1]
			return b[:size]
		}
		return make([]byte, size, 1500)
	}
	f.in.core[1].cfg.Media.FreeBuffer = func(b []byte) { f.spare = append(f.spare, b) }
	// The subscriber has heard of the source, so that its MID need not go along.
	for n := range 100 {
		f.out.packet(0, f.out.video[0], 0, n, 1100)
		f.out.run(20 * time.Millisecond)
	}
	f.n = 100
	return f
}

// publish seals packets.
func (f *forwarder) publish(count int) {
	f.packets = f.packets[:0]
	c := f.in.core[0]
	body := make([]byte, 1150)
	h := rtp.Header{Version: 2, PayloadType: 96}
	for range count {
		h.SequenceNumber, h.Timestamp = uint16(f.n), uint32(f.n)*3000
		f.n++
		f.in.must(c.SendRTP(f.in.now, f.in.video[0], 0, &h, body))
		for t, ok := c.PollWrite(f.in.now, f.slab[:0], 1); ok; t, ok = c.PollWrite(f.in.now, f.slab[:0], 1) {
			if isRTP(t.Data) {
				f.packets = append(f.packets, slices.Clone(t.Data))
			}
		}
	}
	for e, ok := c.PollEvent(); ok; e, ok = c.PollEvent() {
		_ = e
	}
}

// forward carries packets that arrive in bursts from one connection to the other.
func (f *forwarder) forward(burst int) {
	in, out := f.in.core[1], f.out.core[0]
	for some := range slices.Chunk(f.packets, burst) {
		f.in.now = f.in.now.Add(5 * time.Microsecond)
		f.out.now = f.out.now.Add(5 * time.Microsecond)
		for _, b := range some {
			in.HandleRead(f.in.now, f.in.addr[1], f.in.addr[0], b, 0)
		}
		in.EndBurst(f.in.now)
		for e, ok := in.PollEvent(); ok; e, ok = in.PollEvent() {
			if e.Kind != EventRTP {
				continue
			}
			if err := f.packet.Unmarshal(e.Data); err != nil {
				panic(err)
			}
			if err := out.SendRTP(f.out.now, f.out.video[0], 0, &f.packet.Header, f.packet.Payload); err != nil {
				panic(err)
			}
			in.FreeRTP(&e)
		}
		for t, ok := out.PollWrite(f.out.now, f.slab[:0], 64); ok; t, ok = out.PollWrite(f.out.now, f.slab[:0], 64) {
			f.sent += (len(t.Data) + t.SegmentSize - 1) / t.SegmentSize
		}
		for _, c := range []*Core{in, out} {
			if at := c.PollTimeout(); !at.IsZero() && !at.After(f.in.now) {
				c.HandleTimeout(f.in.now)
			}
		}
	}
}

func benchmarkForward(b *testing.B, burst int) {
	f := newForwarder(b)
	const batch = 512
	f.publish(batch)
	f.forward(burst)
	f.sent = 0
	n := 0
	b.ReportAllocs()
	b.ResetTimer()
	for n < b.N {
		b.StopTimer()
		f.publish(batch)
		b.StartTimer()
		f.forward(burst)
		n += batch
	}
	b.StopTimer()
	if f.sent < n {
		b.Errorf("%d packets of %d were sent", f.sent, n)
	}
}

// BenchmarkForward is what a packet costs that an SFU carries from one connection to another.
func BenchmarkForward(b *testing.B) {
	b.Run("single", func(b *testing.B) { benchmarkForward(b, 1) })
	b.Run("burst8", func(b *testing.B) { benchmarkForward(b, 8) })
}

// Promise: no allocation per packet, in either direction.
func TestAllocationsOfMedia(t *testing.T) {
	f := newForwarder(t)
	for range 8 {
		f.publish(512)
		f.forward(8)
	}
	for _, burst := range []int{1, 8} {
		f.publish(400)
		packets := f.packets
		f.packets = nil
		allocs := testing.AllocsPerRun(49, func() {
			f.packets, packets = packets[:8], packets[8:]
			in := f.in.now
			f.forward(burst)
			f.in.now, f.out.now = in, f.out.now.Add(f.in.now.Sub(in)) // reports and feedback are not of packets: no time goes by
		})
		if allocs > 0 {
			t.Errorf("%v allocations for 8 packets in bursts of %d", allocs, burst)
		}
	}
}
