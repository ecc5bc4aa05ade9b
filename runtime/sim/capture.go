package sim

import (
	"crypto/sha256"
	"encoding/binary"
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

	mu   sync.Mutex
	list []line
}

type line struct {
	at       time.Duration
	from, to netip.AddrPort
	size     int
	sum      [8]byte // of the bytes
	fate     Fate
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
	t.list = append(t.list, line{p.At.Sub(t.start), p.From, p.To, len(p.Data), [8]byte(sum[:]), p.Fate})
}

// Digest is a hash over all that was recorded: equal for equal traces.
func (t *Trace) Digest() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	h := sha256.New()
	var b []byte
	for _, l := range t.list {
		b = binary.BigEndian.AppendUint64(b[:0], uint64(l.at))
		for _, a := range []netip.AddrPort{l.from, l.to} {
			ip := a.Addr().As16()
			b = binary.BigEndian.AppendUint16(append(b, ip[:]...), a.Port())
		}
		b = binary.BigEndian.AppendUint32(b, uint32(l.size))
		b = append(append(b, l.sum[:]...), byte(l.fate))
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// String lists what was recorded, a line for each datagram at each end: seconds since the world's start, addresses, size, a hash of the
// bytes, fate.
func (t *Trace) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var s strings.Builder
	for _, l := range t.list {
		fmt.Fprintf(&s, "%14.9f %v > %v %d bytes %x %v\n", l.at.Seconds(), l.from, l.to, l.size, l.sum[:4], l.fate)
	}
	return s.String()
}
