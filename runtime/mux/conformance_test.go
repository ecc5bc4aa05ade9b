package mux

import (
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/sansrtc/rtc/runtime"
	"github.com/sansrtc/rtc/runtime/internal/worker"
	"github.com/sansrtc/rtc/runtime/runtimetest"
)

// ports is a world in which each socket has a mux of its own: so that ports are what the suite expects of them, and what nobody has been
// sent to yet arrives. All else is as in a mux that is shared.
type ports struct {
	pool *worker.Pool
	any  *Runtime // for what is not about a port
}

func (p *ports) Now() time.Time                             { return p.any.Now() }
func (p *ports) Rand() io.Reader                            { return p.any.Rand() }
func (p *ports) Interfaces() ([]runtime.Interface, error)   { return p.any.Interfaces() }
func (p *ports) Spawn(l runtime.Loop) (runtime.Host, error) { return p.pool.Spawn(l, p.listen) }

func (p *ports) listen(h *worker.Host, local netip.AddrPort) (worker.Socket, error) {
	r, err := newOn(p.pool, Config{Addr: local})
	if err != nil {
		return nil, err
	}
	s, err := r.listen(h, netip.AddrPortFrom(local.Addr(), 0))
	if err != nil {
		return nil, err
	}
	r.sole.Store(s.(*socket))
	return s, nil
}

func TestConformance(t *testing.T) {
	runtimetest.Run(t, func(t *testing.T) runtimetest.Harness {
		rt, err := New(Config{Addr: netip.MustParseAddrPort("127.0.0.1:0")})
		if err != nil {
			t.Fatal(err)
		}
		p := &ports{worker.New(worker.Config{}), rt}
		h := runtimetest.Harness{
			A: p, B: p,
			AddrA: netip.MustParseAddr("127.0.0.1"), AddrB: netip.MustParseAddr("127.0.0.1"),
			Wait:  runtimetest.RealTime,
			Close: func() { rt.Close() },
		}
		list, err := rt.Interfaces()
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range list {
			for _, a := range i.Addrs {
				if i.Loopback && a.Is6() {
					h.Addr6A, h.Addr6B = a, a
				}
			}
		}
		return h
	})
}
