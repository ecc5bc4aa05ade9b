// Reflect sends a browser's camera and microphone back to it. It shows how tracks come and go:
//
//   - a track that is added before the offer is applied answers the section that the browser offers;
//   - packets are pushed to the handler's OnRTP, one at a time, on the connection's event loop: this program has no goroutine of its own;
//   - what the browser's decoder asks for, keyframes, is asked of the browser's camera.
//
// Run it and open the address it prints:
//
//	go run ./examples/reflect
package main

import (
	"context"
	_ "embed"
	"flag"
	"net/url"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/examples/internal/page"
)

//go:embed index.html
var html []byte

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "address to serve the page on; port 0 takes a free one")
	flag.Parse()
	page.Main("reflect", *addr, html, begin)
}

// begin makes a connection for a page, which says in its query which video codec it puts first.
func begin(ctx context.Context, query url.Values) (*rtc.PeerConnection, error) {
	codec := query.Get("codec")
	if codec == "" {
		codec = webrtc.MimeTypeVP8
	}
	video, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: codec}, "video", "mirror")
	if err != nil {
		return nil, err
	}
	audio, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, "audio", "mirror")
	if err != nil {
		return nil, err
	}
	pc, err := rtc.NewBuilder().Handler(&mirror{video: video, audio: audio}).Build(ctx)
	if err != nil {
		return nil, err
	}
	for _, track := range []webrtc.TrackLocal{audio, video} {
		if _, err := pc.AddTrack(track); err != nil {
			pc.Close()
			return nil, err
		}
	}
	return pc, nil
}

// mirror hears one connection's events, one at a time.
type mirror struct {
	rtc.BaseHandler
	video, audio *webrtc.TrackLocalStaticRTP
	camera       *rtc.TrackRemote // once it sends
}

func (m *mirror) OnTrack(_ *rtc.PeerConnection, track *rtc.TrackRemote, _ *rtc.RTPReceiver) {
	if track.Kind() == webrtc.RTPCodecTypeVideo {
		m.camera = track
	}
}

// OnRTP has the packet until it returns, which is long enough to send it.
func (m *mirror) OnRTP(_ *rtc.PeerConnection, track *rtc.TrackRemote, packet *rtp.Packet) {
	if track.Kind() == webrtc.RTPCodecTypeVideo {
		m.video.WriteRTP(packet)
	} else {
		m.audio.WriteRTP(packet)
	}
}

func (m *mirror) OnKeyframeRequest(*rtc.PeerConnection, *rtc.RTPSender, string) {
	if m.camera != nil {
		m.camera.RequestKeyframe()
	}
}
