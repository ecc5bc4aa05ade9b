package sim

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"
)

// Dependence says on what of the remote endpoint a NAT's decision depends, in the words of RFC 4787 §4.1 and §5.
type Dependence int

const (
	EndpointIndependent  Dependence = iota // on nothing
	AddressDependent                       // on its address
	AddressPortDependent                   // on its address and port
)

// NATKind is how a NAT behaves.
type NATKind struct {
	Mapping   Dependence    // which remote endpoints share one public port
	Filtering Dependence    // from which remote endpoints a public port accepts datagrams
	Hairpin   bool          // inner hosts reach each other by their public endpoints
	Timeout   time.Duration // how long a mapping lives without outbound datagrams; 0: 2 minutes
}

// The kinds of NAT that the older literature names.
var (
	FullCone       = NATKind{Mapping: EndpointIndependent, Filtering: EndpointIndependent}
	RestrictedCone = NATKind{Mapping: EndpointIndependent, Filtering: AddressDependent}
	PortRestricted = NATKind{Mapping: EndpointIndependent, Filtering: AddressPortDependent}
	Symmetric      = NATKind{Mapping: AddressPortDependent, Filtering: AddressPortDependent}
)

// The public ports that a NAT gives, from one that the seed chooses on.
const firstPort, lastPort = 1024, 1<<16 - 1

// NAT is a translator between a private network and the network around it. It translates the family of its public address; hosts behind
// it have addresses of the other family on the network around it.
type NAT struct {
	w      *World
	number int
	kind   NATKind
	public netip.Addr
	outer  *realm
	inner  realm
	port   uint16 // the last one given
	hosts  int

	byInner map[flow]*mapping
	byPort  map[uint16]*mapping
}

// flow is what has a public port of its own.
type flow struct {
	inner  netip.AddrPort
	remote netip.AddrPort // as far as the mapping depends on it
}

type mapping struct {
	flow
	port   uint16
	used   time.Time                    // by the last outbound datagram
	admits map[netip.AddrPort]time.Time // remote endpoints, as far as filtering depends on them, and when they were last sent to
}

// NAT adds a translator with one public address.
func (w *World) NAT(name string, kind NATKind, public netip.Addr) *NAT {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.nat(name, kind, public, &w.public)
}

// NAT adds a translator behind the NAT; public is its address on n's private network.
func (n *NAT) NAT(name string, kind NATKind, public netip.Addr) *NAT {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	return n.w.nat(name, kind, public, &n.inner)
}

func (w *World) nat(name string, kind NATKind, public netip.Addr, outer *realm) *NAT {
	w.claim(name)
	if kind.Timeout == 0 {
		// RFC 4787 §4.3: "A NAT UDP mapping timer MUST NOT expire in less than two minutes".
		kind.Timeout = 2 * time.Minute
	}
	public = public.Unmap()
	w.nats++
	seed := w.derive("nat", name)
	n := &NAT{
		w: w, number: w.nats, kind: kind, public: public, outer: outer.of(public),
		port:  firstPort + binary.BigEndian.Uint16(seed[:])%(lastPort-firstPort),
		inner: realm{nodes: map[netip.Addr]node{}},
	}
	n.inner.gateway = n
	n.forget()
	n.outer.claim(public, node{nat: n})
	return n
}

// Host adds a machine to the network behind the NAT; without addrs it gets one private address of the family that the NAT translates.
func (n *NAT) Host(name string, addrs ...netip.Addr) *Host {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	n.hosts++
	if len(addrs) == 0 {
		a := netip.AddrFrom4([4]byte{172, 16 + byte(n.number>>8), byte(n.number), byte(n.hosts)})
		if n.public.Is6() {
			a = netip.MustParseAddr(fmt.Sprintf("fd00:%x::%x", n.number, n.hosts))
		}
		addrs = []netip.Addr{a}
	}
	return n.w.host(name, &n.inner, addrs)
}

// Forget drops all mappings, as a NAT that restarts does.
func (n *NAT) Forget() {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	n.forget()
}

func (n *NAT) forget() {
	n.byInner, n.byPort = map[flow]*mapping{}, map[uint16]*mapping{}
}

// of is the part of remote that a decision depends on.
func (d Dependence) of(remote netip.AddrPort) netip.AddrPort {
	switch d {
	case EndpointIndependent:
		return netip.AddrPort{}
	case AddressDependent:
		return netip.AddrPortFrom(remote.Addr(), 0)
	}
	return remote
}

func (n *NAT) alive(since time.Time) bool { return n.w.Now().Sub(since) < n.kind.Timeout }

// outbound translates the source of a datagram from the private network to dst. ok is false when there is no free port.
func (n *NAT) outbound(src, dst netip.AddrPort) (public netip.AddrPort, ok bool) {
	f := flow{src, n.kind.Mapping.of(dst)}
	m := n.byInner[f]
	if m == nil || !n.alive(m.used) {
		n.drop(m)
		if m, ok = n.allocate(f); !ok {
			return netip.AddrPort{}, false
		}
	}
	// RFC 4787 §4.3: "The NAT mapping Refresh Direction MUST have a "NAT Outbound refresh behavior" of "True"."
	m.used = n.w.Now()
	m.admits[n.kind.Filtering.of(dst)] = m.used
	return netip.AddrPortFrom(n.public, m.port), true
}

// allocate takes the next free port.
func (n *NAT) allocate(f flow) (*mapping, bool) {
	for range lastPort - firstPort + 1 {
		if n.port++; n.port < firstPort { // it has wrapped
			n.port = firstPort
		}
		if old := n.byPort[n.port]; old != nil {
			if n.alive(old.used) {
				continue
			}
			n.drop(old)
		}
		m := &mapping{flow: f, port: n.port, admits: map[netip.AddrPort]time.Time{}}
		n.byInner[f], n.byPort[n.port] = m, m
		return m, true
	}
	return nil, false
}

func (n *NAT) drop(m *mapping) {
	if m != nil {
		delete(n.byInner, m.flow)
		delete(n.byPort, m.port)
	}
}

// inbound translates the destination of a datagram from src to the public address; ok is false when it is not let in.
func (n *NAT) inbound(src, dst netip.AddrPort) (inner netip.AddrPort, ok bool) {
	if src.Addr() == n.public && !n.kind.Hairpin {
		return netip.AddrPort{}, false
	}
	m := n.byPort[dst.Port()]
	if m == nil || !n.alive(m.used) {
		return netip.AddrPort{}, false
	}
	sent, ok := m.admits[n.kind.Filtering.of(src)]
	return m.inner, ok && n.alive(sent)
}
