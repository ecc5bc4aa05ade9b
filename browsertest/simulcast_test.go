package browsertest

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"github.com/sansrtc/rtc"
)

// layer is one of simulcast's, as the page offers them. Its low bit rate lets all of them be sent from the start.
type layer struct {
	RID   string  `json:"rid"`
	Scale float64 `json:"scaleResolutionDownBy"`
	Max   int     `json:"maxBitrate"`
}

var layers = []layer{{"q", 4, 60_000}, {"h", 2, 120_000}, {"f", 1, 250_000}}

// switcher sends one of several encodings as one stream: it goes over to another one with a keyframe, and lets numbers and times go on.
// Its packets come on the event loop.
type switcher struct {
	out  *webrtc.TrackLocalStaticRTP
	to   atomic.Value // the RID that is wanted
	from string       // the RID that is sent
	last rtp.Header   // as sent
	seq  uint16       // what is added to the numbers of from's packets
	ts   uint32
}

func (s *switcher) packet(rid string, p *rtp.Packet) {
	if rid != s.from && rid == s.to.Load() && vp8Keyframe(p.Payload) {
		s.from = rid
		s.seq = s.last.SequenceNumber + 1 - p.SequenceNumber
		s.ts = s.last.Timestamp + 6000 - p.Timestamp
	}
	if rid != s.from {
		return
	}
	p.SequenceNumber += s.seq
	p.Timestamp += s.ts
	s.last = p.Header
	s.out.WriteRTP(p)
}

// vp8Keyframe tells whether an RTP payload begins a keyframe: RFC 7741 section 4.2, "S: Start of VP8 partition", and section 4.3, "P: Inverse
// key frame flag".
func vp8Keyframe(b []byte) bool {
	if len(b) < 1 || b[0]&0x17 != 0x10 { // S is set and the partition is the first
		return false
	}
	at := 1
	if b[0]&0x80 != 0 { // X: one more octet, which says what follows
		if len(b) < 2 {
			return false
		}
		ext := b[1]
		at = 2
		if ext&0x80 != 0 { // I: a picture ID of one or two octets
			if at < len(b) && b[at]&0x80 != 0 {
				at++
			}
			at++
		}
		if ext&0x40 != 0 { // L
			at++
		}
		if ext&0x30 != 0 { // T or K
			at++
		}
	}
	return at < len(b) && b[at]&1 == 0
}

// The page's encodings come as one track each, with their RIDs and one ID; each of them can be shown, and one stream can go from one to the
// other.
func TestSimulcastFromTheBrowser(t *testing.T) {
	t.Parallel()
	p, g := mediaChromium(t).openMedia(t), newMediaPeer(t)
	p.call(nil, `layers => {
		pc.addTransceiver(counting(960, 540, 10), {direction: "sendonly", sendEncodings: layers});
		prefer(pc.getTransceivers()[0], "video/VP8");
		pc.addTransceiver("video", {direction: "recvonly"});
	}`, layers)
	s := &switcher{out: out(t, rtc.MimeTypeVP8, "chosen")}
	g.add(s.out) // RFC 9429 section 5.10: it goes to the section that is offered to receive, which is the second
	negotiate(p, g.peer, browserOffers)

	ids := map[string]bool{}
	ssrcs := map[rtc.SSRC]bool{}
	for _, l := range layers {
		track := g.track("0/" + l.RID)
		ids[track.ID()+" "+track.StreamID()] = true
		ssrcs[track.SSRC()] = true
	}
	if len(ids) != 1 || len(ssrcs) != len(layers) {
		t.Errorf("the tracks have the IDs %v and the SSRCs %v", ids, ssrcs)
	}
	if n := len(g.transceiver("0").Receiver().Tracks()); n != len(layers) {
		t.Errorf("the receiver has %d tracks", n)
	}
	for _, l := range layers {
		g.route("0/"+l.RID, func(packet *rtp.Packet) { s.packet(l.RID, packet) })
	}
	for _, i := range []int{0, 2, 1, 0} {
		rid, width := layers[i].RID, 960/int(layers[i].Scale)
		s.to.Store(rid)
		g.requestKeyframes()
		p.call(nil, `width => eventually(async () => (await inbound("1"))?.frameWidth === width || null)`, width)
		if v := p.plays("1", 10); v.Width != width {
			t.Errorf("with encoding %q the page sees %+v", rid, v)
		}
	}
}

// Chromium takes no simulcast: its answer to an offer of it has no rids, and then one encoding is sent, without a RID.
func TestSimulcastToTheBrowser(t *testing.T) {
	t.Parallel()
	p, g := mediaChromium(t).openMedia(t), newMediaPeer(t)
	p.call(nil, `() => { pc.addTransceiver(counting(320, 240, 15), {direction: "sendonly"}); }`)
	negotiate(p, g.peer, browserOffers)
	var outs []*webrtc.TrackLocalStaticRTP
	for _, l := range layers {
		track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: rtc.MimeTypeVP8}, "video", "go", webrtc.WithRTPStreamID(l.RID))
		if err != nil {
			t.Fatal(err)
		}
		outs = append(outs, track)
	}
	tr, err := g.pc.AddTransceiverFromTrack(outs[0], rtc.RTPTransceiverInit{Direction: rtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		t.Fatal(err)
	}
	for _, track := range outs[1:] {
		if err := tr.Sender().AddEncoding(track); err != nil {
			t.Fatal(err)
		}
	}
	offer := g.offer(nil)
	if !strings.Contains(offer.SDP, "a=simulcast:send q;h;f") {
		t.Errorf("Go's offer has no simulcast:\n%s", offer.SDP)
	}
	p.call(nil, "remote", offer)
	answer := p.local(false)
	if strings.Contains(answer.SDP, "a=simulcast") {
		t.Errorf("this Chromium takes simulcast:\n%s", answer.SDP)
	}
	g.remote(answer)
	g.route("0", func(packet *rtp.Packet) {
		for _, track := range outs {
			track.WriteRTP(packet)
		}
	})
	p.plays("1", 20)
	if e := tr.Sender().GetParameters().Encodings; len(e) != 1 {
		t.Errorf("the sender has the encodings %+v", e)
	}
	var sources int
	p.call(&sources, `async () => [...(await transceiver("1").receiver.getStats()).values()].filter(s => s.type === "inbound-rtp").length`)
	if sources != 1 {
		t.Errorf("the page receives %d sources", sources)
	}
}
