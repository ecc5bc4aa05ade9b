package jsep

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/sdp/v3"
)

// fixtures are descriptions of others.
func fixtures(t testing.TB) (texts []string) {
	for _, folder := range []string{"offers", "browsers"} {
		files, _ := filepath.Glob("testdata/" + folder + "/*.sdp")
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			texts = append(texts, string(b))
		}
	}
	return texts
}

func addFixtures(f *testing.F) {
	for _, text := range fixtures(f) {
		f.Add(text)
	}
}

// wantOutline holds what the decoder makes of the outline of a text, all that it is asked for, against what it makes of the text.
func wantOutline(t testing.TB, text string) {
	t.Helper()
	d, bad := split(text)
	if bad != nil {
		return
	}
	var whole, outline sdp.SessionDescription
	err, missed := whole.UnmarshalString(d.text), outline.UnmarshalString(d.outline)
	_, got := parse(text, Offer)
	if (err == nil) != (missed == nil) || err != nil && (got == nil || got.Detail != err.Error()) {
		t.Fatalf("the text has %v, its outline %v, and parse says %v:\n%s", err, missed, got, text)
	}
	for i := range outline.MediaDescriptions {
		if diff := cmp.Diff(whole.MediaDescriptions[i].MediaName, outline.MediaDescriptions[i].MediaName); err == nil && diff != "" {
			t.Fatalf("section %d: %s", i, diff)
		}
	}
}

// Any text is either refused with a typed error and no change, or applied, and then it can be answered and what is shown can be read.
func FuzzSetRemote(f *testing.F) {
	addFixtures(f)
	f.Fuzz(func(t *testing.T, text string) {
		wantOutline(t, text)
		s := newTestSession(t, "bobby", withMedia, withInit, withSPED)
		if _, err := s.SetRemote(Description{Offer, text}); err != nil {
			var e *Error
			if !errors.As(err, &e) || s.SignalingState() != Stable {
				t.Fatalf("%v in %v", err, s.SignalingState())
			}
		} else {
			s.check()
			shown, _ := s.Remote()
			if _, err := parse(shown.SDP, Offer); err != nil {
				t.Fatalf("%v:\n%q", err, shown.SDP)
			}
			setLocal(t, s, Description{})
			// A second session takes the answer if the text was its own offer: sections match.
			answer, _ := s.Local()
			s.wake()
			if p, err := parse(answer.SDP, Answer); err != nil || len(p.sections) != len(s.currentRemote.sections) {
				t.Fatalf("%v:\n%q", err, answer.SDP)
			}
			s.NeedDataChannel()
			setLocal(t, s, Description{})
		}
		// As an answer to an offer of ours.
		a := newTestSession(t, "alice", withMedia, withInit, withSPED)
		addTrack(t, a, Audio, "mic", "s")
		addTransceiver(t, a, TransceiverInit{Kind: Video, Direction: SendRecv, Encodings: []Encoding{{RID: "a"}, {RID: "b"}}})
		a.NeedDataChannel()
		setLocal(t, a, Description{})
		if _, err := a.SetRemote(Description{Answer, text}); err != nil && a.SignalingState() != HaveLocalOffer {
			t.Fatalf("%v in %v", err, a.SignalingState())
		}
		a.check()
	})
}

// Offers of browsers with lines lost, doubled, swapped, exchanged between offers, and bytes flipped: as a first offer, as a re-offer and
// as an answer.
func TestMutatedOffers(t *testing.T) {
	texts := fixtures(t)
	seeds := uint64(2000)
	if testing.Short() {
		seeds = 500
	}
	var seed uint64
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	applied := 0
	for seed = range seeds {
		rng := rand.New(rand.NewPCG(seed, 3))
		text := texts[rng.IntN(len(texts))]
		s := newTestSession(t, "bobby")
		if seed%4 > 0 {
			s = newTestSession(t, "bobby", withMedia, withInit, withSPED)
			addTrack(t, s, Audio+MediaKind(seed&1), "track", "stream")
		}
		for range 3 { // each change is on top of those before, so that most offers are about something known
			text = mutate(rng, text, texts[rng.IntN(len(texts))])
			wantOutline(t, text)
			before := snapshot(s)
			_, err := s.SetRemote(Description{Offer, text})
			var e *Error
			if err != nil && (!errors.As(err, &e) || snapshot(s) != before) {
				t.Fatalf("%v changed the session, by\n%s", err, text)
			}
			s.check()
			if err == nil {
				applied++
				setLocal(t, s, Description{})
			}
		}
		setLocal(t, s, Description{Type: Offer})
		s.SetRemote(Description{Answer, text})
		s.check()
	}
	if applied < int(seeds) {
		t.Errorf("only %d offers were applied", applied)
	}
}

// mutate changes text in one way, with a line of other perhaps.
func mutate(rng *rand.Rand, text, other string) string {
	lines := strings.SplitAfter(text, "\n")
	others := strings.SplitAfter(other, "\n")
	i, j := rng.IntN(len(lines)), rng.IntN(len(lines))
	switch rng.IntN(7) { // 6: nothing
	case 0:
		lines = slices.Delete(lines, i, i+1)
	case 1:
		lines = slices.Insert(lines, i, lines[j])
	case 2:
		lines[i], lines[j] = lines[j], lines[i]
	case 3:
		lines = slices.Insert(lines, i, others[rng.IntN(len(others))])
	case 4:
		b := []byte(text)
		if len(b) > 0 {
			b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
		}
		return string(b)
	case 5:
		if at := strings.LastIndex(other, "m="); at >= 0 {
			return text + other[at:]
		}
	}
	return strings.Join(lines, "")
}

// Operations on two sessions, as the bytes say, with what they send to each other arriving whenever. Each is checked after each step, an
// error changes nothing, and at the end the two come to agree.
func FuzzOperations(f *testing.F) {
	for seed := range uint64(8) {
		b := make([]byte, 64)
		rng := rand.New(rand.NewPCG(seed, 1))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		f.Add(b)
	}
	f.Fuzz(operate)
}

// The same with many seeds.
func TestRandomOperations(t *testing.T) {
	seeds := uint64(600)
	if testing.Short() {
		seeds = 200
	}
	reached, agreements := map[SignalingState]int{}, 0
	var seed uint64
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	for seed = range seeds {
		rng := rand.New(rand.NewPCG(seed, 2))
		b := make([]byte, 10+rng.IntN(80))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		all, agreed := states(t, b)
		for state := range all {
			reached[state]++
		}
		if agreed {
			agreements++
		}
	}
	if agreements < int(seeds)/4 {
		t.Errorf("only %d pairs of %d agreed", agreements, seeds)
	}
	for s := Stable; s < Closed; s++ {
		if reached[s] < int(seeds)/10 {
			t.Errorf("%v was reached only %d times", s, reached[s])
		}
	}
}

func operate(t *testing.T, ops []byte) { states(t, ops) }

// states runs the operations and returns which states were reached, and whether the two agree at the end.
func states(t *testing.T, ops []byte) (map[SignalingState]bool, bool) {
	reached := map[SignalingState]bool{}
	s := [2]*Session{newTestSession(t, "alice", withMedia, withInit, withSPED), newTestSession(t, "bobby", withOtherMedia, withInit, withSPED)}
	sent := [2]Description{} // what each would send next
	if len(ops) > 500 {
		ops = ops[:500]
	}
	types := []Type{0, Offer, PrAnswer, Answer, Rollback}
	for _, op := range ops {
		who, arg := int(op&1), int(op>>1&3)
		me, to := s[who], s[1-who]
		if full := len(me.Transceivers()) > 20; full && (op>>3%19 == 12 || op>>3%19 == 13) {
			continue // a session with more of them is no other
		}
		before := snapshot(me)
		var err error
		switch op >> 3 % 19 {
		case 0, 1:
			sent[who], err = me.CreateOffer(OfferOptions{ICERestart: arg == 3})
		case 2:
			sent[who], err = me.CreateAnswer()
		case 3, 4:
			_, err = me.SetLocal(Description{Type: types[arg+int(op>>7)]})
		case 5:
			_, err = me.SetLocal(sent[who])
		case 6, 7, 8: // what the other one has applied arrives, perhaps as a provisional answer
			d, ok := to.Local()
			if ok && d.Type != Offer && arg == 0 {
				d.Type = PrAnswer
			}
			_, err = me.SetRemote(d)
		case 9:
			_, err = me.SetRemote(Description{Type: Rollback})
		case 10:
			switch arg {
			case 0:
				me.RestartICE()
			default:
				me.NeedDataChannel()
			}
			before = snapshot(me)
		case 11:
			ufrag := fmt.Sprintf("%s%d", []string{"alice", "bobby"}[who], 1+arg)
			me.AddLocalCandidate(ufrag, fmt.Sprintf("candidate:%d 1 udp 1 192.0.2.1 9 typ host", op))
			to.AddRemoteCandidate(RemoteCandidate{Candidate: hostCandidate, SDPMLineIndex: ptr(uint16(0)), UsernameFragment: &ufrag})
			before = snapshot(me)
		case 12:
			_, err = me.AddTrack(Audio+MediaKind(arg&1), fmt.Sprint("track", op), []string{"stream"})
		case 13:
			init := TransceiverInit{Kind: Audio + MediaKind(arg&1), Direction: Direction(arg)}
			if arg == 3 {
				init.Encodings = []Encoding{{RID: "hi"}, {RID: "lo"}}
			}
			_, err = me.AddTransceiver(init)
		default:
			ids := me.Transceivers()
			if len(ids) == 0 {
				continue
			}
			id := ids[(arg+int(op>>7))%len(ids)]
			switch op >> 3 % 19 {
			case 14:
				err = me.SetDirection(id, Direction(arg))
			case 15:
				err = me.RemoveTrack(id)
			case 16:
				err = me.Stop(id)
			case 17:
				tr, _ := me.Transceiver(id)
				err = me.SetCodecPreferences(id, me.cfg.Formats.codecs[tr.Kind][arg&1:])
			case 18:
				switch arg {
				case 0:
					err = me.SetStreams(id, []string{"other"})
				case 1:
					err = me.SetEncodings(id, []Encoding{{RID: "a"}, {RID: "b"}, {RID: "c"}})
				case 2:
					err = me.SetEncodings(id, []Encoding{{Inactive: true}})
				case 3:
					err = me.SetTrack(id, "another", op>>7 == 0)
				}
			}
		}
		if op>>3%19 >= 12 && err == nil {
			before = snapshot(me)
		}
		var e *Error
		if err != nil && (!errors.As(err, &e) || snapshot(me) != before) {
			t.Fatalf("op %d: %v changed\n%s\nto\n%s", op, err, before, snapshot(me))
		}
		for _, x := range s {
			x.check()
			reached[x.SignalingState()] = true
		}
	}
	return reached, agree(t, s[0], s[1])
}

// agree rolls back and finishes what is pending, as an application that hears of errors would, and expects the two to come together. It
// returns false for sessions that went apart, because one completed a negotiation that the other did not: they need not.
func agree(t *testing.T, a, b *Session) bool {
	t.Helper()
	for _, s := range []*Session{a, b} {
		switch s.SignalingState() {
		case HaveLocalOffer:
			setLocal(t, s, Description{Type: Rollback})
		case HaveRemoteOffer:
			setRemote(t, s, Description{Type: Rollback})
		case HaveLocalPrAnswer:
			setLocal(t, s, Description{Type: Answer})
		case HaveRemotePrAnswer:
			return false // its peer has to say
		}
	}
	apart := !together(a, b)
	a.NeedDataChannel()
	setLocal(t, a, Description{})
	offer, _ := a.Local()
	_, err := b.SetRemote(offer)
	if err != nil && apart {
		return false
	}
	okay[any](t)(nil, err)
	tb := setLocal(t, b, Description{}).Transport
	answer, _ := b.Local()
	c, err := a.SetRemote(answer)
	if apart {
		return false
	}
	okay[any](t)(nil, err)
	a.check()
	ta := c.Transport
	if ta == nil || tb == nil {
		t.Fatalf("no transport: %+v, %+v", ta, tb)
	}
	if ta.LocalUfrag != tb.RemoteUfrag || ta.RemoteUfrag != tb.LocalUfrag || ta.LocalPwd != tb.RemotePwd || ta.Mid != tb.Mid {
		t.Fatalf("they don't agree: %+v, %+v", ta, tb)
	}
	if ta.DTLSRole == tb.DTLSRole {
		t.Fatalf("both are DTLS %vs", ta.DTLSRole)
	}
	if ta.SPED != tb.SPED {
		t.Fatalf("SPED: %v and %v", ta.SPED, tb.SPED)
	}
	if !bytes.Equal(ta.LocalSCTPInit, tb.RemoteSCTPInit) || !bytes.Equal(tb.LocalSCTPInit, ta.RemoteSCTPInit) {
		t.Fatalf("INIT chunks %x and %x, and %x and %x", ta.LocalSCTPInit, ta.RemoteSCTPInit, tb.LocalSCTPInit, tb.RemoteSCTPInit)
	}
	if a.NegotiationNeeded() {
		t.Fatalf("nothing should remain for the one that offered:\n%s", snapshot(a))
	}
	coherent(t, a, b)
	// What is left is for the other one to offer, and then nothing is left. An offer may give the peer streams to tell about in an answer only.
	for range 2 {
		if b.NegotiationNeeded() {
			negotiate(t, b, a)
			coherent(t, b, a)
		}
		a, b = b, a
	}
	if a.NegotiationNeeded() || b.NegotiationNeeded() {
		t.Fatalf("nothing should remain:\n%s\n%s", snapshot(a), snapshot(b))
	}
	return true
}

// together tells whether what one completed last, the other one completed too, and both believe in the same association, or in none.
func together(a, b *Session) bool {
	a.wake()
	b.wake()
	text := func(d *description) string {
		if d == nil {
			return ""
		}
		return canonical(d.text)
	}
	if text(a.currentLocal) != text(b.currentRemote) || text(a.currentRemote) != text(b.currentLocal) {
		return false
	}
	if agreed(a.currentLocal, a.currentRemote) < 0 {
		return true
	}
	ua, ub := associationOf(a.currentLocal, a.currentRemote), associationOf(b.currentLocal, b.currentRemote)
	return ua.local == ub.remote.credentials && ub.local == ua.remote.credentials && ua.role != ub.role
}
