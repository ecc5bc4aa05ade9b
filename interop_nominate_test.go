package rtc_test

import (
	"testing"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/transport/v4/vnet"
)

// pion's first check is lost, so ours is answered before pion's next one comes. That one is answered and followed by another one of ours, by
// which pion nominates without waiting for its next tick of 200 ms.
func TestInteropNominatesAtOnce(t *testing.T) {
	inBubble(t, "first check lost", func(t *testing.T) {
		lost := false
		m := meet(t, newVNet(t, 5*time.Millisecond, func(c vnet.Chunk) bool {
			check := stun.Message{Raw: c.UserData()}
			if lost || !stun.IsMessage(check.Raw) || check.Decode() != nil || !check.Contains(stun.AttrICEControlling) {
				return true
			}
			lost = true
			return false
		}), terms{})
		start := time.Now()
		m.connect(m.pion)
		if d := time.Since(start); !lost || d > 300*time.Millisecond {
			t.Errorf("open after %v", d)
		}
	})
}
