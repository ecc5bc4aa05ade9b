package jsep

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"testing"
)

// withInit is for newTestSession: INIT chunks are eight bytes of the session's own that begin with 1.
func withInit(c *Config) {
	rand, made := c.Rand, false
	c.NewSCTPInit = func() ([]byte, error) {
		if made {
			return nil, errors.New("asked twice")
		}
		made = true
		b := make([]byte, 8)
		_, err := io.ReadFull(rand, b)
		b[0] = 1
		return b, err
	}
	c.CheckSCTPInit = func(b []byte) error {
		if len(b) == 0 || b[0] != 1 {
			return errors.New("no INIT")
		}
		return nil
	}
}

// initLines are the values of a=sctp-init in a description.
func initLines(text string) (values []string) {
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, "a=sctp-init:"); ok {
			values = append(values, strings.TrimSpace(v))
		}
	}
	return values
}

// wantInits fails unless both sides know the INIT chunks of both.
func wantInits(t *testing.T, a, b *Transport) {
	t.Helper()
	if len(a.LocalSCTPInit) == 0 || len(b.LocalSCTPInit) == 0 || !bytes.Equal(a.LocalSCTPInit, b.RemoteSCTPInit) || !bytes.Equal(b.LocalSCTPInit, a.RemoteSCTPInit) {
		t.Fatalf("INIT chunks %x and %x, and at the other side %x and %x", a.LocalSCTPInit, a.RemoteSCTPInit, b.LocalSCTPInit, b.RemoteSCTPInit)
	}
}

func wantNoInits(t *testing.T, transports ...*Transport) {
	t.Helper()
	for _, tr := range transports {
		if tr.LocalSCTPInit != nil || tr.RemoteSCTPInit != nil {
			t.Fatalf("INIT chunks %x and %x", tr.LocalSCTPInit, tr.RemoteSCTPInit)
		}
	}
}

// draft-hancke-tsvwg-snap: the attribute is offered with a data channel, answered when it was offered, and known to both sides then.
func TestInitIsOfferedAndAnswered(t *testing.T) {
	for _, c := range []struct {
		name         string
		from, to     []func(*Config)
		offer, reply int // lines
	}{
		{"both", []func(*Config){withInit}, []func(*Config){withInit}, 1, 1},
		{"offerer", []func(*Config){withInit}, nil, 1, 0},
		{"answerer", nil, []func(*Config){withInit}, 0, 0},
		{"with media", []func(*Config){withInit, withMedia}, []func(*Config){withInit, withMedia}, 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := newTestSession(t, "alice", c.from...), newTestSession(t, "bobby", c.to...)
			if len(c.from) > 1 {
				addTrack(t, a, Audio, "mic", "s")
			}
			a.NeedDataChannel()
			atA, atB := negotiate(t, a, b)
			offer, _ := a.CurrentLocal()
			answer, _ := b.CurrentLocal()
			if len(initLines(offer.SDP)) != c.offer || len(initLines(answer.SDP)) != c.reply {
				t.Errorf("offer %q, answer %q", initLines(offer.SDP), initLines(answer.SDP))
			}
			if c.reply > 0 {
				wantInits(t, atA.Transport, atB.Transport)
				if got := okay[[]byte](t)(base64.StdEncoding.DecodeString(initLines(offer.SDP)[0])); !bytes.Equal(got, atA.Transport.LocalSCTPInit) {
					t.Errorf("%x is offered, %x is told", got, atA.Transport.LocalSCTPInit)
				}
			} else {
				wantNoInits(t, atA.Transport, atB.Transport)
			}
		})
	}
}

// An offer without it is answered without it, also by who has offered one before and was overruled.
func TestInitIsNotAnsweredToNone(t *testing.T) {
	a, b := newTestSession(t, "alice"), newTestSession(t, "bobby", withInit)
	b.NeedDataChannel()
	setLocal(t, b, Description{})
	a.NeedDataChannel()
	atA, atB := negotiate(t, a, b)
	wantNoInits(t, atA.Transport, atB.Transport)
	if answer, _ := b.CurrentLocal(); len(initLines(answer.SDP)) > 0 {
		t.Errorf("answered: %q", initLines(answer.SDP))
	}
}

// There is none without a data section, and one when it comes.
func TestInitComesWithTheDataSection(t *testing.T) {
	a, b := newTestSession(t, "alice", withInit, withMedia), newTestSession(t, "bobby", withInit, withMedia)
	addTrack(t, a, Audio, "mic", "s")
	atA, atB := negotiate(t, a, b)
	wantNoInits(t, atA.Transport, atB.Transport)
	if offer, _ := a.CurrentLocal(); len(initLines(offer.SDP)) > 0 {
		t.Errorf("offered without data: %q", initLines(offer.SDP))
	}
	b.NeedDataChannel()
	atB, atA = negotiate(t, b, a)
	wantInits(t, atA.Transport, atB.Transport)
}

// An offer that goes on with an association repeats what it was made of, whoever makes it and whatever else changes; also before it is answered,
// after a rollback, and in a provisional answer.
func TestInitStaysTheSame(t *testing.T) {
	a, b := newTestSession(t, "alice", withInit, withMedia), newTestSession(t, "bobby", withInit, withMedia)
	a.NeedDataChannel()
	setLocal(t, a, Description{})
	first, _ := a.Local()
	setLocal(t, a, Description{Type: Rollback})
	setLocal(t, a, Description{})
	offer, _ := a.Local()
	setRemote(t, b, offer)
	provisional := setLocal(t, b, Description{Type: PrAnswer})
	answer, _ := b.Local()
	setRemote(t, a, answer)
	final := setLocal(t, b, Description{Type: Answer})
	answer, _ = b.Local()
	atA := setRemote(t, a, answer)
	wantInits(t, atA.Transport, provisional.Transport)
	wantInits(t, atA.Transport, final.Transport)
	if f, o := initLines(first.SDP), initLines(offer.SDP); len(f) != 1 || len(o) != 1 || f[0] != o[0] {
		t.Errorf("%q before the rollback, %q after", f, o)
	}
	for range 2 {
		a.RestartICE()
		addTrack(t, a, Video, "camera", "s")
		nowA, nowB := negotiate(t, a, b)
		wantInits(t, nowA.Transport, nowB.Transport)
		wantInits(t, nowA.Transport, final.Transport)
		a, b = b, a
		final.Transport = nowA.Transport
	}
}

// An association that was made by the handshake stays one, and is not offered as something else.
func TestInitIsNotOfferedLater(t *testing.T) {
	a, b := newTestSession(t, "alice"), newTestSession(t, "bobby", withInit)
	a.NeedDataChannel()
	negotiate(t, a, b)
	atB, atA := negotiate(t, b, a)
	wantNoInits(t, atA.Transport, atB.Transport)
	if offer, _ := b.CurrentLocal(); len(initLines(offer.SDP)) > 0 {
		t.Errorf("offered: %q", initLines(offer.SDP))
	}
}

// What is no base64 is no SDP, also for who has no use for it; what is no INIT, or another one than that of the association, is refused. Nothing
// changes then.
func TestUnusableInit(t *testing.T) {
	with := func(text, value string) string {
		return edit(t, text, "a=sctp-port:5000\r\n", "a=sctp-port:5000\r\na=sctp-init:"+value+"\r\n")
	}
	theirs := newTestSession(t, "carol")
	theirs.NeedDataChannel()
	offer := okay[Description](t)(theirs.CreateOffer(OfferOptions{})).SDP
	refused := func(t *testing.T, s *Session, d Description, kind Kind) {
		t.Helper()
		unchanged(t, s, "an unusable INIT", func() {
			_, err := s.SetRemote(d)
			wantKind(t, err, kind, d.SDP)
		})
	}
	for value, kind := range map[string]Kind{"": Syntax, "AQ=": Syntax, "A!==": Syntax, "AgID": InvalidAccess} {
		refused(t, newTestSession(t, "bobby", withInit), Description{Offer, with(offer, value)}, kind)
		if without := newTestSession(t, "bobby"); kind == Syntax {
			refused(t, without, Description{Offer, with(offer, value)}, kind)
		} else {
			setRemote(t, without, Description{Offer, with(offer, value)})
		}

		a := newTestSession(t, "alice", withInit)
		a.NeedDataChannel()
		setLocal(t, a, Description{})
		b := newTestSession(t, "bobby")
		mine, _ := a.Local()
		setRemote(t, b, mine)
		setLocal(t, b, Description{})
		answer, _ := b.Local()
		refused(t, a, Description{Answer, with(answer.SDP, value)}, kind)
		refused(t, a, Description{PrAnswer, with(answer.SDP, value)}, kind)
		setRemote(t, a, answer)
	}

	a, b := newTestSession(t, "alice", withInit), newTestSession(t, "bobby", withInit)
	a.NeedDataChannel()
	negotiate(t, a, b)
	setLocal(t, a, Description{Type: Offer})
	again, _ := a.Local()
	other := edit(t, again.SDP, initLines(again.SDP)[0], "AQEBAQ==")
	refused(t, b, Description{Offer, other}, InvalidAccess)
	setRemote(t, b, again)
	setLocal(t, b, Description{})
	answer, _ := b.Local()
	refused(t, a, Description{Answer, edit(t, answer.SDP, initLines(answer.SDP)[0], "AQEBAQ==")}, InvalidAccess)
	setRemote(t, a, answer)
}

// An answerer that copies what it does not know, as libdatachannel did, has no INIT of its own.
func TestInitThatComesBack(t *testing.T) {
	a, b := newTestSession(t, "alice", withInit), newTestSession(t, "bobby")
	a.NeedDataChannel()
	setLocal(t, a, Description{})
	offer, _ := a.Local()
	setRemote(t, b, offer)
	setLocal(t, b, Description{})
	answer, _ := b.Local()
	copied := edit(t, answer.SDP, "a=sctp-port:5000\r\n", "a=sctp-port:5000\r\na=sctp-init:"+initLines(offer.SDP)[0]+"\r\n")
	wantNoInits(t, setRemote(t, a, Description{Answer, copied}).Transport)
	setLocal(t, b, Description{Type: Offer})
	offer, _ = b.Local()
	copied = edit(t, offer.SDP, "a=sctp-port:5000\r\n", "a=sctp-port:5000\r\na=sctp-init:"+a.sctpInit+"\r\n")
	setRemote(t, a, Description{Offer, copied})
	wantNoInits(t, setLocal(t, a, Description{}).Transport)
	if answer, _ := a.Local(); len(initLines(answer.SDP)) > 0 {
		t.Errorf("answered by %q", initLines(answer.SDP))
	}
}

// Without randomness there is no offer, and the session is as it was.
func TestInitThatCannotBeMade(t *testing.T) {
	fail := func(c *Config) {
		c.NewSCTPInit = func() ([]byte, error) { return nil, errors.New("no randomness") }
	}
	a := newTestSession(t, "alice", fail)
	a.NeedDataChannel()
	unchanged(t, a, "an offer that cannot be made", func() {
		_, err := a.SetLocal(Description{})
		wantKind(t, err, Operation, "no INIT")
	})
}
