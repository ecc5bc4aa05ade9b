package simnet

import (
	"math/rand/v2"
	"time"
)

// Config describes one direction of a path. The zero value is a perfect path: no delay, no loss, no limit.
type Config struct {
	// Delay is the one-way propagation delay.
	Delay time.Duration
	// Jitter is added to Delay, uniformly drawn from [0, Jitter) for each datagram. It does not reorder: a datagram never overtakes an
	// earlier one unless Reorder chose it.
	Jitter time.Duration
	// Loss is the probability in [0, 1] that a datagram is lost, independent of others.
	Loss float64
	// Burst adds losses that come in runs.
	Burst Burst
	// Duplicate is the probability that a datagram arrives twice.
	Duplicate float64
	// Reorder is the probability that a datagram is held back by ReorderDelay, so that later ones overtake it.
	Reorder float64
	// ReorderDelay is how long a reordered datagram is held back; 0 means 10 ms.
	ReorderDelay time.Duration
	// Rate is the bottleneck in bits per second, counting Overhead bytes for each datagram; 0 means unlimited.
	Rate int64
	// Queue is how many bytes may wait for the bottleneck; a datagram that does not fit is lost. 0 means 64 KiB or 50 ms worth of Rate,
	// whichever is larger.
	Queue int
	// MTU is the largest IP packet that passes, in bytes; larger datagrams vanish as on a path that filters ICMP. 0 means unlimited.
	MTU int
	// Fragment is the largest payload of IPv4 datagrams that are sent without DF: the path fragments them where they are larger than the MTU.
	Fragment int
	// Down drops everything: a partition.
	Down bool
}

// Burst is a Gilbert-Elliott model: in the good state nothing is lost, in the bad state Loss of the datagrams are.
type Burst struct {
	Enter float64 // probability per datagram to go from good to bad
	Leave float64 // probability per datagram to go from bad to good
	Loss  float64 // probability of loss in the bad state
}

// Overhead is the size of the IPv4 and UDP headers, Overhead6 that of the IPv6 and UDP headers. They count against Rate and MTU.
const (
	Overhead  = 28
	Overhead6 = 48
)

// Fate is what a Pipe does with a datagram.
type Fate uint8

const (
	Delivered Fate = iota
	Lost           // by chance, or because the pipe is Down
	QueueFull      // it did not fit into the queue before the bottleneck
	TooLarge       // it is larger than the MTU
)

// Counters tell what became of the datagrams that entered a Pipe.
type Counters struct {
	Sent, SentBytes                                  uint64 // entered the pipe
	Delivered                                        uint64 // arrivals planned, duplicates included
	Lost, QueueFull, TooLarge, Duplicated, Reordered uint64
}

// Pipe is one direction of a path. It decides arrival times; it holds no datagrams.
type Pipe struct {
	cfg  Config
	rng  *rand.Rand
	bad  bool      // Gilbert-Elliott state
	free time.Time // when the bottleneck has sent all that was accepted
	last time.Time // latest in-order arrival so far
	n    Counters
}

// NewPipe returns a pipe that draws from rng only.
func NewPipe(cfg Config, rng *rand.Rand) *Pipe { return &Pipe{cfg: cfg, rng: rng} }

// Config returns what the pipe does now.
func (p *Pipe) Config() Config { return p.cfg }

// SetConfig changes the path; datagrams already accepted keep their arrival times.
func (p *Pipe) SetConfig(cfg Config) { p.cfg = cfg }

// Counters returns what happened so far.
func (p *Pipe) Counters() Counters { return p.n }

// Send accepts a datagram with size bytes of UDP payload over IPv4 at now and returns its n arrival times: none when it is lost, two
// when it is duplicated.
func (p *Pipe) Send(now time.Time, size int) (at [2]time.Time, n int) {
	at, n, _ = p.Pass(now, size, Overhead)
	return at, n
}

// Pass is Send for a datagram with the given size of headers, and tells its fate: Delivered if and only if n > 0.
func (p *Pipe) Pass(now time.Time, size, headers int) (at [2]time.Time, n int, fate Fate) {
	p.n.Sent++
	p.n.SentBytes += uint64(size)
	c := &p.cfg
	wire := size + headers
	fragments := 1
	if c.MTU > 0 && wire > c.MTU {
		if headers != Overhead || size > c.Fragment {
			p.n.TooLarge++
			return at, 0, TooLarge
		}
		room := (c.MTU - 20) &^ 7
		fragments = (size + 8 + room - 1) / room
	}
	for range fragments {
		if c.Down || p.lost() {
			p.n.Lost++
			return at, 0, Lost
		}
	}
	out := now
	if c.Rate > 0 {
		if p.free.Before(now) {
			p.free = now
		}
		queued := p.free.Sub(now).Seconds() * float64(c.Rate) / 8
		if queued+float64(wire) > float64(c.queue()) {
			p.n.QueueFull++
			return at, 0, QueueFull
		}
		p.free = p.free.Add(time.Duration(int64(wire) * 8 * int64(time.Second) / c.Rate))
		out = p.free
	}
	arrive := out.Add(c.Delay)
	if c.Jitter > 0 {
		arrive = arrive.Add(time.Duration(p.rng.Int64N(int64(c.Jitter))))
	}
	if c.Reorder > 0 && p.rng.Float64() < c.Reorder {
		p.n.Reordered++
		hold := c.ReorderDelay
		if hold == 0 {
			hold = 10 * time.Millisecond
		}
		arrive = arrive.Add(hold)
	} else {
		if arrive.Before(p.last) {
			arrive = p.last
		}
		p.last = arrive
	}
	at[0], n = arrive, 1
	if c.Duplicate > 0 && p.rng.Float64() < c.Duplicate {
		p.n.Duplicated++
		at[1], n = arrive, 2
	}
	p.n.Delivered += uint64(n)
	return at, n, Delivered
}

func (p *Pipe) lost() bool {
	c := &p.cfg
	lost := c.Loss > 0 && p.rng.Float64() < c.Loss
	if c.Burst.Enter > 0 {
		if p.bad {
			p.bad = p.rng.Float64() >= c.Burst.Leave
		} else {
			p.bad = p.rng.Float64() < c.Burst.Enter
		}
		if p.bad && p.rng.Float64() < c.Burst.Loss {
			lost = true
		}
	}
	return lost
}

func (c *Config) queue() int {
	if c.Queue > 0 {
		return c.Queue
	}
	return max(64<<10, int(c.Rate/8/20))
}
