package sim

import (
	"net/netip"
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
	Filtered                // a NAT did not let it in
	Refused                 // its destination has no socket on that port
)

// Packet is a datagram at one end of its path.
type Packet struct {
	At       time.Time
	From, To netip.AddrPort // as that end sees them
	Data     []byte         // valid until the function that was given the Packet returns
	Fate     Fate
}

// Capture makes the world show f every datagram.
func (w *World) Capture(f func(Packet)) {}

// Drop loses the datagrams for which f is true. f sees them as they leave their host, with the Fate Sent. nil: none.
func (w *World) Drop(f func(Packet) bool) {}

// Trace is a record of datagrams.
type Trace struct{}

// Trace starts a record of every datagram from now on.
func (w *World) Trace() *Trace { return &Trace{} }

// Digest is a hash over all that was recorded.
func (t *Trace) Digest() string { return "" }

// String lists what was recorded, a line for each datagram at each end.
func (t *Trace) String() string { return "" }
