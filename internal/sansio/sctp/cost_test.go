package sctp

import (
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
