package sctp

import (
	"testing"
	"time"

	"github.com/sansrtc/rtc/internal/simnet"
)

// Promise: messages that may be given up arrive at most once, unchanged and in order, and never hold up those that may not; in the end
// nothing is left waiting.
func TestPartialReliabilityNeverBlocks(t *testing.T) {
	abandoned := uint64(0)
	for seed := range seeds(700) {
		cfg := Config{MaxRetransmits: 1000, MaxInitRetransmits: 1000}
		if seed%4 == 0 {
			cfg.ReceiveBuffer, cfg.MaxReceiveMessageSize = 48<<10, 40000
		}
		if seed%2 == 0 {
			cfg.LargerMTUs = largerMTUs
		}
		cfg.Interleaving = seed/4%2 == 0
		p := newPair(t, seed, simnet.Config{}, cfg)
		for i := range p.wire.Pipes {
			p.wire.Pipes[i].SetConfig(p.randomPath())
		}
		type message struct{ reliable, got bool }
		var sent [2][]message
		last := map[[2]int]uint64{}
		p.onEvent = func(end int, e Event) {
			switch e.Kind {
			case EventAborted:
				p.fatalf("aborted: %v", e.Err)
			case EventMessage:
				n, ok := checkBody(e.Data)
				from := 1 - end
				if !ok || n >= uint64(len(sent[from])) || sent[from][n].got {
					p.fatalf("message %d is damaged or came twice", n)
				}
				sent[from][n].got = true
				if k := [2]int{end, int(e.Stream)}; !e.Unordered {
					if n < last[k] {
						p.fatalf("message %d after %d", n, last[k])
					}
					last[k] = n
				}
			}
		}
		p.end[0].Start(p.now, 0)
		for range 1 + p.rng.IntN(10) {
			for range p.rng.IntN(20) {
				end, size := p.rng.IntN(2), p.rng.IntN(3000)
				if p.rng.IntN(10) == 0 {
					size = p.rng.IntN(40000)
				}
				sp := SendParams{MaxRetransmits: -1, Unordered: p.rng.IntN(2) == 0}
				switch p.rng.IntN(4) {
				case 0:
					sp.MaxRetransmits = p.rng.Int32N(3)
				case 1, 2:
					sp.Lifetime = time.Duration(1 + p.rng.IntN(int(500*time.Millisecond)))
				}
				p.send(end, StreamID(p.rng.IntN(4)), body(uint64(len(sent[end])), size), sp)
				sent[end] = append(sent[end], message{reliable: sp.MaxRetransmits < 0 && sp.Lifetime == 0})
			}
			p.run(time.Duration(p.rng.IntN(300)) * time.Millisecond)
		}
		p.runUntil(10*time.Minute, "end", func() bool {
			for _, a := range p.end {
				if a.sent.len() > 0 || !a.sched.empty() || a.State() != StateEstablished {
					return false
				}
			}
			return true
		})
		p.run(time.Second)
		for end := range sent {
			for i, m := range sent[end] {
				if m.reliable && !m.got {
					p.fatalf("reliable message %d of end %d is missing", i, end)
				}
			}
			abandoned += p.end[end].Stats().MessagesAbandoned
			r := &p.end[end].asm
			if r.charged != 0 {
				p.fatalf("end %d keeps %d bytes: %d partial, %d fragments", end, r.charged, len(r.partial), len(r.fragments))
			}
		}
	}
	if abandoned == 0 {
		t.Error("no message was given up")
	}
}

// Promise: a message whose lifetime ends before anything of it was sent vanishes: no TSN, no SSN, no FORWARD TSN.
func TestExpiredMessageThatWasNeverSentVanishes(t *testing.T) {
	p := newPair(t, 1, simnet.Config{Delay: time.Millisecond})
	p.connect()
	next := p.end[0].sent.next
	p.send(0, 1, body(1, 1000), SendParams{MaxRetransmits: -1, Lifetime: time.Millisecond})
	p.now = p.now.Add(2 * time.Millisecond)
	p.run(time.Second)
	if s := p.end[0].Stats(); p.end[0].sent.next != next || s.ForwardTSNs != 0 || s.Buffered != 0 || s.MessagesAbandoned != 1 {
		t.Errorf("stats %+v", s)
	}
	p.send(0, 1, body(2, 1000), reliable)
	p.run(time.Second)
	if len(p.got[1]) != 1 {
		t.Errorf("%d events", len(p.got[1]))
	}
}

// Promise: a message that is given up after some of it was sent and acknowledged leaves nothing at the receiver, although there is no TSN of
// it left to skip.
func TestRestOfAPartlySentMessageIsSkipped(t *testing.T) {
	p := newPair(t, 1, simnet.Config{Delay: 10 * time.Millisecond})
	p.connect()
	p.send(0, 1, body(1, 100_000), SendParams{MaxRetransmits: -1, Lifetime: 5 * time.Millisecond}) // cwnd takes a tenth of it
	p.send(0, 1, body(2, 1000), reliable)
	p.run(time.Second)
	if len(p.got[1]) != 1 || len(p.got[1][0].Data) != 1000 {
		t.Fatalf("got %d events", len(p.got[1]))
	}
	if s := p.end[0].Stats(); s.ForwardTSNs == 0 || s.MessagesAbandoned != 1 {
		t.Errorf("stats %+v", s)
	}
}

// Promise: one FORWARD TSN names each stream once, whatever number of messages it skips.
func TestForwardTSNNamesStreamsOnce(t *testing.T) {
	p := newPair(t, 1, simnet.Config{Delay: 10 * time.Millisecond})
	p.connect()
	p.wire.Pipes[0].SetConfig(simnet.Config{Down: true})
	for i := range 100 {
		p.send(0, StreamID(i%3), body(uint64(i), 50), SendParams{})
	}
	p.run(100 * time.Millisecond)
	p.wire.Pipes[0].SetConfig(simnet.Config{Delay: 10 * time.Millisecond})
	size := 0
	p.onPacket = func(from int, b []byte) bool {
		if from == 0 && b[headerSize] == chunkForwardTSN {
			size = int(be16(b[headerSize+2:]))
		}
		return true
	}
	p.run(2 * time.Second)
	if size != forwardHeader+3*4 || p.end[0].sent.len() != 0 {
		t.Errorf("FORWARD TSN of %d bytes, %d outstanding", size, p.end[0].sent.len())
	}
	p.send(0, 1, body(1, 50), reliable)
	p.run(time.Second)
	if len(p.got[1]) != 1 {
		t.Error("the stream is blocked")
	}
}
