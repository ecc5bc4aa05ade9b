package browsertest

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime"
	"github.com/sansrtc/rtc/runtime/std"
)

// lossy is the default runtime with a network that loses datagrams, both ways, while it is told to.
type lossy struct {
	runtime.Runtime
	losing atomic.Bool

	mu   sync.Mutex
	rand *rand.Rand
	rate float64
	lost [2]int // sent, received
}

func newLossy(rate float64) *lossy {
	return &lossy{Runtime: std.New(std.Config{}), rand: rand.New(rand.NewPCG(1, 2)), rate: rate}
}

func (r *lossy) loses(way int) bool {
	if !r.losing.Load() {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rand.Float64() >= r.rate {
		return false
	}
	r.lost[way]++
	return true
}

func (r *lossy) Spawn(l runtime.Loop) (runtime.Host, error) {
	w := &lossyLoop{Loop: l, rt: r, outer: map[runtime.UDPSocket]runtime.UDPSocket{}}
	h, err := r.Runtime.Spawn(w)
	return &lossyHost{h, w}, err
}

type lossyLoop struct {
	runtime.Loop
	rt *lossy

	mu    sync.Mutex
	outer map[runtime.UDPSocket]runtime.UDPSocket // the socket that the loop knows, by the one inside
}

// socket is the socket that the loop knows.
func (l *lossyLoop) socket(inner runtime.UDPSocket) runtime.UDPSocket {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.outer[inner]
}

func (l *lossyLoop) Receive(now time.Time, s runtime.UDPSocket, d *runtime.Datagrams) {
	size := d.SegmentSize
	if size <= 0 {
		size = len(d.Data)
	}
	for rest := d.Data; len(rest) > 0; {
		one := rest[:min(size, len(rest))]
		rest = rest[len(one):]
		if !l.rt.loses(1) {
			l.Loop.Receive(now, l.socket(s), &runtime.Datagrams{Local: d.Local, Remote: d.Remote, Data: one})
		}
	}
}

func (l *lossyLoop) SocketFailed(now time.Time, s runtime.UDPSocket, err error) {
	l.Loop.SocketFailed(now, l.socket(s), err)
}

type lossyHost struct {
	runtime.Host
	loop *lossyLoop
}

func (h *lossyHost) ListenUDP(ctx context.Context, local netip.AddrPort) (runtime.UDPSocket, error) {
	s, err := h.Host.ListenUDP(ctx, local)
	if err != nil {
		return nil, err
	}
	w := &lossySocket{s, h.loop.rt}
	h.loop.mu.Lock()
	h.loop.outer[s] = w
	h.loop.mu.Unlock()
	return w, nil
}

type lossySocket struct {
	runtime.UDPSocket
	rt *lossy
}

func (s *lossySocket) MaxSegments() int { return 1 } // so that they are lost one by one

func (s *lossySocket) Send(d *runtime.Datagrams) error {
	if s.rt.loses(0) {
		return nil
	}
	return s.UDPSocket.Send(d)
}

// A network that loses 5 % of the datagrams, each way, stops nothing: what is lost of the video is asked for and sent again, from the page
// to Go and from Go to the page.
func TestLoss(t *testing.T) {
	t.Parallel()
	rt := newLossy(0.05)
	p, _ := reflectingNoise(t, rtc.MimeTypeVP8, 2000, func(b rtc.Builder) rtc.Builder { return b.Runtime(rt) })
	p.plays("0", 10)
	rt.losing.Store(true)
	p.plays("0", 60)
	p.hums("1")

	var out []struct{ NackCount, RetransmittedPacketsSent float64 }
	p.call(&out, "outbound", "0")
	if out[0].NackCount == 0 || out[0].RetransmittedPacketsSent == 0 {
		t.Errorf("towards Go nothing was repaired: %+v", out[0])
	}
	var in struct{ NackCount, RetransmittedPacketsReceived, PacketsLost, PacketsReceived float64 }
	p.call(&in, "inbound", "0")
	if in.NackCount == 0 || in.RetransmittedPacketsReceived == 0 {
		t.Errorf("towards the page nothing was repaired: %+v", in)
	}
	rt.mu.Lock()
	defer rt.mu.Unlock()
	t.Logf("lost: %d that Go sent, %d that the page sent; the page sent %+v, received %+v", rt.lost[0], rt.lost[1], out[0], in)
}
