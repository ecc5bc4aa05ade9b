package rtc_test

import (
	"runtime"
	"testing"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime/sim"
)

// A handler that ends its goroutine, as testing's FailNow does, ends no connection: later events are told, and what it had taken opens the
// window again.
func TestHandlerThatEndsItsGoroutine(t *testing.T) {
	p, a, _ := connected(t, sim.Config{}, nil, nil)
	p.rec[1].mu.Lock()
	p.rec[1].on = func(kind string, _ *rtc.PeerConnection, _ *rtc.DataChannel, msg rtc.DataChannelMessage) {
		if kind == "message" && string(msg.Data) == "die" {
			p.rec[1].mu.Lock()
			p.rec[1].inside--
			p.rec[1].mu.Unlock()
			runtime.Goexit()
		}
	}
	p.rec[1].mu.Unlock()
	p.must(a.SendText("die"))
	p.must(a.SendText("go on"))
	p.until("the next message", func() bool { return p.rec[1].has("message data go on") })
}
