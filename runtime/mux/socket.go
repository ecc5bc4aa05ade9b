package mux

import (
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/sansrtc/rtc/runtime"
	"github.com/sansrtc/rtc/runtime/internal/worker"
)

// socket is a loop's part of the port.
type socket struct {
	mux    *Runtime
	host   *worker.Host
	port   int // the index of the one that its peers are told
	closed atomic.Bool
	last   atomic.Pointer[route]   // the one that was sent to last, if it is the socket's
	asked  atomic.Pointer[pathKey] // where the last request for it came from and to, if that is not last's path
	owned  owned
	ufrags []string // claimed, oldest first; guarded by claims.mu
}

var _ runtime.UfragClaimer = (*socket)(nil)

// LocalAddr implements [runtime.UDPSocket].
func (s *socket) LocalAddr() netip.AddrPort { return s.mux.locals[s.port] }

// MaxSegments implements [runtime.UDPSocket].
func (s *socket) MaxSegments() int { return s.mux.ports[s.port].maxSegments() }

// Send implements [runtime.UDPSocket].
func (s *socket) Send(d *runtime.Datagrams) error {
	if s.closed.Load() {
		return runtime.ErrClosed
	}
	port := s.learn(d.Local.Addr(), d.Remote, s.mux.clock())
	return s.mux.ports[port].send(s.host.Home().Index(), d)
}

// learn makes s the owner of the address that it sends to, on one of the ports, and returns that port's index. It is the port on which the
// address has sent its last request: an answer from another one is none. Without that it is the socket's own port, or if that has
// another owner for the address, as when both connections lead to the same mux, any other: the peer then sees s as if behind a NAT.
func (s *socket) learn(local netip.Addr, remote netip.AddrPort, now time.Duration) (port int) {
	m := s.mux
	if local = local.Unmap(); local.IsUnspecified() {
		local = netip.Addr{}
	}
	if own := m.locals[0].Addr(); !own.IsUnspecified() {
		local = own
	}
	asked := s.asked.Load()
	if asked != nil && asked.remote != remote {
		asked = nil
	}
	if r := s.last.Load(); asked == nil && r != nil && r.key.remote == remote && r.key.local.Addr() == local && !r.gone.Load() {
		touch(&r.used, now)
		return r.port
	}
	var r *route
	fresh := false
	try := func(port int, pressing bool) {
		r, fresh = m.routes.learn(s, pathKey{remote, netip.AddrPortFrom(local, m.locals[port].Port())}, port, pressing, now)
	}
	first := s.port
	if asked != nil {
		s.asked.CompareAndSwap(asked, nil)
		first = m.portIndex(asked.local.Port())
		try(first, false)
	}
	if r == nil {
		if r = s.owned.find(remote, local, now); r != nil {
			touch(&r.used, now)
		}
	}
	for _, pressing := range [...]bool{false, true} {
		for i := 0; r == nil && i < len(m.locals); i++ {
			try((first+i)%len(m.locals), pressing)
		}
	}
	if r == nil {
		m.contested.Add(1)
		return s.port
	}
	if asked != nil && r.port == first {
		touch(&r.heard, now)
	}
	switch {
	case fresh:
		s.owned.add(&m.routes, r, now)
	case asked != nil:
		s.owned.prefer(r)
	}
	s.last.Store(r)
	return r.port
}

// heed notes on which path a request for s came.
func (s *socket) heed(d *runtime.Datagrams) {
	if r := s.last.Load(); r == nil || r.key.remote != d.Remote || r.key.local.Port() != d.Local.Port() {
		s.asked.Store(&pathKey{d.Remote, d.Local})
	}
}

// ClaimUfrag implements [runtime.UfragClaimer].
func (s *socket) ClaimUfrag(ufrag string) error {
	if !validUfrag(ufrag) {
		return ErrUfragInvalid
	}
	if err := s.mux.claims.claim(s, ufrag); err != nil {
		return err
	}
	if s.closed.Load() { // since before or just now: then close may not have seen the claim
		s.mux.claims.drop(s)
		return runtime.ErrClosed
	}
	return nil
}

// WholeDatagrams implements [runtime.WholeSocket].
func (s *socket) WholeDatagrams() bool { return s.mux.ports[s.port].wholeDatagrams() }

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
	s.mux.claims.drop(s)
	s.owned.close(&s.mux.routes)
	s.mux.mu.Lock()
	delete(s.mux.sockets, s)
	s.mux.mu.Unlock()
	if s.mux.sole.Load() == s {
		s.mux.Close()
	}
	return true
}
