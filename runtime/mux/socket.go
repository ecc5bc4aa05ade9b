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
	closed atomic.Bool
	last   atomic.Pointer[route] // the one that was sent to last, if it is the socket's
	owned  owned
	ufrags []string // claimed, oldest first; guarded by claims.mu
}

var _ runtime.UfragClaimer = (*socket)(nil)

// LocalAddr implements [runtime.UDPSocket].
func (s *socket) LocalAddr() netip.AddrPort { return s.mux.local }

// MaxSegments implements [runtime.UDPSocket].
func (s *socket) MaxSegments() int { return s.mux.port.maxSegments() }

// Send implements [runtime.UDPSocket].
func (s *socket) Send(d *runtime.Datagrams) error {
	if s.closed.Load() {
		return runtime.ErrClosed
	}
	s.learn(d.Local.Addr(), d.Remote, s.mux.clock())
	return s.mux.port.send(s.host.Home().Index(), d)
}

// learn makes s the owner of the address that it sends to.
func (s *socket) learn(local netip.Addr, remote netip.AddrPort, now time.Duration) {
	if local = local.Unmap(); local.IsUnspecified() {
		local = netip.Addr{}
	}
	if own := s.mux.local.Addr(); !own.IsUnspecified() {
		local = own
	}
	k := pathKey{remote, local}
	if r := s.last.Load(); r != nil && r.key == k && !r.gone.Load() {
		touch(&r.used, now)
		return
	}
	t := &s.mux.routes
	r, fresh := t.learn(s, k, now)
	if r == nil {
		s.mux.contested.Add(1)
		return
	}
	if fresh {
		s.owned.add(t, r, now)
	}
	s.last.Store(r)
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
func (s *socket) WholeDatagrams() bool { return s.mux.port.wholeDatagrams() }

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
