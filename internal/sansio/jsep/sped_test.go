package jsep

import (
	"strings"
	"testing"
)

// withSPED is for newTestSession.
func withSPED(c *Config) { c.SPED = true }

// iceOptionsOf is the value of the only a=ice-options of a description.
func iceOptionsOf(t *testing.T, d Description) string {
	t.Helper()
	_, value, ok := strings.Cut(d.SDP, "\r\na=ice-options:")
	value, rest, _ := strings.Cut(value, "\r\n")
	if !ok || strings.Contains(rest, "a=ice-options") {
		t.Fatalf("not one a=ice-options in\n%s", d.SDP)
	}
	return value
}

// The draft's name and libwebrtc's are offered, and those are answered that were offered, as Chromium does; nothing else is ever echoed. What both have
// said is agreed on, wherever in the description they have said it, and then the answerer is the DTLS server unless it is told otherwise.
func TestSPEDIsOfferedAndAnswered(t *testing.T) {
	const session, section = "a=ice-options:trickle sped googspedv1\r\n", "a=mid:0\r\n"
	for _, c := range []struct {
		name       string
		from, to   []func(*Config)
		at, with   string // in the offer, with takes the place of at
		answer     string
		agreed     bool
		answerRole DTLSRole
	}{
		{"both", []func(*Config){withSPED}, []func(*Config){withSPED}, "", "", "trickle sped googspedv1", true, RoleServer},
		{"with media", []func(*Config){withSPED, withMedia}, []func(*Config){withSPED, withMedia}, "", "", "trickle sped googspedv1", true, RoleServer},
		{"offerer", []func(*Config){withSPED}, nil, "", "", "trickle", false, RoleClient},
		{"answerer", nil, []func(*Config){withSPED}, "", "", "trickle", false, RoleClient},
		{"the draft's name", []func(*Config){withSPED}, []func(*Config){withSPED}, " googspedv1", "", "trickle sped", true, RoleServer},
		{"libwebrtc's name", []func(*Config){withSPED}, []func(*Config){withSPED}, " sped ", " ", "trickle googspedv1", true, RoleServer},
		{"other names", []func(*Config){withSPED}, []func(*Config){withSPED}, "trickle sped googspedv1", "ice2 goog-sped-v1 spedx SPED renomination", "trickle", false, RoleClient},
		{"in the section", []func(*Config){withSPED}, []func(*Config){withSPED}, section, section + "a=ice-options:sped\r\n", "trickle sped googspedv1", true, RoleServer},
		{"in the section only", nil, []func(*Config){withSPED}, section, section + "a=ice-options:sped\r\n", "trickle sped", false, RoleServer},
		{"as client", []func(*Config){withSPED}, []func(*Config){withSPED, func(c *Config) { c.AnsweringRole = RoleClient }}, "", "", "trickle sped googspedv1", true, RoleClient},
		{"to who is active", []func(*Config){withSPED}, []func(*Config){withSPED}, "a=setup:actpass", "a=setup:passive", "trickle sped googspedv1", true, RoleClient},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := newTestSession(t, "alice", c.from...), newTestSession(t, "bobby", c.to...)
			if len(c.from) > 1 {
				addTrack(t, a, Audio, "mic", "s")
			}
			a.NeedDataChannel()
			if tr := setLocal(t, a, Description{}).Transport; tr.SPED {
				t.Error("agreed on before the answer")
			}
			offer, _ := a.Local()
			if want := map[bool]string{true: session, false: "a=ice-options:trickle\r\n"}[len(c.from) > 0]; !strings.Contains(offer.SDP, want) {
				t.Errorf("the offer has no %q:\n%s", want, offer.SDP)
			}
			if c.at != "" {
				offer.SDP = edit(t, offer.SDP, c.at, c.with)
			}
			if tr := setRemote(t, b, offer).Transport; tr.SPED {
				t.Error("agreed on by the offer")
			}
			atB := setLocal(t, b, Description{}).Transport
			answer, _ := b.Local()
			if got := iceOptionsOf(t, answer); got != c.answer {
				t.Errorf("answered by %q, want %q", got, c.answer)
			}
			if atB.DTLSRole != c.answerRole {
				t.Errorf("the answerer is %v, want %v", atB.DTLSRole, c.answerRole)
			}
			if strings.Contains(c.with, "passive") {
				return // the offerer has not said that
			}
			if atA := setRemote(t, a, answer).Transport; atA.SPED != c.agreed {
				t.Errorf("agreed at the offerer: %v, want %v", atA.SPED, c.agreed)
			}
			if len(c.from) > 0 && atB.SPED != c.agreed {
				t.Errorf("agreed at the answerer: %v, want %v", atB.SPED, c.agreed)
			}
		})
	}
}

// The roles of a connection stay what they are, and so does what was agreed on, whoever offers next.
func TestSPEDInLaterNegotiations(t *testing.T) {
	a, b := newTestSession(t, "alice", withSPED), newTestSession(t, "bobby", withSPED)
	a.NeedDataChannel()
	negotiate(t, a, b)
	for range 2 {
		atB, atA := negotiate(t, b, a)
		if !atA.Transport.SPED || !atB.Transport.SPED || atA.Transport.DTLSRole != RoleClient || atB.Transport.DTLSRole != RoleServer {
			t.Errorf("at A %+v, at B %+v", atA.Transport, atB.Transport)
		}
		b.RestartICE()
	}
	// A provisional answer says the same as the final one.
	a, b = newTestSession(t, "alice", withSPED), newTestSession(t, "bobby", withSPED)
	a.NeedDataChannel()
	setLocal(t, a, Description{})
	offer, _ := a.Local()
	setRemote(t, b, offer)
	for _, typ := range []Type{PrAnswer, Answer} {
		atB := setLocal(t, b, Description{Type: typ}).Transport
		answer, _ := b.Local()
		if atA := setRemote(t, a, answer).Transport; !atA.SPED || !atB.SPED {
			t.Errorf("%v: %v at A, %v at B", typ, atA.SPED, atB.SPED)
		}
	}
}
