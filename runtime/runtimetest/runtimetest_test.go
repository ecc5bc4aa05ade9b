package runtimetest_test

import (
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sansrtc/rtc/runtime/runtimetest"
)

func machines(wait func(func() bool, time.Duration) bool) runtimetest.Harness {
	a4, a6 := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1")
	b4, b6 := netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("fd00::2")
	other := netip.MustParseAddr("10.0.0.3")
	n := &Net{machines: map[netip.Addr]*Machine{}}
	return runtimetest.Harness{
		A: n.Machine(a4, a6, other), B: n.Machine(b4, b6), AddrA: a4, AddrB: b4, OtherA: other, Addr6A: a6, Addr6B: b6,
		Wait: wait,
	}
}

// The runtime of docs/custom-runtime.md keeps all promises, in real time.
func TestMinimal(t *testing.T) {
	runtimetest.Run(t, func(t *testing.T) runtimetest.Harness { return machines(runtimetest.RealTime) })
}

// The suite also runs in bubbles of testing/synctest.
func TestMinimalInBubbles(t *testing.T) {
	for _, c := range runtimetest.Tests() {
		t.Run(c.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.Run(t, machines(runtimetest.RealTime)) })
		})
	}
}

// docs/custom-runtime.md shows minimal_test.go as it is.
func TestDocShowsTheCode(t *testing.T) {
	code, err := os.ReadFile("minimal_test.go")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("../../docs/custom-runtime.md")
	if err != nil {
		t.Fatal(err)
	}
	_, want, _ := strings.Cut(string(code), "// Net is")
	if !strings.Contains(string(doc), "```go\n// Net is"+want+"```") {
		t.Error("the page does not show the code of minimal_test.go")
	}
}

// Every test says what it proves.
func TestPromises(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range runtimetest.Tests() {
		if c.Name == "" || c.Promise == "" || seen[c.Name] {
			t.Errorf("test %q proves %q", c.Name, c.Promise)
		}
		seen[c.Name] = true
	}
}
