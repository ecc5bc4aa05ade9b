package rtc_test

import (
	"context"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime"
	"github.com/sansrtc/rtc/runtime/sim"
)

// tapped is a runtime that writes down how many RTP packets each Send of its sockets carries, and counts the Turns of its loops.
type tapped struct {
	runtime.Runtime
	sends *[]int
	turns *atomic.Int64
}

type tappedLoop struct {
	runtime.Loop
	turns *atomic.Int64
}

func (l tappedLoop) Turn(now time.Time) runtime.Next {
	l.turns.Add(1)
	return l.Loop.Turn(now)
}

type tappedHost struct {
	runtime.Host
	sends *[]int
}

type tappedSocket struct {
	runtime.UDPSocket
	sends *[]int
}

func (r tapped) Spawn(l runtime.Loop) (runtime.Host, error) {
	h, err := r.Runtime.Spawn(tappedLoop{l, r.turns})
	return tappedHost{h, r.sends}, err
}

func (h tappedHost) ListenUDP(ctx context.Context, local netip.AddrPort) (runtime.UDPSocket, error) {
	s, err := h.Host.ListenUDP(ctx, local)
	return tappedSocket{s, h.sends}, err
}

func (s tappedSocket) Send(d *runtime.Datagrams) error {
	if rtcp := d.Data[1] >= 192 && d.Data[1] <= 223; d.Data[0]>>6 == 2 && !rtcp {
		*s.sends = append(*s.sends, d.Segments())
	}
	return s.UDPSocket.Send(d)
}

// forwarder is a handler that forwards what it is told, and does something else besides.
type forwarder struct {
	rtc.BaseHandler
	to     *webrtc.TrackLocalStaticRTP
	told   int
	before func(n int) // called with the number of the packet
	after  func(n int)
}

func (f *forwarder) OnRTP(_ *rtc.PeerConnection, _ *rtc.TrackRemote, p *rtp.Packet) {
	f.told++
	if f.before != nil {
		f.before(f.told)
	}
	_ = f.to.WriteRTP(p) // fails when the other connection has closed
	if f.after != nil {
		f.after(f.told)
	}
}

// forwarding is a connection whose packets are forwarded to another one.
type forwarding struct {
	p       *pair
	from    *webrtc.TrackLocalStaticRTP
	handler *forwarder
	viewer  *taker
	sends   *[]int // of the connection that they are forwarded to
	turns   atomic.Int64
	sent    uint16
}

func newForwarding(t *testing.T) *forwarding {
	t.Helper()
	w := simulations[1]
	f := &forwarding{handler: new(forwarder), viewer: &taker{recorder: recorder{name: "viewer"}}, sends: new([]int)}
	f.p = w.newPairOf(t, sim.Config{}, func(i int, r *recorder) rtc.EventHandler {
		if i == 1 {
			return rtc.Handlers(r, f.handler)
		}
		return r
	}, nil)
	for _, track := range []**webrtc.TrackLocalStaticRTP{&f.from, &f.handler.to} {
		var err error
		*track, err = webrtc.NewTrackLocalStaticRTP(vp8, "video", "stream")
		f.p.must(err)
	}
	f.p.add(0, f.from)
	f.p.connects(0)
	out := f.p.build(w.builder(tapped{f.p.rt[1], f.sends, &f.turns}))
	viewer := f.p.build(w.builder(f.p.rt[0]).Handler(f.viewer))
	_, err := out.AddTrack(f.handler.to)
	f.p.must(err)
	negotiate(t, out, viewer, nil)
	ended := false
	f.p.act("camera", func() {
		for !ended {
			f.send(1)
			f.p.sleep(20 * time.Millisecond)
		}
	})
	f.p.until("the viewer sees something", func() bool { return f.viewer.packets.Load() > 0 })
	ended = true
	f.p.pass(time.Second)
	*f.sends = nil
	return f
}

// send publishes packets of one size.
func (f *forwarding) send(n int) {
	for range n {
		f.sent++
		f.p.must(f.from.WriteRTP(&rtp.Packet{
			Header: rtp.Header{Version: 2, SequenceNumber: f.sent, Timestamp: uint32(f.sent) * 3000}, Payload: make([]byte, 1000),
		}))
	}
}

// Promise: packets that wait for a handler which forwards them leave together when it has seen them all; one that comes alone leaves at once.
func TestForwardedBurstLeavesTogether(t *testing.T) {
	f := newForwarding(t)
	seen := f.viewer.packets.Load()
	f.send(1)
	f.p.until("one packet", func() bool { return f.viewer.packets.Load() == seen+1 })
	if !slices.Equal(*f.sends, []int{1}) {
		t.Errorf("one packet left as %v", *f.sends)
	}
	*f.sends = nil
	busy := f.handler.told + 1
	f.handler.before = func(n int) {
		if n == busy {
			f.p.sleep(20 * time.Millisecond) // meanwhile the others arrive
		}
	}
	f.send(9)
	f.p.until("nine packets", func() bool { return f.viewer.packets.Load() == seen+10 })
	if len(*f.sends) > 2 || slices.Max(*f.sends) < 8 {
		t.Errorf("nine packets, of which eight waited, left as %v", *f.sends)
	}
}

// Promise: what is forwarded leaves on the goroutine that has received it, and the loop of the connection that it is written to is not turned for it.
func TestForwardingTurnsNoLoop(t *testing.T) {
	f := newForwarding(t)
	seen := f.viewer.packets.Load()
	f.turns.Store(0)
	const n = 200
	for range n {
		f.send(1)
		f.p.pass(4 * time.Millisecond)
	}
	f.p.until("the packets", func() bool { return f.viewer.packets.Load() == seen+n })
	if turns := f.turns.Load(); turns > n/4 { // feedback comes twenty times a second, and there are reports and estimates
		t.Errorf("%d packets that were forwarded, each alone, cost %d turns", n, turns)
	}
}

// Promise: a handler that stays does not hold back what it has forwarded already.
func TestForwardedLeavesWhenTheHandlerStays(t *testing.T) {
	f := newForwarding(t)
	seen := f.viewer.packets.Load()
	first := f.handler.told + 1
	var forwarded time.Time
	f.handler.before = func(n int) {
		if n == first {
			f.p.sleep(20 * time.Millisecond)
		}
	}
	f.handler.after = func(n int) {
		if n == first+1 { // others wait behind it
			forwarded = f.p.now()
			f.p.sleep(3 * time.Second)
		}
	}
	f.send(9)
	f.p.until("the packets that were forwarded", func() bool { return f.viewer.packets.Load() == seen+2 })
	if d := f.p.now().Sub(forwarded); d > 100*time.Millisecond {
		t.Errorf("what was forwarded left %v later", d)
	}
	f.p.until("the others", func() bool { return f.viewer.packets.Load() == seen+9 })
}

// Promise: two connections may forward to each other, and to themselves, at the same time.
func TestForwardedToEachOther(t *testing.T) {
	overSockets(t, func(t *testing.T, w *world) {
		here := w.rt(t)
		var ends [2]*taker
		tracks := make([]*webrtc.TrackLocalStaticRTP, 3)
		for i := range tracks {
			var err error
			if tracks[i], err = webrtc.NewTrackLocalStaticRTP(vp8, "video", "stream"); err != nil {
				t.Fatal(err)
			}
		}
		// Both publish, and the middle forwards what either says to both.
		var pcs []*rtc.PeerConnection
		for i := range ends {
			middle := &forwarder{to: tracks[2]}
			ends[i] = &taker{recorder: recorder{name: "end"}}
			a, err := w.builder(here).Handler(middle).Build(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			b, err := w.builder(w.rt(t)).Handler(ends[i]).Build(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			pcs = append(pcs, a, b)
			for pc, track := range map[*rtc.PeerConnection]*webrtc.TrackLocalStaticRTP{a: tracks[2], b: tracks[i]} {
				if _, err := pc.AddTrack(track); err != nil {
					t.Fatal(err)
				}
			}
			negotiate(t, a, b, nil)
		}
		n := uint16(0)
		eventually(t, "much at both ends", func() bool {
			for range 20 {
				n++
				for _, track := range tracks[:2] {
					if err := track.WriteRTP(&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: n}, Payload: make([]byte, 1000)}); err != nil {
						t.Fatal(err)
					}
				}
			}
			return ends[0].packets.Load() > 1000 && ends[1].packets.Load() > 1000
		})
		for _, pc := range pcs {
			pc.Close()
			<-pc.Done()
		}
	})
}
