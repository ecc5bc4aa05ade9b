package std

import (
	"net/netip"
	"testing"

	"github.com/sansrtc/rtc/runtime/runtimetest"
)

func TestConformance(t *testing.T) {
	runtimetest.Run(t, func(t *testing.T) runtimetest.Harness {
		h := runtimetest.Harness{
			A: New(Config{}), B: New(Config{}),
			AddrA: netip.MustParseAddr("127.0.0.1"), AddrB: netip.MustParseAddr("127.0.0.1"),
			Wait: runtimetest.RealTime,
		}
		for _, a := range loopbacks(t) {
			if a.Is6() {
				h.Addr6A, h.Addr6B = a, a
			}
		}
		return h
	})
}
