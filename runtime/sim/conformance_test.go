package sim_test

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sansrtc/rtc/runtime/runtimetest"
	"github.com/sansrtc/rtc/runtime/sim"
)

// The simulated world keeps all promises of package runtime, over paths without and with delay, with and without joined datagrams.
func TestRuntime(t *testing.T) {
	for name, cfg := range map[string]sim.Config{
		"perfect": {},
		"slow":    {Link: sim.Link{Delay: 20 * time.Millisecond, Rate: 100e6}},
		"single":  {MaxSegments: 1, Coalesce: -1, Handoff: time.Millisecond},
		"slabs":   {Link: sim.Link{Delay: 5 * time.Millisecond, Rate: 1e9}, Moderation: 100 * time.Microsecond},
	} {
		t.Run(name, func(t *testing.T) { runtimetest.Run(t, harness(cfg)) })
	}
}

func harness(cfg sim.Config) func(t *testing.T) runtimetest.Harness {
	return func(t *testing.T) runtimetest.Harness {
		w := sim.New(cfg)
		other := netip.MustParseAddr("192.0.2.1")
		a, b := w.Host("a"), w.Host("b")
		a.AddAddr(other)
		return runtimetest.Harness{
			A: a, B: b, AddrA: a.Addrs()[0], AddrB: b.Addrs()[0], Addr6A: a.Addrs()[1], Addr6B: b.Addrs()[1],
			OtherA: other,
			Wait:   w.RunUntil, Close: w.Close,
		}
	}
}

// The simulated world also works in bubbles of testing/synctest, where even the hand-off takes no real time.
func TestRuntimeInBubbles(t *testing.T) {
	for _, c := range runtimetest.Tests() {
		t.Run(c.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.Run(t, harness(sim.Config{})(t)) })
		})
	}
}
