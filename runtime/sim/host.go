package sim

import (
	"io"
	"net/netip"
	"time"

	"github.com/sansrtc/rtc/runtime"
)

// Host is a machine on the simulated network, and a [runtime.Runtime].
type Host struct {
	w *World
}

// Host adds a machine with a public address to the world; without addrs it gets one IPv4 and one IPv6 address.
func (w *World) Host(name string, addrs ...netip.Addr) *Host { return &Host{w: w} }

// Name is the name that the host was made with.
func (h *Host) Name() string { return "" }

// Addrs lists the host's addresses, but not those of its loopback interface.
func (h *Host) Addrs() []netip.Addr { return nil }

// AddAddr gives the host another address.
func (h *Host) AddAddr(a netip.Addr) {}

// RemoveAddr takes an address from the host. What is sent from or to it afterwards is lost.
func (h *Host) RemoveAddr(a netip.Addr) {}

// FailSockets breaks all open sockets of the host: their loops are told SocketFailed with err.
func (h *Host) FailSockets(err error) {}

// Now implements [runtime.Runtime].
func (h *Host) Now() time.Time { return h.w.Now() }

// Rand implements [runtime.Runtime]: a stream that depends on the world's seed and the host's name only.
func (h *Host) Rand() io.Reader { return nil }

// Interfaces implements [runtime.Runtime].
func (h *Host) Interfaces() ([]runtime.Interface, error) { return nil, nil }

// Spawn implements [runtime.Runtime].
func (h *Host) Spawn(loop runtime.Loop) (runtime.Host, error) { return nil, nil }
