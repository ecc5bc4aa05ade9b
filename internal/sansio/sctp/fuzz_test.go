package sctp

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sansrtc/rtc/internal/simnet"
)

// FuzzTLV: splitTLV returns what lies within its input, and appendTLV makes what it reads.
func FuzzTLV(f *testing.F) {
	f.Add([]byte{0, 1, 0, 5, 9, 0, 0, 0, 0, 2, 0, 4})
	f.Fuzz(func(t *testing.T, b []byte) {
		head, value, rest, ok := splitTLV(b)
		if !ok {
			return
		}
		if 4+len(value)+len(rest) > len(b) || len(rest) >= len(b) {
			t.Fatalf("%d bytes give %d and %d", len(b), len(value), len(rest))
		}
		again := appendTLV(nil, head, value)
		if h, v, r, ok := splitTLV(again); !ok || h != head || !bytes.Equal(v, value) || len(r) > 0 {
			t.Fatal("round trip")
		}
	})
}

// FuzzInit: parameters come from within the chunk, and what is reported is bounded.
func FuzzInit(f *testing.F) {
	f.Add(append(make([]byte, 16), 0x80, 8, 0, 6, 130, 192))
	f.Add(append(make([]byte, 16), 0, 7, 0, 8, 1, 2, 3, 4, 0xff, 0xff, 0, 4))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, ok := parseInit(b)
		if ok && (len(v.cookie) > len(b) || len(v.unknown) > maxReported) {
			t.Fatalf("%+v", v)
		}
	})
}

// FuzzSack: a SACK that is accepted has blocks in order.
func FuzzSack(f *testing.F) {
	f.Add(sackBody(1, 1000, 2, 3, 5, 9))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, ok := parseSack(b)
		if !ok {
			return
		}
		last := uint16(1)
		for g := s.gaps; len(g) > 0; g = g[4:] {
			if be16(g) <= last || be16(g[2:]) < be16(g) {
				t.Fatalf("blocks %x", s.gaps)
			}
			last = be16(g[2:])
		}
	})
}

// FuzzPackets hands chunks of any content, with the right tag and checksum, to a connected association in each state.
func FuzzPackets(f *testing.F) {
	chunk := func(typ, flags byte, body []byte) []byte { return appendTLV(nil, chunkHead(typ, flags), body) }
	f.Add(byte(0), chunk(chunkData, flagB|flagE, dataBody(1, 2, 0, "hello")))
	f.Add(byte(1), chunk(chunkSack, 0, sackBody(0, 1000, 2, 3)))
	f.Add(byte(2), chunk(chunkForwardTSN, 0, []byte{0, 0, 0, 9, 0, 1, 0, 2}))
	f.Add(byte(3), chunk(chunkReconfig, 0, []byte{0, 13, 0, 18, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 3}))
	f.Add(byte(4), chunk(chunkShutdown, 0, []byte{0, 0, 0, 1}))
	f.Add(byte(128+2), append(chunk(chunkIData, flagB, iDataBody(1, 2, 0, 53, "hello")), chunk(chunkIData, flagE, iDataBody(2, 2, 0, 1, "hello"))...))
	f.Add(byte(128+7), append(chunk(chunkIData, flagU, iDataBody(2, 2, 9, 4, "hello")), chunk(chunkIForwardTSN, 0, []byte{0, 0, 0, 9, 0, 2, 0, 1, 0, 0, 0, 9})...))
	f.Add(byte(5), chunk(chunkHeartbeat, 0, []byte{0, 1, 0, 8, 1, 2, 3, 4}))
	f.Fuzz(func(t *testing.T, how byte, chunks []byte) {
		p := newPair(t, 1, simnet.Config{Delay: time.Millisecond}, Config{Interleaving: how >= 128})
		// TSNs and tags of the seeds are small numbers: those of the fuzzer are relative.
		p.end[0].initialTSN, p.end[1].initialTSN = 1, 1
		for _, a := range p.end {
			a.sent.reset(1)
			a.forward.point, a.forward.scanned, a.reset.next = 0, 0, 1
		}
		a := p.end[0]
		switch how % 5 {
		case 0:
		case 1:
			a.Start(p.now, 0)
			p.flush()
		default:
			p.connect()
			for i := range 20 {
				p.send(0, StreamID(i%3), body(0, 900), SendParams{Unordered: i%2 == 0, MaxRetransmits: int32(i%3) - 1})
			}
			p.end[0].ResetStream(p.now, 1)
			if how%5 == 3 {
				a.Shutdown(p.now)
			}
			for _, ok := a.AppendPacket(p.now, nil); ok; _, ok = a.AppendPacket(p.now, nil) {
			}
		}
		w := wireOf(p, 0)
		w.deliverPacket(w.packet(a.tag, chunks))
		w.deliverPacket(w.packet(0, chunks))
		w.deliverPacket(chunks)
		for range 5 {
			if at := a.PollTimeout(); !at.IsZero() {
				a.HandleTimeout(at)
				p.now = at
			}
			w.take()
		}
		for _, ok := a.PollEvent(); ok; _, ok = a.PollEvent() {
		}
		a.check()
	})
}

// FuzzOperations drives a pair by a program: each byte is an operation of one end or of the path. In the end the path is good again, and
// both ends must be quiet or closed.
func FuzzOperations(f *testing.F) {
	f.Add([]byte("aAbBcCdDeEfFgGhHiIjJ"))
	f.Add([]byte("0d2d\xff")) // ends while a probe of the path is out
	f.Add([]byte{1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 200, 255, 2, 4, 8, 16, 32, 64, 128})
	for seed := range uint64(120) {
		program := make([]byte, 200)
		rng := rand.New(rand.NewPCG(seed, 1))
		for i := range program {
			program[i] = byte(rng.Uint32())
		}
		f.Add(program)
	}
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) > 200 || len(program) == 0 {
			return
		}
		// The first byte says what the ends can do, each for itself: a small window or one that grows, larger packets, and what is used only if
		// both can.
		path := simnet.Config{Delay: 10 * time.Millisecond}
		var cfg [2]Config
		for i, kind := 0, program[0]; i < 2; i, kind = i+1, kind>>4 {
			cfg[i] = Config{ReceiveBuffer: 32 << 10, MaxReceiveMessageSize: 8 << 10, MaxSendMessageSize: 8 << 10, MaxRetransmits: 1000, MaxInitRetransmits: 1000,
				ZeroChecksum: kind&1 == 0, Interleaving: kind&2 == 0}
			if kind&4 == 0 {
				cfg[i].LargerMTUs = []int{1400, 2000, 9000}
			}
			if kind&8 != 0 {
				cfg[i].ReceiveBuffer = 4 << 20
				path.Rate, path.Queue = 20e6, 100<<10
			}
		}
		p := newPair(t, 1, path, cfg[:]...)
		p.end[0].Start(p.now, 0)
		for i, op := range program[1:] {
			a, arg := p.end[op&1], int(op>>4)
			switch op >> 1 & 7 {
			case 0:
				_ = a.Send(p.now, StreamID(arg&3), 53, make([]byte, 1+i*37%6000), SendParams{Unordered: arg&4 != 0, MaxRetransmits: int32(arg>>3) - 1})
			case 1:
				_ = a.SendCopy(p.now, StreamID(arg&3), 53, make([]byte, 1+arg*500), SendParams{MaxRetransmits: -1, Lifetime: time.Duration(arg) * 10 * time.Millisecond})
			case 2:
				p.run(time.Duration(arg*arg) * time.Millisecond)
			case 3:
				bad := path
				bad.Loss, bad.Reorder, bad.Duplicate, bad.MTU = float64(arg&7)/16, 0.1, float64(arg>>3)/4, arg&3*1300
				if arg == 15 {
					bad.Loss = 1
				}
				p.wire.Pipes[op&1].SetConfig(bad)
			case 4:
				a.ResetStream(p.now, StreamID(arg&3))
			case 5:
				switch arg {
				case 13: // bulk, as much as a window that grows wants
					for range 200 {
						_ = a.Send(p.now, StreamID(i&3), 53, make([]byte, 8<<10), SendParams{MaxRetransmits: -1, Lifetime: -1})
					}
				case 14:
					a.Rest()
				case 15:
					a.PathChanged(p.now)
				default:
					a.Release(StreamID(arg & 3))
				}
			case 6:
				if p.consume = arg&1 == 0; arg == 15 {
					a.Shutdown(p.now)
				}
			case 7:
				if arg == 15 {
					a.Abort(p.now, "fuzz")
				} else {
					a.Consume(p.now, arg*100)
				}
			}
		}
		p.consume = true
		for i := range p.wire.Pipes {
			p.wire.Pipes[i].SetConfig(path)
		}
		for _, a := range p.end {
			a.Consume(p.now, 1<<20)
		}
		p.run(30 * time.Second)
		for i, a := range p.end {
			if a.State() == StateEstablished && (a.sent.len() > 0 || !a.sched.empty() || len(a.reset.asked) > 0) && p.end[1-i].State() == StateEstablished {
				t.Fatalf("end %d is not quiet: %+v, %+v", i, a.Stats(), p.end[1-i].Stats())
			}
		}
	})
}
