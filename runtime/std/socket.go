package std

import (
	"errors"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/sansrtc/rtc/runtime"
)

var (
	// errNothing is a read's answer when nothing has arrived, also when its deadline has passed or it was poked.
	errNothing = errors.New("std: nothing received")
	// errNoAddress is a send's answer when no conn of the socket can reach the remote address.
	errNoAddress = errors.New("std: no local address for this destination")
)

// socket is a [runtime.UDPSocket]. Its conns do the work: one on Linux, on other systems one for each local address.
type socket struct {
	host   *host
	local  netip.AddrPort
	conns  []*conn
	closed atomic.Bool // set holding host.mu
}

// LocalAddr implements [runtime.UDPSocket].
func (s *socket) LocalAddr() netip.AddrPort { return s.local }

// Send implements [runtime.UDPSocket].
func (s *socket) Send(d *runtime.Datagrams) error {
	if s.closed.Load() {
		return runtime.ErrClosed
	}
	c := s.route(d)
	if c == nil {
		return errNoAddress
	}
	return c.send(d)
}

// MaxSegments implements [runtime.UDPSocket].
func (s *socket) MaxSegments() int { return s.conns[0].maxSegments() }

// WholeDatagrams implements [runtime.WholeSocket].
func (s *socket) WholeDatagrams() bool {
	return !slices.ContainsFunc(s.conns, func(c *conn) bool { return !c.wholeDatagrams() })
}

// Close implements [runtime.UDPSocket].
func (s *socket) Close() error {
	s.close()
	return nil
}

// close reports whether s was open.
func (s *socket) close() bool {
	h := s.host
	h.mu.Lock()
	if s.closed.Load() {
		h.mu.Unlock()
		return false
	}
	s.closed.Store(true)
	h.sockets = slices.DeleteFunc(h.sockets, func(o *socket) bool { return o == s })
	if h.primary != nil && h.primary.socket == s {
		h.primary = nil
	}
	if h.primary == nil && len(h.sockets) > 0 {
		// The reader of another socket makes its conn the primary one and ends, so that one goroutine is left again.
		if c := h.sockets[0].conns[0]; !c.promoted {
			c.promoted = true
			c.arm(past)
		}
	}
	h.mu.Unlock()
	s.closeConns()
	return true
}

func (s *socket) closeConns() {
	for _, c := range s.conns {
		c.close()
	}
}

// slab is a received run of datagrams and the memory it lies in. It is taken only when something has arrived: a waiting conn holds none.
type slab struct {
	runtime.Datagrams
	message
	buf [64 << 10]byte
}

var slabs = sync.Pool{New: func() any { return new(slab) }}

func (b *slab) free() { slabs.Put(b) }
