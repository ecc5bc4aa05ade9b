package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/transport/v4"
	"github.com/pion/transport/v4/vnet"

	"github.com/sansrtc/rtc/runtime"
)

// VNet is a machine in pion's virtual network, as a world for connections. Package vnet offers blocking sockets and package time is its
// clock, so this runtime has goroutines: for each loop one that calls Turn and one for each socket, and one while handlers run.
type VNet struct {
	net *vnet.Net
}

// Now implements [runtime.Runtime].
func (v VNet) Now() time.Time { return time.Now() }

// Rand implements [runtime.Runtime].
func (v VNet) Rand() io.Reader { return rand.Reader }

// Interfaces implements [runtime.Runtime].
func (v VNet) Interfaces() ([]runtime.Interface, error) {
	list, err := v.net.Interfaces()
	if err != nil {
		return nil, err
	}
	var out []runtime.Interface
	for _, ifi := range list {
		addrs, err := ifi.Addrs()
		if err != nil {
			continue // it has none
		}
		i := runtime.Interface{Name: ifi.Name, Index: ifi.Index, MTU: ifi.MTU, Loopback: ifi.Flags&net.FlagLoopback != 0}
		for _, a := range addrs {
			n, ok := a.(*net.IPNet)
			if !ok {
				continue
			}
			ip, _ := netip.AddrFromSlice(n.IP)
			if ip = ip.Unmap(); ip.IsLinkLocalUnicast() && ip.Is6() {
				ip = ip.WithZone(ifi.Name)
			}
			if ip.IsValid() {
				i.Addrs = append(i.Addrs, ip)
			}
		}
		out = append(out, i)
	}
	return out, nil
}

// Spawn implements [runtime.Runtime].
func (v VNet) Spawn(loop runtime.Loop) (runtime.Host, error) {
	h := &host{vnet: v, loop: loop, news: make(chan struct{}, 1)}
	go h.drive()
	return h, nil
}

// host runs one loop.
type host struct {
	vnet VNet
	loop runtime.Loop
	news chan struct{}  // what the driver waits for has changed
	rest sync.WaitGroup // the goroutines beside the driver

	// turning is held while the loop's Receive or Turn runs, so that none comes after Done. Taken before mu.
	turning sync.Mutex

	mu      sync.Mutex
	woken   bool      // a Turn is wanted now
	at      time.Time // when the next Turn is due; zero: not by itself
	done    bool
	sockets map[*socket]struct{} // open ones
}

// drive calls Turn when it is due, until the loop is done. Then it lets go of everything.
func (h *host) drive() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		h.mu.Lock()
		woken, at := h.woken, h.at
		h.mu.Unlock()
		now := time.Now()
		switch {
		case woken || (!at.IsZero() && !now.Before(at)):
			if h.turn(now) {
				h.letGo()
				return
			}
		case at.IsZero():
			<-h.news
		default:
			timer.Reset(at.Sub(now))
			select {
			case <-h.news:
			case <-timer.C:
			}
		}
	}
}

// turn calls Turn and does what it answers.
func (h *host) turn(now time.Time) (done bool) {
	h.turning.Lock()
	defer h.turning.Unlock()
	// A Wake or WakeAt from before is answered by this Turn. One that comes during it counts beside the answer.
	h.mu.Lock()
	h.woken, h.at = false, time.Time{}
	h.mu.Unlock()
	next := h.loop.Turn(now)

	h.mu.Lock()
	defer h.mu.Unlock()
	if h.at.IsZero() || (!next.At.IsZero() && next.At.Before(h.at)) {
		h.at = next.At
	}
	h.done = next.Done
	if next.Events && !next.Done {
		h.rest.Go(h.loop.Dispatch) // returns at once if another runs; that one takes over its work
	}
	return next.Done
}

func (h *host) letGo() {
	h.mu.Lock()
	open := h.sockets
	h.sockets = nil
	h.mu.Unlock()
	for s := range open {
		s.closeConns()
	}
	h.rest.Wait()
	h.loop.Released()
}

// Wake implements [runtime.Host].
func (h *host) Wake() {
	h.mu.Lock()
	h.woken = true
	h.mu.Unlock()
	h.tell()
}

// WakeAt implements [runtime.Host].
func (h *host) WakeAt(t time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !t.IsZero() && (h.at.IsZero() || t.Before(h.at)) {
		h.at = t
		h.tell()
	}
}

func (h *host) tell() {
	select {
	case h.news <- struct{}{}:
	default: // it has not yet looked at the last news
	}
}

// ListenUDP implements [runtime.Host]. A socket of the virtual network does not tell which address a datagram was sent to, so for all
// addresses it takes one for each, on the same port.
func (h *host) ListenUDP(ctx context.Context, local netip.AddrPort) (runtime.UDPSocket, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !local.IsValid() {
		return nil, &net.AddrError{Err: "invalid local address", Addr: local.String()}
	}
	addrs, err := h.vnet.addrs(local.Addr().Unmap())
	if err != nil {
		return nil, err
	}
	s := &socket{host: h}
	port, err := s.open(addrs, local.Port())
	for range 10 {
		if err == nil || local.Port() != 0 {
			break
		}
		port, err = s.open(addrs, 0) // the port that was free on the first address was not on another
	}
	if err != nil {
		return nil, err
	}
	s.local = netip.AddrPortFrom(local.Addr().Unmap(), port)

	h.mu.Lock()
	defer h.mu.Unlock()
	if h.done {
		s.closeConns()
		return nil, runtime.ErrClosed
	}
	if h.sockets == nil {
		h.sockets = make(map[*socket]struct{})
	}
	h.sockets[s] = struct{}{}
	for _, c := range s.conns {
		h.rest.Go(func() { s.read(c) })
	}
	return s, nil
}

// open takes a port on each address: the same on all, and one that is free on the first for 0.
func (s *socket) open(addrs []netip.Addr, port uint16) (uint16, error) {
	for _, a := range addrs {
		c, err := s.host.vnet.net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, port)))
		if err != nil {
			s.closeConns()
			s.conns = nil
			return 0, err
		}
		port = c.LocalAddr().(*net.UDPAddr).AddrPort().Port()
		s.conns = append(s.conns, &conn{UDPConn: c, local: netip.AddrPortFrom(a, port)})
	}
	return port, nil
}

// addrs lists what an address to listen on stands for.
func (v VNet) addrs(local netip.Addr) (addrs []netip.Addr, err error) {
	if !local.IsUnspecified() {
		return []netip.Addr{local}, nil
	}
	list, err := v.Interfaces()
	for _, i := range list {
		for _, a := range i.Addrs {
			if local.Is6() || a.Is4() {
				addrs = append(addrs, a)
			}
		}
	}
	if err == nil && len(addrs) == 0 {
		err = errors.New("vnet: no local address")
	}
	return addrs, err
}

// socket is what a loop sees as one socket.
type socket struct {
	host   *host
	local  netip.AddrPort
	conns  []*conn
	closed atomic.Bool
}

// conn is a socket of the virtual network.
type conn struct {
	transport.UDPConn
	local netip.AddrPort
}

// maxDatagram is the largest payload of a UDP datagram.
const maxDatagram = 65507

// read hands to the loop what arrives on c, until c is closed.
func (s *socket) read(c *conn) {
	h := s.host
	buf := make([]byte, maxDatagram)
	for {
		n, from, err := c.ReadFrom(buf)
		if err != nil {
			return // a virtual socket fails only when it is closed
		}
		h.turning.Lock()
		if !h.done && !s.closed.Load() {
			remote := from.(*net.UDPAddr).AddrPort()
			remote = netip.AddrPortFrom(remote.Addr().Unmap(), remote.Port())
			h.loop.Receive(time.Now(), s, &runtime.Datagrams{Local: c.local, Remote: remote, Data: buf[:n]})
			h.Wake()
		}
		h.turning.Unlock()
	}
}

// LocalAddr implements [runtime.UDPSocket].
func (s *socket) LocalAddr() netip.AddrPort { return s.local }

// MaxSegments implements [runtime.UDPSocket].
func (s *socket) MaxSegments() int { return 1 }

// Send implements [runtime.UDPSocket].
func (s *socket) Send(d *runtime.Datagrams) error {
	if s.closed.Load() {
		return runtime.ErrClosed
	}
	c := s.route(d)
	if c == nil {
		return fmt.Errorf("vnet: no way from %v to %v", d.Local, d.Remote)
	}
	size := len(d.Data)
	if d.SegmentSize > 0 {
		size = min(size, d.SegmentSize)
	}
	if size > maxDatagram {
		return fmt.Errorf("vnet: %d bytes are too many for a datagram", size)
	}
	to := net.UDPAddrFromAddrPort(d.Remote)
	for rest := d.Data; ; {
		n := min(size, len(rest))
		if _, err := c.WriteTo(rest[:n], to); err != nil {
			return err
		}
		if rest = rest[n:]; len(rest) == 0 {
			return nil
		}
	}
}

// route chooses the conn that d is sent from.
func (s *socket) route(d *runtime.Datagrams) *conn {
	from, to := d.Local.Addr(), d.Remote.Addr()
	for _, c := range s.conns {
		a := c.local.Addr()
		if a == from || ((!from.IsValid() || from.IsUnspecified()) && a.Is4() == to.Is4() && a.IsLoopback() == to.IsLoopback()) {
			return c
		}
	}
	return nil
}

// Close implements [runtime.UDPSocket].
func (s *socket) Close() error {
	s.host.mu.Lock()
	delete(s.host.sockets, s)
	s.host.mu.Unlock()
	s.closeConns()
	return nil
}

func (s *socket) closeConns() {
	if s.closed.Swap(true) {
		return
	}
	for _, c := range s.conns {
		_ = c.Close() // fails only if it is closed already
	}
}
