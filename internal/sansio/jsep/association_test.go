package jsep

import (
	"strings"
	"testing"
)

// RFC 8842, section 3.1: "modified, added, or removed"; the order means nothing.
func TestSameFingerprints(t *testing.T) {
	a, b, c := Fingerprint{"sha-256", "A"}, Fingerprint{"sha-256", "B"}, Fingerprint{"sha-384", "A"}
	for _, x := range []struct {
		one, two []Fingerprint
		want     bool
	}{
		{[]Fingerprint{a, b}, []Fingerprint{b, a}, true},
		{[]Fingerprint{a}, []Fingerprint{a, b}, false},
		{[]Fingerprint{a, b}, []Fingerprint{a}, false},
		{[]Fingerprint{a}, []Fingerprint{b}, false},
		{[]Fingerprint{a}, []Fingerprint{c}, false},
	} {
		if got := sameFingerprints(x.one, x.two); got != x.want {
			t.Errorf("%v, %v: got %v", x.one, x.two, got)
		}
	}
}

// RFC 3264, section 6: what we offer with port zero cannot be accepted.
func TestAnswerCannotReviveASection(t *testing.T) {
	good := fixture(t, "chromium-data")
	s := newTestSession(t, "bobby")
	setRemote(t, s, Description{Offer, good})
	setLocal(t, s, Description{})
	setRemote(t, s, Description{Offer, strings.Replace(edit(t, good, "m=application 9", "m=application 0"), "a=group:BUNDLE 0\r\n", "", 1)})
	setLocal(t, s, Description{})
	setLocal(t, s, Description{Type: Offer})
	answer := strings.Replace(edit(t, good, "setup:actpass", "setup:active"), "a=group:BUNDLE 0\r\n", "", 1)
	unchanged(t, s, "revival", func() {
		_, err := s.SetRemote(Description{Answer, answer})
		wantKind(t, err, InvalidAccess, "a section that was offered with port zero")
	})
	setRemote(t, s, Description{Answer, edit(t, answer, "m=application 9", "m=application 0")})
}

// RFC 9143, section 7.3: an answer bundles nothing that the offer did not.
func TestAnswerCannotBundleMore(t *testing.T) {
	media := fixture(t, "chromium-audio-video-data")
	s := newTestSession(t, "bobby")
	setRemote(t, s, Description{Offer, media})
	setLocal(t, s, Description{})
	setLocal(t, s, Description{Type: Offer})
	answer := strings.NewReplacer("m=audio 9", "m=audio 0", "m=video 9", "m=video 0", "setup:actpass", "setup:passive").Replace(media)
	unchanged(t, s, "bundling more", func() {
		_, err := s.SetRemote(Description{Answer, answer})
		wantKind(t, err, InvalidAccess, "rejected sections in the bundle")
	})
	setRemote(t, s, Description{Answer, edit(t, answer, "BUNDLE 0 1 2", "BUNDLE 2")})
}
