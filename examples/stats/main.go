// Stats reflects a browser's camera and microphone, as the example of that name does, and prints what the connection counts, once a second:
// the path, what comes in and what goes out with what the browser reports of it. It shows
//
//   - GetStats from a goroutine beside the handler: the report is a map of W3C's records;
//   - what the records of one stream have to do with each other.
//
// Run it and open the address it prints:
//
//	go run ./examples/stats
package main

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"slices"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/examples/internal/page"
)

//go:embed index.html
var html []byte

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "address to serve the page on; port 0 takes a free one")
	every := flag.Duration("every", time.Second, "time between reports")
	flag.Parse()
	page.Main("stats", *addr, html, func(ctx context.Context, _ url.Values) (*rtc.PeerConnection, error) {
		return begin(ctx, *every)
	})
}

func begin(ctx context.Context, every time.Duration) (*rtc.PeerConnection, error) {
	m := &mirror{}
	var err error
	if m.audio, err = webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, "audio", "mirror"); err != nil {
		return nil, err
	}
	if m.video, err = webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8}, "video", "mirror"); err != nil {
		return nil, err
	}
	pc, err := rtc.NewBuilder().Handler(m).Build(ctx)
	if err != nil {
		return nil, err
	}
	for _, track := range []webrtc.TrackLocal{m.audio, m.video} {
		if _, err := pc.AddTrack(track); err != nil {
			pc.Close()
			return nil, err
		}
	}
	go report(pc, every, os.Stdout)
	return pc, nil
}

// report prints until the connection has ended.
func report(pc *rtc.PeerConnection, every time.Duration, out io.Writer) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			print(out, pc.GetStats())
		case <-pc.Done():
			fmt.Fprintln(out, "the connection has ended")
			return
		}
	}
}

func print(out io.Writer, report rtc.StatsReport) {
	for _, id := range slices.Sorted(maps.Keys(report)) {
		switch s := report[id].(type) {
		case webrtc.TransportStats:
			fmt.Fprintf(out, "transport: %d bytes sent, %d received\n", s.BytesSent, s.BytesReceived)
		case webrtc.ICECandidatePairStats:
			if s.Nominated {
				fmt.Fprintf(out, "path: round trip %.1f ms, room for %.0f kbit/s\n", 1000*s.CurrentRoundTripTime, s.AvailableOutgoingBitrate/1000)
			}
		case webrtc.InboundRTPStreamStats:
			fmt.Fprintf(out, "%s in:  %d packets, %d lost, jitter %.1f ms, %d asked for again, %d keyframes asked for\n",
				s.Kind, s.PacketsReceived, s.PacketsLost, 1000*s.Jitter, s.NACKCount, s.PLICount+s.FIRCount)
		case webrtc.OutboundRTPStreamStats:
			fmt.Fprintf(out, "%s out: %d packets, %d sent again", s.Kind, s.PacketsSent, s.RetransmittedPacketsSent)
			// What the browser says of the same stream has a record of its own.
			if remote, ok := report[s.RemoteID].(webrtc.RemoteInboundRTPStreamStats); ok {
				fmt.Fprintf(out, "; the browser has lost %d of them, round trip %.1f ms", remote.PacketsLost, 1000*remote.RoundTripTime)
			}
			fmt.Fprintln(out)
		}
	}
}

// mirror sends back what comes.
type mirror struct {
	rtc.BaseHandler
	audio, video *webrtc.TrackLocalStaticRTP
	camera       *rtc.TrackRemote
}

func (m *mirror) OnTrack(_ *rtc.PeerConnection, track *rtc.TrackRemote, _ *rtc.RTPReceiver) {
	if track.Kind() == webrtc.RTPCodecTypeVideo {
		m.camera = track
	}
}

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
