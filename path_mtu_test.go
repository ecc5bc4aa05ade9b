package rtc_test

import (
	"testing"
	"time"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime/sim"
)

// Promise: MaxPacketSize bounds the datagrams on a path that would carry larger ones.
func TestMaxPacketSize(t *testing.T) {
	for limit, want := range map[int]int{1200: 1176, 1460: 1428, 0: 16352} {
		p, a, _ := connected(t, sim.Config{Seed: 1, Link: sim.Link{Delay: time.Millisecond}}, nil, func(_ int, b rtc.Builder) rtc.Builder {
			return b.SCTP(rtc.SCTPOptions{MaxPacketSize: limit})
		})
		largest := 0
		p.world.Capture(func(d sim.Packet) { largest = max(largest, len(d.Data)) })
		for range 20 {
			for range 20 {
				p.must(a.Send(make([]byte, 16<<10)))
			}
			p.world.Run(time.Second)
		}
		if mtu := rtc.ReportOf(p.pc[0]).SCTP.MTU; mtu != want || limit > 0 && largest > limit {
			t.Errorf("limit %d: packets of %d bytes, datagrams of %d", limit, mtu, largest)
		}
	}
}

// Promise: a path that becomes narrower while data flows loses nothing, and the connection goes on in the narrower one.
func TestPathThatBecomesNarrower(t *testing.T) {
	link := sim.Link{Delay: 5 * time.Millisecond, MTU: 9000}
	p, a, _ := connected(t, sim.Config{Seed: 1, Link: link}, nil, nil)
	n := 0
	bulk := func() {
		t.Helper()
		for range 5 {
			for range 40 {
				p.must(a.Send(make([]byte, 16<<10)))
				n++
			}
			p.until("all messages arrive", func() bool { return p.rec[1].received() == n })
		}
		p.world.Run(3 * time.Second)
	}
	bulk()
	if mtu := rtc.ReportOf(p.pc[0]).SCTP.MTU; mtu != 8928 {
		t.Errorf("packets of %d bytes", mtu)
	}
	link.MTU = 1500
	p.world.SetLink(p.hosts[0], p.hosts[1], link)
	for range 4 {
		bulk()
	}
	if mtu := rtc.ReportOf(p.pc[0]).SCTP.MTU; mtu != 1428 { // over IPv6
		t.Errorf("packets of %d bytes", mtu)
	}
}
