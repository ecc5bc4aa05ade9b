//go:build !linux || portable

package mux

import (
	"net/netip"
	"sync"

	"github.com/sansrtc/rtc/runtime"
	"github.com/sansrtc/rtc/runtime/internal/udp"
)

// port is a conn, and a goroutine that reads it, for each local address.
type port struct {
	mux   *Runtime
	conns []*udp.Conn
	once  sync.Once
}

// open opens a port, which nobody reads yet.
func (r *Runtime) open(local netip.AddrPort) (*port, netip.AddrPort, error) {
	conns, bound, err := r.net.Listen(local)
	return &port{mux: r, conns: conns}, bound, err
}

// start has the conns read.
func (p *port) start() error {
	for _, c := range p.conns {
		go p.mux.read(c)
	}
	return nil
}

// read is the life of a goroutine that reads a conn. It ends when the conn is closed.
func (r *Runtime) read(c *udp.Conn) {
	for {
		b, err := c.Read(true)
		switch {
		case err == nil:
			r.deliver(nil, &b.Datagrams)
			b.Free()
		case err != udp.ErrNothing:
			r.shut(err)
			return
		}
	}
}

func (p *port) close() {
	p.once.Do(func() {
		for _, c := range p.conns {
			c.Close()
		}
	})
}

func (p *port) maxSegments() int { return p.conns[0].MaxSegments() }

func (p *port) wholeDatagrams() bool { return false }

func (p *port) send(_ int, d *runtime.Datagrams) error { return udp.Send(p.conns, d) }
