package jsep

import (
	"strings"
	"testing"
)

// codecs reads "pt name/clock fmtp" lines.
func codecsOf(lines ...string) (list []Codec) {
	for _, l := range lines {
		f := strings.Fields(l)
		var c Codec
		for _, d := range f[0] {
			c.PayloadType = c.PayloadType*10 + uint8(d-'0')
		}
		c.Name, c.ClockRate = f[1], 90000
		if c.Is("opus") {
			c.ClockRate, c.Channels = 48000, 2
		}
		if len(f) > 2 {
			c.Fmtp = f[2]
		}
		list = append(list, c)
	}
	return list
}

func written(list []Codec) (lines []string) {
	for _, c := range list {
		l := strings.TrimSpace(strings.Join([]string{itoa(c.PayloadType), c.Name, c.Fmtp}, " "))
		lines = append(lines, l)
	}
	return lines
}

func itoa(n uint8) string {
	if n >= 10 {
		return itoa(n/10) + itoa(n%10)
	}
	return string('0' + rune(n))
}

// What is one format to both sides, by the parameters that RFCs make part of a format's identity.
func TestSameCodec(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want bool
	}{
		{"96 VP8", "97 vp8", true},
		{"96 VP8", "97 VP9", false},
		{"111 opus minptime=10;useinbandfec=1", "109 opus", true},
		{"98 VP9 profile-id=0", "98 VP9", true},
		{"98 VP9 profile-id=2", "98 VP9", false},
		{"41 AV1 profile=0", "45 AV1 level-idx=5;profile=0;tier=0", true},
		{"41 AV1 profile=1", "45 AV1", false},
		{"102 H264 packetization-mode=1;profile-level-id=42e01f", "102 H264 profile-level-id=42E034;packetization-mode=1", true},
		{"102 H264 packetization-mode=1;profile-level-id=42001f", "102 H264 packetization-mode=1;profile-level-id=42e01f", false},
		{"102 H264 packetization-mode=1;profile-level-id=42e01f", "102 H264 packetization-mode=0;profile-level-id=42e01f", false},
		{"102 H264 profile-level-id=42e01f", "102 H264 packetization-mode=0;profile-level-id=42e01f", true},
		{"102 H264 profile-level-id=4d801f", "102 H264 profile-level-id=42e01f", true}, // constrained baseline, twice
		{"102 H264 profile-level-id=640c1f", "102 H264 profile-level-id=64001f", false},
		{"102 H264", "102 H264 profile-level-id=42000a", true},
		{"49 H265 level-id=180;profile-id=1;tier-flag=0;tx-mode=SRST", "49 H265", true},
		{"49 H265 profile-id=2", "49 H265 profile-id=1", false},
	} {
		a, b := codecsOf(tc.a)[0], codecsOf(tc.b)[0]
		if a.same(&b) != tc.want || b.same(&a) != tc.want {
			t.Errorf("%q and %q: want %v", tc.a, tc.b, tc.want)
		}
	}
}

// An answer has their numbers, the order that is asked for, and retransmissions of what stays.
func TestAgree(t *testing.T) {
	ours := codecsOf("96 VP8", "97 rtx apt=96", "98 VP9 profile-id=0", "99 rtx apt=98", "102 H264 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f", "35 AV1")
	for _, tc := range []struct {
		name     string
		theirs   []string
		ourOrder bool
		want     []string
	}{
		{
			"their numbers and order", []string{"100 VP9 profile-id=0", "101 rtx apt=100", "120 VP8", "121 rtx apt=120"}, false,
			[]string{"100 VP9 profile-id=0", "101 rtx apt=100", "120 VP8", "121 rtx apt=120"},
		},
		{
			"their numbers, our order", []string{"100 VP9 profile-id=0", "101 rtx apt=100", "120 VP8", "121 rtx apt=120"}, true,
			[]string{"120 VP8", "121 rtx apt=120", "100 VP9 profile-id=0", "101 rtx apt=100"},
		},
		{"nothing in common", []string{"100 VP9 profile-id=2", "101 rtx apt=100"}, false, nil},
		{"retransmissions alone", []string{"101 rtx apt=100"}, false, nil},
		{"retransmissions that we don't do", []string{"45 AV1", "46 rtx apt=45"}, false, []string{"45 AV1"}},
		{"retransmissions of what we don't have", []string{"96 VP8", "97 rtx apt=98", "98 VP7"}, false, []string{"96 VP8"}},
		{
			"levels without asymmetry", []string{"102 H264 packetization-mode=1;profile-level-id=42e00a"}, false,
			[]string{"102 H264 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e00a"},
		},
		{
			"levels with asymmetry", []string{"102 H264 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e00a"}, false,
			[]string{"102 H264 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"},
		},
	} {
		if got := written(agreeCodecs(ours, codecsOf(tc.theirs...), tc.ourOrder)); strings.Join(got, "|") != strings.Join(tc.want, "|") {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

// Feedback is what both understand.
func TestAgreeFeedback(t *testing.T) {
	ours, theirs := codecsOf("96 VP8"), codecsOf("97 VP8")
	ours[0].Feedback = []Feedback{{"nack", ""}, {"nack", "pli"}, {"transport-cc", ""}}
	theirs[0].Feedback = []Feedback{{"goog-remb", ""}, {"NACK", "pli"}, {"nack", ""}}
	got := agreeCodecs(ours, theirs, false)[0].Feedback
	if len(got) != 2 || got[0] != (Feedback{"nack", ""}) || got[1] != (Feedback{"nack", "pli"}) {
		t.Errorf("%v", got)
	}
}
