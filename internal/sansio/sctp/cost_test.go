package sctp

import (
	"bytes"
	"runtime"
	"testing"
	"time"
)

// Promise: a packet is sent, received and acknowledged without an allocation but that of the message.
func TestAllocations(t *testing.T) {
	p := newPair(t, 1, simnetIdeal)
	p.checks = false
	p.connect()
	s, r := p.end[0], p.end[1]
	data := make([]byte, 1000)
	buf := make([]byte, 0, 2000)
	round := func() {
		p.now = p.now.Add(time.Millisecond)
		for range 4 {
			_ = s.Send(p.now, 0, 53, data, reliable)
		}
		for b, ok := s.AppendPacket(p.now, buf[:0]); ok; b, ok = s.AppendPacket(p.now, buf[:0]) {
			r.HandlePacket(p.now, b)
		}
		r.HandleBurstEnd(p.now)
		for e, ok := r.PollEvent(); ok; e, ok = r.PollEvent() {
			r.Consume(p.now, len(e.Data))
		}
		for b, ok := r.AppendPacket(p.now, buf[:0]); ok; b, ok = r.AppendPacket(p.now, buf[:0]) {
			s.HandlePacket(p.now, b)
		}
		s.HandleBurstEnd(p.now)
		for _, ok := s.PollEvent(); ok; _, ok = s.PollEvent() {
		}
	}
	round()
	if n := testing.AllocsPerRun(100, round); n != 4 {
		t.Errorf("%v allocations for 4 messages", n)
	}
}

// Promise: small messages that came together share memory, and nobody notices: one is not reached through another, and who keeps one of many
// keeps half a kilobyte at most. One that came alone has memory of its own.
func TestSmallMessagesShareMemory(t *testing.T) {
	p := newPair(t, 1, simnetIdeal)
	p.checks = false
	p.connect()
	var got [][]byte
	p.onEvent = func(_ int, e Event) {
		if e.Kind == EventMessage {
			got = append(got, e.Data)
		}
	}
	send := func(messages int) {
		for i := range messages {
			p.send(0, 0, body(uint64(i), 64), reliable)
		}
		p.run(time.Second)
	}
	if send(1); cap(got[0]) > 64 {
		t.Errorf("a message alone has %d bytes", cap(got[0]))
	}
	got = nil
	send(16)
	for i, b := range got {
		_ = append(b, "overwritten"...)
		clear(b)
		if i+1 < len(got) && !bytes.Equal(got[i+1], body(uint64(i+1), 64)) {
			t.Fatalf("message %d was changed through the one before", i+1)
		}
	}

	const every, kept = 50, 500
	var before, after runtime.MemStats
	measured := func(m *runtime.MemStats) {
		p.end[1].Rest()
		runtime.GC()
		runtime.ReadMemStats(m)
	}
	var keep [kept][]byte
	n := 0
	got = nil
	p.onEvent = func(_ int, e Event) {
		if n%every == 0 && n/every < kept {
			keep[n/every] = e.Data
		}
		n++
	}
	measured(&before)
	for n < every*kept {
		send(100)
	}
	measured(&after)
	if each := (int(after.HeapAlloc) - int(before.HeapAlloc)) / kept; each > blockSize+64 {
		t.Errorf("each message that is kept keeps %d bytes", each)
	} else {
		t.Logf("each message that is kept keeps %d bytes", each)
	}
	runtime.KeepAlive(&keep)
	runtime.KeepAlive(p)
}

// Promise: a sender that pauses finds the memory that it has used before; it is given back when little is sent from then on.
func TestMemoryOfASenderThatPauses(t *testing.T) {
	p := newPair(t, 1, simnetIdeal)
	p.checks = false
	p.connect()
	a := p.end[0]
	burst := func(messages int) {
		for range messages {
			p.send(0, 0, make([]byte, 64), reliable)
		}
		p.run(time.Second)
		if a.sent.len() > 0 {
			t.Fatalf("%d chunks are outstanding", a.sent.len())
		}
	}
	burst(5000)
	ring, free := len(a.sent.ring), a.pool.n
	for range 3 {
		if burst(5000); len(a.sent.ring) != ring || a.pool.n != free || free < 5000 {
			t.Fatalf("places for %d chunks and %d messages, before %d and %d", len(a.sent.ring), a.pool.n, ring, free)
		}
	}
	if burst(1); len(a.sent.ring) > 1024 || a.pool.n > poolKeep {
		t.Errorf("places for %d chunks and %d messages stay", len(a.sent.ring), a.pool.n)
	}
}

// Promise: a stream that was used and is idle costs about 100 bytes at both ends together, and 65 535 of them work.
func TestManyStreams(t *testing.T) {
	p := newPair(t, 1, simnetIdeal)
	p.checks = false
	p.connect()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	got := 0
	p.onEvent = func(end int, e Event) {
		if e.Kind == EventMessage {
			got++
		}
	}
	for id := range 65535 {
		p.send(0, StreamID(id), []byte{1}, reliable)
		if id%100 == 99 {
			p.run(0)
		}
	}
	p.run(time.Second)
	if got != 65535 || p.end[0].sent.len() != 0 {
		t.Fatalf("%d messages", got)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if n := int(after.HeapAlloc-before.HeapAlloc) / 65535; n > 120 {
		t.Errorf("%d bytes a stream", n)
	} else {
		t.Logf("%d bytes a stream", n)
	}
	runtime.KeepAlive(p)
}
