package rtc_test

import (
	"sync/atomic"
	"testing"

	"github.com/pion/rtp"

	"github.com/sansrtc/rtc"
)

// taker is a handler that takes packets and keeps nothing.
type taker struct {
	recorder
	packets atomic.Int64
	due     atomic.Int64  // when so many are there,
	came    chan struct{} // it is told
}

func (t *taker) OnRTP(_ *rtc.PeerConnection, _ *rtc.TrackRemote, p *rtp.Packet) {
	if t.packets.Add(1) == t.due.Load() {
		t.came <- struct{}{}
	}
}

// A packet that is written costs no allocation, neither where it is sent nor where it is received and told; and one that is read into the reader's
// memory costs none either.
func TestPacketsAllocateNothing(t *testing.T) {
	w := sockets[0]
	rts := w.runtimes(t)
	var pc [2]*rtc.PeerConnection
	far := &taker{recorder: recorder{name: "b"}, came: make(chan struct{}, 1)}
	for i, h := range []rtc.EventHandler{&recorder{name: "a"}, far} {
		var err error
		if pc[i], err = w.builder(rts[i]).Handler(h).Build(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer func() {
			pc[i].Close()
			<-pc[i].Done()
		}()
	}
	video, audio := newSource(t, vp8, "video"), newSource(t, opus, "audio")
	for _, s := range []*source{video, audio} {
		if _, err := pc[0].AddTrack(s); err != nil {
			t.Fatal(err)
		}
	}
	negotiate(t, pc[0], pc[1], nil)
	eventually(t, "packets", func() bool {
		video.send(1)
		audio.send(1)
		return far.track("video") != nil && far.track("audio") != nil
	})
	big, small := packet(1000), packet(0)
	big.Payload, small.Payload = make([]byte, 1100), make([]byte, 100)
	n := uint16(0)
	round := func() {
		far.due.Store(far.packets.Load() + 8)
		for range 4 {
			n++
			big.SequenceNumber, big.Timestamp = 10_000+n, uint32(n)*3000
			small.SequenceNumber, small.Timestamp = 10_000+n, uint32(n)*960
			if err := video.WriteRTP(big); err != nil {
				t.Fatal(err)
			}
			if err := audio.WriteRTP(small); err != nil {
				t.Fatal(err)
			}
		}
		<-far.came
	}
	for range 1000 { // histories and pools fill
		round()
	}
	if per := testing.AllocsPerRun(2000, round) / 8; per > 0.05 && !underRace { // there are reports too; the race detector has pools forget
		t.Errorf("%.3f allocations for each packet", per)
	}
}
