package jsep

import (
	"testing"
)

// W3C "check if negotiation is needed", a case for each step. Each begins after a negotiation of audio both ways, which alice offered; steps that
// differ by who offered have both.
func TestNegotiationNeeded(t *testing.T) {
	type sides struct {
		s, peer *Session
		id      TransceiverID // of s
	}
	for _, tc := range []struct {
		name string
		do   func(t *testing.T, x sides) error
		want bool
	}{
		{"nothing", func(*testing.T, sides) error { return nil }, false},
		{"a restart", func(_ *testing.T, x sides) error { x.s.RestartICE(); return nil }, true},
		{"a data channel", func(_ *testing.T, x sides) error { x.s.NeedDataChannel(); return nil }, true},
		{"stop", func(_ *testing.T, x sides) error { return x.s.Stop(x.id) }, true},
		{"another transceiver", func(t *testing.T, x sides) error {
			addTransceiver(t, x.s, TransceiverInit{Kind: Video, Direction: Inactive})
			return nil
		}, true},
		{"other streams", func(_ *testing.T, x sides) error { return x.s.SetStreams(x.id, []string{"another"}) }, true},
		{"a stream more", func(_ *testing.T, x sides) error { return x.s.SetStreams(x.id, []string{"stream", "another"}) }, true},
		{"no stream", func(_ *testing.T, x sides) error { return x.s.SetStreams(x.id, nil) }, true},
		{"the same streams", func(_ *testing.T, x sides) error { return x.s.SetStreams(x.id, []string{"stream", "stream"}) }, false},
		{"a direction", func(_ *testing.T, x sides) error { return x.s.SetDirection(x.id, RecvOnly) }, true},
		{"a direction there and back", func(_ *testing.T, x sides) error {
			if err := x.s.SetDirection(x.id, RecvOnly); err != nil {
				return err
			}
			return x.s.SetDirection(x.id, SendRecv)
		}, false},
		{"removeTrack", func(_ *testing.T, x sides) error { return x.s.RemoveTrack(x.id) }, true},
		{"replaceTrack", func(_ *testing.T, x sides) error { return x.s.SetTrack(x.id, "another", true) }, false},
		{"replaceTrack with null", func(_ *testing.T, x sides) error { return x.s.SetTrack(x.id, "", false) }, false},
		{"preferences", func(_ *testing.T, x sides) error {
			return x.s.SetCodecPreferences(x.id, testCodecs[Audio][1:])
		}, false},
		{"an encoding that is not active", func(_ *testing.T, x sides) error {
			return x.s.SetEncodings(x.id, []Encoding{{Inactive: true}})
		}, false},
		{"a data channel that the peer rejects", func(t *testing.T, x sides) error {
			x.s.NeedDataChannel()
			setLocal(t, x.s, Description{})
			offer, _ := x.s.Local()
			setRemote(t, x.peer, offer)
			setLocal(t, x.peer, Description{})
			answer, _ := x.peer.Local()
			answer.SDP = edit(t, edit(t, answer.SDP, "m=application 9", "m=application 0"), "BUNDLE 0 1", "BUNDLE 0")
			c := setRemote(t, x.s, answer)
			if !c.DataRejected || c.Transport == nil || c.Transport.HasData || len(c.Media) != 1 {
				t.Errorf("got %+v", c)
			}
			return nil
		}, false},
	} {
		for _, offered := range []bool{true, false} {
			t.Run(tc.name+map[bool]string{true: ", offerer", false: ", answerer"}[offered], func(t *testing.T) {
				a, b := pair(t)
				x := sides{s: a, peer: b, id: addTrack(t, a, Audio, "mic", "stream")}
				other := addTrack(t, b, Audio, "mic", "stream")
				negotiate(t, a, b)
				if !offered {
					x = sides{s: b, peer: a, id: other}
				}
				if x.s.NegotiationNeeded() {
					t.Fatal("nothing should remain")
				}
				okay[any](t)(nil, tc.do(t, x))
				x.s.check()
				if got := x.s.NegotiationNeeded(); got != tc.want {
					t.Fatalf("negotiation needed: %v, want %v", got, tc.want)
				}
				if !tc.want {
					return
				}
				setLocal(t, x.s, Description{})
				if x.s.NegotiationNeeded() {
					t.Error("the question should wait for stable")
				}
				setLocal(t, x.s, Description{Type: Rollback})
				if !x.s.NegotiationNeeded() {
					t.Error("a rollback should leave it needed")
				}
				negotiate(t, x.s, x.peer)
				if x.s.NegotiationNeeded() {
					t.Error("nothing should remain")
				}
			})
		}
	}
}

// Step 5.3.2 for an offerer: a direction that matches the local description or the reversed remote one is enough. Step 5.3.3 for an answerer: what the
// offer allowed of the direction is.
func TestNegotiationNeededByDirection(t *testing.T) {
	all := []Direction{Inactive, SendOnly, RecvOnly, SendRecv}
	for _, mine := range all {
		for _, theirs := range all {
			for _, next := range all {
				a, b := pair(t)
				x := addTransceiver(t, a, TransceiverInit{Kind: Audio, Direction: mine, Streams: []string{"s"}})
				y := addTrack(t, b, Audio, "mic", "s")
				okay[any](t)(nil, b.SetDirection(y, theirs))
				negotiate(t, a, b)
				if !mine.Receives() {
					y = b.Transceivers()[len(b.Transceivers())-1] // RFC 9429, section 5.10: a section that does not receive has no use for the track
					theirs = RecvOnly
				}
				answer := theirs & mine.Reversed()
				okay[any](t)(nil, a.SetDirection(x, next))
				// Step 5.3.1 asks for streams that are not told yet.
				if want := next != mine && next != answer.Reversed() || next.Sends() && !mine.Sends(); a.NegotiationNeeded() != want {
					t.Errorf("offered %v, answered %v, then %v: needed %v", mine, answer, next, !want)
				}
				before := b.NegotiationNeeded()
				okay[any](t)(nil, b.SetDirection(y, next))
				told := theirs.Sends() // when the answer was made
				want := answer != next&mine.Reversed() || next.Sends() && !told
				if mine.Receives() && b.NegotiationNeeded() != want {
					t.Errorf("offered %v, answered %v, then %v at the answerer: needed %v (before %v)", mine, answer, next, !want, before)
				}
			}
		}
	}
}

// A transceiver that nobody was told of needs a negotiation to end, as W3C has it, which then has nothing to say about it.
func TestStopBeforeNegotiation(t *testing.T) {
	a, b := pair(t)
	id := addTrack(t, a, Video, "cam")
	okay[any](t)(nil, a.Stop(id))
	if !a.NegotiationNeeded() {
		t.Fatal("W3C: a transceiver that is stopping needs a negotiation")
	}
	c, _ := negotiate(t, a, b)
	if len(c.Stopped) != 1 || len(a.Transceivers()) != 0 || a.NegotiationNeeded() || len(b.Transceivers()) != 0 {
		t.Fatalf("got %+v", c)
	}
}
