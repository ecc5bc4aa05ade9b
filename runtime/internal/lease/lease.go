// Package lease finds a Dispatch that stays, so that another goroutine can drive what its goroutine drove.
//
// A timer for each Dispatch would cost more than most handlers do: to arm one wakes a thread that waits with it. So while Dispatches follow each
// other closely the timer stays armed, and looks at what runs when it fires.
package lease

import (
	goruntime "runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Lease says who drives. Even: the goroutine that drives is not in Dispatch. Odd: it is, and the timer is armed or looks. The goroutine ends its
// Dispatch, or the timer's takes over, by adding one with a compare-and-swap; the number only grows, so exactly one of them succeeds,
// however late the other comes. The one that succeeds is the driver from then on.
type Lease struct {
	number atomic.Uint64
	since  atomic.Int64 // when the latest Dispatch began, by clock
	armed  atomic.Bool  // the timer is armed, or about to look; written holding mu

	mu    sync.Mutex  // guards what follows
	timer *time.Timer // nil before Init
	seen  uint64      // what number was when the timer was armed
}

// lookAfter is how many times as long the timer rests between looks at Dispatches that all return early. That much later than it should a Dispatch that
// stays may be found.
const lookAfter = 4

// began is where clock begins.
var began = time.Now()

func clock() int64 { return int64(time.Since(began)) }

// Ready tells whether Init was called. It is the driver's.
func (l *Lease) Ready() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.timer != nil
}

// Init gives l the function that its timer calls, on a goroutine of its own. That function calls Look.
func (l *Lease) Init(look func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer = time.AfterFunc(time.Hour, look)
	l.timer.Stop()
}

// Held is the lease during one Dispatch.
type Held struct {
	number uint64
	Armed  bool // Begin has armed the timer
	alone  bool // and no Dispatch was shortly before
}

// Begin is called by the driver before a Dispatch. A timer that it has armed is armed until End, Stop or Drop reports that it is not any more, or
// Look returns something else than Later.
func (l *Lease) Begin(after time.Duration) (held Held) {
	now := clock()
	gap := now - l.since.Swap(now)
	held.number = l.number.Add(1)
	if l.armed.Load() {
		return held
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.armed.Load() || l.number.Load() != held.number { // somebody has armed it, or taken over, since
		return held
	}
	held.Armed, held.alone = true, gap > int64(after)
	l.arm(held.number-1, after)
	if goruntime.GOMAXPROCS(0) == 1 {
		wakeMonitor()
	}
	return held
}

// arm is called with mu held.
func (l *Lease) arm(seen uint64, after time.Duration) {
	l.armed.Store(true)
	l.seen = seen
	l.timer.Reset(after)
}

// End is called by the driver after a Dispatch. It reports whether the caller still drives, and whether the timer was armed and is not any more.
func (l *Lease) End(held Held) (driving, disarmed bool) {
	driving = l.number.CompareAndSwap(held.number, held.number+1)
	return driving, driving && held.alone && l.Stop()
}

// Dispatching tells whether the driver is in Dispatch.
func (l *Lease) Dispatching() bool { return l.number.Load()%2 != 0 }

// Stop disarms the timer, and reports whether it was armed. Stop and Drop are the driver's.
func (l *Lease) Stop() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stop()
}

func (l *Lease) stop() bool {
	if l.timer == nil || !l.timer.Stop() {
		return false
	}
	l.armed.Store(false)
	return true
}

// Drop is Stop, and gives the timer's memory back, until the next Init, unless it is about to look.
func (l *Lease) Drop() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	stopped := l.stop()
	if !l.armed.Load() {
		l.timer = nil
	}
	return stopped
}

// Finding is what a look has found.
type Finding int

const (
	Later    Finding = iota // the timer is armed again
	Overstay                // a Dispatch stays: the caller drives from now on
	Rest                    // there is nothing to look for; the next Begin arms the timer
)

// Look is for the timer's function. A Dispatch is found to stay when it runs for longer than after.
func (l *Lease) Look(after time.Duration) Finding {
	l.mu.Lock()
	defer l.mu.Unlock()
	number := l.number.Load()
	if number%2 != 0 {
		// since may be of a later Dispatch already, never of an earlier one: nothing is found too early.
		if left := after - time.Duration(clock()-l.since.Load()); left > 0 {
			l.arm(number-1, left)
			return Later
		}
		if l.number.CompareAndSwap(number, number+1) {
			l.armed.Store(false)
			return Overstay
		}
		number++ // it has just returned
	}
	if number > l.seen+2 {
		l.arm(number, lookAfter*after)
		return Later
	}
	// A single Dispatch since the last look. One that begins now either sees that the timer is not armed, or is seen here.
	l.armed.Store(false)
	if l.number.Load() != number {
		l.arm(number, after)
		return Later
	}
	return Rest
}
