package jsep

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func fixture(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/offers/" + name + ".sdp")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// edit replaces old, which has to be there, by new.
func edit(t testing.TB, text, old, new string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("no %q in\n%s", old, text)
	}
	return strings.ReplaceAll(text, old, new)
}

const (
	fpLine    = "a=fingerprint:sha-256 19:E2:1C:3B:4B:9F:81:E6:B8:5C:F4:A5:A8:D8:73:04:BB:05:2F:70:9F:04:A9:0E:05:E9:26:33:E8:70:88:A2\r\n"
	mlineData = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"
)

// What is wrong with an offer has the category that webrtc-pc prescribes, and changes nothing.
func TestWrongOffers(t *testing.T) {
	good := fixture(t, "chromium-data")
	media := fixture(t, "chromium-audio-video-data")
	for _, c := range []struct {
		name, text, old, new string
		kind                 Kind
		line                 int
	}{
		{"no ufrag", good, "a=ice-ufrag:pF4x\r\n", "", InvalidAccess, 0},
		{"no pwd", good, "a=ice-pwd:9lX4lqWq1pTj0mZ4mJ2xVnWa\r\n", "", InvalidAccess, 0},
		{"short ufrag", good, "ice-ufrag:pF4x", "ice-ufrag:pF4", Syntax, 10},
		{"long ufrag", good, "ice-ufrag:pF4x", "ice-ufrag:" + strings.Repeat("x", 257), Syntax, 10},
		{"ufrag of other characters", good, "ice-ufrag:pF4x", "ice-ufrag:pF4 x", Syntax, 10},
		{"short pwd", good, "9lX4lqWq1pTj0mZ4mJ2xVnWa", "9lX4lqWq1pTj0mZ4mJ2xV", Syntax, 11},
		{"no fingerprint", good, fpLine, "", InvalidAccess, 0},
		{"fingerprint cut short", good, ":70:88:A2", ":70:88", Syntax, 13},
		{"fingerprint without colons", good, "19:E2:1C", "19E21C", Syntax, 13},
		{"fingerprint with a blank for a colon", good, "19:E2:1C", "19:E2 1C", Syntax, 13},
		{"fingerprint of other characters", good, "19:E2:1C", "19:G2:1C", Syntax, 13},
		{"fingerprint of characters just above", good, "19:E2:1C", "19:E::1C", Syntax, 13},
		{"fingerprint of sha-1 only", good, fpLine, "a=fingerprint:sha-1 00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13\r\n", InvalidAccess, 0},
		{"no setup", good, "a=setup:actpass\r\n", "", InvalidAccess, 0},
		{"holdconn", good, "setup:actpass", "setup:holdconn", InvalidAccess, 0},
		{"unknown setup", good, "setup:actpass", "setup:both", Syntax, 14},
		{"empty mid", good, "a=mid:0", "a=mid:", Syntax, 15},
		{"bundled mid that is not there", good, "a=mid:0\r\n", "", InvalidAccess, 0},
		{"mid twice", media, "a=mid:1\r\n", "a=mid:0\r\n", InvalidAccess, 0},
		{"bundled twice", media, "BUNDLE 0 1 2", "BUNDLE 0 1 2 1", InvalidAccess, 0},
		{"in two bundles", media, "a=group:BUNDLE 0 1 2", "a=group:BUNDLE 0 1 2\r\na=group:BUNDLE 2", InvalidAccess, 0},
		{"no formats", good, " webrtc-datachannel\r\n", "\r\n", InvalidAccess, 0},
		{"sctp-port out of range", good, "sctp-port:5000", "sctp-port:65536", Syntax, 8},
		{"sctp-port no number", good, "sctp-port:5000", "sctp-port:x", Syntax, 8},
		{"max-message-size negative", good, "max-message-size:262144", "max-message-size:-1", Syntax, 8},
		{"empty", good, good, "", Syntax, 1},
		{"no v=", good, "v=0\r\n", "", Syntax, 1},
		{"version 1", good, "v=0\r\n", "v=1\r\n", Syntax, 1},
		{"no t=", good, "t=0 0\r\n", "", Syntax, 4},
		{"no type", good, "s=-\r\n", "s=-\r\nhello\r\n", Syntax, 4},
		{"unknown type", good, "c=IN IP4 0.0.0.0\r\n", "c=IN IP4 0.0.0.0\r\ny=1\r\n", Syntax, 10},
		{"bad port", good, "m=application 9 ", "m=application 65536 ", Syntax, 8},
		{"bad c=", good, "c=IN IP4", "c=IN IP5", Syntax, 9},
		{"NUL", good, "a=mid:0", "a=mid:0\x00", Syntax, 15},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newTestSession(t, "bobby")
			text := edit(t, c.text, c.old, c.new)
			unchanged(t, s, c.name, func() {
				_, err := s.SetRemote(Description{Offer, text})
				wantKind(t, err, c.kind, c.name)
				if got := err.(*Error).Line; got != c.line {
					t.Errorf("line %d, want %d: %v", got, c.line, err)
				}
			})
		})
	}
}

// What is unusual but can be understood is understood.
func TestUnusualOffers(t *testing.T) {
	good := fixture(t, "chromium-data")
	sha1 := "a=fingerprint:sha-1 00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13\r\n"
	sha384 := "a=fingerprint:SHA-384 " + strings.TrimSuffix(strings.Repeat("ab:", 48), ":") + "\r\n"
	for _, c := range []struct {
		name, text string
		want       func(*Transport) bool
	}{
		{"bare LF", strings.ReplaceAll(good, "\r\n", "\n"), nil},
		{"blank lines", strings.ReplaceAll(good, "\r\n", "\r\n\r\n"), nil},
		{"blanks at the ends", strings.ReplaceAll(good, "\r\n", " \t\r\n"), nil},
		{"no line end at the end", strings.TrimSuffix(good, "\r\n"), nil},
		{"session name of one blank", edit(t, good, "s=-", "s= "), nil},
		{"TCP/DTLS/SCTP", edit(t, good, "UDP/DTLS", "TCP/DTLS"), nil},
		{"DTLS/SCTP with the new format", edit(t, good, "UDP/DTLS", "DTLS"), nil},
		{"no sctp-port", edit(t, good, "a=sctp-port:5000\r\n", ""), nil},
		{"other sctp-port", edit(t, good, "sctp-port:5000", "sctp-port:1"), func(t *Transport) bool { return t.RemoteSCTPPort == 1 }},
		{"no max-message-size", edit(t, good, "a=max-message-size:262144\r\n", ""), func(t *Transport) bool { return t.RemoteMaxMessageSize == 65536 }},
		{"any message size", edit(t, good, "size:262144", "size:0"), func(t *Transport) bool { return t.RemoteMaxMessageSize == 0 }},
		{"a huge message size", edit(t, good, "size:262144", "size:18446744073709551615"), func(t *Transport) bool { return t.RemoteMaxMessageSize == 1<<31-1 }},
		{"fingerprint with small letters", edit(t, good, "19:E2:1C", "19:E2:1c"), func(t *Transport) bool {
			return strings.HasPrefix(t.RemoteFingerprints[0].Value, "19:E2:1C")
		}},
		{"several fingerprints", edit(t, good, fpLine, sha1+fpLine+sha384+fpLine), func(t *Transport) bool {
			return len(t.RemoteFingerprints) == 2 && t.RemoteFingerprints[1].Algorithm == "sha-384" && strings.HasPrefix(t.RemoteFingerprints[1].Value, "AB:")
		}},
		{"session-level transport", edit(t, strings.Replace(edit(t, edit(t, good, fpLine, ""), "a=setup:actpass\r\n", ""), "a=group", fpLine+"a=setup:actpass\r\na=group", 1), "a=mid", "a=x:y\r\na=mid"), func(t *Transport) bool {
			return len(t.RemoteFingerprints) == 1
		}},
		{"media level wins over session level", strings.Replace(good, "a=group", "a=ice-ufrag:other\r\na=ice-lite\r\na=group", 1), func(t *Transport) bool {
			return t.RemoteUfrag == "pF4x" && t.RemoteLite && t.ICEControlling
		}},
		{"candidates", good + "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\na=candidate:nonsense\r\na=end-of-candidates\r\n", func(t *Transport) bool {
			return len(t.RemoteCandidates) == 1 && t.RemoteEndOfCandidates
		}},
		{"end-of-candidates of the session", strings.Replace(good, "a=group", "a=end-of-candidates\r\na=group", 1), func(t *Transport) bool { return t.RemoteEndOfCandidates }},
		{"no trickle", edit(t, good, "a=ice-options:trickle", "a=ice-options:ice2 rtp+ecn"), func(t *Transport) bool { return !t.RemoteTrickle }},
		{"unknown attributes", edit(t, good, "a=mid:0", "a=wild\r\na=wild:thing\r\na=:\r\na=mid:0"), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newTestSession(t, "bobby")
			got := setRemote(t, s, Description{Offer, c.text}).Transport
			if got == nil || c.want != nil && !c.want(got) {
				t.Fatalf("got %+v", got)
			}
			answered := setLocal(t, s, Description{}).Transport
			if !answered.HasData || answered.DTLSRole != RoleClient {
				t.Fatalf("answered: %+v", answered)
			}
		})
	}
}

// A section that cannot be used is rejected by the answer, not by an error.
func TestUnusableSections(t *testing.T) {
	good := fixture(t, "chromium-data")
	for name, text := range map[string]string{
		"port zero":          edit(t, good, "m=application 9", "m=application 0"),
		"sctp-port zero":     edit(t, good, "sctp-port:5000", "sctp-port:0"),
		"other application":  edit(t, good, "UDP/DTLS/SCTP webrtc-datachannel", "UDP/DTLS/SCTP other"),
		"unencrypted":        edit(t, good, "UDP/DTLS/SCTP", "SCTP"),
		"sctpmap of another": edit(t, fixture(t, "legacy-sctpmap"), "webrtc-datachannel", "bfcp"),
	} {
		t.Run(name, func(t *testing.T) {
			s := newTestSession(t, "bobby")
			if c := setRemote(t, s, Description{Offer, text}); c.Transport != nil {
				t.Fatalf("transport of an unusable section: %+v", c.Transport)
			}
			c := setLocal(t, s, Description{})
			answer, _ := s.Local()
			if c.Transport != nil || !strings.Contains(answer.SDP, "m=application 0 ") || strings.Contains(answer.SDP, "BUNDLE") {
				t.Fatalf("should be rejected:\n%s", answer.SDP)
			}
		})
	}
}

// Only one section carries data channels.
func TestSecondDataSectionIsRejected(t *testing.T) {
	good := fixture(t, "chromium-data")
	_, section, _ := strings.Cut(good, "m=")
	s := newTestSession(t, "bobby")
	setRemote(t, s, Description{Offer, edit(t, good, "BUNDLE 0", "BUNDLE 0 second") + "m=" + edit(t, section, "mid:0", "mid:second")})
	setLocal(t, s, Description{})
	answer, _ := s.Local()
	if !strings.Contains(answer.SDP, "a=group:BUNDLE 0\r\n") || strings.Count(answer.SDP, "m=application 0 ") != 1 {
		t.Fatalf("got\n%s", answer.SDP)
	}
}

// RFC 9429, section 5.3.1, must-bundle (W3C's max-bundle): what is not in the bundle of the first section is rejected.
func TestMaxBundle(t *testing.T) {
	maxBundle := func(c *Config) { c.BundlePolicy = MaxBundle }
	media := fixture(t, "chromium-audio-video-data")
	s := newTestSession(t, "bobby", maxBundle)
	if c := setRemote(t, s, Description{Offer, media}); c.Transport == nil {
		t.Fatal("the data section is in the bundle of the first one")
	}
	for _, group := range []string{"BUNDLE 0 1", "BUNDLE 1 2", "LS 0 1 2"} {
		s = newTestSession(t, "bobby", maxBundle)
		if c := setRemote(t, s, Description{Offer, edit(t, media, "BUNDLE 0 1 2", group)}); c.Transport != nil {
			t.Fatalf("%s: the data section should be rejected", group)
		}
		s = newTestSession(t, "bobby")
		if c := setRemote(t, s, Description{Offer, edit(t, media, "BUNDLE 0 1 2", group)}); c.Transport == nil {
			t.Fatalf("%s, balanced: the data section should be accepted", group)
		}
	}
}

// What is wrong with an answer.
func TestWrongAnswers(t *testing.T) {
	for _, c := range []struct {
		name, old, new string
		kind           Kind
	}{
		{"actpass", "setup:active", "setup:actpass", InvalidAccess},
		{"holdconn", "setup:active", "setup:holdconn", InvalidAccess},
		{"no setup", "a=setup:active\r\n", "", InvalidAccess},
		{"no ufrag", "a=ice-ufrag:bobby1\r\n", "", InvalidAccess},
		{"no fingerprint", "a=fingerprint:sha-256 " + testFingerprint("bobby") + "\r\n", "", InvalidAccess},
		{"other mid", ":0\r\n", ":1\r\n", InvalidAccess}, // of m= and BUNDLE
		{"other mid, not bundled", "a=mid:0", "a=mid:1", InvalidAccess},
		{"other protocol", "UDP/DTLS/SCTP", "TCP/DTLS/SCTP", InvalidAccess},
		{"other kind", "m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "m=audio 9 UDP/TLS/RTP/SAVPF 0", InvalidAccess},
		{"not data channels", "SCTP webrtc-datachannel", "SCTP other", InvalidAccess},
		{"no sections", mlineData, "", InvalidAccess},
		{"more sections", mlineData, "m=audio 0 UDP/TLS/RTP/SAVPF 0\r\n" + mlineData, InvalidAccess},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := newTestSession(t, "alice"), newTestSession(t, "bobby")
			a.NeedDataChannel()
			setLocal(t, a, Description{})
			offer, _ := a.Local()
			setRemote(t, b, offer)
			setLocal(t, b, Description{})
			answer, _ := b.Local()
			text := answer.SDP
			if c.name == "other mid" {
				text = strings.Replace(text, "BUNDLE 0", "BUNDLE 1", 1)
				c.old, c.new = "a=mid:0", "a=mid:1"
			} else if c.name == "other mid, not bundled" {
				text = strings.Replace(text, "a=group:BUNDLE 0\r\n", "", 1)
			} else if c.name == "no sections" {
				text, c.old, c.new = text[:strings.Index(text, "m=")], "a=group:BUNDLE 0\r\n", ""
			}
			text = edit(t, text, c.old, c.new)
			unchanged(t, a, c.name, func() {
				_, err := a.SetRemote(Description{Answer, text})
				wantKind(t, err, c.kind, c.name)
			})
			setRemote(t, a, answer)
		})
	}
}

// An answer that leaves a=mid or the bundle out is matched by place.
func TestAnswerWithoutMid(t *testing.T) {
	a, b := newTestSession(t, "alice"), newTestSession(t, "bobby")
	a.NeedDataChannel()
	setLocal(t, a, Description{})
	offer, _ := a.Local()
	setRemote(t, b, offer)
	setLocal(t, b, Description{})
	answer, _ := b.Local()
	answer.SDP = strings.NewReplacer("a=mid:0\r\n", "", "a=group:BUNDLE 0\r\n", "").Replace(answer.SDP)
	if c := setRemote(t, a, answer); c.Transport == nil || c.Transport.Mid != "0" {
		t.Fatalf("got %+v", c.Transport)
	}
	if _, err := a.AddRemoteCandidate(RemoteCandidate{Candidate: "candidate:1 1 udp 1 192.0.2.1 9 typ host", SDPMid: ptr("0")}); err != nil {
		t.Fatal(err)
	}
}

// RFC 8842, section 3.1 and RFC 8839, section 4.4: what a re-offer or its answer may not change about a live association. Nothing changes.
func TestAssociationGoesOn(t *testing.T) {
	fp := testFingerprint("bobby")
	for _, c := range []struct {
		name, old, new string
		kind           Kind // 0: allowed
		offer          bool // by an offer of bobby, else by an answer
	}{
		{"nothing", "a=mid", "a=mid", 0, true},
		{"nothing in the answer", "a=mid", "a=mid", 0, false},
		{"fingerprint", fp, testFingerprint("x"), Operation, true},
		{"fingerprint in the answer", fp, testFingerprint("x"), Operation, false},
		{"fingerprint added", "a=setup", "a=fingerprint:sha-256 " + testFingerprint("x") + "\r\na=setup", Operation, true},
		{"fingerprint twice", "a=setup", "a=fingerprint:sha-256 " + strings.ToLower(fp) + "\r\na=setup", 0, true},
		{"role in use", "setup:actpass", "setup:active", 0, true},
		{"other role", "setup:actpass", "setup:passive", Operation, true},
		{"other role in the answer", "setup:active", "setup:passive", 0, false}, // it keeps its role: checked below
		{"only ufrag", "ice-ufrag:bobby1", "ice-ufrag:other", InvalidAccess, true},
		{"only pwd", "Generation1", "Generation9", InvalidAccess, true},
		{"restart", "bobby", "other", 0, true},
		{"restart by the answer", "bobby", "other", InvalidAccess, false},
		{"mid", "a=mid:0", "a=mid:1", InvalidAccess, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := newTestSession(t, "alice"), newTestSession(t, "bobby")
			a.NeedDataChannel()
			negotiate(t, a, b)
			var d Description
			if c.offer {
				d = okay[Description](t)(b.CreateOffer(OfferOptions{}))
			} else {
				setLocal(t, a, Description{})
				offer, _ := a.Local()
				setRemote(t, b, offer)
				d = okay[Description](t)(b.CreateAnswer())
			}
			d.SDP = edit(t, d.SDP, c.old, c.new)
			if c.name == "mid" {
				d.SDP = edit(t, d.SDP, "BUNDLE 0", "BUNDLE 1")
			}
			if c.kind == 0 {
				got := setRemote(t, a, d)
				if got.Transport.DTLSRole != RoleServer {
					t.Fatalf("the role changed to %v", got.Transport.DTLSRole)
				}
				if want := c.name == "restart"; got.Transport.RemoteRestart != want {
					t.Fatalf("restart = %v, want %v", got.Transport.RemoteRestart, want)
				}
				return
			}
			unchanged(t, a, c.name, func() {
				_, err := a.SetRemote(d)
				wantKind(t, err, c.kind, c.name)
			})
		})
	}
}

// RFC 8842, section 3.1: another tls-id asks for a new association, for an endpoint that uses it.
func TestTLSID(t *testing.T) {
	offer := edit(t, fixture(t, "chromium-data"), "a=setup", "a=tls-id:aaaaaaaaaaaaaaaaaaaa\r\na=setup")
	s := newTestSession(t, "bobby")
	setRemote(t, s, Description{Offer, offer})
	setLocal(t, s, Description{})
	_, err := s.SetRemote(Description{Offer, edit(t, offer, "tls-id:a", "tls-id:b")})
	wantKind(t, err, Operation, "another tls-id")
	setRemote(t, s, Description{Offer, offer})
}

// The DTLS role of the answerer follows the offer, and the preference where the offer leaves the choice.
func TestDTLSRole(t *testing.T) {
	for _, c := range []struct {
		offered string
		prefer  DTLSRole
		want    DTLSRole
	}{
		{"actpass", RoleUnknown, RoleClient}, {"actpass", RoleClient, RoleClient}, {"actpass", RoleServer, RoleServer},
		{"active", RoleClient, RoleServer}, {"passive", RoleServer, RoleClient},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			s := newTestSession(t, "bobby", func(cfg *Config) { cfg.AnsweringRole = c.prefer })
			setRemote(t, s, Description{Offer, edit(t, fixture(t, "chromium-data"), "setup:actpass", "setup:"+c.offered)})
			if got := setLocal(t, s, Description{}).Transport.DTLSRole; got != c.want {
				t.Fatalf("got %v, want %v", got, c.want)
			}
			answer, _ := s.Local()
			want := map[DTLSRole]string{RoleClient: "a=setup:active\r\n", RoleServer: "a=setup:passive\r\n"}[c.want]
			if !strings.Contains(answer.SDP, want) {
				t.Fatalf("no %q in\n%s", want, answer.SDP)
			}
		})
	}
}

// The remote side refuses the data section: the channels end, nothing loops, and a new channel takes the free place under a new mid.
func TestDataRefusedAndRecycled(t *testing.T) {
	a, b := newTestSession(t, "alice"), newTestSession(t, "bobby")
	a.NeedDataChannel()
	setLocal(t, a, Description{})
	offer, _ := a.Local()
	setRemote(t, b, offer)
	answer := okay[Description](t)(b.CreateAnswer())
	answer.SDP = strings.Replace(edit(t, answer.SDP, "m=application 9", "m=application 0"), "a=group:BUNDLE 0\r\n", "", 1)
	c := setRemote(t, a, answer)
	if !c.DataRejected || c.Transport != nil || a.NegotiationNeeded() {
		t.Fatalf("got %+v, negotiation needed: %v", c, a.NegotiationNeeded())
	}
	a.NeedDataChannel()
	if !a.NegotiationNeeded() {
		t.Fatal("a new channel should need a negotiation")
	}
	again := okay[Description](t)(a.CreateOffer(OfferOptions{}))
	if strings.Count(again.SDP, "m=") != 1 || !strings.Contains(again.SDP, "a=mid:1\r\n") || !strings.Contains(again.SDP, "BUNDLE 1\r\n") {
		t.Fatalf("the place should be recycled with a new mid:\n%s", again.SDP)
	}
	if strings.Contains(again.SDP, "alice1") {
		t.Fatalf("a new transport should have new credentials:\n%s", again.SDP)
	}
}

// The remote side ends the data section in a re-offer, and offers another one in its place later.
func TestDataEndedByReoffer(t *testing.T) {
	good := fixture(t, "chromium-data")
	s := newTestSession(t, "bobby")
	setRemote(t, s, Description{Offer, good})
	setLocal(t, s, Description{})
	ended := strings.Replace(edit(t, good, "m=application 9", "m=application 0"), "a=group:BUNDLE 0\r\n", "", 1)
	if c := setRemote(t, s, Description{Offer, ended}); c.Transport == nil || !c.Transport.Answered || c.DataRejected {
		t.Fatalf("before the answer the transport goes on: %+v", c)
	}
	if c := setLocal(t, s, Description{}); c.Transport != nil || !c.DataRejected {
		t.Fatalf("with the answer it ends: %+v", c)
	}
	reborn := strings.NewReplacer("BUNDLE 0", "BUNDLE x", "mid:0", "mid:x", "pF4x", "pF5x", "9lX4", "9lX5", "A2\r\n", "A3\r\n").Replace(good)
	setRemote(t, s, Description{Offer, reborn})
	c := setLocal(t, s, Description{})
	if c.Transport == nil || c.Transport.Mid != "x" || c.Transport.LocalUfrag != "bobby2" {
		t.Fatalf("another transport in its place: %+v", c.Transport)
	}
}

// Sections of a remote offer keep their places in our re-offers, and a data section that we add comes after them or in a free place.
func TestReofferKeepsOrder(t *testing.T) {
	media := fixture(t, "chromium-audio-video-data")
	_, app, _ := strings.Cut(media, "m=application")
	audioVideo := edit(t, strings.TrimSuffix(media, "m=application"+app), "BUNDLE 0 1 2", "BUNDLE 0 1")
	s := newTestSession(t, "bobby")
	setRemote(t, s, Description{Offer, audioVideo})
	setLocal(t, s, Description{})
	s.NeedDataChannel()
	offer := okay[Description](t)(s.CreateOffer(OfferOptions{}))
	// RFC 9429, section 5.2.2: the zero-port section "MUST be recycled".
	kinds := []string{"m=application 9", "m=video 0"}
	at := 0
	for _, k := range kinds {
		i := strings.Index(offer.SDP[at:], k)
		if i < 0 {
			t.Fatalf("no %q in order in\n%s", k, offer.SDP)
		}
		at += i
	}
	if !strings.Contains(offer.SDP, "BUNDLE 2\r\n") {
		t.Fatalf("a recycled place has a new mid:\n%s", offer.SDP)
	}
}

// RFC 3264, section 8: sections don't vanish.
func TestReofferWithFewerSections(t *testing.T) {
	s := newTestSession(t, "bobby")
	setRemote(t, s, Description{Offer, fixture(t, "chromium-audio-video-data")})
	unchanged(t, s, "a shorter offer", func() {
		_, err := s.SetRemote(Description{Offer, fixture(t, "chromium-data")})
		wantKind(t, err, InvalidAccess, "fewer sections, in have-remote-offer")
	})
	setLocal(t, s, Description{})
	_, err := s.SetRemote(Description{Offer, fixture(t, "chromium-data")})
	wantKind(t, err, InvalidAccess, "fewer sections, in stable")
}
