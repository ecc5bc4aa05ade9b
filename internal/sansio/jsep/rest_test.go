package jsep

import (
	"strings"
	"testing"
)

// A session that rests keeps the texts of its descriptions only, and so does one that is closed, also when somebody reads them; a description of which
// something is known that its text does not say stays as it is.
func TestRest(t *testing.T) {
	a, b := newTestSession(t, "alice", withMedia), newTestSession(t, "bob", withMedia)
	a.NeedDataChannel()
	okay[TransceiverID](t)(a.AddTransceiver(TransceiverInit{Kind: Video, Direction: SendRecv}))
	negotiate(t, a, b)
	local, _ := a.Local()
	remote, _ := a.Remote()
	kept := func(s *Session) (n int) {
		for _, d := range s.applied() {
			if d != nil && d.parsed != nil {
				n++
			}
		}
		return n
	}
	if kept(a) != 2 {
		t.Errorf("%d descriptions are awake after they were read, want 2", kept(a))
	}
	same := func(when string) {
		l, _ := a.Local()
		r, _ := a.CurrentRemote()
		if l != local || r != remote {
			t.Errorf("%s the descriptions differ", when)
		}
	}
	a.Rest()
	if kept(a) != 0 {
		t.Errorf("%d descriptions are awake after Rest", kept(a))
	}
	same("after Rest")
	a.Close()
	same("after Close")
	if _, known := a.CanTrickle(); !known || kept(a) != 0 {
		t.Errorf("a closed session keeps %d descriptions awake", kept(a))
	}

	pending := newTestSession(t, "carol", withMedia)
	pending.NeedDataChannel()
	setLocal(t, pending, Description{})
	if pending.Rest(); kept(pending) != 1 {
		t.Error("an offer that is not answered was put to rest")
	}
	if pending.Close(); kept(pending) != 0 {
		t.Error("an offer stays awake in a closed session")
	}

	// Its mid is what we call the section, and not in the text.
	nameless := newTestSession(t, "dave")
	offerer := newTestSession(t, "erin")
	offerer.NeedDataChannel()
	offer := okay[Description](t)(offerer.CreateOffer(OfferOptions{}))
	offer.SDP = strings.NewReplacer("a=mid:0\r\n", "", "a=group:BUNDLE 0\r\n", "").Replace(offer.SDP)
	setRemote(t, nameless, offer)
	setLocal(t, nameless, Description{})
	if nameless.Rest(); kept(nameless) != 2 {
		t.Errorf("%d descriptions are awake, want both, of which the texts have no mid", kept(nameless))
	}
}
