package peer

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sansrtc/rtc/internal/simnet"
)

// underLoss makes n connections of one kind over paths of a round trip of rtt that lose some of the datagrams. It returns how long it took until both ends
// had the channel, and until both had the message that the other had sent on it at once, each in order.
func underLoss(t testing.TB, s setup, rtt time.Duration, loss float64, n int) (open, first []time.Duration) {
	for seed := range uint64(n) {
		w := newWorld(t, seed, simnet.Config{Delay: rtt / 2, Loss: loss}, s.config())
		w.unchecked = true
		m := w.measure(time.Minute)
		if m.first[0] == 0 || m.first[1] == 0 {
			t.Fatalf("%v, %v %% are lost, seed %d: no message", s, 100*loss, seed)
		}
		open = append(open, max(m.open[0], m.open[1]))
		first = append(first, max(m.first[0], m.first[1]))
	}
	slices.Sort(open)
	slices.Sort(first)
	return open, first
}

// What is lost in a check comes with another one: half of the connections over a path that loses a tenth of all datagrams take no retransmission's time
// longer than without loss, and less with the handshake in the checks than without.
func TestSetupUnderLoss(t *testing.T) {
	const rtt = 200 * time.Millisecond
	for _, s := range []setup{{sped: true, dtls13: true, snap: true}, {sped: true, snap: true}} {
		without := s
		without.sped = false
		open, _ := underLoss(t, s, rtt, 0.1, 41)
		plain, _ := underLoss(t, without, rtt, 0.1, 41)
		lossless, _ := underLoss(t, s, rtt, 0, 1)
		if most := lossless[0] + 250*time.Millisecond; open[20] > most || open[20] >= plain[20] {
			t.Errorf("%v: half of the connections take more than %v, want at most %v; %v without SPED", s, open[20], most, plain[20])
		}
	}
}

// Of twenty connections over a path of 200 ms that loses a quarter of all datagrams nineteen are there after 750 ms with DTLS 1.3 in the checks, in
// either role: what libwebrtc's own simulation takes.
func TestSetupUnderHeavyLoss(t *testing.T) {
	for _, active := range []bool{false, true} {
		s := setup{sped: true, dtls13: true, snap: true, active: active}
		if open, _ := underLoss(t, s, 200*time.Millisecond, 0.25, 400); open[380] > 750*time.Millisecond {
			t.Errorf("%v: nineteen of twenty take up to %v", s, open[380])
		}
	}
}

// BenchmarkSetupUnderLoss reports how long setup takes of 1000 connections, in the time of the path: until both ends have the channel, and until both have a
// message that was sent on it at once. With -short it is ten.
func BenchmarkSetupUnderLoss(b *testing.B) {
	n := 1000
	if testing.Short() {
		n = 10
	}
	for _, rtt := range []time.Duration{20 * time.Millisecond, 200 * time.Millisecond} {
		for _, loss := range []float64{0, 0.05, 0.1, 0.25} {
			for i := range 8 {
				s := setup{sped: i&4 == 0, dtls13: i&2 == 0, active: i&1 != 0, snap: true}
				b.Run(fmt.Sprintf("rtt=%v/loss=%v/%v", rtt, loss, s), func(b *testing.B) {
					var open, first []time.Duration
					for b.Loop() {
						open, first = underLoss(b, s, rtt, loss, n)
					}
					report := func(what string, times []time.Duration) {
						for _, p := range []int{50, 95, 99} {
							b.ReportMetric(float64(times[len(times)*p/100])/float64(time.Millisecond), fmt.Sprintf("%s-p%d-ms", what, p))
						}
					}
					report("open", open)
					report("first", first)
					b.ReportMetric(0, "ns/op")
				})
			}
		}
	}
}
