//go:build !race

package std

import (
	"testing"
	"time"

	"github.com/sansrtc/rtc/runtime"
)

// "No allocation per packet": neither for a Send nor for what arrives, nor for a wait that ends by its deadline.
// (The race detector makes pools forget.)
func TestNoAllocations(t *testing.T) {
	rounds, end := pingPong(t, New(Config{}), true)
	defer end()
	rounds(100)
	const n = 500
	if got := testing.AllocsPerRun(5, func() { rounds(n) }); got > n/20+n*deadlineAllocs {
		t.Errorf("%d packets cost %v allocations", n, got)
	}
	l := newToy()
	const deadlines = 200
	done := make(chan struct{})
	l.turn = func(now time.Time) runtime.Next {
		if l.turns.Load()%deadlines == 0 {
			done <- struct{}{}
		}
		return runtime.Next{At: now.Add(50 * time.Microsecond)}
	}
	l.spawn(t, New(Config{}))
	l.listen(t, "127.0.0.1:0")
	l.host.Wake()
	if got := testing.AllocsPerRun(2, func() { receive(t, "deadlines", done) }); got > deadlines/10+deadlines*deadlineAllocs {
		t.Errorf("%d deadlines cost %v allocations", deadlines, got)
	}
	l.quit.Store(true)
	go func() {
		for range done {
		}
	}()
	l.end(t)
	close(done)
}
