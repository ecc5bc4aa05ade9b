package runtimetest

import (
	"net/netip"
	"testing"
	"time"

	"github.com/sansrtc/rtc/runtime"
)

// Harness is a world for one test.
type Harness struct {
	// A and B are where the test's loops live. They may be the same.
	A, B runtime.Runtime
	// AddrA and AddrB are IPv4 addresses of A and B that each reaches the other at. They may be the same.
	AddrA, AddrB netip.Addr
	// Addr6A and Addr6B are the same for IPv6. Zero: the world has none.
	Addr6A, Addr6B netip.Addr
	// Wait lets the world go on until cond is true, at most for limit on the runtime's clock, and returns what cond says then. cond
	// may be called at any time, from any goroutine, one call at a time.
	Wait func(cond func() bool, limit time.Duration) bool
	// Close is called at the end of the test; nil: nothing to do.
	Close func()
}

// Test is one promise of package runtime and the proof that a world keeps it.
type Test struct {
	Name    string
	Promise string // the sentence that is tested
	Run     func(t *testing.T, h Harness)
}

// Tests is the whole suite, for a caller that has to wrap each test, say in a bubble of testing/synctest. Others call [Run].
func Tests() []Test { return nil }

// Run proves that the worlds which newRuntime makes keep the promises of package runtime. newRuntime is called once for each test.
func Run(t *testing.T, newRuntime func(t *testing.T) Harness) {}

// RealTime is a Wait for worlds that go on by themselves.
func RealTime(cond func() bool, limit time.Duration) bool { return cond() }
