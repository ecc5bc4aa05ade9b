//go:build !linux || portable

package udp

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/sansrtc/rtc/runtime"
)

// CanLook tells that [Conn.Read] can look for what has arrived without waiting. Package net cannot.
const CanLook = false

// Conn is a UDP socket of package net, bound to one address. Outside Linux the ways to learn and to choose the local address of a
// datagram differ from system to system and are missing on some, so a socket for all addresses is one Conn for each of them, on the same
// port. Addresses that the machine gets later need another socket.
type Conn struct {
	net   *Net
	udp   *net.UDPConn
	local netip.AddrPort
}

// message is empty where package net makes the system calls.
type message struct{}

const (
	// readErrors is how many errors in a row are taken for those of single datagrams.
	readErrors = 64
	// portAttempts is how many ports are tried for one that is free on all addresses.
	portAttempts = 16
)

// Listen opens a conn for each address of the socket. bound is the socket's address.
func (n *Net) Listen(local netip.AddrPort) (conns []*Conn, bound netip.AddrPort, err error) {
	local = netip.AddrPortFrom(local.Addr().Unmap(), local.Port())
	if !local.IsValid() {
		return nil, local, &net.AddrError{Err: "invalid local address", Addr: local.String()}
	}
	addrs := []netip.Addr{local.Addr()}
	if local.Addr().IsUnspecified() {
		list, err := n.Interfaces.List()
		if err != nil {
			return nil, local, err
		}
		addrs = localAddrs(list, local.Addr().Is6())
	}
	for range portAttempts {
		if conns, bound, err = n.open(local, addrs); err == nil || local.Port() != 0 {
			break
		}
	}
	return conns, bound, err
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
func (n *Net) open(local netip.AddrPort, addrs []netip.Addr) (conns []*Conn, bound netip.AddrPort, err error) {
	port := local.Port()
	var last error = &net.AddrError{Err: "no local address", Addr: local.String()}
	for _, a := range addrs {
		udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, port)))
		if err != nil {
			last = err
			if portTaken(err) {
				break
			}
			continue
		}
		if n.cfg.ReceiveBuffer > 0 {
			_ = udp.SetReadBuffer(n.cfg.ReceiveBuffer) // the system may give less
		}
		if n.cfg.SendBuffer > 0 {
			_ = udp.SetWriteBuffer(n.cfg.SendBuffer)
		}
		port = udp.LocalAddr().(*net.UDPAddr).AddrPort().Port()
		conns = append(conns, &Conn{net: n, udp: udp, local: netip.AddrPortFrom(a, port)})
	}
	if len(conns) == 0 || portTaken(last) {
		for _, c := range conns {
			c.Close()
		}
		return nil, local, last
	}
	return conns, netip.AddrPortFrom(local.Addr(), port), nil
}

// LocalAddr is the bound address.
func (c *Conn) LocalAddr() netip.AddrPort { return c.local }

// WholeDatagrams is false: package net cannot keep the system from fragmenting.
func (c *Conn) WholeDatagrams() bool { return false }

// MaxSegments is how many datagrams one Send takes efficiently.
func (c *Conn) MaxSegments() int { return 1 }

// SetReadDeadline tells the poller when a Read is to end; zero: not by itself.
func (c *Conn) SetReadDeadline(t time.Time) {
	_ = c.udp.SetReadDeadline(t) // fails when the conn is closed, which ends the read as well
}

// Close ends the socket, and a Read of it.
func (c *Conn) Close() { c.udp.Close() }

// Read returns what has arrived, or ErrNothing when the deadline has passed. The caller frees the slab.
func (c *Conn) Read(bool) (*Slab, error) {
	b := slabs.Get().(*Slab)
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
			b.Free()
			return nil, ErrNothing
		case errors.Is(err, net.ErrClosed):
			b.Free()
			return nil, err
		}
		// The error of a datagram that was sent earlier, or of one that was too large.
		c.net.ReceiveErrors.Add(1)
	}
	b.Free()
	return nil, err
}

// Send sends d, one datagram at a time.
func (c *Conn) Send(d *runtime.Datagrams) error {
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

func (c *Conn) sendOne(data []byte, to netip.AddrPort) error {
	if fault := c.net.Fault; fault != nil {
		if errno := fault(len(data), len(data)); errno != 0 {
			return errno
		}
	}
	_, err := c.udp.WriteToUDPAddrPort(data, to)
	if errors.Is(err, net.ErrClosed) {
		return runtime.ErrClosed
	}
	return err
}

// errNoAddress is a send's answer when no conn of the socket can reach the remote address.
var errNoAddress = errors.New("udp: no local address for this destination")

// Send sends d by the one of a socket's conns that reaches its remote address.
func Send(conns []*Conn, d *runtime.Datagrams) error {
	if c := route(conns, d); c != nil {
		return c.Send(d)
	}
	return errNoAddress
}

// route chooses the conn that sends d: the one with d's local address, or else one that is likely to reach the remote one.
func route(conns []*Conn, d *runtime.Datagrams) *Conn {
	from, to := d.Local.Addr(), d.Remote.Addr()
	if from.IsValid() && !from.IsUnspecified() {
		for _, c := range conns {
			if c.local.Addr() == from {
				return c
			}
		}
		if len(conns) > 1 {
			return nil
		}
	}
	var best *Conn
	for _, c := range conns {
		a := c.local.Addr()
		if a.Is4() != to.Is4() || a.IsLoopback() != to.IsLoopback() && len(conns) > 1 || a.Zone() != to.Zone() {
			continue
		}
		if best == nil || (best.local.Addr().IsLinkLocalUnicast() && !a.IsLinkLocalUnicast()) {
			best = c
		}
	}
	return best
}
