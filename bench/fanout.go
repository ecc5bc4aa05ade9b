package main

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// fanout forwards a video from one connection to many. The forwarder is this process, alone; publisher and subscribers are another one, the same
// for every stack.
type fanout struct {
	subscribers int
	burst       int // packets that the publisher sends together, as the frames of a video; 1: evenly spaced
}

// The video has 2.4 Mbit/s: 250 packets a second of about 1200 bytes, or 31 frames of 8.
const (
	packetsPerSecond = 250
	packetSize       = 1150 // of its payload
	packetsInFlight  = 64   // when it is as fast as it goes
)

// video is what is sent and forwarded.
func video() (*webrtc.TrackLocalStaticRTP, error) {
	return webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8}, "video", "bench")
}

func (f fanout) measure(m measurement) (figures, error) {
	s, err := newStack(m.stack, settings{media: true})
	if err != nil {
		return nil, err
	}
	subscribers := m.count(f.subscribers)
	clients, err := startRemote(watches, audienceStack)
	if err != nil {
		return nil, err
	}
	defer clients.end()
	local, err := video()
	if err != nil {
		return nil, err
	}
	goroutines := runtime.NumGoroutine()
	var failed atomic.Pointer[error]
	var forwarder []peer
	join := func(r role, prepare func(p peer) error) error {
		offer, err := ask[scene](clients, cue{Join: r})
		if err != nil {
			return err
		}
		p, err := s.newPeer(answerer)
		if err != nil {
			return err
		}
		forwarder = append(forwarder, p)
		if err := prepare(p); err != nil {
			return err
		}
		answer, err := p.answer(offer.Offer)
		if err != nil {
			return err
		}
		_, err = ask[scene](clients, cue{Answer: answer})
		return err
	}
	for range subscribers {
		if err := join(subscriber, func(p peer) error { return p.send(local) }); err != nil {
			return nil, fmt.Errorf("subscriber: %w", err)
		}
	}
	err = join(publisher, func(p peer) error {
		p.onRTP(func(p *rtp.Packet) {
			if err := local.WriteRTP(p); err != nil {
				failed.Store(&err)
			}
		})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("publisher: %w", err)
	}
	if _, err := ask[scene](clients, cue{Ready: true}); err != nil {
		return nil, err
	}
	perConnection := float64(runtime.NumGoroutine()-goroutines) / float64(len(forwarder))

	// during is what is spent here, and what arrives there, while the publisher plays.
	during := func(p play) (spent usage, err error) {
		if _, err := ask[scene](clients, cue{Play: &p}); err != nil {
			return spent, err
		}
		time.Sleep(m.span(time.Second))
		var from usage
		for _, at := range []*usage{&from, &spent} {
			arrived, err := ask[scene](clients, cue{})
			if err != nil {
				return spent, err
			}
			*at = used().add(usage{Messages: arrived.Arrived})
			if at == &from {
				time.Sleep(m.span(2500 * ms))
			}
		}
		return spent.since(from), nil
	}
	steady, err := during(play{Burst: f.burst, Gap: time.Duration(f.burst) * time.Second / packetsPerSecond})
	if err != nil {
		return nil, err
	}
	full, err := during(play{Burst: f.burst, Window: packetsInFlight})
	if err != nil {
		return nil, err
	}
	end, err := ask[scene](clients, cue{End: true})
	if err != nil {
		return nil, err
	}
	for _, p := range forwarder {
		p.close()
	}
	if err := failed.Load(); err != nil {
		return nil, *err
	}
	per := func(u usage) float64 { return float64(max(u.Messages, 1)) }
	return figures{
		"CPU µs/packet":         micros(steady.CPU) / per(steady),
		"allocs/packet":         float64(steady.Mallocs) / per(steady),
		"most packets/s":        float64(full.Messages) / full.At.Seconds(),
		"CPU µs/packet at most": micros(full.CPU) / per(full),
		"lost %":                100 * float64(end.Lost) / float64(max(end.Arrived+end.Lost, 1)),
		"goroutines/connection": perConnection,
	}, nil
}
