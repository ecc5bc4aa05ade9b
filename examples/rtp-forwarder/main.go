// Rtp-forwarder sends a browser's camera and microphone on as plain RTP, to ffplay, ffmpeg or GStreamer. It shows
//
//   - packets that are rewritten on their way: another payload type, no header extensions;
//   - one buffer for all of them: the handler has the packet until it returns, and the socket has it by then.
//
// Run it, write the description it prints into a file, and open the address it prints:
//
//	go run ./examples/rtp-forwarder
//	ffplay -protocol_whitelist file,udp,rtp -i forwarder.sdp
package main

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/examples/internal/page"
)

//go:embed index.html
var html []byte

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "address to serve the page on; port 0 takes a free one")
	audio := flag.String("audio", "127.0.0.1:4000", "where Opus is sent")
	video := flag.String("video", "127.0.0.1:4002", "where VP8 is sent")
	flag.Parse()
	f, err := newForwarder(*audio, *video)
	if err != nil {
		fmt.Fprintln(os.Stderr, "rtp-forwarder:", err)
		os.Exit(1)
	}
	f.describe(os.Stdout)
	page.Main("rtp-forwarder", *addr, html, func(ctx context.Context, _ url.Values) (*rtc.PeerConnection, error) {
		return rtc.NewBuilder().Handler(&call{forwarder: f}).Build(ctx)
	})
}

// forwarder is where RTP goes. Its socket is shared by all connections.
type forwarder struct {
	conn         *net.UDPConn
	audio, video netip.AddrPort
}

// The payload types that are told to the receiver.
const (
	opus = 111
	vp8  = 96
)

func newForwarder(audio, video string) (f *forwarder, err error) {
	f = &forwarder{}
	if f.audio, err = netip.ParseAddrPort(audio); err != nil {
		return nil, err
	}
	if f.video, err = netip.ParseAddrPort(video); err != nil {
		return nil, err
	}
	f.conn, err = net.ListenUDP("udp", nil)
	return f, err
}

// describe prints the description that a receiver of plain RTP needs.
func (f *forwarder) describe(w io.Writer) {
	family := "IP4"
	if f.audio.Addr().Is6() {
		family = "IP6"
	}
	fmt.Fprintf(w, "v=0\no=- 0 0 IN %s %s\ns=rtp-forwarder\nc=IN %s %s\nt=0 0\n", family, f.audio.Addr(), family, f.audio.Addr())
	fmt.Fprintf(w, "m=audio %d RTP/AVP %d\na=rtpmap:%d opus/48000/2\n", f.audio.Port(), opus, opus)
	fmt.Fprintf(w, "m=video %d RTP/AVP %d\na=rtpmap:%d VP8/90000\n", f.video.Port(), vp8, vp8)
}

// call hears one connection's events, one at a time.
type call struct {
	rtc.BaseHandler
	*forwarder
	buf []byte
}

func (c *call) OnTrack(_ *rtc.PeerConnection, track *rtc.TrackRemote, _ *rtc.RTPReceiver) {
	track.RequestKeyframe()
}

func (c *call) OnRTP(_ *rtc.PeerConnection, track *rtc.TrackRemote, packet *rtp.Packet) {
	header, to := packet.Header, c.audio
	header.PayloadType = opus
	if track.Kind() == webrtc.RTPCodecTypeVideo {
		header.PayloadType, to = vp8, c.video
	}
	header.Extension, header.Extensions = false, nil // they are about the connection with the browser
	header.Padding, header.PaddingSize = false, 0
	n := header.MarshalSize() + len(packet.Payload)
	if cap(c.buf) < n {
		c.buf = make([]byte, n)
	}
	at, err := header.MarshalTo(c.buf[:n])
	if err != nil {
		return
	}
	copy(c.buf[at:n], packet.Payload)
	c.conn.WriteToUDPAddrPort(c.buf[:n], to) // nobody may be there yet
}
