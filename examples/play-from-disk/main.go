// Play-from-disk plays a video (IVF with VP8, VP9 or AV1) and a sound file (Ogg with Opus) to browsers, again and again. It shows
//
//   - tracks that take frames (TrackLocalStaticSample) and are paced by this program's own clock;
//   - one track for all viewers: what is written to it once leaves on each of their connections;
//   - connections that only send: the page offers to receive.
//
// Run it and open the address it prints; it brings a few seconds of a test pattern and a tone along:
//
//	go run ./examples/play-from-disk
//
// A film of one's own is made to fit by
//
//	ffmpeg -i film.mp4 -c:v libvpx -b:v 1M -g 60 -an film.ivf
//	ffmpeg -i film.mp4 -c:a libopus -page_duration 20000 -vn film.ogg
package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
	"github.com/pion/webrtc/v4/pkg/media/ivfreader"
	"github.com/pion/webrtc/v4/pkg/media/oggreader"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/examples/internal/film"
	"github.com/sansrtc/rtc/examples/internal/page"
)

//go:embed index.html
var html []byte

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "address to serve the page on; port 0 takes a free one")
	videoFile := flag.String("video", "", "IVF file; without it a test pattern is played")
	audioFile := flag.String("audio", "", "Ogg file; without it a tone is played")
	flag.Parse()
	p, err := newPlayer(*videoFile, *audioFile)
	if err != nil {
		fmt.Fprintln(os.Stderr, "play-from-disk:", err)
		os.Exit(1)
	}
	go p.playVideo()
	go p.playAudio()
	page.Main("play-from-disk", *addr, html, p.begin)
}

// player has the films, and the tracks that all viewers share.
type player struct {
	film, sound  []byte
	video, audio *webrtc.TrackLocalStaticSample
}

func newPlayer(videoFile, audioFile string) (p *player, err error) {
	p = &player{film: film.Pattern, sound: film.Tone}
	if videoFile != "" {
		if p.film, err = os.ReadFile(videoFile); err != nil {
			return nil, err
		}
	}
	if audioFile != "" {
		if p.sound, err = os.ReadFile(audioFile); err != nil {
			return nil, err
		}
	}
	_, header, err := ivfreader.NewWith(bytes.NewReader(p.film))
	if err != nil {
		return nil, err
	}
	codec := map[string]string{"VP80": webrtc.MimeTypeVP8, "VP90": webrtc.MimeTypeVP9, "AV01": webrtc.MimeTypeAV1}[header.FourCC]
	if codec == "" {
		return nil, fmt.Errorf("IVF with %q is not understood", header.FourCC)
	}
	if _, _, err := oggreader.NewWith(bytes.NewReader(p.sound)); err != nil {
		return nil, err
	}
	if p.video, err = webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: codec}, "video", "film"); err != nil {
		return nil, err
	}
	p.audio, err = webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, "audio", "film")
	return p, err
}

func (p *player) begin(ctx context.Context, _ url.Values) (*rtc.PeerConnection, error) {
	pc, err := rtc.NewBuilder().Build(ctx)
	if err != nil {
		return nil, err
	}
	for _, track := range []webrtc.TrackLocal{p.video, p.audio} {
		if _, err := pc.AddTrack(track); err != nil {
			pc.Close()
			return nil, err
		}
	}
	return pc, nil
}

// playVideo writes a frame whenever one is due.
func (p *player) playVideo() {
	var due clock
	for {
		r, header, err := ivfreader.NewWith(bytes.NewReader(p.film))
		if err != nil {
			panic(err) // newPlayer has read it
		}
		frame := time.Duration(header.TimebaseNumerator) * time.Second / time.Duration(header.TimebaseDenominator)
		for {
			data, _, err := r.ParseNextFrame()
			if errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				panic(err)
			}
			due.wait(frame)
			p.video.WriteSample(media.Sample{Data: data, Duration: frame})
		}
	}
}

// playAudio writes a page of Opus packets whenever one is due.
func (p *player) playAudio() {
	var due clock
	for {
		r, _, err := oggreader.NewWith(bytes.NewReader(p.sound))
		if err != nil {
			panic(err)
		}
		var last uint64
		for {
			data, header, err := r.ParseNextPage()
			if errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				panic(err)
			}
			// The granule position counts samples of 48 kHz; pages before the first sample hold comments.
			if header.GranulePosition <= last {
				continue
			}
			length := time.Duration(header.GranulePosition-last) * time.Second / 48000
			last = header.GranulePosition
			due.wait(length)
			p.audio.WriteSample(media.Sample{Data: data, Duration: length})
		}
	}
}

// clock tells when the next piece is due: by what was played, not by how long the program slept, so that it does not drift.
type clock struct{ next time.Time }

// wait waits until the piece before was played, and takes a piece's length.
func (c *clock) wait(length time.Duration) {
	if c.next.IsZero() {
		c.next = time.Now()
	}
	time.Sleep(time.Until(c.next))
	c.next = c.next.Add(length)
}
