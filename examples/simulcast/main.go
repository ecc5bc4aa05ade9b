// Simulcast receives a camera that a browser sends in three sizes at once, and sends one of them back, whichever the page chooses. It shows
//
//   - one TrackRemote for each size (RID q, h and f), all of one receiver;
//   - changing between them without negotiation: each size is written to a track of its own, and ReplaceTrack chooses the track, whose packets
//     carry on where the last track's ended;
//   - a keyframe asked for at the change, because a decoder cannot begin without one.
//
// Run it and open the address it prints:
//
//	go run ./examples/simulcast
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
	page.Main("simulcast", *addr, html, begin)
}

func begin(ctx context.Context, _ url.Values) (*rtc.PeerConnection, error) {
	c := &chooser{sizes: map[string]*size{}, chosen: "q"}
	for _, rid := range []string{"q", "h", "f"} {
		out, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8}, "video-"+rid, "chosen")
		if err != nil {
			return nil, err
		}
		c.sizes[rid] = &size{out: out}
	}
	pc, err := rtc.NewBuilder().Handler(c).Build(ctx)
	if err != nil {
		return nil, err
	}
	if c.sender, err = pc.AddTrack(c.sizes[c.chosen].out); err != nil {
		pc.Close()
		return nil, err
	}
	return pc, nil
}

// chooser hears one connection's events, one at a time.
type chooser struct {
	rtc.BaseHandler
	sender *rtc.RTPSender
	sizes  map[string]*size
	chosen string
}

// size is one encoding of the camera.
type size struct {
	in  *rtc.TrackRemote // once it comes
	out *webrtc.TrackLocalStaticRTP
}

func (c *chooser) OnTrack(_ *rtc.PeerConnection, track *rtc.TrackRemote, _ *rtc.RTPReceiver) {
	if s := c.sizes[track.RID()]; s != nil {
		s.in = track
	}
}

func (c *chooser) OnRTP(_ *rtc.PeerConnection, track *rtc.TrackRemote, packet *rtp.Packet) {
	if s := c.sizes[track.RID()]; s != nil {
		s.out.WriteRTP(packet) // goes nowhere while another size is chosen
	}
}

// OnDataChannelMessage gets the page's choice.
func (c *chooser) OnDataChannelMessage(_ *rtc.PeerConnection, dc *rtc.DataChannel, msg rtc.DataChannelMessage) {
	rid := string(msg.Data)
	s := c.sizes[rid]
	if s == nil || s.in == nil {
		dc.SendText("there is no size " + rid)
		return
	}
	if err := c.sender.ReplaceTrack(s.out); err != nil {
		dc.SendText(err.Error())
		return
	}
	c.chosen = rid
	s.in.RequestKeyframe()
	dc.SendText("size " + rid)
}

func (c *chooser) OnKeyframeRequest(*rtc.PeerConnection, *rtc.RTPSender, string) {
	if in := c.sizes[c.chosen].in; in != nil {
		in.RequestKeyframe()
	}
}
