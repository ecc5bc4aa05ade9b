package jsep

import (
	"errors"
	"strings"
	"testing"
)

// W3C setLocalDescription: what is applied is what was created last; RFC 9429, section 5.4: it "MUST NOT be changed".
func TestModifiedLocalDescriptions(t *testing.T) {
	a, b := newTestSession(t, "alice"), newTestSession(t, "bobby")
	a.NeedDataChannel()
	offer := okay[Description](t)(a.CreateOffer(OfferOptions{}))
	for name, text := range map[string]string{
		"credentials": edit(t, offer.SDP, "alice1", "eve1"),
		"fingerprint": edit(t, offer.SDP, "61:61", "62:62"),
		"version":     edit(t, offer.SDP, " 1 IN", " 2 IN"),
		"a line more": offer.SDP + "a=x\r\n",
		"a line less": edit(t, offer.SDP, "a=sctp-port:5000\r\n", ""),
	} {
		unchanged(t, a, name, func() {
			_, err := a.SetLocal(Description{Offer, text})
			wantKind(t, err, InvalidModification, name)
		})
	}
	_, err := a.SetLocal(Description{Answer, offer.SDP})
	wantKind(t, err, InvalidModification, "an offer as an answer")

	// Line ends are not content.
	setLocal(t, a, Description{Offer, strings.ReplaceAll(offer.SDP, "\r\n", "\n")})
	setRemote(t, b, offer)
	answer := okay[Description](t)(b.CreateAnswer())
	_, err = b.SetLocal(Description{Answer, edit(t, answer.SDP, "active", "passive")})
	wantKind(t, err, InvalidModification, "a changed answer")
	setLocal(t, b, answer)
}

// An offer of before the last negotiation, and one that another has replaced, are not what was created last.
func TestStaleOffers(t *testing.T) {
	a, b := newTestSession(t, "alice"), newTestSession(t, "bobby")
	a.NeedDataChannel()
	first := okay[Description](t)(a.CreateOffer(OfferOptions{}))
	a.AddLocalCandidate("alice1", hostCandidate)
	second := okay[Description](t)(a.CreateOffer(OfferOptions{}))
	_, err := a.SetLocal(first)
	wantKind(t, err, InvalidModification, "the offer before the last")
	setLocal(t, a, second)
	setRemote(t, b, second)
	setLocal(t, b, Description{})
	answer, _ := b.Local()
	setRemote(t, a, answer)
	_, err = a.SetLocal(second)
	wantKind(t, err, InvalidModification, "the offer of the last negotiation")
	_, err = b.SetLocal(answer)
	wantKind(t, err, InvalidModification, "the answer of the last negotiation")
}

// An answer to an offer that another has replaced is not applied.
func TestStaleAnswer(t *testing.T) {
	s := newTestSession(t, "bobby")
	good := fixture(t, "chromium-data")
	setRemote(t, s, Description{Offer, good})
	answer := okay[Description](t)(s.CreateAnswer())
	setRemote(t, s, Description{Offer, edit(t, good, "setup:actpass", "setup:active")})
	_, err := s.SetLocal(answer)
	wantKind(t, err, InvalidModification, "an answer to the offer before")
	setLocal(t, s, Description{})
}

// W3C: setLocalDescription without an argument takes the last offer if that still says everything, and creates one otherwise.
func TestImplicitOfferIsTheLastOneUnlessStale(t *testing.T) {
	a, b := newTestSession(t, "alice"), newTestSession(t, "bobby")
	a.NeedDataChannel()
	negotiate(t, a, b)
	restart := okay[Description](t)(a.CreateOffer(OfferOptions{ICERestart: true}))
	setLocal(t, a, Description{})
	if d, _ := a.Local(); d.SDP != restart.SDP {
		t.Fatalf("the created offer should be applied:\n%s", d.SDP)
	}
	setLocal(t, a, Description{Type: Rollback})

	s := newTestSession(t, "carol")
	okay[Description](t)(s.CreateOffer(OfferOptions{}))
	s.NeedDataChannel()
	if c := okay[Change](t)(s.SetLocal(Description{})); c.Transport == nil {
		t.Fatal("the data channel should be in the offer")
	}
}

// Creating has no effect that shows: twice gives the same, with the same version.
func TestCreatingTwiceGivesTheSame(t *testing.T) {
	a := newTestSession(t, "alice")
	a.NeedDataChannel()
	for _, o := range []OfferOptions{{}, {ICERestart: true}} {
		one := okay[Description](t)(a.CreateOffer(o))
		two := okay[Description](t)(a.CreateOffer(o))
		if one != two {
			t.Fatalf("%+v: got\n%s\nand\n%s", o, one.SDP, two.SDP)
		}
	}
	s := newTestSession(t, "bobby")
	setRemote(t, s, Description{Offer, fixture(t, "chromium-data")})
	if one, two := okay[Description](t)(s.CreateAnswer()), okay[Description](t)(s.CreateAnswer()); one != two {
		t.Fatalf("got\n%s\nand\n%s", one.SDP, two.SDP)
	}
}

// RFC 9429, section 5.2.2: the version of the o= line counts over rollbacks; the session id never changes.
func TestVersionAfterRollback(t *testing.T) {
	a := newTestSession(t, "alice")
	a.NeedDataChannel()
	versions := []string{}
	for range 3 {
		setLocal(t, a, Description{})
		d, _ := a.Local()
		o, _, _ := strings.Cut(d.SDP[strings.Index(d.SDP, "o="):], " IN ")
		versions = append(versions, o)
		setLocal(t, a, Description{Type: Rollback})
	}
	id := "o=- 7600034759893330877 "
	if want := id + "1," + id + "2," + id + "3"; strings.Join(versions, ",") != want {
		t.Fatalf("got %v", versions)
	}
}

// W3C restartIce: before there is anything to restart it asks for nothing; in have-local-offer the pending credentials are replaced too,
// so that it takes another negotiation.
func TestRestartICE(t *testing.T) {
	a, b := newTestSession(t, "alice"), newTestSession(t, "bobby")
	a.RestartICE()
	if a.NegotiationNeeded() {
		t.Fatal("nothing to restart")
	}
	a.NeedDataChannel()
	setLocal(t, a, Description{})
	a.RestartICE()
	offer, _ := a.Local()
	setRemote(t, b, offer)
	setLocal(t, b, Description{})
	answer, _ := b.Local()
	setRemote(t, a, answer)
	if !a.NegotiationNeeded() {
		t.Fatal("the restart should still be wanted")
	}
	c, _ := negotiate(t, a, b)
	if a.NegotiationNeeded() || c.Transport.LocalUfrag != "alice2" || c.Transport.RemoteUfrag != "bobby2" {
		t.Fatalf("got %+v", c.Transport)
	}
	// A restart that the other side's offer brings is not ours: our credentials are renewed in the answer.
	a.RestartICE()
	b.RestartICE()
	negotiate(t, b, a)
	if a.NegotiationNeeded() {
		t.Fatal("the answer has new credentials: no more is needed")
	}
	a.Close()
	a.RestartICE()
	if a.NegotiationNeeded() {
		t.Fatal("closed")
	}
}

// The next offer in have-local-offer has what has come up since; an ICE restart may come on top.
func TestSecondOfferBeforeTheAnswer(t *testing.T) {
	a := newTestSession(t, "alice")
	setLocal(t, a, Description{})
	a.NeedDataChannel()
	if c := setLocal(t, a, Description{}); c.Transport == nil || c.StateChanged {
		t.Fatalf("got %+v", c)
	}
	d := okay[Description](t)(a.CreateOffer(OfferOptions{ICERestart: true}))
	if c := setLocal(t, a, d); !c.Transport.LocalRestart || c.Transport.LocalUfrag != "alice2" || c.Transport.Mid != "0" {
		t.Fatalf("got %+v", c.Transport)
	}
}

func TestNewRefusesBadConfigs(t *testing.T) {
	ok := newTestSession(t, "alice").cfg
	for name, change := range map[string]func(*Config){
		"no Rand":           func(c *Config) { c.Rand = nil },
		"no NewCredentials": func(c *Config) { c.NewCredentials = nil },
		"no fingerprint":    func(c *Config) { c.Fingerprints = nil },
		"not sha-256": func(c *Config) {
			c.Fingerprints = []Fingerprint{{"sha-384", strings.TrimSuffix(strings.Repeat("AA:", 48), ":")}}
		},
		"bad fingerprint": func(c *Config) { c.Fingerprints = []Fingerprint{{"sha-256", "AA:BB"}} },
		"dry Rand":        func(c *Config) { c.Rand = strings.NewReader("short") },
	} {
		cfg := ok
		change(&cfg)
		var e *Error
		if _, err := New(cfg); !errors.As(err, &e) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// Credentials that cannot be had, or that SDP cannot carry, are an error of the operation and leave everything as it was.
func TestNewCredentialsFails(t *testing.T) {
	for _, c := range []struct {
		ufrag, pwd string
		err        error
	}{
		{err: errors.New("no entropy")}, {ufrag: "abc", pwd: "0123456789012345678901"}, {ufrag: "abcd", pwd: "short"},
		{ufrag: "ab\r\nc", pwd: "0123456789012345678901"},
	} {
		s := newTestSession(t, "alice", func(cfg *Config) {
			cfg.NewCredentials = func() (string, string, error) { return c.ufrag, c.pwd, c.err }
		})
		s.NeedDataChannel()
		unchanged(t, s, "failing credentials", func() {
			_, err := s.CreateOffer(OfferOptions{})
			wantKind(t, err, Operation, "CreateOffer")
			_, err = s.SetLocal(Description{})
			wantKind(t, err, Operation, "SetLocal")
		})
		setRemote(t, s, Description{Offer, fixture(t, "chromium-data")})
		unchanged(t, s, "failing credentials", func() {
			_, err := s.SetLocal(Description{})
			wantKind(t, err, Operation, "SetLocal of an answer")
		})
	}
}

func TestConfigShowsInDescriptions(t *testing.T) {
	s := newTestSession(t, "alice", func(c *Config) {
		c.MaxMessageSize, c.SCTPPort = -1, 6001
		c.Fingerprints = append(c.Fingerprints, Fingerprint{"sha-512", strings.TrimSuffix(strings.Repeat("ab:", 64), ":")})
	})
	s.NeedDataChannel()
	d := okay[Description](t)(s.CreateOffer(OfferOptions{}))
	for _, want := range []string{"a=max-message-size:0\r\n", "a=sctp-port:6001\r\n", "a=fingerprint:sha-512 AB:AB"} {
		if !strings.Contains(d.SDP, want) {
			t.Errorf("no %q in\n%s", want, d.SDP)
		}
	}
}

func TestErrorsAndNames(t *testing.T) {
	err := error(&Error{Kind: Syntax, Detail: "x", Line: 3})
	if err.Error() != "jsep: sdp-syntax-error: line 3: x" || !errors.Is(err, Syntax) || errors.Is(err, Operation) {
		t.Error(err)
	}
	names := []string{Type(0).String(), Closed.String(), RoleUnknown.String(), RoleServer.String()}
	for _, k := range []Kind{InvalidState, InvalidAccess, InvalidModification, Operation, TypeError} {
		names = append(names, k.Error())
	}
	const want = "none closed unknown server InvalidStateError InvalidAccessError InvalidModificationError OperationError TypeError"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("got %s", got)
	}
}

// Closed, the session refuses everything but keeps what it has to show.
func TestClose(t *testing.T) {
	a, b := newTestSession(t, "alice"), newTestSession(t, "bobby")
	a.NeedDataChannel()
	negotiate(t, a, b)
	a.Close()
	a.check()
	if _, ok := a.Local(); !ok || a.SignalingState() != Closed || a.NegotiationNeeded() {
		t.Fatal("closed")
	}
}
