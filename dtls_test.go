package rtc_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime/sim"
)

// Both versions of DTLS and each key exchange connect with each other, with the handshake in the checks and by itself, in both roles; 1.3 is what two that have
// it speak, and a key exchange whose messages take several datagrams costs no more than one round trip.
func TestDTLSOptions(t *testing.T) {
	const rtt = 20 * time.Millisecond
	for _, role := range []rtc.DTLSRole{rtc.DTLSRoleClient, rtc.DTLSRoleServer} {
		for _, sped := range []bool{true, false} {
			var usual time.Duration
			for _, c := range []struct {
				options [2]rtc.DTLSOptions
				want    uint16
			}{
				{[2]rtc.DTLSOptions{}, 0xfefc},
				{[2]rtc.DTLSOptions{{PostQuantum: true}, {PostQuantum: true}}, 0xfefc},
				{[2]rtc.DTLSOptions{{Disable13: true}, {PostQuantum: true}}, 0xfefd},
				{[2]rtc.DTLSOptions{{PostQuantum: true}, {Disable13: true}}, 0xfefd},
			} {
				t.Run(fmt.Sprint(role, " ", sped, " ", c.options), func(t *testing.T) {
					p := simulated.newPair(t, sim.Config{Handoff: -1, Link: sim.Link{Delay: rtt / 2}}, func(i int, b rtc.Builder) rtc.Builder {
						o := c.options[i]
						o.AnsweringRole = role
						return b.DTLS(o).ICE(rtc.ICEOptions{DisableSPED: !sped})
					})
					_, err := p.pc[0].CreateDataChannel("data", nil)
					p.must(err)
					start := p.now()
					p.negotiate(0)
					p.until("open", func() bool { return p.rec[0].channel(0) != nil && p.rec[1].channel(0) != nil })
					took := p.now().Sub(start)
					if v := rtc.ReportOf(p.pc[0]).DTLSVersion; v != c.want {
						t.Errorf("DTLS version %x, want %x", v, c.want)
					}
					if usual == 0 {
						usual = took
					}
					if c.want == 0xfefc && took > usual+rtt {
						t.Errorf("open after %v, and after %v with another key exchange", took, usual)
					}
				})
			}
		}
	}
}
