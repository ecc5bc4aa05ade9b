package jsep

import (
	"fmt"
	"testing"
)

// inState returns a session in the state, after one complete negotiation if again, and its peer.
func inState(t *testing.T, state SignalingState, again bool) (s, peer *Session) {
	s, peer = newTestSession(t, "alice"), newTestSession(t, "bobby")
	s.NeedDataChannel()
	peer.NeedDataChannel()
	if again {
		negotiate(t, s, peer)
	}
	switch state {
	case HaveLocalOffer, HaveRemotePrAnswer:
		setLocal(t, s, Description{})
	case HaveRemoteOffer, HaveLocalPrAnswer:
		setLocal(t, peer, Description{})
		offer, _ := peer.Local()
		setRemote(t, s, offer)
	}
	switch state {
	case HaveLocalPrAnswer:
		setLocal(t, s, Description{Type: PrAnswer})
	case HaveRemotePrAnswer:
		offer, _ := s.Local()
		setRemote(t, peer, offer)
		setLocal(t, peer, Description{Type: PrAnswer})
		answer, _ := peer.Local()
		setRemote(t, s, answer)
	case Closed:
		s.Close()
	}
	if s.SignalingState() != state {
		t.Fatalf("prepared %v, want %v", s.SignalingState(), state)
	}
	return s, peer
}

// Each state × each operation has the outcome that webrtc-pc and RFC 9429 give it, with and without a negotiation before; a rollback that
// the other side would have to make is refused, as in web-platform-tests.
func TestSignalingTable(t *testing.T) {
	states := []SignalingState{Stable, HaveLocalOffer, HaveRemoteOffer, HaveLocalPrAnswer, HaveRemotePrAnswer, Closed}
	const (
		no  = 100 + SignalingState(InvalidState)
		mod = 100 + SignalingState(InvalidModification)
	)
	type op struct {
		name string
		run  func(s *Session, text map[Type]string) (Change, error)
		want [6]SignalingState // the state afterwards, or 100 plus the error's kind
	}
	local := func(typ Type, sdp string) func(*Session, map[Type]string) (Change, error) {
		return func(s *Session, _ map[Type]string) (Change, error) { return s.SetLocal(Description{typ, sdp}) }
	}
	remote := func(typ Type) func(*Session, map[Type]string) (Change, error) {
		return func(s *Session, text map[Type]string) (Change, error) {
			return s.SetRemote(Description{typ, text[typ]})
		}
	}
	const lo, ro, lp, rp = HaveLocalOffer, HaveRemoteOffer, HaveLocalPrAnswer, HaveRemotePrAnswer
	for _, op := range []op{
		{"createOffer", func(s *Session, _ map[Type]string) (Change, error) {
			_, err := s.CreateOffer(OfferOptions{})
			return Change{}, err
		}, [6]SignalingState{Stable, lo, no, no, no, no}},
		{"createAnswer", func(s *Session, _ map[Type]string) (Change, error) {
			_, err := s.CreateAnswer()
			return Change{}, err
		}, [6]SignalingState{no, no, ro, lp, no, no}},
		{"setLocal()", local(0, ""), [6]SignalingState{lo, lo, Stable, Stable, no, no}},
		{"setLocal(offer)", local(Offer, ""), [6]SignalingState{lo, lo, no, no, no, no}},
		{"setLocal(pranswer)", local(PrAnswer, ""), [6]SignalingState{no, no, lp, lp, no, no}},
		{"setLocal(answer)", local(Answer, ""), [6]SignalingState{no, no, Stable, Stable, no, no}},
		{"setLocal(rollback)", local(Rollback, "!<Invalid SDP Content>;"), [6]SignalingState{no, Stable, no, no, no, no}},
		{"setLocal(offer, other SDP)", local(Offer, "v=0"), [6]SignalingState{mod, mod, mod, mod, mod, no}},
		{"setLocal(answer, other SDP)", local(Answer, "v=0"), [6]SignalingState{mod, mod, mod, mod, mod, no}},
		{"setRemote(offer)", remote(Offer), [6]SignalingState{ro, ro, ro, no, no, no}},
		{"setRemote(pranswer)", remote(PrAnswer), [6]SignalingState{no, rp, no, no, rp, no}},
		{"setRemote(answer)", remote(Answer), [6]SignalingState{no, Stable, no, no, Stable, no}},
		{"setRemote(rollback)", remote(Rollback), [6]SignalingState{no, no, Stable, no, no, no}},
	} {
		for i, state := range states {
			for _, again := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%v/again=%v", op.name, state, again), func(t *testing.T) {
					s, peer := inState(t, state, again)
					text := map[Type]string{Rollback: "nonsense"}
					// What the peer would send: its pending descriptions, or new ones.
					if offer, err := peer.CreateOffer(OfferOptions{}); err == nil {
						text[Offer] = offer.SDP
					}
					if d, ok := s.PendingLocal(); ok && d.Type == Offer {
						if peer.SignalingState() == Stable {
							setRemote(t, peer, d)
						}
						answer := okay[Description](t)(peer.CreateAnswer())
						text[Answer], text[PrAnswer] = answer.SDP, answer.SDP
					}
					if op.want[i] >= 100 {
						unchanged(t, s, op.name, func() {
							_, err := op.run(s, text)
							wantKind(t, err, Kind(op.want[i]-100), op.name)
						})
						return
					}
					c := okay[Change](t)(op.run(s, text))
					s.check()
					if s.SignalingState() != op.want[i] {
						t.Fatalf("%s in %v leads to %v, want %v", op.name, state, s.SignalingState(), op.want[i])
					}
					if c.Type != 0 && (c.From != state || c.StateChanged != (state != op.want[i]) || c.StateChanged && c.To[len(c.To)-1] != op.want[i]) {
						t.Fatalf("%s in %v tells of %v -> %v", op.name, state, c.From, c.To)
					}
				})
			}
		}
	}
}

// W3C setRemoteDescription: an offer in have-local-offer rolls the local one back; both state changes are told, in order.
func TestImplicitRollbackPassesThroughStable(t *testing.T) {
	s, peer := inState(t, HaveLocalOffer, false)
	offer := okay[Description](t)(peer.CreateOffer(OfferOptions{}))
	c := setRemote(t, s, offer)
	if len(c.To) != 2 || c.To[0] != Stable || c.To[1] != HaveRemoteOffer || !c.RolledBack {
		t.Fatalf("got %+v", c)
	}
}

// A remote offer that cannot be applied must not cost the local one: the check comes before the rollback.
func TestBadOfferDoesNotRollBack(t *testing.T) {
	s, _ := inState(t, HaveLocalOffer, true)
	unchanged(t, s, "a bad offer", func() {
		_, err := s.SetRemote(Description{Offer, "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"})
		wantKind(t, err, InvalidAccess, "an offer without the section that lives")
	})
}

func TestUnknownTypes(t *testing.T) {
	s := newTestSession(t, "alice")
	_, err := s.SetRemote(Description{SDP: "v=0"})
	wantKind(t, err, TypeError, "remote description without a type")
	_, err = s.SetRemote(Description{Type: Rollback + 1})
	wantKind(t, err, TypeError, "remote description of an unknown type")
	_, err = s.SetLocal(Description{Type: Rollback + 1})
	wantKind(t, err, TypeError, "local description of an unknown type")
}

// Offers before anything is to be negotiated have no m= sections, and can be answered.
func TestNothingToNegotiate(t *testing.T) {
	a, b := newTestSession(t, "alice"), newTestSession(t, "bobby")
	ca, cb := negotiate(t, a, b)
	if ca.Transport != nil || cb.Transport != nil || ca.DataRejected || cb.DataRejected {
		t.Fatalf("got %+v, %+v", ca, cb)
	}
	b.NeedDataChannel()
	if !b.NegotiationNeeded() {
		t.Fatal("a data channel needs a negotiation")
	}
	cb, ca = negotiate(t, b, a)
	if ca.Transport == nil || !cb.Transport.ICEControlling || ca.Transport.ICEControlling {
		t.Fatal("who first offers the transport controls")
	}
}
