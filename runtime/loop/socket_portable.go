//go:build !linux || portable

package loop

import (
	"net/netip"
	"sync/atomic"

	"github.com/sansrtc/rtc/runtime"
	"github.com/sansrtc/rtc/runtime/internal/udp"
	"github.com/sansrtc/rtc/runtime/internal/worker"
)

// socket has a conn, and a goroutine that reads it, for each local address.
type socket struct {
	host   *worker.Host
	local  netip.AddrPort
	conns  []*udp.Conn
	closed atomic.Bool
}

func (r *Runtime) listen(h *worker.Host, local netip.AddrPort) (worker.Socket, error) {
	conns, bound, err := r.net.Listen(local)
	if err != nil {
		return nil, err
	}
	s := &socket{host: h, local: bound, conns: conns}
	for _, c := range conns {
		if !h.Go(func() { s.read(c) }) {
			s.close()
			return nil, runtime.ErrClosed
		}
	}
	return s, nil
}

// read is the life of a goroutine that reads a conn. It ends when the conn is closed.
func (s *socket) read(c *udp.Conn) {
	for {
		b, err := c.Read(true)
		switch {
		case err == nil:
			s.host.Receive(s, &b.Datagrams)
			b.Free()
		case err != udp.ErrNothing:
			if s.close() {
				s.host.Failed(s, err)
			}
			return
		}
	}
}

// LocalAddr implements [runtime.UDPSocket].
func (s *socket) LocalAddr() netip.AddrPort { return s.local }

// Send implements [runtime.UDPSocket].
func (s *socket) Send(d *runtime.Datagrams) error {
	if s.closed.Load() {
		return runtime.ErrClosed
	}
	return udp.Send(s.conns, d)
}

// MaxSegments implements [runtime.UDPSocket].
func (s *socket) MaxSegments() int { return s.conns[0].MaxSegments() }

// WholeDatagrams implements [runtime.WholeSocket].
func (s *socket) WholeDatagrams() bool { return false }

// Closed implements [worker.Socket].
func (s *socket) Closed() bool { return s.closed.Load() }

// Close implements [runtime.UDPSocket].
func (s *socket) Close() error {
	s.close()
	return nil
}

// close reports whether s was open.
func (s *socket) close() bool {
	if s.closed.Swap(true) {
		return false
	}
	s.host.Forget(s)
	for _, c := range s.conns {
		c.Close()
	}
	return true
}
