package sim

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/sansrtc/rtc/runtime"
)

// peer is a loop with one socket. The simulation runs one call at a time, so it needs no lock unless a test hands off.
type peer struct {
	t    testing.TB
	host *Host
	runtime.Host
	s runtime.UDPSocket

	onReceive  func(d *runtime.Datagrams)
	onTurn     func(now time.Time) runtime.Next
	onDispatch func()

	got      []string // datagrams, as "bytes from address"
	last     runtime.Datagrams
	at       time.Time // when the last one arrived
	slabs    []int     // datagrams in each Receive
	turns    int
	failed   error
	released int
}

func newPeer(t testing.TB, h *Host, addr netip.Addr) *peer {
	t.Helper()
	p := &peer{t: t, host: h}
	var err error
	if p.Host, err = h.Spawn(p); err != nil {
		t.Fatal(err)
	}
	if p.s, err = p.ListenUDP(context.Background(), netip.AddrPortFrom(addr, 0)); err != nil {
		t.Fatal(err)
	}
	return p
}

// on is a peer on the host's first address.
func on(t testing.TB, h *Host) *peer { return newPeer(t, h, h.Addrs()[0]) }

func (p *peer) addr() netip.AddrPort { return p.s.LocalAddr() }

func (p *peer) send(to netip.AddrPort, data string) error {
	return p.s.Send(&runtime.Datagrams{Remote: to, Data: []byte(data)})
}

func (p *peer) Receive(now time.Time, s runtime.UDPSocket, d *runtime.Datagrams) {
	p.slabs = append(p.slabs, d.Segments())
	size := max(d.SegmentSize, 1)
	if d.SegmentSize == 0 {
		size = max(len(d.Data), 1)
	}
	for b := range slices.Chunk(d.Data, size) {
		p.got = append(p.got, fmt.Sprintf("%s from %v", b, d.Remote))
	}
	p.last, p.at = *d, now
	if p.onReceive != nil {
		p.onReceive(d)
	}
}

func (p *peer) SocketFailed(now time.Time, s runtime.UDPSocket, err error) { p.failed = err }

func (p *peer) Turn(now time.Time) (next runtime.Next) {
	p.turns++
	if p.onTurn != nil {
		next = p.onTurn(now)
	}
	return next
}

func (p *peer) Dispatch() {
	if p.onDispatch != nil {
		p.onDispatch()
	}
}

func (p *peer) Released() { p.released++ }

// testWorld is a world that is checked and closed at the end of the test.
func testWorld(t testing.TB, cfg Config) *World {
	w := New(cfg)
	t.Cleanup(func() {
		w.check()
		w.Close()
		w.check()
	})
	return w
}

// check walks the world and compares its counters with what they count.
func (w *World) check() {
	w.mu.Lock()
	defer w.mu.Unlock()
	bug := func(format string, args ...any) { panic("BUG: " + fmt.Sprintf(format, args...)) }
	w.queue.check(bug)
	sockets := 0
	for _, h := range w.hosts {
		for port, list := range h.ports {
			if len(list) == 0 {
				bug("%s has an empty list for port %d", h.name, port)
			}
			for i, s := range list {
				sockets++
				if !s.open || s.bound.Port() != port || s.place.host != h || !slices.Contains(s.place.sockets, s) {
					bug("%s: the socket on %v is not where it should be", h.name, s.bound)
				}
				if slices.ContainsFunc(list[i+1:], s.conflicts) {
					bug("%s: two sockets take %v", h.name, s.bound)
				}
			}
		}
		for _, a := range h.addrs {
			if h.realm.of(a).nodes[a].host != h {
				bug("%s does not get what is sent to %v", h.name, a)
			}
		}
	}
	if sockets != w.sockets {
		bug("%d sockets are counted, %d are open", w.sockets, sockets)
	}
	var check func(r *realm)
	check = func(r *realm) {
		for a, n := range r.nodes {
			if n.host != nil && !slices.Contains(n.host.addrs, a) {
				bug("%s gets what is sent to %v", n.host.name, a)
			}
			if nat := n.nat; nat != nil {
				if len(nat.byInner) != len(nat.byPort) {
					bug("%d flows have %d public ports", len(nat.byInner), len(nat.byPort))
				}
				for port, m := range nat.byPort {
					if m.port != port || nat.byInner[m.flow] != m {
						bug("port %d of %v is not that of its flow", port, nat.public)
					}
				}
				check(&nat.inner)
			}
		}
	}
	check(&w.public)
	c := &w.coroutines
	if !w.active && c.attached != nil {
		bug("a handler is attached, but the simulation does not run")
	}
	for _, k := range c.loose {
		if slices.Contains(c.idle, k) {
			bug("a worker is idle and loose")
		}
	}
}

func (q *queue) check(bug func(string, ...any)) {
	for i, e := range q.heap {
		if e.pos != i+1 {
			bug("the event at %d thinks that it is at %d", i, e.pos-1)
		}
		if i > 0 && e.before(q.heap[(i-1)/4]) {
			bug("the event at %d is due before its parent", i)
		}
	}
}
