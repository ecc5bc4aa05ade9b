package browsertest

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sansrtc/rtc"
)

// signal is what perfect negotiation's two sides send each other.
type signal struct {
	Description *rtc.SessionDescription `json:"description,omitempty"`
	Candidate   *rtc.ICECandidateInit   `json:"candidate,omitempty"`
}

// negotiator is Go's side of W3C's perfect negotiation (webrtc-pc section 10.7), and what carries its messages.
type negotiator struct {
	p      *page
	g      *mediaPeer
	polite bool
	toPage *mailbox[signal]

	mu sync.Mutex // a description is applied, and what follows from it said, before the next

	goOffers, pageOffers, collisions, busy atomic.Int32
}

// perfect makes both sides negotiate by themselves from now on.
func perfect(p *page, g *mediaPeer, politeGo bool) *negotiator {
	p.t.Helper()
	n := &negotiator{p: p, g: g, polite: politeGo, toPage: newMailbox[signal]()}
	g.mu.Lock()
	g.needed = n.offer
	g.mu.Unlock()
	p.call(nil, "perfect", !politeGo)
	end := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		for {
			select {
			case <-end:
				return
			case <-n.toPage.wake:
			}
			for {
				s, ok := n.toPage.poll()
				if !ok {
					break
				}
				if err := p.try(nil, "signalled", s); err != nil {
					p.t.Errorf("the page: %v", err)
				}
				n.busy.Add(-1)
			}
		}
	})
	running.Go(func() {
		for {
			select {
			case <-end:
				return
			default:
			}
			var got []signal
			if err := p.try(&got, "signalsOfPage"); err != nil {
				p.t.Errorf("the page's signals: %v", err)
				return
			}
			for _, s := range got {
				n.heard(s)
			}
		}
	})
	p.t.Cleanup(func() { close(end); running.Wait() })
	return n
}

func (n *negotiator) send(s signal) {
	n.busy.Add(1)
	n.toPage.put(s)
}

// offer is called in the handler of negotiation-needed.
func (n *negotiator) offer() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.g.pc.SignalingState() != rtc.SignalingStateStable {
		return // an offer of the page came first; what is still needed after its answer is told again
	}
	if err := n.g.pc.SetLocalDescription(rtc.SessionDescription{}); err != nil {
		n.g.t.Errorf("SetLocalDescription in OnNegotiationNeeded: %v", err)
		return
	}
	n.goOffers.Add(1)
	n.send(signal{Description: n.g.pc.LocalDescription()})
}

// heard is called with what the page says.
func (n *negotiator) heard(s signal) {
	n.mu.Lock()
	defer n.mu.Unlock()
	pc := n.g.pc
	if s.Candidate != nil {
		// Candidates of an offer that was ignored, or of another generation, may come late, or before any description; there is no place for them.
		now := pc.RemoteDescription()
		if err := pc.AddICECandidate(*s.Candidate); err != nil && now != nil && *s.Candidate.UsernameFragment == ufrag(now.SDP) {
			n.g.t.Errorf("AddICECandidate(%q): %v", s.Candidate.Candidate, err)
		}
		return
	}
	offer := s.Description.Type == rtc.SDPTypeOffer
	if offer {
		n.pageOffers.Add(1)
	}
	collision := offer && pc.SignalingState() != rtc.SignalingStateStable
	if collision {
		n.collisions.Add(1)
	}
	if collision && !n.polite {
		return
	}
	if err := pc.SetRemoteDescription(*s.Description); err != nil {
		n.g.t.Errorf("SetRemoteDescription: %v\n%s", err, s.Description.SDP)
		return
	}
	if offer {
		if err := pc.SetLocalDescription(rtc.SessionDescription{}); err != nil {
			n.g.t.Errorf("SetLocalDescription: %v", err)
			return
		}
		n.send(signal{Description: pc.LocalDescription()})
	}
}

// settle waits until both sides are stable and see the same sections, have nothing to say for a while.
func (n *negotiator) settle() {
	n.p.t.Helper()
	late := time.After(patience)
	for quiet, offers := 0, int32(-1); quiet < 5; {
		var page string
		n.p.call(&page, "doing") // it takes a moment
		now := n.goOffers.Load() + n.pageOffers.Load()
		atPage, atGo := n.p.sections(), n.g.sections()
		if page == "" && n.busy.Load() == 0 && now == offers && n.g.pc.SignalingState() == rtc.SignalingStateStable && slices.Equal(atPage, atGo) {
			quiet++
		} else {
			quiet = 0
		}
		offers = now
		select {
		case <-late:
			n.p.t.Fatalf("the two sides do not find together: the page is %s, Go is %s, the page has %+v, Go %+v",
				page, n.g.pc.SignalingState(), atPage, atGo)
		default:
		}
	}
}

// Both sides change their part at the same time, again and again, and find together by perfect negotiation, whichever of them is the polite
// one. What comes meanwhile is decoded on; it is not asked whether it is shown, because Chromium 156, also between pages of its own, shows nothing
// more of a track that it had when it takes back its own offer for the other side's.
func TestGlare(t *testing.T) {
	t.Parallel()
	for _, who := range []string{"the page", "Go"} {
		t.Run(who+" is polite", func(t *testing.T) {
			p, g := mediaChromium(t).openMedia(t), newMediaPeer(t)
			n := perfect(p, g, who == "Go")
			video := out(t, rtc.MimeTypeVP8, "video")
			both := func(page string, change func() error) {
				t.Helper()
				done := make(chan error)
				go func() { done <- p.try(nil, page) }()
				if err := change(); err != nil {
					t.Fatal(err)
				}
				if err := <-done; err != nil {
					t.Fatal(err)
				}
				n.settle()
			}
			both("() => { pc.addTrack(counting(320, 240, 15)); }", func() error { _, err := g.pc.AddTrack(video); return err })
			var mid string
			p.call(&mid, "() => pc.getTransceivers()[0].mid")
			g.forward(mid, video)
			p.plays(mid, 10)
			for range 3 {
				extra := out(t, rtc.MimeTypeOpus, "extra")
				var sender *rtc.RTPSender
				both(`() => { pc.addTransceiver("video", {direction: "recvonly"}); }`, func() (err error) { sender, err = g.pc.AddTrack(extra); return err })
				both(`() => { pc.getTransceivers().at(-1).direction = "inactive"; }`, func() error { g.pc.RestartICE(); return nil })
				both("() => pc.restartIce()", func() error { return g.pc.RemoveTrack(sender) })
				// Data channels are not among it: Chromium 156 forgets one whose offer is rolled back, and offers for ever, also to itself.
				both("() => pc.getTransceivers().at(-1).stop()", func() error {
					_, err := g.pc.AddTransceiverFromKind(rtc.RTPCodecTypeAudio)
					return err
				})
			}
			p.decodes(mid, 10)
			t.Logf("%d offers of Go, %d of the page, %d crossed", n.goOffers.Load(), n.pageOffers.Load(), n.collisions.Load())
		})
	}
}
