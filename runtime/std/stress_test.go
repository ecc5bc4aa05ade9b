package std

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	goruntime "runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sansrtc/rtc/runtime"
)

// check compares what a host remembers with what is so. It may be called at any time.
func (h *host) check() {
	h.turning.Lock()
	defer h.turning.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	bug := func(format string, args ...any) { panic("BUG: " + fmt.Sprintf(format, args...)) }
	for _, s := range h.sockets {
		if s.closed.Load() {
			bug("a closed socket is listed")
		}
		if s.host != h {
			bug("a socket of another host is listed")
		}
	}
	if c := h.primary; c != nil && !slices.Contains(h.sockets, c.socket) {
		bug("the primary conn is of no open socket")
	}
	if h.parked && h.lease.Load()%2 == 1 {
		bug("parked in Dispatch")
	}
	if h.refs.Load() < 1 && !h.done {
		bug("nobody drives")
	}
	if h.primary == nil && len(h.sockets) > 0 && !slices.ContainsFunc(h.sockets, func(s *socket) bool {
		return slices.ContainsFunc(s.conns, func(c *conn) bool { return c.promoted })
	}) {
		bug("there are sockets, but none is the primary one or about to be")
	}
}

// unrest is check for a host that has nothing to do, whose handlers have all returned, and tells what it still does or holds; "" is
// nothing.
func (h *host) unrest() string {
	h.check()
	h.mu.Lock()
	defer h.mu.Unlock()
	conns := 0
	for _, s := range h.sockets {
		conns += len(s.conns)
		for i, c := range s.conns {
			if c != h.primary && !c.armed.IsZero() {
				return fmt.Sprintf("the reader of %v (%d) has the deadline %v (promoted %v)", c.LocalAddr(), i, c.armed, c.promoted)
			}
		}
	}
	switch refs := int(h.refs.Load()); {
	case refs != max(1, conns):
		return fmt.Sprintf("%d references for %d conns", refs, conns)
	case !h.parked:
		return fmt.Sprintf("the driver runs: woken %v, events %v, at %v", h.woken.Load(), h.events, h.at)
	case h.lease.Load()%2 != 0:
		return "a Dispatch runs"
	case h.parkedOn != h.primary:
		return "the driver does not wait for the primary conn"
	}
	return ""
}

// TestStress lets everything happen to a host at once: dispatches that overstay by a little, a lot and not at all, wakes from many
// goroutines, sockets that come and go, handlers that end their goroutine, and the end at any moment.
func TestStress(t *testing.T) {
	base := baseline(t)
	lives := 300
	if testing.Short() {
		lives = 50
	}
	seed := uint64(time.Now().UnixNano())
	const together = 4
	var wg sync.WaitGroup
	rt := New(Config{HandoffAfter: 100 * time.Microsecond})
	for i := range together {
		wg.Go(func() {
			for n := range lives / together {
				stressOnce(t, rt, rand.New(rand.NewPCG(seed, uint64(i*lives+n))))
				if t.Failed() {
					t.Logf("seed %d, life %d", seed, i*lives+n)
					return
				}
			}
		})
	}
	wg.Wait()
	wantGoroutines(t, "all loops are released", base)
	if st := rt.Stats(); st.Hosts != 0 || st.Handoffs == 0 {
		t.Fatalf("%+v: want no host and some handoffs (seed %d)", st, seed)
	}
}

func stressOnce(t *testing.T, rt *Runtime, rng *rand.Rand) {
	l := newToy()
	var asked, turned, dispatched, received, exits atomic.Int64
	handlerSeed := rng.Uint64()
	var calm atomic.Bool
	hrng := rand.New(rand.NewPCG(handlerSeed, 1)) // one handler at a time uses it
	l.turn = func(now time.Time) (next runtime.Next) {
		if n := asked.Load(); n > turned.Load() {
			turned.Store(n)
			next.Events = true
		}
		if n := turned.Load(); n%4 == 1 && !calm.Load() {
			next.At = now.Add(time.Duration(n%7) * 50 * time.Microsecond)
		}
		return next
	}
	l.receive = func(time.Time, runtime.UDPSocket, *runtime.Datagrams) {
		received.Add(1)
		asked.Add(1)
	}
	l.dispatch = func() {
		dispatched.Store(turned.Load())
		switch hrng.IntN(12) {
		case 0:
			pause(time.Duration(hrng.IntN(400)) * time.Microsecond)
		case 1:
			l.host.Wake()
			goruntime.Gosched()
		case 2:
			for start := time.Now(); time.Since(start) < 100*time.Microsecond; {
				goruntime.Gosched() // ends when the timer fires
			}
		case 3:
			if exits.Add(1) < 3 {
				goruntime.Goexit()
			}
		}
	}
	l.spawn(t, rt)
	h := l.host.(*host)
	listen := func() runtime.UDPSocket {
		s, err := l.host.ListenUDP(context.Background(), netip.MustParseAddrPort("127.0.0.1:0"))
		if err != nil && !errors.Is(err, runtime.ErrClosed) {
			l.mistake("ListenUDP: %v", err)
		}
		return s
	}

	var workers sync.WaitGroup
	for range 2 {
		wrng := rand.New(rand.NewPCG(rng.Uint64(), 2))
		workers.Go(func() {
			for range 100 {
				asked.Add(1)
				if wrng.IntN(3) > 0 {
					l.host.Wake()
				} else {
					l.host.WakeAt(time.Now().Add(time.Duration(wrng.IntN(200)-50) * time.Microsecond))
				}
				if wrng.IntN(4) == 0 {
					pause(time.Duration(wrng.IntN(100)) * time.Microsecond)
				}
			}
		})
	}
	srng := rand.New(rand.NewPCG(rng.Uint64(), 3))
	workers.Go(func() {
		var open []runtime.UDPSocket
		for range 60 {
			switch n := srng.IntN(10); {
			case len(open) == 0 || (n < 2 && len(open) < 4):
				s := listen()
				if s == nil {
					return // the end came
				}
				open = append(open, s)
			case n < 4:
				i := srng.IntN(len(open))
				open[i].Close()
				open = slices.Delete(open, i, i+1)
			default:
				from, to := open[srng.IntN(len(open))], open[srng.IntN(len(open))]
				_ = from.Send(&runtime.Datagrams{Remote: to.LocalAddr(), Data: []byte("x")})
			}
			h.check()
		}
	})
	if rng.IntN(3) == 0 { // the end comes in the middle
		pause(time.Duration(rng.IntN(3000)) * time.Microsecond)
		l.quit.Store(true)
		l.host.Wake()
		<-l.released
		workers.Wait()
		l.endStress(t)
		return
	}
	workers.Wait()
	calm.Store(true)
	asked.Add(1)
	l.host.Wake()
	eventually(t, "all that was asked for has had its Turn and Dispatch", func() bool { return dispatched.Load() == asked.Load() })
	unrest := ""
	for limit := time.Now().Add(10 * time.Second); ; pause(time.Millisecond) {
		if unrest = h.unrest(); unrest == "" {
			break
		}
		if time.Now().After(limit) {
			t.Errorf("the host should be quiet, but %s", unrest)
			break
		}
	}
	l.endStress(t)
}

func (l *toy) endStress(t *testing.T) {
	l.quit.Store(true)
	l.host.Wake()
	<-l.released
	if s := l.wrong.Load(); s != nil {
		t.Error(*s)
	}
}
