// Broadcast has one publisher and many viewers: what the publisher's browser sends is sent on to everybody who watches. It shows
//
//   - one track that is sent on many connections: a packet that is written once is sealed once for each viewer, and copied by nobody else;
//   - a decoder that begins to watch asks for a keyframe, and all such requests become few at the publisher;
//   - a publisher that leaves and comes back, while the viewers stay.
//
// Run it, open the address it prints twice, publish in one tab and watch in the other:
//
//	go run ./examples/broadcast
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"sync"

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
	s, err := newStation()
	if err != nil {
		fmt.Fprintln(os.Stderr, "broadcast:", err)
		os.Exit(1)
	}
	page.Main("broadcast", *addr, html, s.begin)
}

// station has the tracks that everybody watches.
type station struct {
	audio, video relay // used by the publisher's connection

	mu        sync.Mutex
	publisher *rtc.PeerConnection
	camera    *rtc.TrackRemote
}

func newStation() (*station, error) {
	audio, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, "audio", "broadcast")
	if err != nil {
		return nil, err
	}
	video, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8}, "video", "broadcast")
	if err != nil {
		return nil, err
	}
	return &station{audio: relay{out: audio}, video: relay{out: video}}, nil
}

var errTaken = errors.New("somebody publishes already")

func (s *station) begin(ctx context.Context, query url.Values) (*rtc.PeerConnection, error) {
	if query.Get("role") == "publish" {
		return s.publish(ctx)
	}
	pc, err := rtc.NewBuilder().Handler(viewer{station: s}).Build(ctx)
	if err != nil {
		return nil, err
	}
	for _, track := range []webrtc.TrackLocal{s.audio.out, s.video.out} {
		if _, err := pc.AddTrack(track); err != nil {
			pc.Close()
			return nil, err
		}
	}
	return pc, nil
}

func (s *station) publish(ctx context.Context) (*rtc.PeerConnection, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.publisher != nil {
		return nil, errTaken
	}
	pc, err := rtc.NewBuilder().Handler(publisher{station: s}).Build(ctx)
	if err != nil {
		return nil, err
	}
	s.publisher = pc
	return pc, nil
}

// relay sends the tracks of one publisher after the other as one track: each goes on with the numbers and times of the one before, as receivers
// take what jumps back for something old.
type relay struct {
	out  *webrtc.TrackLocalStaticRTP
	from *rtc.TrackRemote
	// What was sent last, and what is added to from's.
	seq, addSeq uint16
	ts, addTS   uint32
}

func (r *relay) send(track *rtc.TrackRemote, packet *rtp.Packet) {
	if track != r.from {
		if r.from != nil {
			r.addSeq = r.seq + 1 - packet.SequenceNumber
			r.addTS = r.ts + track.Codec().ClockRate/10 - packet.Timestamp
		}
		r.from = track
	}
	packet.SequenceNumber += r.addSeq
	packet.Timestamp += r.addTS
	r.seq, r.ts = packet.SequenceNumber, packet.Timestamp
	r.out.WriteRTP(packet)
}

// wantKeyframe passes a viewer's request on. The publisher's connection makes few out of many.
func (s *station) wantKeyframe() {
	s.mu.Lock()
	camera := s.camera
	s.mu.Unlock()
	if camera != nil {
		camera.RequestKeyframe()
	}
}

// publisher hears the events of the publisher's connection.
type publisher struct {
	rtc.BaseHandler
	station *station
}

func (p publisher) OnTrack(_ *rtc.PeerConnection, track *rtc.TrackRemote, _ *rtc.RTPReceiver) {
	if track.Kind() == webrtc.RTPCodecTypeVideo {
		p.station.mu.Lock()
		p.station.camera = track
		p.station.mu.Unlock()
	}
}

func (p publisher) OnRTP(_ *rtc.PeerConnection, track *rtc.TrackRemote, packet *rtp.Packet) {
	if track.Kind() == webrtc.RTPCodecTypeVideo {
		p.station.video.send(track, packet)
	} else {
		p.station.audio.send(track, packet)
	}
}

func (p publisher) OnConnectionStateChange(_ *rtc.PeerConnection, state rtc.PeerConnectionState) {
	if state == rtc.PeerConnectionStateClosed {
		p.station.mu.Lock()
		p.station.publisher, p.station.camera = nil, nil
		p.station.mu.Unlock()
	}
}

// viewer hears the events of a viewer's connection.
type viewer struct {
	rtc.BaseHandler
	station *station
}

func (v viewer) OnKeyframeRequest(*rtc.PeerConnection, *rtc.RTPSender, string) {
	v.station.wantKeyframe()
}

func (v viewer) OnConnectionStateChange(_ *rtc.PeerConnection, state rtc.PeerConnectionState) {
	if state == rtc.PeerConnectionStateConnected {
		v.station.wantKeyframe()
	}
}
