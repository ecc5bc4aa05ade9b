package lease

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

const after = 5 * time.Millisecond

// watched is a lease whose looks are counted.
type watched struct {
	Lease
	looks, overstays, rests atomic.Int32
}

func newWatched() *watched {
	w := new(watched)
	w.Init(func() {
		w.looks.Add(1)
		switch w.Look(after) {
		case Overstay:
			w.overstays.Add(1)
		case Rest:
			w.rests.Add(1)
		}
	})
	return w
}

// run is a Dispatch that takes d. It reports whether its goroutine still drives.
func (w *watched) run(d time.Duration) bool {
	held := w.Begin(after)
	time.Sleep(d)
	driving, _ := w.End(held)
	return driving
}

// Promise: a Dispatch that stays is found as soon as it has taken so long, when it is the first after a pause and when it follows others closely, and never
// earlier.
func TestADispatchThatStaysIsFound(t *testing.T) {
	for _, before := range []int{0, 1, 2, 100} {
		synctest.Test(t, func(t *testing.T) {
			w := newWatched()
			w.run(0)
			time.Sleep(time.Second)
			for range before {
				if !w.run(time.Millisecond) {
					t.Fatal("a short one was found")
				}
				time.Sleep(time.Millisecond)
			}
			held := w.Begin(after)
			time.Sleep(after - 1)
			synctest.Wait()
			if w.overstays.Load() > 0 {
				t.Errorf("after %d others it was found too early", before)
			}
			time.Sleep(lookAfter*after + 1)
			synctest.Wait()
			if w.overstays.Load() != 1 {
				t.Errorf("after %d others it was found %d times", before, w.overstays.Load())
			}
			if driving, disarmed := w.End(held); driving || disarmed {
				t.Errorf("who was replaced still drives: %v, %v", driving, disarmed)
			}
			// Who has taken over is watched like the first.
			if w.run(2*after) || w.overstays.Load() != 2 {
				t.Error("the next one that stays is not found")
			}
		})
	}
}

// Promise: Dispatches that follow each other closely share a timer, and one that is alone leaves none behind.
func TestTimersAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched()
		w.run(0)
		time.Sleep(time.Second)
		synctest.Wait()
		w.looks.Store(0)
		w.rests.Store(0)
		armed := 0
		for range 1000 {
			held := w.Begin(after)
			if held.Armed {
				armed++
			}
			if driving, disarmed := w.End(held); !driving {
				t.Fatal("a short one was found")
			} else if disarmed {
				armed--
			}
			time.Sleep(time.Millisecond)
		}
		if armed != 1 || w.looks.Load() > 1+1000/(lookAfter*5) {
			t.Errorf("1000 in a second armed the timer %d times, and %d looks were taken", armed, w.looks.Load())
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if w.rests.Load() != 1 || w.Stop() {
			t.Errorf("the timer has rested %d times after the last", w.rests.Load())
		}
		w.looks.Store(0)
		for range 10 {
			held := w.Begin(after)
			if _, disarmed := w.End(held); !held.Armed || !disarmed {
				t.Errorf("one that is alone: armed %v, and disarmed %v", held.Armed, disarmed)
			}
			time.Sleep(time.Second)
		}
		if w.looks.Load() != 0 {
			t.Errorf("%d looks at Dispatches that were over", w.looks.Load())
		}
	})
}

// Promise: a timer is armed during every Dispatch, and each arming ends once, whoever ends it.
func TestArmingsAreCounted(t *testing.T) {
	for seed := range uint64(50) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			var l Lease
			var armed atomic.Int32
			var drive func()
			ended := make(chan struct{})
			begun := time.Now()
			l.Init(func() {
				switch l.Look(after) {
				case Overstay:
					armed.Add(-1)
					drive()
				case Rest:
					armed.Add(-1)
				}
			})
			drive = func() {
				for time.Since(begun) < 2*time.Second {
					stay, pause := rng.ExpFloat64(), 3*rng.ExpFloat64()
					armed.Add(1)
					held := l.Begin(after)
					if !held.Armed {
						armed.Add(-1)
					}
					time.Sleep(time.Duration(stay * float64(time.Millisecond)))
					driving, disarmed := l.End(held)
					if disarmed {
						armed.Add(-1)
					}
					if !driving {
						return
					}
					time.Sleep(time.Duration(pause * float64(time.Millisecond)))
				}
				close(ended)
			}
			go drive()
			<-ended
			time.Sleep(time.Second)
			synctest.Wait()
			if n := armed.Load(); n != 0 || l.Stop() || l.Dispatching() {
				t.Errorf("seed %d: %d armings have not ended", seed, n)
			}
		})
	}
}

// Promise: what Drop gives back is a timer that nobody needs.
func TestDrop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched()
		w.run(0)
		if w.Drop(); w.Ready() {
			t.Error("it is still there")
		}
		w = newWatched()
		held := w.Begin(after)
		time.Sleep(10 * after)
		synctest.Wait()
		if driving, _ := w.End(held); driving || w.Drop() || w.Ready() {
			t.Error("what has been lost is still armed")
		}
	})
}
