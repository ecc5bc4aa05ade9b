// Package runtime is what a connection needs from the world: a clock, randomness, network interfaces, UDP sockets, and somebody to run
// its event loop. It knows no protocol.
//
// A [Runtime] is given to each connection by the Builder. Package std is the default and drives each connection by one goroutine over
// the operating system's sockets; package sim drives any number of connections in virtual time over a simulated network. Package
// runtimetest proves that an implementation keeps what is promised here.
//
// # How a loop is driven
//
// [Runtime.Spawn] is given a [Loop] and returns its [Host]. From then on the runtime
//
//   - calls Receive with what arrives on the loop's sockets, then Turn, once for everything that arrived together;
//   - calls Turn when the time that the last Turn returned has come, and soon after Wake;
//   - calls Dispatch after each Turn that returned Events;
//   - calls Released, once, after a Turn that returned Done, when it holds nothing more of the loop.
//
// Receive, Turn and Released never run user code, and never block for longer than a socket's send takes. Dispatch runs the
// application's handlers and may block for as long as they do: a runtime must not let that keep the same loop, or another one, from its
// Receive and Turn calls. All methods of a Loop may be called from any goroutine; the loop orders them itself, and when a Dispatch
// is called while another runs, it returns at once and the running one takes over its work.
package runtime

import (
	"context"
	"io"
	"net/netip"
	"time"
)

// Runtime is a world that connections live in. Its methods may be called from any goroutine.
type Runtime interface {
	// Now is the runtime's clock. It never goes back.
	Now() time.Time
	// Rand is the source of secrets: a cryptographically secure one wherever real data is sent.
	Rand() io.Reader
	// Interfaces lists the network interfaces that are up.
	Interfaces() ([]Interface, error)
	// Spawn hosts loop, until a Turn returns Done.
	Spawn(loop Loop) (Host, error)
}

// Host is a loop's place in its runtime. Its methods may be called from any goroutine, also from within the loop's own methods, and
// never block. After Released they do nothing and ListenUDP returns an error.
type Host interface {
	// ListenUDP opens a socket whose datagrams go to the loop. An unspecified address listens on all addresses of its family, [::] on
	// those of both families; port 0 chooses a free one.
	ListenUDP(ctx context.Context, local netip.AddrPort) (UDPSocket, error)
	// Wake makes the runtime call Turn soon. Many calls before that Turn may become one.
	Wake()
	// WakeAt makes the runtime call Turn at t, if the last Turn did not ask for an earlier time. The next Turn's answer replaces it.
	WakeAt(t time.Time)
}

// Loop is one connection's event loop, implemented by package rtc.
type Loop interface {
	// Receive hands in what arrived on s. d and its Data belong to the loop until Receive returns; it may overwrite Data.
	Receive(now time.Time, s UDPSocket, d *Datagrams)
	// SocketFailed tells that s will receive no more. It is not called because of the loop's own Close of s.
	SocketFailed(now time.Time, s UDPSocket, err error)
	// Turn does the protocol work that is due at now.
	Turn(now time.Time) Next
	// Dispatch runs the application's handlers for all events that are waiting.
	Dispatch()
	// Released tells that the runtime has let go of the loop: no goroutine, timer or socket of it is left.
	Released()
}

// Next is what a Loop wants after a Turn.
type Next struct {
	At     time.Time     // when Turn is to be called at the latest; zero: not before Receive or Wake
	Early  time.Duration // how much earlier a Turn does as well: a runtime may so wake up for several loops at once
	Events bool          // Dispatch has work
	Done   bool          // the loop has ended: no call but Released
}

// Datagrams is a run of datagrams between one local and one remote address, laid out in one slab: what one send or receive system call
// can carry with segmentation offload.
type Datagrams struct {
	// Local is the address that the datagrams are sent from or were sent to. In a send it may have an unspecified address: the system
	// chooses. IPv4 addresses are never in their IPv4-mapped IPv6 form.
	Local  netip.AddrPort
	Remote netip.AddrPort
	// Data holds the datagrams one after the other: each SegmentSize bytes long, but the last, which may be shorter. SegmentSize 0
	// means that Data is one datagram.
	Data        []byte
	SegmentSize int
}

// Segments is the number of datagrams.
func (d *Datagrams) Segments() int {
	if d.SegmentSize <= 0 || len(d.Data) <= d.SegmentSize {
		return 1
	}
	return (len(d.Data) + d.SegmentSize - 1) / d.SegmentSize
}

// UDPSocket is an open socket. Its methods may be called from any goroutine.
type UDPSocket interface {
	// LocalAddr is the bound address; unspecified when the socket listens on all addresses.
	LocalAddr() netip.AddrPort
	// Send sends d, all of it or none, and does not keep it. It may block for as long as the system's send buffer is full, but not for
	// longer. An error concerns these datagrams only, which are lost like any datagram may be, unless it is ErrClosed.
	Send(d *Datagrams) error
	// MaxSegments is how many datagrams one Send takes efficiently; at least 1.
	MaxSegments() int
	// Close ends the socket. It is idempotent, and Receive is not called for it any more after the current Turn.
	Close() error
}

// UfragClaimer is what a UDPSocket may be too: sockets that share a port are told the local ICE username fragments whose checks are
// theirs. A loop claims each fragment before it tells the peer of it. A socket keeps at least the fragments of its last two ICE
// generations, until it is closed.
type UfragClaimer interface {
	// ClaimUfrag makes the connectivity checks to ufrag come to this socket. It returns an error if another one has claimed it.
	ClaimUfrag(ufrag string) error
}

// Interface is a network interface that is up.
type Interface struct {
	Name     string
	Index    int
	MTU      int
	Loopback bool
	Addrs    []netip.Addr // unmapped; link-local IPv6 addresses have their zone
}
