package jsep

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// testCodecs are numbered as in Chromium and pion.
var testCodecs = func() (table [3][]Codec) {
	video := []Feedback{{"goog-remb", ""}, {"ccm", "fir"}, {"nack", ""}, {"nack", "pli"}, {"transport-cc", ""}}
	add := func(pt uint8, name, fmtp string) {
		table[Video] = append(table[Video], Codec{PayloadType: pt, Name: name, ClockRate: 90000, Fmtp: fmtp, Feedback: video})
		table[Video] = append(table[Video], Codec{PayloadType: pt + 1, Name: "rtx", ClockRate: 90000, Fmtp: fmt.Sprintf("apt=%d", pt)})
	}
	table[Audio] = []Codec{
		{PayloadType: 111, Name: "opus", ClockRate: 48000, Channels: 2, Fmtp: "minptime=10;useinbandfec=1", Feedback: []Feedback{{"transport-cc", ""}}},
		{PayloadType: 9, Name: "G722", ClockRate: 8000},
		{PayloadType: 0, Name: "PCMU", ClockRate: 8000},
	}
	add(96, "VP8", "")
	add(98, "VP9", "profile-id=0")
	add(102, "H264", "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f")
	return table
}()

const (
	uriMID = "urn:ietf:params:rtp-hdrext:sdes:mid"
	uriRID = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
	uriTCC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
	uriLvl = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
)

// withMedia is for newTestSession.
func withMedia(c *Config) {
	c.Formats.codecs = testCodecs
	c.Formats.extensions = []HeaderExtension{{URI: uriMID}, {URI: uriRID, Kind: Video}, {URI: uriTCC}, {URI: uriLvl, Kind: Audio}}
}

// format writes a section for recorded output.
func (m MediaSection) format() string {
	var b strings.Builder
	fmt.Fprintf(&b, "  media %q line %d %v of transceiver %d: sending=%v receiving=%v\n", m.Mid, m.MLineIndex, m.Kind, m.Transceiver, m.Sending, m.Receiving)
	codecs := func(what string, list []Codec) {
		if len(list) > 0 {
			fmt.Fprintf(&b, "    %s", what)
			for _, c := range list {
				fmt.Fprintf(&b, " %d=%s", c.PayloadType, c.Name)
				if of, ok := c.RepairOf(); ok {
					fmt.Fprintf(&b, "(%d)", of)
				}
			}
			b.WriteByte('\n')
		}
	}
	codecs("send", m.Send)
	codecs("receive", m.Receive)
	if len(m.Extensions) > 0 {
		b.WriteString("    extensions")
		for _, e := range m.Extensions {
			fmt.Fprintf(&b, " %d=%s", e.ID, e.URI[strings.LastIndexAny(e.URI, ":/")+1:])
			if e.Direction != SendRecv {
				fmt.Fprintf(&b, "/%v", e.Direction)
			}
		}
		b.WriteByte('\n')
	}
	for _, e := range m.Encodings {
		fmt.Fprintf(&b, "    encoding %q ssrc=%v rtx=%v inactive=%v\n", e.RID, e.SSRC != 0, e.RTX != 0, e.Inactive)
	}
	if len(m.Sources) > 0 || len(m.RIDs) > 0 || len(m.MSIDs) > 0 {
		fmt.Fprintf(&b, "    %d sources, rids %v, msids %v\n", len(m.Sources), m.RIDs, m.MSIDs)
	}
	return b.String()
}

// pair returns two sessions with media.
func pair(t testing.TB) (a, b *Session) {
	return newTestSession(t, "alice", withMedia), newTestSession(t, "bobby", withMedia)
}

func addTrack(t testing.TB, s *Session, kind MediaKind, track string, streams ...string) TransceiverID {
	t.Helper()
	return okay[TransceiverID](t)(s.AddTrack(kind, track, streams))
}

func addTransceiver(t testing.TB, s *Session, init TransceiverInit) TransceiverID {
	t.Helper()
	return okay[TransceiverID](t)(s.AddTransceiver(init))
}

// show is a transceiver that has to be there.
func show(t testing.TB, s *Session, id TransceiverID) Transceiver {
	t.Helper()
	tr, ok := s.Transceiver(id)
	if !ok {
		t.Fatalf("there should be a transceiver %d", id)
	}
	return tr
}

// withOtherMedia has other numbers, another order, and not all of the same.
func withOtherMedia(c *Config) {
	withMedia(c)
	c.Formats.codecs[Audio] = []Codec{testCodecs[Audio][2], testCodecs[Audio][0]}
	c.Formats.codecs[Audio][1].PayloadType = 96
	c.Formats.codecs[Video] = codecsOf("100 H264 packetization-mode=1;profile-level-id=42e00a", "101 rtx apt=100", "111 VP8", "112 rtx apt=111", "113 red", "114 AV1")
	c.Formats.extensions = []HeaderExtension{{URI: uriRID}, {URI: uriMID}, {URI: uriTCC, Direction: RecvOnly}}
}

// coherent fails unless what one side of a completed negotiation sends is what the other one receives.
func coherent(t testing.TB, a, b *Session) {
	t.Helper()
	ma, mb := a.Media(), b.Media()
	if len(ma) != len(mb) {
		t.Fatalf("%d and %d sections:\n%+v\n%+v", len(ma), len(mb), ma, mb)
	}
	for i := range ma {
		oneWay(t, ma[i], mb[i])
		oneWay(t, mb[i], ma[i])
	}
}

func oneWay(t testing.TB, from, to MediaSection) {
	t.Helper()
	numbers := func(list []Codec) (n []uint8) {
		for _, c := range list {
			n = append(n, c.PayloadType)
		}
		return n
	}
	rids := func(section MediaSection) (ids []string) {
		for _, e := range section.Encodings {
			if e.RID != "" {
				ids = append(ids, e.RID)
			}
		}
		return ids
	}
	switch {
	case from.Mid != to.Mid || from.MLineIndex != to.MLineIndex || from.Kind != to.Kind:
		t.Fatalf("section %q and %q", from.Mid, to.Mid)
	case from.Sending != to.Receiving:
		t.Fatalf("section %q: sending=%v receiving=%v", from.Mid, from.Sending, to.Receiving)
	case !slices.Equal(numbers(from.Send), numbers(to.Receive)) || len(from.Send) == 0:
		t.Fatalf("section %q: %v is sent and %v received", from.Mid, numbers(from.Send), numbers(to.Receive))
	case len(from.Extensions) != len(to.Extensions) || from.ReducedSize != to.ReducedSize || from.MixedExtensions != to.MixedExtensions:
		t.Fatalf("section %q: %+v and %+v", from.Mid, from, to)
	}
	for i, e := range from.Extensions {
		if o := to.Extensions[i]; o.ID != e.ID || o.URI != e.URI || o.Direction != e.Direction.Reversed() {
			t.Fatalf("section %q: extensions %+v and %+v", from.Mid, e, o)
		}
	}
	if !from.Sending {
		return
	}
	if len(to.MSIDs) == 0 {
		t.Fatalf("section %q: no streams are told", from.Mid)
	}
	ids := rids(from)
	if len(ids) != len(to.RIDs) || len(ids) == 0 && (len(to.Sources) != 1 || to.Sources[0].SSRC != from.Encodings[0].SSRC || to.Sources[0].RTX != from.Encodings[0].RTX) {
		t.Fatalf("section %q: sources %+v are sent, %+v and %+v are known", from.Mid, from.Encodings, to.Sources, to.RIDs)
	}
	for i, id := range ids {
		if to.RIDs[i].ID != id {
			t.Fatalf("section %q: %v are sent, %v received", from.Mid, ids, to.RIDs)
		}
	}
}
