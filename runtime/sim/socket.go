package sim

import (
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"syscall"

	"github.com/sansrtc/rtc/runtime"
)

const (
	firstEphemeral = 49152 // RFC 6335 §6: the dynamic ports
	maxPayload4    = 65535 - 28
	maxPayload6    = 65535 - 8
	maxSlab        = 65535 // what one Receive hands in at most
	smallBuffer    = 2048  // buffers of this size are used again
)

// socket is a [runtime.UDPSocket].
type socket struct {
	place  *place
	bound  netip.AddrPort // without zone
	number int
	open   bool        // it has its port; guarded by the world's lock
	closed atomic.Bool // by its owner
}

// bind opens a socket of l.
func (h *Host) bind(l *place, local netip.AddrPort) (*socket, error) {
	a := local.Addr().WithZone("")
	switch {
	case !a.IsValid() || a.Is4In6():
		return nil, syscall.EINVAL
	case !a.IsUnspecified() && !h.owns(a):
		return nil, syscall.EADDRNOTAVAIL
	}
	h.w.opened++
	s := &socket{place: l, number: h.w.opened, open: true}
	free := func(port uint16) bool {
		s.bound = netip.AddrPortFrom(a, port)
		return !slices.ContainsFunc(h.ports[port], s.conflicts)
	}
	port := local.Port()
	if port == 0 {
		port = h.port
		for n := 0; n == 0 || !free(port); n++ {
			if n > 65535-firstEphemeral {
				return nil, syscall.EADDRINUSE
			}
			if port++; port < firstEphemeral {
				port = firstEphemeral
			}
		}
		h.port = port
	}
	if !free(port) {
		return nil, syscall.EADDRINUSE
	}
	h.ports[port] = append(h.ports[port], s)
	h.w.sockets++
	return s, nil
}

// covers tells whether the socket takes what is sent to a.
func (s *socket) covers(a netip.Addr) bool {
	b := s.bound.Addr()
	return a == b || b.IsUnspecified() && (b.Is6() || a.Is4())
}

func (s *socket) conflicts(t *socket) bool {
	return s.covers(t.bound.Addr()) || t.covers(s.bound.Addr())
}

// socketAt is who takes what is sent to dst; nil: nobody. Sockets that would both take it cannot be bound at the same time.
func (h *Host) socketAt(dst netip.AddrPort) *socket {
	for _, s := range h.ports[dst.Port()] {
		if s.covers(dst.Addr()) {
			return s
		}
	}
	return nil
}

// unbind gives back the port.
func (s *socket) unbind() {
	if !s.open {
		return
	}
	s.open = false
	h := s.place.host
	same := func(t *socket) bool { return t == s }
	port := s.bound.Port()
	h.ports[port] = slices.DeleteFunc(h.ports[port], same)
	if len(h.ports[port]) == 0 {
		delete(h.ports, port)
	}
	s.place.sockets = slices.DeleteFunc(s.place.sockets, same)
	h.w.sockets--
}

func (s *socket) LocalAddr() netip.AddrPort {
	s.place.host.w.mu.Lock()
	defer s.place.host.w.mu.Unlock()
	return s.place.host.zoned(s.bound, s.bound.Addr())
}

func (s *socket) MaxSegments() int { return max(s.place.host.w.cfg.MaxSegments, 1) }

// WholeDatagrams implements [runtime.WholeSocket]: a path drops what is larger than its MTU.
func (s *socket) WholeDatagrams() bool { return true }

func (s *socket) Close() error {
	w := s.place.host.w
	w.mu.Lock()
	defer w.mu.Unlock()
	s.closed.Store(true)
	s.unbind()
	return nil
}

func (s *socket) Send(d *runtime.Datagrams) error {
	h := s.place.host
	w := h.w
	w.mu.Lock()
	if !s.open {
		w.mu.Unlock()
		return runtime.ErrClosed
	}
	dst := netip.AddrPortFrom(d.Remote.Addr().WithZone(""), d.Remote.Port())
	src, err := s.source(d.Local.Addr().WithZone(""), dst.Addr())
	size := d.SegmentSize
	if size <= 0 || size > len(d.Data) {
		size = len(d.Data)
	}
	if err == nil && size > maxPayload(dst.Addr()) {
		err = syscall.EMSGSIZE
	}
	if err != nil {
		w.mu.Unlock()
		return fmt.Errorf("sim: send from %v to %v: %w", d.Local, d.Remote, err)
	}
	w.mu.Unlock()
	for rest := d.Data; ; {
		segment := rest[:min(size, len(rest))]
		rest = rest[len(segment):]
		w.transmit(h, src, dst, segment)
		if len(rest) == 0 {
			return nil
		}
	}
}

func maxPayload(a netip.Addr) int {
	if a.Is4() {
		return maxPayload4
	}
	return maxPayload6
}

// source chooses the address that a datagram to dst is sent from. want is what the caller asked for, or unspecified.
func (s *socket) source(want, dst netip.Addr) (netip.AddrPort, error) {
	h, bound := s.place.host, s.bound.Addr()
	switch {
	case !dst.IsValid() || dst.IsUnspecified() || dst.Is4In6():
		return netip.AddrPort{}, syscall.EINVAL
	case bound.Is4() && dst.Is6(), dst.Is4() && bound.Is6() && !bound.IsUnspecified():
		return netip.AddrPort{}, syscall.EAFNOSUPPORT
	}
	if !want.IsValid() || want.IsUnspecified() {
		want = h.choose(bound, dst)
	}
	switch {
	case !want.IsValid() || want.IsLoopback() && !h.owns(dst):
		return netip.AddrPort{}, syscall.ENETUNREACH
	case want.Is4() != dst.Is4() || !s.covers(want):
		return netip.AddrPort{}, syscall.EINVAL
	case !h.owns(want):
		return netip.AddrPort{}, syscall.EADDRNOTAVAIL
	}
	return netip.AddrPortFrom(want, s.bound.Port()), nil
}

// choose is the system's choice of a source address for dst; invalid: there is no route.
func (h *Host) choose(bound, dst netip.Addr) netip.Addr {
	switch {
	case !bound.IsUnspecified():
		return bound
	case h.owns(dst):
		return dst
	}
	for _, a := range h.addrs {
		if a.Is4() == dst.Is4() && a.IsLinkLocalUnicast() == dst.IsLinkLocalUnicast() {
			return a
		}
	}
	return netip.Addr{}
}

// buffer is a copy of b.
func (w *World) buffer(b []byte) []byte {
	if len(b) > smallBuffer {
		return append([]byte(nil), b...)
	}
	if n := len(w.spare); n > 0 {
		c := w.spare[n-1]
		w.spare = w.spare[:n-1]
		return append(c, b...)
	}
	return append(make([]byte, 0, smallBuffer), b...)
}

// recycle takes back a buffer.
func (w *World) recycle(b []byte) {
	if cap(b) == smallBuffer {
		w.spare = append(w.spare, b[:0])
	}
}
