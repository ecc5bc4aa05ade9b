package rtc_test

import (
	"testing"
	"time"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime/sim"
)

// Promise: with default options one channel fills a path of 1 Gbit/s with round trips of 50 ms to 90 %, two seconds after it began. All of
// the path is what packets of 1200 bytes can carry of messages: 1128 bytes of 1225, with the headers of IP, UDP, DTLS, SCTP and I-DATA.
func TestThroughputOnALongPath(t *testing.T) {
	const rate, rtt = 1e9, 50 * time.Millisecond
	link := sim.Link{Delay: rtt / 2, Rate: rate, Queue: rate / 8 / 20, MTU: 1280}
	p, a, _ := connected(t, sim.Config{Link: link, Handoff: -1}, nil, nil)
	got := 0
	p.rec[1].on = func(kind string, _ *rtc.PeerConnection, _ *rtc.DataChannel, msg rtc.DataChannelMessage) {
		got += len(msg.Data)
	}
	message := make([]byte, 16<<10)
	fill := func(d time.Duration) float64 {
		before := got
		for end := p.world.Now().Add(d); p.world.Now().Before(end); p.pass(2 * time.Millisecond) {
			for a.BufferedAmount() < 2<<20 {
				p.must(a.Send(message))
			}
		}
		return float64(got-before) * 8 / d.Seconds()
	}
	fill(2 * time.Second)
	if share := fill(time.Second) / (rate * 1128 / 1225); share < 0.9 {
		t.Errorf("%.1f %% of the path", 100*share)
	}
}
