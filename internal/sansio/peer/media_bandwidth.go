package peer

import (
	"math"
	"time"

	"github.com/sansrtc/rtc/internal/sansio/bwe"
	"github.com/sansrtc/rtc/internal/sansio/media"
)

// bandwidth is what is known of how much the path carries.
type bandwidth struct {
	cfg       bwe.Config
	pacing    bool
	estimator *bwe.Estimator // nil until there is feedback
	since     time.Time      // what was sent earlier has taken another path
	remb      float64        // what the peer says that it can receive; zero: nothing, or that there is no bound
	told      float64
	toldAt    time.Time
	results   []bwe.Result // kept so that feedback costs no memory
}

func (b *bandwidth) init(cfg *MediaConfig) {
	b.cfg = bwe.Config{Start: cfg.StartBitrate, Min: cfg.MinBitrate, Max: cfg.MaxBitrate}
	b.pacing = cfg.Pacing
}

// rate is the lower of what was measured and what the peer has said; zero: nothing is known. What a peer has said (REMB) stands until it says
// something else: draft-alvestrand-rmcat-remb-03 lets "the total bit rate sent" be "equal to or lower than" it, and names no end.
func (b *bandwidth) rate() float64 {
	switch {
	case b.estimator == nil:
		return b.remb
	case b.remb == 0:
		return b.estimator.Target()
	}
	return min(b.estimator.Target(), b.remb)
}

// Changes are told when they are worth it, and not too often: an encoder that is set anew makes worse pictures for a while.
const (
	bandwidthStep     = 0.05
	bandwidthInterval = 200 * time.Millisecond
)

// pacingFactor is how much faster than the estimate packets may leave, so that a frame that is larger than others is not late.
const pacingFactor = 1.25

// estimate takes what became of packets that were sent.
func (c *Core) estimate(now time.Time, results []media.PacketResult) {
	b := &c.media.band
	b.results = b.results[:0]
	for _, r := range results {
		if !r.Sent.Before(b.since) {
			b.results = append(b.results, bwe.Result(r))
		}
	}
	if len(b.results) == 0 {
		return
	}
	if b.estimator == nil {
		b.estimator = bwe.New(b.cfg)
	}
	b.estimator.HandleResults(now, b.results)
	c.tellBandwidth(now)
}

// tellBandwidth heeds a new estimate, and tells of it when that is due.
func (c *Core) tellBandwidth(now time.Time) {
	b := &c.media.band
	rate := b.rate()
	if rate == 0 {
		return
	}
	if b.pacing {
		c.media.machine.SetPacing(rate * pacingFactor)
	}
	if math.Abs(rate-b.told) >= bandwidthStep*b.told && (b.told == 0 || now.Sub(b.toldAt) >= bandwidthInterval) {
		b.told, b.toldAt = rate, now
		c.events.push(Event{Kind: EventBandwidth})
	}
}

// restart forgets all that was measured, here and by the peer: the path is another one. REMB is about "the path to the receiving side" too.
func (b *bandwidth) restart(now time.Time) {
	b.since, b.remb = now, 0
	if b.estimator != nil {
		b.estimator = bwe.New(b.cfg)
	}
}

// pathChanged tells that what is sent takes another path now.
func (m *mediaState) pathChanged(now time.Time, r route) {
	m.path = r
	m.machine.PathChanged()
	m.band.restart(now)
}
