package runtimetest

import (
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sansrtc/rtc/runtime"
)

// Harness is a world for one test. Its paths lose, duplicate and reorder nothing.
type Harness struct {
	// A and B are where the test's loops live. They may be the same.
	A, B runtime.Runtime
	// AddrA and AddrB are IPv4 addresses of A and B that each reaches the other at. They may be the same.
	AddrA, AddrB netip.Addr
	// Addr6A and Addr6B are the same for IPv6. Zero: the world has none.
	Addr6A, Addr6B netip.Addr
	// OtherA is a second IPv4 address of A. Zero: it has none.
	OtherA netip.Addr
	// Wait lets the world go on until cond is true, at most for limit on the runtime's clock, and returns what cond says then. cond
	// may be called at any time, from any goroutine, one call at a time.
	Wait func(cond func() bool, limit time.Duration) bool
	// Close is called at the end of the test; nil: nothing to do.
	Close func()
}

// Test is one promise of package runtime and the proof that a world keeps it.
type Test struct {
	Name    string
	Promise string // what is tested, in the words of package runtime where it has them
	run     func(b *bench)
}

// Run proves the promise in the world h. The loops have been released when it returns.
func (c Test) Run(t *testing.T, h Harness) {
	b := &bench{T: t, h: h}
	if h.Close != nil {
		defer h.Close()
	}
	defer b.endAll()
	defer func() {
		if t.Failed() {
			t.Logf("the promise: %s", c.Promise)
		}
	}()
	c.run(b)
}

// Tests is the whole suite, for a caller that has to wrap each test, say in a bubble of testing/synctest. Others call [Run].
func Tests() []Test {
	var all []Test
	for _, part := range [][]Test{turnTests, dispatchTests, socketTests, datagramTests, endTests, worldTests} {
		all = append(all, part...)
	}
	return all
}

// Run proves that the worlds which newRuntime makes keep the promises of package runtime, and leave no goroutine behind. newRuntime is
// called once for each test.
func Run(t *testing.T, newRuntime func(t *testing.T) Harness) {
	for _, c := range Tests() {
		t.Run(c.Name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			c.Run(t, newRuntime(t))
			goleak.VerifyNone(t, before)
		})
	}
}

// RealTime is a Wait for worlds that go on by themselves.
func RealTime(cond func() bool, limit time.Duration) bool {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(limit); !cond(); <-tick.C {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

const (
	patience = 20 * time.Second      // for what must happen
	moment   = 50 * time.Millisecond // for what must not happen
	hour     = time.Hour
)

// bench is what a test works with.
type bench struct {
	*testing.T
	h     Harness
	loops []*loop
}

func (b *bench) eventually(promise string, cond func() bool) {
	b.Helper()
	if !b.h.Wait(cond, patience) {
		b.Fatalf("%s, but does not", promise)
	}
}

func (b *bench) never(promise string, cond func() bool) {
	b.Helper()
	if b.h.Wait(cond, moment) {
		b.Fatalf("%s, but does", promise)
	}
}

func (b *bench) endAll() {
	for _, l := range b.loops {
		l.end()
	}
	for _, l := range b.loops {
		if !b.h.Wait(l.isReleased, patience) {
			b.Error("a loop whose Turn returned Done should be Released, but is not")
			return
		}
	}
}
