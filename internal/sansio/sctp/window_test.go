package sctp

import (
	"testing"
	"time"

	"github.com/sansrtc/rtc/internal/simnet"
)

// Promise: the window grows with what the path needs, and no further than Config.ReceiveBuffer.
func TestWindowGrowsWithThePath(t *testing.T) {
	for _, c := range []struct {
		rate        float64
		least, most int
	}{
		{20e6, initialWindow, initialWindow}, // 125 kB are on the way
		{200e6, 2 * 1_250_000, 16 << 20},     // 1.25 MB
		{gigabit, 2 * 6_250_000, 32 << 20},   // 6.25 MB
	} {
		p := newPath(t, c.rate, 50*time.Millisecond, 1, simnet.Config{})
		if n := p.end[1].recv.limit; n != initialWindow {
			t.Errorf("the window begins with %d", n)
		}
		p.fill(1500*time.Millisecond, c.rate)
		if n := p.end[1].recv.limit; n < c.least || n > c.most {
			t.Errorf("%v Mbit/s: the window is %d", c.rate/1e6, n)
		}
	}
}

// Promise: a window that has grown closes when the application takes nothing, at what may wait; it opens when that is taken.
func TestWindowClosesAndOpens(t *testing.T) {
	const rate = 200e6
	p := newPath(t, rate, 50*time.Millisecond, 1, simnet.Config{})
	p.fill(2*time.Second, rate)
	r := p.end[1]
	limit := r.recv.limit
	p.consume = false
	got := 0
	p.onEvent = func(end int, e Event) { got++ }
	p.fill(5*time.Second, rate)
	if n := r.asm.charged; r.window() != 0 || r.recv.limit != limit || n > limit+64<<10 || n < limit-64<<10 {
		t.Errorf("%d bytes are held, the limit is %d, was %d; window %d", n, r.recv.limit, limit, r.window())
	}
	p.consume = true
	for range got {
		r.Consume(p.now, p.size)
	}
	p.onEvent = func(end int, e Event) { p.bytes += len(e.Data) }
	p.fill(time.Second, rate)
	if share := p.fill(time.Second, rate); share < 0.9 {
		t.Errorf("%.1f %% of the path after the window opened", 100*share)
	}
}

// Promise: an application that takes nothing from the beginning makes nothing grow.
func TestWindowOfAStalledApplicationStaysSmall(t *testing.T) {
	p := newPath(t, gigabit, 50*time.Millisecond, 1, simnet.Config{})
	p.consume = false
	p.fill(5*time.Second, gigabit)
	if r := p.end[1]; r.recv.limit != initialWindow || r.asm.charged > initialWindow+64<<10 {
		t.Errorf("%d bytes are held, the limit is %d", r.asm.charged, r.recv.limit)
	}
}

// Promise: what no longer is needed is given back, little by little, also when there is always something.
func TestWindowShrinksWhenIdle(t *testing.T) {
	const rate = 200e6
	p := newPath(t, rate, 50*time.Millisecond, 1, simnet.Config{})
	p.fill(2*time.Second, rate)
	grown := p.end[1].recv.limit
	for range 100 {
		p.send(0, 0, make([]byte, 100), reliable)
		p.run(time.Second)
	}
	if n := p.end[1].recv.limit; grown < 2*initialWindow || n != initialWindow {
		t.Errorf("the window is %d, and was %d", n, grown)
	}
}

// Promise: a HEARTBEAT that gets lost, or is never answered, only makes the window grow later.
func TestWindowGrowsWithoutAnAnswer(t *testing.T) {
	const rate = 200e6
	p := newPath(t, rate, 50*time.Millisecond, 1, simnet.Config{})
	lost := 0
	p.onPacket = func(from int, b []byte) bool {
		if from == 1 && lost < 3 && len(b) > headerSize && b[headerSize] == chunkHeartbeat {
			lost++
			return false
		}
		return true
	}
	p.fill(3*time.Second, rate)
	if n := p.end[1].recv.limit; lost < 3 || n < 2_500_000 {
		t.Errorf("the window is %d after %d losses", n, lost)
	}
}
