package browsertest

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pion/rtp"
	"github.com/sansrtc/rtc"
)

// What the page sends comes back as it was: pictures whose numbers grow, in the codec that was asked for, and the tone; whoever offers.
func TestReflect(t *testing.T) {
	t.Parallel()
	for _, codec := range codecs {
		t.Run(codec.name, func(t *testing.T) {
			p, g := reflecting(t, codec.mime)
			if v := p.plays("0", 20); v.Codec != codec.mime || v.Width != 320 || v.Height != 240 {
				t.Errorf("the page sees %+v", v)
			}
			p.hums("1")
			if c := g.track("0").Codec(); !strings.EqualFold(c.MimeType, codec.mime) {
				t.Errorf("Go receives %s", c.MimeType)
			}
		})
	}
	t.Run("Go offers", func(t *testing.T) {
		p, g := mediaChromium(t).openMedia(t), newMediaPeer(t)
		video, audio := out(t, rtc.MimeTypeVP9, "video"), out(t, rtc.MimeTypeOpus, "audio")
		sender := g.add(video)
		g.add(audio)
		g.forward("0", video)
		g.forward("1", audio)
		codecs := slices.DeleteFunc(sender.GetParameters().Codecs, func(c rtc.RTPCodecParameters) bool { return c.MimeType != rtc.MimeTypeVP9 })
		if err := g.pc.GetTransceivers()[0].SetCodecPreferences(codecs); err != nil {
			t.Fatal(err)
		}
		p.call(nil, "() => { pc.addTrack(counting(320, 240, 15)); pc.addTrack(hum()); }")
		negotiate(p, g.peer, goOffers)
		if v := p.plays("0", 20); v.Codec != rtc.MimeTypeVP9 {
			t.Errorf("the page sees %+v", v)
		}
		p.hums("1")
	})
}

// The camera and the microphone, as a person would use them, beside a data channel; and what it looks like.
func TestCamera(t *testing.T) {
	t.Parallel()
	p, g := mediaChromium(t).openMedia(t), newMediaPeer(t)
	video, audio := out(t, rtc.MimeTypeVP8, "video"), out(t, rtc.MimeTypeOpus, "audio")
	g.add(video)
	g.add(audio)
	g.forward("1", video) // getUserMedia's stream has its audio track first
	g.forward("0", audio)
	p.call(nil, `async () => {
		const stream = await camera(true, true);
		for (const track of [...stream.getAudioTracks(), ...stream.getVideoTracks()]) pc.addTrack(track, stream);
		create("first");
	}`)
	negotiate(p, g.peer, browserOffers)
	p.call(nil, "moves", "1", 10)
	p.call(nil, "sounds", "0", 9600)
	p.next("first", "open")
	g.next("first", "open")
	exchange(p, g.peer)
	p.call(nil, "moves", "1", 10)
	p.picture("reflect")
	p.frame("1", "reflect, the frame")
}

// frame leaves what a section's element shows in the folder that SCREENSHOTS names.
func (p *page) frame(mid, name string) {
	p.t.Helper()
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		return
	}
	var s string
	p.call(&s, "picture", mid)
	png, err := base64.StdEncoding.DecodeString(s)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644)
	}
	if err != nil {
		p.t.Error(err)
	}
}

// What the two sides tell each other by RTCP is understood: Go's reports and transport-wide feedback by Chromium, and Chromium's by Go.
func TestReports(t *testing.T) {
	t.Parallel()
	p, g := reflecting(t, rtc.MimeTypeVP8)
	p.plays("0", 10)
	for _, kind := range []string{"audio", "video"} {
		var r struct{ RoundTripTime, FractionLost, PacketsLost float64 }
		p.call(&r, "record", "remote-inbound-rtp", kind, "roundTripTimeMeasurements")
		if r.PacketsLost != 0 || r.FractionLost != 0 || r.RoundTripTime > 1 {
			t.Errorf("from Go's receiver reports Chromium has %+v for %s", r, kind)
		}
	}
	var s struct{ PacketsSent, BytesSent float64 }
	p.call(&s, "record", "remote-outbound-rtp", "audio", "reportsSent")
	if s.PacketsSent == 0 || s.BytesSent == 0 {
		t.Errorf("from Go's sender reports Chromium has %+v", s)
	}
	// Without feedback Chromium's estimate stays at the 300 kbit/s that it begins with.
	p.call(nil, `() => eventually(async () => {
		for (const s of (await pc.getStats()).values()) if (s.type === "candidate-pair" && s.availableOutgoingBitrate > 400000) return true;
		return null;
	})`)
	if bps, ok := g.estimates.take(); !ok || bps < 10_000 {
		t.Errorf("Go's bandwidth estimate is %d bit/s (told: %v)", bps, ok)
	}
}

// A decoder that has seen no keyframe asks for one, and gets it through Go: the page's PLI reaches us, and ours the page.
func TestKeyframeRequests(t *testing.T) {
	t.Parallel()
	p, g := mediaChromium(t).openMedia(t), newMediaPeer(t)
	video := out(t, rtc.MimeTypeVP8, "video")
	g.add(video)
	began := make(chan struct{})
	n := 0
	g.route("0", func(packet *rtp.Packet) {
		if n++; n == 30 {
			close(began)
		}
		if n >= 30 { // by then all the first keyframe is over
			video.WriteRTP(packet)
		}
	})
	p.call(nil, "() => { pc.addTrack(counting(320, 240, 15)); }")
	negotiate(p, g.peer, browserOffers)
	<-began
	if mid, ok := g.keyframes.take(); !ok || mid != "0" {
		t.Fatalf("a keyframe was asked for in section %q (asked: %v)", mid, ok)
	}
	p.plays("0", 10)
	var s []struct{ PLICount, KeyFramesEncoded float64 }
	p.call(&s, "outbound", "0")
	if s[0].PLICount == 0 || s[0].KeyFramesEncoded < 2 {
		t.Errorf("the page sent %+v", s[0])
	}
}

// replaceTrack needs no negotiation: with null nothing is sent, and with another track the same stream goes on.
func TestReplaceTrack(t *testing.T) {
	t.Parallel()
	t.Run("by Go", func(t *testing.T) {
		p, g := reflecting(t, rtc.MimeTypeVP8)
		p.plays("0", 10)
		sender := g.transceiver("0").Sender()
		if err := sender.ReplaceTrack(nil); err != nil {
			t.Fatal(err)
		}
		p.still("0")
		other := out(t, rtc.MimeTypeVP8, "other")
		g.forward("0", other)
		if err := sender.ReplaceTrack(other); err != nil {
			t.Fatal(err)
		}
		g.requestKeyframes()
		p.plays("0", 10)
	})
	t.Run("by the page", func(t *testing.T) {
		p, _ := reflecting(t, rtc.MimeTypeVP8)
		p.plays("0", 10)
		p.call(nil, "() => pc.getSenders()[0].replaceTrack(null)")
		p.still("0")
		p.call(nil, "() => pc.getSenders()[0].replaceTrack(counting(160, 120, 15))")
		p.call(nil, `() => eventually(async () => (await inbound("0")).frameWidth === 160 || null)`)
		p.plays("0", 10)
	})
}

// still waits until no packet of a section has come for a while.
func (p *page) still(mid string) {
	p.t.Helper()
	p.call(nil, `async mid => {
		for (let last = -1, same = 0; same < 10;) {
			const n = (await inbound(mid)).packetsReceived;
			same = n === last ? same + 1 : 0;
			last = n;
			await new Promise(resolve => setTimeout(resolve, 50));
		}
	}`, mid)
}

// An ICE restart, by either side, does not stop the pictures.
func TestICERestartDuringMedia(t *testing.T) {
	t.Parallel()
	for _, who := range []offerer{browserOffers, goOffers} {
		t.Run(string(who), func(t *testing.T) {
			p, g := reflecting(t, rtc.MimeTypeVP8)
			p.plays("0", 10)
			oldPage, oldGo := p.ufrag(), ufrag(g.pc.LocalDescription().SDP)
			if who == browserOffers {
				p.call(nil, "() => pc.restartIce()")
				negotiate(p, g.peer, browserOffers)
			} else {
				p.call(nil, "remote", g.offer(&rtc.OfferOptions{ICERestart: true}))
				g.remote(p.local(false))
			}
			if p.ufrag() == oldPage || ufrag(g.pc.LocalDescription().SDP) == oldGo {
				t.Error("the credentials are still the old ones")
			}
			p.plays("0", 30)
			p.hums("1")
		})
	}
}
