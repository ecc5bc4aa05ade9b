package peer

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"github.com/sansrtc/rtc/internal/simnet"
)

// A connection without media has no media, and negotiating some later makes it.
func TestMediaComesLater(t *testing.T) {
	cfg := Config{Media: MediaConfig{Formats: testFormats()}}
	w := &mediaWorld{world: newWorld(t, 1, lan, cfg)}
	w.connect()
	w.settle()
	if w.core[0].media != nil || w.core[1].media != nil {
		t.Fatal("media without a media section")
	}
	if err := w.core[0].SendRTP(w.now, 1, 0, &rtp.Header{}, nil); err != ErrNotSending {
		t.Errorf("SendRTP: %v", err)
	}
	id, err := w.core[1].AddTrack(w.now, Video, "picture", nil)
	w.must(err)
	w.flush()
	if log := w.ear[1].log; log[len(log)-1] != "negotiation needed" {
		t.Errorf("%q", log)
	}
	w.negotiate(1)
	for n := range 3 {
		h := rtp.Header{Version: 2, PayloadType: 96, SequenceNumber: uint16(n)}
		w.must(w.core[1].SendRTP(w.now, id, 0, &h, []byte{1, 2}))
		w.run(20 * time.Millisecond)
	}
	if len(w.ear[0].tracks) != 1 || len(w.ear[0].tracks[1].got) != 3 {
		w.fatalf("%q", w.ear[0].log)
	}
	if tr := w.ear[0].tracks[1]; tr.Codec.Name != "VP8" || tr.Section.MSIDs[0].Track != "picture" || tr.Transceiver == 0 {
		t.Errorf("%+v", tr.MediaEvent)
	}
	if log := w.ear[0].log; !slices.Contains(log, "transceiver 1 created") {
		t.Errorf("%q", log)
	}
}

// Close says BYE and then close_notify; tracks end and senders are unbound before the last event, and all memory comes back.
func TestCloseOfMedia(t *testing.T) {
	w := newMediaWorld(t, 1, lan)
	for n := range 20 {
		for i := range w.core {
			w.packet(i, w.audio[i], 0, n, 100)
			w.packet(i, w.video[i], 0, n, 1000)
		}
		w.run(20 * time.Millisecond)
	}
	var left []string
	w.see = func(from int, b []byte) bool {
		if from == 0 {
			switch {
			case isRTCP(b):
				left = append(left, "RTCP")
			case isRTP(b):
				left = append(left, "RTP")
			case b[0] >= 20 && b[0] <= 63:
				left = append(left, "DTLS")
			}
		}
		return true
	}
	w.packet(0, w.video[0], 0, 100, 1000) // too late: nobody would hear it
	w.core[0].Close(w.now)
	if err := w.core[0].SendRTP(w.now, w.video[0], 0, &rtp.Header{PayloadType: 96}, nil); err != ErrNotSending {
		t.Errorf("SendRTP after Close: %v", err)
	}
	if err := w.core[0].WriteRTCP(w.now, []byte{0x80, 201, 0, 1, 0, 0, 0, 1}); err != ErrNotSending {
		t.Errorf("WriteRTCP after Close: %v", err)
	}
	w.run(time.Second)
	if fmt.Sprint(left) != "[RTCP DTLS]" {
		t.Errorf("A sends %v", left)
	}
	for i, h := range w.ear {
		if len(h.sends) != 0 || h.connection() != Closed {
			t.Errorf("%c: %q", 'A'+i, h.log)
		}
		for _, tr := range h.tracks {
			if !tr.ended || tr.muted != (i == 1) { // B has heard the BYE
				t.Errorf("%c: track %+v", 'A'+i, tr)
			}
		}
	}
	w.close()
	for _, c := range w.core {
		c.Release()
		if c.media != nil {
			t.Error("media after Release")
		}
	}
}

// A transceiver that stops to send and begins again carries on with its numbers, and the other end's track is muted and unmuted; one that is
// stopped ends it.
func TestDirectionsOfMedia(t *testing.T) {
	w := newMediaWorld(t, 1, lan)
	n := 0
	send := func(count int) {
		for range count {
			w.packet(0, w.video[0], 0, n, 500)
			n++
			w.run(20 * time.Millisecond)
		}
	}
	send(10)
	track := w.ear[1].video()
	w.must(w.core[0].SetDirection(w.now, w.video[0], RecvOnly))
	w.negotiate(0)
	if err := w.core[0].SendRTP(w.now, w.video[0], 0, &rtp.Header{PayloadType: 96}, nil); err != ErrNotSending {
		t.Errorf("SendRTP while the direction is recvonly: %v", err)
	}
	if !track.muted || track.ended || w.ear[0].sends[w.video[0]] != nil {
		w.fatalf("A %q\nB %q", w.ear[0].log, w.ear[1].log)
	}
	w.must(w.core[0].SetDirection(w.now, w.video[0], SendRecv))
	w.negotiate(0)
	w.section(0, w.video[0])
	// The numbers that the application uses begin anew. Those on the wire must not: a number is used once under one key.
	n = 0
	send(10)
	if track.muted || len(track.got) != 20 {
		w.fatalf("%d packets, muted %t", len(track.got), track.muted)
	}
	seen := map[uint16]bool{}
	for _, p := range track.got {
		if seen[p.header.SequenceNumber] {
			t.Errorf("number %d twice", p.header.SequenceNumber)
		}
		seen[p.header.SequenceNumber] = true
	}
	w.must(w.core[0].StopTransceiver(w.now, w.video[0]))
	w.flush()
	if w.ear[0].sends[w.video[0]] != nil {
		t.Error("a stopped transceiver may send")
	}
	w.run(100 * time.Millisecond)
	if !track.muted {
		t.Errorf("no BYE came: %q", w.ear[1].log)
	}
	w.negotiate(0)
	w.run(time.Second)
	if !track.ended || !slices.Contains(w.ear[1].log, fmt.Sprintf("transceiver %d stopped", w.video[1])) {
		t.Errorf("%q", w.ear[1].log)
	}
	w.close()
}

// A packet leaves with the header extensions that were negotiated for its direction, whatever else it carries: what is forwarded has the identifiers of the
// connection that it came by.
func TestExtensionsOfForwardedPackets(t *testing.T) {
	const both, back, neither = 6, 7, 8 // the five of the connection itself come before
	w := newMediaWorld(t, 1, lan, MediaConfig{Formats: testFormats(HeaderExtension{URI: "urn:both"}, HeaderExtension{URI: "urn:back", Direction: RecvOnly})},
		MediaConfig{Formats: testFormats(HeaderExtension{URI: "urn:both"}, HeaderExtension{URI: "urn:back"})})
	for _, x := range w.section(0, w.video[0]).Extensions {
		if id := map[string]uint8{"urn:both": both, "urn:back": back}[x.URI]; id != 0 && id != x.ID {
			t.Fatalf("%s has %d", x.URI, x.ID)
		}
	}
	for from := range 2 {
		h := rtp.Header{Version: 2, PayloadType: 96, SequenceNumber: 1}
		for id := range uint8(14) {
			w.must(h.SetExtension(id+1, []byte{id}))
		}
		w.must(w.core[from].SendRTP(w.now, w.video[from], 0, &h, []byte{1}))
		w.run(20 * time.Millisecond)
		got := w.ear[1-from].video().got[0].header
		if x := got.GetExtension(both); len(x) != 1 || x[0] != both-1 {
			t.Errorf("%c: %x under a negotiated identifier", 'A'+from, x)
		}
		if x := got.GetExtension(back); (x != nil) != (from == 1) {
			t.Errorf("%c: %x under one that is for B only", 'A'+from, x)
		}
		for id := range uint8(15 - neither) {
			if x := got.GetExtension(neither + id); x != nil {
				t.Errorf("%c: %x under %d, which was not negotiated", 'A'+from, x, neither+id)
			}
		}
	}
	w.close()
}

// A keyframe that is asked for is asked for once in a while, and the sender is told which encoding it is.
func TestKeyframes(t *testing.T) {
	w := newMediaWorld(t, 1, lan)
	asked := 0
	w.ear[0].on = func(e Event) {
		if e.Kind == EventKeyframe {
			asked++
			if e.Media.Transceiver != w.video[0] || e.Media.Encoding != 0 || e.Media.MID != "1" {
				t.Errorf("%+v", e.Media)
			}
		}
	}
	for n := range 50 {
		w.packet(0, w.video[0], 0, n, 500)
		w.run(20 * time.Millisecond)
		w.core[1].RequestKeyframe(w.now, w.ear[1].video().Stream)
	}
	w.run(time.Second)
	if asked < 3 || asked > 5 {
		t.Errorf("%d requests in a second", asked)
	}
	counts, _ := w.core[0].SenderCounts(w.video[0], 0)
	if counts.PLIs < 3 || counts.PLIs > 5 {
		t.Errorf("%+v", counts)
	}
	w.core[1].RequestKeyframe(w.now, 999)
	w.close()
}

// Each encoding of simulcast is a track of its own with its RID, and is asked for keyframes and switched off on its own.
func TestSimulcast(t *testing.T) {
	cfg := Config{Media: MediaConfig{Formats: testFormats()}}
	w := &mediaWorld{world: newWorld(t, 1, simnet.Config{Delay: 10 * time.Millisecond}, cfg)}
	id, err := w.core[0].AddTransceiver(w.now, TransceiverInit{
		Kind: Video, Direction: SendOnly, Track: "picture", HasTrack: true, Encodings: []Encoding{{RID: "q"}, {RID: "h"}, {RID: "f"}},
	})
	w.must(err)
	w.video[0] = id
	// Only who offers simulcast as a receiver, or answers, gets it: here B answers.
	w.chat[0], w.chat[1] = w.connect()
	var asked []int
	w.ear[0].on = func(e Event) {
		if e.Kind == EventKeyframe {
			asked = append(asked, e.Media.Encoding)
		}
	}
	lose := 0
	w.see = func(from int, b []byte) bool {
		if from == 0 && isRTP(b) {
			lose++
			return lose < 50 || lose%11 != 0
		}
		return true
	}
	for n := range 100 {
		if n == 50 {
			encodings := slices.Clone(w.section(0, id).Encodings)
			encodings[2].Inactive = true
			w.must(w.core[0].SetEncodings(w.now, id, encodings))
			w.flush()
		}
		for k := range 3 {
			w.packet(0, id, k, n, 300*(k+1))
		}
		w.run(20 * time.Millisecond)
	}
	w.see = nil
	for k := range 2 {
		w.packet(0, id, k, 100, 300*(k+1))
	}
	w.run(time.Second)
	for k, rid := range []string{"q", "h", "f"} {
		track := w.ear[1].track(w.section(0, id).Mid, rid)
		if k == 2 {
			if n := len(track.got); n < 49 || n > 50 { // the last one may be lost, and is not missed
				t.Errorf("%d packets of %q", n, rid)
			}
			continue
		}
		w.complete(track, 0, id, k, 101, 300*(k+1))
		w.core[1].RequestKeyframe(w.now, track.Stream)
	}
	w.run(time.Second)
	if slices.Sort(asked); !slices.Equal(asked, []int{0, 1}) {
		t.Errorf("asked for keyframes of %v", asked)
	}
	if len(w.ear[1].tracks) != 3 {
		t.Errorf("%d tracks", len(w.ear[1].tracks))
	}
}

// Another track of the same encoding carries on where the last one was.
func TestNewSource(t *testing.T) {
	w := newMediaWorld(t, 1, lan)
	for n := range 5 {
		w.packet(0, w.video[0], 0, 1000+n, 100)
		w.run(20 * time.Millisecond)
	}
	w.core[0].NewSource(w.video[0], 0)
	for n := range 5 {
		w.packet(0, w.video[0], 0, 30000+n, 100)
		w.run(20 * time.Millisecond)
	}
	for n, p := range w.ear[1].video().got {
		if p.header.SequenceNumber != uint16(1000+n) {
			t.Errorf("packet %d has the number %d", n, p.header.SequenceNumber)
		}
	}
	if len(w.ear[1].video().got) != 10 {
		t.Errorf("%d packets", len(w.ear[1].video().got))
	}
	w.core[0].NewSource(99, 0)
	w.close()
}

// Packets wait for the application up to a bound. Then the oldest go, are counted, and their memory comes back; other events stay, and in order.
func TestSlowApplication(t *testing.T) {
	w := newMediaWorld(t, 1, lan, MediaConfig{ReceiveQueue: 50, WantRTCP: true})
	w.packet(0, w.video[0], 0, 0, 100)
	w.run(100 * time.Millisecond)
	w.unread = true
	for n := 1; n < 2000; n++ {
		w.packet(0, w.video[0], 0, n, 100)
		if n%100 == 0 {
			w.send(0, w.chat[0], body(n/100, 10))
		}
		if n%10 == 0 {
			w.must(w.core[0].WriteRTCP(w.now, []byte{0x80, 201, 0, 1, 0, 0, 0, 1}))
		}
		w.run(time.Millisecond)
		if held := len(w.buffers[1]); held > 50 {
			w.fatalf("%d packets are held", held)
		}
	}
	w.run(time.Second)
	if places := len(w.core[1].events.ring); places > 512 {
		t.Errorf("%d places for 50 packets, as many of RTCP and 20 messages", places)
	}
	dropped := w.core[1].Report().DroppedMedia
	if c, _ := w.core[1].StreamCounts(w.ear[1].video().Stream); c.Discarded != dropped || c.Packets != 2000 {
		t.Errorf("%d packets were dropped, of the stream %d of %d", dropped, c.Discarded, c.Packets)
	}
	if r := w.core[1].Report(); w.core[1].events.rtcp != 50 || r.DroppedRTCP < 100 {
		t.Errorf("%d packets of RTCP wait, %d were dropped", w.core[1].events.rtcp, r.DroppedRTCP)
	}
	w.unread = false
	w.flush()
	got := w.ear[1].video().got[1:]
	if len(got) != 50 || dropped != 1999-50 {
		t.Errorf("%d packets, %d were dropped", len(got), dropped)
	}
	for i, p := range got {
		if p.header.SequenceNumber != uint16(1950+i) {
			t.Errorf("packet %d is number %d", i, p.header.SequenceNumber)
		}
	}
	if len(w.ear[1].got) != 19 {
		t.Errorf("%d messages", len(w.ear[1].got))
	}
	for i, e := range w.ear[1].got {
		if n, ok := bodyNumber(e.Data); !ok || n != i+1 {
			t.Errorf("message %d is %d", i, n)
		}
	}
	w.close()
}

// What the application writes of RTCP arrives as it was written, and what arrives is told if that is wanted.
func TestRTCP(t *testing.T) {
	w := newMediaWorld(t, 1, lan, MediaConfig{WantRTCP: true})
	w.packet(0, w.video[0], 0, 0, 100)
	w.run(10 * time.Millisecond)
	var got [][]byte
	w.ear[1].on = func(e Event) {
		if e.Kind == EventRTCP {
			got = append(got, e.Data)
		}
	}
	b, err := rtcp.Marshal([]rtcp.Packet{
		&rtcp.ReceiverReport{SSRC: 7}, &rtcp.ApplicationDefined{SSRC: 7, Name: "test", Data: []byte{1, 2, 3, 4}},
	})
	w.must(err)
	w.must(w.core[0].WriteRTCP(w.now, bytes.Clone(b)))
	w.run(10 * time.Millisecond)
	if len(got) != 1 || !bytes.Equal(got[0], b) {
		t.Errorf("got %x", got)
	}
	if err := w.core[0].WriteRTCP(w.now, []byte{1, 2, 3, 4}); !errors.Is(err, ErrRTCP) {
		t.Errorf("WriteRTCP of what is none: %v", err)
	}
	if err := w.core[0].WriteRTCP(w.now, append(bytes.Clone(b), make([]byte, 2000)...)); !errors.Is(err, ErrPacketTooLarge) {
		t.Errorf("WriteRTCP of too much: %v", err)
	}
	if err := w.core[0].SendRTP(w.now, w.video[0], 0, &rtp.Header{PayloadType: 5}, nil); !errors.Is(err, ErrPayloadType) {
		t.Errorf("SendRTP of another payload type: %v", err)
	}
	if err := w.core[0].SendRTP(w.now, w.video[0], 0, &rtp.Header{PayloadType: 96, SequenceNumber: 5}, make([]byte, 1453)); !errors.Is(err, ErrPacketTooLarge) {
		t.Errorf("SendRTP of too much: %v", err)
	}
	for _, encoding := range []int{-1, 1} {
		if err := w.core[0].SendRTP(w.now, w.video[0], encoding, &rtp.Header{PayloadType: 96}, nil); !errors.Is(err, ErrNotSending) {
			t.Errorf("SendRTP of encoding %d: %v", encoding, err)
		}
	}
	w.close()
}

// Packets of one frame leave as a run: of one size, the last of which may be shorter.
func TestRunsOfMedia(t *testing.T) {
	w := newMediaWorld(t, 1, lan)
	for n := range 20 { // B has heard of the source
		w.packet(0, w.video[0], 0, n, 1000)
		w.run(100 * time.Millisecond)
	}
	c := w.core[0]
	for n := range 8 {
		size := 1000
		if n == 7 {
			size = 300
		}
		w.packet(0, w.video[0], 0, 20+n, size)
	}
	for n, size := range []int{500, 500, 1100} {
		w.packet(0, w.video[0], 0, 28+n, size)
	}
	var runs []int
	for tr, ok := c.PollWrite(w.now, w.slab[:0], 64); ok; tr, ok = c.PollWrite(w.now, w.slab[:0], 64) {
		n := (len(tr.Data) + tr.SegmentSize - 1) / tr.SegmentSize
		runs = append(runs, n)
		w.transmit(0, tr)
	}
	if !slices.Equal(runs, []int{8, 2, 1}) {
		t.Errorf("runs of %v", runs)
	}
	w.run(time.Second)
	if n := len(w.ear[1].video().got); n != 31 {
		t.Errorf("%d packets came", n)
	}
	w.close()
}
