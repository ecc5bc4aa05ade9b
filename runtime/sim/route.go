package sim

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/sansrtc/rtc/internal/simnet"
)

// realm is a network within which addresses are unique: the public one, or one behind a NAT.
type realm struct {
	gateway *NAT // the way out; nil: this is the public network
	nodes   map[netip.Addr]node
}

// node is who has an address.
type node struct {
	host *Host
	nat  *NAT
}

func (r *realm) claim(a netip.Addr, n node) {
	if _, taken := r.nodes[a]; taken {
		panic(fmt.Sprintf("sim: the address %v is taken", a))
	}
	r.nodes[a] = n
}

// of is the realm that a is an address of, for a host in r: addresses of a family that a NAT does not translate are those of the network
// around it.
func (r *realm) of(a netip.Addr) *realm {
	for r.gateway != nil && r.gateway.public.Is4() != a.Is4() {
		r = r.gateway.outer
	}
	return r
}

// path is one direction between two hosts or two addresses.
type path struct {
	link Link
	own  bool // link was set for this path
	cut  bool
	pipe *simnet.Pipe
}

func (p *path) apply() {
	link := p.link
	link.Down = link.Down || p.cut
	p.pipe.SetConfig(link)
}

func (w *World) newPath(names ...string) *path {
	seed := w.derive(names...)
	rng := rand.New(rand.NewPCG(binary.BigEndian.Uint64(seed[:]), binary.BigEndian.Uint64(seed[8:])))
	return &path{link: w.fallback, pipe: simnet.NewPipe(w.fallback, rng)}
}

// between is the path for what from sends to to.
func (w *World) between(from, to *Host) *path {
	p := w.links[[2]*Host{from, to}]
	if p == nil {
		p = w.newPath("link", from.name, to.name)
		w.links[[2]*Host{from, to}] = p
	}
	return p
}

// SetDefault changes the path between all hosts for which SetLink said nothing. Here and below, datagrams that are under way arrive as
// they would have.
func (w *World) SetDefault(l Link) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fallback = l
	for _, p := range w.links {
		if !p.own {
			p.link = l
			p.apply()
		}
	}
}

// SetLink sets the path for what from sends to to.
func (w *World) SetLink(from, to *Host, l Link) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.between(from, to)
	p.link, p.own = l, true
	p.apply()
}

// SetPath sets the path for what is sent from one address to another, as the sender names them. It overrides SetLink, but not
// Partition.
func (w *World) SetPath(from, to netip.Addr, l Link) {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := [2]netip.Addr{from.Unmap().WithZone(""), to.Unmap().WithZone("")}
	p := w.byAddr[key]
	if p == nil {
		p = w.newPath("path", key[0].String(), key[1].String())
		w.byAddr[key] = p
	}
	p.link = l
	p.apply()
}

// Partition cuts or restores all paths between two hosts, both ways.
func (w *World) Partition(a, b *Host, cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range []*path{w.between(a, b), w.between(b, a)} {
		p.cut = cut
		p.apply()
	}
}

// Counters tells what became of what from sent to to, but on paths that SetPath made.
func (w *World) Counters(from, to *Host) Counters {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.between(from, to).pipe.Counters()
}

// transmit sends a datagram of h. src is one of its addresses.
func (w *World) transmit(h *Host, src, dst netip.AddrPort, b []byte) {
	w.mu.Lock()
	watchers, drop := w.captures, w.drop
	if drop != nil {
		w.mu.Unlock()
		lose := drop(Packet{w.Now(), src, dst, b, Sent})
		w.mu.Lock()
		if lose {
			w.mu.Unlock()
			w.show(watchers, src, dst, b, Dropped)
			return
		}
	}
	fate := w.launch(h, src, dst, b)
	w.mu.Unlock()
	w.show(watchers, src, dst, b, fate)
}

// launch puts a datagram on its path.
func (w *World) launch(h *Host, src, dst netip.AddrPort, b []byte) Fate {
	if h.owns(dst.Addr()) {
		w.fly(w.Now(), node{host: h}, src, dst, b)
		return Sent
	}
	named := [2]netip.Addr{src.Addr(), dst.Addr()}
	r := h.realm.of(dst.Addr())
	to, ok := r.nodes[dst.Addr()]
	for ; !ok; to, ok = r.nodes[dst.Addr()] {
		if r.gateway == nil || dst.Addr().IsLinkLocalUnicast() {
			return Unreachable
		}
		nat := r.gateway
		if src, ok = nat.outbound(src, dst); !ok {
			return Filtered
		}
		r = nat.outer.of(dst.Addr())
	}
	last := to.behind(dst)
	if last == nil {
		return Filtered
	}
	p := w.between(h, last)
	if q := w.byAddr[named]; q != nil && !p.cut {
		p = q
	}
	headers := simnet.Overhead
	if dst.Addr().Is6() {
		headers = simnet.Overhead6
	}
	at, n, fate := p.pipe.Pass(w.Now(), len(b), headers)
	for i := range n {
		w.fly(at[i], to, src, dst, b)
	}
	return [...]Fate{simnet.Delivered: Sent, simnet.Lost: Lost, simnet.QueueFull: QueueFull, simnet.TooLarge: TooLarge}[fate]
}

// behind is the host that a datagram to dst will reach if NATs let it in; nil: none.
func (n node) behind(dst netip.AddrPort) *Host {
	for n.nat != nil {
		m := n.nat.byPort[dst.Port()]
		if m == nil {
			return nil
		}
		dst = m.inner
		n = n.nat.inner.nodes[dst.Addr()]
	}
	return n.host
}

// fly queues the arrival of a copy of b.
func (w *World) fly(at time.Time, to node, src, dst netip.AddrPort, b []byte) {
	if w.closed {
		return
	}
	var d *datagram
	if n := len(w.idle); n > 0 {
		d = w.idle[n-1]
		w.idle = w.idle[:n-1]
	} else {
		d = new(datagram)
		d.event.arrival = d
	}
	d.src, d.dst, d.node, d.data = src, dst, to, w.buffer(b)
	w.queue.set(&d.event, int64(at.Sub(w.cfg.Start)))
}

// arrive brings a datagram to its socket. The lock is held, and released.
func (w *World) arrive(d *datagram) {
	src, dst, b := d.src, d.dst, d.data
	s, local, fate := w.land(d.node, src, dst)
	d.node, d.data = node{}, nil
	w.idle = append(w.idle, d)
	watchers := w.captures
	if len(watchers) > 0 {
		w.mu.Unlock()
		w.show(watchers, src, local, b, fate)
		w.mu.Lock()
	}
	if fate == Received && s.open {
		h, l := s.place.host, s.place
		l.inbox = append(l.inbox, arrival{s, h.zoned(local, local.Addr()), h.zoned(src, local.Addr()), b})
		l.turnBy(w.in(w.cfg.Moderation))
	} else {
		w.recycle(b)
	}
	w.mu.Unlock()
}

// land finds the socket that takes a datagram, and the destination that it sees.
func (w *World) land(n node, src, dst netip.AddrPort) (*socket, netip.AddrPort, Fate) {
	for n.nat != nil {
		inner, ok := n.nat.inbound(src, dst)
		if !ok {
			return nil, dst, Filtered
		}
		dst = inner
		n = n.nat.inner.nodes[dst.Addr()]
	}
	if n.host == nil || !n.host.owns(dst.Addr()) {
		return nil, dst, Unreachable
	}
	if s := n.host.socketAt(dst); s != nil {
		return s, dst, Received
	}
	return nil, dst, Refused
}
