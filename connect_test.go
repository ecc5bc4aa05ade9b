package rtc_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime/sim"
)

// Two programs talk: a channel opens at both ends, and text and bytes arrive as they were sent.
func TestTwoPeersTalk(t *testing.T) { everywhere(t, testTwoPeersTalk) }

func testTwoPeersTalk(t *testing.T, w *world) {
	p, a, b := w.connected(t, sim.Config{Link: sim.Link{Delay: 20 * time.Millisecond}}, nil, nil)
	p.must(a.SendText("hello"))
	p.must(b.Send([]byte{1, 2, 3}))
	p.must(b.Send(nil))
	p.must(a.SendText(""))
	p.until("messages", func() bool { return p.rec[0].received() == 2 && p.rec[1].received() == 2 })
	for i, want := range [][]rtc.DataChannelMessage{
		{{Data: []byte{1, 2, 3}}, {Data: []byte{}}},
		{{IsString: true, Data: []byte("hello")}, {IsString: true, Data: []byte{}}},
	} {
		equal := func(a, b rtc.DataChannelMessage) bool { return a.IsString == b.IsString && bytes.Equal(a.Data, b.Data) }
		if got := p.rec[i].messages; !slices.EqualFunc(got, want, equal) {
			t.Errorf("%s received %v, want %v", p.rec[i].name, got, want)
		}
	}
}

// Setup in round trips: with DTLS 1.2 and no loss a channel is open at both ends at most 4.5 round trips after both have the descriptions.
func TestSetupRoundTrips(t *testing.T) {
	for _, rtt := range []time.Duration{10 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond} {
		t.Run(rtt.String(), func(t *testing.T) {
			p := newPair(t, sim.Config{Link: sim.Link{Delay: rtt / 2}}, nil)
			_, err := p.pc[0].CreateDataChannel("data", nil)
			p.must(err)
			p.negotiate(0)
			start := p.world.Now()
			p.until("open", func() bool { return p.rec[0].channel(0) != nil && p.rec[1].channel(0) != nil })
			took := p.world.Now().Sub(start)
			t.Logf("open after %.3f RTT", float64(took)/float64(rtt))
			if took > rtt*9/2 {
				t.Errorf("channel open after %v, that is %.3f round trips; want at most 4.5", took, float64(took)/float64(rtt))
			}
		})
	}
}
