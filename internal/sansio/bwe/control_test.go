package bwe

import (
	"math"
	"testing"
	"time"
)

// script tells an estimator of packets of 125 bytes that leave regularly, in a message each 50 ms.
type script struct {
	e       *Estimator
	now     time.Time
	rtt     time.Duration
	sent    time.Time
	n       int
	queue   time.Duration     // what the next packet waits
	filling float64           // how much that grows, of the time that passes
	lost    func(n int) bool  // nil: none
	changed func(was float64) // called when the target has changed
}

func newScript(cfg Config, rtt time.Duration) *script {
	return &script{e: New(cfg), now: testEpoch, sent: testEpoch, rtt: rtt}
}

// run sends so many bit/s for a while.
func (s *script) run(rate float64, d time.Duration) {
	step := time.Duration(1000 / rate * float64(time.Second))
	var results []Result
	for end, next := s.sent.Add(d), s.sent.Add(50*time.Millisecond); s.sent.Before(end); s.sent = s.sent.Add(step) {
		if !s.sent.Before(next) && len(results) > 0 {
			next = next.Add(50 * time.Millisecond)
			s.tell(results)
			results = results[:0]
		}
		r := Result{Sent: s.sent, Size: 125, Arrived: s.lost == nil || !s.lost(s.n)}
		if r.Arrived {
			r.Arrival = s.sent.Sub(testEpoch) + s.rtt/2 + s.queue
		}
		results = append(results, r)
		s.queue += time.Duration(s.filling * float64(step))
		s.n++
	}
}

func (s *script) tell(results []Result) {
	s.now = results[len(results)-1].Sent.Add(s.rtt)
	was := s.e.Target()
	s.e.HandleResults(s.now, results)
	if s.changed != nil && s.e.Target() != was {
		s.changed(was)
	}
}

func (s *script) want(t *testing.T, what string, want float64) {
	t.Helper()
	if got := s.e.Target(); math.Abs(got-want) > 0.02*want {
		t.Errorf("%s: %.0f, want %.0f", what, got, want)
	}
}

// The Config is what the estimate begins with, and its bounds.
func TestConfig(t *testing.T) {
	for _, c := range []struct {
		cfg  Config
		want float64
	}{
		{Config{}, 300_000},
		{Config{Start: 500_000}, 500_000},
		{Config{Start: 10_000}, 30_000},
		{Config{Start: 10_000, Min: 1000}, 10_000},
		{Config{Start: 200_000_000}, 100_000_000},
		{Config{Max: 200_000}, 200_000},
		{Config{Min: 400_000}, 400_000},
	} {
		if got := New(c.cfg).Target(); got != c.want {
			t.Errorf("%+v begins with %v, want %v", c.cfg, got, c.want)
		}
	}
	s := newScript(Config{}, 50*time.Millisecond)
	if s.run(200_000_000, time.Second); s.e.Target() != 100_000_000 {
		t.Errorf("at most %v", s.e.Target())
	}
}

// Until the first sign of congestion the target is twice what has ever arrived.
func TestStart(t *testing.T) {
	s := newScript(Config{}, 50*time.Millisecond)
	s.run(1_000_000, 2*time.Second)
	s.want(t, "1 Mbit/s arrives", 2_000_000)
	before := s.e.Target()
	if s.run(200_000, 2*time.Second); s.e.Target() != before {
		t.Errorf("it goes from %.0f to %.0f when the application sends less", before, s.e.Target())
	}
}

// While a queue grows the target is 0.93 of what arrives, or of what it was, and that not again within a round trip, or 200 ms.
func TestDecreases(t *testing.T) {
	for _, rtt := range []time.Duration{20 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond} {
		s := newScript(Config{}, rtt)
		s.run(1_000_000, 2*time.Second)
		last, n := time.Time{}, 0
		s.changed = func(was float64) {
			gap, least := s.now.Sub(last), max(rtt, 200*time.Millisecond)
			if n++; n == 1 {
				if got := s.e.Target(); got < 0.93*800_000 || got > 0.93*900_000 {
					t.Errorf("round trip of %v: %.0f when a queue has begun to grow and 0.8 Mbit/s arrive", rtt, got)
				}
			} else if math.Abs(s.e.Target()/was-0.93) > 1e-9 || gap <= least || gap > least+60*time.Millisecond {
				t.Errorf("round trip of %v: from %.0f to %.0f after %v", rtt, was, s.e.Target(), gap)
			}
			last = s.now
		}
		s.filling = 0.25
		s.run(1_000_000, 3*time.Second)
		if n < 4 {
			t.Errorf("round trip of %v: only %d decreases", rtt, n)
		}
	}
}

// Who sends less and less has what arrived lately lowered, not what arrived half a second ago; who sends more and more, too.
func TestDecreaseOfWhatArrives(t *testing.T) {
	for _, c := range []struct{ lately, before, want float64 }{{1_200_000, 800_000, 1_200_000}, {800_000, 1_200_000, 1_056_000}} {
		e := New(Config{Start: 10_000_000})
		e.trend = trend{state: overuse, threshold: 9}
		for at := time.Duration(0); at < 480*time.Millisecond; at += time.Millisecond {
			e.arrived.add(at, int(c.before/8000))
			if at >= 320*time.Millisecond {
				e.arrived.add(at, int((c.lately-c.before)/8000))
			}
		}
		overusing(e, 480*time.Millisecond)
		want := 0.93 * c.want
		if c.before > c.lately {
			want = 0.93 * (2*c.before + c.lately) / 3
		}
		if got := e.Target(); math.Abs(got-want) > 0.01*want {
			t.Errorf("%v, and lately %v: the target becomes %.0f, want %.0f", c.before, c.lately, got, want)
		}
	}
}

// overusing makes a trend that shows a queue show it once more, with a packet that begins a group.
func overusing(e *Estimator, at time.Duration) {
	e.trend.over, e.trend.n = time.Second, 1
	e.groups = grouper{current: group{testEpoch, testEpoch, at}, previous: group{testEpoch, testEpoch, at}, has: true, hasPrevious: true}
	e.trend.previous = 100
	e.HandleResults(testEpoch.Add(time.Second), []Result{{Sent: testEpoch.Add(10 * time.Millisecond), Size: 1, Arrived: true, Arrival: at}})
}

// After a gap it is not known how much arrives, so it is not lowered to that: what was a second ago is no queue of now.
func TestGap(t *testing.T) {
	s := newScript(Config{}, 50*time.Millisecond)
	s.run(1_000_000, 2*time.Second)
	s.changed = func(was float64) {
		if s.e.Target() < 900_000 {
			t.Errorf("from %.0f to %.0f", was, s.e.Target())
		}
	}
	s.queue += 700 * time.Millisecond
	s.run(1_000_000, 2*time.Second)
	if s.e.Target() < 900_000 {
		t.Errorf("%.0f", s.e.Target())
	}
}

// Of more than a tenth of losses half the share is taken off (section 6 of the draft), after a hundred packets, and again when another hundred, sent
// since, tell of it: not within a round trip, or 300 ms. What was under way does not count twice.
func TestDecreasesByLoss(t *testing.T) {
	for _, rtt := range []time.Duration{20 * time.Millisecond, 800 * time.Millisecond} {
		for _, rate := range []float64{1_000_000, 10_000_000} {
			s := newScript(Config{Max: 2 * rate}, rtt)
			s.run(rate, 2*time.Second)
			var last time.Time
			n, lossy := 0, s.n
			s.changed = func(was float64) {
				ratio, gap := s.e.Target()/was, s.now.Sub(last)
				if ratio >= 1 {
					return
				}
				if n++; n > 1 {
					// A hundred packets after the last message, or the time that must pass.
					least := max(rtt, 300*time.Millisecond)
					most := max(rtt+time.Duration(100*1000/rate*float64(time.Second)), least) + 60*time.Millisecond
					if math.Abs(ratio-0.9) > 0.005 || gap <= least || gap > most {
						t.Errorf("%v, round trip of %v: %.3f of the target after %v", rate, rtt, ratio, gap)
					}
				} else if ratio < 0.895 || ratio > 0.951 {
					t.Errorf("%v, round trip of %v: %.3f of the target, at first", rate, rtt, ratio)
				}
				last = s.now
			}
			s.lost = func(n int) bool { return n%5 == 0 }
			s.run(rate, 3*time.Second)
			if n < 3 {
				t.Errorf("%v, round trip of %v: lossy from %d to %d, and %d decreases", rate, rtt, lossy, s.n, n)
			}
			// No more is lost after the next decrease: there is no second one for what was.
			n, lossy = 0, math.MaxInt
			s.changed = func(was float64) {
				if s.e.Target() < was {
					if n++; n == 1 {
						lossy = int(s.now.Sub(testEpoch).Seconds() * rate / 1000)
					}
				}
			}
			s.lost = func(n int) bool { return n < lossy && n%5 == 0 }
			if s.run(rate, 3*time.Second); n != 1 {
				t.Errorf("%v, round trip of %v: %d decreases for losses that have ended", rate, rtt, n)
			}
		}
	}
}

// A tenth of losses, and fewer than a hundred packets, lower nothing.
func TestToleratedLoss(t *testing.T) {
	for _, c := range []struct {
		packets, lost int
		lowers        bool
	}{{99, 50, false}, {100, 50, true}, {100, 10, false}, {104, 11, true}} {
		e := New(Config{})
		var results []Result
		for i := range c.packets {
			results = append(results, Result{Sent: testEpoch, Size: 125, Arrived: i >= c.lost, Arrival: time.Duration(i) * time.Millisecond})
		}
		if e.HandleResults(testEpoch.Add(time.Second), results); (e.Target() < 300_000) != c.lowers {
			t.Errorf("%d of %d are lost, and the target is %.0f", c.lost, c.packets, e.Target())
		}
	}
}

// A packet that was lost says nothing of when it would have come, also where it is a group of its own.
func TestLossIsNoQueue(t *testing.T) {
	s := newScript(Config{}, 50*time.Millisecond)
	s.changed = func(was float64) {
		if s.e.Target() < was {
			t.Errorf("from %.0f to %.0f", was, s.e.Target())
		}
	}
	s.lost = func(n int) bool { return n%12 == 7 }
	s.run(100_000, 10*time.Second)
}

// Each second without feedback halves the target, down to the least; before the first feedback nothing does. When feedback comes again all begins anew: what
// was sent in vain does not count as lost, and the target goes quickly to where it once began.
func TestSilence(t *testing.T) {
	s := newScript(Config{}, 50*time.Millisecond)
	s.e.HandleSent(s.now)
	if at := s.e.PollTimeout(); !at.IsZero() {
		t.Errorf("due at %v, before the first feedback", at)
	}
	s.run(400_000, 2*time.Second)
	s.want(t, "400 kbit/s arrive", 800_000)
	if at := s.e.PollTimeout(); !at.IsZero() {
		t.Errorf("due at %v, when nothing was sent", at)
	}
	start := s.now
	s.e.HandleSent(start)
	s.e.HandleSent(start.Add(time.Millisecond))
	want := s.e.Target()
	for n := 1; want > 30_000; n++ {
		at := start.Add(time.Duration(n) * time.Second)
		if got := s.e.PollTimeout(); !got.Equal(at) {
			t.Fatalf("due at %v, want %v", got.Sub(start), at.Sub(start))
		}
		s.e.HandleTimeout(at.Add(-1))
		if got := s.e.Target(); got != want {
			t.Fatalf("%v before it is due, want %v", got, want)
		}
		s.e.HandleTimeout(at)
		if want = max(want/2, 30_000); s.e.Target() != want {
			t.Fatalf("%v after %d s, want %v", s.e.Target(), n, want)
		}
	}
	if at := s.e.PollTimeout(); !at.IsZero() {
		t.Errorf("due at %v, and the target is %v", at, s.e.Target())
	}
	now, sent := start.Add(10*time.Second), start.Add(9*time.Second)
	back := []Result{{Sent: sent}, {Sent: sent}, {Sent: sent, Arrived: true}, {Sent: sent}, {Sent: sent, Arrived: true}}
	all := []Result{{Sent: sent}, {Sent: sent}}
	for _, results := range [][]Result{all, back} {
		e := *s.e
		if e.HandleResults(now, results); len(results) == 5 && e.LossRate() != 1.0/3 || len(results) == 2 && e.LossRate() != 0 {
			t.Errorf("%d packets: a loss rate of %v", len(results), e.LossRate())
		}
		for n, want := 1, 36_000.0; n < 20; n++ {
			if got := e.Target(); math.Abs(got-want) > 1 {
				t.Errorf("message %d: %v, want %v", n, got, want)
			}
			e.HandleResults(now.Add(time.Duration(n)*50*time.Millisecond), []Result{{Sent: now, Arrived: true, Size: 10}})
			want = min(want*1.2, 300_000)
		}
	}
}

// Where the curve leads back to: the target that was, or what arrives if that is less; but no less than 0.9 of what arrives.
func TestTop(t *testing.T) {
	for _, c := range []struct{ was, arrives, to, target, top float64 }{
		{2e6, 1e6, 0.93e6, 0.93e6, 1e6},
		{1e6, 2e6, 0.93e6, 0.93e6, 1.8e6},
		{1e6, 1.05e6, 0.93e6, 0.93e6, 1e6},
		{1e6, 0.5e6, 0.93e6, 0.93e6, 0.93e6},
		{1e6, 0, 0.5e6, 0.5e6, 1e6},
		{1e6, 0, 1, 30_000, 1e6},
		{1e6, 0, 2e6, 1e6, 1e6},
	} {
		e := New(Config{Start: c.was})
		for at := time.Duration(0); at < 500*time.Millisecond && c.arrives > 0; at += time.Millisecond {
			e.arrived.add(at, int(c.arrives/8000))
		}
		e.lower(testEpoch, c.to)
		if math.Abs(e.target-c.target) > 1 || math.Abs(e.top-c.top) > 0.01*c.top {
			t.Errorf("%+v: target %.0f, top %.0f", c, e.target, e.top)
		}
	}
}

// The curve: a rate that fell by seven hundredths is back after 2.6 s, flat there, and half as large again after five more; as far as what arrives
// allows, which is half as much again and 10 kbit/s.
func TestCurve(t *testing.T) {
	back := func(arrives float64) *Estimator {
		e := New(Config{Start: 1e6})
		for at := time.Duration(0); at < 500*time.Millisecond; at += time.Millisecond {
			e.arrived.add(at, int(arrives/8000))
		}
		e.lower(testEpoch, 0.93e6)
		return e
	}
	e := back(1e6)
	top := e.top
	low := 0.93e6 / top
	fall := math.Cbrt((1 - low) / 0.004)
	for _, c := range []struct{ after, want float64 }{
		{0, low}, {fall / 2, 1 - (1-low)/8}, {fall, 1}, {fall + 1, 1.004}, {fall + 5, 1.5},
	} {
		e.raise(testEpoch.Add(time.Duration(c.after * float64(time.Second))))
		if got := e.Target() / top; math.Abs(got-c.want) > 1e-6 {
			t.Errorf("%v of the top after %v s, want %v", got, c.after, c.want)
		}
	}
	if fall < 2.5 || fall > 2.7 {
		t.Errorf("back after %v s", fall)
	}

	// An application that sends 0.95 Mbit/s gets no more than 1.435, and when the curve is at twice that, it waits there.
	e = back(0.95e6)
	rate, _ := e.arrived.rate(throughputBuckets)
	limit := 1.5*rate + 10_000
	for s := range 60 {
		e.raise(testEpoch.Add(time.Duration(s) * time.Second))
		if e.Target() > limit*(1+1e-9) {
			t.Fatalf("%.0f, and %.0f arrives", e.Target(), rate)
		}
	}
	if math.Abs(e.Target()-limit) > 1 {
		t.Errorf("%.0f when %.0f arrives, want %.0f", e.Target(), rate, limit)
	}
	now, waits := testEpoch.Add(60*time.Second), 0
	for range 200 {
		now = now.Add(100 * time.Millisecond)
		before := e.since
		if e.raise(now); e.since != before {
			if waits++; e.top != e.Target() || e.back != 0 {
				t.Errorf("it waits at %.0f for %v, the target is %.0f", e.top, e.back, e.Target())
			}
			// It begins once more from where it is, when twice that is due.
			if waits > 1 && now.Sub(before).Round(100*time.Millisecond) != 6300*time.Millisecond {
				t.Errorf("it begins once more after %v", now.Sub(before))
			}
		}
	}
	if waits < 2 {
		t.Errorf("the curve waits %d times", waits)
	}
}
