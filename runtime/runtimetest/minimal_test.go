package runtimetest_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/sansrtc/rtc/runtime"
)

// Net is a network in memory that loses nothing and takes no time.
type Net struct {
	mu       sync.Mutex // guards everything but the hosts' inboxes
	machines map[netip.Addr]*Machine
}

// Machine is a place on a Net with its own addresses: a runtime.Runtime.
type Machine struct {
	net   *Net
	addrs []netip.Addr
	ports map[uint16]*socket
	last  uint16 // the port that was chosen last
}

func (n *Net) Machine(addrs ...netip.Addr) *Machine {
	n.mu.Lock()
	defer n.mu.Unlock()
	m := &Machine{net: n, addrs: addrs, ports: map[uint16]*socket{}}
	for _, a := range addrs {
		n.machines[a] = m
	}
	return m
}

func (m *Machine) Now() time.Time  { return time.Now() }
func (m *Machine) Rand() io.Reader { return rand.Reader }

func (m *Machine) Interfaces() ([]runtime.Interface, error) {
	return []runtime.Interface{{Name: "mem0", Index: 1, MTU: 1500, Addrs: slices.Clone(m.addrs)}}, nil
}

func (m *Machine) Spawn(loop runtime.Loop) (runtime.Host, error) {
	h := &host{m: m, loop: loop, news: make(chan struct{}, 1)}
	go h.run()
	return h, nil
}

// host runs one loop on one goroutine.
type host struct {
	m     *Machine
	loop  runtime.Loop
	ended bool // guarded by m.net.mu

	mu    sync.Mutex
	inbox []packet
	at    time.Time     // when the next Turn is due; zero: when news come
	news  chan struct{} // has room for one: inbox or at has changed
}

type packet struct {
	s *socket
	d runtime.Datagrams
}

// run ends when a Turn returns Done and all handlers have returned.
func (h *host) run() {
	var handlers sync.WaitGroup
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		h.mu.Lock()
		now := time.Now()
		if len(h.inbox) == 0 && (h.at.IsZero() || now.Before(h.at)) {
			if !h.at.IsZero() {
				timer.Reset(h.at.Sub(now))
			}
			h.mu.Unlock()
			select {
			case <-h.news:
			case <-timer.C:
			}
			continue
		}
		inbox := h.inbox
		h.inbox, h.at = nil, time.Time{} // from here on WakeAt is for the Turn after this one
		h.mu.Unlock()

		for i := range inbox {
			if inbox[i].s.isOpen() {
				h.loop.Receive(now, inbox[i].s, &inbox[i].d)
			}
		}
		next := h.loop.Turn(now)
		if next.Done {
			break
		}
		if !next.At.IsZero() {
			h.WakeAt(next.At)
		}
		if next.Events {
			// Handlers may block, so they get a goroutine. Two may overlap: the loop lets the second return at once.
			handlers.Go(h.loop.Dispatch)
		}
	}
	h.m.net.mu.Lock()
	h.ended = true
	for port, s := range h.m.ports {
		if s.h == h {
			delete(h.m.ports, port)
		}
	}
	h.m.net.mu.Unlock()
	handlers.Wait()
	h.loop.Released()
}

func (h *host) Wake() { h.WakeAt(time.Now()) }

func (h *host) WakeAt(t time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.at.IsZero() || t.Before(h.at) {
		h.at = t
		h.tell()
	}
}

func (h *host) tell() {
	select {
	case h.news <- struct{}{}:
	default: // run has not yet seen the last news, and will see these with them
	}
}

func (h *host) ListenUDP(ctx context.Context, local netip.AddrPort) (runtime.UDPSocket, error) {
	m, a, port := h.m, local.Addr(), local.Port()
	m.net.mu.Lock()
	defer m.net.mu.Unlock()
	if h.ended {
		return nil, runtime.ErrClosed
	}
	if !a.IsUnspecified() && !slices.Contains(m.addrs, a) {
		return nil, errors.New("mem: not an address of this machine")
	}
	for port == 0 { // a machine with 65535 open ports would stay here
		if m.last++; m.ports[m.last] == nil {
			port = m.last
		}
	}
	if m.ports[port] != nil {
		return nil, errors.New("mem: the port is taken")
	}
	s := &socket{h: h, bound: netip.AddrPortFrom(a, port)}
	m.ports[port] = s
	return s, nil
}

type socket struct {
	h     *host
	bound netip.AddrPort
}

func (s *socket) LocalAddr() netip.AddrPort { return s.bound }
func (s *socket) MaxSegments() int          { return 64 }

// open says that s has its port. The net's mu is held.
func (s *socket) open() bool { return s.h.m.ports[s.bound.Port()] == s }

func (s *socket) isOpen() bool {
	s.h.m.net.mu.Lock()
	defer s.h.m.net.mu.Unlock()
	return s.open()
}

func (s *socket) Close() error {
	s.h.m.net.mu.Lock()
	defer s.h.m.net.mu.Unlock()
	if s.open() {
		delete(s.h.m.ports, s.bound.Port())
	}
	return nil
}

// covers says that s can be reached at, and send from, a.
func (s *socket) covers(a netip.Addr) bool {
	b := s.bound.Addr()
	return a == b || b == netip.IPv6Unspecified() || b.IsUnspecified() && a.Is4()
}

func (s *socket) Send(d *runtime.Datagrams) error {
	n := s.h.m.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if !s.open() {
		return runtime.ErrClosed
	}
	from, to := d.Local.Addr(), d.Remote
	if from.IsUnspecified() { // the system chooses: the first address that is allowed and of the right family
		for _, a := range s.h.m.addrs {
			if from.IsUnspecified() && s.covers(a) && a.Is4() == to.Addr().Is4() {
				from = a
			}
		}
	}
	if !slices.Contains(s.h.m.addrs, from) || !s.covers(from) || from.Is4() != to.Addr().Is4() {
		return errors.New("mem: cannot send from this address to that one")
	}
	if m := n.machines[to.Addr()]; m != nil {
		if peer := m.ports[to.Port()]; peer != nil && peer.covers(to.Addr()) {
			p := packet{peer, runtime.Datagrams{
				Local: to, Remote: netip.AddrPortFrom(from, s.bound.Port()),
				Data: bytes.Clone(d.Data), SegmentSize: d.SegmentSize, // the caller keeps d
			}}
			peer.h.mu.Lock()
			defer peer.h.mu.Unlock()
			peer.h.inbox = append(peer.h.inbox, p)
			peer.h.tell()
		}
	}
	return nil // nobody there: lost, as on any network
}
