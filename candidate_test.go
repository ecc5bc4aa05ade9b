package rtc_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime/sim"
)

// A candidate's Address is what the peer is told, W3C's "the address of the candidate": a link-local address has no zone there, which
// means something on its own machine only.
func TestICECandidateHasNoZone(t *testing.T) {
	p := newPair(t, sim.Config{}, nil)
	p.hosts[0].AddAddr(netip.MustParseAddr("fe80::1"))
	_, err := p.pc[0].CreateDataChannel("data", nil)
	p.must(err)
	p.must(p.pc[0].SetLocalDescription(rtc.SessionDescription{}))
	p.until("the end of candidates", func() bool { return p.rec[0].has("candidate end") })
	found := false
	for c := range p.pc[0].ICECandidates(t.Context()) {
		found = found || c.Address == "fe80::1"
		if words := strings.Fields(c.String()); words[4] != c.Address {
			t.Errorf("Address is %q in %q", c.Address, c)
		}
	}
	if !found {
		t.Error("no candidate for the link-local address")
	}
}
