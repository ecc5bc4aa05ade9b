// Rtp-to-webrtc shows what arrives as plain RTP, from ffmpeg or GStreamer, to browsers. It shows
//
//   - a track that is fed by a socket of the program's own: what arrives is written as it is, and gets each connection's source and payload
//     type there;
//   - a source of packets that may restart, with other numbers, while viewers stay.
//
// Run it and open the address it prints:
//
//	go run ./examples/rtp-to-webrtc
//
// and send it something:
//
//	ffmpeg -re -f lavfi -i testsrc2=size=640x360:rate=30 -c:v libvpx -b:v 1M -g 30 -f rtp 'rtp://127.0.0.1:5004?pkt_size=1200'
package main

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"

	"github.com/pion/webrtc/v4"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/examples/internal/page"
)

//go:embed index.html
var html []byte

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "address to serve the page on; port 0 takes a free one")
	listen := flag.String("rtp", "127.0.0.1:5004", "address that RTP is sent to; port 0 takes a free one")
	codec := flag.String("codec", webrtc.MimeTypeVP8, "what is in it: video/VP8, video/VP9, video/H264, audio/opus, …")
	flag.Parse()
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: *codec}, "rtp", "rtp")
	if err == nil {
		err = receive(*listen, track, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "rtp-to-webrtc:", err)
		os.Exit(1)
	}
	page.Main("rtp-to-webrtc", *addr, html, func(ctx context.Context, _ url.Values) (*rtc.PeerConnection, error) {
		pc, err := rtc.NewBuilder().Build(ctx)
		if err != nil {
			return nil, err
		}
		if _, err := pc.AddTrack(track); err != nil {
			pc.Close()
			return nil, err
		}
		return pc, nil
	})
}

// receive writes what arrives at an address to the track, for as long as the program runs.
func receive(addr string, track *webrtc.TrackLocalStaticRTP, out io.Writer) error {
	conn, err := net.ListenPacket("udp", addr)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "rtp-to-webrtc: RTP is taken at %s\n", conn.LocalAddr())
	go func() {
		buf := make([]byte, 1500)
		for {
			n, _, err := conn.ReadFrom(buf)
			if err != nil {
				fmt.Fprintln(os.Stderr, "rtp-to-webrtc:", err)
				return
			}
			track.Write(buf[:n]) // what is no RTP is refused
		}
	}()
	return nil
}
