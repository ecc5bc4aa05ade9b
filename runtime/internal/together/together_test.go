package together

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sansrtc/rtc/runtime"
)

// A loop is never turned late, never earlier than it allows, and exactly when it allows nothing.
func TestAt(t *testing.T) {
	epoch := time.Now()
	for seed := range uint64(10000) {
		rng := rand.New(rand.NewPCG(seed, 2))
		next := runtime.Next{At: epoch.Add(time.Duration(rng.Int64N(int64(time.Hour))) - time.Minute), Early: time.Duration(rng.Int64N(int64(time.Second)))}
		if rng.IntN(4) == 0 {
			next.Early = 0
		}
		if at := At(next, rng.Int64N(100000), epoch); at.After(next.At) || at.Before(next.At.Add(-next.Early)) {
			t.Fatalf("seed %d: turned at %v, asked for %v and %v earlier", seed, at.Sub(epoch), next.At.Sub(epoch), next.Early)
		}
	}
	if at := At(runtime.Next{Early: time.Second}, 1, epoch); !at.IsZero() {
		t.Errorf("turned at %v, asked for nothing", at)
	}
}

// Loops share moments: few loops few of them, many loops so many that a burst stays short.
func TestMoments(t *testing.T) {
	epoch := time.Now()
	for _, c := range []struct{ loops, most, least int }{{100, 11, 2}, {2000, 11, 2}, {20000, 200, 50}} {
		moments := map[time.Time]int{}
		for i := range c.loops {
			at := epoch.Add(10*time.Second + 5*time.Second*time.Duration(i)/time.Duration(c.loops))
			moments[At(runtime.Next{At: at, Early: 500 * time.Millisecond}, int64(c.loops), epoch)]++
		}
		if len(moments) > c.most || len(moments) < c.least {
			t.Errorf("%d loops are turned at %d moments of 5 s", c.loops, len(moments))
		}
		for _, n := range moments {
			if n > 250 {
				t.Errorf("%d of %d loops are turned at one moment", n, c.loops)
			}
		}
	}
}
