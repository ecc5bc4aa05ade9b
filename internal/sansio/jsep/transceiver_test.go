package jsep

import (
	"slices"
	"strings"
	"testing"
)

// RFC 9429, section 5.3.1: the direction of an answer is what both want, and each side's current direction is its own view of that.
func TestCurrentDirection(t *testing.T) {
	all := []Direction{Inactive, SendOnly, RecvOnly, SendRecv}
	for _, mine := range all {
		for _, theirs := range all {
			a, b := pair(t)
			x := addTransceiver(t, a, TransceiverInit{Kind: Video, Direction: mine})
			setLocal(t, a, Description{})
			offer, _ := a.Local()
			setRemote(t, b, offer)
			y := b.Transceivers()[0]
			okay[any](t)(nil, b.SetDirection(y, theirs))
			setLocal(t, b, Description{})
			answer, _ := b.Local()
			setRemote(t, a, answer)
			got, other := show(t, a, x), show(t, b, y)
			want := mine & theirs.Reversed()
			if got.Current != want || !got.HasCurrent || other.Current != want.Reversed() || got.Direction != mine || other.Direction != theirs {
				t.Errorf("%v and %v: %+v, %+v", mine, theirs, got, other)
			}
			coherent(t, a, b)
		}
	}
}

// W3C addTrack: a sender is used again when it has no track and has never sent.
func TestAddTrackUsesWhatIsThere(t *testing.T) {
	a, b := pair(t)
	video := addTransceiver(t, a, TransceiverInit{Kind: Video, Direction: RecvOnly})
	busy := addTransceiver(t, a, TransceiverInit{Kind: Audio, Direction: SendRecv, HasTrack: true, Track: "mic"})
	free := addTransceiver(t, a, TransceiverInit{Kind: Audio, Direction: Inactive})
	if got := addTrack(t, a, Audio, "second", "s"); got != free || show(t, a, free).Direction != SendOnly {
		t.Fatalf("got %d: %+v", got, show(t, a, free))
	}
	if got := addTrack(t, a, Video, "cam", "s"); got != video || show(t, a, video).Direction != SendRecv {
		t.Fatalf("got %d: %+v", got, show(t, a, video))
	}
	negotiate(t, a, b)
	okay[any](t)(nil, a.RemoveTrack(busy))
	if got := show(t, a, busy); got.HasTrack || got.Direction != RecvOnly {
		t.Fatalf("got %+v", got)
	}
	if got := addTrack(t, a, Audio, "third"); slices.Contains([]TransceiverID{busy, free, video}, got) {
		t.Fatalf("the sender of %d has sent", got)
	}
	stopped := addTransceiver(t, a, TransceiverInit{Kind: Video, Direction: RecvOnly})
	okay[any](t)(nil, a.Stop(stopped))
	if got := addTrack(t, a, Video, "other"); got == stopped {
		t.Fatal("what is stopped should not be used")
	}
}

// RFC 9429, section 5.10: an offered section that may be sent to is for the first track that addTrack has added; others make transceivers.
func TestOfferedSectionsFindTracks(t *testing.T) {
	a, b := pair(t)
	addTransceiver(t, a, TransceiverInit{Kind: Audio, Direction: SendOnly})
	addTransceiver(t, a, TransceiverInit{Kind: Audio, Direction: SendRecv})
	addTransceiver(t, a, TransceiverInit{Kind: Audio, Direction: RecvOnly})
	addTransceiver(t, a, TransceiverInit{Kind: Video, Direction: SendRecv})
	explicit := addTransceiver(t, b, TransceiverInit{Kind: Audio, Direction: SendRecv})
	idle := addTransceiver(t, b, TransceiverInit{Kind: Video, Direction: Inactive})
	if addTrack(t, b, Audio, "1") != explicit {
		t.Fatal("the empty sender takes the track")
	}
	second, third := addTrack(t, b, Audio, "2"), addTrack(t, b, Audio, "3")
	setLocal(t, a, Description{})
	offer, _ := a.Local()
	c := setRemote(t, b, offer)
	if show(t, b, second).MLineIndex != 1 || show(t, b, third).MLineIndex != 2 || len(c.Created) != 2 {
		t.Fatalf("got %+v, %+v, %v", show(t, b, second), show(t, b, third), c.Created)
	}
	for i, line := range []int{0, 3} {
		if got := show(t, b, c.Created[i]); got.MLineIndex != line || got.Direction != RecvOnly || got.HasTrack {
			t.Errorf("got %+v", got)
		}
	}
	if show(t, b, explicit).Mid != "" || show(t, b, idle).Mid != "" {
		t.Error("what addTransceiver has made waits for an offer of its own")
	}
	setLocal(t, b, Description{})
	answer, _ := b.Local()
	setRemote(t, a, answer)
	if !b.NegotiationNeeded() || a.NegotiationNeeded() {
		t.Error("bobby has more to offer")
	}
	negotiate(t, b, a)
	coherent(t, a, b)
	if show(t, b, idle).MLineIndex != 5 || len(b.Media()) != 6 {
		t.Errorf("got %+v", b.Media())
	}
}

// RFC 9429, section 5.7: a rollback takes mids and places back, and the transceivers that the offer has made, but not those that addTrack has
// used since.
func TestRollbackOfTransceivers(t *testing.T) {
	a, b := pair(t)
	addTrack(t, a, Audio, "mic")
	addTrack(t, a, Video, "cam")
	mine := addTransceiver(t, b, TransceiverInit{Kind: Video, Direction: SendRecv})
	setLocal(t, b, Description{})
	if show(t, b, mine).Mid != "0" {
		t.Fatalf("got %+v", show(t, b, mine))
	}
	setLocal(t, a, Description{})
	offer, _ := a.Local()
	c := setRemote(t, b, offer)
	if show(t, b, mine).Mid != "" || len(c.Created) != 2 || !c.RolledBack {
		t.Fatalf("glare: %+v, %+v", show(t, b, mine), c)
	}
	audio, video := c.Created[0], c.Created[1]
	if got := addTrack(t, b, Audio, "mic"); got != audio {
		t.Fatalf("addTrack should use %d, got %d", audio, got)
	}
	c = setRemote(t, b, Description{Type: Rollback})
	if !slices.Equal(c.Removed, []TransceiverID{video}) || !slices.Equal(b.Transceivers(), []TransceiverID{mine, audio}) {
		t.Fatalf("got %+v, %v", c, b.Transceivers())
	}
	if got := show(t, b, audio); got.Mid != "" || got.MLineIndex != -1 || got.Direction != SendRecv {
		t.Fatalf("got %+v", got)
	}
	// A second time everything that is left is used: the track that addTrack has attached was not made by it, so the section makes another.
	c = setRemote(t, b, offer)
	if len(c.Created) != 2 || slices.Contains(c.Created, video) {
		t.Fatalf("ids are never used twice: %+v", c.Created)
	}
	setLocal(t, b, Description{})
	if _, ok := b.Transceiver(c.Created[0]); !ok || !b.NegotiationNeeded() {
		t.Fatal("what was negotiated should stay, and the rest be offered")
	}
}

// What one remote offer has made goes when another one, that takes its place before an answer, has it no longer.
func TestOfferThatReplacesAnOffer(t *testing.T) {
	a, b := pair(t)
	addTrack(t, a, Audio, "mic")
	video := addTrack(t, a, Video, "cam")
	setLocal(t, a, Description{})
	offer, _ := a.Local()
	first := setRemote(t, b, offer)
	again := setRemote(t, b, offer)
	if again.Created != nil || again.Removed != nil || len(b.Transceivers()) != 2 {
		t.Fatalf("the same offer: %+v", again)
	}
	okay[any](t)(nil, a.Stop(video))
	setLocal(t, a, Description{Type: Offer})
	offer, _ = a.Local()
	c := setRemote(t, b, offer)
	if !slices.Equal(c.Stopped, first.Created[1:]) || c.Created != nil {
		t.Fatalf("got %+v", c)
	}
	setLocal(t, b, Description{})
	if got := b.Transceivers(); !slices.Equal(got, first.Created[:1]) {
		t.Fatalf("got %v", got)
	}
}

// What an offer has given a section is without one again when another offer takes its place and has that section no longer: the peer's, where addTrack has
// used the transceiver since, and our own, where the section's place goes to another transceiver.
func TestOfferThatTakesASectionAway(t *testing.T) {
	a, b := pair(t)
	addTrack(t, a, Audio, "mic")
	addTrack(t, a, Video, "cam")
	setLocal(t, a, Description{})
	offer, _ := a.Local()
	const mux = "a=rtcp-mux\r\n"
	last := strings.LastIndex(offer.SDP, mux) // without it the section would be rejected, and so another may take its place
	offer.SDP = offer.SDP[:last] + offer.SDP[last+len(mux):]
	video := setRemote(t, b, offer).Created[1]
	if got := addTrack(t, b, Video, "mine"); got != video {
		t.Fatalf("addTrack should use %d, got %d", video, got)
	}
	other := newTestSession(t, "carol", withMedia)
	addTrack(t, other, Audio, "mic")
	addTrack(t, other, Audio, "mic2")
	setLocal(t, other, Description{})
	offer, _ = other.Local()
	setRemote(t, b, offer)
	if got := show(t, b, video); got.Mid != "" || got.MLineIndex != -1 {
		t.Errorf("the section is gone, and its transceiver has %+v", got)
	}
	negotiateAnswer(t, other, b)
	if got := show(t, b, video); got.HasCurrent || !b.NegotiationNeeded() {
		t.Errorf("nothing was negotiated for %+v", got)
	}

	a, b = pair(t)
	first := addTrack(t, a, Audio, "mic")
	addTrack(t, a, Video, "cam")
	negotiate(t, a, b)
	okay[any](t)(nil, a.Stop(first))
	negotiate(t, a, b)
	second := addTransceiver(t, a, TransceiverInit{Kind: Video, Direction: SendRecv})
	setLocal(t, a, Description{})
	if got := show(t, a, second); got.MLineIndex != 0 {
		t.Fatalf("got %+v", got)
	}
	okay[any](t)(nil, a.Stop(second))
	third := addTransceiver(t, a, TransceiverInit{Kind: Video, Direction: SendRecv})
	setLocal(t, a, Description{Type: Offer})
	if got := show(t, a, second); got.Mid != "" || got.MLineIndex != -1 || show(t, a, third).MLineIndex != 0 {
		t.Errorf("another has the place, and the transceiver has %+v", got)
	}
	offer, _ = a.Local()
	setRemote(t, b, offer)
	negotiateAnswer(t, a, b)
	if _, ok := a.Transceiver(second); ok || !show(t, a, third).HasCurrent {
		t.Errorf("after the negotiation there are %v", a.Transceivers())
	}
	coherent(t, a, b)
}

// negotiateAnswer has b answer the offer of a that it has.
func negotiateAnswer(t testing.TB, a, b *Session) {
	t.Helper()
	setLocal(t, b, Description{})
	answer, _ := b.Local()
	setRemote(t, a, answer)
}

// A section that is stopped is rejected, and its place is for the next one of any kind, under another mid: RFC 9429, section 5.2.2.
func TestStopAndRecycle(t *testing.T) {
	for _, byOfferer := range []bool{true, false} {
		a, b := pair(t)
		audio, video := addTrack(t, a, Audio, "mic", "s"), addTrack(t, a, Video, "cam", "s")
		negotiate(t, a, b)
		stopper, other, id := a, b, audio
		if !byOfferer {
			stopper, other, id = b, a, b.Transceivers()[0]
		}
		okay[any](t)(nil, stopper.Stop(id))
		if m := stopper.Media()[0]; m.Sending || m.Receiving {
			t.Fatalf("nothing is sent or received from then on: %+v", m)
		}
		if err := stopper.SetDirection(id, SendRecv); err == nil {
			t.Fatal("a transceiver that is stopping cannot be directed")
		}
		if got := show(t, stopper, id); got.Direction != Stopped || !got.Stopping || got.Stopped {
			t.Fatalf("got %+v", got)
		}
		cs, co := negotiate(t, stopper, other)
		if len(cs.Stopped) != 1 || len(cs.Media) != 1 || len(co.Media) != 1 || len(other.Transceivers()) != 1 {
			t.Fatalf("got %+v, %+v", cs, co)
		}
		// The transport had been that of the section that is gone. It goes on.
		if cs.Transport.Mid != "1" || cs.Transport.LocalRestart || cs.Transport.RemoteRestart || cs.Transport.DTLSRole == co.Transport.DTLSRole {
			t.Fatalf("got %+v", cs.Transport)
		}
		if d, _ := stopper.Local(); !strings.Contains(d.SDP, "m=audio 0 ") || strings.Contains(d.SDP, "BUNDLE 0") {
			t.Fatalf("got\n%s", d.SDP)
		}
		if show(t, a, video).MLineIndex != 1 {
			t.Fatalf("got %+v", show(t, a, video))
		}
		third := addTransceiver(t, other, TransceiverInit{Kind: Video, Direction: RecvOnly})
		other.NeedDataChannel()
		co, _ = negotiate(t, other, stopper)
		if got := show(t, other, third); got.MLineIndex != 0 || got.Mid != "2" || !co.Transport.HasData {
			t.Fatalf("got %+v", got)
		}
		coherent(t, a, b)
	}
}

// A transceiver that is stopped between an offer and its answer is rejected by the answer.
func TestStopBeforeAnswer(t *testing.T) {
	a, b := pair(t)
	addTrack(t, a, Audio, "mic")
	addTrack(t, a, Video, "cam")
	setLocal(t, a, Description{})
	offer, _ := a.Local()
	c := setRemote(t, b, offer)
	okay[Description](t)(b.CreateAnswer())
	okay[any](t)(nil, b.Stop(c.Created[0]))
	c = setLocal(t, b, Description{}) // W3C: the answer of before no longer represents the state
	answer, _ := b.Local()
	if len(c.Stopped) != 1 || len(b.Transceivers()) != 1 || c.Transport.Mid != "1" || b.NegotiationNeeded() {
		t.Fatalf("got %+v", c)
	}
	c = setRemote(t, a, answer)
	if len(c.Stopped) != 1 || len(a.Transceivers()) != 1 || c.Transport.Mid != "1" || a.NegotiationNeeded() {
		t.Fatalf("got %+v", c)
	}
	coherent(t, a, b)
}

// RFC 9429, section 3.5 and W3C: a provisional answer sets current directions, which the final one may change.
func TestProvisionalDirections(t *testing.T) {
	a, b := pair(t)
	x := addTrack(t, a, Audio, "mic")
	setLocal(t, a, Description{})
	if m := a.Media(); !m[0].Receiving || m[0].Sending || len(m[0].Receive) == 0 || len(m[0].Extensions) == 0 {
		t.Fatalf("media may come before the answer: %+v", m)
	}
	offer, _ := a.Local()
	y := setRemote(t, b, offer).Created[0]
	if m := b.Media(); len(m) != 0 {
		t.Fatalf("nothing is agreed yet: %+v", m)
	}
	c := setLocal(t, b, Description{Type: PrAnswer})
	if len(c.Media) != 1 || !c.Media[0].Receiving || c.Media[0].Sending {
		t.Fatalf("got %+v", c.Media)
	}
	pranswer, _ := b.Local()
	c = setRemote(t, a, pranswer)
	if !c.Media[0].Sending || c.Media[0].Receiving || show(t, a, x).Current != SendOnly {
		t.Fatalf("got %+v", c.Media)
	}
	okay[any](t)(nil, b.SetDirection(y, SendRecv))
	setLocal(t, b, Description{Type: Answer})
	answer, _ := b.Local()
	if c = setRemote(t, a, answer); !c.Media[0].Receiving || show(t, a, x).Current != SendRecv {
		t.Fatalf("got %+v", c.Media)
	}
	coherent(t, a, b)
}

// What a provisional answer rejects is not stopped: the answer may accept it.
func TestProvisionalRejection(t *testing.T) {
	a, b := pair(t)
	addTrack(t, a, Audio, "mic")
	video := addTrack(t, a, Video, "cam")
	setLocal(t, a, Description{})
	offer, _ := a.Local()
	setRemote(t, b, offer)
	answer := okay[Description](t)(b.CreateAnswer())
	rejected := strings.NewReplacer("m=video 9", "m=video 0", "BUNDLE 0 1", "BUNDLE 0").Replace(answer.SDP)
	c := setRemote(t, a, Description{PrAnswer, rejected})
	if got := show(t, a, video); len(c.Stopped) > 0 || got.Stopped || got.Current != Inactive || !got.HasCurrent {
		t.Fatalf("rejected for now: %+v", got)
	}
	setLocal(t, b, answer)
	answer, _ = b.Local()
	if c = setRemote(t, a, answer); show(t, a, video).Current != SendOnly || len(c.Media) != 2 {
		t.Errorf("accepted: %+v", show(t, a, video))
	}
	coherent(t, a, b)
}

// What cannot be asked of transceivers changes nothing.
func TestTransceiverErrors(t *testing.T) {
	s := newTestSession(t, "alice", withMedia)
	id := addTrack(t, s, Video, "cam")
	gone := addTrack(t, s, Audio, "mic")
	okay[any](t)(nil, s.Stop(gone))
	add := func(i TransceiverInit) error { _, err := s.AddTransceiver(i); return err }
	for _, tc := range []struct {
		name string
		err  func() error
		kind Kind
	}{
		{"no kind", func() error { return add(TransceiverInit{Direction: SendRecv}) }, TypeError},
		{"stopped", func() error { return add(TransceiverInit{Kind: Audio, Direction: Stopped}) }, TypeError},
		{"RIDs for some", func() error { return add(TransceiverInit{Kind: Video, Encodings: []Encoding{{RID: "a"}, {}}}) }, TypeError},
		{"a RID twice", func() error { return add(TransceiverInit{Kind: Video, Encodings: []Encoding{{RID: "a"}, {RID: "a"}}}) }, TypeError},
		{"a malformed RID", func() error { return add(TransceiverInit{Kind: Video, Encodings: []Encoding{{RID: "a b"}}}) }, TypeError},
		{"too many encodings", func() error { return s.SetEncodings(id, make([]Encoding, maxEncodings+1)) }, TypeError},
		{"no encodings", func() error { return s.SetEncodings(id, nil) }, TypeError},
		{"a line break", func() error { return s.SetStreams(id, []string{"a\r\na=x"}) }, TypeError},
		{"a track with a blank", func() error { _, err := s.AddTrack(Video, "a b", nil); return err }, TypeError},
		{"direction stopped", func() error { return s.SetDirection(id, Stopped) }, TypeError},
		{"nobody's direction", func() error { return s.SetDirection(99, SendRecv) }, InvalidState},
		{"direction of what is stopped", func() error { return s.SetDirection(gone, SendRecv) }, InvalidState},
		{"track of what is stopped", func() error { return s.SetTrack(gone, "x", true) }, InvalidState},
		{"streams of what is stopped", func() error { return s.SetStreams(gone, nil) }, InvalidState},
		{"an unknown codec", func() error { return s.SetCodecPreferences(id, codecsOf("96 VP7")) }, InvalidModification},
		{"an unknown profile", func() error { return s.SetCodecPreferences(id, codecsOf("96 VP9 profile-id=3")) }, InvalidModification},
		{"retransmissions only", func() error { return s.SetCodecPreferences(id, codecsOf("96 VP8", "97 rtx apt=96")[1:]) }, InvalidModification},
	} {
		unchanged(t, s, tc.name, func() { wantKind(t, tc.err(), tc.kind, tc.name) })
	}
	s.Close()
	wantKind(t, s.Stop(id), InvalidState, "stop after close")
	wantKind(t, s.RemoveTrack(id), InvalidState, "removeTrack after close")
	wantKind(t, add(TransceiverInit{Kind: Audio}), InvalidState, "addTransceiver after close")
	_, err := s.AddTrack(Audio, "x", nil)
	wantKind(t, err, InvalidState, "addTrack after close")
}

// Tables that could not be written into a description are refused when the session is made.
func TestWrongTables(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"payload type of RTCP": func(c *Config) { c.Formats.codecs[Video] = codecsOf("72 VP8") },
		"payload type twice":   func(c *Config) { c.Formats.codecs[Video] = codecsOf("96 VP8", "96 VP9") },
		"in both kinds": func(c *Config) {
			c.Formats.codecs[Video], c.Formats.codecs[Audio] = codecsOf("96 VP8"), codecsOf("96 opus")
		},
		"payload type too high": func(c *Config) { c.Formats.codecs[Video] = codecsOf("128 VP8") },
		"no clock":              func(c *Config) { c.Formats.codecs[Video] = []Codec{{PayloadType: 96, Name: "VP8"}} },
		"a name of two words":   func(c *Config) { c.Formats.codecs[Video] = []Codec{{PayloadType: 96, Name: "V P8", ClockRate: 1}} },
		"a line break": func(c *Config) {
			c.Formats.codecs[Video] = []Codec{{PayloadType: 96, Name: "VP8", ClockRate: 1, Fmtp: "a\r\na=x"}}
		},
		"a name of blanks":    func(c *Config) { c.Formats.codecs[Video] = []Codec{{PayloadType: 96, Name: "\u00a0", ClockRate: 1}} },
		"feedback of a blank": func(c *Config) { c.Formats.codecs[Audio][0].Feedback = []Feedback{{"\u2003", ""}} },
		"no kind":             func(c *Config) { c.Formats.codecs[0] = codecsOf("96 VP8") },
		"an empty URI":        func(c *Config) { c.Formats.extensions = []HeaderExtension{{}} },
		"a CNAME of two":      func(c *Config) { c.CNAME = "a b" },
	} {
		cfg := newTestSession(t, "alice").cfg
		cfg.Formats.codecs[Audio] = codecsOf("111 opus")
		change(&cfg)
		_, err := NewFormats(cfg.Formats.codecs, cfg.Formats.extensions)
		if err == nil {
			_, err = New(cfg)
		}
		wantKind(t, err, TypeError, name)
	}
}

// Blanks at the end of what a table says are not written: whoever reads the line takes them away, and we know our own description again.
func TestBlanksInTables(t *testing.T) {
	s := newTestSession(t, "alice", func(c *Config) {
		c.Formats.codecs[Audio] = []Codec{
			{PayloadType: 111, Name: "opus", ClockRate: 48000, Fmtp: " minptime=10 \t", Feedback: []Feedback{{"nack", "pli\t "}}},
			{PayloadType: 112, Name: "L16", ClockRate: 48000, Fmtp: " \t"},
		}
	})
	addTrack(t, s, Audio, "mic", "s")
	offer := okay[Description](t)(s.CreateOffer(OfferOptions{}))
	s.check()
	if !strings.Contains(offer.SDP, "a=fmtp:111 minptime=10\r\na=rtcp-fb:111 nack pli\r\n") || strings.Contains(offer.SDP, "fmtp:112") {
		t.Error(offer.SDP)
	}
	setLocal(t, s, offer)
}
