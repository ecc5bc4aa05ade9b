// Insertable-streams sends video that only pages with the right key can show: each frame is encrypted before it is packetized, and decrypted by
// the page between its depacketizer and its decoder (W3C WebRTC Encoded Transform), so that whoever forwards it in between, as a conference
// server does, sees nothing. It shows
//
//   - frames that are changed before they are written to a track;
//   - a page that transforms encoded frames in a worker.
//
// The first bytes of a frame stay clear, because packetizers and browsers read them. The cipher is AES-GCM, whose nonce is a counter that
// travels at the end of the frame; how the key gets to the page is not this program's concern: it is in the address it prints, behind the #,
// which browsers do not send.
//
// Run it and open the address it prints:
//
//	go run ./examples/insertable-streams
package main

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"encoding/binary"
	"flag"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
	"github.com/pion/webrtc/v4/pkg/media/ivfreader"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/examples/internal/film"
	"github.com/sansrtc/rtc/examples/internal/page"
)

//go:embed index.html
var html []byte

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "address to serve the page on; port 0 takes a free one")
	flag.Parse()
	key := make([]byte, 16)
	rand.Read(key)
	s, err := newSealer(key)
	if err != nil {
		fmt.Fprintln(os.Stderr, "insertable-streams:", err)
		os.Exit(1)
	}
	video, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8}, "video", "secret")
	if err != nil {
		fmt.Fprintln(os.Stderr, "insertable-streams:", err)
		os.Exit(1)
	}
	go play(s, video)
	fmt.Printf("the key, to be put behind the address: #%s\n", base64.RawURLEncoding.EncodeToString(key))
	page.Main("insertable-streams", *addr, html, func(ctx context.Context, _ url.Values) (*rtc.PeerConnection, error) {
		pc, err := rtc.NewBuilder().Build(ctx)
		if err != nil {
			return nil, err
		}
		if _, err := pc.AddTrack(video); err != nil {
			pc.Close()
			return nil, err
		}
		return pc, nil
	})
}

// sealer encrypts frames.
type sealer struct {
	aead  cipher.AEAD
	count uint64
}

func newSealer(key []byte) (*sealer, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	return &sealer{aead: aead}, err
}

// open is how much of a VP8 frame is not encrypted: RFC 6386 section 9.1 has a frame header of 10 bytes in keyframes, which tells their
// size. Frames in between have 3.
func open(frame []byte) int {
	if frame[0]&1 == 0 {
		return min(10, len(frame))
	}
	return min(3, len(frame))
}

// seal encrypts a frame: its clear part, which is authenticated, the ciphertext with its tag, and 8 bytes of counter.
func (s *sealer) seal(frame []byte) []byte {
	s.count++
	nonce := make([]byte, s.aead.NonceSize())
	binary.BigEndian.PutUint64(nonce[4:], s.count)
	head := open(frame)
	out := append(make([]byte, 0, len(frame)+s.aead.Overhead()+8), frame[:head]...)
	out = s.aead.Seal(out, nonce, frame[head:], frame[:head])
	return append(out, nonce[4:]...)
}

// play writes the film to the track, again and again, each frame when it is due.
func play(s *sealer, video *webrtc.TrackLocalStaticSample) {
	for due := time.Now(); ; {
		r, header, err := ivfreader.NewWith(bytes.NewReader(film.Pattern))
		if err != nil {
			panic(err)
		}
		length := time.Duration(header.TimebaseNumerator) * time.Second / time.Duration(header.TimebaseDenominator)
		for {
			frame, _, err := r.ParseNextFrame()
			if err != nil {
				break // the end
			}
			time.Sleep(time.Until(due))
			due = due.Add(length)
			video.WriteSample(media.Sample{Data: s.seal(frame), Duration: length})
		}
	}
}
