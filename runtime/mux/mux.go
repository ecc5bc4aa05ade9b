package mux

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/netip"
	goruntime "runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sansrtc/rtc/runtime"
	"github.com/sansrtc/rtc/runtime/internal/udp"
	"github.com/sansrtc/rtc/runtime/internal/worker"
)

// Config is how a Runtime is. The zero value serves a free port on all addresses.
type Config struct {
	// Addr is the address that all connections share. The zero value is [::]:0, a free port on all addresses; an unspecified address
	// listens on all addresses of its family, [::] on those of both families.
	Addr netip.AddrPort
	// Ports is the number of ports: Addr's and those that follow it, or free ones. 0 means 1, which is enough for peers that have addresses
	// of their own. With more, connections are spread over them, and as many as there are ports can lead to one address of a peer.
	Ports int
	// Shards is the number of workers and, on Linux, of system sockets on each port; 0 means GOMAXPROCS.
	Shards int
	// UnknownUfrag, when set, is told of STUN Binding requests to a username fragment that nobody has claimed, so that a connection may be
	// made when its first packet arrives. If a socket has claimed ufrag when UnknownUfrag returns, it gets the request. Anybody can send such
	// requests, so nothing is known of the sender: not even that from is its address. One call runs at a time, at most 64 wait, and there are no
	// more than 500 a second; the others are counted and dropped. It may use the Runtime, also close it.
	UnknownUfrag func(ufrag string, from netip.AddrPort)
	// HandoffAfter is how long a Dispatch may keep its worker until another goroutine takes over the worker's other loops; 0 means 5 ms.
	HandoffAfter time.Duration
	// ReceiveBuffer and SendBuffer are the bytes that each system socket asks the system to buffer for it. The system may silently give
	// less. 0 means 4 MiB, negative leaves the system's default.
	ReceiveBuffer, SendBuffer int
	// DisableGSO and DisableGRO keep Linux from carrying several datagrams in one system call, in a send and in a receive.
	DisableGSO, DisableGRO bool
}

// Stats counts what a Runtime has done since it was made.
type Stats struct {
	Hosts  int64 // loops spawned and not yet released
	Claims int   // username fragments that are claimed now
	Routes int   // addresses that have an owner now

	Handoffs      uint64 // dispatches that overstayed, so that another goroutine took over the worker
	Truncated     uint64 // datagrams dropped because they did not fit or came without their address
	ReceiveErrors uint64 // errors of the network that a receive reported and that were ignored
	GSOFallbacks  uint64 // sockets that gave up segmentation offload

	UnknownUfrag   uint64 // Binding requests dropped: nobody has claimed the username fragment
	UnknownSTUN    uint64 // other datagrams that begin like STUN dropped: nobody owns the address
	UnknownAddress uint64 // other datagrams dropped: nobody owns the address
	Overload       uint64 // Binding requests that UnknownUfrag was not told of because of its bounds
	Contested      uint64 // sends that did not make the sender the owner of an address, because it has one
}

// Errors of this package.
var (
	// ErrUfragTaken is what ClaimUfrag returns when another socket has the username fragment.
	ErrUfragTaken = errors.New("mux: the username fragment is taken")
	// ErrUfragInvalid is what ClaimUfrag returns when the username fragment is none.
	ErrUfragInvalid = errors.New("mux: invalid username fragment")
	// ErrAddress is what ListenUDP returns for another address than the shared one.
	ErrAddress = errors.New("mux: not the address that is shared")
)

// sendPatience is how long a Send waits for room in the system's buffer.
const sendPatience = 5 * time.Millisecond

// Runtime hosts loops that share one UDP port. It may be used by any number of connections.
type Runtime struct {
	pool   *worker.Pool
	net    *udp.Net
	ports  []*port
	locals []netip.AddrPort // of the ports; they differ in the port only
	epoch  time.Time

	routes table
	claims claims
	lobby  lobby
	sole   atomic.Pointer[socket] // set by tests: gets what nobody owns, and the Runtime is closed with it

	unknownUfrag, unknownSTUN, unknownAddress, overload, contested atomic.Uint64

	mu      sync.Mutex
	closed  bool
	sockets map[*socket]struct{}
}

var _ runtime.Runtime = (*Runtime)(nil)

// New opens the port.
func New(cfg Config) (*Runtime, error) {
	if cfg.Shards <= 0 {
		cfg.Shards = goruntime.GOMAXPROCS(0)
	}
	return newOn(worker.New(worker.Config{Workers: cfg.Shards, HandoffAfter: cfg.HandoffAfter}), cfg)
}

func newOn(pool *worker.Pool, cfg Config) (*Runtime, error) {
	if cfg.Addr == (netip.AddrPort{}) {
		cfg.Addr = netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
	}
	r := &Runtime{
		pool: pool,
		net: udp.New(udp.Config{
			ReceiveBuffer: cfg.ReceiveBuffer, SendBuffer: cfg.SendBuffer,
			DisableGSO: cfg.DisableGSO, DisableGRO: cfg.DisableGRO,
			Patience: sendPatience,
		}),
		epoch:   time.Now(),
		sockets: map[*socket]struct{}{},
	}
	r.routes.init()
	r.claims.init()
	r.lobby.init(r, cfg.UnknownUfrag)
	if err := r.openAll(cfg.Addr, max(1, cfg.Ports)); err != nil {
		r.closePorts()
		return nil, err
	}
	return r, nil
}

// openAll opens the ports, and has them read when all are there.
func (r *Runtime) openAll(addr netip.AddrPort, n int) error {
	for i := range n {
		local := addr
		if addr.Port() != 0 {
			local = netip.AddrPortFrom(addr.Addr(), addr.Port()+uint16(i))
		}
		p, bound, err := r.open(local)
		if err != nil {
			return err
		}
		r.ports, r.locals = append(r.ports, p), append(r.locals, bound)
	}
	for _, p := range r.ports {
		if err := p.start(); err != nil {
			return err
		}
	}
	return nil
}

func (r *Runtime) closePorts() {
	for _, p := range r.ports {
		p.close()
	}
}

// LocalAddr is the address that all connections share, with the first of the ports; unspecified when they are open on all addresses.
func (r *Runtime) LocalAddr() netip.AddrPort { return r.locals[0] }

// LocalAddrs has all ports.
func (r *Runtime) LocalAddrs() []netip.AddrPort { return slices.Clone(r.locals) }

// portIndex is -1 for a port that is not r's.
func (r *Runtime) portIndex(port uint16) int {
	return slices.IndexFunc(r.locals, func(a netip.AddrPort) bool { return a.Port() == port })
}

// Now implements [runtime.Runtime].
func (r *Runtime) Now() time.Time { return time.Now() }

// Rand implements [runtime.Runtime] by crypto/rand.
func (r *Runtime) Rand() io.Reader { return rand.Reader }

// Interfaces implements [runtime.Runtime]. The answer may be up to a second old.
func (r *Runtime) Interfaces() ([]runtime.Interface, error) { return r.net.Interfaces.List() }

// Spawn implements [runtime.Runtime].
func (r *Runtime) Spawn(loop runtime.Loop) (runtime.Host, error) {
	r.mu.Lock()
	closed := r.closed
	r.mu.Unlock()
	if closed {
		return nil, runtime.ErrClosed
	}
	h, err := r.pool.Spawn(loop, r.listen)
	if err != nil {
		return nil, err
	}
	return h, nil
}

// listen gives h a virtual socket.
func (r *Runtime) listen(h *worker.Host, local netip.AddrPort) (worker.Socket, error) {
	addr, port := local.Addr().Unmap(), r.portIndex(local.Port())
	if local.Port() == 0 {
		port = mathrand.IntN(len(r.locals)) // so that two muxes do not walk through theirs in step
	}
	if !addr.IsUnspecified() && addr != r.locals[0].Addr() || port < 0 {
		return nil, fmt.Errorf("%w: %v, not %v", ErrAddress, local, r.locals[0])
	}
	s := &socket{mux: r, host: h, port: port}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, runtime.ErrClosed
	}
	r.sockets[s] = struct{}{}
	return s, nil
}

// Close closes the port. Loops that still have a socket are told that it has failed; they are hosted on until they end.
func (r *Runtime) Close() error {
	r.shut(runtime.ErrClosed)
	return nil
}

// shut closes the port because of err.
func (r *Runtime) shut(err error) {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return
	}
	r.closed = true
	left := make([]*socket, 0, len(r.sockets))
	for s := range r.sockets {
		left = append(left, s)
	}
	r.mu.Unlock()
	for _, s := range left {
		if s.close() {
			s.host.Failed(s, err)
		}
	}
	r.closePorts()
}

// Stats returns a snapshot of the counters.
func (r *Runtime) Stats() Stats {
	return Stats{
		Hosts:          r.pool.Hosts(),
		Claims:         r.claims.len(),
		Routes:         r.routes.len(),
		Handoffs:       r.pool.Handoffs(),
		Truncated:      r.net.Truncated.Load(),
		ReceiveErrors:  r.net.ReceiveErrors.Load(),
		GSOFallbacks:   r.net.GSOFallbacks.Load(),
		UnknownUfrag:   r.unknownUfrag.Load(),
		UnknownSTUN:    r.unknownSTUN.Load(),
		UnknownAddress: r.unknownAddress.Load(),
		Overload:       r.overload.Load(),
		Contested:      r.contested.Load(),
	}
}
