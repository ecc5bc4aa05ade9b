package sctp

import (
	"errors"
	"testing"
	"time"

	"github.com/sansrtc/rtc/internal/simnet"
)

// Promise: a reset comes after all messages of its stream, once, and a stream that was reset in both directions starts anew, whatever the
// path does.
func TestResetAndReuse(t *testing.T) {
	for seed := range seeds(1000) {
		cfg := Config{MaxRetransmits: 1000, MaxInitRetransmits: 1000}
		p := newPair(t, seed, simnet.Config{}, cfg)
		for i := range p.wire.Pipes {
			p.wire.Pipes[i].SetConfig(p.randomPath())
		}
		type stream struct {
			sent, got      [2]int
			outDone, inEnd [2]bool
		}
		var streams [3]stream
		p.onEvent = func(end int, e Event) {
			switch e.Kind {
			case EventAborted:
				p.fatalf("aborted: %v", e.Err)
			case EventMessage:
				s := &streams[e.Stream]
				if s.inEnd[end] {
					p.fatalf("message on stream %d after its reset", e.Stream)
				}
				if n, ok := checkBody(e.Data); !ok || n != uint64(s.got[end]) {
					p.fatalf("message %d of stream %d is %d", s.got[end], e.Stream, n)
				}
				s.got[end]++
			case EventIncomingReset:
				for _, id := range e.Streams {
					s := &streams[id]
					if s.inEnd[end] || s.got[end] != s.sent[1-end] {
						p.fatalf("stream %d is reset after %d of %d messages", id, s.got[end], s.sent[1-end])
					}
					s.inEnd[end] = true
				}
			case EventOutgoingReset:
				for _, id := range e.Streams {
					if e.Err != nil || streams[id].outDone[end] {
						p.fatalf("reset of %d: %v", id, e.Err)
					}
					streams[id].outDone[end] = true
				}
			}
		}
		p.end[0].Start(p.now, 0)
		for range 3 {
			streams = [3]stream{}
			for range p.rng.IntN(30) {
				end, id := p.rng.IntN(2), p.rng.IntN(3)
				p.send(end, StreamID(id), body(uint64(streams[id].sent[end]), p.rng.IntN(3000)), reliable)
				streams[id].sent[end]++
			}
			p.run(time.Duration(p.rng.IntN(200)) * time.Millisecond)
			for _, i := range p.rng.Perm(6) {
				p.end[i&1].ResetStream(p.now, StreamID(i/2))
				if err := p.end[i&1].Send(p.now, StreamID(i/2), 53, body(0, 8), reliable); err != ErrStreamResetting {
					p.fatalf("Send after ResetStream: %v", err)
				}
				p.run(time.Duration(p.rng.IntN(50)) * time.Millisecond)
			}
			p.runUntil(10*time.Minute, "resets", func() bool {
				for _, s := range streams {
					if s.inEnd != [2]bool{true, true} || s.outDone != [2]bool{true, true} {
						return false
					}
				}
				return true
			})
			for i := range 6 {
				p.end[i&1].Release(StreamID(i / 2))
			}
		}
	}
}

// Promise: a peer without RE-CONFIG refuses by having none.
func TestResetWithoutPeerSupport(t *testing.T) {
	p := newPair(t, 1, simnet.Config{})
	p.connect()
	p.end[0].reset.supported = false
	p.end[0].ResetStream(p.now, 5)
	p.run(time.Second)
	if len(p.got[0]) != 1 || p.got[0][0].Kind != EventOutgoingReset || !errors.Is(p.got[0][0].Err, ErrResetDenied) {
		t.Errorf("events %+v", p.got[0])
	}
}

// RFC 6525 section 5.2.1: "If the received RE-CONFIG chunk contains at least one request and based on the analysis of the Re-configuration
// Request Sequence Numbers this is the last received RE-CONFIG chunk (i.e., a retransmission), the same RE-CONFIG chunk MUST to be sent
// back in response, as it was earlier."
func TestRepeatedResetRequestIsAnsweredTheSame(t *testing.T) {
	p := newPair(t, 1, simnet.Config{})
	p.connect()
	w := wireOf(p, 0)
	number := p.end[0].reset.expected
	request := put32(put32(put32(put16(put16(nil, paramOutgoingReset), 18), number), 0), uint32(p.end[0].received.base))
	request = pad(put16(request, 3), 18)
	for i := range 3 {
		answers := w.deliver(chunkReconfig, 0, request)
		if len(answers) != 1 || answers[0].typ != chunkReconfig || be32(answers[0].body[8:]) != resultPerformed {
			t.Fatalf("answer %d: %+v", i, answers)
		}
	}
	n := 0
	for e, ok := p.end[0].PollEvent(); ok; e, ok = p.end[0].PollEvent() {
		if e.Kind == EventIncomingReset {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d events", n)
	}
	for param, want := range map[uint16]uint32{paramIncomingReset: resultDenied, paramTSNReset: resultDenied, paramAddOutgoing: resultDenied} {
		number++
		answers := w.deliver(chunkReconfig, 0, put32(put32(put16(put16(nil, param), 12), number), 0))
		if len(answers) != 1 || be32(answers[0].body[8:]) != want {
			t.Errorf("request %d: %+v", param, answers)
		}
	}
	answers := w.deliver(chunkReconfig, 0, put32(put32(put16(put16(nil, paramIncomingReset), 12), number+7), 0))
	if len(answers) != 1 || be32(answers[0].body[8:]) != resultBadNumber {
		t.Errorf("bad number: %+v", answers)
	}
}

// Promise: a stream whose reset the peer refused goes on where it was, once it is released.
func TestRefusedResetChangesNothing(t *testing.T) {
	for _, on := range []bool{false, true} {
		p := newPair(t, 1, simnet.Config{Delay: time.Millisecond}, Config{Interleaving: on})
		p.connect()
		p.end[0].reset.supported = false
		for i := range uint64(6) {
			p.send(0, 1, body(i, 100), SendParams{MaxRetransmits: -1, Unordered: i >= 4})
			p.run(time.Second)
			if i%2 == 1 {
				p.end[0].ResetStream(p.now, 1)
				p.run(time.Second)
				p.end[0].Release(1)
			}
		}
		if n := messages(p.got[1]); n != 6 {
			t.Errorf("interleaving %v: %d of 6 messages", on, n)
		}
	}
}

// RFC 6525 section 5.1.1: the timer of a request that is not answered doubles each time, up to RTO.Max, though data is acknowledged meanwhile.
func TestResetTimerDoubles(t *testing.T) {
	p := newPair(t, 1, simnet.Config{Delay: time.Millisecond}, Config{RTOMin: 100 * time.Millisecond, RTOMax: time.Second})
	p.connect()
	var at []time.Time
	p.onPacket = func(from int, b []byte) bool {
		if from == 0 && b[headerSize] == chunkReconfig {
			at = append(at, p.now)
			return false
		}
		return true
	}
	p.end[0].ResetStream(p.now, 1)
	for range 60 {
		p.send(0, 0, body(0, 100), reliable)
		p.run(100 * time.Millisecond)
	}
	if len(at) < 6 {
		t.Fatalf("%d requests", len(at))
	}
	want := at[1].Sub(at[0])
	for i := 1; i < len(at); i++ {
		if d := at[i].Sub(at[i-1]); d < want-50*time.Millisecond || d > want+50*time.Millisecond {
			t.Errorf("request %d came after %v, not %v", i, d, want)
		}
		want = min(2*want, time.Second)
	}
}
