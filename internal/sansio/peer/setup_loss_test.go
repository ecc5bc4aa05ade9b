package peer

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sansrtc/rtc/internal/simnet"
)

// underLoss makes n connections of one kind over paths that lose some of the datagrams, with a round trip of 200 ms, and returns how long it took until both
// ends had the channel, in order.
func underLoss(t testing.TB, s setup, loss float64, n int) (times []time.Duration) {
	for seed := range uint64(n) {
		w := newWorld(t, seed, simnet.Config{Delay: 100 * time.Millisecond, Loss: loss}, s.config())
		w.unchecked = true
		m := w.measure(time.Minute)
		if m.open[0] == 0 || m.open[1] == 0 {
			t.Fatalf("%v, %v %% are lost, seed %d: not open", s, 100*loss, seed)
		}
		times = append(times, max(m.open[0], m.open[1]))
	}
	slices.Sort(times)
	return times
}

// What is lost in a check comes with another one: half of the connections over a path that loses a tenth of all datagrams take no retransmission's time
// longer than without loss, and less with the handshake in the checks than without.
func TestSetupUnderLoss(t *testing.T) {
	for _, s := range []setup{{sped: true, dtls13: true, snap: true}, {sped: true, snap: true}} {
		without := s
		without.sped = false
		median := underLoss(t, s, 0.1, 41)[20]
		plain := underLoss(t, without, 0.1, 41)[20]
		if most := underLoss(t, s, 0, 1)[0] + 250*time.Millisecond; median > most || median >= plain {
			t.Errorf("%v: half of the connections take more than %v, want at most %v; %v without SPED", s, median, most, plain)
		}
	}
}

// BenchmarkSetupUnderLoss reports how long setup takes, in the time of the path: the median, and what nineteen of twenty stay below.
func BenchmarkSetupUnderLoss(b *testing.B) {
	for _, s := range []setup{{sped: true, dtls13: true, snap: true}, {sped: true, snap: true}, {dtls13: true, snap: true}, {snap: true}} {
		for _, loss := range []float64{0, 0.05, 0.1, 0.25} {
			b.Run(fmt.Sprintf("%v/loss=%v", s, loss), func(b *testing.B) {
				var times []time.Duration
				for b.Loop() {
					times = underLoss(b, s, loss, 200)
				}
				ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
				b.ReportMetric(ms(times[len(times)/2]), "p50-ms")
				b.ReportMetric(ms(times[len(times)*19/20]), "p95-ms")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
