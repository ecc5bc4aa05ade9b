package main

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// talk is a connection with audio and video in both directions.
type talk struct {
	ends   [2]peer
	tracks []*webrtc.TrackLocalStaticRTP
	sent   uint16
	heard  [2][128]atomic.Bool // by end, payload type
}

// kinds are sent by each end.
var kinds = [...]string{webrtc.MimeTypeOpus, webrtc.MimeTypeVP8}

func newTalk(s stack) (t *talk, err error) {
	t = new(talk)
	for i, which := range [...]side{offerer, answerer} {
		p, err := s.newPeer(which)
		if err != nil {
			return nil, err
		}
		t.ends[i] = p
		p.onRTP(func(p *rtp.Packet) { t.heard[i][p.PayloadType].Store(true) })
		for _, kind := range kinds {
			local, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: kind}, kind, "bench")
			if err != nil {
				return nil, err
			}
			if err := p.send(local); err != nil {
				return nil, err
			}
			t.tracks = append(t.tracks, local)
		}
	}
	return t, introduce(end{peer: t.ends[0]}, t.ends[1].answer)
}

// say sends a packet of each track.
func (t *talk) say() error {
	t.sent++
	for _, local := range t.tracks {
		err := local.WriteRTP(&rtp.Packet{
			Header:  rtp.Header{Version: 2, SequenceNumber: t.sent, Timestamp: uint32(t.sent) * 960},
			Payload: make([]byte, 100),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// understood tells whether both ends have heard all kinds.
func (t *talk) understood() bool {
	for i := range t.heard {
		n := 0
		for pt := range t.heard[i] {
			if t.heard[i][pt].Load() {
				n++
			}
		}
		if n < len(kinds) {
			return false
		}
	}
	return true
}

// begin has all talks say something until all is heard, and then half a second's worth of packets.
func begin(talks []*talk) error {
	const more = 25
	for start, last := time.Now(), 0; last < more; time.Sleep(20 * ms) {
		heard := true
		for _, t := range talks {
			if err := t.say(); err != nil {
				return fmt.Errorf("talk: %w", err)
			}
			heard = heard && t.understood()
		}
		if heard {
			last++
		} else if time.Since(start) > patience {
			return errors.New("not every track is heard")
		}
	}
	return nil
}

// talking is the memory of connections that have carried some audio and video.
func talking(connections int) func(m measurement) (figures, error) {
	return func(m measurement) (figures, error) {
		s, err := newStack(m.stack, settings{media: true})
		if err != nil {
			return nil, err
		}
		talks := make([]*talk, 1+m.count(connections)/2)
		// What the first connection brings along is the process's.
		if talks[0], err = newTalk(s); err == nil {
			err = begin(talks[:1])
		}
		if err != nil {
			return nil, err
		}
		before, goroutines := settled(), runtime.NumGoroutine()
		for i := range talks[1:] {
			if talks[1+i], err = newTalk(s); err != nil {
				return nil, err
			}
		}
		if err := begin(talks); err != nil {
			return nil, err
		}
		time.Sleep(m.span(3 * time.Second))
		n := 2 * (len(talks) - 1)
		f := perConnection(before, settled(), n)
		f["goroutines/connection"] = float64(runtime.NumGoroutine()-goroutines) / float64(n)
		runtime.KeepAlive(talks)
		return f, nil
	}
}
