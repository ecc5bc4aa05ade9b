//go:build !portable

package loop

import (
	"net/netip"
	"sync/atomic"

	"github.com/sansrtc/rtc/runtime"
	"github.com/sansrtc/rtc/runtime/internal/udp"
	"github.com/sansrtc/rtc/runtime/internal/worker"
)

// burst is how many slabs are read between two Turns. It bounds how long a flood keeps the worker from its other loops.
const burst = 16

// socket is a descriptor in the epoll of a worker.
type socket struct {
	host   *worker.Host
	bare   *udp.Bare
	watch  worker.Watch
	closed atomic.Bool
}

func (r *Runtime) listen(h *worker.Host, local netip.AddrPort) (worker.Socket, error) {
	bare, err := r.net.ListenBare(local)
	if err != nil {
		return nil, err
	}
	s := &socket{host: h, bare: bare}
	_ = bare.Control(func(fd uintptr) { err = h.Home().Watch(&s.watch, int(fd), s) }) // it is open
	if err != nil {
		bare.Close()
		return nil, err
	}
	return s, nil
}

// Ready implements [worker.Source].
func (s *socket) Ready(w *worker.Worker) {
	for range burst {
		b, err := s.bare.Read()
		if err == udp.ErrNothing {
			return
		}
		if err != nil {
			if s.close() {
				s.host.Failed(s, err)
			}
			return
		}
		w.Receive(s.host, s, &b.Datagrams)
		b.Free()
	}
}

// LocalAddr implements [runtime.UDPSocket].
func (s *socket) LocalAddr() netip.AddrPort { return s.bare.LocalAddr() }

// Send implements [runtime.UDPSocket].
func (s *socket) Send(d *runtime.Datagrams) error {
	if s.closed.Load() {
		return runtime.ErrClosed
	}
	return s.bare.Send(d)
}

// MaxSegments implements [runtime.UDPSocket].
func (s *socket) MaxSegments() int { return s.bare.MaxSegments() }

// WholeDatagrams implements [runtime.WholeSocket].
func (s *socket) WholeDatagrams() bool { return s.bare.WholeDatagrams() }

// Closed implements [worker.Socket].
func (s *socket) Closed() bool { return s.closed.Load() }

// Close implements [runtime.UDPSocket].
func (s *socket) Close() error {
	s.close()
	return nil
}

// close reports whether s was open.
func (s *socket) close() bool {
	if s.closed.Swap(true) {
		return false
	}
	s.host.Forget(s)
	s.watch.Unwatch()
	s.bare.Close()
	return true
}
