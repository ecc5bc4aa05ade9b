package sctp

import (
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	pion "github.com/pion/sctp"

	"github.com/sansrtc/rtc/internal/simnet"
)

// Promise: while two streams move large messages, a small one on a third takes less than two round trips and 10 ms in 99 of 100 cases, with
// interleaving, and without it does not.
func TestSmallMessagesOvertakeBulk(t *testing.T) {
	const rtt = 50 * time.Millisecond
	count := uint64(200)
	if raceEnabled {
		count = 60
	}
	p99 := func(on bool) time.Duration {
		p := newPair(t, 1, simnet.Config{Delay: rtt / 2, Rate: 50_000_000, Queue: 125_000}, Config{Interleaving: on})
		p.checks = false
		p.connect()
		var took []time.Duration
		sentAt, bulk := map[uint64]time.Time{}, [2]int{}
		p.onEvent = func(end int, e Event) {
			switch {
			case e.Kind != EventMessage:
			case e.Stream < 2:
				bulk[e.Stream] += len(e.Data)
			default:
				n, ok := checkBody(e.Data)
				if !ok {
					p.fatalf("damaged")
				}
				took = append(took, p.now.Sub(sentAt[n]))
			}
		}
		for n := range count {
			sentAt[n] = p.now
			p.send(0, 2, body(n, 100), reliable)
			for until := p.now.Add(100 * time.Millisecond); p.now.Before(until); {
				for id := range StreamID(2) {
					for p.end[0].BufferedAmount(id) < 512<<10 {
						p.send(0, id, make([]byte, 256<<10), reliable)
					}
				}
				p.step(until)
			}
		}
		if least := int(count) * 120_000; len(took) < int(count)-5 || bulk[0] < least || bulk[1] < least {
			t.Fatalf("%d small messages, %d bytes of bulk", len(took), bulk)
		}
		slices.Sort(took)
		t.Logf("interleaving %v: median %v, p99 %v, bulk %.0f Mbit/s", on, took[len(took)/2], took[len(took)*99/100], float64(bulk[0]+bulk[1])*8/(float64(count)*1e5))
		return took[len(took)*99/100]
	}
	if d := p99(true); d > 2*rtt+10*time.Millisecond {
		t.Errorf("with interleaving %v", d)
	}
	if d := p99(false); d < 2*rtt+10*time.Millisecond {
		t.Errorf("without interleaving only %v", d)
	}
}

// RFC 8260 section 2.2: I-DATA is used when both ends have said that they support it, and only then.
func TestInterleavingIsAgreed(t *testing.T) {
	for _, c := range []struct{ a, b bool }{{false, false}, {true, false}, {false, true}, {true, true}} {
		for starter := range 3 {
			p := newPair(t, 1, simnet.Config{Delay: time.Millisecond}, Config{Interleaving: c.a}, Config{Interleaving: c.b})
			seen := map[byte]bool{}
			p.onPacket = func(from int, b []byte) bool {
				for rest := b[headerSize:]; len(rest) > 0; {
					head, _, next, _ := splitTLV(rest)
					seen[byte(head>>8)], rest = true, next
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
			p.bulkOf(0, 20)
			p.bulkOf(1, 20)
			if both := c.a && c.b; seen[chunkIData] != both || seen[chunkData] == both || p.end[0].Stats().Interleaving != both {
				t.Errorf("%+v, starter %d: chunks %v", c, starter, seen)
			}
		}
	}
}

// Promise: messages that are larger together than the peer's buffer are not begun at the same time: each arrives, and the small ones between
// them do not wait.
func TestLargeMessagesDoNotFillTheWindow(t *testing.T) {
	p := newPair(t, 1, simnet.Config{Delay: 5 * time.Millisecond}, Config{Interleaving: true, ReceiveBuffer: 48 << 10, MaxReceiveMessageSize: 40_000})
	p.connect()
	for i := range uint64(60) {
		p.send(0, StreamID(i%30), body(i, 10_000+int(i)*500), reliable)
	}
	p.run(100 * time.Millisecond)
	p.send(0, 40, body(100, 100), reliable)
	p.run(30 * time.Millisecond)
	if !slices.ContainsFunc(p.got[1], func(e Event) bool { return e.Stream == 40 }) || messages(p.got[1]) == 61 {
		t.Errorf("the small message waits: %d messages", messages(p.got[1]))
	}
	p.run(10 * time.Second)
	if n := messages(p.got[1]); n != 61 || p.end[1].stats.Drops.Window > 0 {
		t.Errorf("%d messages, %+v", n, p.end[1].Stats())
	}
}

// iDataBody is the body of an I-DATA chunk; last is PPID or FSN.
func iDataBody(tsn TSN, stream StreamID, mid, last uint32, payload string) []byte {
	return append(put32(put32(put16(put16(put32(nil, uint32(tsn)), uint16(stream)), 0), mid), last), payload...)
}

// RFC 8260 section 2.2: DATA after I-DATA was agreed, or the other way round, ends the association.
func TestMixedDataIsRefused(t *testing.T) {
	for _, on := range []bool{false, true} {
		for _, typ := range []byte{chunkData, chunkIData, chunkForwardTSN, chunkIForwardTSN} {
			p, w := connected(t, Config{Interleaving: on})
			a := p.end[0]
			next := a.received.base + 1
			b := iDataBody(next, 0, 0, 0, "x")
			if typ == chunkForwardTSN || typ == chunkIForwardTSN {
				b = put32(nil, uint32(next))
			}
			w.deliver(typ, flagB|flagE, b)
			if refused := a.State() == StateClosed; refused == ((typ == chunkIData || typ == chunkIForwardTSN) == on) {
				t.Errorf("interleaving %v, chunk %d: %v", on, typ, a.State())
			}
		}
	}
}

// Promise: fragments that make no message are dropped and counted, what is kept is charged, and a skip forgets it all.
func TestBogusFragmentsAreDropped(t *testing.T) {
	p, w := connected(t, Config{Interleaving: true, MaxReceiveMessageSize: 1000})
	a := p.end[0]
	tsn := a.received.base
	deliver := func(flags byte, mid, last uint32, payload string) {
		tsn++
		w.deliver(chunkIData, flags, iDataBody(tsn, 1, mid, last, payload))
		a.check()
	}
	bogus := func(what string, flags byte, mid, last uint32) {
		t.Helper()
		drops, charged := a.stats.Drops.Orphan, a.asm.charged
		if deliver(flags, mid, last, "bogus"); a.stats.Drops.Orphan != drops+1 || a.asm.charged != charged {
			t.Errorf("%s: %+v, charged %d", what, a.stats.Drops, a.asm.charged-charged)
		}
	}
	deliver(flagB|flagU, 5, 53, "one ")
	bogus("the first again", flagB|flagU, 5, 53)
	deliver(flagU, 5, 3, "four ")
	bogus("a later one again", flagU, 5, 3)
	deliver(flagU|flagE, 5, 4, "five")
	bogus("after the end", flagU, 5, 5)
	bogus("a second end", flagU|flagE, 5, 2)
	bogus("0 that is not the first", flagU, 6, 0)
	deliver(flagU, 5, 1, "two ")
	deliver(flagU, 5, 2, "three ")
	if got := p.take(0); len(got) != 1 || string(got[0].Data) != "one two three four five" || got[0].PPID != 53 || !got[0].Unordered {
		t.Fatalf("%+v", got)
	}
	deliver(flagB|flagE, 0, 53, "ordered")
	bogus("a message that was delivered", flagB|flagE, 0, 53)
	deliver(flagB, 3, 53, "begun")
	deliver(flagU, 6, 7, "of another")
	deliver(flagB|flagE, 4, 53, "held")
	tsn++
	w.deliver(chunkIForwardTSN, 0, put32(put32(put32(put32(put32(nil, uint32(tsn)), 1<<16), 3), 1<<16|1), 6))
	a.check()
	bogus("what was skipped", flagB|flagE, 3, 53)
	bogus("what was skipped, unordered", flagU, 6, 2)
	got := p.take(0)
	if len(got) != 2 || string(got[1].Data) != "held" || a.asm.charged != 0 || len(a.asm.parts) != 0 {
		t.Errorf("%+v, %d charged, %d parts", got, a.asm.charged, len(a.asm.parts))
	}
	deliver(flagB, 5, 53, strings.Repeat("x", 600))
	deliver(0, 5, 2, strings.Repeat("x", 600))
	if a.State() != StateClosed {
		t.Error("a message that is too large is taken")
	}
}

// Promise: a peer that begins many messages and finishes none makes us keep no more than twice the buffer, as counted and as measured.
func TestManyBegunMessagesAreBounded(t *testing.T) {
	const buffer = 1 << 20
	for name, flags := range map[string]byte{"first fragments": flagB | flagU, "later fragments": flagU} {
		p, w := connected(t, Config{Interleaving: true, ReceiveBuffer: buffer, MaxReceiveMessageSize: 256 << 10})
		a := p.end[0]
		a.asm.hint, w.unchecked = 256<<10, true
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		tsn := a.received.base
		for i := range uint32(20_000) {
			tsn++
			w.deliver(chunkIData, flags, iDataBody(tsn, 1, i, 53, "x"))
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		if n := int(after.HeapAlloc) - int(before.HeapAlloc); n > 2*buffer || len(a.asm.parts) < 2000 || a.stats.Drops.Window == 0 {
			t.Errorf("%s: %d bytes for %d messages, %d charged", name, n, len(a.asm.parts), a.asm.charged)
		}
		a.check()
		runtime.KeepAlive(p)
	}
}

// take polls the events of one end and consumes their messages.
func (p *pair) take(end int) (list []Event) {
	a := p.end[end]
	for e, ok := a.PollEvent(); ok; e, ok = a.PollEvent() {
		if e.Kind == EventMessage {
			a.Consume(p.now, len(e.Data))
		}
		list = append(list, e)
	}
	return list
}

// Promise: numbers of messages wrap like TSNs do, ordered and unordered, with DATA and with I-DATA, also while messages are given up.
func TestMessageNumbersWrap(t *testing.T) {
	for _, on := range []bool{false, true} {
		p := newPair(t, 1, simnet.Config{Delay: time.Millisecond, Loss: 0.1}, Config{Interleaving: on})
		p.connect()
		out, in := p.end[0].out.make(0), p.end[1].asm.streams.make(0)
		out.id = 0
		out.mids = [2]uint32{1<<32 - 20, 1<<32 - 20}
		in.next, in.passed = 1<<32-20, 1<<32-21
		if !on {
			in.next = uint32(uint16(in.next))
		}
		sent, got := 0, map[bool]int{}
		p.onEvent = func(end int, e Event) {
			if e.Kind == EventMessage {
				got[e.Unordered]++
			}
		}
		for i := range uint64(100) {
			sp := SendParams{MaxRetransmits: -1, Unordered: i%2 == 0}
			if i%7 == 0 {
				sp.MaxRetransmits = 0
			} else {
				sent++
			}
			p.send(0, 0, body(i, 2000), sp)
			p.run(time.Millisecond)
		}
		p.run(10 * time.Second)
		if n := got[false] + got[true]; n < sent || n > 100 || p.end[1].asm.charged != 0 || p.end[0].sent.len() > 0 {
			t.Errorf("interleaving %v: %d of %d, %d charged", on, n, sent, p.end[1].asm.charged)
		}
	}
}

// Promise: with pion, whoever starts, messages of several streams are interleaved both ways, some are given up, and streams are reset.
func TestInterleavingWithPion(t *testing.T) {
	for _, weStart := range []bool{true, false} {
		w := newWithPion(t, Config{Interleaving: true, ZeroChecksum: true})
		w.change = func(c *pion.Config) { c.EnableZeroChecksum = true }
		w.connect(weStart, !weStart)
		w.echo(40, 60_000)
		if s := w.ours.Stats(); !s.Interleaving {
			t.Errorf("we start %v: %+v", weStart, s)
		}
		// The first of these is given up after a part of it has left.
		if err := w.ours.Send(time.Now(), 5, 53, make([]byte, 200<<10), SendParams{MaxRetransmits: -1, Lifetime: time.Microsecond, Unordered: true}); err != nil {
			t.Fatal(err)
		}
		w.ours.AppendPacket(time.Now(), nil) // lost
		w.echo(10, 1000)
		if s := w.ours.Stats(); s.MessagesAbandoned != 1 {
			t.Errorf("%+v", s)
		}
		w.events = nil
		w.ours.ResetStream(time.Now(), 3)
		w.until("our reset", func() bool { return w.has(EventOutgoingReset) })
		w.ours.Abort(time.Now(), "done")
		w.until("abort is sent", func() bool { return w.ours.State() == StateClosed })
	}
}

// Promise: the number of an unordered message never looks old, however many came since the last that was skipped.
func TestUnorderedNumbersNeverLookOld(t *testing.T) {
	var st inStream
	for mid := uint64(0); mid < 5<<32; mid += 1 << 28 {
		if int32(uint32(mid)-st.passed) < 0 {
			t.Fatalf("%d is before %d", uint32(mid), st.passed)
		}
		st.passUnordered(uint32(mid))
	}
}
