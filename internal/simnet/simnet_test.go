package simnet

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

var start = time.Unix(1_000_000_000, 0)

func pipe(seed uint64, cfg Config) *Pipe { return NewPipe(cfg, rand.New(rand.NewPCG(seed, 0))) }

// check compares the counters with each other.
func (p *Pipe) check(t *testing.T) {
	t.Helper()
	n := p.Counters()
	if n.Delivered+n.Lost+n.QueueFull+n.TooLarge != n.Sent+n.Duplicated {
		t.Fatalf("not every datagram has one fate: %+v", n)
	}
}

// The zero value is a perfect path.
func TestPerfect(t *testing.T) {
	p := pipe(1, Config{})
	for i := range 1000 {
		now := start.Add(time.Duration(i))
		at, n, fate := p.Pass(now, 60000, Overhead6)
		if n != 1 || !at[0].Equal(now) || fate != Delivered {
			t.Fatalf("a datagram sent at %v arrives %d times, at %v: %v", now, n, at[0], fate)
		}
	}
	p.check(t)
}

// What is left to chance happens as often as the Config says.
func TestChances(t *testing.T) {
	const n = 200_000
	for name, c := range map[string]struct {
		cfg  Config
		of   func(Counters) uint64
		want float64
	}{
		"loss":      {Config{Loss: 0.1}, func(c Counters) uint64 { return c.Lost }, 0.1},
		"duplicate": {Config{Duplicate: 0.05}, func(c Counters) uint64 { return c.Duplicated }, 0.05},
		"reorder":   {Config{Reorder: 0.2}, func(c Counters) uint64 { return c.Reordered }, 0.2},
		"down":      {Config{Down: true}, func(c Counters) uint64 { return c.Lost }, 1},
		// The bad state is left with 0.25 and entered with 0.05 per datagram: 1/6 of the time is bad.
		"burst": {Config{Burst: Burst{Enter: 0.05, Leave: 0.25, Loss: 0.6}}, func(c Counters) uint64 { return c.Lost }, 0.6 / 6},
		"all":   {Config{Loss: 0.5, Duplicate: 0.5, Reorder: 0.5}, func(c Counters) uint64 { return c.Duplicated }, 0.25},
	} {
		p := pipe(1, c.cfg)
		for range n {
			p.Send(start, 100)
		}
		p.check(t)
		if got := float64(c.of(p.Counters())) / n; math.Abs(got-c.want) > 0.01 {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// Losses of the burst model come in runs.
func TestBurstRuns(t *testing.T) {
	runs := func(cfg Config) float64 {
		p, lost, after := pipe(1, cfg), 0, 0
		last := false
		for range 100_000 {
			_, n := p.Send(start, 100)
			if n == 0 {
				lost++
				if last {
					after++
				}
			}
			last = n == 0
		}
		return float64(after) / float64(lost)
	}
	even := runs(Config{Loss: 0.1})
	burst := runs(Config{Burst: Burst{Enter: 0.05, Leave: 0.25, Loss: 0.6}})
	if even > 0.12 || burst < 0.3 {
		t.Errorf("a loss follows a loss with %v when they are independent, and with %v in bursts", even, burst)
	}
}

// "It does not reorder: a datagram never overtakes an earlier one unless Reorder chose it."
func TestJitterKeepsOrder(t *testing.T) {
	for seed := range uint64(200) {
		p := pipe(seed, Config{Delay: 10 * time.Millisecond, Jitter: 8 * time.Millisecond})
		var last time.Time
		var spread time.Duration
		for i := range 500 {
			now := start.Add(time.Duration(i) * time.Millisecond)
			at, _ := p.Send(now, 100)
			if d := at[0].Sub(now); d < 10*time.Millisecond || d >= 18*time.Millisecond {
				t.Fatalf("seed %d: a datagram takes %v", seed, d)
			} else {
				spread = max(spread, d)
			}
			if at[0].Before(last) {
				t.Fatalf("seed %d: datagram %d overtakes the one before", seed, i)
			}
			last = at[0]
		}
		if spread < 15*time.Millisecond {
			t.Errorf("seed %d: the longest delay is %v", seed, spread)
		}
	}
}

// A reordered datagram is overtaken by those that follow within ReorderDelay.
func TestReorder(t *testing.T) {
	for _, hold := range []time.Duration{0, 30 * time.Millisecond} {
		want := hold
		if want == 0 {
			want = 10 * time.Millisecond
		}
		p := pipe(3, Config{Delay: 5 * time.Millisecond, Reorder: 0.3, ReorderDelay: hold})
		seen := [2]int{}
		for range 1000 {
			before := p.Counters().Reordered
			at, _ := p.Send(start, 100)
			late, d := p.Counters().Reordered > before, at[0].Sub(start)
			if late && d != 5*time.Millisecond+want || !late && d != 5*time.Millisecond {
				t.Fatalf("reordered %v: takes %v", late, d)
			}
			if late {
				seen[1]++
			} else {
				seen[0]++
			}
		}
		if seen[0] == 0 || seen[1] == 0 {
			t.Errorf("%v datagrams are in and out of order", seen)
		}
	}
}

// The bottleneck sends one datagram after the other, headers counted, and what does not fit into its queue is lost.
func TestRate(t *testing.T) {
	p := pipe(1, Config{Rate: 8_000_000, Queue: 10_000}) // a byte per microsecond
	for i := range 10 {
		at, n, _ := p.Pass(start, 1000-Overhead, Overhead)
		if want := start.Add(time.Duration(i+1) * time.Millisecond); n != 1 || !at[0].Equal(want) {
			t.Fatalf("datagram %d leaves at %v, want %v", i, at[0], want)
		}
	}
	if _, n, fate := p.Pass(start, 1, Overhead); n != 0 || fate != QueueFull {
		t.Errorf("a datagram beyond the queue: %v", fate)
	}
	// 1 ms later there is room for 1000 bytes.
	now := start.Add(time.Millisecond)
	if _, _, fate := p.Pass(now, 1000-Overhead+1, Overhead); fate != QueueFull {
		t.Errorf("a datagram that is a byte too long for the room: %v", fate)
	}
	if at, _, fate := p.Pass(now, 1000-Overhead6, Overhead6); fate != Delivered || !at[0].Equal(start.Add(11*time.Millisecond)) {
		t.Errorf("a datagram that just fits: %v at %v", fate, at[0])
	}
	// After a pause nothing waits.
	now = start.Add(time.Minute)
	if at, _ := p.Send(now, 1000-Overhead); !at[0].Equal(now.Add(time.Millisecond)) {
		t.Errorf("after a pause a datagram leaves at %v", at[0])
	}
	p.check(t)
	for rate, want := range map[int64]int{1_000_000: 64 << 10, 1_000_000_000: 6_250_000} {
		cfg := Config{Rate: rate}
		if got := cfg.queue(); got != want {
			t.Errorf("at %d bit/s the queue holds %d bytes, want %d", rate, got, want)
		}
	}
}

// What is larger than the MTU, headers counted, vanishes.
func TestMTU(t *testing.T) {
	p := pipe(1, Config{MTU: 1280})
	for _, headers := range []int{Overhead, Overhead6} {
		if _, n, fate := p.Pass(start, 1280-headers, headers); n != 1 || fate != Delivered {
			t.Errorf("a packet of 1280 bytes: %v", fate)
		}
		if _, n, fate := p.Pass(start, 1281-headers, headers); n != 0 || fate != TooLarge {
			t.Errorf("a packet of 1281 bytes: %v", fate)
		}
	}
	p.check(t)
}

// SetConfig changes the path from now on.
func TestSetConfig(t *testing.T) {
	p := pipe(1, Config{Delay: time.Second})
	at, _ := p.Send(start, 1)
	p.SetConfig(Config{Delay: time.Millisecond, Down: true})
	if !p.Config().Down || !at[0].Equal(start.Add(time.Second)) {
		t.Error("the path should be down, the first datagram under way")
	}
	if _, n := p.Send(start, 1); n != 0 {
		t.Error("a path that is down should deliver nothing")
	}
}

// The same seed gives the same arrivals, the other seeds others; and whatever the Config, each datagram arrives not before it was sent.
func TestSeeds(t *testing.T) {
	run := func(seed uint64) (log []byte) {
		dice := rand.New(rand.NewPCG(seed, 99))
		cfg := Config{
			Delay: time.Duration(dice.IntN(50)) * time.Millisecond, Jitter: time.Duration(dice.IntN(20)) * time.Millisecond,
			Loss: dice.Float64() / 4, Duplicate: dice.Float64() / 4, Reorder: dice.Float64() / 4, Rate: int64(dice.IntN(20_000_000)),
			Queue: dice.IntN(100_000), MTU: 1000 + dice.IntN(1000), Burst: Burst{Enter: dice.Float64() / 10, Leave: 0.5, Loss: 0.9},
		}
		p, now := pipe(seed, cfg), start
		for range 200 {
			now = now.Add(time.Duration(dice.IntN(3_000_000)))
			at, n, fate := p.Pass(now, dice.IntN(1500), Overhead)
			for i := range n {
				if at[i].Before(now.Add(cfg.Delay)) {
					t.Fatalf("seed %d: a datagram arrives %v too early", seed, now.Add(cfg.Delay).Sub(at[i]))
				}
			}
			if (n == 0) == (fate == Delivered) {
				t.Fatalf("seed %d: %d arrivals of a datagram with fate %d", seed, n, fate)
			}
			log = fmt.Appendf(log, "%v %v %v\n", at[:n], n, fate)
			p.check(t)
		}
		return log
	}
	seen := map[string]uint64{}
	for seed := range uint64(1000) {
		a := run(seed)
		if seed%10 == 0 && !bytes.Equal(a, run(seed)) {
			t.Fatalf("seed %d: two runs differ", seed)
		}
		if other, ok := seen[string(a)]; ok {
			t.Fatalf("seeds %d and %d give the same", seed, other)
		}
		seen[string(a)] = seed
	}
}

// A Wire delivers by time, those of one instant in the order in which they were sent, to the other end, and copies what it carries.
func TestWire(t *testing.T) {
	w := NewWire(1, Config{Delay: 10 * time.Millisecond})
	b := []byte{0}
	for i := range byte(10) {
		b[0] = i
		w.Send(start.Add(time.Duration(i/4)*time.Millisecond), int(i%2), b)
	}
	if w.InFlight() != 10 || !w.Next().Equal(start.Add(10*time.Millisecond)) {
		t.Errorf("%d are in flight, the next arrives at %v", w.InFlight(), w.Next())
	}
	if _, _, ok := w.Receive(start.Add(10*time.Millisecond - 1)); ok {
		t.Error("nothing should arrive early")
	}
	for i := range byte(10) {
		to, got, ok := w.Receive(w.Next())
		if !ok || len(got) != 1 || got[0] != i || to != 1-int(i%2) {
			t.Fatalf("datagram %d arrives as %v at end %d", i, got, to)
		}
	}
	if _, _, ok := w.Receive(start.Add(time.Hour)); ok || w.InFlight() != 0 || !w.Next().IsZero() {
		t.Error("the wire should be empty")
	}
}

// The two directions are independent.
func TestWireDirections(t *testing.T) {
	w := NewWire(1, Config{Loss: 0.5})
	same := 0
	for range 1000 {
		before := w.InFlight()
		w.Send(start, 0, nil)
		mid := w.InFlight()
		w.Send(start, 1, nil)
		if (mid > before) == (w.InFlight() > mid) {
			same++
		}
	}
	if same < 400 || same > 600 {
		t.Errorf("both directions do the same %d times of 1000", same)
	}
}

func TestEarliest(t *testing.T) {
	a, b, zero := start, start.Add(1), time.Time{}
	for _, c := range []struct {
		times []time.Time
		want  time.Time
	}{{nil, zero}, {[]time.Time{zero}, zero}, {[]time.Time{zero, b, zero, a}, a}, {[]time.Time{b}, b}} {
		if got := Earliest(c.times...); !got.Equal(c.want) {
			t.Errorf("Earliest(%v) is %v", c.times, got)
		}
	}
}
