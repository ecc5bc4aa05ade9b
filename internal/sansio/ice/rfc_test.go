package ice

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/pion/stun/v4"
)

// Each test holds one sentence.

// RFC 8489 section 6.2.1: assuming an RTO of 500 ms, requests would be sent at times 0 ms, 500 ms, 1500 ms, 3500 ms, 7500 ms, 15500 ms,
// and 31500 ms. If the client has not received a response after 39500 ms, the client will consider the transaction to have timed out.
// Where the peer is heard, the first interval comes four times.
func TestRetransmission(t *testing.T) {
	for _, heard := range []bool{false, true} {
		p := newPeer(t, Config{InitialRTO: 500 * time.Millisecond})
		p.answer()
		want, end := []time.Duration{0, 500, 1500, 3500, 7500, 15500, 31500}, 39500*time.Millisecond
		if heard {
			p.send(p.request())
			p.wantPacket("a response", stun.BindingSuccess)
			p.now = p.now.Add(time.Second)
			p.send(p.request())
			want, end = []time.Duration{0, 0, 500, 1000, 1500, 2000, 3000, 5000, 9000, 17000, 33000}, 41*time.Second
		} else {
			p.candidate(p.addr)
		}
		begin := p.now
		var at []time.Duration
		var ids [][stun.TransactionIDSize]byte
		for p.a.cur.pairs[0].state != PairFailed {
			for _, s := range p.packets() {
				at = append(at, p.now.Sub(begin)/time.Millisecond)
				if slices.Contains(ids, s.m.TransactionID) {
					t.Error("two checks are one transaction")
				}
				ids = append(ids, s.m.TransactionID)
			}
			p.advance(p.a.PollTimeout().Sub(p.now))
		}
		if !slices.Equal(at, want) {
			t.Errorf("packets at %d, want %d", at, want)
		}
		if d := p.now.Sub(begin); d != end {
			t.Errorf("the pair has failed after %v, want %v", d, end)
		}
	}
}

// RFC 8445 section 14.2: one check per Ta, and section 14.3: the RTO grows with the number of pairs that wait or are in progress.
func TestPace(t *testing.T) {
	p := newPeer(t, Config{Ta: 50 * time.Millisecond})
	for i := range 10 {
		p.candidate(netip.AddrPortFrom(p.addr.Addr(), uint16(3000+i)))
	}
	p.wantIdle("no credentials")
	p.answer()
	for i := range 10 {
		if n := len(p.packets()); n != 1 {
			t.Fatalf("%d checks at once", n)
		}
		if rto := p.a.cur.pairs[i].rto; rto != 500*time.Millisecond {
			t.Fatalf("RTO of check %d: %v", i, rto)
		}
		if wait := p.a.PollTimeout().Sub(p.now); wait != 50*time.Millisecond {
			t.Fatalf("next check in %v", wait)
		}
		p.advance(50 * time.Millisecond)
	}
}

// RFC 8445 section 7.1.1: PRIORITY MUST be set to the priority that would be assigned to a peer-reflexive candidate.
func TestCheckAttributes(t *testing.T) {
	for _, controlling := range []bool{false, true} {
		p, check := newCheckedPeer(t, Config{Controlling: controlling})
		if v, _ := attr32(check.m, stun.AttrPriority); v != 110<<24|65535<<8|255 {
			t.Errorf("PRIORITY %d", v)
		}
		// The username is the peer's fragment, a colon, and the sender's, section 7.2.2.
		if v, _ := check.m.Get(stun.AttrUsername); string(v) != p.creds.Ufrag+":"+p.a.LocalCredentials().Ufrag {
			t.Errorf("USERNAME %s", v)
		}
		// USE-CANDIDATE is the controlling agent's to send, section 7.1.2.
		tie, ok := attr64(check.m, map[bool]stun.AttrType{true: stun.AttrICEControlling, false: stun.AttrICEControlled}[controlling])
		if !ok || tie != p.a.tieBreaker || check.m.Contains(stun.AttrUseCandidate) != controlling {
			t.Errorf("controlling %v: %s", controlling, describe(check.raw))
		}
	}
}

// RFC 8445 section 7.2.5.2.1: "If the addresses are not symmetric, the agent MUST set the candidate pair state to Failed." A copy of a
// true response is no more than that: the true one still counts.
func TestAsymmetricResponse(t *testing.T) {
	p, check := newCheckedPeer(t, Config{})
	p.sendFrom(addr("203.0.113.9:9"), p.success(check))
	if s := p.a.cur.pairs[0].state; s != PairFailed || p.a.dropped.Asymmetric != 1 {
		t.Errorf("pair is %v", s)
	}
	if _, _, ok := p.a.Route(); ok || p.a.Accepts(p.base, addr("203.0.113.9:9")) {
		t.Error("a response from elsewhere made a route")
	}
	p.send(p.success(check))
	if s := p.a.cur.pairs[0].state; s != PairSucceeded {
		t.Errorf("pair is %v", s)
	}
}

// RFC 8445 section 7.2.5.3.1: a mapped address that is no local candidate is a new peer-reflexive candidate, whose priority is the value
// of the PRIORITY attribute in the Binding request.
func TestMappedAddress(t *testing.T) {
	p, check := newCheckedPeer(t, Config{})
	answer := p.build(stun.NewTransactionIDSetter(check.m.TransactionID), stun.BindingSuccess,
		&stun.XORMappedAddress{IP: []byte{203, 0, 113, 5}, Port: 4444}, stun.NewShortTermIntegrity(p.creds.Pwd), stun.Fingerprint)
	p.send(answer)
	s := p.a.Stats()
	l := s.Pairs[0].Local
	prio, _ := attr32(check.m, stun.AttrPriority)
	if l.Type != PeerReflexive || l.Addr != addr("203.0.113.5:4444") || l.Base != p.base || l.Priority != prio || len(s.Local) != 2 {
		t.Errorf("local candidate %+v of %d", l, len(s.Local))
	}
	p.send(answer)
	if p.a.dropped.UnknownResponse != 1 {
		t.Error("the same response counts twice")
	}
}

// RFC 8489 section 6.3.1: a request with unknown comprehension-required attributes is answered by 420 and the list of
// them. Not so if nobody vouches for it.
func TestUnknownAttributes(t *testing.T) {
	p := newPeer(t, Config{})
	p.send(p.request(stun.RawAttribute{Type: 0x7abc, Value: []byte("x")}, stun.RawAttribute{Type: 0xfabc}))
	answer := p.wantPacket("an unknown attribute", stun.BindingError)
	var code stun.ErrorCodeAttribute
	var list stun.UnknownAttributes
	if code.GetFrom(answer.m) != nil || code.Code != 420 || list.GetFrom(answer.m) != nil || !slices.Equal(list, []stun.AttrType{0x7abc}) {
		t.Errorf("answered with %v %v", code, list)
	}
	if len(p.a.Stats().Remote) != 0 || p.a.Accepts(p.base, p.addr) {
		t.Error("the request had an effect")
	}
	p.send(p.request(stun.RawAttribute{Type: 0xfabc}))
	p.wantPacket("a comprehension-optional attribute", stun.BindingSuccess)
	p.send(p.build(stun.BindingRequest, stun.NewUsername(p.a.LocalCredentials().Ufrag+":x"), stun.RawAttribute{Type: 0x7abc}, stun.Fingerprint))
	p.wantIdle("an unknown attribute without integrity")
}

// RFC 8445 section 7.3.1.1, all four cases and equal tie-breakers.
func TestRoleConflict(t *testing.T) {
	for _, tt := range []struct {
		name        string
		controlling bool
		role        stun.AttrType
		tie         int // -1, 0, 1: compared with ours
		want        stun.MessageType
		becomes     bool
	}{
		{"controlling, not smaller", true, stun.AttrICEControlling, 0, stun.BindingError, true},
		{"controlling, larger", true, stun.AttrICEControlling, -1, stun.BindingError, true},
		{"controlling, smaller", true, stun.AttrICEControlling, 1, stun.BindingSuccess, false},
		{"controlled, not smaller", false, stun.AttrICEControlled, 0, stun.BindingSuccess, true},
		{"controlled, larger", false, stun.AttrICEControlled, -1, stun.BindingSuccess, true},
		{"controlled, smaller", false, stun.AttrICEControlled, 1, stun.BindingError, false},
		{"no conflict", true, stun.AttrICEControlled, 1, stun.BindingSuccess, true},
		{"no conflict", false, stun.AttrICEControlling, 1, stun.BindingSuccess, false},
	} {
		p := newPeer(t, Config{Controlling: tt.controlling})
		p.role, p.tie = tt.role, p.a.tieBreaker+uint64(tt.tie)
		p.send(p.request())
		answer := p.wantPacket(tt.name, tt.want)
		var code stun.ErrorCodeAttribute
		if tt.want == stun.BindingError && (code.GetFrom(answer.m) != nil || code.Code != 487) {
			t.Errorf("%s: %v", tt.name, code)
		}
		if p.a.controlling != tt.becomes {
			t.Errorf("%s: controlling %v", tt.name, p.a.controlling)
		}
	}
}

// RFC 8445 section 7.2.5.1: with a 487 the agent MUST switch its role, queue the pair for a triggered check, and change its tie-breaker.
func TestRoleConflictResponse(t *testing.T) {
	p, check := newCheckedPeer(t, Config{Controlling: true})
	tie := p.a.tieBreaker
	p.advance(5 * time.Millisecond)
	p.send(p.failure(check, stun.CodeRoleConflict, p.creds.Pwd))
	again := p.wantRequest("after 487")
	if p.a.controlling || p.a.tieBreaker == tie || !again.m.Contains(stun.AttrICEControlled) || again.m.TransactionID == check.m.TransactionID {
		t.Errorf("controlling %v, sent %s", p.a.controlling, describe(again.raw))
	}
	p.send(p.success(again))
	if _, _, ok := p.a.Route(); !ok {
		t.Error("no route")
	}
}

// A 487 that answers a request of the role before tells nothing new: the role and the tie-breaker stay.
func TestRoleConflictOfTheRoleBefore(t *testing.T) {
	p, check := newCheckedPeer(t, Config{Controlling: true})
	p.role, p.tie = stun.AttrICEControlling, p.a.tieBreaker+1
	p.send(p.request())
	if p.a.controlling {
		t.Fatal("the smaller tie-breaker keeps its role")
	}
	tie := p.a.tieBreaker
	p.send(p.failure(check, stun.CodeRoleConflict, p.creds.Pwd))
	if p.a.controlling || p.a.tieBreaker != tie || p.a.conflicts != 1 {
		t.Errorf("controlling %v after %d conflicts, another tie-breaker %v", p.a.controlling, p.a.conflicts, p.a.tieBreaker != tie)
	}
}

// RFC 8489 section 6.3.3: "If the success response contains unknown comprehension-required attributes, the response is discarded".
func TestUnknownAttributesOfAResponse(t *testing.T) {
	p, check := newCheckedPeer(t, Config{})
	p.send(p.build(stun.NewTransactionIDSetter(check.m.TransactionID), stun.BindingSuccess,
		&stun.XORMappedAddress{IP: p.base.Addr().AsSlice(), Port: int(p.base.Port())}, stun.RawAttribute{Type: 0x7abc, Value: []byte("x")},
		stun.NewShortTermIntegrity(p.creds.Pwd), stun.Fingerprint))
	if s := p.a.cur.pairs[0].state; s == PairSucceeded || p.a.dropped.Malformed != 1 {
		t.Errorf("pair is %v, %d dropped", s, p.a.dropped.Malformed)
	}
}

// RFC 8445 section 6.1.2.5: the number of checks MUST be limited, by discarding the pairs of the lowest priority.
func TestPairLimit(t *testing.T) {
	p := newPeer(t, Config{MaxPairs: 5, MaxRemoteCandidates: 20})
	for i := range 20 {
		c := HostCandidate(netip.AddrPortFrom(p.addr.Addr(), uint16(3000+i)), "", uint16(i*7%20))
		if err := p.a.AddRemoteCandidate(p.now, c); err != nil {
			t.Fatal(err)
		}
		p.a.check(p.now)
	}
	s := p.a.Stats()
	for i, pair := range s.Pairs {
		if pref := pair.Remote.Priority >> 8 & 0xffff; pref != uint32(19-i) {
			t.Errorf("pair %d has preference %d", i, pref)
		}
	}
	wantError(t, p.a.AddRemoteCandidate(p.now, HostCandidate(addr("203.0.113.1:1"), "", 9)), ErrTooManyCandidates)
	if len(s.Pairs) != 5 || len(s.Remote) != 20 {
		t.Errorf("%d pairs, %d candidates", len(s.Pairs), len(s.Remote))
	}
	// A check from a known candidate makes its pair all the same, and so do some from new addresses.
	p.answer()
	p.packets()
	low := addr("192.0.2.2:3000")
	p.sendFrom(low, p.request())
	p.wantPacket("a known candidate", stun.BindingSuccess)
	if !p.a.Accepts(p.base, low) || p.a.Accepts(p.base, p.addr) {
		t.Error("the pair of a check was not made")
	}
	for i := range 4 {
		p.sendFrom(netip.AddrPortFrom(p.addr.Addr(), uint16(100+i)), p.request())
		p.wantPacket("a new address takes the place of a pair that nothing is known about", stun.BindingSuccess)
	}
	p.packets()
	p.sendFrom(p.addr, p.request())
	p.wantIdle("a check beyond the limit")
	if p.a.dropped.Limit != 1 {
		t.Error("not counted")
	}
}

// RFC 8445 section 6.1.2.3: "pair priority = 2^32*MIN(G,D) + 2*MAX(G,D) + (G>D?1:0)".
func TestPairPriority(t *testing.T) {
	p := pair{local: &Candidate{Priority: 5}, remote: &Candidate{Priority: 3}}
	if p.prioritize(true); p.priority != 3<<32+2*5+1 {
		t.Errorf("controlling: %x", p.priority)
	}
	if p.prioritize(false); p.priority != 3<<32+2*5 {
		t.Errorf("controlled: %x", p.priority)
	}
}

// RFC 8445 section 6.1.2.2: pairs have one address family, and IPv6 link-local addresses MUST NOT be paired with other than link-local
// addresses.
func TestPairing(t *testing.T) {
	a := New(Config{Rand: newSeeded(1)})
	for _, l := range []string{"192.0.2.1:1", "127.0.0.1:1", "[2001:db8::1]:1", "[fe80::1%eth0]:1", "[fe80::1%eth1]:1"} {
		if !a.AddLocalCandidate(epoch, HostCandidate(addr(l), "", 1)) {
			t.Errorf("%s refused", l)
		}
	}
	if a.AddLocalCandidate(epoch, HostCandidate(addr("192.0.2.1:1"), "", 1)) {
		t.Error("the same candidate twice")
	}
	for _, r := range []string{"198.51.100.1:2", "127.0.0.1:2", "[2001:db8::2]:2", "[fe80::2]:2"} {
		if err := a.AddRemoteCandidate(epoch, HostCandidate(addr(r), "", 1)); err != nil {
			t.Error(err)
		}
	}
	a.check(epoch)
	var got []string
	for _, p := range a.cur.pairs {
		got = append(got, p.base.String()+" "+p.addr.String())
	}
	slices.Sort(got)
	want := []string{"127.0.0.1:1 127.0.0.1:2", "192.0.2.1:1 198.51.100.1:2", "[2001:db8::1]:1 [2001:db8::2]:2",
		"[fe80::1%eth0]:1 [fe80::2%eth0]:2", "[fe80::1%eth1]:1 [fe80::2%eth1]:2"}
	if !slices.Equal(got, want) {
		t.Errorf("pairs %v", got)
	}
}

// RFC 8863 section 4: a checklist MUST NOT fail before the PAC timer expires, even if the peer
// has said that it has no candidates: it may come from where it did not expect.
func TestPatience(t *testing.T) {
	for _, comes := range []bool{false, true} {
		p := newPeer(t, Config{})
		p.answer()
		p.a.EndOfRemoteCandidates(p.now)
		p.advance(79*250*time.Millisecond - time.Millisecond)
		if s := p.a.State(); s != StateChecking {
			t.Fatalf("%v without patience", s)
		}
		if comes {
			p.send(p.request())
			p.packets()
		}
		p.advance(time.Millisecond)
		if want := map[bool]State{true: StateChecking, false: StateFailed}[comes]; p.a.State() != want {
			t.Errorf("%v, want %v", p.a.State(), want)
		}
		p.advance(time.Hour)
		if p.a.State() != StateFailed {
			t.Errorf("%v after an hour", p.a.State())
		}
		p.packets()
		p.send(p.request())
		p.wantIdle("a check when all has failed")
		if p.a.dropped.Ended != 1 || !p.a.PollTimeout().IsZero() {
			t.Error("a failed agent is not at rest")
		}
	}
}

// RFC 7675 section 5.1: Each STUN binding request for consent MUST use a new STUN transaction identifier, its interval is randomized
// by 0.8 to 1.2, and consent expires after 30 seconds.
func TestConsent(t *testing.T) {
	p := newConnectedPeer(t, Config{KeepaliveInterval: -1})
	ids := map[transactionID]bool{}
	last := p.now
	for range 200 {
		for p.a.PollTimeout().Sub(p.now) > 2*time.Second {
			p.advance(2 * time.Second)
			p.wantIdle("data comes in")
			p.a.HandleData(p.now, p.base, p.addr)
			p.a.HandleUse(p.now)
		}
		p.advance(p.a.PollTimeout().Sub(p.now))
		ask := p.wantRequest("consent")
		if d := p.now.Sub(last); d < 4*time.Second || d > 6*time.Second {
			t.Fatalf("consent asked for after %v", d)
		}
		last = p.now
		if ids[ask.m.TransactionID] {
			t.Fatal("a transaction identifier twice")
		}
		ids[ask.m.TransactionID] = true
		p.a.HandleData(p.now, p.base, p.addr)
		p.send(p.success(ask))
	}
	// Data that comes in is no consent.
	for range 299 {
		p.advance(100 * time.Millisecond)
		p.a.HandleData(p.now, p.base, p.addr)
	}
	if _, _, ok := p.a.Route(); !ok || p.a.State() != StateConnected {
		t.Errorf("%v before 30 s", p.a.State())
	}
	p.advance(100 * time.Millisecond)
	p.packets()
	if _, _, ok := p.a.Route(); ok || p.a.State() != StateFailed {
		t.Errorf("%v after 30 s", p.a.State())
	}
	p.advance(time.Hour)
	p.wantIdle("consent is gone")
}

// An error response is no consent, and neither is a response that does not know our address or our question.
func TestConsentNeedsSuccess(t *testing.T) {
	p := newConnectedPeer(t, Config{})
	until := p.now.Add(30 * time.Second)
	for p.a.State() == StateConnected && !p.now.After(until) {
		p.advance(p.a.PollTimeout().Sub(p.now))
		for _, s := range p.packets() {
			p.send(p.failure(s, stun.CodeServerError, p.creds.Pwd))
			p.send(p.build(stun.NewTransactionIDSetter(s.m.TransactionID), stun.BindingSuccess, stun.NewShortTermIntegrity(p.creds.Pwd), stun.Fingerprint))
			p.send(p.build(stun.BindingSuccess, &stun.XORMappedAddress{IP: []byte{1, 2, 3, 4}, Port: 5}, stun.NewShortTermIntegrity(p.creds.Pwd), stun.Fingerprint))
		}
	}
	if !p.now.Equal(until) || p.a.State() != StateFailed {
		t.Errorf("%v after %v", p.a.State(), p.now.Sub(until))
	}
}

// RFC 8838 section 11: a candidate that is redundant with a peer-reflexive one takes its place; others are ignored.
func TestRedundantRemoteCandidate(t *testing.T) {
	p := newPeer(t, Config{})
	p.answer()
	p.send(p.request())
	if c := p.a.Stats().Remote[0]; c.Type != PeerReflexive || c.Priority != p.prio || c.Addr != p.addr {
		t.Errorf("learned %+v", c)
	}
	before := p.a.cur.pairs[0].priority
	want := HostCandidate(p.addr, p.creds.Ufrag, 65535)
	for range 3 {
		p.candidate(p.addr)
		if s := p.a.Stats(); len(s.Remote) != 1 || s.Remote[0] != want || len(s.Pairs) != 1 || s.Pairs[0].Priority <= before {
			t.Errorf("%+v", s)
		}
	}
}

// A candidate whose ufrag is not of the current generation is dropped, as RFC 8840 section 4.4 has it for SIP.
func TestCandidateOfWrongGeneration(t *testing.T) {
	p := newPeer(t, Config{})
	wrong := HostCandidate(addr("203.0.113.1:1"), "nope", 65535)
	if err := p.a.AddRemoteCandidate(p.now, wrong); err != nil {
		t.Errorf("before the answer: %v", err)
	}
	p.answer() // it turns out to be wrong
	if n := len(p.a.Stats().Remote); n != 0 {
		t.Errorf("%d candidates", n)
	}
	wantError(t, p.a.AddRemoteCandidate(p.now, wrong), ErrWrongGeneration)
	tcp, _ := ParseCandidate("candidate:5 1 tcp 1518280447 192.0.2.3 9 typ host tcptype active")
	wantError(t, p.a.AddRemoteCandidate(p.now, tcp), ErrUnsupportedCandidate)
	if n := p.a.Stats().Dropped.RemoteCandidates; n != 2 {
		t.Errorf("%d counted", n)
	}
	p.a.Restart(p.now, Credentials{"newufrag", "0123456789012345678901"})
	wantError(t, p.a.AddRemoteCandidate(p.now, HostCandidate(p.addr, p.creds.Ufrag, 1)), ErrWrongGeneration)
	p.a.Close(p.now)
	wantError(t, p.a.AddRemoteCandidate(p.now, wrong), ErrClosed)
}

// RFC 5769 section 2, through the agent's own codec.
func TestRFC5769(t *testing.T) {
	const pwd = "VOkJxbRl1RmTxUk/WvJxBt"
	a := New(Config{Rand: newSeeded(1), Controlling: true, Local: Credentials{"evtj", pwd}})
	local, remote := addr("192.0.2.9:9"), addr("192.0.2.1:32853")
	a.AddLocalCandidate(epoch, HostCandidate(local, "evtj", 65535))
	request := []byte("\x00\x01\x00\x58\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae" +
		"\x80\x22\x00\x10STUN test client\x00\x24\x00\x04\x6e\x00\x01\xff\x80\x29\x00\x08\x93\x2f\xf9\xb1\x51\x26\x3b\x36" +
		"\x00\x06\x00\x09\x65\x76\x74\x6a\x3a\x68\x36\x76\x59\x20\x20\x20\x00\x08\x00\x14\x9a\xea\xa7\x0c\xbf\xd8\xcb\x56\x78\x1e\xf2\xb5" +
		"\xb2\xd3\xf2\x49\xc1\xb5\x71\xa2\x80\x28\x00\x04\xe5\x7a\x3b\xcf")
	a.HandlePacket(epoch, local, remote, request)
	s := a.Stats()
	if len(s.Remote) != 1 || s.Remote[0].Priority != 0x6e0001ff || s.Remote[0].Ufrag != "h6vY" || s.Remote[0].Addr != remote {
		t.Fatalf("request: %+v", s)
	}
	for _, tt := range []struct{ response, mapped string }{
		{"\x01\x01\x00\x3c\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\x80\x22\x00\x0b\x74\x65\x73\x74\x20\x76\x65\x63\x74\x6f\x72\x20" +
			"\x00\x20\x00\x08\x00\x01\xa1\x47\xe1\x12\xa6\x43\x00\x08\x00\x14\x2b\x91\xf5\x99\xfd\x9e\x90\xc3\x8c\x74\x89\xf9\x2a\xf9\xba\x53\xf0\x6b\xe7\xd7" +
			"\x80\x28\x00\x04\xc0\x7d\x4c\x96", "192.0.2.1:32853"},
		{"\x01\x01\x00\x48\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\x80\x22\x00\x0b\x74\x65\x73\x74\x20\x76\x65\x63\x74\x6f\x72\x20" +
			"\x00\x20\x00\x14\x00\x02\xa1\x47\x01\x13\xa9\xfa\xa5\xd3\xf1\x79\xbc\x25\xf4\xb5\xbe\xd2\xb9\xd9\x00\x08\x00\x14\xa3\x82\x95\x4e\x4b\xe6\x7b\xf1" +
			"\x17\x84\xc9\x7c\x82\x92\xc2\x75\xbf\xe3\xed\x41\x80\x28\x00\x04\xc8\xfb\x0b\x4c", "[2001:db8:1234:5678:11:2233:4455:6677]:32853"},
	} {
		m := stun.Message{Raw: []byte(tt.response)}
		if !decode(&m, &a.dropped) || stun.NewShortTermIntegrity(pwd).Check(&m) != nil {
			t.Fatalf("response with %s refused", tt.mapped)
		}
		if got, ok := mappedAddress(&m); !ok || got != addr(tt.mapped) {
			t.Errorf("mapped %v, want %s", got, tt.mapped)
		}
	}
	if binary.BigEndian.Uint16(request[2:])+headerSize != uint16(len(request)) {
		t.Error("the agent changed the packet")
	}
}
