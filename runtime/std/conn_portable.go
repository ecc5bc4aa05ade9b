//go:build !linux || portable

package std

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/sansrtc/rtc/runtime"
)

// conn is a UDP socket of package net, bound to one address. Outside Linux the ways to learn and to choose the local address of a
// datagram differ from system to system and are missing on some, so a socket for all addresses is one conn for each of them, on the same
// port. Addresses that the machine gets later need another socket.
type conn struct {
	socket *socket
	udp    *net.UDPConn
	local  netip.AddrPort

	armed    time.Time // the read deadline that the poller was told last; guarded by host.mu
	promoted bool      // the reader is to make this the primary conn; guarded by host.mu

	polls int // reads that were not to wait; owned by the one goroutine that reads
}

// message is empty where package net makes the system calls.
type message struct{}

const (
	// pollEvery is how many Turns in a row may pass without a look at the socket, and pollTime how long that look waits: package net
	// cannot look without waiting.
	pollEvery = 8
	pollTime  = 50 * time.Microsecond

	// sendPatience is how long a Send waits for room in the system's buffer.
	sendPatience = 50 * time.Millisecond
	// readErrors is how many errors in a row are taken for those of single datagrams.
	readErrors = 64
	// portAttempts is how many ports are tried for one that is free on all addresses.
	portAttempts = 16
)

// wholeDatagrams is false: package net cannot keep the system from fragmenting.
func (c *conn) wholeDatagrams() bool { return false }

// listen opens a socket for h, which is not yet read from.
func listen(h *host, local netip.AddrPort) (*socket, error) {
	local = netip.AddrPortFrom(local.Addr().Unmap(), local.Port())
	if !local.IsValid() {
		return nil, &net.AddrError{Err: "invalid local address", Addr: local.String()}
	}
	s := &socket{host: h, local: local}
	addrs := []netip.Addr{local.Addr()}
	if local.Addr().IsUnspecified() {
		list, err := h.rt.Interfaces()
		if err != nil {
			return nil, err
		}
		addrs = localAddrs(list, local.Addr().Is6())
	}
	err := error(&net.AddrError{Err: "no local address", Addr: local.String()})
	for range portAttempts {
		if err = s.open(addrs); err == nil || local.Port() != 0 {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// localAddrs lists the addresses that a socket for all addresses of IPv4, or of both families, has.
func localAddrs(list []runtime.Interface, both bool) (addrs []netip.Addr) {
	for _, i := range list {
		for _, a := range i.Addrs {
			if a.Is4() || both {
				addrs = append(addrs, a)
			}
		}
	}
	return addrs
}

// open binds a conn to each address, all to one port. An address that cannot be bound, because it has gone or is not ready yet, is left
// out, unless its port is taken or no other is left.
func (s *socket) open(addrs []netip.Addr) error {
	port := s.local.Port()
	var last error = &net.AddrError{Err: "no local address", Addr: s.local.String()}
	for _, a := range addrs {
		udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, port)))
		if err != nil {
			last = err
			if portTaken(err) {
				break
			}
			continue
		}
		rt := s.host.rt
		if rt.cfg.ReceiveBuffer > 0 {
			_ = udp.SetReadBuffer(rt.cfg.ReceiveBuffer) // the system may give less
		}
		if rt.cfg.SendBuffer > 0 {
			_ = udp.SetWriteBuffer(rt.cfg.SendBuffer)
		}
		port = udp.LocalAddr().(*net.UDPAddr).AddrPort().Port()
		s.conns = append(s.conns, &conn{socket: s, udp: udp, local: netip.AddrPortFrom(a, port)})
	}
	if len(s.conns) == 0 || portTaken(last) {
		s.closeConns()
		s.conns = nil
		return last
	}
	s.local = netip.AddrPortFrom(s.local.Addr(), port)
	return nil
}

// arm tells the poller when a read is to end; zero: not by itself. Called with host.mu held.
func (c *conn) arm(t time.Time) {
	c.armed = t
	_ = c.udp.SetReadDeadline(t) // fails when the conn is closed, which ends the read as well
}

func (c *conn) close() { c.udp.Close() }

func (c *conn) maxSegments() int { return 1 }

// read returns what has arrived, or errNothing. If wait is true it waits until the armed deadline.
func (c *conn) read(wait bool) (*slab, error) {
	if !wait {
		if c.polls++; c.polls%pollEvery != 0 {
			return nil, errNothing
		}
		h := c.socket.host
		h.mu.Lock()
		c.arm(time.Now().Add(pollTime))
		h.mu.Unlock()
	}
	b := slabs.Get().(*slab)
	var err error
	for range readErrors {
		var n int
		n, b.Remote, err = c.udp.ReadFromUDPAddrPort(b.buf[:])
		switch {
		case err == nil:
			b.Remote = netip.AddrPortFrom(b.Remote.Addr().Unmap(), b.Remote.Port())
			b.Local, b.Data, b.SegmentSize = c.local, b.buf[:n], 0
			return b, nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			b.free()
			return nil, errNothing
		case errors.Is(err, net.ErrClosed):
			b.free()
			return nil, err
		}
		// The error of a datagram that was sent earlier, or of one that was too large.
		c.socket.host.rt.stats.receiveErrors.Add(1)
	}
	b.free()
	return nil, err
}

// send sends d, one datagram at a time.
func (c *conn) send(d *runtime.Datagrams) error {
	size := d.SegmentSize
	if size <= 0 || size > len(d.Data) {
		size = len(d.Data)
	}
	for rest := d.Data; ; {
		n := min(size, len(rest))
		if err := c.sendOne(rest[:n], d.Remote); err != nil {
			return err
		}
		if rest = rest[n:]; len(rest) == 0 {
			return nil
		}
	}
}

func (c *conn) sendOne(data []byte, to netip.AddrPort) error {
	rt := c.socket.host.rt
	if rt.fault != nil {
		if errno := rt.fault(len(data), len(data)); errno != 0 {
			return errno
		}
	}
	_, err := c.udp.WriteToUDPAddrPort(data, to)
	if errors.Is(err, net.ErrClosed) {
		return runtime.ErrClosed
	}
	return err
}

// route chooses the conn that sends d: the one with d's local address, or else one that is likely to reach the remote one.
func (s *socket) route(d *runtime.Datagrams) *conn {
	from, to := d.Local.Addr(), d.Remote.Addr()
	if from.IsValid() && !from.IsUnspecified() {
		for _, c := range s.conns {
			if c.local.Addr() == from {
				return c
			}
		}
		if len(s.conns) > 1 {
			return nil
		}
	}
	var best *conn
	for _, c := range s.conns {
		a := c.local.Addr()
		if a.Is4() != to.Is4() || a.IsLoopback() != to.IsLoopback() && len(s.conns) > 1 || a.Zone() != to.Zone() {
			continue
		}
		if best == nil || (best.local.Addr().IsLinkLocalUnicast() && !a.IsLinkLocalUnicast()) {
			best = c
		}
	}
	return best
}
