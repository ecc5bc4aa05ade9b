package rtc_test

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime/sim"
)

// story is a call with everything in it: trickled candidates, channels from both sides, data over a path that loses, jitters, reorders and
// repeats, audio and video, handlers that take their time, a partition, an ICE restart, and the end. It returns what was on the wire and what was heard, with
// its times.
func story(t *testing.T, seed uint64) (trace *sim.Trace, events string) {
	p := newPair(t, sim.Config{Seed: seed, Handoff: -1, Link: sim.Link{
		Delay: 20 * time.Millisecond, Jitter: 5 * time.Millisecond, Loss: 0.03, Reorder: 0.03, Duplicate: 0.03, Rate: 20e6,
		Burst: sim.Burst{Enter: 0.002, Leave: 0.3, Loss: 0.5},
	}}, nil)
	trace = p.world.Trace()
	var log strings.Builder
	for i, r := range p.rec {
		r.on = func(kind string, _ *rtc.PeerConnection, dc *rtc.DataChannel, msg rtc.DataChannelMessage) {
			label := ""
			if dc != nil {
				label = dc.Label()
			}
			fmt.Fprintf(&log, "%v %s %s %s %x\n", p.world.Now().UnixNano(), r.name, kind, label, sha256.Sum256(msg.Data))
			if kind == "message" && len(msg.Data)%7 == 0 {
				p.world.Sleep(30 * time.Millisecond)
				dc.SendText("slow")
			}
		}
		// Trickle: each candidate takes a while.
		r.signal = func(c *rtc.ICECandidate) {
			if c == nil {
				return
			}
			p.world.After(15*time.Millisecond, func() { p.pc[1-i].AddICECandidate(c.ToJSON()) })
		}
	}
	dc, err := p.pc[0].CreateDataChannel("first", nil)
	p.must(err)
	video, audio := newSource(t, vp8, "video"), newSource(t, opus, "audio")
	p.add(0, video)
	p.add(1, audio)
	offer, err := p.pc[0].CreateOffer(nil)
	p.must(err)
	p.must(p.pc[1].SetRemoteDescription(offer))
	p.must(p.pc[0].SetLocalDescription(offer))
	answer, err := p.pc[1].CreateAnswer(nil)
	p.must(err)
	p.must(p.pc[0].SetRemoteDescription(answer))
	p.must(p.pc[1].SetLocalDescription(answer))
	p.until("open", func() bool { return p.rec[0].channel(0) != nil && p.rec[1].channel(0) != nil })
	no := false
	other, err := p.pc[1].CreateDataChannel("second", &rtc.DataChannelInit{Ordered: &no})
	p.must(err)
	p.world.Go("caller", func() {
		for i := range 60 {
			dc.Send(make([]byte, 1+i*997))
			other.SendText(strings.Repeat("text", i))
			p.world.Sleep(17 * time.Millisecond)
		}
	})
	stopVideo, stopAudio := p.films(video), p.films(audio)
	p.world.Run(3 * time.Second)
	p.world.Partition(p.hosts[0], p.hosts[1], true)
	p.world.Run(7 * time.Second)
	p.world.Partition(p.hosts[0], p.hosts[1], false)
	p.world.Run(5 * time.Second)
	p.must(p.pc[0].RestartICE())
	negotiate(t, p.pc[0], p.pc[1], nil)
	p.world.Run(5 * time.Second)
	dc.Close()
	p.world.Run(time.Second)
	stopVideo()
	stopAudio()
	p.pc[1].Close()
	p.world.Run(time.Second)
	return trace, log.String()
}

// Promise 6, reproducible: the same seed gives the same packets, to the byte and the nanosecond, and the same events; another seed gives
// others.
func TestReproducible(t *testing.T) {
	seeds := 30
	if testing.Short() {
		seeds = 10
	}
	digests := map[string]uint64{}
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			t1, e1 := story(t, seed)
			t2, e2 := story(t, seed)
			if t1.Digest() != t2.Digest() {
				t.Errorf("two runs have other packets, first: %s", firstDifference(t1.String(), t2.String()))
			}
			if e1 != e2 {
				t.Errorf("two runs have other events, first: %s", firstDifference(e1, e2))
			}
			for _, kind := range []string{"message", "close", "connection", "track", "trackended"} {
				if !strings.Contains(e1, " "+kind+" ") {
					t.Errorf("the story has no %s:\n%s", kind, e1)
				}
			}
			if other, ok := digests[t1.Digest()]; ok {
				t.Errorf("seed %d has the same packets", other)
			}
			digests[t1.Digest()] = seed
		})
	}
}

func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return fmt.Sprintf("line %d:\n%s\n%s", i, x[i], y[i])
		}
	}
	return fmt.Sprintf("%d and %d lines", len(x), len(y))
}
