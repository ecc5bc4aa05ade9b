//go:build !portable

package udp

import (
	"bytes"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sansrtc/rtc/runtime"
)

func listen(t testing.TB, n *Net, local string) *Conn {
	t.Helper()
	conns, _, err := n.Listen(netip.MustParseAddrPort(local))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conns[0].Close)
	return conns[0]
}

// What no address can be told of is dropped and counted.
func TestDecodeDropsWhatItCannotHandOn(t *testing.T) {
	c := &system{net: New(Config{}), local: netip.MustParseAddrPort("0.0.0.0:1")}
	fresh := func() *Slab {
		b := new(Slab)
		b.name.Family = unix.AF_INET
		return b
	}
	for name, change := range map[string]func(b *Slab){
		"truncated data":            func(b *Slab) { b.hdr.Flags = unix.MSG_TRUNC },
		"truncated control":         func(b *Slab) { b.hdr.Flags = unix.MSG_CTRUNC },
		"unknown family":            func(b *Slab) { b.name.Family = unix.AF_UNIX },
		"no destination":            func(b *Slab) {},
		"control header of no size": func(b *Slab) { b.hdr.SetControllen(16) },
	} {
		b := fresh()
		change(b)
		if c.decode(b, 10) {
			t.Errorf("%s: handed on as %+v", name, b.Datagrams)
		}
	}
	c.local = netip.MustParseAddrPort("127.0.0.1:1")
	if b := fresh(); !c.decode(b, 10) || len(b.Data) != 10 || b.Local != c.local {
		t.Errorf("a bound socket knows its address: %+v", b.Datagrams)
	}
}

// What the kernel writes beside the data is parsed without trust: no control message may panic or point outside the slab.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{}, uint16(unix.AF_INET), 100)
	b := new(sending)
	b.conn = &system{net: New(Config{}), local: netip.MustParseAddrPort("[::]:1")}
	b.n, b.size = 100, 10
	for _, from := range []string{"127.0.0.1", "::1", "fe80::1%1"} {
		b.options(netip.MustParseAddr(from))
		f.Add(bytes.Clone(b.controlBytes()[:b.hdr.Controllen]), uint16(unix.AF_INET6), 100)
	}
	f.Fuzz(func(t *testing.T, control []byte, family uint16, n int) {
		s := new(Slab)
		s.name.Family = family
		s.hdr.SetControllen(copy(s.controlBytes(), control))
		n = min(max(n, 0), len(s.buf))
		if !b.conn.decode(s, n) {
			return
		}
		if !s.Local.IsValid() || !s.Remote.IsValid() || len(s.Data) != n || s.SegmentSize < 0 || s.Local.Addr().Is4In6() || s.Remote.Addr().Is4In6() {
			t.Fatalf("%+v", s.Datagrams)
		}
	})
}

// Promise: what may be fragmented on an IPv4 path is what a connection starts from, and nothing larger; on an IPv6 path nothing is. A probe that
// the device refuses changes nothing for others.
func TestFragmentation(t *testing.T) {
	n := New(Config{Patience: time.Second})
	n.Fault = func(n, _ int) syscall.Errno {
		if n > 2000 {
			return unix.EMSGSIZE
		}
		return 0
	}
	mode := func(s *Conn, level, option, want int) {
		t.Helper()
		err := s.Control(func(fd uintptr) {
			if v, err := unix.GetsockoptInt(int(fd), level, option); err != nil || v != want {
				t.Errorf("mode %d, want %d: %v", v, want, err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, local := range []string{"127.0.0.1:0", "[::]:0"} {
		s := listen(t, n, local)
		to := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), s.LocalAddr().Port())
		for _, c := range []struct{ size, whole int }{
			{1200, unix.IP_PMTUDISC_DONT}, {1201, unix.IP_PMTUDISC_PROBE}, {2001, unix.IP_PMTUDISC_PROBE}, {100, unix.IP_PMTUDISC_DONT}, {1201, unix.IP_PMTUDISC_PROBE},
		} {
			err := s.Send(&runtime.Datagrams{Remote: to, Data: make([]byte, c.size)})
			if refused := c.size > 2000; refused != (err == unix.EMSGSIZE) || !s.WholeDatagrams() {
				t.Errorf("%d bytes: %v", c.size, err)
			}
			mode(s, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, c.whole)
			if s.v6 {
				mode(s, unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE)
			}
		}
		if kernelOffload().gso && s.MaxSegments() != maxSegments {
			t.Error("a probe that is too large ends segmentation offload")
		}
	}
}
