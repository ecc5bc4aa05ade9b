package dtls

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sansrtc/rtc/internal/simnet"
)

// TestHandshakeOverBadPaths: whatever a path loses, delays, doubles, reorders or is too narrow for, both ends connect, carry data, and
// hold what check wants after each step.
func TestHandshakeOverBadPaths(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		seeds := uint64(2000)
		if testing.Short() {
			seeds = 300
		}
		var slowest time.Duration
		for seed := range seeds {
			rng := rand.New(rand.NewPCG(seed, 9))
			delay := time.Duration(rng.IntN(150)) * time.Millisecond
			net := simnet.Config{
				Delay:        delay,
				Jitter:       time.Duration(rng.IntN(30)) * time.Millisecond,
				Loss:         0.3 * rng.Float64() * float64(seed%3) / 2,
				Duplicate:    0.3 * rng.Float64(),
				Reorder:      0.5 * rng.Float64(),
				ReorderDelay: time.Duration(1+rng.IntN(100)) * time.Millisecond,
			}
			rtt := rng.IntN(2) == 0
			mtu := func(cfg *Config) { cfg.MTU = 300 + rng.IntN(901) }
			p := newPair(t, pairConfig{version: version, seed: seed, net: net, client: mtu, server: mtu})
			if rtt {
				p.ends[0].SetRTT(2 * delay)
				p.ends[1].SetRTT(2 * delay)
			}
			where := fmt.Sprintf("seed %d: %+v, MTU %d and %d, RTT known: %v", seed, net, p.ends[0].cfg.MTU, p.ends[1].cfg.MTU, rtt)
			p.start()
			p.wantConnected(where)
			slowest = max(slowest, p.now.Sub(epochStart))
			p.settle()
			p.wire.Pipes[0].SetConfig(simnet.Config{})
			p.wire.Pipes[1].SetConfig(simnet.Config{})
			p.send(0, "from the client")
			p.send(1, "from the server")
			p.settle()
			p.wantData(1, where, "from the client")
			p.wantData(0, where, "from the server")
			for i, c := range p.ends {
				if s := c.Stats(); len(p.events[i]) != 1 || s.DroppedBadMAC+s.DroppedMalformed+s.DroppedOverflow+s.MessagesRefused+s.FragmentsConflicting > 0 {
					t.Fatalf("%s: end %d has events %v and %+v", where, i, p.events[i], s)
				}
			}
		}
		t.Logf("slowest of %d: %v", seeds, slowest)
	})
}

// TestNarrowPath: where datagrams of the configured MTU vanish, retransmissions become small enough.
func TestNarrowPath(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		p := newPair(t, pairConfig{version: version, net: simnet.Config{Delay: 5 * time.Millisecond, MTU: 576}})
		p.start()
		p.wantConnected("a path of 576 bytes")
		if p.wire.Pipes[1].Counters().TooLarge == 0 {
			t.Error("the path was never too narrow")
		}
	})
}

// TestEveryLoss loses each combination of the first datagrams of a handshake, both ways: 2^4 fates of the client's, 2^4 of the server's.
func TestEveryLoss(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		for fate := range 1 << 8 {
			p := newPair(t, pairConfig{version: version, seed: uint64(fate), net: simnet.Config{Delay: 10 * time.Millisecond}})
			n := [2]int{}
			p.filter = func(from int, b []byte) []byte {
				i := n[from]
				n[from]++
				if i < 4 && fate>>(4*from+i)&1 == 1 {
					return nil
				}
				return b
			}
			p.start()
			p.wantConnected(fmt.Sprintf("fate %08b", fate))
		}
	})
}

// TestLastFlightLostAfterData: the server is connected and sends data while its last flight is lost. When the client repeats itself, the
// flight comes again, and the data that came before is delivered then.
func TestLastFlightLostAfterData(t *testing.T) {
	p := newPair(t, pairConfig{net: simnet.Config{Delay: 10 * time.Millisecond}})
	lost := 0
	p.filter = func(from int, b []byte) []byte {
		if from == 1 && p.ends[1].State() == StateConnected && lost == 0 {
			lost++
			return nil
		}
		return b
	}
	p.start()
	p.run(func() bool { return p.ends[1].State() == StateConnected })
	p.send(1, "early")
	p.run(func() bool { return p.wire.InFlight() == 0 })
	if p.ends[0].State() != StateConnecting {
		t.Fatalf("client is %v without the server's Finished", p.ends[0].State())
	}
	p.wantData(0, "nothing is delivered before the handshake is complete")
	p.wantConnected("client repeats flight 5, server answers with flight 6")
	p.wantData(0, "what was held", "early")
	if lost != 1 || p.ends[1].Stats().Retransmissions != 1 {
		t.Errorf("lost %d, server sent %d flights again", lost, p.ends[1].Stats().Retransmissions)
	}
}
