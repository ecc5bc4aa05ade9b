package bwe

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sansrtc/rtc/internal/simnet"
)

var testEpoch = time.Unix(1_800_000_000, 0)

// flow is an encoder that follows the estimate over a simulated path, frame by frame, paced; feedback comes each 50 ms.
type flow struct {
	e    *Estimator
	rng  *rand.Rand
	out  *simnet.Pipe
	now  time.Time
	sent []Result // not yet told
	back []feedback
	debt float64 // bytes that the encoder has made and the pacer holds
	next time.Time

	arrived int // bytes
	delay   time.Duration
	packets int
}

type feedback struct {
	at      time.Time
	results []Result
}

func newFlow(seed uint64, cfg simnet.Config) *flow {
	rng := rand.New(rand.NewPCG(seed, 1))
	return &flow{e: New(Config{}), rng: rng, out: simnet.NewPipe(cfg, rng), now: testEpoch, next: testEpoch.Add(50 * time.Millisecond)}
}

// run lets d pass and returns the rate that arrived, in bit/s.
func (f *flow) run(d time.Duration, oneWay time.Duration) float64 {
	const tick = 5 * time.Millisecond
	f.arrived, f.delay, f.packets = 0, 0, 0
	frame := 0
	for end := f.now.Add(d); f.now.Before(end); f.now = f.now.Add(tick) {
		if frame++; frame%7 == 0 {
			// A frame each 35 ms, whose size varies.
			f.debt += f.e.Target() / 8 * 0.035 * (0.7 + 0.6*f.rng.Float64())
		}
		// The pacer sends at 1.25 times the target.
		for budget := f.e.Target() / 8 * 1.25 * tick.Seconds(); f.debt >= 1200 && budget > 0; budget -= 1200 {
			f.debt -= 1200
			f.send(1200)
		}
		if !f.now.Before(f.next) {
			f.next = f.now.Add(50 * time.Millisecond)
			f.tell(oneWay)
		}
		for len(f.back) > 0 && !f.back[0].at.After(f.now) {
			f.e.HandleResults(f.now, f.back[0].results)
			f.back = f.back[1:]
		}
		f.e.HandleTimeout(f.now)
	}
	return float64(f.arrived) * 8 / d.Seconds()
}

func (f *flow) send(size int) {
	f.e.HandleSent(f.now)
	at, n := f.out.Send(f.now, size)
	r := Result{Sent: f.now, Size: size, Arrived: n > 0}
	if n > 0 {
		r.Arrival = at[0].Sub(testEpoch) + 1234*time.Second
	}
	f.sent = append(f.sent, r)
}

// tell is what the receiver says at this moment: of all packets up to the last that has arrived.
func (f *flow) tell(oneWay time.Duration) {
	now := f.now.Sub(testEpoch) + 1234*time.Second
	last := -1
	for i, r := range f.sent {
		if r.Arrived && r.Arrival <= now {
			last = i
		}
	}
	if last < 0 {
		return
	}
	told := f.sent[:last+1]
	for _, r := range told {
		if r.Arrived {
			f.arrived += r.Size
			f.packets++
			f.delay += r.Arrival - 1234*time.Second - r.Sent.Sub(testEpoch)
		}
	}
	f.back = append(f.back, feedback{f.now.Add(oneWay), told})
	f.sent = f.sent[last+1:]
}

const oneWay = 25 * time.Millisecond

func path(rate int64, loss float64) simnet.Config {
	return simnet.Config{Delay: oneWay, Rate: rate, Loss: loss, Queue: int(rate / 8 / 4)}
}

// The estimate reaches 85 % of what the path carries within ten seconds, and keeps it, with a queue that stays short.
func TestConverges(t *testing.T) {
	for _, rate := range []int64{1_000_000, 3_000_000, 10_000_000, 30_000_000} {
		for _, loss := range []float64{0, 0.02} {
			t.Run(fmt.Sprintf("%d/%v", rate, loss), func(t *testing.T) {
				for seed := range uint64(20) {
					f := newFlow(seed, path(rate, loss))
					f.run(10*time.Second, oneWay)
					got := f.run(30*time.Second, oneWay)
					delay := f.delay/time.Duration(f.packets) - oneWay
					if got < 0.85*float64(rate)*(1-loss) || delay > 100*time.Millisecond {
						t.Errorf("seed %d: %.0f bit/s of %d, %v in the queue", seed, got, rate, delay)
					}
				}
			})
		}
	}
}

// When the path becomes narrower the estimate follows within five seconds; when it becomes wider again, within ten.
func TestFollows(t *testing.T) {
	for seed := range uint64(20) {
		f := newFlow(seed, path(4_000_000, 0))
		f.run(15*time.Second, oneWay)
		f.out.SetConfig(path(2_000_000, 0))
		f.run(5*time.Second, oneWay)
		got := f.run(10*time.Second, oneWay)
		if delay := f.delay/time.Duration(f.packets) - oneWay; got < 0.85*2_000_000 || delay > 100*time.Millisecond {
			t.Errorf("seed %d: %.0f bit/s after the path was halved, %v in the queue", seed, got, delay)
		}
		f.out.SetConfig(path(4_000_000, 0))
		f.run(10*time.Second, oneWay)
		if got := f.run(10*time.Second, oneWay); got < 0.85*4_000_000 {
			t.Errorf("seed %d: %.0f bit/s after the path was doubled", seed, got)
		}
	}
}

// Heavy loss lowers the estimate, silence does, down to its bound, and when the path comes back it is found again within seconds.
func TestLossAndSilence(t *testing.T) {
	f := newFlow(1, path(3_000_000, 0))
	f.run(10*time.Second, oneWay)
	before := f.e.Target()
	f.out.SetConfig(path(3_000_000, 0.3))
	f.run(10*time.Second, oneWay)
	if f.e.Target() > before/2 {
		t.Errorf("%.0f after heavy loss, %.0f before", f.e.Target(), before)
	}
	f.out.SetConfig(simnet.Config{Down: true})
	f.run(time.Minute, oneWay)
	if f.e.Target() != 30_000 || !f.e.PollTimeout().IsZero() {
		t.Errorf("%.0f after a minute of silence", f.e.Target())
	}
	f.out.SetConfig(path(3_000_000, 0))
	f.run(10*time.Second, oneWay)
	if f.e.Target() < 2_000_000 {
		t.Errorf("%.0f 10 s after the path came back", f.e.Target())
	}
}

// An application that sends little does not make the estimate grow without reason.
func TestApplicationLimited(t *testing.T) {
	e := New(Config{Start: 1_000_000})
	now := testEpoch
	for i := range 20_000 {
		now = now.Add(10 * time.Millisecond)
		if i%5 == 0 {
			// 100 kbit/s
			e.HandleResults(now, []Result{{now.Add(-50 * time.Millisecond), 625, true, now.Sub(testEpoch)}})
		}
	}
	if e.Target() > 1_000_000 {
		t.Errorf("%.0f bit/s, from 100 000", e.Target())
	}
}

// FuzzResults: whatever the peer says, the estimate stays a number within its bounds.
func FuzzResults(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
	f.Fuzz(func(t *testing.T, b []byte) {
		e := New(Config{})
		now := testEpoch
		for len(b) >= 4 {
			now = now.Add(time.Duration(b[0]) * time.Millisecond)
			var results []Result
			for range b[1] % 8 {
				results = append(results, Result{
					Sent: now.Add(-time.Duration(b[2]) * time.Millisecond), Size: int(b[3]) * 8, Arrived: b[2]&1 == 0,
					Arrival: time.Duration(int8(b[3])) * time.Duration(b[2]) * 10 * time.Millisecond,
				})
			}
			e.HandleResults(now, results)
			e.HandleTimeout(now)
			if !(e.Target() >= 30_000 && e.Target() <= 100_000_000) {
				t.Fatalf("%v", e.Target())
			}
			b = b[4:]
		}
	})
}
