package sctp

import (
	"testing"
	"time"

	"github.com/sansrtc/rtc/internal/simnet"
)

// seeds is how many of n runs are worth their time.
func seeds(n uint64) uint64 {
	if testing.Short() || raceEnabled {
		return n / 10
	}
	return n
}

// randomPath draws a path that may lose, delay, reorder, duplicate and queue.
func (p *pair) randomPath() simnet.Config {
	c := simnet.Config{Delay: time.Duration(p.rng.IntN(100)) * time.Millisecond}
	if p.rng.IntN(3) > 0 {
		c.Loss = p.rng.Float64() * 0.3
	}
	if p.rng.IntN(3) == 0 {
		c.Reorder = p.rng.Float64() * 0.3
	}
	if p.rng.IntN(3) == 0 {
		c.Duplicate = p.rng.Float64() * 0.3
	}
	if p.rng.IntN(3) == 0 {
		c.Jitter = time.Duration(p.rng.IntN(30)) * time.Millisecond
	}
	if p.rng.IntN(3) == 0 {
		c.Rate, c.Queue = 1_000_000+p.rng.Int64N(20_000_000), 8<<10+p.rng.IntN(64<<10)
	}
	return c
}

// Promise: every reliable message arrives once, unchanged, and in order on its stream if it is ordered, whatever the path does.
func TestReliableMessagesArriveOnceAndInOrder(t *testing.T) {
	for seed := range seeds(700) {
		cfg := Config{MaxRetransmits: 1000, MaxInitRetransmits: 1000}
		if seed%4 == 0 {
			cfg.ReceiveBuffer, cfg.MaxReceiveMessageSize = 48<<10, 40000
		}
		if seed%2 == 0 {
			cfg.LargerMTUs = largerMTUs
		}
		cfg.ZeroChecksum, cfg.Interleaving = seed%3 == 0, seed/4%2 == 0
		p := newPair(t, seed, simnet.Config{}, cfg)
		for i := range p.wire.Pipes {
			p.wire.Pipes[i].SetConfig(p.randomPath())
		}
		total := 0
		type key struct {
			end, stream int
		}
		next := map[key]uint64{}
		seen := [2]map[uint64]bool{{}, {}}
		var sent [2]uint64
		received := 0
		p.onEvent = func(end int, e Event) {
			switch e.Kind {
			case EventAborted:
				p.fatalf("aborted: %v", e.Err)
			case EventMessage:
				n, ok := checkBody(e.Data)
				if !ok || seen[end][n] {
					p.fatalf("message %d is damaged or came twice", n)
				}
				seen[end][n] = true
				received++
				if !e.Unordered {
					k := key{end, int(e.Stream)}
					if n < next[k] {
						p.fatalf("message %d on stream %d after %d", n, e.Stream, next[k])
					}
					next[k] = n
				}
			}
		}
		p.end[0].Start(p.now, 0)
		if p.rng.IntN(2) == 0 {
			p.end[1].Start(p.now, 0)
		}
		for range 1 + p.rng.IntN(10) {
			for range p.rng.IntN(20) {
				end := p.rng.IntN(2)
				size := p.rng.IntN(3000)
				if p.rng.IntN(10) == 0 {
					size = p.rng.IntN(40000)
				}
				sp := reliable
				sp.Unordered = p.rng.IntN(3) == 0
				p.send(end, StreamID(p.rng.IntN(5)), body(sent[end], size), sp)
				sent[end]++
				total++
			}
			if pipe := p.wire.Pipes[p.rng.IntN(2)]; p.rng.IntN(3) == 0 {
				c := pipe.Config()
				c.MTU = []int{0, 1280, 1500, 9000}[p.rng.IntN(4)]
				pipe.SetConfig(c)
			}
			p.run(time.Duration(p.rng.IntN(300)) * time.Millisecond)
		}
		p.runUntil(10*time.Minute, "all messages", func() bool { return received == total })
	}
}

// Promise: nothing stays behind when all was delivered: no chunk, no timer but the heartbeat.
func TestQuietAfterDelivery(t *testing.T) {
	p := newPair(t, 1, simnet.Config{Delay: 10 * time.Millisecond})
	p.connect()
	p.send(0, 0, body(1, 100_000), reliable)
	p.run(5 * time.Second)
	for i, a := range p.end {
		for name, at := range a.timers {
			if at != 0 && timer(name) != timerHeartbeat {
				t.Errorf("end %d: timer %d runs", i, name)
			}
		}
	}
}
