package sctp

import (
	"testing"
	"time"

	"github.com/sansrtc/rtc/internal/simnet"
)

// A message of which only a part could be sent becomes too old before the tail of its flight is probed: then there is no tail any more.
func TestProbeOfWhatBecameTooOld(t *testing.T) {
	for seed := range seeds(50) {
		p := newPair(t, seed, simnet.Config{Delay: 5 * time.Millisecond})
		p.connect()
		for _, pipe := range p.wire.Pipes {
			pipe.SetConfig(simnet.Config{Down: true})
		}
		p.send(0, 1, body(0, 13_000), SendParams{MaxRetransmits: -1, Lifetime: time.Millisecond})
		p.run(time.Second)
		for _, pipe := range p.wire.Pipes {
			pipe.SetConfig(simnet.Config{Delay: 5 * time.Millisecond})
		}
		p.send(0, 1, body(1, 100), reliable)
		p.runUntil(10*time.Second, "the next message", func() bool { return len(p.got[1]) == 1 })
		if n := p.end[0].Stats().MessagesAbandoned; n != 1 {
			t.Errorf("%d messages were given up", n)
		}
	}
}
