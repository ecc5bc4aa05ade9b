package browsertest

import (
	"context"
	"encoding/binary"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime"
	"github.com/sansrtc/rtc/runtime/std"
)

// tap is the default runtime with somebody who looks at its checks.
type tap struct {
	runtime.Runtime
	mu       sync.Mutex
	sent     embedded
	received embedded
}

// embedded counts STUN messages: all, those that acknowledge datagrams of DTLS (0xC071), and those that carry one (0xC070).
type embedded struct{ messages, acknowledging, carrying int }

func (t *tap) count(e *embedded, d *runtime.Datagrams) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for b := d.Data; len(b) > 0; {
		n := len(b)
		if d.SegmentSize > 0 {
			n = min(n, d.SegmentSize)
		}
		e.add(b[:n])
		b = b[n:]
	}
}

func (e *embedded) add(b []byte) {
	if b[0] > 3 || len(b) < 20 {
		return
	}
	e.messages++
	for b = b[20:]; len(b) >= 4; {
		switch binary.BigEndian.Uint16(b) {
		case 0xc070:
			e.carrying++
		case 0xc071:
			e.acknowledging++
		}
		b = b[min(len(b), 4+(int(binary.BigEndian.Uint16(b[2:]))+3)&^3):]
	}
}

func (t *tap) Spawn(loop runtime.Loop) (runtime.Host, error) {
	l := &tappedLoop{Loop: loop, tap: t, sockets: map[runtime.UDPSocket]*tappedSocket{}}
	host, err := t.Runtime.Spawn(l)
	if err != nil {
		return nil, err
	}
	return &tappedHost{host, l}, nil
}

type tappedHost struct {
	runtime.Host
	loop *tappedLoop
}

func (h *tappedHost) ListenUDP(ctx context.Context, local netip.AddrPort) (runtime.UDPSocket, error) {
	h.loop.mu.Lock() // nothing is received before the socket is known
	defer h.loop.mu.Unlock()
	s, err := h.Host.ListenUDP(ctx, local)
	if err != nil {
		return nil, err
	}
	h.loop.sockets[s] = &tappedSocket{s, h.loop.tap}
	return h.loop.sockets[s], nil
}

type tappedLoop struct {
	runtime.Loop
	tap     *tap
	mu      sync.Mutex
	sockets map[runtime.UDPSocket]*tappedSocket
}

func (l *tappedLoop) socket(s runtime.UDPSocket) runtime.UDPSocket {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sockets[s]
}

func (l *tappedLoop) Receive(now time.Time, s runtime.UDPSocket, d *runtime.Datagrams) {
	l.tap.count(&l.tap.received, d)
	l.Loop.Receive(now, l.socket(s), d)
}

func (l *tappedLoop) SocketFailed(now time.Time, s runtime.UDPSocket, err error) {
	l.Loop.SocketFailed(now, l.socket(s), err)
}

type tappedSocket struct {
	runtime.UDPSocket
	tap *tap
}

func (s *tappedSocket) Send(d *runtime.Datagrams) error {
	s.tap.count(&s.tap.sent, d)
	return s.UDPSocket.Send(d)
}

// Chromium's SPED, which is behind a field trial: both offer it, it takes our handshake out of checks and we its, in both roles, with SNAP and without. Without
// the trial nothing is embedded.
func TestSPED(t *testing.T) {
	for _, tc := range []struct {
		name   string
		flags  map[string]any
		embeds bool
		short  bool // Chromium's ClientHello fits into one check
	}{
		{"SPED", map[string]any{"force-fieldtrials": "WebRTC-IceHandshakeDtls/Enabled/"}, true, false},
		{"SPED and SNAP", map[string]any{"force-fieldtrials": "WebRTC-IceHandshakeDtls/Enabled/WebRTC-Sctp-Snap/Enabled/"}, true, false},
		{"SPED, no post-quantum key share", map[string]any{"force-fieldtrials": "WebRTC-IceHandshakeDtls/Enabled/", "disable-features": "WebRtcPqcForDtls"}, true, true},
		{"default", nil, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := launchChromium(t, tc.flags)
			for _, role := range []rtc.DTLSRole{rtc.DTLSRoleAuto, rtc.DTLSRoleClient} {
				forBoth(t, func(t *testing.T, who offerer) {
					w := &tap{Runtime: std.New(std.Config{})}
					p, g := c.openPeer(t), unconnected(t)
					g.build(rtc.NewBuilder().Runtime(w).DTLS(rtc.DTLSOptions{AnsweringRole: role}).Handler(g))
					if who == browserOffers {
						p.call(nil, "create", "first", nil)
					} else {
						g.create("first", nil)
					}
					start := time.Now()
					negotiate(p, g, who)
					g.until(rtc.PeerConnectionStateConnected)
					t.Logf("answering as %v: connected after %v", role, time.Since(start).Round(time.Millisecond))
					p.next("first", "open")
					g.next("first", "open")
					exchange(p, g)
					w.mu.Lock()
					sent, received := w.sent, w.received
					w.mu.Unlock()
					t.Logf("sent %+v, received %+v", sent, received)
					client := who == browserOffers && role == rtc.DTLSRoleClient
					switch embeds := sent.acknowledging > 0 && received.carrying > 0 && received.acknowledging > 0; {
					case embeds != tc.embeds:
						t.Errorf("the handshake is in checks: %v; sent %+v, received %+v", embeds, sent, received)
					case tc.embeds && sent.carrying == 0 && (client || tc.short):
						// Else Chromium's ClientHello comes in two parts, and there is a path when both have come.
						t.Errorf("ours is not; sent %+v, received %+v", sent, received)
					}
					setup := "passive"
					if client || who == browserOffers && !tc.embeds {
						setup = "active"
					}
					if sdp := g.pc.LocalDescription().SDP; who == browserOffers && !strings.Contains(sdp, "a=setup:"+setup) {
						t.Errorf("the answer has no a=setup:%s:\n%s", setup, sdp)
					}
				})
			}
		})
	}
}
