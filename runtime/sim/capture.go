package sim

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Fate is what became of a datagram.
type Fate int

const (
	Sent        Fate = iota // it left its host, and the path carries it
	Received                // it reached a socket
	Lost                    // the path lost it: chance, or a partition
	QueueFull               // it did not fit into the bottleneck's queue
	TooLarge                // it is larger than the path's MTU
	Dropped                 // a function given to Drop chose it
	Unreachable             // nobody has its destination address
	Filtered                // a NAT did not let it through
	Refused                 // its destination has no socket on that port
)

func (f Fate) String() string {
	return [...]string{"sent", "received", "lost", "queue full", "too large", "dropped", "unreachable", "filtered", "refused"}[f]
}

// Packet is a datagram at one end of its path.
type Packet struct {
	At       time.Time
	From, To netip.AddrPort // as that end sees them
	Data     []byte         // valid until the function that was given the Packet returns
	Fate     Fate
}

// Capture makes the world show every datagram to f, as listeners at both ends of its path would see it: once as it leaves its host, and
// unless the path kept it, once for each copy as it arrives. f is called by whoever sends or by the simulation; it must not block.
func (w *World) Capture(f func(Packet)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.captures = append(w.captures[:len(w.captures):len(w.captures)], f)
}

// Drop loses the datagrams for which f is true. f sees them as they leave their host, with the Fate Sent. nil: none.
func (w *World) Drop(f func(Packet) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drop = f
}

// show is called without the lock, so that watchers may use the world.
func (w *World) show(watchers []func(Packet), from, to netip.AddrPort, b []byte, fate Fate) {
	for _, f := range watchers {
		f(Packet{w.Now(), from, to, b, fate})
	}
}

// Trace is a record of datagrams.
type Trace struct {
	start time.Time

	mu    sync.Mutex
	lines strings.Builder
}

// Trace starts a record of every datagram from now on.
func (w *World) Trace() *Trace {
	t := &Trace{start: w.cfg.Start}
	w.Capture(t.add)
	return t
}

func (t *Trace) add(p Packet) {
	sum := sha256.Sum256(p.Data)
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(&t.lines, "%14.9f %v > %v %d bytes %x %v\n", p.At.Sub(t.start).Seconds(), p.From, p.To, len(p.Data), sum[:4], p.Fate)
}

// Digest is a hash over all that was recorded: equal for equal traces.
func (t *Trace) Digest() string {
	sum := sha256.Sum256([]byte(t.String()))
	return hex.EncodeToString(sum[:16])
}

// String lists what was recorded, a line for each datagram at each end: seconds since the world's start, addresses, size, a hash of the
// bytes, fate.
func (t *Trace) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lines.String()
}
