// Save-to-disk records a browser's camera and microphone into files: VP8, VP9 and AV1 as IVF, H264 as Annex B, Opus as Ogg. It shows
//
//   - the pull side: a goroutine for each track ranges over its packets, and ends with it;
//   - packets in order although the network reorders and the connection repairs what was lost: the writer waits for one that is missing,
//     but not for long;
//   - keyframes on demand, at the beginning and where something is missing for good.
//
// Run it and open the address it prints:
//
//	go run ./examples/save-to-disk -dir .
package main

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media/h264writer"
	"github.com/pion/webrtc/v4/pkg/media/ivfwriter"
	"github.com/pion/webrtc/v4/pkg/media/oggwriter"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/examples/internal/page"
)

//go:embed index.html
var html []byte

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "address to serve the page on; port 0 takes a free one")
	dir := flag.String("dir", ".", "folder for the files")
	flag.Parse()
	r := recorder{dir: *dir, out: os.Stdout}
	page.Main("save-to-disk", *addr, html, r.begin)
}

type recorder struct {
	rtc.BaseHandler
	dir string
	out io.Writer
}

func (r recorder) begin(ctx context.Context, _ url.Values) (*rtc.PeerConnection, error) {
	return rtc.NewBuilder().Handler(r).Build(ctx)
}

// OnTrack leaves the track to a goroutine of its own, which may take its time with the disk.
func (r recorder) OnTrack(pc *rtc.PeerConnection, track *rtc.TrackRemote, _ *rtc.RTPReceiver) {
	go func() {
		name, packets, err := r.save(track)
		if err != nil {
			fmt.Fprintf(r.out, "%s: %v\n", name, err)
			pc.Close()
			return
		}
		fmt.Fprintf(r.out, "%s: %d packets\n", name, packets)
	}()
}

// writer is what pion's writers of all formats have.
type writer interface {
	WriteRTP(*rtp.Packet) error
	Close() error
}

// save writes a track into a file until it ends.
func (r recorder) save(track *rtc.TrackRemote) (name string, packets int, err error) {
	codec := track.Codec()
	name, w, err := r.create(codec.RTPCodecCapability)
	if err != nil {
		return name, 0, err
	}
	fmt.Fprintf(r.out, "%s: recording %s\n", name, codec.MimeType)
	track.RequestKeyframe()
	var line inOrder
	for packet, err := range track.Packets(context.Background()) {
		if err != nil {
			break // the track has ended
		}
		if line.push(packet) {
			track.RequestKeyframe()
		}
		for p := line.pop(); p != nil; p = line.pop() {
			packets++
			if err := w.WriteRTP(p); err != nil {
				w.Close()
				return name, packets, err
			}
		}
	}
	return name, packets, w.Close()
}

// create opens a file that did not exist before.
func (r recorder) create(codec webrtc.RTPCodecCapability) (name string, w writer, err error) {
	format := map[string]string{"opus": "ogg", "vp8": "ivf", "vp9": "ivf", "av1": "ivf", "h264": "h264"}
	_, short, _ := strings.Cut(strings.ToLower(codec.MimeType), "/")
	if format[short] == "" {
		return short, nil, fmt.Errorf("there is no format for %s", codec.MimeType)
	}
	f, err := os.CreateTemp(r.dir, short+"-*."+format[short])
	if err != nil {
		return short, nil, err
	}
	name = filepath.Base(f.Name())
	switch format[short] {
	case "ogg":
		w, err = oggwriter.NewWith(f, codec.ClockRate, max(codec.Channels, 1))
	case "ivf":
		w, err = ivfwriter.NewWith(f, ivfwriter.WithCodec(codec.MimeType))
	default:
		w = h264writer.NewWith(f)
	}
	if err != nil {
		f.Close()
	}
	return name, w, err
}

// inOrder gives packets in the order of their sequence numbers. The zero value is ready.
type inOrder struct {
	waiting map[uint16]*rtp.Packet
	next    uint16
}

// patience is how many packets may come while one is missing: a quarter of a second of video at 4 Mbit/s.
const patience = 100

// push takes a packet; lost says that one is not waited for any longer.
func (o *inOrder) push(p *rtp.Packet) (lost bool) {
	if o.waiting == nil {
		o.waiting, o.next = map[uint16]*rtp.Packet{}, p.SequenceNumber
	}
	if int16(p.SequenceNumber-o.next) < 0 {
		return false // too late
	}
	o.waiting[p.SequenceNumber] = p
	for len(o.waiting) > patience && o.waiting[o.next] == nil {
		o.next++
		lost = true
	}
	return lost
}

func (o *inOrder) pop() *rtp.Packet {
	p := o.waiting[o.next]
	if p != nil {
		delete(o.waiting, o.next)
		o.next++
	}
	return p
}
