//go:build !portable

package udp

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sansrtc/rtc/runtime"
)

// CanLook tells that [Conn.Read] can look for what has arrived without waiting.
const CanLook = true

// system is a system socket: all of it but the waiting.
type system struct {
	net   *Net
	fd    descriptor
	local netip.AddrPort
	v6    bool        // an IPv6 socket, perhaps a dual-stack one
	gso   atomic.Bool // segmentation offload works
	whole bool        // datagrams larger than smallest are not fragmented
	full  sync.Mutex  // held by the sender that waits for room

	// fragments guards the socket's option, which all its senders share: those for which it is right send at the same time.
	fragments sync.RWMutex
	whole4    bool // IPv4 datagrams are sent with DF
}

// descriptor is a file descriptor that is not closed while it is used.
type descriptor interface {
	// Control calls f with the descriptor. It returns an error if it is closed.
	Control(f func(fd uintptr)) error
	// writable calls f when the descriptor can be written to, until f returns true or the patience ends. It returns an error if the
	// descriptor is closed.
	writable(f func(fd uintptr) bool, patience time.Duration) error
}

// Conn is a system socket in the poller of the Go runtime. It is an os.File and not a net.UDPConn because that one allocates an error for
// each deadline that passes.
type Conn struct {
	system
	file *os.File
	raw  syscall.RawConn

	// Owned by the one goroutine that reads.
	got      *Slab
	err      error
	readWait func(fd uintptr) bool
	readNow  func(fd uintptr)
}

// Listen opens a socket. bound is its address.
func (n *Net) Listen(local netip.AddrPort) (conns []*Conn, bound netip.AddrPort, err error) {
	c := new(Conn)
	fd, err := c.listen(n, local, false)
	if err != nil {
		return nil, netip.AddrPort{}, err
	}
	c.file = os.NewFile(uintptr(fd), "udp")
	if c.raw, err = c.file.SyscallConn(); err != nil {
		c.file.Close()
		return nil, netip.AddrPort{}, err
	}
	c.fd = polled{c}
	c.readWait = func(fd uintptr) bool { return c.receive(int(fd)) }
	c.readNow = func(fd uintptr) { c.receive(int(fd)) }
	return []*Conn{c}, c.local, nil
}

// Send sends d by the one of a socket's conns that reaches its remote address.
func Send(conns []*Conn, d *runtime.Datagrams) error { return conns[0].Send(d) }

// SetReadDeadline tells the poller when a Read is to end; zero: not by itself.
func (c *Conn) SetReadDeadline(t time.Time) {
	_ = c.file.SetReadDeadline(t) // fails when the conn is closed, which ends the read as well
}

// Close ends the socket, and a Read of it.
func (c *Conn) Close() { c.file.Close() }

// Read returns what has arrived, or ErrNothing. If wait is true it waits until the deadline. The caller frees the slab.
func (c *Conn) Read(wait bool) (*Slab, error) {
	var err error
	if wait {
		err = c.raw.Read(c.readWait)
	} else {
		err = c.raw.Control(c.readNow)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, ErrNothing
	}
	if err != nil {
		return nil, err
	}
	b, err := c.got, c.err
	if c.got = nil; err == errAgain {
		err = ErrNothing
	}
	return b, err
}

// receive fills got or err. It returns false if nothing has arrived.
func (c *Conn) receive(fd int) bool {
	c.got, c.err = c.system.receive(fd)
	return c.err != errAgain
}

// polled is a descriptor in the poller of the Go runtime.
type polled struct{ c *Conn }

func (p polled) Control(f func(fd uintptr)) error { return p.c.raw.Control(f) }

func (p polled) writable(f func(fd uintptr) bool, patience time.Duration) error {
	_ = p.c.file.SetWriteDeadline(time.Now().Add(patience))
	if err := p.c.raw.Write(f); !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return nil
}

// listen opens and binds a system socket. With reusePort others that also say so share the port, and each gets a part of the senders.
func (c *system) listen(n *Net, local netip.AddrPort, reusePort bool) (fd int, err error) {
	local = netip.AddrPortFrom(local.Addr().Unmap(), local.Port())
	if !local.IsValid() {
		return -1, &net.AddrError{Err: "invalid local address", Addr: local.String()}
	}
	c.net = n
	fd, err = c.open(local, reusePort)
	if err != nil && local.Addr() == netip.IPv6Unspecified() && (errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL)) {
		fd, err = c.open(netip.AddrPortFrom(netip.IPv4Unspecified(), local.Port()), reusePort) // a machine without IPv6
	}
	if err != nil {
		return -1, &net.OpError{Op: "listen", Net: "udp", Addr: net.UDPAddrFromAddrPort(local), Err: err}
	}
	return fd, nil
}

func (c *system) open(local netip.AddrPort, reusePort bool) (int, error) {
	c.v6 = local.Addr().Is6()
	family := unix.AF_INET
	if c.v6 {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_UDP)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if err := c.setup(fd, local, reusePort); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func (c *system) setup(fd int, local netip.AddrPort, reusePort bool) error {
	wildcard := local.Addr().IsUnspecified()
	// The system may give smaller buffers, or none of the options below on an old kernel: that is slower, but no error.
	if c.net.cfg.ReceiveBuffer > 0 {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, c.net.cfg.ReceiveBuffer)
	}
	if c.net.cfg.SendBuffer > 0 {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, c.net.cfg.SendBuffer)
	}
	if reusePort {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
			return os.NewSyscallError("setsockopt REUSEPORT", err)
		}
	}
	offload := kernelOffload()
	if offload.gro && !c.net.cfg.DisableGRO {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_GRO, 1)
	}
	c.gso.Store(offload.gso && !c.net.cfg.DisableGSO)
	if c.v6 {
		v6only := 1
		if wildcard {
			v6only = 0
		}
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, v6only); err != nil {
			return os.NewSyscallError("setsockopt IPV6_V6ONLY", err)
		}
	}
	if wildcard {
		// Without these a datagram's local address would be unknown, so here a refusal is an error. On a dual-stack socket some systems
		// describe IPv4 datagrams by one, some by the other.
		err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
		if c.v6 {
			err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
		}
		if err != nil {
			return os.NewSyscallError("setsockopt PKTINFO", err)
		}
	}
	c.whole = c.setWhole4(fd, false) && (!c.v6 || unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE) == nil)
	var sa unix.Sockaddr
	if c.v6 {
		sa = &unix.SockaddrInet6{Port: int(local.Port()), Addr: local.Addr().As16(), ZoneId: c.net.Interfaces.ZoneIndex(local.Addr().Zone())}
	} else {
		sa = &unix.SockaddrInet4{Port: int(local.Port()), Addr: local.Addr().As4()}
	}
	if err := unix.Bind(fd, sa); err != nil {
		return os.NewSyscallError("bind", err)
	}
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return os.NewSyscallError("getsockname", err)
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		c.local = netip.AddrPortFrom(local.Addr(), uint16(sa.Port))
	case *unix.SockaddrInet6:
		c.local = netip.AddrPortFrom(local.Addr(), uint16(sa.Port))
	}
	return nil
}

// setWhole4 sets what becomes of IPv4 datagrams that are larger than the device or the path takes. PROBE sends them with DF, whatever the system
// knows of the path, or refuses them; DONT has anybody fragment them.
func (c *system) setWhole4(fd int, whole bool) bool {
	mode := unix.IP_PMTUDISC_DONT
	if whole {
		mode = unix.IP_PMTUDISC_PROBE
	}
	c.whole4 = whole
	return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, mode) == nil
}

// holdFragments gives the socket the option that a datagram of size bytes to an IPv4 address needs, and returns with fragments locked: exclusively
// if the option had to be changed.
//
// What is larger than every connection starts from must not be fragmented, or its arrival would tell nothing of the path. All else may be: an
// IPv4 path may be as narrow as 68 bytes (RFC 791 section 3.2) and tell nobody, and what SCTP has sent in one chunk it cannot cut again. IPv6
// paths carry 1280 bytes.
func (c *system) holdFragments(fd, size int) (exclusive bool) {
	whole := size > smallest
	c.fragments.RLock()
	if c.whole4 == whole {
		return false
	}
	c.fragments.RUnlock()
	c.fragments.Lock()
	if c.whole4 != whole {
		c.setWhole4(fd, whole)
	}
	return true
}

// WholeDatagrams tells that datagrams larger than those that a connection starts from are not fragmented.
func (c *system) WholeDatagrams() bool { return c.whole }

// Control calls f with the descriptor, which is not closed before f returns.
func (c *system) Control(f func(fd uintptr)) error { return c.fd.Control(f) }

// LocalAddr is the bound address.
func (c *system) LocalAddr() netip.AddrPort { return c.local }

// MaxSegments is how many datagrams one Send takes efficiently.
func (c *system) MaxSegments() int {
	if c.gso.Load() {
		return maxSegments
	}
	return 1
}

// offload tells what this kernel can do.
type offload struct{ gso, gro bool }

// kernelOffload asks once, with a socket that stays open: the kernel patches its own code when its first socket takes GRO and when its last
// one closes, which stops all cores for longer than a connection's whole traffic takes. It is bound to nothing.
var kernelOffload = sync.OnceValue(func() (o offload) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
	if err != nil {
		return o
	}
	// A kernel that does not know the option would ignore the control message and send the whole slab as one datagram.
	_, err = unix.GetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT)
	o.gso = err == nil
	o.gro = unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_GRO, 1) == nil
	if !o.gro {
		unix.Close(fd)
	}
	return o
})
