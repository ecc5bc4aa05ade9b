package media

import "time"

// paceBurst is how much time's worth may leave at once.
const paceBurst = 5 * time.Millisecond

// pacer spreads packets over time, so that a frame does not fill the queue of the path.
type pacer struct {
	rate float64 // bit/s; zero: no limit
	free instant // when all that was sent would have left at that rate
}

func (p *pacer) open(now instant) bool { return p.rate == 0 || p.free <= now.add(paceBurst) }

// next is when open becomes true.
func (p *pacer) next() instant { return p.free.add(-paceBurst) }

func (p *pacer) sent(now instant, n int) {
	if p.rate > 0 {
		p.free = max(p.free, now).add(time.Duration(float64(n) * 8 / p.rate * float64(time.Second)))
	}
}

// SetPacing limits what PollWrite gives to so many bit/s, media and retransmissions together; audio goes first and is not held. Zero is no limit,
// as at the beginning.
func (m *Machine) SetPacing(bitrate float64) {
	m.pace.rate = max(bitrate, 0)
	if bitrate <= 0 {
		m.pace.free = 0
	}
}
