//go:build !portable

package udp

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sansrtc/rtc/runtime"
)

const (
	// maxSegments is what the first kernels with UDP_SEGMENT take: UDP_MAX_SEGMENTS, 64.
	maxSegments = 64
	// maxPayload is the longest payload of a UDP datagram over IPv4, and so of a slab, which is one until the system cuts it.
	maxPayload = 65507
	// smallest is the size that datagrams of a connection have at first.
	smallest = 1200
)

// deviceBusy is the pause before a datagram is offered again to a device whose queue is full, which no poller tells about.
const deviceBusy = time.Millisecond

// sending is one Send on its way through the system.
type sending struct {
	message
	conn  *system
	v4    bool // to an IPv4 address
	n     int  // bytes offered
	size  int  // segment size; n if not segmented
	errno unix.Errno
	now   func(fd uintptr)
	wait  func(fd uintptr) bool
}

var sendings = sync.Pool{New: func() any {
	o := new(sending)
	o.now = func(fd uintptr) { o.sendmsg(int(fd)) }
	o.wait = func(fd uintptr) bool {
		o.sendmsg(int(fd))
		return o.errno != unix.EAGAIN
	}
	return o
}}

// Send sends d, in one system call if it can.
func (c *system) Send(d *runtime.Datagrams) error {
	o := sendings.Get().(*sending)
	err := c.sendAll(o, d)
	o.conn, o.iov.Base = nil, nil
	sendings.Put(o)
	return err
}

func (c *system) sendAll(o *sending, d *runtime.Datagrams) error {
	o.conn = c
	if !o.address(d) {
		return unix.EAFNOSUPPORT
	}
	size := d.SegmentSize
	if size <= 0 || size > len(d.Data) {
		size = len(d.Data)
	}
	run := size // bytes for each system call
	if size < len(d.Data) && c.gso.Load() {
		run = size * max(1, min(maxSegments, maxPayload/size))
	}
	refused := false
	for rest := d.Data; ; {
		n := min(run, len(rest))
		err := o.send(d, rest[:n], size)
		switch {
		case err == nil:
		case n > size && (err == unix.EIO || err == unix.EINVAL || err == unix.EMSGSIZE):
			// The device cannot compute checksums, the path's MTU is smaller than a segment, or it is not about segmentation at all.
			refused, run = true, size
			if err == unix.EIO {
				c.giveUpGSO()
			}
			continue
		default:
			return err
		}
		if refused {
			c.giveUpGSO() // the same datagrams pass one by one
			refused = false
		}
		if rest = rest[n:]; len(rest) == 0 {
			return nil
		}
	}
}

func (c *system) giveUpGSO() {
	if c.gso.CompareAndSwap(true, false) {
		c.net.GSOFallbacks.Add(1)
	}
}

// address writes d's remote address for the system. It reports false if the socket is of the other family.
func (o *sending) address(d *runtime.Datagrams) bool {
	to := d.Remote.Addr()
	o.v4 = to.Is4() || to.Is4In6()
	name := o.nameBytes()
	if !o.conn.v6 {
		if to = to.Unmap(); !to.Is4() {
			return false
		}
		o.name.Family = unix.AF_INET
		a := to.As4()
		copy(name[4:], a[:])
		clear(name[8:unix.SizeofSockaddrInet4])
		o.hdr.Namelen = unix.SizeofSockaddrInet4
	} else {
		if !to.IsValid() || (to.Is4() && !o.conn.local.Addr().IsUnspecified()) {
			return false
		}
		o.name.Family, o.name.Flowinfo, o.name.Addr = unix.AF_INET6, 0, to.As16()
		o.name.Scope_id = o.conn.net.Interfaces.ZoneIndex(to.Zone())
		o.hdr.Namelen = unix.SizeofSockaddrInet6
	}
	binary.BigEndian.PutUint16(name[2:], d.Remote.Port())
	o.hdr.Name = (*byte)(unsafe.Pointer(&o.name))
	return true
}

// send offers data, cut into pieces of size bytes, to the system.
func (o *sending) send(d *runtime.Datagrams, data []byte, size int) error {
	o.n, o.size = len(data), size
	o.iov.Base = unsafe.SliceData(data)
	o.iov.SetLen(len(data))
	o.hdr.Iov = &o.iov
	o.hdr.SetIovlen(1)
	o.options(d.Local.Addr())

	c := o.conn
	if err := c.fd.Control(o.now); err != nil {
		return runtime.ErrClosed
	}
	for try := 0; o.errno == unix.ENOBUFS && try < 3; try++ {
		time.Sleep(deviceBusy)
		if err := c.fd.Control(o.now); err != nil {
			return runtime.ErrClosed
		}
	}
	if o.errno == unix.EAGAIN {
		if err := c.sendWhenWritable(o); err != nil {
			return err
		}
	}
	if o.errno != 0 {
		return o.errno
	}
	return nil
}

// sendWhenWritable waits for room in the socket's buffer.
func (c *system) sendWhenWritable(o *sending) error {
	c.full.Lock()
	defer c.full.Unlock()
	if err := c.fd.writable(o.wait, c.net.cfg.Patience); err != nil {
		return runtime.ErrClosed
	}
	return nil // errno tells
}

// options writes the control messages: the source address, if the socket has no own one, and the segment size.
func (o *sending) options(from netip.Addr) {
	control := o.controlBytes()
	used := 0
	add := func(level, kind, size int) []byte {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&control[used]))
		h.Level, h.Type = int32(level), int32(kind)
		h.SetLen(unix.CmsgLen(size))
		data := control[used+unix.CmsgLen(0):][:size]
		used += unix.CmsgSpace(size)
		return data
	}
	if from.IsValid() && !from.IsUnspecified() && o.conn.local.Addr().IsUnspecified() {
		if from = from.Unmap(); from.Is4() {
			data := add(unix.IPPROTO_IP, unix.IP_PKTINFO, unix.SizeofInet4Pktinfo)
			clear(data)
			a := from.As4()
			copy(data[4:], a[:]) // ipi_spec_dst
		} else {
			data := add(unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, unix.SizeofInet6Pktinfo)
			a := from.As16()
			copy(data, a[:])
			binary.NativeEndian.PutUint32(data[16:], o.conn.net.Interfaces.ZoneIndex(from.Zone()))
		}
	}
	if o.size < o.n {
		binary.NativeEndian.PutUint16(add(unix.IPPROTO_UDP, unix.UDP_SEGMENT, 2), uint16(o.size))
	}
	o.hdr.Control = (*byte)(unsafe.Pointer(&o.control))
	o.hdr.SetControllen(used)
}

func (o *sending) sendmsg(fd int) {
	if c := o.conn; c.whole && o.v4 {
		if c.holdFragments(fd, o.size) {
			defer c.fragments.Unlock()
		} else {
			defer c.fragments.RUnlock()
		}
	}
	fault := o.conn.net.Fault
	for range attempts {
		if o.errno = 0; fault != nil {
			o.errno = fault(o.n, o.size)
		}
		if o.errno == 0 {
			// The call never waits. To tell the scheduler of it, as Syscall does, would wake the scheduler's monitor whenever all was idle
			// before, and that one then looks every 20 µs: at some hundred packets a second this costs more than they do.
			_, _, o.errno = unix.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&o.hdr)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		}
		// ECONNREFUSED is an ICMP error for an earlier datagram: this one has not been sent.
		if o.errno != unix.EINTR && o.errno != unix.ECONNREFUSED {
			return
		}
	}
}
