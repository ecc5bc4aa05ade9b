package sctp

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/sansrtc/rtc/internal/simnet"
)

// Promise: Shutdown, by one end or both, delivers all that was sent before and ends both ends with EventClosed, whatever the path does.
func TestShutdownDeliversEverything(t *testing.T) {
	for seed := range seeds(500) {
		p := newPair(t, seed, simnet.Config{}, Config{MaxRetransmits: 1000, MaxInitRetransmits: 1000})
		for i := range p.wire.Pipes {
			p.wire.Pipes[i].SetConfig(p.randomPath())
		}
		p.connect()
		var sent, got [2]int
		var closed [2]bool
		p.onEvent = func(end int, e Event) {
			if closed[end] {
				p.fatalf("event %+v after the last", e)
			}
			switch e.Kind {
			case EventMessage:
				got[end]++
			case EventClosed:
				closed[end] = true
			case EventAborted:
				p.fatalf("aborted: %v", e.Err)
			}
		}
		for range p.rng.IntN(40) {
			end := p.rng.IntN(2)
			p.send(end, 0, body(0, p.rng.IntN(5000)), reliable)
			sent[1-end]++
		}
		first := p.rng.IntN(2)
		p.end[first].Shutdown(p.now)
		if err := p.end[first].Send(p.now, 0, 53, []byte("x"), reliable); !errors.Is(err, ErrClosed) {
			p.fatalf("Send after Shutdown: %v", err)
		}
		if p.rng.IntN(3) == 0 {
			p.run(time.Duration(p.rng.IntN(500)) * time.Millisecond)
			p.end[1-first].Shutdown(p.now)
		}
		p.runUntil(10*time.Minute, "closed", func() bool { return closed[0] && closed[1] })
		if sent != got {
			p.fatalf("sent %v, got %v", sent, got)
		}
	}
}

// Promise: Abort tells the peer why, delivers what was received before, and is the last event of both.
func TestAbort(t *testing.T) {
	p := newPair(t, 1, simnet.Config{Delay: time.Millisecond})
	p.connect()
	p.send(0, 0, body(1, 10), reliable)
	p.run(time.Second)
	p.got = [2][]Event{}
	p.end[0].Abort(p.now, "enough")
	p.end[0].Abort(p.now, "again")
	p.run(time.Second)
	for i, remote := range []bool{false, true} {
		var err *AbortError
		if len(p.got[i]) != 1 || p.got[i][0].Kind != EventAborted || !errors.As(p.got[i][0].Err, &err) || err.Remote != remote || err.Reason != "enough" {
			t.Errorf("end %d: %+v", i, p.got[i])
		}
		if at := p.end[i].PollTimeout(); !at.IsZero() {
			t.Errorf("end %d: a timer runs", i)
		}
	}
}

// Promise: an association whose peer is gone gives up, in the handshake and later, and not before its retransmissions are used.
func TestGivesUp(t *testing.T) {
	p := newPair(t, 1, simnet.Config{Down: true})
	p.end[0].Start(p.now, 10*time.Millisecond)
	p.run(time.Minute)
	if n := p.end[0].Stats().PacketsSent; n != 9 || len(p.got[0]) != 1 || p.got[0][0].Kind != EventAborted {
		t.Errorf("%d INITs, events %+v", n, p.got[0])
	}
	p = newPair(t, 1, simnet.Config{Delay: time.Millisecond})
	p.connect()
	for i := range p.wire.Pipes {
		p.wire.Pipes[i].SetConfig(simnet.Config{Down: true})
	}
	p.send(0, 0, body(1, 10), reliable)
	p.run(time.Minute)
	if s := p.end[0].Stats(); s.Timeouts != 10 || p.end[0].State() != StateClosed {
		t.Errorf("%d timeouts, %v", s.Timeouts, p.end[0].State())
	}
	// The other end has nothing to send: its HEARTBEATs notice.
	p.run(time.Hour)
	if p.end[1].State() != StateClosed {
		t.Errorf("the idle end is %v", p.end[1].State())
	}
}

// Promise: idle associations stay up and exchange only HEARTBEATs.
func TestIdle(t *testing.T) {
	p := newPair(t, 1, simnet.Config{Delay: time.Millisecond})
	p.connect()
	before := p.end[0].Stats().PacketsSent
	p.run(time.Hour)
	if n := p.end[0].Stats().PacketsSent - before; !p.connected() || n > 2*120 {
		t.Errorf("%d packets in an hour", n)
	}
}

// Section 8.4: "If the packet contains a SHUTDOWN ACK chunk, the receiver SHOULD respond to the sender of the OOTB packet with a SHUTDOWN
// COMPLETE chunk. […] and set the T bit in the Chunk Flags".
func TestLostShutdownComplete(t *testing.T) {
	p := newPair(t, 1, simnet.Config{Delay: time.Millisecond})
	p.connect()
	lost := 0
	p.onPacket = func(from int, b []byte) bool {
		if b[headerSize] == chunkShutdownComplete && lost == 0 {
			lost++
			return false
		}
		return true
	}
	p.end[0].Shutdown(p.now)
	p.run(5 * time.Second)
	if lost != 1 || p.end[0].State() != StateClosed || p.end[1].State() != StateClosed || p.end[1].Stats().Timeouts != 0 {
		t.Errorf("states %v %v", p.end[0].State(), p.end[1].State())
	}
	if last := p.got[1][len(p.got[1])-1]; last.Kind != EventClosed {
		t.Errorf("last event %+v", last)
	}
}

// Promise: what is queued before the association is there goes along with COOKIE ECHO and is answered with COOKIE ACK: it arrives one and a
// half round trips after Start.
func TestDataRidesWithCookieEcho(t *testing.T) {
	p := newPair(t, 1, simnet.Config{Delay: 50 * time.Millisecond})
	p.send(0, 0, body(1, 200), reliable)
	var at time.Duration
	p.onEvent = func(end int, e Event) {
		if e.Kind == EventMessage {
			at = p.now.Sub(testEpoch)
		}
	}
	p.end[0].Start(p.now, 100*time.Millisecond)
	p.run(149 * time.Millisecond)
	if at != 0 {
		t.Fatalf("arrived at %v", at)
	}
	p.run(time.Millisecond)
	if at != 150*time.Millisecond {
		t.Errorf("arrived at %v", at)
	}
	if n := p.end[0].Stats().PacketsSent; n != 2 {
		t.Errorf("%d packets", n)
	}
	p.run(50 * time.Millisecond)
	if n := p.end[1].Stats().PacketsSent; n != 2 || p.end[0].sent.len() != 0 {
		t.Errorf("%d packets, %d outstanding", n, p.end[0].sent.len())
	}
}

// Promise: both ends may start at the same time; one association comes of it, with one EventConnected each.
func TestInitCollision(t *testing.T) {
	for seed := range seeds(500) {
		p := newPair(t, seed, simnet.Config{}, Config{MaxInitRetransmits: 1000})
		for i := range p.wire.Pipes {
			p.wire.Pipes[i].SetConfig(p.randomPath())
		}
		p.send(0, 0, body(0, 100), reliable)
		p.send(1, 0, body(1, 100), reliable)
		p.end[0].Start(p.now, 0)
		p.run(time.Duration(p.rng.IntN(200)) * time.Millisecond)
		p.end[1].Start(p.now, 0)
		p.runUntil(10*time.Minute, "both messages", func() bool { return messages(p.got[0]) == 1 && messages(p.got[1]) == 1 })
		for i := range p.got {
			if p.got[i][0].Kind != EventConnected {
				p.fatalf("end %d: first event %+v", i, p.got[i][0])
			}
			for _, e := range p.got[i][1:] {
				if e.Kind == EventConnected || e.Kind == EventAborted {
					p.fatalf("end %d: event %+v", i, e)
				}
			}
		}
	}
}

func messages(events []Event) (n int) {
	for _, e := range events {
		if e.Kind == EventMessage {
			n++
		}
	}
	return n
}

// Section 5.2.6: a cookie that comes too late is answered with an ERROR, and the handshake begins again.
func TestStaleCookie(t *testing.T) {
	p := newPair(t, 1, simnet.Config{Delay: time.Millisecond}, Config{MaxInitRetransmits: 1000, RTOMax: time.Minute, RTOInitial: time.Minute})
	late := true
	p.onPacket = func(from int, b []byte) bool {
		if b[headerSize] == chunkCookieEcho && late {
			late = false
			p.end[1].now += instant(cookieLifetime) + 1e9
			return true
		}
		return true
	}
	p.end[0].Start(p.now, 0)
	p.run(3 * time.Minute)
	if !p.connected() || p.end[1].stats.Drops.Cookie == 0 || p.end[0].stats.ErrorsReceived != 1 {
		t.Errorf("states %v %v, %+v", p.end[0].State(), p.end[1].State(), p.end[1].stats.Drops)
	}
}

// Promise: mistakes of the caller are errors and change nothing.
func TestCallersMistakes(t *testing.T) {
	for _, cfg := range []Config{{}, {Rand: testRand(1, 1), MTU: 100}, {Rand: testRand(1, 1), MaxStreams: 70000},
		{Rand: testRand(1, 1), ReceiveBuffer: 100_000}, {Rand: testRand(1, 1), RTOMin: time.Minute}, {Rand: testRand(1, 1), InitialCwnd: -1},
		{Rand: testRand(1, 1), MaxSendMessageSize: -1}} {
		if _, err := New(cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
	if _, err := New(Config{Rand: bytes.NewReader(nil)}); err == nil {
		t.Error("an empty source of secrets is taken")
	}
	p := newPair(t, 1, simnetIdeal, Config{MaxStreams: 10, MaxSendMessageSize: 100})
	a := p.end[0]
	for _, c := range []struct {
		id   StreamID
		size int
		want error
	}{{0, 0, ErrEmptyMessage}, {0, 101, ErrMessageTooLarge}, {10, 1, ErrStreamID}} {
		if err := a.Send(p.now, c.id, 53, make([]byte, c.size), reliable); err != c.want {
			t.Errorf("%+v: %v", c, err)
		}
	}
	a.Consume(p.now, 1<<30)
	a.ResetStream(p.now, 11)
	a.Release(3)
	a.check()
	a.Shutdown(p.now)
	if e, ok := a.PollEvent(); !ok || e.Kind != EventClosed {
		t.Errorf("event %+v", e)
	}
}

// W3C webrtc-pc: the event comes when the buffered amount falls from above the threshold to it or below.
func TestBufferedAmountLow(t *testing.T) {
	p := newPair(t, 1, simnet.Config{Delay: 10 * time.Millisecond})
	p.connect()
	p.end[0].SetBufferedAmountLowThreshold(3, 50_000)
	for i := range 100 {
		p.send(0, 3, body(uint64(i), 1000), reliable)
	}
	if n := p.end[0].BufferedAmount(3); n != 100_000 {
		t.Fatalf("buffered %d", n)
	}
	at := -1
	p.onEvent = func(end int, e Event) {
		if e.Kind == EventBufferedAmountLow {
			if at >= 0 {
				t.Error("event came twice")
			}
			at = p.end[0].BufferedAmount(e.Stream)
		}
	}
	p.run(time.Second)
	if at < 0 || at > 50_000 || p.end[0].BufferedAmount(3) != 0 {
		t.Errorf("event at %d", at)
	}
}

// Promise: messages that are not consumed close the window, and the sender goes on when they are.
func TestBackPressure(t *testing.T) {
	p := newPair(t, 1, simnet.Config{Delay: 10 * time.Millisecond}, Config{ReceiveBuffer: 64 << 10, MaxReceiveMessageSize: 32 << 10})
	p.connect()
	p.consume = false
	for i := range 500 {
		p.send(0, 0, body(uint64(i), 1000), reliable)
	}
	p.run(300 * time.Millisecond)
	if n, d := messages(p.got[1]), p.end[1].stats.Drops.Window; n < 50 || n > 64 || d > 0 {
		t.Fatalf("%d messages in the window, %d chunks were sent in vain", n, d)
	}
	p.run(time.Minute) // only probes
	if n := p.end[0].Stats().DataPacketsSent; n > 64+40 {
		t.Errorf("%d packets", n)
	}
	start := p.now
	for taken := 0; taken < 500; {
		for ; taken < messages(p.got[1]); taken++ {
			p.end[1].Consume(p.now, 1000)
		}
		if taken < 500 && !p.step(start.Add(10*time.Second)) {
			p.fatalf("%d messages", taken)
		}
	}
}
