//go:build !portable

package udp

import (
	"encoding/binary"
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

// errAgain is a receive's answer when nothing more has arrived.
var errAgain error = unix.EAGAIN

// receive returns what has arrived; errAgain: nothing; ErrNothing: something that is of no use.
func (c *system) receive(fd int) (*Slab, error) {
	b := slabs.Get().(*Slab)
	var errno unix.Errno
	for range attempts {
		var n int
		n, errno = b.recvmsg(fd)
		switch {
		case errno == 0 && c.decode(b, n):
			return b, nil
		case errno == 0:
			c.net.Truncated.Add(1)
		case errno == unix.EAGAIN:
			b.Free()
			return nil, errAgain
		case errno != unix.EINTR:
			// An ICMP error or a device that went down is reported once by the next call. It concerns a datagram that was sent, and ICE
			// finds out by itself.
			c.net.ReceiveErrors.Add(1)
		}
	}
	b.Free()
	if errno == 0 || errno == unix.EINTR {
		return nil, ErrNothing
	}
	return nil, os.NewSyscallError("recvmsg", errno)
}

func (b *Slab) recvmsg(fd int) (int, unix.Errno) {
	b.iov.Base = &b.buf[0]
	b.iov.SetLen(len(b.buf))
	b.hdr = unix.Msghdr{Name: (*byte)(unsafe.Pointer(&b.name)), Namelen: unix.SizeofSockaddrInet6, Iov: &b.iov}
	b.hdr.SetIovlen(1)
	b.hdr.Control = (*byte)(unsafe.Pointer(&b.control))
	b.hdr.SetControllen(controlSize)
	n, _, errno := unix.RawSyscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&b.hdr)), unix.MSG_DONTWAIT)
	return int(n), errno
}

// decode fills the Datagrams of b, which recvmsg has put n bytes into. It reports false for what cannot be handed on.
func (c *system) decode(b *Slab, n int) bool {
	if b.hdr.Flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		return false
	}
	zones := &c.net.Interfaces
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
func zoned(zones *Interfaces, addr netip.Addr, index uint32) netip.Addr {
	if index != 0 && addr.Is6() && (addr.IsLinkLocalUnicast() || addr.IsLinkLocalMulticast()) {
		return addr.WithZone(zones.ZoneName(index))
	}
	return addr
}
