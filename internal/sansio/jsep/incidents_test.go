package jsep

import (
	"fmt"
	"strings"
	"testing"
)

// libdatachannel#1620: a=sctp-init of the offer was echoed in the answer, which told the browser of an SCTP handshake that never came.
// Nothing that we don't know is ever repeated: no attribute and no ICE option, in answers and in later offers.
func TestLibdatachannel1620UnknownAttributesAreNotEchoed(t *testing.T) {
	s := newTestSession(t, "bobby")
	offer := edit(t, fixture(t, "chromium-data-warp"), "a=mid:0\r\n", "a=mid:0\r\na=x-secret:1\r\n")
	offer = edit(t, offer, "a=ice-ufrag", "b=AS:30\r\na=ice-ufrag")
	offer = strings.Replace(offer, "a=group", "a=x-session\r\na=identity:abc\r\na=group", 1)
	setRemote(t, s, Description{Offer, offer})
	setLocal(t, s, Description{})
	answer, _ := s.Local()
	again := okay[Description](t)(s.CreateOffer(OfferOptions{}))
	for _, d := range []Description{answer, again} {
		for _, token := range []string{"sctp-init", "sped", "x-secret", "x-session", "identity", "extmap", "msid", "AS:30"} {
			if strings.Contains(d.SDP, token) {
				t.Errorf("%v has %q:\n%s", d.Type, token, d.SDP)
			}
		}
	}
}

// CVE-2026-57162: a description made the parser recurse until the stack was full. Ours has caps on bytes, lines and sections, all refused
// with the place, and its work is proportional to what it reads.
func TestCVE202657162LargeDescriptions(t *testing.T) {
	const head = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
	for name, c := range map[string]struct {
		text string
		line int
	}{
		"bytes":    {head + "a=crypto:" + strings.Repeat("x", maxSize), 0},
		"lines":    {head + strings.Repeat("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\n", maxLines), maxLines + 1},
		"sections": {head + strings.Repeat("m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n", maxSections+1), 5 + maxSections},
		"bundle":   {head + "a=group:BUNDLE" + strings.Repeat(" x", 2*maxSections+1) + "\r\n", 5},
		"bundles":  {head + strings.Repeat("a=group:BUNDLE x\r\n", maxSections+1), 5},
	} {
		s := newTestSession(t, "bobby")
		_, err := s.SetRemote(Description{Offer, c.text})
		wantKind(t, err, Syntax, name)
		if got := err.(*Error).Line; got != c.line {
			t.Errorf("%s: line %d, want %d", name, got, c.line)
		}
	}
	// As large as is allowed, and arranged to be laborious: many sections in one bundle without transport but the last one.
	var mids, sections strings.Builder
	for i := range maxSections {
		fmt.Fprintf(&mids, " m%d", i)
		fmt.Fprintf(&sections, "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\na=bundle-only\r\na=mid:m%d\r\n", i)
	}
	text := head + "a=group:BUNDLE" + mids.String() + "\r\n" + sections.String() + fpLine + "a=setup:actpass\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n"
	s := newTestSession(t, "bobby")
	if c := setRemote(t, s, Description{Offer, text}); c.Transport == nil || c.Transport.RemoteUfrag != "abcd" {
		t.Fatalf("got %+v", c.Transport)
	}
	setLocal(t, s, Description{})
}

// CVE-2021-28681, GHSA-qwfw-ggxw-577c: a call went on although the certificate did not match. For us to hand the transport nothing to
// match with would be as bad: an accepted section always has a fingerprint of an accepted hash function, in offers and in answers.
func TestCVE202128681NoTransportWithoutFingerprint(t *testing.T) {
	for _, algorithm := range []string{"", "md5", "md2", "sha-1", "sha-999"} {
		line := ""
		if algorithm != "" {
			line = "a=fingerprint:" + algorithm + " " + strings.TrimSuffix(strings.Repeat("AA:", 20), ":") + "\r\n"
		}
		s := newTestSession(t, "bobby")
		_, err := s.SetRemote(Description{Offer, edit(t, fixture(t, "chromium-data"), fpLine, line)})
		wantKind(t, err, InvalidAccess, "offer with "+algorithm)

		a, b := newTestSession(t, "alice"), newTestSession(t, "bobby")
		a.NeedDataChannel()
		setLocal(t, a, Description{})
		offer, _ := a.Local()
		setRemote(t, b, offer)
		answer := okay[Description](t)(b.CreateAnswer())
		answer.SDP = edit(t, answer.SDP, "a=fingerprint:sha-256 "+testFingerprint("bobby")+"\r\n", line)
		for _, typ := range []Type{PrAnswer, Answer} {
			_, err = a.SetRemote(Description{typ, answer.SDP})
			wantKind(t, err, InvalidAccess, "answer with "+algorithm)
		}
	}
}

// CVE-2022-2294, CVE-2023-7024 and their like came from lists of an offer that were believed. Long lists of media attributes cost nothing
// here: media sections are not looked into.
func TestCVE20222294LongLists(t *testing.T) {
	media := fixture(t, "chromium-audio-video-data")
	var rids strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&rids, "a=rid:r%d recv\r\n", i)
	}
	s := newTestSession(t, "bobby")
	setRemote(t, s, Description{Offer, edit(t, media, "a=mid:1\r\n", "a=mid:1\r\n"+rids.String()+"a=simulcast:recv "+strings.Repeat("r1;", 20000)+"r1\r\n")})
	setLocal(t, s, Description{})
	if d, _ := s.Local(); len(d.SDP) > 2000 {
		t.Fatalf("the answer has %d bytes", len(d.SDP))
	}
}

// A candidate string that carries line ends would add lines to the remote description that its sender never signed.
func TestCandidateCannotInjectLines(t *testing.T) {
	s := newTestSession(t, "bobby")
	setRemote(t, s, Description{Offer, fixture(t, "chromium-data")})
	for _, evil := range []string{
		hostCandidate + "\r\na=fingerprint:sha-256 " + testFingerprint("eve"),
		"candidate:1 1 udp 1 192.0.2.1\r\na=x 9 typ host",
		hostCandidate + " x y\nm=audio 9 UDP/TLS/RTP/SAVPF 0",
	} {
		unchanged(t, s, "injection", func() {
			_, err := s.AddRemoteCandidate(RemoteCandidate{Candidate: evil, SDPMid: ptr("0")})
			wantKind(t, err, Operation, "injection")
		})
	}
}
