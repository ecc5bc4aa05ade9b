//go:build !portable

package mux

import (
	"net/netip"
	"slices"
	"sync"

	"github.com/sansrtc/rtc/runtime"
	"github.com/sansrtc/rtc/runtime/internal/udp"
	"github.com/sansrtc/rtc/runtime/internal/worker"
)

// burst is how many slabs are read before their loops are turned. It bounds how long a flood keeps the worker from its deadlines.
const burst = 16

// port is the system sockets on a port, one for each worker.
type port struct {
	shards []*shard
	once   sync.Once
}

// shard is one worker's system socket.
type shard struct {
	mux   *Runtime
	bare  *udp.Bare
	watch worker.Watch
}

// open opens a port, which nobody reads yet.
func (r *Runtime) open(local netip.AddrPort) (*port, netip.AddrPort, error) {
	sockets, err := r.net.ListenShards(local, len(r.pool.Workers()))
	if err != nil {
		return nil, netip.AddrPort{}, err
	}
	p := &port{}
	for _, bare := range sockets {
		p.shards = append(p.shards, &shard{mux: r, bare: bare})
	}
	return p, sockets[0].LocalAddr(), nil
}

// start has the workers read.
func (p *port) start() (err error) {
	for i, s := range p.shards {
		_ = s.bare.Control(func(fd uintptr) { err = s.mux.pool.Workers()[i].Watch(&s.watch, int(fd), s) }) // it is open
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *port) close() {
	p.once.Do(func() {
		for _, s := range p.shards {
			s.watch.Unwatch()
			s.bare.Close()
		}
	})
}

func (p *port) maxSegments() int { return p.shards[0].bare.MaxSegments() }

func (p *port) wholeDatagrams() bool {
	return !slices.ContainsFunc(p.shards, func(s *shard) bool { return !s.bare.WholeDatagrams() })
}

// send sends d by the shard of a worker.
func (p *port) send(index int, d *runtime.Datagrams) error {
	return p.shards[index].bare.Send(d)
}

// Ready implements [worker.Source].
func (s *shard) Ready(w *worker.Worker) {
	for range burst {
		b, err := s.bare.Read()
		if err == udp.ErrNothing {
			return
		}
		if err != nil {
			s.mux.shut(err)
			return
		}
		s.mux.deliver(w, &b.Datagrams)
		b.Free()
	}
}
