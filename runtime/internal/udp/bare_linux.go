//go:build !portable

package udp

import (
	"net/netip"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sansrtc/rtc/runtime"
)

// Bare is a system socket that no poller knows yet. It never waits, but for room to send into.
type Bare struct {
	system
	own bare
}

// ListenBare opens a socket.
func (n *Net) ListenBare(local netip.AddrPort) (*Bare, error) { return n.listenBare(local, false) }

func (n *Net) listenBare(local netip.AddrPort, reusePort bool) (*Bare, error) {
	c := new(Bare)
	fd, err := c.listen(n, local, reusePort)
	if err != nil {
		return nil, err
	}
	c.own.fd = fd
	c.fd = &c.own
	return c, nil
}

// ListenShards opens count sockets on one port. The kernel gives the datagrams of each remote address to one of them.
func (n *Net) ListenShards(local netip.AddrPort, count int) (shards []*Bare, err error) {
	// The first one binds the port for itself: if it was opened for sharing, it could join a port that is shared already, by another
	// program of the same user, and take a part of its datagrams.
	first, err := n.listenBare(local, false)
	if err != nil {
		return nil, err
	}
	shards = append(shards, first)
	if count > 1 {
		err = unix.SetsockoptInt(first.own.fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	}
	for len(shards) < count && err == nil {
		var s *Bare
		if s, err = n.listenBare(first.local, true); err == nil {
			shards = append(shards, s)
		}
	}
	if err != nil {
		for _, s := range shards {
			s.Close()
		}
		return nil, err
	}
	return shards, nil
}

// Read returns what has arrived, or ErrNothing. The caller frees the slab.
func (c *Bare) Read() (*Slab, error) {
	if !c.own.acquire() {
		return nil, runtime.ErrClosed
	}
	defer c.own.release()
	b, err := c.receive(c.own.fd)
	if err == errAgain {
		err = ErrNothing
	}
	return b, err
}

// Close ends the socket, at the latest when the calls that use it have returned.
func (c *Bare) Close() { c.own.close() }

// bare is a descriptor that is closed by the last who uses it: its number may be given to another file at once.
type bare struct {
	fd    int
	state atomic.Int64 // the uses, and closedBit
}

const closedBit = 1 << 62

func (b *bare) acquire() bool {
	for {
		n := b.state.Load()
		if n&closedBit != 0 {
			return false
		}
		if b.state.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (b *bare) release() {
	if b.state.Add(-1) == closedBit {
		unix.Close(b.fd)
	}
}

func (b *bare) close() {
	if b.acquire() {
		b.state.Or(closedBit) // twice is once: the bit does not count
		b.release()
	}
}

func (b *bare) Control(f func(fd uintptr)) error {
	if !b.acquire() {
		return runtime.ErrClosed
	}
	defer b.release()
	f(uintptr(b.fd))
	return nil
}

// writable lets the thread wait: there is no room in the system's buffer only while the device does not keep up.
func (b *bare) writable(f func(fd uintptr) bool, patience time.Duration) error {
	if !b.acquire() {
		return runtime.ErrClosed
	}
	defer b.release()
	for end := time.Now().Add(patience); ; {
		left := time.Until(end)
		if left <= 0 {
			return nil
		}
		p := []unix.PollFd{{Fd: int32(b.fd), Events: unix.POLLOUT}}
		_, _ = unix.Poll(p, int((left+time.Millisecond-1)/time.Millisecond)) // an interrupted one is tried again
		if f(uintptr(b.fd)) {
			return nil
		}
	}
}
