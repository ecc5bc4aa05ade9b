//go:build !portable

package std

import (
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sansrtc/rtc/runtime"
)

// Promise: the system fragments nothing, in either family, until a device refuses what every connection starts from: then that passes.
func TestDatagramsAreNotFragmented(t *testing.T) {
	refuse := 1201
	l, u, got, _ := faulty(t, func(n, _ int) syscall.Errno {
		if n >= refuse {
			return unix.EMSGSIZE
		}
		return 0
	})
	s := u.(*socket)
	mode := func(s *socket, level, option int) (v int) {
		t.Helper()
		err := s.conns[0].raw.Control(func(fd uintptr) {
			var err error
			if v, err = unix.GetsockoptInt(int(fd), level, option); err != nil {
				t.Fatal(err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	modes := func(s *socket, want int) {
		t.Helper()
		if got := mode(s, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER); got != want {
			t.Errorf("IPv4: mode %d", got)
		}
		if !s.conns[0].v6 {
			return
		}
		if got := mode(s, unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER); got != want {
			t.Errorf("IPv6: mode %d", got)
		}
	}
	send := func(n int) error { return s.Send(&runtime.Datagrams{Remote: s.LocalAddr(), Data: make([]byte, n)}) }
	modes(s, unix.IP_PMTUDISC_PROBE)
	modes(l.listen(t, "[::]:0").(*socket), unix.IP_PMTUDISC_PROBE)
	if err := send(1201); err != unix.EMSGSIZE || !s.WholeDatagrams() {
		t.Errorf("a probe that is too large: %v, %v", err, s.WholeDatagrams())
	}
	if kernelOffload().gso && s.MaxSegments() != maxSegments {
		t.Error("a probe that is too large ends segmentation offload")
	}
	modes(s, unix.IP_PMTUDISC_PROBE)
	refuse = 1200
	if err := send(1200); err != unix.EMSGSIZE || s.WholeDatagrams() {
		t.Errorf("a narrow device: %v, %v", err, s.WholeDatagrams())
	}
	modes(s, unix.IP_PMTUDISC_WANT)
	refuse = 1 << 16
	if err := send(1200); err != nil {
		t.Error(err)
	}
	receive(t, "datagram", got)
	l.end(t)
}
