package std

import (
	"net/netip"
	"slices"
	"sync/atomic"

	"github.com/sansrtc/rtc/runtime"
	"github.com/sansrtc/rtc/runtime/internal/udp"
)

// socket is a [runtime.UDPSocket]. Its conns do the work: one on Linux, on other systems one for each local address.
type socket struct {
	host   *host
	local  netip.AddrPort
	system []*udp.Conn
	conns  []*conn     // the same
	closed atomic.Bool // set holding host.mu
}

// listen opens a socket for h, which is not yet read from.
func listen(h *host, local netip.AddrPort) (*socket, error) {
	system, bound, err := h.rt.net.Listen(local)
	if err != nil {
		return nil, err
	}
	s := &socket{host: h, local: bound, system: system}
	for _, c := range system {
		s.conns = append(s.conns, &conn{Conn: c, socket: s})
	}
	return s, nil
}

// LocalAddr implements [runtime.UDPSocket].
func (s *socket) LocalAddr() netip.AddrPort { return s.local }

// Send implements [runtime.UDPSocket].
func (s *socket) Send(d *runtime.Datagrams) error {
	if s.closed.Load() {
		return runtime.ErrClosed
	}
	return udp.Send(s.system, d)
}

// MaxSegments implements [runtime.UDPSocket].
func (s *socket) MaxSegments() int { return s.system[0].MaxSegments() }

// WholeDatagrams implements [runtime.WholeSocket].
func (s *socket) WholeDatagrams() bool {
	return !slices.ContainsFunc(s.system, func(c *udp.Conn) bool { return !c.WholeDatagrams() })
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
	for _, c := range s.system {
		c.Close()
	}
}
