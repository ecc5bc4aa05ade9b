//go:build !portable

package std

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

// conn is a system socket in the poller of the Go runtime. It is an os.File and not a net.UDPConn because that one allocates an error for
// each deadline that passes.
type conn struct {
	socket *socket
	file   *os.File
	raw    syscall.RawConn
	local  netip.AddrPort
	v6     bool        // the system socket is an IPv6 one, perhaps a dual-stack one
	gso    atomic.Bool // segmentation offload works
	whole  atomic.Bool // datagrams are not fragmented
	full   sync.Mutex  // held by the sender that waits for room

	armed    time.Time // the read deadline that the poller was told last; guarded by host.mu
	promoted bool      // the reader is to make this the primary conn; guarded by host.mu

	// Owned by the one goroutine that reads.
	got      *slab
	err      error
	readWait func(fd uintptr) bool
	readNow  func(fd uintptr)
}

// listen opens a socket for h, which is not yet read from.
func listen(h *host, local netip.AddrPort) (*socket, error) {
	local = netip.AddrPortFrom(local.Addr().Unmap(), local.Port())
	if !local.IsValid() {
		return nil, &net.AddrError{Err: "invalid local address", Addr: local.String()}
	}
	c, err := open(h.rt, local)
	if err != nil && local.Addr() == netip.IPv6Unspecified() && (errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL)) {
		c, err = open(h.rt, netip.AddrPortFrom(netip.IPv4Unspecified(), local.Port())) // a machine without IPv6
	}
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: "udp", Addr: net.UDPAddrFromAddrPort(local), Err: err}
	}
	c.socket = &socket{host: h, local: c.local, conns: []*conn{c}}
	return c.socket, nil
}

func open(rt *Runtime, local netip.AddrPort) (*conn, error) {
	c := &conn{v6: local.Addr().Is6()}
	family := unix.AF_INET
	if c.v6 {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_UDP)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if err := c.setup(rt, fd, local); err != nil {
		unix.Close(fd)
		return nil, err
	}
	c.file = os.NewFile(uintptr(fd), "udp")
	if c.raw, err = c.file.SyscallConn(); err != nil {
		c.file.Close()
		return nil, err
	}
	c.readWait = func(fd uintptr) bool { return c.receive(int(fd)) }
	c.readNow = func(fd uintptr) { c.receive(int(fd)) }
	return c, nil
}

func (c *conn) setup(rt *Runtime, fd int, local netip.AddrPort) error {
	wildcard := local.Addr().IsUnspecified()
	// The system may give smaller buffers, or none of the options below on an old kernel: that is slower, but no error.
	if rt.cfg.ReceiveBuffer > 0 {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, rt.cfg.ReceiveBuffer)
	}
	if rt.cfg.SendBuffer > 0 {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, rt.cfg.SendBuffer)
	}
	offload := kernelOffload()
	if offload.gro && !rt.cfg.DisableGRO {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_GRO, 1)
	}
	c.gso.Store(offload.gso && !rt.cfg.DisableGSO)
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
	c.whole.Store(c.fragment(fd, unix.IP_PMTUDISC_PROBE))
	var sa unix.Sockaddr
	if c.v6 {
		sa = &unix.SockaddrInet6{Port: int(local.Port()), Addr: local.Addr().As16(), ZoneId: rt.interfaces.zoneIndex(local.Addr().Zone())}
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

// fragment sets what the system does with datagrams that are larger than the device or, as far as it knows, the path takes. PROBE sends them
// whole with DF, whatever the system knows, or refuses them; WANT fragments them. A dual-stack socket has one option for each family.
func (c *conn) fragment(fd, mode int) bool {
	err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, mode)
	if c.v6 {
		err = errors.Join(err, unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, mode))
	}
	return err == nil
}

func (c *conn) wholeDatagrams() bool { return c.whole.Load() }

// arm tells the poller when a read is to end; zero: not by itself. Called with host.mu held.
func (c *conn) arm(t time.Time) {
	c.armed = t
	_ = c.file.SetReadDeadline(t) // fails when the conn is closed, which ends the read as well
}

func (c *conn) close() { c.file.Close() }

func (c *conn) maxSegments() int {
	if c.gso.Load() {
		return maxSegments
	}
	return 1
}

// route chooses the conn that sends d.
func (s *socket) route(*runtime.Datagrams) *conn { return s.conns[0] }

// offload tells what this kernel can do.
type offload struct{ gso, gro bool }

var kernelOffload = sync.OnceValue(func() (o offload) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
	if err != nil {
		return o
	}
	defer unix.Close(fd)
	// A kernel that does not know the option would ignore the control message and send the whole slab as one datagram.
	_, err = unix.GetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT)
	o.gso = err == nil
	o.gro = unix.SetsockoptInt(fd, unix.IPPROTO_UDP, unix.UDP_GRO, 1) == nil
	return o
})
