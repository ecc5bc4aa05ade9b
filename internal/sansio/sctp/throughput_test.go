package sctp

import (
	"testing"
	"time"

	"github.com/sansrtc/rtc/internal/simnet"
)

// Promise: a path of 100 Mbit/s and 50 ms is filled to 90 % after slow start.
func TestThroughputOnALongPath(t *testing.T) {
	for _, path := range []simnet.Config{
		{Delay: 25 * time.Millisecond, Rate: 100_000_000, Queue: 1 << 20},
		{Delay: 50 * time.Millisecond, Rate: 100_000_000, Queue: 2 << 20},
	} {
		p := newPair(t, 1, path)
		p.checks = false
		p.connect()
		bytes := 0
		p.onEvent = func(end int, e Event) { bytes += len(e.Data) }
		fill := func(d time.Duration) {
			for until := p.now.Add(d); p.now.Before(until); {
				for p.end[0].BufferedAmount(0) < 1<<20 {
					p.send(0, 0, make([]byte, 16<<10), reliable)
				}
				p.step(until)
			}
		}
		fill(4 * time.Second)
		bytes = 0
		fill(4 * time.Second)
		rate := float64(bytes) * 8 / 4
		t.Logf("%v: %.1f Mbit/s, %+v", path.Delay, rate/1e6, p.end[0].Stats())
		if rate < 0.9*100e6 {
			t.Errorf("%v: %.1f Mbit/s", path.Delay, rate/1e6)
		}
	}
}
