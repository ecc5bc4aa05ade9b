package browsertest

import (
	"slices"
	"strings"
	"testing"

	"github.com/pion/rtp"
	"github.com/sansrtc/rtc"
)

// section is a negotiated transceiver as either side sees it. Its direction is the page's.
type section struct {
	Mid, Current string
}

var mirrored = map[string]string{"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive", "": "", "unknown": ""}

// sections are those of the page that are negotiated.
func (p *page) sections() (s []section) {
	p.t.Helper()
	p.call(&s, `() => pc.getTransceivers().filter(t => t.mid !== null && t.currentDirection !== "stopped")
		.map(t => ({mid: t.mid, current: t.currentDirection ?? ""})).sort((a, b) => a.mid < b.mid ? -1 : 1)`)
	return s
}

// sections are those of Go that are negotiated.
func (g *mediaPeer) sections() (s []section) {
	for _, t := range g.pc.GetTransceivers() {
		if t.Mid() != "" && !t.Stopped() {
			s = append(s, section{Mid: t.Mid(), Current: mirrored[t.CurrentDirection().String()]})
		}
	}
	slices.SortFunc(s, func(a, b section) int { return strings.Compare(a.Mid, b.Mid) })
	return s
}

// agree fails when the two sides do not see the same sections.
func agree(p *page, g *mediaPeer) {
	p.t.Helper()
	if atPage, atGo := p.sections(), g.sections(); !slices.Equal(atPage, atGo) {
		p.t.Fatalf("the page has the sections %+v, Go %+v", atPage, atGo)
	}
}

// A connection is changed by both sides, one after the other: tracks are added and removed, directions changed, transceivers stopped and
// their sections used again. What was there plays on.
func TestRenegotiation(t *testing.T) {
	t.Parallel()
	p, g := reflecting(t, rtc.MimeTypeVP8)
	p.plays("0", 10)
	p.hums("1")
	agree(p, g)

	again := func(who offerer) {
		t.Helper()
		negotiate(p, g.peer, who)
		agree(p, g)
	}
	current := func(mid, want string) {
		t.Helper()
		for _, s := range p.sections() {
			if s.Mid == mid && s.Current == want {
				return
			}
		}
		t.Fatalf("section %s is not %s: %+v", mid, want, p.sections())
	}

	// The page adds a second video, which Go sends back over the same section.
	p.call(nil, "() => { pc.addTrack(counting(160, 120, 15)); }")
	second := out(t, rtc.MimeTypeVP8, "second")
	g.add(second)
	g.forward("2", second)
	again(browserOffers)
	current("2", "sendrecv")
	p.plays("2", 10)

	// Go adds a third one, which shows the second once more.
	third := out(t, rtc.MimeTypeVP8, "third")
	sender := g.add(third)
	g.route("2", func(packet *rtp.Packet) { second.WriteRTP(packet); third.WriteRTP(packet) })
	again(goOffers)
	current("3", "recvonly")
	p.plays("3", 10)
	p.plays("0", 5)

	// Go removes it again, and then adds it back: the section is used again.
	if err := g.pc.RemoveTrack(sender); err != nil {
		t.Fatal(err)
	}
	again(goOffers)
	current("3", "inactive")
	if err := g.transceiver("3").SetDirection(rtc.RTPTransceiverDirectionSendonly); err != nil {
		t.Fatal(err)
	}
	if err := g.transceiver("3").Sender().ReplaceTrack(third); err != nil {
		t.Fatal(err)
	}
	again(goOffers)
	current("3", "recvonly")
	g.requestKeyframes()
	p.plays("3", 10)

	// The page removes its second video: Go hears that the track ends, and still sends on that section.
	p.call(nil, `() => pc.removeTrack(transceiver("2").sender)`)
	again(browserOffers)
	current("2", "recvonly")

	// Directions, by each side.
	p.call(nil, `() => { transceiver("0").direction = "sendonly"; }`)
	again(browserOffers)
	current("0", "sendonly")
	p.still("0")
	p.call(nil, `() => { transceiver("0").direction = "sendrecv"; }`)
	again(browserOffers)
	current("0", "sendrecv")
	p.plays("0", 10)
	if err := g.transceiver("0").SetDirection(rtc.RTPTransceiverDirectionInactive); err != nil {
		t.Fatal(err)
	}
	again(goOffers)
	current("0", "inactive")
	p.still("0")
	if err := g.transceiver("0").SetDirection(rtc.RTPTransceiverDirectionSendrecv); err != nil {
		t.Fatal(err)
	}
	again(goOffers)
	current("0", "sendrecv")
	p.plays("0", 10)

	// Both stop one of theirs, and the next ones take their place among the sections.
	lines := p.mlines()
	p.call(nil, `() => transceiver("2").stop()`)
	again(browserOffers)
	if err := g.transceiver("3").Stop(); err != nil {
		t.Fatal(err)
	}
	again(goOffers)
	p.call(nil, "() => { pc.addTransceiver(counting(160, 120, 15), {direction: 'sendonly'}); }")
	again(browserOffers)
	if _, err := g.pc.AddTransceiverFromKind(rtc.RTPCodecTypeVideo, rtc.RTPTransceiverInit{Direction: rtc.RTPTransceiverDirectionRecvonly}); err != nil {
		t.Fatal(err)
	}
	again(goOffers)
	if n := p.mlines(); n != lines {
		t.Errorf("the description has %d sections where it had %d", n, lines)
	}
	p.plays("0", 10)
	p.hums("1")
}

// mlines is how many sections the page's description has.
func (p *page) mlines() (n int) {
	p.t.Helper()
	p.call(&n, `() => pc.localDescription.sdp.match(/^m=/gm).length`)
	return n
}

// An offer that is taken back, by either side, leaves nothing, and stops nothing.
func TestMediaRollback(t *testing.T) {
	t.Parallel()
	for _, who := range []offerer{browserOffers, goOffers} {
		t.Run(string(who), func(t *testing.T) {
			p, g := reflecting(t, rtc.MimeTypeVP8)
			p.plays("0", 10)
			rollback := rtc.SessionDescription{Type: rtc.SDPTypeRollback}
			before := g.sections()
			extra := out(t, rtc.MimeTypeVP8, "extra")
			if who == browserOffers {
				p.call(nil, "() => { pc.addTrack(counting(320, 240, 10)); }")
				g.remote(p.local(false))
				if n := len(g.pc.GetTransceivers()); n != 3 {
					t.Errorf("Go has %d transceivers", n)
				}
				p.call(nil, "() => pc.setLocalDescription({type: 'rollback'})")
				g.remote(rollback)
				if n := len(g.pc.GetTransceivers()); n != 2 {
					t.Errorf("after the rollback Go has %d transceivers", n)
				}
			} else {
				g.add(extra)
				p.call(nil, "remote", g.offer(nil))
				if err := g.pc.SetLocalDescription(rollback); err != nil {
					t.Fatal(err)
				}
				p.call(nil, "remote", map[string]string{"type": "rollback"})
			}
			agree(p, g)
			if after := g.sections(); !slices.Equal(before, after) {
				t.Errorf("the sections were %+v and are %+v", before, after)
			}
			p.plays("0", 10)
			// The other side's offer goes through now, and then what was taken back.
			if who == browserOffers {
				negotiate(p, g.peer, goOffers)
				g.add(extra)
				negotiate(p, g.peer, browserOffers)
			} else {
				negotiate(p, g.peer, browserOffers)
				p.call(nil, "() => { pc.addTrack(counting(320, 240, 10)); }")
				negotiate(p, g.peer, goOffers)
			}
			var mid string
			p.call(&mid, "() => pc.getTransceivers()[2].mid")
			g.forward(mid, extra)
			agree(p, g)
			p.plays(mid, 10)
			p.plays("0", 10)
		})
	}
}
