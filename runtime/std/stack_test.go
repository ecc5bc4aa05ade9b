//go:build linux && !portable && !race

package std

import (
	goruntime "runtime"
	"testing"
	"time"

	"github.com/sansrtc/rtc/runtime"
)

// A loop that rests waits on a stack of the smallest size, whatever its Turns needed.
func TestRestingLoopsHaveSmallStacks(t *testing.T) {
	const n, smallest = 200, 2 << 10
	rt := New(Config{})
	stacks := func() int {
		var s goruntime.MemStats
		goruntime.GC()
		goruntime.ReadMemStats(&s)
		return int(s.StackInuse)
	}
	base := stacks()
	var loops []*toy
	for range n {
		l := newToy().spawn(t, rt)
		l.turn = func(now time.Time) runtime.Next {
			growStack()
			return runtime.Next{At: now.Add(time.Hour), Events: true}
		}
		l.listen(t, "127.0.0.1:0")
		loops = append(loops, l)
	}
	eventually(t, "the stacks are small", func() bool {
		for _, l := range loops {
			l.host.Wake()
			eventually(t, "each has its Turn", func() bool { return !l.host.(*host).woken.Load() })
		}
		return stacks()-base < n*smallest*3/2
	})
	for _, l := range loops {
		l.end(t)
	}
}
