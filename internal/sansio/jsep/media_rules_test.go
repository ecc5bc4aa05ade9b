package jsep

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// offerOf is alice's offer of audio and video, and of data.
func offerOf(t *testing.T, change ...func(*Config)) (*Session, string) {
	a := newTestSession(t, "alice", append([]func(*Config){withMedia}, change...)...)
	addTrack(t, a, Audio, "mic", "s")
	addTrack(t, a, Video, "cam", "s")
	a.NeedDataChannel()
	setLocal(t, a, Description{})
	d, _ := a.Local()
	return a, d.SDP
}

// answerTo is bobby's answer.
func answerTo(t *testing.T, offer string, change ...func(*Config)) (*Session, string, Change) {
	b := newTestSession(t, "bobby", append([]func(*Config){withMedia}, change...)...)
	setRemote(t, b, Description{Offer, offer})
	c := setLocal(t, b, Description{})
	d, _ := b.Local()
	return b, d.SDP, c
}

// editOne replaces the n-th occurrence of old, from 0.
func editOne(t *testing.T, text, old, new string, n int) string {
	t.Helper()
	at := 0
	for range n + 1 {
		i := strings.Index(text[at:], old)
		if i < 0 {
			t.Fatalf("no %q in\n%s", old, text)
		}
		at += i + 1
	}
	return text[:at-1] + new + text[at-1+len(old):]
}

// Which sections of an offer are accepted: there is one transport, with RTCP multiplexed, and formats in common.
func TestAcceptedSections(t *testing.T) {
	maxBundle := func(c *Config) { c.BundlePolicy = MaxBundle }
	noVideo := func(c *Config) { c.Formats.codecs[Video] = nil }
	_, good := offerOf(t)
	for _, tc := range []struct {
		name   string
		edit   func(string) string
		change func(*Config)
		want   string // a letter for each section that is accepted
	}{
		{"all", func(s string) string { return s }, nil, "avd"},
		{"no rtcp-mux", func(s string) string { return editOne(t, s, "a=rtcp-mux\r\n", "", 0) }, nil, "vd"},
		{"not bundled", func(s string) string { return edit(t, s, "a=group:BUNDLE 0 1 2\r\n", "") }, nil, "a"},
		{"two bundles", func(s string) string { return edit(t, s, "BUNDLE 0 1 2", "BUNDLE 1 2") }, nil, "a"},
		{"a bundle without the last", func(s string) string { return edit(t, s, "BUNDLE 0 1 2", "BUNDLE 0 1") }, nil, "av"},
		{"max-bundle, the first not bundled", func(s string) string { return edit(t, s, "BUNDLE 0 1 2", "BUNDLE 1 2") }, maxBundle, "a"},
		{"max-bundle, the first rejected", func(s string) string { return edit(t, edit(t, s, "m=audio 9", "m=audio 0"), "0 1 2", "1 2") }, maxBundle, ""},
		{"the first rejected", func(s string) string { return edit(t, edit(t, s, "m=audio 9", "m=audio 0"), "0 1 2", "1 2") }, nil, "vd"},
		{"a kind that is not supported", func(s string) string { return s }, noVideo, "ad"},
		{"no formats in common", func(s string) string {
			return edit(t, edit(t, edit(t, s, "opus", "speex"), "G722", "SILK"), "PCMU", "GSM")
		}, nil, "vd"},
		{"comfort noise in common", func(s string) string {
			return edit(t, edit(t, edit(t, s, "opus", "speex"), "G722", "SILK"), "PCMU", "CN")
		}, func(c *Config) { c.Formats.codecs[Audio] = []Codec{{PayloadType: 13, Name: "CN", ClockRate: 8000}} }, "vd"},
		{"another protocol", func(s string) string { return editOne(t, s, "UDP/TLS/RTP/SAVPF", "RTP/AVP", 0) }, nil, "vd"},
		{"bundle-only", func(s string) string {
			return editOne(t, edit(t, s, "m=video 9", "m=video 0"), "a=rtcp-mux\r\n", "a=rtcp-mux\r\na=bundle-only\r\n", 1)
		}, nil, "avd"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.change == nil {
				tc.change = func(*Config) {}
			}
			b, answer, c := answerTo(t, tc.edit(good), tc.change)
			got := ""
			for i, letter := range []string{"a", "v", "d"} {
				b.wake()
				if b.currentLocal.sections[i].live() {
					got += letter
				}
			}
			if got != tc.want || (c.Transport != nil) != (got != "") {
				t.Fatalf("%q is accepted, want %q:\n%s", got, tc.want, answer)
			}
			if got != "" && c.Transport.HasData != strings.Contains(got, "d") {
				t.Errorf("got %+v", c.Transport)
			}
			if n := len(b.Transceivers()); n != strings.Count(got, "a")+strings.Count(got, "v") {
				t.Errorf("%d transceivers are left", n)
			}
			if b.NegotiationNeeded() {
				t.Error("nothing should remain")
			}
		})
	}
}

// RFC 9143, section 7.3.1: the first section of the group that is accepted tags the bundle, whatever its place.
func TestTaggedSection(t *testing.T) {
	_, good := offerOf(t)
	ice := editOne(t, edit(t, good, "BUNDLE 0 1 2", "BUNDLE 2 1 0"), "alice1", "other", 0) // the section 0 has a transport of its own for when it is not bundled
	b, answer, c := answerTo(t, ice)
	if c.Transport.Mid != "2" || c.Transport.RemoteUfrag != "alice1" || !strings.Contains(answer, "a=group:BUNDLE 2 ") {
		t.Fatalf("got %+v\n%s", c.Transport, answer)
	}
	b.AddLocalCandidate(c.Transport.LocalUfrag, hostCandidate)
	if d, _ := b.Local(); strings.Index(d.SDP, hostCandidate) < strings.Index(d.SDP, "m=application") {
		t.Error("candidates are in the section that tags the bundle")
	}
}

// An answer whose sections are not bundled leaves those without a transport; they are rejected by the next offer.
func TestAnswerOutsideOfTheBundle(t *testing.T) {
	a, offer := offerOf(t)
	_, answer, _ := answerTo(t, offer)
	c := setRemote(t, a, Description{Answer, edit(t, answer, "BUNDLE 0 1 2", "BUNDLE 0 2")})
	if len(c.Stopped) != 1 || len(c.Media) != 1 || !c.Transport.HasData || !a.NegotiationNeeded() {
		t.Fatalf("got %+v", c)
	}
	c = setLocal(t, a, Description{})
	if d, _ := a.Local(); !strings.Contains(d.SDP, "m=video 0 ") || !c.Transport.HasData {
		t.Fatalf("got\n%s", d.SDP)
	}
}

// What answers with media have to have.
func TestWrongMediaAnswers(t *testing.T) {
	for _, tc := range []struct {
		name, old, new string
	}{
		{"no rtcp-mux", "a=rtcp-mux\r\n", ""},
		{"formats that were not offered", "rtpmap:111 opus", "rtpmap:111 speex"},
		{"another kind", "m=audio 9", "m=video 9"},
		{"no media", "m=audio 9 UDP/TLS/RTP/SAVPF", "m=audio 9 RTP/AVP"},
		{"no credentials", "a=ice-ufrag:bobby1\r\n", ""},
	} {
		a, offer := offerOf(t, func(c *Config) { c.Formats.codecs[Audio] = c.Formats.codecs[Audio][:1] })
		_, answer, _ := answerTo(t, offer)
		unchanged(t, a, tc.name, func() {
			_, err := a.SetRemote(Description{Answer, editOne(t, answer, tc.old, tc.new, 0)})
			wantKind(t, err, InvalidAccess, tc.name)
		})
		setRemote(t, a, Description{Answer, answer})
	}
}

// RFC 9429, section 5.2.1: with must-bundle the sections after the first have port zero and bundle-only, as long as they are new.
func TestBundleOnly(t *testing.T) {
	a, offer := offerOf(t, func(c *Config) { c.BundlePolicy = MaxBundle })
	if !strings.Contains(offer, "m=video 0 ") || strings.Count(offer, "a=bundle-only\r\n") != 1 || !strings.Contains(offer, "m=audio 9 ") {
		t.Fatalf("got\n%s", offer)
	}
	_, answer, _ := answerTo(t, offer)
	if c := setRemote(t, a, Description{Answer, answer}); len(c.Media) != 2 {
		t.Fatalf("got %+v", c.Media)
	}
	setLocal(t, a, Description{Type: Offer})
	if d, _ := a.Local(); strings.Contains(d.SDP, "bundle-only") {
		t.Fatalf("got\n%s", d.SDP)
	}
}

// RFC 9143, section 9.1 and RFC 3264, section 8.3.2: what a number means stays, in all sections of the bundle, whoever has given it.
func TestNumbersStay(t *testing.T) {
	a := newTestSession(t, "alice", withMedia)
	b := newTestSession(t, "bobby", withOtherMedia)
	addTrack(t, a, Video, "cam")
	negotiate(t, a, b)
	addTransceiver(t, b, TransceiverInit{Kind: Video, Direction: SendOnly})
	addTransceiver(t, b, TransceiverInit{Kind: Audio, Direction: SendOnly}) // opus would be 96, which is VP8 by now
	negotiate(t, b, a)
	coherent(t, a, b)
	m := b.Media()
	if got := numbersOf(m[0].Send); !strings.HasPrefix(got, "96 VP8, 97 rtx apt=96, 102 H264") {
		t.Errorf("the first video: %s", got)
	}
	if got := numbersOf(m[1].Send); !strings.Contains(got, "96 VP8, 97 rtx apt=96") || !strings.Contains(got, "102 H264") {
		t.Errorf("the second video: %s", got)
	}
	if got := numbersOf(m[2].Send); strings.Contains(got, "96 opus") || !strings.Contains(got, "opus") {
		t.Errorf("the audio: %s", got)
	}
	for _, section := range m {
		for _, e := range section.Extensions {
			if e.URI == uriMID && e.ID != 1 {
				t.Errorf("the extension is %d in section %s", e.ID, section.Mid)
			}
		}
	}
}

// An offer that gives one number two meanings is answered with the first.
func TestConflictingNumbers(t *testing.T) {
	_, offer := offerOf(t)
	text := strings.NewReplacer("m=video 9 UDP/TLS/RTP/SAVPF 96", "m=video 9 UDP/TLS/RTP/SAVPF 111", "rtpmap:96 ", "rtpmap:111 ", "apt=96", "apt=111").Replace(offer)
	text = editOne(t, text, "a=extmap:1 "+uriMID, "a=extmap:3 "+uriMID, 1)
	b, answer, _ := answerTo(t, text)
	v := b.Media()[1]
	if got := numbersOf(v.Receive); strings.Contains(got, "VP8") || strings.Contains(got, "apt=111") || !strings.Contains(got, "98 VP9") {
		t.Errorf("got %s in\n%s", got, answer)
	}
	if slices.ContainsFunc(v.Extensions, func(e Extension) bool { return e.URI == uriMID }) {
		t.Errorf("got %+v", v.Extensions)
	}
}

// RFC 8285, section 4.2: after 14 come the identifiers of the two-byte form; 15 is left out, and from 256 on there are none.
func TestManyExtensions(t *testing.T) {
	many := func(c *Config) {
		c.Formats.extensions = nil
		for i := range 300 {
			c.Formats.extensions = append(c.Formats.extensions, HeaderExtension{URI: fmt.Sprintf("urn:x:%d", i), Kind: Audio + MediaKind(i&1)})
		}
	}
	a, offer := offerOf(t, many)
	if !strings.Contains(offer, "a=extmap:16 urn:x:") || strings.Contains(offer, "a=extmap:15 ") || !strings.Contains(offer, "a=extmap:255 ") {
		t.Fatalf("got\n%s", offer)
	}
	b, answer, _ := answerTo(t, offer, many)
	setRemote(t, a, Description{Answer, answer})
	coherent(t, a, b)
	if n := len(a.Media()[0].Extensions) + len(a.Media()[1].Extensions); n != 254 {
		t.Errorf("%d extensions", n)
	}
	if !a.Media()[0].MixedExtensions {
		t.Error("both forms should be allowed")
	}
}

// RFC 8285, section 6: a direction is answered by one that fits, or the extension is left out.
func TestExtensionDirections(t *testing.T) {
	all := []Direction{SendRecv, SendOnly, RecvOnly}
	for _, mine := range all {
		for _, theirs := range all {
			with := func(d Direction) func(*Config) {
				return func(c *Config) { c.Formats.extensions = []HeaderExtension{{URI: "urn:x", Direction: d}} }
			}
			a, offer := offerOf(t, with(mine))
			b, answer, _ := answerTo(t, offer, with(theirs))
			setRemote(t, a, Description{Answer, answer})
			coherent(t, a, b)
			want, got := mine&theirs.Reversed(), Inactive
			if x := a.Media()[0].Extensions; len(x) == 1 {
				got = x[0].Direction
			}
			if got != want {
				t.Errorf("%v and %v: %v", mine, theirs, got)
			}
		}
	}
}

// setCodecPreferences orders offers and answers, and leaves formats out, with what repairs them if that is left out too.
func TestCodecPreferences(t *testing.T) {
	vp9 := slices.Concat(testCodecs[Video][2:4], testCodecs[Video][:1], []Codec{{Name: "rtx", ClockRate: 90000}})
	for _, offers := range []bool{true, false} {
		a, b := pair(t)
		x := addTransceiver(t, a, TransceiverInit{Kind: Video, Direction: SendRecv})
		if offers {
			okay[any](t)(nil, a.SetCodecPreferences(x, vp9))
			negotiate(t, a, b)
		} else {
			setLocal(t, a, Description{})
			offer, _ := a.Local()
			id := setRemote(t, b, offer).Created[0]
			okay[any](t)(nil, b.SetCodecPreferences(id, vp9))
			setLocal(t, b, Description{})
			answer, _ := b.Local()
			setRemote(t, a, answer)
		}
		// The entry without apt stands for the retransmission of both.
		if got := numbersOf(a.Media()[0].Send); got != "98 VP9 profile-id=0, 99 rtx apt=98, 96 VP8, 97 rtx apt=96" {
			t.Errorf("got %s", got)
		}
		okay[any](t)(nil, a.SetCodecPreferences(x, testCodecs[Video][4:5]))
		negotiate(t, a, b)
		if !offers {
			// Nothing is left that both want.
			if len(a.Media()) != 0 || len(b.Media()) != 0 {
				t.Errorf("got %+v", a.Media())
			}
			continue
		}
		m := a.Media()[0]
		if got := numbersOf(m.Send); got != "102 H264 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f" || m.Encodings[0].RTX != 0 {
			t.Errorf("got %s, %+v", got, m.Encodings)
		}
	}
}

// RFC 2198: the numbers in a=fmtp of "red" are those of the description that it is in.
func TestRedundancyNamesItsFormats(t *testing.T) {
	withRed := func(c *Config) {
		c.Formats.codecs[Audio] = []Codec{
			{PayloadType: 111, Name: "opus", ClockRate: 48000, Channels: 2},
			{PayloadType: 63, Name: "red", ClockRate: 48000, Channels: 2, Fmtp: "111/111"},
		}
	}
	_, offer := offerOf(t, withRed)
	b, answer, _ := answerTo(t, strings.NewReplacer("111", "120", " 63", " 121", ":63 ", ":121 ").Replace(offer), withRed)
	if !strings.Contains(answer, "a=fmtp:121 120/120\r\n") {
		t.Errorf("got\n%s", answer)
	}
	setLocal(t, b, Description{Type: Offer})
	if d, _ := b.Local(); !strings.Contains(d.SDP, "a=fmtp:121 120/120\r\n") {
		t.Errorf("got\n%s", d.SDP)
	}
}

// An answer is not longer than what can be used, however much is offered.
func TestHugeMediaOffers(t *testing.T) {
	_, good := offerOf(t)
	var formats, lines strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&formats, " %d", i%200)
		fmt.Fprintf(&lines, "a=rtpmap:%d VP8/90000\r\na=ssrc:%d cname:x\r\na=rid:r%d send\r\na=extmap:%d urn:y:%d\r\na=msid:s%d t\r\n", i%200, i, i, 1+i%255, i, i)
	}
	text := edit(t, good, "m=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99 102 103", "m=video 9 UDP/TLS/RTP/SAVPF"+formats.String())
	text = editOne(t, text, "a=rtcp-mux\r\n", "a=rtcp-mux\r\n"+lines.String(), 1)
	b, answer, _ := answerTo(t, text)
	b.wake()
	if m := b.currentRemote.sections[1].media; len(m.codecs) > 128 || len(m.sources) > maxSources || len(m.rids) > maxRIDs || len(m.extensions) > maxExtensions || len(m.msids) > maxSources {
		t.Errorf("%d codecs, %d sources, %d rids, %d extensions, %d msids", len(m.codecs), len(m.sources), len(m.rids), len(m.extensions), len(m.msids))
	}
	if len(answer) > 20000 {
		t.Errorf("an answer of %d bytes", len(answer))
	}
	// Many sections are as many transceivers, up to what a description may have.
	_, section, _ := strings.Cut(good, "m=audio")
	section, _, _ = strings.Cut(section, "m=video")
	text = good[:strings.Index(good, "m=")]
	mids := "BUNDLE"
	for i := range maxSections {
		text += "m=audio" + edit(t, section, "a=mid:0", fmt.Sprintf("a=mid:%d", i))
		mids += fmt.Sprintf(" %d", i)
	}
	b, _, _ = answerTo(t, edit(t, text, "BUNDLE 0 1 2", mids))
	if len(b.Media()) != maxSections {
		t.Errorf("%d sections", len(b.Media()))
	}
}

// A description that would be larger than any that is taken cannot be made: that is told, by an offer and by an answer.
func TestDescriptionsThatWouldBeTooLarge(t *testing.T) {
	a := newTestSession(t, "alice", withMedia)
	for range maxSections + 1 {
		addTransceiver(t, a, TransceiverInit{Kind: Audio, Direction: SendRecv})
	}
	unchanged(t, a, "too many sections", func() {
		_, err := a.CreateOffer(OfferOptions{})
		wantKind(t, err, Operation, "more sections than a description may have")
	})

	_, good := offerOf(t)
	_, section, _ := strings.Cut(good, "m=video")
	section, _, _ = strings.Cut(section, "m=application")
	text, mids := edit(t, good[:strings.Index(good, "m=")], "BUNDLE 0 1 2", "BUNDLE 1"), ""
	short := "m=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99 102 103\r\nc=IN IP4 0.0.0.0\r\na=rtcp-mux\r\na=rtpmap:96 VP8/90000\r\na=rtpmap:98 VP9/90000\r\n" +
		"a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\na=rtpmap:99 rtx/90000\r\na=fmtp:99 apt=98\r\n" +
		"a=rtpmap:103 rtx/90000\r\na=fmtp:103 apt=102\r\na=rtpmap:102 H264/90000\r\na=fmtp:102 packetization-mode=1;profile-level-id=42e01f\r\na=rtcp-fb:* nack\r\na=rtcp-fb:* nack pli\r\n" +
		"a=rtcp-fb:* ccm fir\r\na=rtcp-fb:* goog-remb\r\na=rtcp-fb:* transport-cc\r\na=mid:"
	text += "m=video" + section
	for i := range maxSections - 1 {
		text += short + fmt.Sprintf("x%d\r\n", i)
		mids += fmt.Sprintf(" x%d", i)
	}
	b := newTestSession(t, "bobby", withMedia)
	setRemote(t, b, Description{Offer, edit(t, text, "BUNDLE 1", "BUNDLE 1"+mids)})
	unchanged(t, b, "a long answer", func() {
		_, err := b.CreateAnswer()
		wantKind(t, err, Operation, "an answer of many lines")
	})
}
