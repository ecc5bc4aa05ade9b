package main

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sansrtc/rtc/runtime/runtimetest"
)

// The suite runs in bubbles of testing/synctest: time is virtual, and a goroutine that is left over fails its test.
func TestConformance(t *testing.T) {
	for _, c := range runtimetest.Tests() {
		t.Run(c.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c.Run(t, world(t))
			})
		})
	}
}

func world(t *testing.T) runtimetest.Harness {
	network, err := newNetwork(5 * time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	a, err := network.machine("192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	b, err := network.machine("192.0.2.2")
	if err != nil {
		t.Fatal(err)
	}
	if err := network.router.Start(); err != nil {
		t.Fatal(err)
	}
	return runtimetest.Harness{
		A: a, B: b,
		AddrA: netip.MustParseAddr("192.0.2.1"), AddrB: netip.MustParseAddr("192.0.2.2"),
		Wait: runtimetest.RealTime,
		Close: func() {
			if err := network.router.Stop(); err != nil {
				t.Error(err)
			}
		},
	}
}

func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if err := run(); err != nil {
			t.Fatal(err)
		}
	})
}
