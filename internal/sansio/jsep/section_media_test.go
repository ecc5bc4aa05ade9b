package jsep

import (
	"slices"
	"testing"
)

// RFC 9429, section 5.2.2: "For RtpTransceivers that are not stopped, the "a=msid" line or lines MUST stay the same if they are present in the
// current description, regardless of changes to the transceiver's direction or track." The sources stay with them.
func TestLinesOfASenderStay(t *testing.T) {
	a, b := pair(t)
	id := addTrack(t, a, Video, "camera", "room")
	lines := func() (MSID, Source) {
		t.Helper()
		a.wake()
		m := a.currentLocal.sections[0].media
		if len(m.msids) != 1 || len(m.sources) != 1 {
			t.Fatalf("a section %v has msids %v and sources %v", m.direction, m.msids, m.sources)
		}
		return m.msids[0], m.sources[0]
	}
	negotiate(t, a, b)
	msid, source := lines()
	same := func(when string) {
		t.Helper()
		if m, s := lines(); m != msid || s != source {
			t.Errorf("%s: %v %v, want %v %v", when, m, s, msid, source)
		}
	}
	if err := a.RemoveTrack(id); err != nil {
		t.Fatal(err)
	}
	negotiate(t, a, b)
	same("offered after RemoveTrack")
	negotiate(t, b, a)
	same("answered after RemoveTrack")
	if err := a.SetTrack(id, "screen", true); err != nil {
		t.Fatal(err)
	}
	if err := a.SetDirection(id, SendOnly); err != nil {
		t.Fatal(err)
	}
	negotiate(t, a, b)
	same("another track is sent")
	if got := a.Media()[0]; !got.Sending || slices.ContainsFunc(b.Media(), func(m MediaSection) bool { return !m.Receiving }) {
		t.Errorf("nothing is sent: %+v", got)
	}
}

// With simulcast the encodings are told by their RIDs, and no source is, whether they are sent or not.
func TestSimulcastHasNoSources(t *testing.T) {
	a, b := pair(t)
	id := addTransceiver(t, a, TransceiverInit{Kind: Video, Direction: SendOnly, HasTrack: true, Track: "camera", Encodings: []Encoding{{RID: "q"}, {RID: "f"}}})
	negotiate(t, a, b)
	if err := a.SetDirection(id, Inactive); err != nil {
		t.Fatal(err)
	}
	negotiate(t, a, b)
	a.wake()
	if m := a.currentLocal.sections[0].media; len(m.sources) != 0 || len(m.msids) != 1 {
		t.Errorf("an inactive section has msids %v and sources %v", m.msids, m.sources)
	}
}

// A source that is asked for is the encoding's, and those that are not are others; no two of ours are the same.
func TestSourcesThatAreAskedFor(t *testing.T) {
	a, b := pair(t)
	addTransceiver(t, a, TransceiverInit{Kind: Video, Direction: SendOnly, HasTrack: true, Track: "camera", Encodings: []Encoding{{SSRC: 7, RTX: 8}}})
	addTransceiver(t, a, TransceiverInit{Kind: Audio, Direction: SendOnly, HasTrack: true, Track: "voice", Encodings: []Encoding{{SSRC: 9}}})
	negotiate(t, a, b)
	for i, want := range []Source{{SSRC: 7, RTX: 8}, {SSRC: 9}} {
		a.wake()
		if got := a.currentLocal.sections[i].media.sources; len(got) != 1 || got[0].SSRC != want.SSRC || got[0].RTX != want.RTX {
			t.Errorf("section %d has the sources %+v", i, got)
		}
	}
	for _, wrong := range [][]Encoding{{{SSRC: 8}}, {{SSRC: 10, RTX: 7}}, {{SSRC: 10, RTX: 10}}, {{RID: "q", SSRC: 10}, {RID: "f", SSRC: 10}}} {
		_, err := a.AddTransceiver(TransceiverInit{Kind: Video, Direction: SendOnly, Encodings: wrong})
		wantKind(t, err, TypeError, "a source twice")
	}
}

// stutter is randomness that says everything twice, and begins with zeros.
type stutter struct{ calls int }

func (s *stutter) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(s.calls / 2)
	}
	s.calls++
	return len(b), nil
}

// RFC 3550, section 8: the identifier of a source "is required to be globally unique within an RTP session", whatever randomness says. None is zero.
func TestSourcesAreUnique(t *testing.T) {
	a, _ := pair(t)
	a.cfg.Rand = &stutter{}
	seen := map[uint32]bool{0: true}
	for range 3 {
		id := addTransceiver(t, a, TransceiverInit{Kind: Video, Direction: SendOnly, Encodings: []Encoding{{RID: "q"}, {RID: "h"}, {RID: "f"}}})
		for _, e := range show(t, a, id).Encodings {
			if seen[e.SSRC] || seen[e.RTX] || e.SSRC == e.RTX {
				t.Errorf("the sources %d and %d are somebody's", e.SSRC, e.RTX)
			}
			seen[e.SSRC], seen[e.RTX] = true, true
		}
	}
}

// RFC 8830, section 2: "Multiple media descriptions with the same value for msid-id and msid-appdata are not permitted." Chromium refuses a
// description that has them.
func TestNoTwoSectionsHaveOneMSID(t *testing.T) {
	a, b := pair(t)
	distinct := func(want int) {
		t.Helper()
		negotiate(t, a, b)
		seen := map[MSID]bool{}
		a.wake()
		for _, m := range a.currentLocal.sections {
			for _, id := range m.media.msids {
				seen[id] = true
			}
		}
		if len(seen) != want {
			t.Errorf("want %d msids: %v", want, seen)
		}
	}
	id := addTrack(t, a, Video, "camera", "room")
	distinct(1)
	okay[any](t)(nil, a.RemoveTrack(id))
	again := addTrack(t, a, Video, "camera", "room")
	if again == id {
		t.Fatal("a sender that has sent should not be used again")
	}
	distinct(2)
	addTransceiver(t, a, TransceiverInit{Kind: Video, HasTrack: true, Track: "camera"})
	addTransceiver(t, a, TransceiverInit{Kind: Video, HasTrack: true, Track: "camera", Direction: SendOnly})
	last := addTrack(t, a, Audio, "camera", "stage")
	distinct(4) // the first of the two without a stream does not send
	okay[any](t)(nil, a.SetStreams(last, []string{"stage", "room"}))
	distinct(5)
}
