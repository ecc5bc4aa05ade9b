package rtc_test

import (
	"runtime"
	"testing"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime/sim"
)

// A handler that ends its goroutine, as testing's FailNow does, ends no connection: later events are told, and what it had taken opens the
// window again.
func TestHandlerThatEndsItsGoroutine(t *testing.T) { everywhere(t, testHandlerThatEndsItsGoroutine) }

func testHandlerThatEndsItsGoroutine(t *testing.T, w *world) {
	p, a, _ := w.connected(t, sim.Config{}, nil, nil)
	p.rec[1].on = func(kind string, _ *rtc.PeerConnection, _ *rtc.DataChannel, msg rtc.DataChannelMessage) {
		if kind == "message" && string(msg.Data) == "die" {
			runtime.Goexit()
		}
	}
	p.must(a.SendText("die"))
	p.must(a.SendText("go on"))
	p.until("the next message", func() bool { return p.rec[1].has("message data go on") })
}
