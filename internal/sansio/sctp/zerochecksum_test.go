package sctp

import (
	"bytes"
	"testing"
	"time"

	pion "github.com/pion/sctp"

	"github.com/sansrtc/rtc/internal/simnet"
)

// RFC 9653: packets leave without checksum only when both ends have said that they take them so, and never those with INIT, INIT ACK or
// COOKIE ECHO.
func TestZeroChecksumIsAgreed(t *testing.T) {
	for _, c := range []struct{ a, b bool }{{false, false}, {true, false}, {false, true}, {true, true}} {
		for starter := range 3 {
			p := newPair(t, 1, simnet.Config{Delay: time.Millisecond}, Config{ZeroChecksum: c.a, LargerMTUs: largerMTUs}, Config{ZeroChecksum: c.b})
			without, with := 0, 0
			p.onPacket = func(from int, b []byte) bool {
				typ := b[headerSize]
				switch zero := be32(b[8:]) == 0; {
				case zero && (typ == chunkInit || typ == chunkInitAck || typ == chunkCookieEcho):
					p.fatalf("%+v: chunk %d without checksum", c, typ)
				case zero:
					without++
				case typ != chunkInit && typ != chunkInitAck && typ != chunkCookieEcho:
					with++
				}
				return true
			}
			p.send(0, 0, body(0, 100), reliable) // rides with COOKIE ECHO
			for i, a := range p.end {
				if starter == i || starter == 2 {
					a.Start(p.now, 0)
				}
			}
			p.run(time.Second)
			p.bulkOf(0, 50)
			if both := c.a && c.b; (without > 0) != both || (with > 0) == both || p.end[0].Stats().ZeroChecksum != both {
				t.Errorf("%+v, starter %d: %d without checksum, %d with", c, starter, without, with)
			}
			if p.end[0].stats.Drops.Checksum+p.end[1].stats.Drops.Checksum > 0 {
				t.Errorf("%+v: packets were dropped", c)
			}
		}
	}
}

// bulkOf sends n messages, all of which arrive.
func (p *pair) bulkOf(end, n int) {
	p.t.Helper()
	p.got[1-end] = nil
	for i := range n {
		p.send(end, 0, body(uint64(i), 16<<10), reliable)
	}
	p.run(5 * time.Second)
	if len(p.got[1-end]) != n {
		p.fatalf("%d of %d messages arrive", len(p.got[1-end]), n)
	}
}

// Promise: a checksum that is there is verified, whatever was agreed, and one that must be there may not lack.
func TestWrongChecksumIsDropped(t *testing.T) {
	for _, zero := range []bool{false, true} {
		p, w := connected(t, Config{ZeroChecksum: zero})
		a := p.end[0]
		next := a.received.base + 1
		packet := w.packet(a.tag, appendTLV(nil, chunkHead(chunkData, flagB|flagE), dataBody(next, 0, 0, "x")))
		wrong := bytes.Clone(packet)
		wrong[8]++
		w.deliverPacket(wrong)
		if a.stats.Drops.Checksum != 1 || a.received.base == next {
			t.Errorf("agreed %v: a wrong checksum: %+v", zero, a.stats.Drops)
		}
		none := bytes.Clone(packet)
		clear(none[8:12])
		w.deliverPacket(none)
		if (a.received.base == next) != zero || a.stats.Drops.Checksum == 1 != zero {
			t.Errorf("agreed %v: no checksum: %+v", zero, a.stats.Drops)
		}
		drops := a.stats.Drops.Checksum
		for _, typ := range []byte{chunkInit, chunkCookieEcho} {
			b := w.packet(0, appendTLV(nil, chunkHead(typ, 0), make([]byte, 16)))
			clear(b[8:12])
			w.deliverPacket(b)
		}
		if a.stats.Drops.Checksum != drops+2 {
			t.Errorf("agreed %v: INIT and COOKIE ECHO without checksum: %+v", zero, a.stats.Drops)
		}
	}
}

// RFC 9653 section 4: only the method that both have counts.
func TestOtherErrorDetectionIsIgnored(t *testing.T) {
	for value, want := range map[string]bool{"\x00\x00\x00\x01": true, "\x00\x00\x00\x02": false, "\x00\x00\x00": false, "": false} {
		b := append(put32(put16(put16(put32(put32(nil, 7), 100_000), 10), 10), 1), appendTLV(nil, paramZeroChecksum, []byte(value))...)
		if v, ok := parseInit(b); !ok || v.zeroChecksum != want {
			t.Errorf("% x: %+v, %v", value, v, ok)
		}
	}
}

// Promise: with pion both ways work, whichever has the extension, and larger packets are tried in vain: pion drops packets with PAD.
func TestZeroChecksumWithPion(t *testing.T) {
	for _, c := range []struct{ we, they bool }{{true, true}, {true, false}, {false, true}} {
		for _, weStart := range []bool{true, false} {
			w := newWithPion(t, Config{ZeroChecksum: c.we, LargerMTUs: largerMTUs})
			w.change = func(cfg *pion.Config) { cfg.EnableZeroChecksum = c.they }
			w.connect(weStart, !weStart)
			w.echo(40, 20_000)
			if got := w.ours.Stats(); got.ZeroChecksum != (c.we && c.they) || got.Drops.Checksum > 0 || got.MTU != 1160 || got.Timeouts > 0 {
				t.Errorf("%+v, we start %v: %+v", c, weStart, got)
			}
			w.ours.Abort(time.Now(), "done")
			w.until("abort is sent", func() bool { return w.ours.State() == StateClosed })
		}
	}
}

// echo sends n messages of size bytes on stream 3, which pion sends back.
func (w *withPion) echo(n, size int) {
	w.t.Helper()
	stream, err := w.theirs.OpenStream(3, pion.PayloadTypeWebRTCBinary)
	if err != nil {
		w.t.Fatal(err)
	}
	result := make(chan error, 1)
	go func() {
		buf := make([]byte, 256<<10)
		for range n {
			n, _, err := stream.ReadSCTP(buf)
			if err == nil {
				_, err = stream.WriteSCTP(buf[:n], pion.PayloadTypeWebRTCBinary)
			}
			if err != nil {
				result <- err
				return
			}
		}
		result <- nil
	}()
	w.events = nil
	for i := range n {
		if err := w.ours.Send(time.Now(), 3, 53, body(uint64(i), size), reliable); err != nil {
			w.t.Fatal(err)
		}
	}
	w.wait("echo", result)
	w.until("all messages", func() bool { return messages(w.events) == n })
	i := 0
	for _, e := range w.events {
		if e.Kind == EventMessage {
			if number, ok := checkBody(e.Data); !ok || number != uint64(i) {
				w.t.Fatalf("message %d is damaged", i)
			}
			i++
		}
	}
}
