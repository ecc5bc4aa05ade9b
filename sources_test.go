package rtc_test

import (
	"context"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime/sim"
)

// Who was heard within the last ten seconds is told, the latest first, with the level of the audio; whether packets are told or read.
func TestSources(t *testing.T) { everywhere(t, testSources) }

func testSources(t *testing.T, w *world) {
	p, v := w.viewers(t, sim.Config{}, func(_ int, b rtc.Builder) rtc.Builder {
		m := new(webrtc.MediaEngine)
		for _, err := range []error{
			m.RegisterDefaultCodecs(),
			m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: "urn:ietf:params:rtp-hdrext:ssrc-audio-level"}, webrtc.RTPCodecTypeAudio),
			m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: "urn:ietf:params:rtp-hdrext:csrc-audio-level"}, webrtc.RTPCodecTypeAudio),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		return b.MediaEngine(m)
	})
	s := newSource(t, opus, "audio")
	sender := p.add(0, s)
	p.connects(0)
	receiver := p.pc[1].GetReceivers()[0]
	if len(receiver.GetSynchronizationSources())+len(receiver.GetContributingSources()) > 0 {
		t.Error("somebody was heard before anything came")
	}
	var level, mix uint8
	for _, x := range sender.GetParameters().HeaderExtensions {
		switch x.URI {
		case "urn:ietf:params:rtp-hdrext:ssrc-audio-level":
			level = uint8(x.ID)
		case "urn:ietf:params:rtp-hdrext:csrc-audio-level":
			mix = uint8(x.ID)
		}
	}
	if level == 0 || mix == 0 {
		t.Fatal("the audio levels were not negotiated")
	}
	send := func(loud byte, mixed ...uint32) {
		packet := packet(s.sent)
		s.sent++
		packet.CSRC = mixed
		p.must(packet.SetExtension(level, []byte{0x80 | loud}))
		if len(mixed) == 2 { // RFC 6465 has one level for each of them, in their order
			p.must(packet.SetExtension(mix, []byte{60, 0x80 | 40}))
		}
		p.must(s.WriteRTP(packet))
	}
	send(20, 7, 8)
	p.until("a packet", func() bool { return len(v[1].seen("audio")) == 1 })
	for i, loud := range []float64{0.001, 0.01} {
		mixed := receiver.GetContributingSources()
		if j := slices.IndexFunc(mixed, func(s rtc.RTPContributingSource) bool { return int(s.Source) == 7+i }); len(mixed) != 2 || j < 0 || math.Abs(mixed[j].AudioLevel-loud) > 1e-6 {
			t.Errorf("%v is not heard by the mixer: %+v", loud, mixed)
		}
	}
	p.pass(time.Second)
	send(127, 8)
	p.until("another", func() bool { return len(v[1].seen("audio")) == 2 })
	track := v[1].track("audio")
	one := receiver.GetSynchronizationSources()
	if len(one) != 1 || one[0].Source != track.SSRC() || one[0].AudioLevel != 0 || one[0].RTPTimestamp != v[1].headers[track][1].Timestamp {
		t.Errorf("heard %+v", one)
	}
	mixed := receiver.GetContributingSources()
	if len(mixed) != 2 || mixed[0].Source != 8 || mixed[1].Source != 7 || !mixed[0].Timestamp.After(mixed[1].Timestamp) || mixed[0].AudioLevel >= 0 {
		t.Errorf("heard by the mixer %+v", mixed)
	}
	track.Packets(t.Context()) // from here on they are read
	send(20)
	p.until("the third", func() bool { return rtc.Received(p.pc[1]) == 3 })
	packet, err := track.ReadRTP(context.Background())
	p.must(err)
	one = receiver.GetSynchronizationSources()
	if len(one) != 1 || math.Abs(one[0].AudioLevel-0.1) > 1e-6 || one[0].RTPTimestamp != packet.Timestamp {
		t.Errorf("after a read: %+v", one)
	}
	if w.simulated() {
		p.pass(11 * time.Second)
		if n := len(receiver.GetSynchronizationSources()) + len(receiver.GetContributingSources()); n > 0 {
			t.Errorf("%d sources are heard after eleven seconds of silence", n)
		}
	}
	for n := range 1000 { // a mixer may name whom it wants
		send(0, uint32(1000+n))
	}
	p.until("all", func() bool { return rtc.Received(p.pc[1]) == 1003 })
	for range 900 {
		_, err := track.ReadRTP(context.Background())
		p.must(err)
	}
	if n := len(receiver.GetContributingSources()); n > 64 {
		t.Errorf("%d sources are kept", n)
	}
}
