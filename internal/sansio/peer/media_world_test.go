package peer

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtp"

	"github.com/sansrtc/rtc/internal/simnet"
)

// heardTrack is what an ear heard of a source.
type heardTrack struct {
	*MediaEvent
	muted, ended bool
	got          []heardPacket
}

type heardPacket struct {
	at     time.Time
	header rtp.Header
	body   []byte
}

// hearMedia holds the grammar of media's events against them.
func (h *ear) hearMedia(e Event) {
	w, t := h.w, h.tracks[e.Stream]
	allowed := func(ok bool) {
		w.t.Helper()
		if !ok {
			w.fatalf("%c hears %q, which cannot be\n%q", 'A'+h.who, describeEvent(e), h.log)
		}
	}
	switch e.Kind {
	case EventSender:
		before := h.sends[e.Media.Transceiver]
		allowed(e.Media.Section.Sending || before != nil)
		if h.sends[e.Media.Transceiver] = e.Media.Section; !e.Media.Section.Sending {
			delete(h.sends, e.Media.Transceiver)
		}
	case EventTrack:
		allowed(t == nil && e.Stream != 0 && e.Media.Stream == e.Stream && e.Media.Section.Mid == e.Media.MID)
		h.tracks[e.Stream] = &heardTrack{MediaEvent: e.Media}
	case EventTrackCodec:
		allowed(t != nil && !t.ended)
		t.MediaEvent = e.Media
	case EventTrackMuted, EventTrackUnmuted:
		allowed(t != nil && !t.ended && t.muted != (e.Kind == EventTrackMuted))
		t.muted = e.Kind == EventTrackMuted
	case EventTrackEnded:
		allowed(t != nil && !t.ended)
		t.ended = true
	case EventRTP:
		allowed(t != nil && !t.ended)
		var p rtp.Packet
		w.must(p.Unmarshal(bytes.Clone(e.Data)))
		allowed(p.SSRC == t.SSRC && p.PayloadType == t.PayloadType)
		t.got = append(t.got, heardPacket{w.now, p.Header, p.Payload})
		w.core[h.who].FreeRTP(&e)
		allowed(e.Data == nil)
	}
}

// track is the only one of a section, or of one of its encodings.
func (h *ear) track(mid, rid string) *heardTrack {
	h.w.t.Helper()
	var found *heardTrack
	for _, t := range h.tracks {
		if t.MID == mid && t.RID == rid && !t.ended {
			if found != nil {
				h.w.fatalf("two tracks of %q", mid)
			}
			found = t
		}
	}
	if found == nil {
		h.w.fatalf("no track of %q %q; %q", mid, rid, h.log)
	}
	return found
}

// audio and video are the tracks of those that connectMedia has added.
func (h *ear) audio() *heardTrack { h.w.t.Helper(); return h.track("0", "") }
func (h *ear) video() *heardTrack { h.w.t.Helper(); return h.track("1", "") }

// What the tests negotiate: Opus, and VP8 with retransmissions.
var (
	testCodecs = [3][]Codec{
		Audio: {{PayloadType: 111, Name: "opus", ClockRate: 48000, Channels: 2, Feedback: []Feedback{{Type: "transport-cc"}}}},
		Video: {
			{PayloadType: 96, Name: "VP8", ClockRate: 90000, Feedback: []Feedback{
				{Type: "transport-cc"}, {Type: "ccm", Parameter: "fir"}, {Type: "nack"}, {Type: "nack", Parameter: "pli"},
			}},
			{PayloadType: 97, Name: "rtx", ClockRate: 90000, Fmtp: "apt=96"},
			{PayloadType: 102, Name: "H264", ClockRate: 90000, Fmtp: "packetization-mode=1;profile-level-id=42e01f", Feedback: []Feedback{{Type: "nack"}}},
		},
	}
	testExtensions = []HeaderExtension{
		{URI: uriMID}, {URI: uriRID}, {URI: uriRepairedRID}, {URI: uriTransportCC}, {URI: uriAbsSendTime},
	}
)

// testFormats are they, and perhaps other extensions.
func testFormats(others ...HeaderExtension) Formats {
	f, err := NewFormats(testCodecs, slices.Concat(testExtensions, others))
	if err != nil {
		panic(err)
	}
	return f
}

// mediaWorld is a world whose ends have media.
type mediaWorld struct {
	*world
	audio, video [2]TransceiverID // zero: there is none
	chat         [2]Handle
	buffers      [2]map[*byte]bool // memory of packets that was not given back
}

// newMediaWorld is one whose ends are connected by a data channel, audio and video in both directions.
func newMediaWorld(t testing.TB, seed uint64, path simnet.Config, cfg ...MediaConfig) *mediaWorld {
	w := &mediaWorld{}
	configs := make([]Config, 2)
	for i := range configs {
		c := &configs[i].Media
		if len(cfg) > 0 {
			*c = cfg[min(i, len(cfg)-1)]
		}
		if reflect.ValueOf(c.Formats).IsZero() {
			c.Formats = testFormats()
		}
		c.CNAME = string(rune('a' + i))
		w.buffers[i] = map[*byte]bool{}
		c.NewBuffer = func(size int) []byte {
			b := make([]byte, size)
			w.buffers[i][&b[0]] = true
			return b
		}
		c.FreeBuffer = func(b []byte) {
			if !w.buffers[i][&b[0]] {
				w.fatalf("memory is given back that was not taken")
			}
			delete(w.buffers[i], &b[0])
			for k := range b {
				b[k] = 0xee // it may not be used any more
			}
		}
	}
	w.world = newWorld(t, seed, path, configs...)
	w.connectMedia()
	return w
}

// connectMedia adds audio and video at both ends, a channel at A, and negotiates.
func (w *mediaWorld) connectMedia() {
	w.t.Helper()
	for i, c := range w.core {
		var err error
		w.audio[i], err = c.AddTrack(w.now, Audio, "voice", []string{"camera"})
		w.must(err)
		w.video[i], err = c.AddTrack(w.now, Video, "picture", []string{"camera"})
		w.must(err)
	}
	w.chat[0], w.chat[1] = w.connect()
	w.settle()
	for i, h := range w.ear {
		for _, id := range []TransceiverID{w.audio[i], w.video[i]} {
			if s := h.sends[id]; s == nil || len(s.Encodings) != 1 {
				w.fatalf("%c may not send %d: %+v", 'A'+i, id, s)
			}
		}
	}
}

// section is what an end was told last that it may send.
func (w *mediaWorld) section(end int, id TransceiverID) *MediaSection {
	w.t.Helper()
	s := w.ear[end].sends[id]
	if s == nil {
		w.fatalf("%c may not send %d", 'A'+end, id)
	}
	return s
}

// packet sends number n of an encoding: its payload says which it is.
func (w *mediaWorld) packet(from int, id TransceiverID, encoding, n, size int) {
	w.t.Helper()
	h := rtp.Header{Version: 2, PayloadType: 96, SequenceNumber: uint16(n), Timestamp: uint32(n) * 3000}
	if id == w.audio[from] {
		h.PayloadType, h.Timestamp = 111, uint32(n)*960
	}
	w.must(w.core[from].SendRTP(w.now, id, encoding, &h, payload(from, id, encoding, n, size)))
}

func payload(from int, id TransceiverID, encoding, n, size int) []byte {
	b := make([]byte, size)
	rng := rand.New(rand.NewPCG(uint64(from)<<32|uint64(id)<<16|uint64(encoding), uint64(n)))
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// complete fails unless packets 0 to n-1 of an encoding have come, once each and as they were sent, and tells how many came late.
func (w *mediaWorld) complete(t *heardTrack, from int, id TransceiverID, encoding, n, size int) (late int) {
	w.t.Helper()
	seen := make([]bool, n)
	highest := -1
	for _, p := range t.got {
		k := int(p.header.SequenceNumber - t.got[0].header.SequenceNumber)
		k = int(int16(k)) // of the first
		k += w.numberOf(from, id, encoding, n, t.got[0].body)
		if k < 0 || k >= n || seen[k] {
			w.fatalf("packet %d of %q came, of %d; twice: %t", k, t.MID, n, k >= 0 && k < n)
		}
		if !bytes.Equal(p.body, payload(from, id, encoding, k, size)) {
			w.fatalf("packet %d of %q is not what was sent", k, t.MID)
		}
		seen[k] = true
		if k < highest {
			late++
		}
		highest = max(highest, k)
	}
	if i := slices.Index(seen, false); i >= 0 {
		w.fatalf("packet %d of %q did not come, of %d: %d did", i, t.MID, n, len(t.got))
	}
	return late
}

func (w *mediaWorld) numberOf(from int, id TransceiverID, encoding, n int, body []byte) int {
	for k := range n {
		if bytes.Equal(body, payload(from, id, encoding, k, len(body))) {
			return k
		}
	}
	w.fatalf("a packet that was not sent")
	return 0
}

// isRTP and ssrcOf look at a protected packet: the header is in the clear.
func isRTP(b []byte) bool    { return len(b) > 12 && b[0]>>6 == 2 && (b[1] < 192 || b[1] > 223) }
func isRTCP(b []byte) bool   { return len(b) > 8 && b[0]>>6 == 2 && b[1] >= 192 && b[1] <= 223 }
func ssrcOf(b []byte) uint32 { return binary.BigEndian.Uint32(b[8:]) }

func (w *mediaWorld) close() {
	w.t.Helper()
	for _, c := range w.core {
		c.Close(w.now)
	}
	w.run(time.Second)
	for i, b := range w.buffers {
		if len(b) > 0 {
			w.fatalf("%d packets of %c were not given back", len(b), 'A'+i)
		}
	}
}
