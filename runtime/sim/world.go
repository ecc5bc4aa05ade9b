package sim

import (
	"net/netip"
	"time"

	"github.com/sansrtc/rtc/internal/simnet"
)

// Link describes one direction of a path between two hosts. The zero value is a perfect path: no delay, no loss, no limit.
type Link = simnet.Config

// Burst adds losses that come in runs to a [Link].
type Burst = simnet.Burst

// Counters tell what became of the datagrams that were sent over a link.
type Counters = simnet.Counters

// Config describes a world. The zero value is a world of perfect paths with seed 0.
type Config struct {
	// Seed chooses everything that is left to chance: losses, jitter, ports, and what the hosts' Rand gives.
	Seed uint64
	// Start is what the clock shows first. Zero: a fixed instant in 2001, so that runs reproduce, and so far from the wall clock that
	// code which reads it fails its tests.
	Start time.Time
	// Link is the path between any two hosts for which SetLink said nothing.
	Link Link
	// Handoff is the real time after which the simulation goes on without a handler that neither returned nor called Sleep. 0: 20 ms,
	// negative: never.
	Handoff time.Duration
	// MaxSegments is what the sockets' MaxSegments says. 0: 64.
	MaxSegments int
	// Coalesce is how many datagrams of equal size that arrive from one peer at the same instant one Receive gets at most. 0: 64,
	// negative: one.
	Coalesce int
}

// World is a simulation: a clock, hosts, and the network between them.
type World struct {
	cfg Config
}

// New returns a world without hosts.
func New(cfg Config) *World { return &World{cfg: cfg} }

// Now is the virtual time.
func (w *World) Now() time.Time { return w.cfg.Start }

// Step runs what is due next, at the time when it is due. It returns false when nothing is left to do.
func (w *World) Step() bool { return false }

// Run lets d of virtual time pass, and runs everything that is due within it.
func (w *World) Run(d time.Duration) {}

// RunUntil lets virtual time pass until cond is true, but no longer than limit, and returns what cond says then.
func (w *World) RunUntil(cond func() bool, limit time.Duration) bool { return cond() }

// Sleep blocks the calling handler or actor for d of virtual time.
func (w *World) Sleep(d time.Duration) {}

// Go starts f as an actor of the simulation.
func (w *World) Go(name string, f func()) {}

// After runs f on the simulation when d has passed.
func (w *World) After(d time.Duration, f func()) {}

// SetDefault changes the path between all hosts for which SetLink said nothing.
func (w *World) SetDefault(l Link) {}

// SetLink sets the path for what from sends to to.
func (w *World) SetLink(from, to *Host, l Link) {}

// SetPath sets the path for what is sent from one address to another, as the sender names them. It overrides SetLink.
func (w *World) SetPath(from, to netip.Addr, l Link) {}

// Partition cuts or restores all paths between two hosts, both ways.
func (w *World) Partition(a, b *Host, cut bool) {}

// Counters tells what became of what from sent to to.
func (w *World) Counters(from, to *Host) Counters { return Counters{} }

// Open is the number of loops that have not been released, and of sockets that have not been closed.
func (w *World) Open() (loops, sockets int) { return 0, 0 }

// Close ends the simulation.
func (w *World) Close() {}
