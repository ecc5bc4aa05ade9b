package rtc_test

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime/sim"
)

// category is the W3C name of an error, "" of nil.
func category(err error) string {
	var (
		state        *rtc.InvalidStateError
		access       *rtc.InvalidAccessError
		modification *rtc.InvalidModificationError
		unsupported  *rtc.NotSupportedError
		operation    *rtc.OperationError
		syntax       *rtc.SyntaxError
		typ          *rtc.TypeError
	)
	switch {
	case err == nil:
		return ""
	case errors.As(err, &state):
		return "InvalidStateError"
	case errors.As(err, &access):
		return "InvalidAccessError"
	case errors.As(err, &modification):
		return "InvalidModificationError"
	case errors.As(err, &unsupported):
		return "NotSupportedError"
	case errors.As(err, &operation):
		return "OperationError"
	case errors.As(err, &syntax):
		return "SyntaxError"
	case errors.As(err, &typ):
		return "TypeError"
	}
	return fmt.Sprintf("%T", err)
}

func wantCategory(t testing.TB, what string, err error, want string) {
	t.Helper()
	if got := category(err); got != want {
		t.Errorf("%s: %v (%s), want %q", what, err, got, want)
	}
}

// signalingStates is how a comes into each state; the last one but closed has a current description.
var signalingStates = []struct {
	name  string
	enter func(p *pair)
}{
	{"new", func(*pair) {}},
	{"have-local-offer", func(p *pair) { p.offer(0) }},
	{"have-remote-offer", func(p *pair) { p.offered(0) }},
	{"have-local-pranswer", func(p *pair) {
		p.offered(0)
		p.must(p.pc[0].SetLocalDescription(rtc.SessionDescription{Type: rtc.SDPTypePranswer}))
	}},
	{"have-remote-pranswer", func(p *pair) {
		p.offered(1)
		answer, err := p.pc[1].CreateAnswer(nil)
		p.must(err)
		answer.Type = rtc.SDPTypePranswer
		p.must(p.pc[0].SetRemoteDescription(answer))
	}},
	{"stable", func(p *pair) {
		p.offered(1)
		p.must(p.pc[1].SetLocalDescription(rtc.SessionDescription{}))
		p.must(p.pc[0].SetRemoteDescription(*p.pc[1].LocalDescription()))
	}},
	{"closed", func(p *pair) { p.offer(0); p.pc[0].Close() }},
}

// offer makes pc[i] offer, and returns the offer.
func (p *pair) offer(i int) rtc.SessionDescription {
	p.t.Helper()
	_, err := p.pc[i].CreateDataChannel("data", nil)
	p.must(err)
	p.must(p.pc[i].SetLocalDescription(rtc.SessionDescription{}))
	return *p.pc[i].LocalDescription()
}

// offered makes the other one offer to pc[i].
func (p *pair) offered(i int) {
	p.t.Helper()
	p.must(p.pc[i].SetRemoteDescription(p.offer(1 - i)))
}

// Every method that may fail, in every signaling state, fails by the error that W3C says, or does not; and a failure changes nothing.
func TestErrorsInEveryState(t *testing.T) { everywhere(t, testErrorsInEveryState) }

func testErrorsInEveryState(t *testing.T, w *world) {
	const state, ok = "InvalidStateError", ""
	local := func(typ rtc.SDPType) func(p *pair) error {
		return func(p *pair) error { return p.pc[0].SetLocalDescription(rtc.SessionDescription{Type: typ}) }
	}
	// What the peer would say now; another connection says it, so that each call has what it needs in each state.
	remote := func(typ rtc.SDPType) func(p *pair) error {
		return func(p *pair) error {
			var d rtc.SessionDescription
			switch offer := p.pc[0].LocalDescription(); {
			case typ == rtc.SDPTypeRollback:
			case p.pc[0].SignalingState() == rtc.SignalingStateHaveRemotePranswer && typ != rtc.SDPTypeOffer:
				answer, err := p.pc[1].CreateAnswer(nil)
				p.must(err)
				d = answer
			case typ != rtc.SDPTypeOffer && offer != nil && offer.Type == rtc.SDPTypeOffer && p.pc[0].SignalingState() != rtc.SignalingStateClosed:
				q := w.newPair(p.t, sim.Config{}, nil)
				q.must(q.pc[0].SetRemoteDescription(*offer))
				answer, err := q.pc[0].CreateAnswer(nil)
				q.must(err)
				d = answer
			default:
				d = w.newPair(p.t, sim.Config{Seed: 1}, nil).offer(0)
				if r := p.pc[1].LocalDescription(); typ == rtc.SDPTypeOffer && r != nil {
					d = *r // it has the sections that this negotiation is about
				}
			}
			d.Type = typ
			return p.pc[0].SetRemoteDescription(d)
		}
	}
	calls := []struct {
		name string
		f    func(p *pair) error
		want [7]string // in the order of signalingStates
	}{
		{"CreateOffer", func(p *pair) error { _, err := p.pc[0].CreateOffer(nil); return err },
			[7]string{ok, ok, state, state, state, ok, state}},
		{"CreateAnswer", func(p *pair) error { _, err := p.pc[0].CreateAnswer(nil); return err },
			[7]string{state, state, ok, ok, state, state, state}},
		{"SetLocal offer", local(rtc.SDPTypeOffer), [7]string{ok, ok, state, state, state, ok, state}},
		{"SetLocal pranswer", local(rtc.SDPTypePranswer), [7]string{state, state, ok, ok, state, state, state}},
		{"SetLocal answer", local(rtc.SDPTypeAnswer), [7]string{state, state, ok, ok, state, state, state}},
		{"SetLocal rollback", local(rtc.SDPTypeRollback), [7]string{state, ok, state, state, state, state, state}},
		{"SetLocal implicit", local(0), [7]string{ok, ok, ok, ok, state, ok, state}},
		{"SetRemote offer", remote(rtc.SDPTypeOffer), [7]string{ok, ok, ok, state, state, ok, state}},
		{"SetRemote pranswer", remote(rtc.SDPTypePranswer), [7]string{state, ok, state, state, ok, state, state}},
		{"SetRemote answer", remote(rtc.SDPTypeAnswer), [7]string{state, ok, state, state, ok, state, state}},
		{"SetRemote rollback", remote(rtc.SDPTypeRollback), [7]string{state, state, ok, state, state, state, state}},
		{"SetRemote nothing", remote(0), [7]string{"TypeError", "TypeError", "TypeError", "TypeError", "TypeError", "TypeError", state}},
		{"AddICECandidate", func(p *pair) error { return p.pc[0].AddICECandidate(rtc.ICECandidateInit{}) },
			[7]string{state, state, ok, ok, ok, ok, state}},
		{"RestartICE", func(p *pair) error { return p.pc[0].RestartICE() }, [7]string{6: state}},
		{"CreateDataChannel", func(p *pair) error { _, err := p.pc[0].CreateDataChannel("more", nil); return err }, [7]string{6: state}},
		{"SetConfiguration", func(p *pair) error { return p.pc[0].SetConfiguration(p.pc[0].GetConfiguration()) }, [7]string{6: state}},
		{"Close", func(p *pair) error { return p.pc[0].Close() }, [7]string{}},
	}
	for _, c := range calls {
		for i, s := range signalingStates {
			t.Run(c.name+"/"+s.name, func(t *testing.T) {
				p := w.newPair(t, sim.Config{}, nil)
				s.enter(p)
				pc := p.pc[0]
				if got := pc.SignalingState().String(); got != strings.Replace(s.name, "new", "stable", 1) {
					t.Fatalf("the state is %v", got)
				}
				before := snapshot(pc)
				err := c.f(p)
				wantCategory(t, c.name, err, c.want[i])
				if after := snapshot(pc); err != nil && after != before {
					t.Errorf("the error has changed\n%s\nto\n%s", before, after)
				}
			})
		}
	}
}

// snapshot is all that a program sees of the negotiation.
func snapshot(pc *rtc.PeerConnection) string {
	text := fmt.Sprintln(pc.SignalingState(), pc.ICEGatheringState(), pc.CanTrickleICECandidates())
	for _, d := range []*rtc.SessionDescription{
		pc.CurrentLocalDescription(), pc.PendingLocalDescription(), pc.CurrentRemoteDescription(), pc.PendingRemoteDescription(),
		pc.LocalDescription(), pc.RemoteDescription(),
	} {
		if d == nil {
			text += "none\n"
			continue
		}
		text += d.Type.String() + "\n" + d.SDP
	}
	return text
}

// The six descriptions in every state: what is negotiated is pending, what was negotiated is current, the plain ones are the pending if there
// is one.
func TestDescriptions(t *testing.T) { everywhere(t, testDescriptions) }

func testDescriptions(t *testing.T, w *world) {
	want := map[string][4]string{ // current local, pending local, current remote, pending remote
		"new":                  {},
		"have-local-offer":     {1: "offer"},
		"have-remote-offer":    {3: "offer"},
		"have-local-pranswer":  {1: "pranswer", 3: "offer"},
		"have-remote-pranswer": {1: "offer", 3: "pranswer"},
		"stable":               {0: "offer", 2: "answer"},
		"closed":               {1: "offer"},
	}
	typ := func(d *rtc.SessionDescription) string {
		if d == nil {
			return ""
		}
		if !strings.HasPrefix(d.SDP, "v=0\r\n") {
			t.Errorf("SDP %q", d.SDP)
		}
		return d.Type.String()
	}
	for _, s := range signalingStates {
		t.Run(s.name, func(t *testing.T) {
			p := w.newPair(t, sim.Config{}, nil)
			s.enter(p)
			pc := p.pc[0]
			got := [4]string{typ(pc.CurrentLocalDescription()), typ(pc.PendingLocalDescription()),
				typ(pc.CurrentRemoteDescription()), typ(pc.PendingRemoteDescription())}
			if got != want[s.name] {
				t.Errorf("current local, pending local, current remote, pending remote are %q, want %q", got, want[s.name])
			}
			if l, r := typ(pc.LocalDescription()), typ(pc.RemoteDescription()); l != got[0]+got[1] || r != got[2]+got[3] {
				t.Errorf("local and remote are %q and %q", l, r)
			}
		})
	}
	// In a renegotiation both are there, and the plain one is the pending.
	p := w.newPair(t, sim.Config{}, nil)
	_, err := p.pc[0].CreateDataChannel("data", nil)
	p.must(err)
	p.negotiate(0)
	p.offered(1)
	a, b := p.pc[0], p.pc[1]
	got := []string{typ(a.CurrentLocalDescription()), typ(a.PendingLocalDescription()), typ(b.CurrentRemoteDescription()), typ(b.PendingRemoteDescription())}
	if !slices.Equal(got, []string{"offer", "offer", "offer", "offer"}) {
		t.Errorf("in a renegotiation there are %q", got)
	}
	if a.LocalDescription().SDP != a.PendingLocalDescription().SDP || b.RemoteDescription().SDP != b.PendingRemoteDescription().SDP {
		t.Error("the plain descriptions are not the pending ones")
	}
	if a.CurrentLocalDescription().SDP == a.PendingLocalDescription().SDP {
		t.Error("the new offer is the old one")
	}
}

// The zero SessionDescription is what the signaling state needs: an offer, or the answer.
func TestImplicitDescriptions(t *testing.T) { everywhere(t, testImplicitDescriptions) }

func testImplicitDescriptions(t *testing.T, w *world) {
	p := w.newPair(t, sim.Config{}, nil)
	for round, from := range []int{0, 1, 0} {
		a, b := p.pc[from], p.pc[1-from]
		if round == 0 {
			_, err := a.CreateDataChannel("data", nil)
			p.must(err)
		}
		p.must(a.SetLocalDescription(rtc.SessionDescription{}))
		if d := a.PendingLocalDescription(); d == nil || d.Type != rtc.SDPTypeOffer {
			t.Fatalf("round %d: the implicit description is %v", round, d)
		}
		p.must(b.SetRemoteDescription(*a.LocalDescription()))
		p.must(b.SetLocalDescription(rtc.SessionDescription{}))
		if d := b.CurrentLocalDescription(); d == nil || d.Type != rtc.SDPTypeAnswer {
			t.Fatalf("round %d: the implicit description is %v", round, d)
		}
		p.must(a.SetRemoteDescription(*b.LocalDescription()))
		p.until("open", func() bool { return p.rec[0].has("open data") && p.rec[1].has("open data") })
	}
}

// A local description has to be what CreateOffer or CreateAnswer has returned; candidates may have been added to it.
func TestLocalDescriptionIsNotEdited(t *testing.T) { everywhere(t, testLocalDescriptionIsNotEdited) }

func testLocalDescriptionIsNotEdited(t *testing.T, w *world) {
	p := w.newPair(t, sim.Config{}, nil)
	a, b := p.pc[0], p.pc[1]
	offer := offerOf(t, a)
	edited := offer
	edited.SDP = strings.Replace(edited.SDP, "a=setup:actpass", "a=setup:active", 1)
	wantCategory(t, "edited offer", a.SetLocalDescription(edited), "InvalidModificationError")
	// W3C compares with what was created last.
	again, err := a.CreateOffer(&rtc.OfferOptions{ICERestart: true})
	p.must(err)
	if again.SDP != offer.SDP {
		wantCategory(t, "older offer", a.SetLocalDescription(offer), "InvalidModificationError")
	}
	p.must(a.SetLocalDescription(again))
	p.must(b.SetRemoteDescription(*a.LocalDescription()))
	answer, err := b.CreateAnswer(nil)
	p.must(err)
	edited = answer
	edited.SDP = strings.Replace(edited.SDP, "a=setup:passive", "a=setup:active", 1)
	wantCategory(t, "edited answer", b.SetLocalDescription(edited), "InvalidModificationError")
	p.must(b.SetLocalDescription(answer))
}

// A remote description that is no SDP, or breaks a rule, is refused by its category and changes nothing.
func TestRemoteDescriptionErrors(t *testing.T) { everywhere(t, testRemoteDescriptionErrors) }

func testRemoteDescriptionErrors(t *testing.T, w *world) {
	p := w.newPair(t, sim.Config{}, nil)
	a, b := p.pc[0], p.pc[1]
	offer := p.offer(0).SDP
	for name, c := range map[string]struct{ sdp, want string }{
		"empty":                {"", "SyntaxError"},
		"nonsense":             {"hello", "SyntaxError"},
		"cut":                  {offer[:len(offer)/2], "SyntaxError"},
		"no fingerprint":       {without(offer, "a=fingerprint"), "InvalidAccessError"},
		"no ice-ufrag":         {without(offer, "a=ice-ufrag"), "InvalidAccessError"},
		"no ice-pwd":           {without(offer, "a=ice-pwd"), "InvalidAccessError"},
		"short ice-pwd":        {replaceLine(offer, "a=ice-pwd:", "a=ice-pwd:short"), "SyntaxError"},
		"answer's setup":       {replaceLine(offer, "a=setup:", "a=setup:holdconn"), "InvalidAccessError"},
		"two mids of one name": {offer + offer[strings.Index(offer, "m="):], "InvalidAccessError"},
	} {
		t.Run(name, func(t *testing.T) {
			before := snapshot(b)
			err := b.SetRemoteDescription(rtc.SessionDescription{Type: rtc.SDPTypeOffer, SDP: c.sdp})
			if got := category(err); got != c.want {
				t.Errorf("%v (%s), want %s", err, got, c.want)
			}
			if snapshot(b) != before {
				t.Error("the error has changed something")
			}
		})
	}
	p.must(b.SetRemoteDescription(*a.LocalDescription()))
	answer, err := b.CreateAnswer(nil)
	p.must(err)
	for name, sdp := range map[string]string{
		"other mid":     replaceLine(answer.SDP, "a=mid:", "a=mid:other"),
		"no section":    answer.SDP[:strings.Index(answer.SDP, "m=")],
		"actpass":       replaceLine(answer.SDP, "a=setup:", "a=setup:actpass"),
		"more sections": answer.SDP + answer.SDP[strings.Index(answer.SDP, "m="):],
	} {
		err := a.SetRemoteDescription(rtc.SessionDescription{Type: rtc.SDPTypeAnswer, SDP: sdp})
		wantCategory(t, "answer with "+name, err, "InvalidAccessError")
	}
	p.must(a.SetRemoteDescription(answer))
}

// without drops the lines of sdp that begin with prefix.
func without(sdp, prefix string) string {
	lines := strings.SplitAfter(sdp, "\r\n")
	return strings.Join(slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, prefix) }), "")
}

func replaceLine(sdp, prefix, line string) string {
	lines := strings.SplitAfter(sdp, "\r\n")
	for i, l := range lines {
		if strings.HasPrefix(l, prefix) {
			lines[i] = line + "\r\n"
		}
	}
	return strings.Join(lines, "")
}

// AddICECandidate takes what is right, ignores what is right and of no use, and refuses what is wrong, as W3C's addIceCandidate does.
func TestAddICECandidate(t *testing.T) { everywhere(t, testAddICECandidate) }

func testAddICECandidate(t *testing.T, w *world) {
	const host = "candidate:1 1 udp 2130706431 10.64.0.9 9 typ host"
	p := w.newPair(t, sim.Config{}, nil)
	err := p.pc[1].AddICECandidate(rtc.ICECandidateInit{Candidate: host, SDPMid: new("0")})
	wantCategory(t, "before a remote description", err, "InvalidStateError")
	if !errors.Is(err, rtc.ErrNoRemoteDescription) {
		t.Errorf("before a remote description: %v", err)
	}
	p.offered(1)
	b := p.pc[1]
	offer := b.RemoteDescription().SDP
	_, rest, _ := strings.Cut(offer, "a=ice-ufrag:")
	ufrag, _, _ := strings.Cut(rest, "\r\n")
	_, rest, _ = strings.Cut(offer, "a=mid:")
	mid, _, _ := strings.Cut(rest, "\r\n")
	for name, c := range map[string]struct {
		init  rtc.ICECandidateInit
		want  string
		added bool
	}{
		"by mid":                {rtc.ICECandidateInit{Candidate: host, SDPMid: &mid}, "", true},
		"by index":              {rtc.ICECandidateInit{Candidate: host + " generation 0", SDPMLineIndex: new(uint16(0))}, "", true},
		"with its a=":           {rtc.ICECandidateInit{Candidate: "a=" + host + " a b", SDPMid: &mid}, "", true},
		"with its ufrag":        {rtc.ICECandidateInit{Candidate: host + " ufrag " + ufrag, SDPMid: &mid, UsernameFragment: &ufrag}, "", true},
		"TCP":                   {rtc.ICECandidateInit{Candidate: "candidate:1 1 tcp 1518280447 10.64.0.9 9 typ host tcptype active", SDPMid: &mid}, "", true},
		"mDNS":                  {rtc.ICECandidateInit{Candidate: "candidate:1 1 udp 2130706431 0f0a7d2e-33c5-4ee1-b3be-20d0eb1a7ce1.local 9 typ host", SDPMid: &mid}, "", true},
		"relay":                 {rtc.ICECandidateInit{Candidate: "candidate:2 1 UDP 16777215 192.0.2.1 9 typ relay raddr 0.0.0.0 rport 0", SDPMid: &mid}, "", true},
		"IPv6":                  {rtc.ICECandidateInit{Candidate: "candidate:1 1 udp 2130706431 fd00::99 9 typ host", SDPMid: &mid}, "", true},
		"end":                   {rtc.ICECandidateInit{SDPMid: &mid}, "", false},
		"end of everything":     {rtc.ICECandidateInit{}, "", false},
		"neither mid nor index": {rtc.ICECandidateInit{Candidate: host}, "TypeError", false},
		"unknown mid":           {rtc.ICECandidateInit{Candidate: host, SDPMid: new("nobody")}, "OperationError", false},
		"unknown index":         {rtc.ICECandidateInit{Candidate: host, SDPMLineIndex: new(uint16(7))}, "OperationError", false},
		"other ufrag":           {rtc.ICECandidateInit{Candidate: host, SDPMid: &mid, UsernameFragment: new("nobody")}, "OperationError", false},
		"other ufrag, in line":  {rtc.ICECandidateInit{Candidate: host + " ufrag nobody", SDPMid: &mid}, "OperationError", false},
		"malformed":             {rtc.ICECandidateInit{Candidate: "candidate:what", SDPMid: &mid}, "OperationError", false},
		"bad port":              {rtc.ICECandidateInit{Candidate: "candidate:1 1 udp 2130706431 10.64.0.9 99999 typ host", SDPMid: &mid}, "OperationError", false},
		"line break":            {rtc.ICECandidateInit{Candidate: host + "\r\na=x", SDPMid: &mid}, "OperationError", false},
	} {
		t.Run(name, func(t *testing.T) {
			before := b.RemoteDescription().SDP
			wantCategory(t, name, b.AddICECandidate(c.init), c.want)
			after := b.RemoteDescription().SDP
			line := "a=" + strings.TrimPrefix(c.init.Candidate, "a=") + "\r\n"
			if c.added && !strings.Contains(after, line) {
				t.Errorf("RemoteDescription lacks %q", line)
			}
			if c.want != "" && after != before {
				t.Error("the error has changed the description")
			}
		})
	}
	// None of them is in the way.
	p.must(b.SetLocalDescription(rtc.SessionDescription{}))
	p.must(p.pc[0].SetRemoteDescription(*b.LocalDescription()))
	p.must(b.AddICECandidate(rtc.ICECandidateInit{Candidate: host + " generation 1", SDPMid: &mid}))
	p.until("open", func() bool { return p.rec[0].has("open data") && p.rec[1].has("open data") })
}

// Candidates that come as JSON, as OnICECandidate gives them, are all that a peer needs.
func TestICECandidateJSON(t *testing.T) { everywhere(t, testICECandidateJSON) }

func testICECandidateJSON(t *testing.T, w *world) {
	p := w.newPair(t, sim.Config{}, nil)
	offer := offerOf(t, p.pc[0])
	p.must(p.pc[0].SetLocalDescription(offer))
	p.until("the end of gathering", func() bool { return p.rec[0].has("candidate end") })
	var all []*rtc.ICECandidate
	for c := range p.pc[0].ICECandidates(t.Context()) {
		all = append(all, c)
	}
	if len(all) != w.candidates() {
		t.Fatalf("%d candidates, want one for each address", len(all))
	}
	for _, c := range all {
		j := c.ToJSON()
		if j.Candidate != c.String() || !strings.HasPrefix(j.Candidate, "candidate:") || *j.SDPMid == "" || *j.SDPMLineIndex != 0 {
			t.Errorf("JSON %+v", j)
		}
		if !strings.Contains(offer.SDP, "a=ice-ufrag:"+*j.UsernameFragment+"\r\n") {
			t.Errorf("username fragment %q is not the offer's", *j.UsernameFragment)
		}
		if !strings.Contains(p.pc[0].LocalDescription().SDP, "a="+c.String()+"\r\n") {
			t.Errorf("LocalDescription lacks %q", c)
		}
		if c.Typ != rtc.ICECandidateTypeHost || c.Protocol != rtc.ICEProtocolUDP || c.Component != 1 || c.Port == 0 || c.Foundation == "" || c.Priority == 0 {
			t.Errorf("%+v", c)
		}
	}
	if len(all) > 1 && all[0].Priority <= all[1].Priority {
		t.Error("the first is not the best")
	}
	if strings.Contains(offer.SDP, "a=candidate") {
		t.Error("an offer that was just created has candidates")
	}
}

// CanTrickleICECandidates is unknown before a remote description, and then what that says.
func TestCanTrickle(t *testing.T) { everywhere(t, testCanTrickle) }

func testCanTrickle(t *testing.T, w *world) {
	p := w.newPair(t, sim.Config{}, nil)
	offer := p.offer(0)
	b := p.pc[1]
	if c := b.CanTrickleICECandidates(); c != rtc.ICETrickleCapabilityUnknown {
		t.Errorf("before a description: %v", c)
	}
	p.must(b.SetRemoteDescription(offer))
	if c := b.CanTrickleICECandidates(); c != rtc.ICETrickleCapabilitySupported {
		t.Errorf("after ice-options:trickle: %v", c)
	}
	p.must(b.SetRemoteDescription(rtc.SessionDescription{Type: rtc.SDPTypeRollback}))
	if c := b.CanTrickleICECandidates(); c != rtc.ICETrickleCapabilityUnknown {
		t.Errorf("after a rollback: %v", c)
	}
	offer.SDP = without(offer.SDP, "a=ice-options")
	p.must(b.SetRemoteDescription(offer))
	if c := b.CanTrickleICECandidates(); c != rtc.ICETrickleCapabilityUnsupported {
		t.Errorf("without ice-options: %v", c)
	}
}

// SetConfiguration may change servers and the transport policy; it refuses other changes and bad servers, and then changes nothing.
func TestSetConfiguration(t *testing.T) { everywhere(t, testSetConfiguration) }

func testSetConfiguration(t *testing.T, w *world) {
	p := w.newPair(t, sim.Config{}, nil)
	own := expiring(t, p.now().AddDate(0, 0, 7))
	initial := rtc.Configuration{
		ICEServers: []rtc.ICEServer{{URLs: []string{"stun:192.0.2.1"}}}, Certificates: []rtc.Certificate{own},
		BundlePolicy: webrtc.BundlePolicyMaxBundle, RTCPMuxPolicy: webrtc.RTCPMuxPolicyRequire, ICECandidatePoolSize: 3,
	}
	for name, c := range map[string]struct {
		change func(c *rtc.Configuration)
		want   string
	}{
		"nothing":         {func(*rtc.Configuration) {}, ""},
		"servers":         {func(c *rtc.Configuration) { c.ICEServers = []rtc.ICEServer{{URLs: []string{"stun:192.0.2.2"}}} }, ""},
		"no servers":      {func(c *rtc.Configuration) { c.ICEServers = nil }, ""},
		"relay":           {func(c *rtc.Configuration) { c.ICETransportPolicy = rtc.ICETransportPolicyRelay }, ""},
		"unsaid":          {func(c *rtc.Configuration) { c.Certificates, c.BundlePolicy, c.RTCPMuxPolicy = nil, 0, 0 }, ""},
		"pool size":       {func(c *rtc.Configuration) { c.ICECandidatePoolSize = 4 }, ""},
		"bad server":      {func(c *rtc.Configuration) { c.ICEServers = []rtc.ICEServer{{}} }, "SyntaxError"},
		"no credentials":  {func(c *rtc.Configuration) { c.ICEServers = []rtc.ICEServer{{URLs: []string{"turn:192.0.2.2"}}} }, "InvalidAccessError"},
		"bundle":          {func(c *rtc.Configuration) { c.BundlePolicy = webrtc.BundlePolicyMaxCompat }, "InvalidModificationError"},
		"mux":             {func(c *rtc.Configuration) { c.RTCPMuxPolicy = webrtc.RTCPMuxPolicyNegotiate }, "InvalidModificationError"},
		"certificate":     {func(c *rtc.Configuration) { c.Certificates = []rtc.Certificate{expiring(t, p.now().AddDate(0, 0, 7))} }, "InvalidModificationError"},
		"no certificate":  {func(c *rtc.Configuration) { c.Certificates = []rtc.Certificate{{}} }, "InvalidModificationError"},
		"one certificate": {func(c *rtc.Configuration) { c.Certificates = append(c.Certificates, own) }, "InvalidModificationError"},
		"identity":        {func(c *rtc.Configuration) { c.PeerIdentity = "somebody" }, "InvalidModificationError"},
		"always data":     {func(c *rtc.Configuration) { c.AlwaysNegotiateDataChannels = true }, "InvalidModificationError"},
	} {
		t.Run(name, func(t *testing.T) {
			pc, err := w.builder(p.rt[0]).Configuration(initial).Build(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer pc.Close()
			before := pc.GetConfiguration()
			if before.BundlePolicy != initial.BundlePolicy || !before.Certificates[0].Equals(own) || len(before.Certificates) != 1 {
				t.Fatalf("GetConfiguration %+v", before)
			}
			next := pc.GetConfiguration()
			c.change(&next)
			wantCategory(t, name, pc.SetConfiguration(next), c.want)
			after := pc.GetConfiguration()
			if c.want != "" {
				next = before
			}
			if name == "unsaid" {
				next = before
			}
			if !reflect.DeepEqual(after, next) {
				t.Errorf("the configuration is\n%+v, want\n%+v", after, next)
			}
		})
	}
	pc := p.build(w.builder(p.rt[0]).Configuration(initial))
	if err := pc.SetLocalDescription(offerOf(t, pc)); err != nil {
		t.Fatal(err)
	}
	next := pc.GetConfiguration()
	next.ICECandidatePoolSize++
	// "If the value of configuration.iceCandidatePoolSize differs from oldConfig.iceCandidatePoolSize, and setLocalDescription has already been
	// called, then fail."
	wantCategory(t, "pool size after setLocalDescription", pc.SetConfiguration(next), "InvalidModificationError")
}

// count is how often line was heard.
func (r *recorder) count(line string) (n int) {
	for _, l := range r.heard() {
		if l == line {
			n++
		}
	}
	return n
}

// OnNegotiationNeeded comes exactly as W3C's negotiation-needed flag says: once for the first channel and not for the next ones, for RestartICE,
// and not when the need is gone before it is told.
func TestNegotiationNeeded(t *testing.T) { everywhere(t, testNegotiationNeeded) }

func testNegotiationNeeded(t *testing.T, w *world) {
	const needed = "negotiationneeded"
	p := w.newPair(t, sim.Config{}, nil)
	a, b := p.pc[0], p.pc[1]
	create := func(pc *rtc.PeerConnection) {
		t.Helper()
		_, err := pc.CreateDataChannel("data", nil)
		p.must(err)
	}
	wantCount := func(when string, wantA, wantB int) {
		t.Helper()
		p.until(when, func() bool { return p.rec[0].count(needed) >= wantA && p.rec[1].count(needed) >= wantB })
		p.pass(time.Second)
		if na, nb := p.rec[0].count(needed), p.rec[1].count(needed); na != wantA || nb != wantB {
			t.Fatalf("%s: told %d and %d times, want %d and %d", when, na, nb, wantA, wantB)
		}
	}
	wantCount("at first", 0, 0)
	create(a)
	create(a)
	wantCount("after the first channels", 1, 0)
	create(a)
	wantCount("while it is not negotiated", 1, 0)
	p.must(a.RestartICE()) // there is nothing to restart, and the flag is up in any case
	wantCount("RestartICE before ICE", 1, 0)
	p.negotiate(0)
	wantCount("when negotiated", 1, 0)
	create(a)
	create(b)
	wantCount("channels on a connection that has some", 1, 0)
	p.must(a.RestartICE())
	p.must(a.RestartICE())
	wantCount("after RestartICE", 2, 0)
	p.negotiate(0)
	wantCount("when restarted", 2, 0)
	p.must(b.RestartICE())
	wantCount("RestartICE of the other", 2, 1)
	p.negotiate(1)
	wantCount("when restarted by the other", 2, 1)
	p.negotiate(0)
	wantCount("a negotiation for nothing", 2, 1)

	// The need comes up while there is an offer, and is told when the state is stable again.
	p.must(a.SetLocalDescription(rtc.SessionDescription{}))
	p.must(b.SetRemoteDescription(*a.LocalDescription()))
	p.must(b.RestartICE())
	wantCount("not in have-remote-offer", 2, 1)
	p.must(b.SetLocalDescription(rtc.SessionDescription{}))
	p.must(a.SetRemoteDescription(*b.LocalDescription()))
	wantCount("in stable", 2, 2)
	p.negotiate(0) // the peer's offer does not restart, so the need stays and is told again
	wantCount("after a negotiation that did not restart", 2, 3)
	p.negotiate(1)
	wantCount("after one that did", 2, 3)
}

// A remote offer that meets a local one rolls it back: two signaling events, candidates of the offer are forgotten, and the connection is made by
// the other's offer.
func TestImplicitRollback(t *testing.T) { everywhere(t, testImplicitRollback) }

func testImplicitRollback(t *testing.T, w *world) {
	p := w.newPair(t, sim.Config{}, nil)
	p.offer(0)
	p.must(p.pc[0].SetRemoteDescription(p.offer(1)))
	if s := p.pc[0].SignalingState(); s != rtc.SignalingStateHaveRemoteOffer {
		t.Fatalf("the state is %v", s)
	}
	if d := p.pc[0].LocalDescription(); d != nil {
		t.Errorf("there is a local description:\n%s", d.SDP)
	}
	p.must(p.pc[0].SetLocalDescription(rtc.SessionDescription{}))
	p.must(p.pc[1].SetRemoteDescription(*p.pc[0].LocalDescription()))
	p.until("two channels at both ends", func() bool { return p.rec[0].count("open data") == 2 && p.rec[1].count("open data") == 2 })
	var signaling []string
	for _, l := range p.rec[0].heard() {
		// In a simulation no time has passed before the offer, so that nothing was needed any more.
		if strings.HasPrefix(l, "signaling") || l == "negotiationneeded" && w.simulated() {
			signaling = append(signaling, l)
		}
	}
	want := []string{"signaling have-local-offer", "signaling stable", "signaling have-remote-offer", "signaling stable"}
	if !slices.Equal(signaling, want) {
		t.Errorf("a heard %q, want %q", signaling, want)
	}
}

// Who asks late for candidates gets the same that handlers were told.
func TestLateICECandidates(t *testing.T) { everywhere(t, testLateICECandidates) }

func testLateICECandidates(t *testing.T, w *world) {
	var told, late []rtc.ICECandidate
	p := w.newPair(t, sim.Config{}, nil)
	rec := &recorder{name: "c", floor: p.floor}
	pc := p.build(w.builder(p.rt[0]).Handler(rtc.Handlers(&rtc.HandlerFuncs{ICECandidate: func(_ *rtc.PeerConnection, c *rtc.ICECandidate) {
		if c != nil {
			told = append(told, *c)
		}
	}}, rec)))
	p.must(pc.SetLocalDescription(offerOf(t, pc)))
	p.until("the end of gathering", func() bool { return rec.has("candidate end") })
	for c := range pc.ICECandidates(t.Context()) {
		late = append(late, *c)
	}
	if len(told) != w.candidates() || !slices.Equal(told, late) {
		t.Errorf("told %+v, and late %+v", told, late)
	}
}

// Each configured server is told by OnICECandidateError, in each gathering, with the code 701 and a text; host candidates come all the same.
func TestICECandidateErrors(t *testing.T) { everywhere(t, testICECandidateErrors) }

func testICECandidateErrors(t *testing.T, w *world) {
	var got []rtc.ICECandidateError
	p := w.newPair(t, sim.Config{}, nil)
	rec := &recorder{name: "c", floor: p.floor}
	errors := &rtc.HandlerFuncs{ICECandidateError: func(_ *rtc.PeerConnection, e rtc.ICECandidateError) { got = append(got, e) }}
	pc := p.build(w.builder(p.rt[0]).ICEServers(
		rtc.ICEServer{URLs: []string{"stun:192.0.2.1", "stuns:192.0.2.1:5349"}},
		rtc.ICEServer{URLs: []string{"turn:192.0.2.2?transport=tcp"}, Username: "u", Credential: "c"},
	).Handler(rtc.Handlers(errors, rec)))
	if err := pc.SetLocalDescription(offerOf(t, pc)); err != nil {
		t.Fatal(err)
	}
	p.until("the end of gathering", func() bool { return rec.has("candidate end") })
	var urls []string
	for _, e := range got {
		urls = append(urls, e.URL)
		if e.ErrorCode != 701 || !strings.Contains(e.ErrorText, "not gathered") {
			t.Errorf("%+v", e)
		}
	}
	if want := []string{"stun:192.0.2.1", "stuns:192.0.2.1:5349", "turn:192.0.2.2?transport=tcp"}; !slices.Equal(urls, want) {
		t.Errorf("told of %q, want %q", urls, want)
	}
	if n := strings.Count(pc.LocalDescription().SDP, "a=candidate:"); n != w.candidates() {
		t.Errorf("%d candidates, want %d", n, w.candidates())
	}
}

// The relay policy gathers nothing and opens no socket, so that no address of the host is told to anybody; the policy is read at each gathering.
func TestRelayOnly(t *testing.T) { everywhere(t, testRelayOnly) }

func testRelayOnly(t *testing.T, w *world) {
	p := w.newPair(t, sim.Config{}, func(i int, b rtc.Builder) rtc.Builder {
		if i == 0 {
			b = b.Configuration(rtc.Configuration{ICETransportPolicy: rtc.ICETransportPolicyRelay})
		}
		return b
	})
	var sent int
	if w.simulated() {
		p.world.Capture(func(pk sim.Packet) {
			if slices.Contains(p.hosts[0].Addrs(), pk.From.Addr()) {
				sent++
			}
		})
	}
	_, err := p.pc[0].CreateDataChannel("data", nil)
	p.must(err)
	p.negotiate(0)
	p.until("the end of gathering", func() bool { return p.rec[0].has("candidate end") })
	p.pass(time.Minute)
	heard := p.rec[0].heard()
	for _, want := range []string{"gathering gathering", "gathering complete", "candidate end"} {
		if !slices.Contains(heard, want) {
			t.Errorf("a did not hear %q: %q", want, heard)
		}
	}
	if sdp := p.pc[0].LocalDescription().SDP; strings.Contains(sdp, "a=candidate") || sent > 0 {
		t.Errorf("%d datagrams were sent, and the description is\n%s", sent, sdp)
	}
	if w.simulated() {
		for _, ip := range p.hosts[0].Addrs() {
			if strings.Contains(p.pc[0].LocalDescription().SDP, ip.String()) {
				t.Errorf("the description has the address %v", ip)
			}
		}
	}
	c := p.pc[0].GetConfiguration()
	c.ICETransportPolicy = rtc.ICETransportPolicyAll
	p.must(p.pc[0].SetConfiguration(c))
	p.must(p.pc[0].RestartICE())
	p.negotiate(0)
	p.until("open", func() bool { return p.rec[0].has("open data") && p.rec[1].has("open data") })
}

func isIPv4(a netip.Addr) bool { return a.Is4() }
func isIPv6(a netip.Addr) bool { return a.Is6() }

// HandlerFuncs calls the function of each event, with what the event tells, and does without those that are not set; Handlers calls all its
// handlers, in their order.
func TestHandlerFuncs(t *testing.T) {
	typ := reflect.TypeFor[rtc.EventHandler]()
	powers := []reflect.Type{
		reflect.TypeFor[rtc.RTPHandler](), reflect.TypeFor[rtc.RTCPHandler](), reflect.TypeFor[rtc.KeyframeHandler](), reflect.TypeFor[rtc.BandwidthHandler](),
		reflect.TypeFor[rtc.TrackMuteHandler](),
	}
	var heard []string
	full := func(name string) *rtc.HandlerFuncs {
		h := &rtc.HandlerFuncs{}
		v := reflect.ValueOf(h).Elem()
		if v.NumField() != typ.NumMethod()+len(powers) {
			t.Fatalf("HandlerFuncs has %d functions for %d events and %d powers", v.NumField(), typ.NumMethod(), len(powers))
		}
		for i := range v.NumField() {
			field := v.Type().Field(i)
			v.Field(i).Set(reflect.MakeFunc(field.Type, func(args []reflect.Value) []reflect.Value {
				line := name + " " + field.Name
				for _, a := range args {
					line += fmt.Sprintf(" %v", a)
				}
				heard = append(heard, line)
				return nil
			}))
		}
		return h
	}
	pc, dc := new(rtc.PeerConnection), new(rtc.DataChannel)
	args := map[reflect.Type]any{
		reflect.TypeFor[*rtc.PeerConnection](): pc, reflect.TypeFor[*rtc.DataChannel](): dc, reflect.TypeFor[error](): errors.New("reason"),
		reflect.TypeFor[*rtc.ICECandidate](): &rtc.ICECandidate{}, reflect.TypeFor[rtc.ICECandidateError](): rtc.ICECandidateError{ErrorCode: 5},
		reflect.TypeFor[rtc.SignalingState](): rtc.SignalingStateHaveLocalOffer, reflect.TypeFor[rtc.ICEGatheringState](): rtc.ICEGatheringStateComplete,
		reflect.TypeFor[rtc.ICEConnectionState](): rtc.ICEConnectionStateChecking, reflect.TypeFor[rtc.PeerConnectionState](): rtc.PeerConnectionStateFailed,
		reflect.TypeFor[rtc.DataChannelMessage](): rtc.DataChannelMessage{IsString: true, Data: []byte("x")},
		reflect.TypeFor[*rtc.TrackRemote]():       new(rtc.TrackRemote), reflect.TypeFor[*rtc.RTPReceiver](): new(rtc.RTPReceiver),
	}
	hs := []rtc.EventHandler{full("first"), &rtc.HandlerFuncs{}, rtc.BaseHandler{}, full("second")}
	h := rtc.Handlers(hs...)
	hs[0] = nil // it keeps its own list
	for i := range typ.NumMethod() {
		m := typ.Method(i)
		var in []reflect.Value
		want := ""
		for j := range m.Type.NumIn() {
			v, ok := args[m.Type.In(j)]
			if !ok {
				t.Fatalf("%s takes a %v", m.Name, m.Type.In(j))
			}
			in = append(in, reflect.ValueOf(v))
			want += fmt.Sprintf(" %v", reflect.ValueOf(v))
		}
		heard = nil
		reflect.ValueOf(h).Method(i).Call(in)
		name := strings.TrimPrefix(m.Name, "On")
		if !slices.Equal(heard, []string{"first " + name + want, "second " + name + want}) {
			t.Errorf("%s: %q", m.Name, heard)
		}
	}
}

// both takes packets by itself and keyframe requests by what it embeds.
type both struct {
	*rtc.HandlerFuncs
	packets int
}

func (b *both) OnRTP(*rtc.PeerConnection, *rtc.TrackRemote, *rtp.Packet) { b.packets++ }

// The powers of a handler are found in what it is made of: functions that are set, what Handlers is given, what is embedded; a handler's own
// method comes before that of what it embeds. Where nobody takes packets they wait to be read.
func TestPowers(t *testing.T) {
	var heard []string
	funcs := func(name string) *rtc.HandlerFuncs {
		return &rtc.HandlerFuncs{
			RTP:               func(*rtc.PeerConnection, *rtc.TrackRemote, *rtp.Packet) { heard = append(heard, name+" packet") },
			RTCP:              func(*rtc.PeerConnection, []rtcp.Packet) { heard = append(heard, name+" report") },
			KeyframeRequest:   func(*rtc.PeerConnection, *rtc.RTPSender, string) { heard = append(heard, name+" keyframe") },
			BandwidthEstimate: func(*rtc.PeerConnection, int) { heard = append(heard, name+" bandwidth") },
			TrackMute: func(_ *rtc.PeerConnection, _ *rtc.TrackRemote, muted bool) {
				heard = append(heard, fmt.Sprintf("%s mute %t", name, muted))
			},
		}
	}
	own := &both{HandlerFuncs: funcs("own")}
	for _, c := range []struct {
		name    string
		handler rtc.EventHandler
		want    []string
		packets int  // that own gets
		unread  bool // packets wait
	}{
		{"none", rtc.BaseHandler{}, nil, 0, true},
		{"functions that are not set", &rtc.HandlerFuncs{}, nil, 0, true},
		{"functions", funcs("f"), []string{"f bandwidth", "f keyframe", "f mute true", "f packet", "f report"}, 0, false},
		{"a handler and what it embeds", own, []string{"own bandwidth", "own keyframe", "own mute true", "own report"}, 1, false},
		{"several", rtc.Handlers(&rtc.HandlerFuncs{}, funcs("f"), rtc.Handlers(own)), []string{
			"f bandwidth", "f keyframe", "f mute true", "f packet", "f report", "own bandwidth", "own keyframe", "own mute true", "own report",
		}, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			heard, own.packets = nil, 0
			p := simulated.newPairOf(t, sim.Config{}, func(i int, r *recorder) rtc.EventHandler {
				if i == 1 {
					return rtc.Handlers(r, c.handler)
				}
				return r
			}, nil)
			near, far := newSource(t, vp8, "near"), newSource(t, vp8, "far")
			p.add(0, near)
			p.add(1, far)
			p.connects(0)
			near.send(1)
			far.send(1)
			p.until("tracks", func() bool { return p.rec[0].track("far") != nil && p.rec[1].track("near") != nil })
			p.rec[0].track("far").RequestKeyframe()
			p.pass(5 * time.Second)
			far.send(10)
			p.must(p.pc[0].WriteRTCP([]rtcp.Packet{
				&rtcp.ReceiverReport{}, &rtcp.Goodbye{Sources: []uint32{uint32(p.rec[1].track("near").SSRC())}},
			}))
			p.pass(5 * time.Second)
			slices.Sort(heard)
			if got := slices.Compact(heard); !slices.Equal(got, c.want) {
				t.Errorf("heard %q, want %q", got, c.want)
			}
			if own.packets != c.packets {
				t.Errorf("the handler itself has got %d packets", own.packets)
			}
			_, err := p.rec[1].track("near").ReadRTP(canceled())
			if (err == nil) != c.unread {
				t.Errorf("a packet waits: %v", err)
			}
		})
	}
}
