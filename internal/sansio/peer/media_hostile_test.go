package peer

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"github.com/sansrtc/rtc/internal/sansio/media"
	"github.com/sansrtc/rtc/internal/simnet"
)

// Packets that are replayed, forged, cut, from somewhere else or too late have no effect, are counted, and cost no allocation as far as they are of
// sources that are known.
func TestHostileMedia(t *testing.T) {
	w := newMediaWorld(t, 1, lan)
	var video, control []byte
	w.see = func(from int, b []byte) bool {
		switch {
		case from == 0 && isRTP(b):
			video = slices.Clone(b)
		case from == 0 && isRTCP(b):
			control = slices.Clone(b)
		}
		return true
	}
	for n := range 200 {
		w.packet(0, w.video[0], 0, n, 100)
		w.run(20 * time.Millisecond)
	}
	w.see = nil
	if video == nil || control == nil {
		t.Fatal("nothing was sent")
	}
	flip := func(b []byte, at int) []byte {
		b = slices.Clone(b)
		b[(at+len(b))%len(b)] ^= 1
		return b
	}
	later := slices.Clone(video)
	binary.BigEndian.PutUint16(later[2:], 5000)
	w.run(time.Second)
	log := len(w.ear[1].log)
	got := len(w.ear[1].video().got)
	dropped := func() (n uint64) {
		r := w.core[1].Report()
		d := r.Media.Drops
		return d.Malformed + d.Protection + d.Replayed + d.NoKeys + d.Unrouted + r.DroppedUnauthenticated + r.DroppedUnknown
	}
	buf := make([]byte, 2000)
	for name, b := range map[string][]byte{
		"replayed": video, "replayed RTCP": control, "forged number": later, "changed payload": flip(video, -20), "changed tag": flip(video, -1),
		"changed header": flip(video, 5), "changed RTCP": flip(control, -1), "changed index": flip(control, -3), "cut": video[:20], "cut RTCP": control[:9],
		"header only": video[:12], "two bytes": {0x80, 96}, "one byte": {0x80}, "RTCP header": {0x80, 200, 0, 0},
	} {
		before := dropped()
		w.deliver(1, w.addr[0], b)
		if dropped() != before+1 {
			t.Errorf("%s: not counted", name)
		}
		before = dropped()
		for _, stranger := range w.strangers() {
			w.deliver(1, stranger, b)
		}
		if dropped() != before+uint64(len(w.strangers())) {
			t.Errorf("%s: not counted from strangers", name)
		}
		stranger := w.strangers()[0]
		if allocs := testing.AllocsPerRun(50, func() {
			w.core[1].HandleRead(w.now, w.addr[1], stranger, buf[:copy(buf, b)], 0)
		}); allocs > 0 {
			t.Errorf("%s: %v allocations", name, allocs)
		}
	}
	if len(w.ear[1].log) != log || len(w.ear[1].video().got) != got {
		t.Errorf("they were heard: %q", w.ear[1].log[log:])
	}
	w.close()
	before := w.core[1].Report().DroppedEarly
	w.deliver(1, w.addr[0], later)
	if w.core[1].Report().DroppedEarly != before+1 {
		t.Error("after Close: not counted")
	}
}

// What comes before the keys is dropped and counted: RTP that is faster than the handshake.
func TestEarlyMedia(t *testing.T) {
	cfg := Config{Media: MediaConfig{Formats: testFormats()}}
	w := &mediaWorld{world: newWorld(t, 1, lan, cfg)}
	_, err := w.core[0].AddTrack(w.now, Video, "picture", nil)
	w.must(err)
	packet := make([]byte, 200)
	packet[0], packet[1] = 0x80, 96
	w.deliver(1, w.addr[0], packet)
	w.see = func(from int, b []byte) bool {
		if from == 0 && w.core[1].ice.Accepts(w.addr[1], w.addr[0]) {
			w.core[1].HandleRead(w.now, w.addr[1], w.addr[0], slices.Clone(packet), 0)
		}
		return true
	}
	w.negotiate(0)
	w.run(time.Second)
	if r := w.core[1].Report(); r.DroppedEarly != 1 || r.Media.Drops.NoKeys == 0 || len(w.ear[1].tracks) != 0 {
		t.Errorf("%+v", r)
	}
}

// A peer may say what it likes in authentic packets: nothing grows, nothing panics, and what is right still works.
func TestHostilePeerOfMedia(t *testing.T) {
	w := newMediaWorld(t, 1, simnet.Config{Delay: time.Millisecond}, MediaConfig{MaxStreams: 20, WantRTCP: true})
	w.packet(0, w.video[0], 0, 0, 100)
	w.packet(1, w.video[1], 0, 0, 100)
	w.run(100 * time.Millisecond)
	ours := w.section(1, w.video[1]).Encodings[0].SSRC
	write := func(packets ...rtcp.Packet) {
		b, err := rtcp.Marshal(packets)
		w.must(err)
		w.must(w.core[0].WriteRTCP(w.now, b))
		w.run(10 * time.Millisecond)
	}
	for n := range 100 {
		var nacks []rtcp.NackPair
		for k := range 200 {
			nacks = append(nacks, rtcp.NackPair{PacketID: uint16(n*k*17 - 100), LostPackets: 0xffff})
		}
		write(&rtcp.TransportLayerNack{MediaSSRC: ours, Nacks: nacks})
		write(&rtcp.PictureLossIndication{MediaSSRC: ours})
		write(&rtcp.ReceiverEstimatedMaximumBitrate{Bitrate: float32(n) * 1e12, SSRCs: []uint32{ours}})
		write(&rtcp.TransportLayerCC{
			Header:             rtcp.Header{Count: rtcp.FormatTCC, Type: rtcp.TypeTransportSpecificFeedback, Length: 5},
			BaseSequenceNumber: uint16(n), PacketStatusCount: 7,
			PacketChunks: []rtcp.PacketStatusChunk{&rtcp.RunLengthChunk{RunLength: 8191}},
		})
		write(&rtcp.ReceiverReport{SSRC: 1, Reports: []rtcp.ReceptionReport{{
			SSRC: ours, LastSenderReport: uint32(n) << 24, Delay: uint32(n) << 20, Jitter: 1 << 31, TotalLost: 1<<24 - 1, LastSequenceNumber: 1 << 31,
		}}})
		write(&rtcp.Goodbye{Sources: []uint32{ours, w.ear[1].video().SSRC, 5}})
	}
	asked := 0
	for _, s := range w.ear[1].log {
		if s == "keyframe of 2, encoding 0" {
			asked++
		}
	}
	if asked == 0 || asked > 30 {
		t.Errorf("%d keyframes are asked for in six seconds", asked)
	}
	sent, _ := w.core[1].SenderCounts(w.video[1], 0)
	if sent.RetransmittedPackets > 600 {
		t.Errorf("%d packets were sent again", sent.RetransmittedPackets)
	}
	for n := range 20 {
		w.packet(0, w.video[0], 0, n+1, 100)
		w.run(10 * time.Millisecond)
	}
	if len(w.ear[1].video().got) != 21 || w.ear[1].video().muted {
		t.Errorf("%d packets", len(w.ear[1].video().got))
	}
	w.close()
}

// The keys are the exporter's in both roles, for each profile that the ends may agree on.
func TestKeysOfMedia(t *testing.T) {
	for _, passive := range []bool{false, true} {
		cfg := Config{AnsweringRole: answering(passive), Media: MediaConfig{Formats: testFormats()}}
		w := &mediaWorld{world: newWorld(t, 1, lan, cfg)}
		w.connectMedia()
		for i := range w.core {
			w.packet(i, w.audio[i], 0, 1, 100)
		}
		w.run(time.Second)
		for i, h := range w.ear {
			if r := w.core[i].MediaStats(); r.SRTPProfile != 7 || len(h.audio().got) != 1 {
				t.Errorf("%c: %+v", 'A'+i, r)
			}
		}
	}
	for _, profile := range []uint16{1, 2, 7, 8} {
		if _, _, ok := media.KeyLength(profile); !ok {
			t.Errorf("profile %d, which DTLS may negotiate, is not known", profile)
		}
	}
}
