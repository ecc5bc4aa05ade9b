package sctp

import (
	"bytes"
	"testing"
	"time"

	"github.com/sansrtc/rtc/internal/simnet"
)

var largerMTUs = []int{1363, 1415, 1435, 8915, 16339}

// bulk sends n messages of 16 KiB from end 0 and lets time pass until all have arrived, unchanged and in order.
func (p *pair) bulk(n int, d time.Duration) {
	p.t.Helper()
	sent, got := 0, 0
	p.onEvent = func(end int, e Event) {
		if e.Kind != EventMessage {
			return
		}
		if i, ok := checkBody(e.Data); !ok || i != uint64(got) {
			p.fatalf("message %d comes as %d, unchanged %v", got, i, ok)
		}
		got++
	}
	p.runUntil(d, "bulk", func() bool {
		for ; sent < n && p.end[0].BufferedAmount(0) < 256<<10; sent++ {
			p.send(0, 0, body(uint64(sent), 16<<10), reliable)
		}
		return got == n
	})
}

// Promise: packets become as large as the path carries, probes leave one at a time, and their loss slows nothing down.
func TestPathMTUIsFound(t *testing.T) {
	for _, c := range []struct{ mtu, want int }{{1280, 1160}, {1500, 1432}, {9000, 8912}, {0, 16336}} {
		p := newPair(t, 1, simnet.Config{Delay: 5 * time.Millisecond, MTU: c.mtu}, Config{LargerMTUs: largerMTUs})
		p.connect()
		outstanding := false
		p.onPacket = func(from int, b []byte) bool {
			if from == 0 && b[headerSize] == chunkHeartbeat {
				if outstanding = p.end[0].path.nonce != 0; !outstanding || p.end[0].path.due {
					p.fatalf("a probe that is not alone")
				}
			}
			return true
		}
		p.bulk(300, time.Minute)
		if s := p.end[0].Stats(); s.MTU != c.want || s.FastRecoveries+s.Timeouts+s.Retransmissions+s.BlackHoles > 0 || !outstanding {
			t.Errorf("MTU %d: %+v", c.mtu, s)
		}
		if s := p.end[1].Stats(); s.MTU != 1160 || s.PathProbes > 0 {
			t.Errorf("MTU %d: the receiver probes: %+v", c.mtu, s)
		}
	}
}

// RFC 8899 section 3: probing is for who would use larger packets. An association that sends little probes nothing.
func TestIdleAssociationProbesNothing(t *testing.T) {
	p := newPair(t, 1, simnet.Config{Delay: 5 * time.Millisecond}, Config{LargerMTUs: largerMTUs})
	p.connect()
	for i := range 200 {
		p.send(i&1, 0, body(uint64(i), 500), reliable)
		p.run(50 * time.Millisecond)
	}
	p.run(2 * time.Minute)
	if n := p.end[0].Stats().PathProbes + p.end[1].Stats().PathProbes; n > 0 {
		t.Errorf("%d probes", n)
	}
}

// A peer that does not announce PAD is not probed: Chromium's ends the association at it, and pion drops the packet.
func TestPeerWithoutPadIsNotProbed(t *testing.T) {
	p := newPair(t, 1, simnet.Config{Delay: 5 * time.Millisecond}, Config{LargerMTUs: largerMTUs}, Config{})
	p.onPacket = func(_ int, b []byte) bool {
		if b[headerSize] == chunkInitAck {
			list := bytes.Index(b, []byte{chunkReconfig, chunkForwardTSN, chunkPad})
			b[list+2] = chunkReconfig
			copy(b[8:], zeros[:])
			seal(b)
		}
		return true
	}
	p.connect()
	p.send(0, 0, body(1, 200_000), reliable)
	p.run(5 * time.Second)
	if n := p.end[0].Stats().PathProbes; n > 0 {
		t.Errorf("%d probes", n)
	}
}

// Promise: when the path becomes narrower while data flows, nothing is lost and the flow stands for a few round trips and at most three
// RTOs. The new width is found.
func TestBlackHole(t *testing.T) {
	for seed := range seeds(20) {
		p := newPair(t, seed, simnet.Config{Delay: 10 * time.Millisecond}, Config{LargerMTUs: largerMTUs})
		p.connect()
		p.bulk(60+int(seed), time.Minute)
		a := p.end[0]
		if a.Stats().MTU != 16336 {
			p.fatalf("%+v", a.Stats())
		}
		for _, c := range []struct{ mtu, want int }{{9000, 8912}, {1280, 1160}} {
			p.wire.Pipes[0].SetConfig(simnet.Config{Delay: 10 * time.Millisecond, MTU: c.mtu})
			holes, start := a.Stats().BlackHoles, p.now
			p.bulk(30, time.Minute)
			if took := p.now.Sub(start); took > 3*a.rto.lower+100*time.Millisecond || a.Stats().BlackHoles != holes+1 {
				p.fatalf("MTU %d: %v: %+v", c.mtu, took, a.Stats())
			}
			for i := 0; i < 10 && a.Stats().MTU != c.want; i++ {
				p.bulk(20, time.Minute)
				p.run(time.Second)
			}
			if a.Stats().MTU != c.want {
				p.fatalf("MTU %d: %+v", c.mtu, a.Stats())
			}
		}
	}
}

// Promise: losses of congestion are not taken for a narrower path.
func TestCongestionIsNoBlackHole(t *testing.T) {
	for seed := range seeds(10) {
		p := newPair(t, seed, simnet.Config{Delay: 10 * time.Millisecond, Rate: 200_000_000, Queue: 200 << 10, Loss: 0.01}, Config{LargerMTUs: largerMTUs})
		p.connect()
		p.bulk(150, time.Minute)
		if s := p.end[0].Stats(); s.MTU != 16336 || s.FastRecoveries == 0 || s.BlackHoles > 0 {
			p.fatalf("%+v", s)
		}
	}
}

// Promise: what was found is forgotten with the path, and the raise timer tries again what did not pass.
func TestPathMTUIsSearchedAgain(t *testing.T) {
	p := newPair(t, 1, simnet.Config{Delay: 5 * time.Millisecond, MTU: 1500}, Config{LargerMTUs: largerMTUs})
	p.connect()
	a := p.end[0]
	search := func(want int) {
		t.Helper()
		for range 10 {
			p.bulk(20, time.Minute)
			p.run(time.Second)
		}
		if a.Stats().MTU != want {
			t.Errorf("%+v", a.Stats())
		}
	}
	search(1432)
	n := a.Stats().PathProbes
	p.wire.Pipes[0].SetConfig(simnet.Config{Delay: 5 * time.Millisecond})
	search(1432)
	if a.Stats().PathProbes != n || n != 3+maxPathProbes {
		t.Errorf("%d probes, then %d", n, a.Stats().PathProbes)
	}
	p.run(pathRaiseTime)
	if a.Stats().PathProbes != n {
		t.Error("the timer probes an idle path")
	}
	search(16336)
	a.PathChanged(p.now)
	if a.Stats().MTU != 1160 {
		t.Errorf("%+v", a.Stats())
	}
	p.wire.Pipes[0].SetConfig(simnet.Config{Delay: 5 * time.Millisecond, MTU: 9000})
	search(8912)
}

// Promise: an answer to a probe counts once, and only with the number of the probe that is out: nobody off the path can guess it, and a late
// one says nothing about another size.
func TestProbeAnswersOfOthersAreDropped(t *testing.T) {
	p := newPair(t, 1, simnet.Config{Delay: 5 * time.Millisecond}, Config{LargerMTUs: largerMTUs})
	p.connect()
	a := p.end[0]
	p.onPacket = func(from int, b []byte) bool { return from == 0 || b[headerSize] != chunkHeartbeatAck }
	p.bulk(20, time.Minute)
	p.run(50 * time.Millisecond) // nothing is in flight that a larger probe would be for
	if a.path.nonce == 0 {
		t.Fatal("no probe is out")
	}
	w := wireOf(p, 0)
	answer := func(nonce uint64) []byte {
		return appendTLV(nil, paramHeartbeatInfo, put32(put32(nil, uint32(nonce>>32)), uint32(nonce)))
	}
	nonce := a.path.nonce
	w.deliver(chunkHeartbeatAck, 0, answer(nonce-1))
	w.deliver(chunkHeartbeatAck, 0, answer(0))
	if a.path.found != 0 || a.stats.Drops.State != 2 {
		t.Errorf("%+v", a.Stats())
	}
	w.deliver(chunkHeartbeatAck, 0, answer(nonce))
	w.deliver(chunkHeartbeatAck, 0, answer(nonce))
	if a.path.found != 1 || a.stats.Drops.State != 3 {
		t.Errorf("%+v", a.Stats())
	}
}

// Promise: only losses after the last large packet that arrived count, each packet once.
func TestBlackHoleCountsWhatNothingFollowed(t *testing.T) {
	var h blackHole
	h.onAck(10)
	h.note(7)
	h.note(8)
	h.note(9)
	if h.n != 0 {
		t.Errorf("%d losses before the last that arrived", h.n)
	}
	h.note(11)
	h.note(11)
	h.note(12)
	if h.onAck(9); h.n != 2 {
		t.Errorf("%d losses", h.n)
	}
	if h.onAck(13); h.n != 0 {
		t.Errorf("%d losses after another arrived", h.n)
	}
}
