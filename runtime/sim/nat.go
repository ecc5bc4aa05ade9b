package sim

import (
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

// NAT is a translator between a private network and the network around it.
type NAT struct {
	w *World
}

// NAT adds a translator with one public address.
func (w *World) NAT(name string, kind NATKind, public netip.Addr) *NAT { return &NAT{w: w} }

// Host adds a machine to the network behind the NAT; without addrs it gets one private IPv4 address.
func (n *NAT) Host(name string, addrs ...netip.Addr) *Host { return &Host{w: n.w} }

// NAT adds a translator behind the NAT; public is its address on n's private network.
func (n *NAT) NAT(name string, kind NATKind, public netip.Addr) *NAT { return &NAT{w: n.w} }

// Forget drops all mappings, as a NAT that restarts does.
func (n *NAT) Forget() {}
