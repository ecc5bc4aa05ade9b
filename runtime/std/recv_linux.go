//go:build !portable

package std

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// message is the memory of one recvmsg or sendmsg call beside the data.
type message struct {
	hdr     unix.Msghdr
	iov     unix.Iovec
	name    unix.RawSockaddrInet6 // or a RawSockaddrInet4, which is shorter
	control [controlWords]uint64  // words, for the alignment of its headers
}

// controlWords is room for IP_PKTINFO, IPV6_PKTINFO and UDP_GRO in one receive.
const controlWords = 16

const controlSize = controlWords * 8

func (m *message) nameBytes() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(&m.name)), unix.SizeofSockaddrInet6)
}

func (m *message) controlBytes() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(&m.control)), controlSize)
}

// attempts is how many errors or unusable datagrams one read passes over. More in a row than a few reads pass over is a broken socket.
const attempts = 64

// read returns what has arrived, or errNothing. If wait is true it waits until the armed deadline.
func (c *conn) read(wait bool) (*slab, error) {
	var err error
	if wait {
		err = c.raw.Read(c.readWait)
	} else {
		err = c.raw.Control(c.readNow)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, errNothing
	}
	if err != nil {
		return nil, err
	}
	b := c.got
	c.got = nil
	return b, c.err
}

// receive fills got or err. It returns false if nothing has arrived.
func (c *conn) receive(fd int) bool {
	rt := c.socket.host.rt
	b := slabs.Get().(*slab)
	var errno unix.Errno
	for range attempts {
		var n int
		n, errno = b.recvmsg(fd)
		switch {
		case errno == 0 && c.decode(b, n):
			c.got, c.err = b, nil
			return true
		case errno == 0:
			rt.stats.truncated.Add(1)
		case errno == unix.EAGAIN:
			b.free()
			c.err = errNothing
			return false
		case errno != unix.EINTR:
			// An ICMP error or a device that went down is reported once by the next call. It concerns a datagram that was sent, and ICE
			// finds out by itself.
			rt.stats.receiveErrors.Add(1)
		}
	}
	b.free()
	if errno == 0 || errno == unix.EINTR {
		c.err = errNothing
	} else {
		c.err = os.NewSyscallError("recvmsg", errno)
	}
	return true
}

func (b *slab) recvmsg(fd int) (int, unix.Errno) {
	b.iov.Base = &b.buf[0]
	b.iov.SetLen(len(b.buf))
	b.hdr = unix.Msghdr{Name: (*byte)(unsafe.Pointer(&b.name)), Namelen: unix.SizeofSockaddrInet6, Iov: &b.iov}
	b.hdr.SetIovlen(1)
	b.hdr.Control = (*byte)(unsafe.Pointer(&b.control))
	b.hdr.SetControllen(controlSize)
	n, _, errno := unix.Syscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.hdr)), unix.MSG_DONTWAIT)
	return int(n), errno
}

// decode fills the Datagrams of b, which recvmsg has put n bytes into. It reports false for what cannot be handed on.
func (c *conn) decode(b *slab, n int) bool {
	if b.hdr.Flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		return false
	}
	zones := &c.socket.host.rt.interfaces
	name := b.nameBytes()
	port := binary.BigEndian.Uint16(name[2:])
	switch b.name.Family {
	case unix.AF_INET:
		b.Remote = netip.AddrPortFrom(netip.AddrFrom4([4]byte(name[4:8])), port)
	case unix.AF_INET6:
		b.Remote = netip.AddrPortFrom(zoned(zones, netip.AddrFrom16(b.name.Addr).Unmap(), b.name.Scope_id), port)
	default:
		return false
	}
	b.Local, b.Data, b.SegmentSize = c.local, b.buf[:n], 0

	known := !c.local.Addr().IsUnspecified()
	for rest := b.controlBytes()[:b.hdr.Controllen]; len(rest) >= unix.SizeofCmsghdr; {
		h, data, next, err := unix.ParseOneSocketControlMessage(rest)
		if err != nil {
			return false
		}
		rest = next
		switch {
		case h.Level == unix.IPPROTO_UDP && h.Type == unix.UDP_GRO && len(data) >= 4:
			if size := int(binary.NativeEndian.Uint32(data)); size > 0 && size < n {
				b.SegmentSize = size
			}
		case known:
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			b.Local = netip.AddrPortFrom(netip.AddrFrom4([4]byte(data[8:12])), c.local.Port())
			known = true
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
			addr := netip.AddrFrom16([16]byte(data[:16])).Unmap()
			b.Local = netip.AddrPortFrom(zoned(zones, addr, binary.NativeEndian.Uint32(data[16:])), c.local.Port())
			known = true
		}
	}
	return known
}

// zoned gives a link-local IPv6 address its zone.
func zoned(zones *interfaceCache, addr netip.Addr, index uint32) netip.Addr {
	if index != 0 && addr.Is6() && (addr.IsLinkLocalUnicast() || addr.IsLinkLocalMulticast()) {
		return addr.WithZone(zones.zoneName(index))
	}
	return addr
}
