package browsertest

import (
	"slices"
	"strings"
	"testing"

	"github.com/sansrtc/rtc"
)

// Stock Chromium hides the addresses of its host candidates behind .local names, which nobody here resolves, and these connections are
// made before it has gathered any: Go's candidates suffice, the browser's are found as peer-reflexive ones.
func TestConnect(t *testing.T) {
	c := sharedChromium(t)
	forBoth(t, func(t *testing.T, who offerer) {
		p, g := connect(t, c, who)
		var r struct{ Local, Remote, TLSVersion, DTLSCipher, DTLSRole string }
		p.call(&r, "route")
		if r.TLSVersion != "FEFD" && r.TLSVersion != "FEFC" { // DTLS 1.2, 1.3
			t.Errorf("the page speaks TLS version %q", r.TLSVersion)
		}
		t.Logf("%+v", r)

		g.pc.Close()
		g.next("first", "close")
		g.until(rtc.PeerConnectionStateClosed)
	})
}

// All candidates of the browser come, .local ones among them, in the description or one by one.
func TestMDNSCandidatesDoNotMatter(t *testing.T) {
	c := sharedChromium(t)
	t.Run("in the description", func(t *testing.T) {
		p, g := c.openPeer(t), newPeer(t)
		p.call(nil, "create", "first", nil)
		offer := p.local(true)
		if !strings.Contains(offer.SDP, ".local ") {
			t.Fatalf("Chromium's offer has no .local candidate:\n%s", offer.SDP)
		}
		g.remote(offer)
		p.call(nil, "remote", g.answer())
		g.until(rtc.PeerConnectionStateConnected)
		p.next("first", "open")
	})
	t.Run("one by one", func(t *testing.T) {
		p, g := c.openPeer(t), newPeer(t)
		p.call(nil, "create", "first", nil)
		g.remote(p.local(false))
		answer := g.answer()
		local := 0
		for {
			var cand *rtc.ICECandidateInit
			p.call(&cand, "() => candidates.take()")
			if cand == nil {
				break
			}
			if strings.Contains(cand.Candidate, ".local ") {
				local++
			}
			if err := g.pc.AddICECandidate(*cand); err != nil {
				t.Errorf("AddICECandidate(%q): %v", cand.Candidate, err)
			}
		}
		if local == 0 {
			t.Error("Chromium gave no .local candidate")
		}
		p.call(nil, "remote", answer)
		g.until(rtc.PeerConnectionStateConnected)
		p.next("first", "open")
	})
}

// Go's candidates may come one by one as well.
func TestGoTrickles(t *testing.T) {
	p, g := sharedChromium(t).openPeer(t), newPeer(t)
	p.call(nil, "create", "first", nil)
	g.remote(p.local(false))
	answer := g.answer()
	answer.SDP = withoutCandidates(answer.SDP)
	p.call(nil, "remote", answer)
	for {
		cand, ok := g.candidates.take()
		if !ok {
			t.Fatal("Go's candidates did not end")
		}
		if cand == nil {
			break
		}
		p.call(nil, "c => pc.addIceCandidate(c)", cand.ToJSON())
	}
	p.next("first", "open")
	g.next("first", "open")
}

// withoutCandidates is sdp without its candidate lines.
func withoutCandidates(sdp string) string {
	var b strings.Builder
	for line := range strings.Lines(sdp) {
		if !strings.HasPrefix(line, "a=candidate:") && !strings.HasPrefix(line, "a=end-of-candidates") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// The features that Chromium has behind flags do not break a connection: SPED (DTLS in STUN) offered, post-quantum key shares not offered; and SNAP (SCTP
// INIT in SDP), which both have then. Without the flag Chromium skips our line.
func TestFieldTrials(t *testing.T) {
	for _, tc := range []struct {
		name   string
		flags  map[string]any
		marks  []string // what the offer shows of it
		absent []string
	}{
		{
			name:  "SPED and SNAP",
			flags: map[string]any{"force-fieldtrials": "WebRTC-IceHandshakeDtls/Enabled/WebRTC-Sctp-Snap/Enabled/"},
			marks: []string{"a=sctp-init:", " sped"},
		},
		{
			name:   "SNAP",
			flags:  map[string]any{"enable-blink-features": "WebRtcSctpSnap"},
			marks:  []string{"a=sctp-init:"},
			absent: []string{" sped"},
		},
		{
			name:   "no post-quantum key share",
			flags:  map[string]any{"disable-features": "WebRtcPqcForDtls"},
			absent: []string{"a=sctp-init:", " sped"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := launchChromium(t, tc.flags)
			forBoth(t, func(t *testing.T, who offerer) {
				p, g := connect(t, c, who)
				var sdp string
				p.call(&sdp, "async () => { const pc = new RTCPeerConnection(); pc.createDataChannel('x'); return (await pc.createOffer()).sdp }")
				for _, mark := range tc.marks {
					if !strings.Contains(sdp, mark) {
						t.Errorf("Chromium's offer has no %q: the flag does nothing\n%s", mark, sdp)
					}
				}
				for _, mark := range tc.absent {
					if strings.Contains(sdp, mark) {
						t.Errorf("Chromium's offer has %q", mark)
					}
				}
				const line = "a=sctp-init:"
				snap := slices.Contains(tc.marks, line)
				if got := strings.Contains(g.pc.RemoteDescription().SDP, line); got != snap {
					t.Errorf("Chromium's description has %q: %v", line, got)
				}
				if got := strings.Contains(g.pc.LocalDescription().SDP, line); got != (snap || who == goOffers) {
					t.Errorf("our description has %q: %v", line, got)
				}
				exchange(p, g)
				p.call(nil, "create", "second", nil)
				g.next("second", "open")
				p.next("second", "open")
			})
		})
	}
}

// exchange sends a message of some packets' size each way over the first channel.
func exchange(p *page, g *peer) {
	p.t.Helper()
	const n = 10000
	p.call(nil, "sendPattern", "first", n, false)
	if e := g.next("first", "message"); sum(e.data) != sum(pattern(n)) {
		p.t.Errorf("Go got %d bytes that differ from those sent", len(e.data))
	}
	g.send("first", pattern(n), false)
	if h := p.next("first", "message"); h.SHA256 != sum(pattern(n)) {
		p.t.Errorf("the page got %d bytes that differ from those sent", h.Size)
	}
}

// The connection ends at one side's word; the other side hears of it at once and not by a timeout.
func TestCloseOfTheConnection(t *testing.T) {
	c := sharedChromium(t)
	t.Run("by the browser", func(t *testing.T) {
		p, g := connect(t, c, browserOffers)
		p.call(nil, "() => pc.close()")
		g.ends("first")
	})
	t.Run("by the page going away", func(t *testing.T) {
		p, g := connect(t, c, browserOffers)
		p.call(nil, "() => { onpagehide = () => pc.close(); setTimeout(() => location.href = 'about:blank') }")
		g.ends("first")
	})
	t.Run("by Go", func(t *testing.T) {
		p, g := connect(t, c, browserOffers)
		g.pc.Close()
		for {
			var h heard
			p.call(&h, "next", "first")
			if h.Kind == "close" {
				break
			}
			if h.Kind != "closing" && h.Kind != "error" { // W3C has an error event when the transport ends under a channel
				t.Fatalf("the page heard %s", h.Kind)
			}
		}
		g.next("first", "close")
		g.until(rtc.PeerConnectionStateClosed)
	})
}

// An ICE restart changes both sides' credentials and nothing else: the channel stays open and loses nothing.
func TestICERestart(t *testing.T) {
	c := sharedChromium(t)
	for _, by := range []string{"the browser", "Go"} {
		t.Run("by "+by, func(t *testing.T) {
			forBoth(t, func(t *testing.T, who offerer) {
				p, g := connect(t, c, who)
				exchange(p, g)
				oldPage, oldGo := p.ufrag(), ufrag(g.pc.LocalDescription().SDP)

				// Messages cross while it happens.
				const during = 50
				for i := range during {
					p.call(nil, "sendPattern", "first", 1000+i, false)
					if i == during/2 {
						if by == "Go" {
							p.call(nil, "remote", g.offer(&rtc.OfferOptions{ICERestart: true}))
							g.remote(p.local(false))
						} else {
							p.call(nil, "() => pc.restartIce()")
							g.remote(p.local(false))
							p.call(nil, "remote", g.answer())
						}
					}
				}
				for i := range during {
					if e := g.next("first", "message"); sum(e.data) != sum(pattern(1000+i)) {
						t.Fatalf("message %d is not the one that was sent", i)
					}
				}
				if u := p.ufrag(); u == oldPage {
					t.Errorf("the page's ufrag is still %q", u)
				}
				if u := ufrag(g.pc.LocalDescription().SDP); u == oldGo {
					t.Errorf("Go's ufrag is still %q", u)
				}
				p.call(nil, `() => new Promise(resolve => {
					const look = () => { if (["connected", "completed"].includes(pc.iceConnectionState)) resolve(); };
					pc.addEventListener("iceconnectionstatechange", look);
					look();
				})`)
				exchange(p, g)
			})
		})
	}
}

func (p *page) ufrag() string {
	p.t.Helper()
	var sdp string
	p.call(&sdp, "() => pc.localDescription.sdp")
	return ufrag(sdp)
}

func ufrag(sdp string) string {
	for line := range strings.Lines(sdp) {
		if u, ok := strings.CutPrefix(line, "a=ice-ufrag:"); ok {
			return strings.TrimSpace(u)
		}
	}
	return ""
}

// ends waits until Go has heard that the peer closed the connection: its channel closes.
func (p *peer) ends(label string) {
	p.t.Helper()
	for {
		e, ok := p.box(label).take()
		if !ok {
			p.t.Fatal("Go did not hear that the connection ended")
		}
		switch e.kind {
		case "close":
			return
		case "closing", "error":
		default:
			p.t.Fatalf("Go heard %s", e.kind)
		}
	}
}
