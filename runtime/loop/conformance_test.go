package loop

import (
	"net/netip"
	"testing"

	"github.com/sansrtc/rtc/runtime/runtimetest"
)

func TestConformance(t *testing.T) {
	runtimetest.Run(t, func(t *testing.T) runtimetest.Harness {
		rt := New(Config{})
		h := runtimetest.Harness{
			A: rt, B: rt,
			AddrA: netip.MustParseAddr("127.0.0.1"), AddrB: netip.MustParseAddr("127.0.0.1"),
			Wait: runtimetest.RealTime,
		}
		list, err := rt.Interfaces()
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range list {
			for _, a := range i.Addrs {
				if i.Loopback && a.Is6() {
					h.Addr6A, h.Addr6B = a, a
				}
			}
		}
		return h
	})
}
