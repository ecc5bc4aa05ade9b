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
