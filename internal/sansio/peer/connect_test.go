package peer

import (
	"testing"
	"time"

	"github.com/sansrtc/rtc/internal/simnet"
)

func TestConnect(t *testing.T) {
	w := newWorld(t, 1, simnet.Config{Delay: 50 * time.Millisecond})
	a, b := w.connect()
	t.Log(w.now.Sub(epoch))
	w.send(0, a, body(1, 100))
	w.send(1, b, body(1, 100000))
	w.runUntil("messages", time.Minute, func() bool { return len(w.ear[0].got) == 1 && len(w.ear[1].got) == 1 })
	w.core[0].Close(w.now)
	w.settle()
	t.Logf("%q", w.ear[0].log)
	t.Logf("%q", w.ear[1].log)
}
