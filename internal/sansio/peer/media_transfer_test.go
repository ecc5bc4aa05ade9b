package peer

import (
	"testing"
	"time"

	"github.com/pion/rtcp"

	"github.com/sansrtc/rtc/internal/simnet"
)

// Audio, video and data in both directions over a path that loses, delays and reorders: each video packet comes, since it is asked for again; of
// audio those that the path carried; and all of the data.
func TestMediaOverLossyPath(t *testing.T) {
	for seed := range uint64(6) {
		path := simnet.Config{Delay: 20 * time.Millisecond, Jitter: 4 * time.Millisecond, Rate: 20e6, Queue: 200 << 10}
		w := newMediaWorld(t, seed, path)
		rng := seeded(seed, 99)
		var lost [2]int                            // audio
		begin := w.now.Add(100 * time.Millisecond) // what is lost before a source is known is not missed
		w.see = func(from int, b []byte) bool {
			drop := rng.Uint64()%20 == 0 && w.now.After(begin)
			if drop && isRTP(b) && b[1]&127 == 111 {
				lost[from]++
			}
			return !drop
		}
		const frames = 300
		for n := range frames {
			for i := range w.core {
				w.packet(i, w.audio[i], 0, n, 120)
				for k := range 3 {
					w.packet(i, w.video[i], 0, 3*n+k, 1000)
				}
				if n%3 == 0 {
					w.send(i, w.chat[i], body(n/3, 2000))
				}
			}
			w.run(20 * time.Millisecond)
		}
		w.see = nil
		// What was lost at the very end is not missed: nothing comes after it.
		for i := range w.core {
			w.packet(i, w.audio[i], 0, frames, 120)
			w.packet(i, w.video[i], 0, 3*frames, 1000)
		}
		w.run(3 * time.Second)
		for i, h := range w.ear {
			w.complete(h.video(), 1-i, w.video[1-i], 0, 3*frames+1, 1000)
			audio := h.audio()
			if got, want := len(audio.got), frames+1-lost[1-i]; got != want {
				w.fatalf("%d packets of audio, %d were sent and %d lost", got, frames+1, lost[1-i])
			}
			for n, e := range h.got {
				if k, ok := bodyNumber(e.Data); !ok || k != n {
					w.fatalf("message %d is %d", n, k)
				}
			}
			if len(h.got) != frames/3 {
				w.fatalf("%d messages", len(h.got))
			}
			counts, _ := w.core[i].StreamCounts(h.video().Stream)
			if counts.Lost != 0 || counts.Repaired == 0 || counts.Packets != 3*frames+1 {
				w.fatalf("video %+v", counts)
			}
			if counts, _ = w.core[i].StreamCounts(audio.Stream); counts.Lost != int64(lost[1-i]) {
				w.fatalf("audio %+v, %d were lost", counts, lost[1-i])
			}
		}
		w.close()
	}
}

// What reports say is what the network did: losses, a jitter of zero when the delay is constant, and the round trip.
func TestReportsTellTheNetwork(t *testing.T) {
	w := newMediaWorld(t, 1, simnet.Config{Delay: 35 * time.Millisecond})
	lost := 0
	begin := w.now.Add(100 * time.Millisecond)
	w.see = func(from int, b []byte) bool {
		if from == 0 && isRTP(b) && w.now.After(begin) && ssrcOf(b) == w.section(0, w.audio[0]).Encodings[0].SSRC && b[3]%10 == 7 {
			lost++
			return false
		}
		return true
	}
	for n := range 500 {
		w.packet(0, w.audio[0], 0, n, 100)
		w.run(20 * time.Millisecond)
	}
	w.run(3 * time.Second)
	sent, ok := w.core[0].SenderCounts(w.audio[0], 0)
	if !ok || sent.Packets != 500 || sent.Bytes != 50_000 || sent.Dropped != 0 {
		t.Errorf("sent %+v", sent)
	}
	if r := sent.Remote; int(r.Lost) != lost || lost < 40 || r.Jitter != 0 || r.RoundTrip < 69*time.Millisecond || r.RoundTrip > 71*time.Millisecond {
		t.Errorf("the peer reports %+v, %d were lost", r, lost)
	}
	got, ok := w.core[1].StreamCounts(w.ear[1].audio().Stream)
	if !ok || int(got.Packets) != 500-lost || int(got.Lost) != lost || got.Jitter != 0 || got.RemotePackets != 500 || got.RemoteBytes != 50_000 {
		t.Errorf("received %+v, %d were lost", got, lost)
	}
	if rtt := w.core[0].MediaStats().RoundTrip; rtt < 69*time.Millisecond || rtt > 71*time.Millisecond {
		t.Errorf("round trip %v", rtt)
	}
	// Nothing is sent any more, so nothing has to be said: only ICE wakes a connection.
	before := w.core[0].MediaStats().RTCPSent + w.core[1].MediaStats().RTCPSent
	w.run(time.Minute)
	if n := w.core[0].MediaStats().RTCPSent + w.core[1].MediaStats().RTCPSent - before; n > 0 {
		t.Errorf("%d reports in a minute without media", n)
	}
	w.close()
}

// On another path what was measured counts no more, nor does what the peer still tells of the old one; a restart of ICE on the same path changes
// nothing.
func TestBandwidthOfAnotherPath(t *testing.T) {
	w := newMediaWorld(t, 1, simnet.Config{Delay: 150 * time.Millisecond, Rate: 5e6, Queue: 100 << 10}, MediaConfig{Pacing: true})
	e := &encoder{w: w}
	e.run(10 * time.Second)
	before := w.core[0].Bandwidth()
	if before < 1e6 {
		t.Fatalf("%.0f bit/s", before)
	}
	w.core[0].RestartICE()
	w.negotiate(0)
	w.run(time.Second)
	if got := w.core[0].Bandwidth(); got < before/2 {
		t.Errorf("%.0f bit/s after a restart, %.0f before", got, before)
	}
	e.run(time.Second)
	c := w.core[0]
	c.media.pathChanged(w.now, route{w.addr[1], w.addr[0]})
	if got := c.Bandwidth(); got != 300_000 {
		t.Errorf("%.0f bit/s on a path of which nothing is known", got)
	}
	w.run(400 * time.Millisecond) // feedback about what was sent before comes
	if got := c.Bandwidth(); got != 300_000 {
		t.Errorf("%.0f bit/s by what the old path has carried", got)
	}
	w.close()
}

// What the peer says that it can receive is a bound until it says something else: silence does not lift it, another path does, and so does a zero.
func TestBandwidthThatThePeerBounds(t *testing.T) {
	w := newMediaWorld(t, 1, simnet.Config{Delay: 20 * time.Millisecond, Rate: 5e6, Queue: 100 << 10})
	e := &encoder{w: w}
	e.run(5 * time.Second)
	c := w.core[0]
	w.run(time.Second)
	free := c.Bandwidth()
	say := func(bitrate float32) {
		t.Helper()
		b, err := (&rtcp.ReceiverEstimatedMaximumBitrate{SenderSSRC: 1, Bitrate: bitrate, SSRCs: []uint32{2}}).Marshal()
		w.must(err)
		w.must(w.core[1].WriteRTCP(w.now, b))
		w.run(100 * time.Millisecond)
	}
	say(200_000)
	if got := c.Bandwidth(); got > 200_000 || got < 190_000 {
		t.Fatalf("%.0f bit/s when the peer says 200000", got)
	}
	w.run(time.Minute)
	if got := c.Bandwidth(); got > 200_000 || got < 190_000 {
		t.Errorf("%.0f bit/s a minute after the peer has said 200000", got)
	}
	say(0)
	if got := c.Bandwidth(); got < free/2 {
		t.Errorf("%.0f bit/s without a bound, %.0f before there was one", got, free)
	}
	say(100_000)
	c.media.pathChanged(w.now, route{w.addr[1], w.addr[0]})
	if got := c.Bandwidth(); got != 300_000 {
		t.Errorf("%.0f bit/s on another path", got)
	}
	w.close()
}

// encoder follows the estimate: a frame each 33 ms, in packets of 1150 bytes.
type encoder struct {
	w    *mediaWorld
	n    int
	debt float64
}

// run lets an encoder at A send for a time, and returns the rate that arrived at B and the longest that a packet took.
func (e *encoder) run(d time.Duration) (rate float64, delay time.Duration) {
	w := e.w
	before := w.core[1].MediaStats().RTPBytesReceived
	sentAt := make(map[uint16]time.Time)
	for end := w.now.Add(d); w.now.Before(end); {
		target := w.core[0].Bandwidth()
		if target == 0 {
			target = 300e3
		}
		e.debt += target / 8 * 0.033
		for ; e.debt >= 1200; e.debt -= 1200 {
			sentAt[uint16(e.n)] = w.now
			w.packet(0, w.video[0], 0, e.n, 1150)
			e.n++
		}
		w.run(33 * time.Millisecond)
		for _, t := range w.ear[1].tracks {
			for _, p := range t.got {
				if at, ok := sentAt[p.header.SequenceNumber]; ok {
					delay = max(delay, p.at.Sub(at))
				}
			}
			t.got = nil
		}
	}
	return float64(w.core[1].MediaStats().RTPBytesReceived-before) * 8 / d.Seconds(), delay
}

// The estimate reaches 85 % of the path within ten seconds; a path that becomes narrower and wider again is followed; 2 % of losses that have another
// reason cost a tenth more at the most. So it is whether packets are paced or leave as they are written, a frame at once.
func TestBandwidth(t *testing.T) {
	t.Run("written", func(t *testing.T) { testBandwidth(t, MediaConfig{}) })
	t.Run("paced", func(t *testing.T) { testBandwidth(t, MediaConfig{Pacing: true}) })
}

func testBandwidth(t *testing.T, cfg MediaConfig) {
	for _, rate := range []int64{1e6, 3e6, 10e6} {
		for _, loss := range []float64{0, 0.02} {
			path := func(rate int64) simnet.Config {
				return simnet.Config{Delay: 25 * time.Millisecond, Rate: rate, Queue: int(rate / 8 / 4), Loss: loss}
			}
			least := 0.85 * float64(rate) * (1 - 5*loss)
			w := newMediaWorld(t, 1, path(rate), cfg)
			w.unchecked = true
			e := &encoder{w: w}
			e.run(10 * time.Second)
			got, delay := e.run(10 * time.Second)
			t.Logf("%d bit/s, %v lost: %.0f arrive (%.0f %%), the latest after %v", rate, loss, got, 100*got/float64(rate), delay)
			if got < least {
				t.Errorf("%d bit/s, %v lost: %.0f arrive", rate, loss, got)
			}
			for _, p := range w.wire.Pipes {
				p.SetConfig(path(rate / 2))
			}
			e.run(5 * time.Second)
			if got, _ := e.run(10 * time.Second); got < least/2 {
				t.Errorf("%d bit/s halved, %v lost: %.0f arrive", rate, loss, got)
			}
			for _, p := range w.wire.Pipes {
				p.SetConfig(path(rate))
			}
			e.run(10 * time.Second)
			if got, _ := e.run(10 * time.Second); got < least {
				t.Errorf("%d bit/s again, %v lost: %.0f arrive", rate, loss, got)
			}
			n := 0
			for _, s := range w.ear[0].log {
				if s == "bandwidth" {
					n++
				}
			}
			if n == 0 || n > 5*55 {
				t.Errorf("%d events in 55 s", n)
			}
		}
	}
}

// Media, in either direction, keeps the path watched closely; without any the connection turns to the pace of an idle one.
func TestMediaIsUse(t *testing.T) {
	for from := range 2 {
		w := newMediaWorld(t, 1, lan)
		asked := func() uint64 { return w.core[0].Report().ICE.Pairs[0].ConsentRequestsSent }
		w.run(time.Minute)
		before := asked()
		w.run(4 * time.Minute)
		if n := asked() - before; n < 13 || n > 20 {
			t.Errorf("%d checks of an idle path in four minutes", n)
		}
		before = asked()
		for n := range 240 {
			w.packet(from, w.audio[from], 0, n, 100)
			w.run(time.Second)
		}
		if n := asked() - before; n < 40 || n > 60 {
			t.Errorf("%d checks in four minutes in which %c sends", n, 'A'+from)
		}
		w.close()
	}
}
