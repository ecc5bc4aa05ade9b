package jsep

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

const hostCandidate = "candidate:1 1 udp 2130706431 192.0.2.1 50000 typ host"

// W3C addIceCandidate: the checks, in their order.
func TestAddRemoteCandidate(t *testing.T) {
	media := fixture(t, "chromium-audio-video-data")
	other := edit(t, media, "a=group:BUNDLE 0 1 2", "a=group:BUNDLE 0 1")
	for _, c := range []struct {
		name  string
		offer string
		in    RemoteCandidate
		kind  Kind
		want  Candidate
	}{
		{"no mid and no index", media, RemoteCandidate{Candidate: hostCandidate}, TypeError, Candidate{}},
		{"no mid and no index before a remote description", "", RemoteCandidate{Candidate: hostCandidate}, TypeError, Candidate{}},
		{"no remote description", "", RemoteCandidate{Candidate: hostCandidate, SDPMid: ptr("2")}, InvalidState, Candidate{}},
		{"unknown mid", media, RemoteCandidate{Candidate: hostCandidate, SDPMid: ptr("9"), SDPMLineIndex: ptr(uint16(2))}, Operation, Candidate{}},
		{"unknown index", media, RemoteCandidate{Candidate: hostCandidate, SDPMLineIndex: ptr(uint16(3))}, Operation, Candidate{}},
		{"the mid wins over the index", media, RemoteCandidate{Candidate: hostCandidate, SDPMid: ptr("2"), SDPMLineIndex: ptr(uint16(9))}, 0, Candidate{Line: hostCandidate, Ufrag: "tYq1"}},
		{"by index", media, RemoteCandidate{Candidate: hostCandidate, SDPMLineIndex: ptr(uint16(2))}, 0, Candidate{Line: hostCandidate, Ufrag: "tYq1"}},
		{"by index beside an empty mid", media, RemoteCandidate{Candidate: hostCandidate, SDPMid: ptr(""), SDPMLineIndex: ptr(uint16(2))}, 0, Candidate{Line: hostCandidate, Ufrag: "tYq1"}},
		{"empty mid", media, RemoteCandidate{Candidate: hostCandidate, SDPMid: ptr("")}, Operation, Candidate{}},
		{"with a=", media, RemoteCandidate{Candidate: "a=" + hostCandidate, SDPMid: ptr("2")}, 0, Candidate{Line: hostCandidate, Ufrag: "tYq1"}},
		{"of the bundle's first section, which we reject", media, RemoteCandidate{Candidate: hostCandidate, SDPMid: ptr("0")}, 0, Candidate{Line: hostCandidate, Ufrag: "tYq1"}},
		{"of a rejected section with its own transport", other, RemoteCandidate{Candidate: hostCandidate, SDPMid: ptr("0")}, 0, Candidate{Ignored: true}},
		{"its ufrag", media, RemoteCandidate{Candidate: hostCandidate, SDPMid: ptr("2"), UsernameFragment: ptr("tYq1")}, 0, Candidate{Line: hostCandidate, Ufrag: "tYq1"}},
		{"unknown ufrag", media, RemoteCandidate{Candidate: hostCandidate, SDPMid: ptr("2"), UsernameFragment: ptr("nope")}, Operation, Candidate{}},
		{"unknown ufrag within the line", media, RemoteCandidate{Candidate: hostCandidate + " ufrag nope", SDPMid: ptr("2")}, Operation, Candidate{}},
		{"unknown ufrag of a rejected section", other, RemoteCandidate{Candidate: hostCandidate, SDPMid: ptr("0"), UsernameFragment: ptr("nope")}, 0, Candidate{Ignored: true}},
		{"malformed", media, RemoteCandidate{Candidate: "(Invalid) candidate", SDPMid: ptr("2")}, Operation, Candidate{}},
		{"end", media, RemoteCandidate{SDPMid: ptr("2")}, 0, Candidate{Ufrag: "tYq1", End: true}},
		{"end of all", media, RemoteCandidate{}, 0, Candidate{Ufrag: "tYq1", End: true}},
		{"end of an unknown ufrag", media, RemoteCandidate{UsernameFragment: ptr("nope")}, Operation, Candidate{}},
		{"end without a remote description", "", RemoteCandidate{}, InvalidState, Candidate{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newTestSession(t, "bobby")
			if c.offer != "" {
				setRemote(t, s, Description{Offer, c.offer})
			}
			if c.kind != 0 || c.want.Ignored {
				unchanged(t, s, c.name, func() {
					got, err := s.AddRemoteCandidate(c.in)
					if c.want.Ignored && err == nil && got.Ignored {
						return
					}
					wantKind(t, err, c.kind, c.name)
				})
				return
			}
			if got := okay[Candidate](t)(s.AddRemoteCandidate(c.in)); got != c.want {
				t.Fatalf("got %+v, want %+v", got, c.want)
			}
			s.check()
			remote, _ := s.Remote()
			line := "a=" + hostCandidate + "\r\n"
			if c.want.End {
				line = "a=end-of-candidates\r\n"
			}
			if strings.Count(remote.SDP, line) != 1 {
				t.Fatalf("no %q in\n%s", line, remote.SDP)
			}
			if _, err := parse(remote.SDP, Offer); err != nil {
				t.Fatal(err)
			}
			// The answer's Change has it, and again is no harm.
			okay[Candidate](t)(s.AddRemoteCandidate(c.in))
			tr := setLocal(t, s, Description{}).Transport
			if tr.RemoteEndOfCandidates != c.want.End || len(tr.RemoteCandidates) != map[bool]int{false: 1, true: 0}[c.want.End] {
				t.Fatalf("got %+v", tr)
			}
		})
	}
}

func TestAddRemoteCandidateAfterClose(t *testing.T) {
	s := newTestSession(t, "bobby")
	setRemote(t, s, Description{Offer, fixture(t, "chromium-data")})
	s.Close()
	_, err := s.AddRemoteCandidate(RemoteCandidate{Candidate: hostCandidate, SDPMid: ptr("0")})
	wantKind(t, err, InvalidState, "closed")
}

// A candidate in a section in the middle is written into that section.
func TestCandidateIsInsertedInItsSection(t *testing.T) {
	s := newTestSession(t, "bobby")
	setRemote(t, s, Description{Offer, fixture(t, "chromium-audio-video-data")})
	okay[Candidate](t)(s.AddRemoteCandidate(RemoteCandidate{Candidate: hostCandidate, SDPMLineIndex: ptr(uint16(0))}))
	remote, _ := s.Remote()
	if at, video := strings.Index(remote.SDP, hostCandidate), strings.Index(remote.SDP, "m=video"); at < 0 || at > video {
		t.Fatalf("candidate at %d, m=video at %d", at, video)
	}
}

// The grammar that a line has to have to get into a description. CR and LF would add lines of the sender's choice to it.
func TestValidCandidate(t *testing.T) {
	for line, want := range map[string]bool{
		hostCandidate: true,
		"candidate:842163049 1 UDP 1677729535 2001:db8::1 3478 typ srflx raddr :: rport 0 generation 0 ufrag x network-cost 999": true,
		"candidate:1 1 tcp 1518280447 1f4712db-ea17-4bcf-a596-105139dfd8bf.local 9 typ host tcptype active":                      true,
		"":                          false,
		"candidate:":                false,
		"a=" + hostCandidate:        false,
		hostCandidate + " x":        false,
		hostCandidate + "\r\na=x":   false,
		hostCandidate + "\na=x y z": false,
		strings.Replace(hostCandidate, "50000", "65536", 1):                       false,
		strings.Replace(hostCandidate, "2130706431", "4294967296", 1):             false,
		strings.Replace(hostCandidate, " typ ", " type ", 1):                      false,
		strings.Replace(hostCandidate, ":1 ", ":"+strings.Repeat("f", 33)+" ", 1): false,
		hostCandidate + strings.Repeat(" a b", 300):                               false,
	} {
		if got := validCandidate(line); got != want {
			t.Errorf("%q: got %v", line, got)
		}
	}
}

// Memory for remote candidates has a bound, in descriptions and when added.
func TestRemoteCandidatesAreBounded(t *testing.T) {
	good := fixture(t, "chromium-data")
	var b strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&b, "a=candidate:%d 1 udp 1 192.0.2.1 9 typ host\r\n", i)
	}
	s := newTestSession(t, "bobby")
	if c := setRemote(t, s, Description{Offer, good + b.String()}); len(c.Transport.RemoteCandidates) != maxCandidates {
		t.Fatalf("%d candidates", len(c.Transport.RemoteCandidates))
	}
	s = newTestSession(t, "bobby")
	setRemote(t, s, Description{Offer, good})
	for i := range 1000 {
		_, err := s.AddRemoteCandidate(RemoteCandidate{Candidate: fmt.Sprintf("candidate:%d 1 udp 1 192.0.2.1 9 typ host", i), SDPMid: ptr("0")})
		if (err != nil) != (i >= maxCandidates) || err != nil && !errors.Is(err, Operation) {
			t.Fatalf("candidate %d: %v", i, err)
		}
	}
	s.check()
}

// Local candidates are in the descriptions with their credentials: those that exist and those created later.
func TestLocalCandidates(t *testing.T) {
	a, b := newTestSession(t, "alice"), newTestSession(t, "bobby")
	a.NeedDataChannel()
	bare := okay[Description](t)(a.CreateOffer(OfferOptions{}))
	setLocal(t, a, Description{})
	a.AddLocalCandidate("alice1", hostCandidate)
	a.AddLocalCandidate("alice1", hostCandidate)
	a.AddLocalCandidate("other", "candidate:9 1 udp 1 192.0.2.9 9 typ host")
	a.EndOfLocalCandidates("alice1")
	offer, _ := a.Local()
	if want := bare.SDP + "a=" + hostCandidate + "\r\na=end-of-candidates\r\n"; offer.SDP != want {
		t.Fatalf("got\n%s\nwant\n%s", offer.SDP, want)
	}
	// W3C compares with what was created; candidates that came since don't count.
	setLocal(t, a, offer)
	setLocal(t, a, bare)
	again := okay[Description](t)(a.CreateOffer(OfferOptions{}))
	if !strings.Contains(again.SDP, hostCandidate) || strings.Contains(again.SDP, "192.0.2.9") {
		t.Fatalf("a new offer should have the candidates of its credentials:\n%s", again.SDP)
	}
	// RFC 9429, section 5.2.2: the version counts up when the offer differs.
	if !strings.Contains(bare.SDP, " 1 IN IP4") || !strings.Contains(again.SDP, " 2 IN IP4") {
		t.Fatalf("versions:\n%s\n%s", bare.SDP, again.SDP)
	}
	c := setRemote(t, b, offer)
	if len(c.Transport.RemoteCandidates) != 1 || !c.Transport.RemoteEndOfCandidates {
		t.Fatalf("got %+v", c.Transport)
	}
	setLocal(t, b, Description{})
	answer, _ := b.Local()
	setRemote(t, a, answer)
	// After a restart the old ones are gone.
	a.RestartICE()
	negotiate(t, a, b)
	if d, _ := a.CurrentLocal(); strings.Contains(d.SDP, hostCandidate) || len(a.gathered) != 0 {
		t.Fatalf("candidates of the old generation are still there:\n%s", d.SDP)
	}
}

func TestCanTrickle(t *testing.T) {
	s := newTestSession(t, "bobby")
	if _, known := s.CanTrickle(); known {
		t.Fatal("not known before there is a remote description")
	}
	for text, want := range map[string]bool{
		fixture(t, "chromium-data"):            true,
		fixture(t, "firefox-audio-video-data"): true,
		fixture(t, "legacy-sctpmap"):           false,
		fixture(t, "ice-lite-server"):          false,
		"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=ice-options:trickle\r\n": true,
	} {
		s := newTestSession(t, "bobby")
		setRemote(t, s, Description{Offer, text})
		if value, known := s.CanTrickle(); value != want || !known {
			t.Errorf("got %v, %v for\n%s", value, known, text)
		}
	}
}
