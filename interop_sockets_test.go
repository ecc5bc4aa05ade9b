package rtc_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/sansrtc/rtc"
)

// ownPlaces are the places on this machine that both sides can be at over real sockets: each of its addresses, and all.
func ownPlaces(t testing.TB) map[string]place {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	const deadline = time.Minute
	places := map[string]place{"all": {
		ours: func(b rtc.Builder) rtc.Builder { return b.ICE(rtc.ICEOptions{IncludeLoopback: true}) },
		theirs: func(e *webrtc.SettingEngine) {
			e.SetIncludeLoopbackCandidate(true)
			e.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6})
		},
		deadline: deadline,
	}}
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		if err != nil || p.Addr() == netip.IPv6Loopback() || p.Addr().IsLinkLocalUnicast() {
			continue // pion does not gather these
		}
		addr := p.Addr()
		places[addr.String()] = place{
			ours: func(b rtc.Builder) rtc.Builder { return b.ListenAddrs(netip.AddrPortFrom(addr, 0).String()) },
			theirs: func(e *webrtc.SettingEngine) {
				e.SetIncludeLoopbackCandidate(true)
				e.SetIPFilter(func(ip net.IP) bool { return ip.Equal(addr.AsSlice()) })
			},
			deadline: deadline,
		}
	}
	return places
}

// Over the operating system's sockets, on each address of the machine and on all, whoever offers: channels of all kinds work, and nothing is left
// behind.
func TestInteropSockets(t *testing.T) {
	for where, at := range ownPlaces(t) {
		for _, offerer := range eitherSide {
			for _, trickle := range []bool{false, true} {
				before := goroutines(t)
				t.Run(fmt.Sprintf("%s/offerer=%s/trickle=%v", where, offerer, trickle), func(t *testing.T) {
					m := meet(t, at, terms{trickle: trickle})
					m.allKinds(m.side(offerer))
				})
				wantGoroutines(t, "no goroutine is left", before)
			}
		}
	}
}

// An ICE restart over real sockets, where each side's restart uses the same sockets or new ones as it likes.
func TestInteropSocketsICERestart(t *testing.T) {
	for _, restarter := range eitherSide {
		t.Run("restarter="+restarter, func(t *testing.T) {
			m := meet(t, ownPlaces(t)["127.0.0.1"], terms{trickle: true})
			m.connect(m.us)
			stop := m.flow("first")
			for range 2 {
				m.negotiate(m.side(restarter), &webrtc.OfferOptions{ICERestart: true})
				m.flows("first", 5*pace)
			}
			stop()
			m.wantNothingButConnected()
		})
	}
}

// When one side closes its connection the other hears that it is closed, not that it is lost, and so are its channels, without an error.
func TestInteropConnectionCloses(t *testing.T) {
	for _, closer := range eitherSide {
		for _, role := range []webrtc.DTLSRole{webrtc.DTLSRoleClient, webrtc.DTLSRoleServer} {
			t.Run(fmt.Sprintf("closer=%s/answerer=%v", closer, role), func(t *testing.T) {
				m := meet(t, ownPlaces(t)["127.0.0.1"], terms{theirs: func(e *webrtc.SettingEngine) { _ = e.SetAnsweringDTLSRole(role) }})
				by := m.side(closer)
				other := m.other(by)
				m.connect(m.us)
				m.exchange("first", true)
				m.understood()
				m.must(by.Close())
				m.until("closed at the other side", func() bool {
					return other.ear.state() == webrtc.PeerConnectionStateClosed && other.ear.closedChannel("first")
				})
				other.ear.mu.Lock()
				defer other.ear.mu.Unlock()
				for _, lost := range []webrtc.PeerConnectionState{webrtc.PeerConnectionStateDisconnected, webrtc.PeerConnectionStateFailed} {
					if slices.Contains(other.ear.states, lost) {
						t.Errorf("the other side heard %v", other.ear.states)
					}
				}
				if other == m.us {
					<-m.ours.Done()
					if len(m.us.ear.errs) > 0 {
						t.Errorf("we heard %v", m.us.ear.errs)
					}
				}
			})
		}
	}
}

const floodMessage = 64 << 10

// floodSize is how much goes each way in TestInteropFlood.
func floodSize() int {
	if underRace {
		return 8 << 20
	}
	return 100 << 20
}

// floodSource gives messages of pseudo-random bytes, each with its number, and sums them.
type floodSource struct {
	rng *rand.ChaCha8
	sum hash.Hash
	buf []byte
	n   uint64
}

func newFloodSource(seed byte) *floodSource {
	return &floodSource{rng: rand.NewChaCha8([32]byte{seed}), sum: sha256.New(), buf: make([]byte, floodMessage)}
}

func (d *floodSource) next() []byte {
	_, _ = d.rng.Read(d.buf) // it never fails
	binary.BigEndian.PutUint64(d.buf, d.n)
	d.n++
	d.sum.Write(d.buf)
	return d.buf
}

// floodSink sums what arrives, and closes done when it is all.
type floodSink struct {
	sum  hash.Hash
	left int
	done chan struct{}
}

func (s *floodSink) take(b []byte) {
	s.sum.Write(b)
	if s.left -= len(b); s.left <= 0 {
		close(s.done)
	}
}

// 100 MiB each way at the same time, over real sockets, arrive as they were sent.
func TestInteropFlood(t *testing.T) {
	m := meet(t, ownPlaces(t)["127.0.0.1"], terms{})
	near, far := m.connect(m.us)
	ours, theirs := near.(*rtc.DataChannel), far.(*webrtc.DataChannel)
	atUs := &floodSink{sha256.New(), floodSize(), make(chan struct{})}
	atPion := &floodSink{sha256.New(), floodSize(), make(chan struct{})}
	theirs.OnMessage(func(msg webrtc.DataChannelMessage) { atPion.take(msg.Data) })
	messages := ours.Messages(m.ctx)
	go func() {
		for msg, err := range messages {
			if err != nil {
				return // the test ends otherwise
			}
			atUs.take(msg.Data)
		}
	}()

	start := time.Now()
	fromUs, fromPion := newFloodSource(1), newFloodSource(2)
	sent := make(chan error, 2)
	go func() { sent <- sendFlood(fromUs, func(b []byte) error { return ours.SendContext(m.ctx, b) }) }()
	go func() { sent <- sendFlood(fromPion, pionSend(m.ctx, theirs)) }()
	for range 2 {
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
	}
	for name, s := range map[string]*floodSink{"us": atUs, "pion": atPion} {
		select {
		case <-s.done:
		case <-m.ctx.Done():
			t.Fatalf("%d bytes have not arrived at %s", s.left, name)
		}
	}
	took := time.Since(start)
	t.Logf("%d MiB each way in %v, %.0f MB/s together", floodSize()>>20, took.Round(time.Millisecond), 2*float64(floodSize())/1e6/took.Seconds())
	if [32]byte(atUs.sum.Sum(nil)) != [32]byte(fromPion.sum.Sum(nil)) || [32]byte(atPion.sum.Sum(nil)) != [32]byte(fromUs.sum.Sum(nil)) {
		t.Error("what arrived is not what was sent")
	}
	m.understood()
}

func sendFlood(d *floodSource, send func([]byte) error) error {
	for range floodSize() / floodMessage {
		if err := send(d.next()); err != nil {
			return err
		}
	}
	return nil
}

// pionSend is Send that waits while a lot is buffered.
func pionSend(ctx context.Context, dc *webrtc.DataChannel) func([]byte) error {
	const high, low = 4 << 20, 1 << 20
	room := make(chan struct{}, 1)
	dc.SetBufferedAmountLowThreshold(low)
	dc.OnBufferedAmountLow(func() {
		select {
		case room <- struct{}{}:
		default: // it has not looked yet
		}
	})
	return func(b []byte) error {
		for dc.BufferedAmount() > high {
			select {
			case <-room:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return dc.Send(b)
	}
}
