package sim

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/sansrtc/rtc/runtime"
)

// Host is a machine on the simulated network, and a [runtime.Runtime].
type Host struct {
	w     *World
	name  string
	realm *realm // where its addresses are, but those that a NAT does not translate
	rand  *random

	// Guarded by the world's lock.
	addrs []netip.Addr
	ports map[uint16][]*socket
	port  uint16 // the last one chosen for port 0
}

// Host adds a machine with a public address to the world; without addrs it gets one IPv4 and one IPv6 address. The first IPv4 and the
// first IPv6 address belong to the interface eth0, the second ones to eth1, and so on.
func (w *World) Host(name string, addrs ...netip.Addr) *Host {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := uint32(len(w.hosts) + 1); len(addrs) == 0 {
		v4, v6 := [4]byte{10}, [16]byte{0: 0xfd}
		binary.BigEndian.PutUint32(v4[:], 10<<24|n)
		binary.BigEndian.PutUint32(v6[12:], n)
		addrs = []netip.Addr{netip.AddrFrom4(v4), netip.AddrFrom16(v6)}
	}
	return w.host(name, &w.public, addrs)
}

func (w *World) host(name string, r *realm, addrs []netip.Addr) *Host {
	w.claim(name)
	h := &Host{
		w: w, name: name, realm: r, ports: map[uint16][]*socket{}, port: firstEphemeral - 1,
		rand: &random{src: rand.NewChaCha8(w.derive("rand", name))},
	}
	w.hosts = append(w.hosts, h)
	for _, a := range addrs {
		h.add(a)
	}
	return h
}

// claim makes sure that what is left to chance is not the same for two.
func (w *World) claim(name string) {
	if w.names[name] {
		panic(fmt.Sprintf("sim: the name %q is taken", name))
	}
	w.names[name] = true
}

// derive is a seed for the thing with these names.
func (w *World) derive(names ...string) [32]byte {
	h := sha256.New()
	fmt.Fprintf(h, "%d %q", w.cfg.Seed, names)
	return [32]byte(h.Sum(nil))
}

// Name is the name that the host was made with.
func (h *Host) Name() string { return h.name }

// Addrs lists the host's addresses, but not those of its loopback interface.
func (h *Host) Addrs() []netip.Addr {
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	return slices.Clone(h.addrs)
}

// AddAddr gives the host another address.
func (h *Host) AddAddr(a netip.Addr) {
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	h.add(a)
}

func (h *Host) add(a netip.Addr) {
	a = a.Unmap().WithZone("")
	if !a.IsValid() || a.IsUnspecified() || a.IsLoopback() || a.IsMulticast() {
		panic(fmt.Sprintf("sim: a host cannot have the address %v", a))
	}
	h.realm.of(a).claim(a, node{host: h})
	h.addrs = append(h.addrs, a)
}

// RemoveAddr takes an address from the host. What is sent from or to it afterwards is lost.
func (h *Host) RemoveAddr(a netip.Addr) {
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	a = a.Unmap().WithZone("")
	if i := slices.Index(h.addrs, a); i >= 0 {
		h.addrs = slices.Delete(h.addrs, i, i+1)
		delete(h.realm.of(a).nodes, a)
	}
}

// FailSockets breaks all open sockets of the host: their loops are told SocketFailed with err.
func (h *Host) FailSockets(err error) {
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	h.closeSockets(err)
}

// closeSockets closes all sockets, in an order that does not depend on a map's. With an error their loops are told.
func (h *Host) closeSockets(err error) {
	var all []*socket
	for _, bound := range h.ports {
		all = append(all, bound...)
	}
	slices.SortFunc(all, func(a, b *socket) int { return int(a.number) - int(b.number) })
	for _, s := range all {
		s.unbind()
		if l := s.place; err != nil {
			l.failed = append(l.failed, failure{s, err})
			l.turnBy(0)
		}
	}
}

// owns tells whether a is an address of the host.
func (h *Host) owns(a netip.Addr) bool { return a.IsLoopback() || slices.Contains(h.addrs, a) }

// Now implements [runtime.Runtime].
func (h *Host) Now() time.Time { return h.w.Now() }

// Interfaces implements [runtime.Runtime].
func (h *Host) Interfaces() ([]runtime.Interface, error) {
	list := []runtime.Interface{{Name: "lo", Index: 1, MTU: 65536, Loopback: true, Addrs: []netip.Addr{
		netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback(),
	}}}
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	for _, a := range h.addrs {
		i := 1 + h.nic(a)
		for len(list) <= i {
			list = append(list, runtime.Interface{Name: fmt.Sprintf("eth%d", len(list)-1), Index: len(list) + 1, MTU: 1500})
		}
		if a.Is6() && a.IsLinkLocalUnicast() {
			a = a.WithZone(list[i].Name)
		}
		list[i].Addrs = append(list[i].Addrs, a)
	}
	return list, nil
}

// nic is the number of the interface that has the address a.
func (h *Host) nic(a netip.Addr) (n int) {
	for _, b := range h.addrs {
		if a == b {
			break
		}
		if a.Is4() == b.Is4() && a.IsLinkLocalUnicast() == b.IsLinkLocalUnicast() {
			n++
		}
	}
	return n
}

// zoned is a with the zone that it has on this host.
func (h *Host) zoned(a netip.AddrPort, local netip.Addr) netip.AddrPort {
	if !a.Addr().Is6() || !a.Addr().IsLinkLocalUnicast() {
		return a
	}
	return netip.AddrPortFrom(a.Addr().WithZone(fmt.Sprintf("eth%d", h.nic(local))), a.Port())
}

// random is a host's source of secrets.
type random struct {
	mu  sync.Mutex
	src *rand.ChaCha8
}

func (r *random) Read(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.src.Read(b)
}
