package jsep

import (
	"reflect"
	"strings"
	"testing"

	"github.com/pion/sdp/v3"
)

// mediaOf reads a section of "key:value" attributes.
func mediaOf(kind, formats string, attributes ...string) (mediaAttributes, bool) {
	var list []sdp.Attribute
	for _, a := range attributes {
		key, value, _ := strings.Cut(a, ":")
		list = append(list, sdp.Attribute{Key: key, Value: value})
	}
	s := section{kind: kind, proto: "UDP/TLS/RTP/SAVPF", formats: strings.Fields(formats)}
	bad, _ := s.readMedia(nil, list)
	return *s.media, bad == nil
}

// A video section of a browser that sends simulcast.
func TestReadMedia(t *testing.T) {
	m, ok := mediaOf("video", "96 97 9999 98",
		"mid:1", "sendonly", "rtcp-mux", "rtcp-rsize", "extmap-allow-mixed",
		"rtpmap:96 VP8/90000", "rtcp-fb:96 nack", "rtcp-fb:96 nack pli", "rtcp-fb:* transport-cc",
		"rtpmap:97 rtx/90000", "fmtp:97 apt=96", "rtpmap:55 VP9/90000",
		"extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid", "extmap:5/recvonly urn:x", "extmap:4 urn:again", "extmap:4096 urn:far",
		"msid:stream track", "ssrc-group:FID 1 2", "ssrc:1 cname:me", "ssrc:2 cname:me",
		"rid:hi send max-width=1280", "rid:lo send", "rid:unused send", "simulcast:send hi;~lo;unknown",
	)
	want := mediaAttributes{
		kind: Video, direction: SendOnly, mixed: true, mux: true, reduced: true, simulcast: true,
		codecs: []Codec{
			{PayloadType: 96, Name: "VP8", ClockRate: 90000, Feedback: []Feedback{{"nack", ""}, {"nack", "pli"}, {"transport-cc", ""}}},
			{PayloadType: 97, Name: "rtx", ClockRate: 90000, Fmtp: "apt=96", Feedback: []Feedback{{"transport-cc", ""}}},
		},
		extensions: []Extension{{4, "urn:ietf:params:rtp-hdrext:sdes:mid", SendRecv}, {5, "urn:x", RecvOnly}},
		msids:      []MSID{{"stream", "track"}},
		sources:    []Source{{1, 2, "me"}},
		rids:       []RID{{"hi", true, false}, {"lo", true, true}},
	}
	if !ok || !reflect.DeepEqual(m, want) {
		t.Errorf("%v\n%+v\nwant\n%+v", ok, m, want)
	}
}

// Formats of RFC 3551 need no a=rtpmap; a source may have the msid.
func TestReadMediaOld(t *testing.T) {
	m, ok := mediaOf("audio", "0 8 111", "ssrc:7 msid:s t", "ssrc:7 cname:x")
	if !ok || len(m.codecs) != 2 || m.codecs[0].Name != "PCMU" || m.direction != SendRecv || m.msids[0] != (MSID{"s", "t"}) ||
		m.sources[0] != (Source{7, 0, "x"}) {
		t.Errorf("%v %+v", ok, m)
	}
}

// What is malformed is refused, with the attribute.
func TestReadMediaMalformed(t *testing.T) {
	for _, a := range []string{
		"rtpmap:96", "rtpmap:96 VP8", "rtpmap:96 VP8/x", "rtpmap:96 opus/48000/x", "fmtp:96", "rtcp-fb:96", "extmap:1", "extmap:x urn:y",
		"extmap:0 urn:y", "extmap:1/up urn:y", "msid:", "ssrc:x cname:y", "ssrc:1", "ssrc-group:FID", "ssrc-group:FID a b", "rid:a", "rid:a up",
		"rid:ä send", "simulcast:", "simulcast:send", "simulcast:up a", "simulcast:send a send b", "simulcast:send a;;b",
	} {
		if _, ok := mediaOf("video", "96", a); ok {
			t.Errorf("%q is accepted", a)
		}
	}
}

// The directions of two sides mirror each other.
func TestDirection(t *testing.T) {
	for _, d := range []Direction{Inactive, SendOnly, RecvOnly, SendRecv} {
		r := d.Reversed()
		if r.Sends() != d.Receives() || r.Receives() != d.Sends() || r.Reversed() != d {
			t.Errorf("%v reversed is %v", d, r)
		}
	}
}
