package browsertest

import (
	"errors"
	"io"
	"sync"
	"testing"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"github.com/sansrtc/rtc"
)

// mediaPeer is the Go side of a connection with media: it hears of tracks, and forwards their packets where the test has said.
type mediaPeer struct {
	*peer
	tracks    *mailbox[*rtc.TrackRemote]
	ended     *mailbox[*rtc.TrackRemote]
	keyframes *mailbox[string] // requests of the page: the mid of the section
	estimates *mailbox[int]
	needed    func() // hears that negotiation is needed

	mu     sync.Mutex
	came   map[string]*rtc.TrackRemote // by key
	keys   map[*rtc.TrackRemote]string
	routes map[string]func(*rtp.Packet)
}

func newMediaPeer(t *testing.T, with ...func(rtc.Builder) rtc.Builder) *mediaPeer {
	t.Helper()
	g := &mediaPeer{
		peer:      unconnected(t),
		tracks:    newMailbox[*rtc.TrackRemote](),
		ended:     newMailbox[*rtc.TrackRemote](),
		keyframes: newMailbox[string](),
		estimates: newMailbox[int](),
		came:      map[string]*rtc.TrackRemote{},
		keys:      map[*rtc.TrackRemote]string{},
		routes:    map[string]func(*rtp.Packet){},
	}
	b := rtc.NewBuilder().Handler(g)
	for _, f := range with {
		b = f(b)
	}
	g.build(b)
	return g
}

func (g *mediaPeer) OnNegotiationNeeded(*rtc.PeerConnection) {
	if g.needed != nil {
		g.needed()
	}
}

// OnTrack gives a track its key: the mid of its section, and with simulcast a slash and its RID.
func (g *mediaPeer) OnTrack(_ *rtc.PeerConnection, track *rtc.TrackRemote, receiver *rtc.RTPReceiver) {
	key := receiver.RTPTransceiver().Mid()
	if track.RID() != "" {
		key += "/" + track.RID()
	}
	g.mu.Lock()
	g.came[key], g.keys[track] = track, key
	g.mu.Unlock()
	g.tracks.put(track)
}

func (g *mediaPeer) OnTrackEnded(_ *rtc.PeerConnection, track *rtc.TrackRemote) { g.ended.put(track) }

func (g *mediaPeer) OnRTP(_ *rtc.PeerConnection, track *rtc.TrackRemote, packet *rtp.Packet) {
	g.mu.Lock()
	route := g.routes[g.keys[track]]
	g.mu.Unlock()
	if route != nil {
		route(packet)
	}
}

// OnKeyframeRequest asks the page's encoders, since it is from them that all pictures come.
func (g *mediaPeer) OnKeyframeRequest(_ *rtc.PeerConnection, sender *rtc.RTPSender, _ string) {
	g.keyframes.put(sender.RTPTransceiver().Mid())
	g.requestKeyframes()
}

func (g *mediaPeer) OnBandwidthEstimate(_ *rtc.PeerConnection, bitsPerSecond int) {
	g.estimates.put(bitsPerSecond)
}

func (g *mediaPeer) requestKeyframes() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, track := range g.came {
		if track.Kind() == rtc.RTPCodecTypeVideo {
			track.RequestKeyframe()
		}
	}
}

// track waits for the track with this key.
func (g *mediaPeer) track(key string) *rtc.TrackRemote {
	g.t.Helper()
	for {
		g.mu.Lock()
		track := g.came[key]
		g.mu.Unlock()
		if track != nil {
			return track
		}
		if _, ok := g.tracks.take(); !ok {
			g.t.Fatalf("no packet of track %q came", key)
		}
	}
}

// route gives the packets of the track with this key to f, on the event loop.
func (g *mediaPeer) route(key string, f func(*rtp.Packet)) {
	g.mu.Lock()
	g.routes[key] = f
	g.mu.Unlock()
	g.requestKeyframes()
}

// forward sends the track with this key on as out.
func (g *mediaPeer) forward(key string, out *webrtc.TrackLocalStaticRTP) {
	g.route(key, func(p *rtp.Packet) {
		// pion's track joins the errors of its writers so that errors.Is finds them, and errors.As does not.
		if err := out.WriteRTP(p); err != nil && !errors.Is(err, io.ErrClosedPipe) {
			g.t.Errorf("WriteRTP: %v", err)
		}
	})
}

// out is a track that Go sends.
func out(t *testing.T, mime, id string) *webrtc.TrackLocalStaticRTP {
	t.Helper()
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mime}, id, "go")
	if err != nil {
		t.Fatal(err)
	}
	return track
}

// add is AddTrack.
func (g *mediaPeer) add(track rtc.TrackLocal) *rtc.RTPSender {
	g.t.Helper()
	sender, err := g.pc.AddTrack(track)
	if err != nil {
		g.t.Fatalf("AddTrack: %v", err)
	}
	return sender
}

// transceiver is found by its mid.
func (g *mediaPeer) transceiver(mid string) *rtc.RTPTransceiver {
	g.t.Helper()
	for _, t := range g.pc.GetTransceivers() {
		if t.Mid() == mid {
			return t
		}
	}
	g.t.Fatalf("Go has no transceiver with mid %q", mid)
	return nil
}

// played is what the page saw of a video.
type played struct {
	Frames, Pictures, First, Last, Width, Height int
	Codec                                        string
}

// plays waits until the page has decoded so many more frames of a section, and seen numbers that grow.
func (p *page) plays(mid string, frames int) (v played) {
	p.t.Helper()
	p.call(&v, "plays", mid, frames)
	return v
}

// decodes waits until the page has decoded so many more frames of a section, whatever it shows.
func (p *page) decodes(mid string, frames int) {
	p.t.Helper()
	p.call(nil, "plays", mid, frames, false)
}

// sound is what the page heard of an audio track.
type sound struct {
	Samples, Pitch float64
	Codec          string
}

// hums waits until the page has heard what hum() makes.
func (p *page) hums(mid string) {
	p.t.Helper()
	var s sound
	p.call(&s, "sounds", mid, 9600)
	if s.Pitch < 420 || s.Pitch > 460 || s.Codec != "audio/opus" {
		p.t.Errorf("440 Hz in Opus became %+v", s)
	}
}

// openMedia is a page for a connection with media.
func (c *chromium) openMedia(t *testing.T) *page {
	t.Helper()
	p := &page{c.open(t, pages.URL+"/peer.html")}
	p.call(nil, "startMedia")
	return p
}

// reflecting is a connection over which the page sends a numbered video (mid 0) and a tone (mid 1), and gets them back.
func reflecting(t *testing.T, mime string) (*page, *mediaPeer) {
	t.Helper()
	return reflectingNoise(t, mime, 0)
}

// reflectingNoise is reflecting with pictures that have so much noise in them, which takes packets.
func reflectingNoise(t *testing.T, mime string, noise int, with ...func(rtc.Builder) rtc.Builder) (*page, *mediaPeer) {
	t.Helper()
	p, g := mediaChromium(t).openMedia(t), newMediaPeer(t, with...)
	p.call(nil, `(mime, noise) => {
		const stream = new MediaStream();
		pc.addTrack(counting(320, 240, 15, noise), stream);
		pc.addTrack(hum(), stream);
		prefer(pc.getTransceivers()[0], mime);
	}`, mime, noise)
	video, audio := out(t, mime, "video"), out(t, rtc.MimeTypeOpus, "audio")
	g.add(video)
	g.add(audio)
	g.forward("0", video)
	g.forward("1", audio)
	negotiate(p, g.peer, browserOffers)
	g.until(rtc.PeerConnectionStateConnected)
	return p, g
}
