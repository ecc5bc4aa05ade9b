package ice

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/stun/v4"
)

// What went wrong elsewhere. Each test sends what an attacker sent there.

// noEffect sends packets to an agent that is being checked, and wants nothing to change and nothing to be sent.
func noEffect(t *testing.T, p *peer, packets ...[]byte) {
	t.Helper()
	p.packets()
	before, deadline := p.snapshot(), p.a.PollTimeout()
	for i, b := range packets {
		for _, from := range []netip.AddrPort{p.addr, addr("203.0.113.66:666")} {
			p.sendFrom(from, b)
			if diff := cmp.Diff(before, p.snapshot(), compareAddr); diff != "" {
				t.Errorf("packet %d (%s) from %v has an effect: %s", i, describe(b), from, diff)
			}
			p.wantIdle(fmt.Sprintf("packet %d (%s) from %v", i, describe(b), from))
		}
	}
	if !p.a.PollTimeout().Equal(deadline) {
		t.Error("the deadline has moved")
	}
	if e, ok := p.a.PollEvent(); ok && p.a.State() != StateNew {
		if e.Kind != EventStateChange || e.State != StateChecking {
			t.Errorf("event %v", e)
		}
	}
}

// CVE-2026-116790 (FreeSWITCH): inbound checks were accepted without verifying MESSAGE-INTEGRITY.
func TestCVE2026_116790_NoIntegrity(t *testing.T) {
	for _, controlling := range []bool{false, true} {
		p, _ := newCheckedPeer(t, Config{Controlling: controlling})
		user := stun.NewUsername(p.a.LocalCredentials().Ufrag + ":" + p.creds.Ufrag)
		role := stun.RawAttribute{Type: p.role, Value: []byte("\xff\xff\xff\xff\xff\xff\xff\xff")}
		prio := stun.RawAttribute{Type: stun.AttrPriority, Value: []byte{110, 1, 2, 3}}
		use := stun.RawAttribute{Type: stun.AttrUseCandidate}
		ours := stun.NewShortTermIntegrity(p.a.LocalCredentials().Pwd)
		empty, theirs := stun.NewShortTermIntegrity(""), stun.NewShortTermIntegrity(p.creds.Pwd)
		cut := p.request(use)
		cut[len(cut)-15] ^= 1 // within MESSAGE-INTEGRITY
		short := stun.RawAttribute{Type: stun.AttrMessageIntegrity, Value: []byte{1, 2, 3, 4}}
		// Attributes after MESSAGE-INTEGRITY are not protected by it: RFC 8489 section 14.5, they MUST be ignored.
		p.sendFrom(p.addr, p.build(stun.BindingRequest, user, role, prio, ours, use, stun.Fingerprint))
		if !controlling && !p.a.cur.pairs[0].nominatedAt.IsZero() {
			t.Error("USE-CANDIDATE behind MESSAGE-INTEGRITY nominates")
		}
		noEffect(t, p,
			p.build(stun.BindingRequest, user, role, prio, use, stun.Fingerprint),
			p.build(stun.BindingRequest, user, role, prio, use, short, stun.Fingerprint),
			p.build(stun.BindingRequest, user, role, prio, use, empty, stun.Fingerprint),
			p.build(stun.BindingRequest, user, role, prio, use, theirs, stun.Fingerprint),
			p.build(stun.BindingRequest, role, prio, use, ours, stun.Fingerprint),
			p.build(stun.BindingRequest, stun.NewUsername("x:y"), role, prio, use, ours, stun.Fingerprint),
			p.build(stun.BindingRequest, stun.NewUsername(p.a.LocalCredentials().Ufrag), role, prio, use, ours, stun.Fingerprint),
			p.build(stun.BindingRequest, stun.NewUsername(p.a.LocalCredentials().Ufrag+":"), role, prio, use, ours, stun.Fingerprint),
			p.build(stun.BindingRequest, stun.NewUsername(p.a.LocalCredentials().Ufrag+":other"), role, prio, use, ours, stun.Fingerprint),
			p.build(stun.BindingRequest, user, role, prio, use, ours),
			cut,
		)
		if d := p.a.dropped; d.Integrity == 0 || d.Username == 0 || d.Fingerprint == 0 {
			t.Errorf("counted %+v", d)
		}
	}
}

// CVE-2026-103936 (libp2p webrtc-direct): one STUN packet before authentication ended the process. All truncations and all single-bit errors
// of a correct check and a correct response.
func TestCVE2026_103936_MangledPackets(t *testing.T) {
	p, check := newCheckedPeer(t, Config{})
	p.packets()
	before := p.snapshot()
	for _, good := range [][]byte{p.request(stun.RawAttribute{Type: stun.AttrUseCandidate}), p.success(check), p.failure(check, 487, p.creds.Pwd)} {
		for n := range good {
			p.send(slices.Clone(good[:n]))
			if n >= len(good)-8 && good[0] == 1 {
				continue // FINGERPRINT is not protected, and a response may do without it
			}
			for bit := range 8 {
				b := slices.Clone(good)
				b[n] ^= 1 << bit
				p.send(b)
			}
		}
		p.send(append(slices.Clone(good), 0, 0, 0, 0))
		p.send(append(slices.Clone(good), make([]byte, 70000)...))
	}
	if diff := cmp.Diff(before, p.snapshot(), compareAddr); diff != "" {
		t.Error(diff)
	}
	p.wantIdle("mangled packets")
}

// CVE-2021-37706 (pjsip): an ERROR-CODE shorter than its header underflowed a length.
func TestCVE2021_37706_ShortErrorCode(t *testing.T) {
	p, check := newCheckedPeer(t, Config{Controlling: true})
	key := stun.NewShortTermIntegrity(p.creds.Pwd)
	var packets [][]byte
	for n := range 4 {
		packets = append(packets, p.build(stun.NewTransactionIDSetter(check.m.TransactionID), stun.BindingError,
			stun.RawAttribute{Type: stun.AttrErrorCode, Value: make([]byte, n)}, key, stun.Fingerprint))
	}
	packets = append(packets, p.build(stun.NewTransactionIDSetter(check.m.TransactionID), stun.BindingError, key, stun.Fingerprint))
	for _, b := range packets {
		p.send(b)
	}
	if p.a.dropped.Malformed != 5 || !p.a.controlling || p.a.cur.pairs[0].state != PairInProgress {
		t.Errorf("dropped %d, pair %v", p.a.dropped.Malformed, p.a.cur.pairs[0].state)
	}
	p.send(p.success(check))
	if _, _, ok := p.a.Route(); !ok {
		t.Error("no route")
	}
}

// The same for every attribute that has a size: authenticated, so that it is looked at.
func TestWrongAttributeSizes(t *testing.T) {
	for n := range 24 {
		v := make([]byte, n)
		p, check := newCheckedPeer(t, Config{})
		p.packets()
		user := stun.NewUsername(p.a.LocalCredentials().Ufrag + ":" + p.creds.Ufrag)
		ours, theirs := stun.NewShortTermIntegrity(p.a.LocalCredentials().Pwd), stun.NewShortTermIntegrity(p.creds.Pwd)
		p.sendFrom(addr("203.0.113.1:1"), p.build(stun.BindingRequest, user, stun.RawAttribute{Type: stun.AttrPriority, Value: v}, ours, stun.Fingerprint))
		if got := len(p.a.Stats().Remote) == 2; got != (n == 4) {
			t.Errorf("PRIORITY of %d bytes: learned %v", n, got)
		}
		p.send(p.build(stun.BindingRequest, user, stun.RawAttribute{Type: stun.AttrICEControlled, Value: v}, ours, stun.Fingerprint))
		p.send(p.build(stun.BindingRequest, user, stun.RawAttribute{Type: stun.AttrUseCandidate, Value: v}, ours, stun.Fingerprint))
		v = append([]byte{0, 1}, v...)
		p.send(p.build(stun.NewTransactionIDSetter(check.m.TransactionID), stun.BindingSuccess,
			stun.RawAttribute{Type: stun.AttrXORMappedAddress, Value: v}, theirs, stun.Fingerprint))
		if _, _, ok := p.a.Route(); ok != (len(v) == 8) {
			t.Errorf("XOR-MAPPED-ADDRESS of %d bytes: route %v", len(v), ok)
		}
	}
}

// str0m #854: a STUN indication led to a panic. Indications, and methods that are none of ours, with correct integrity.
func TestStr0m854_Indication(t *testing.T) {
	p, check := newCheckedPeer(t, Config{})
	user := stun.NewUsername(p.a.LocalCredentials().Ufrag + ":" + p.creds.Ufrag)
	ours := stun.NewShortTermIntegrity(p.a.LocalCredentials().Pwd)
	prio := stun.RawAttribute{Type: stun.AttrPriority, Value: []byte{110, 1, 2, 3}}
	var packets [][]byte
	for _, class := range []stun.MessageClass{stun.ClassRequest, stun.ClassIndication, stun.ClassSuccessResponse, stun.ClassErrorResponse} {
		for _, method := range []stun.Method{0, 1, 2, 3, 6, 7, 0xfff} {
			if method == stun.MethodBinding && class != stun.ClassIndication {
				continue
			}
			packets = append(packets, p.build(stun.NewTransactionIDSetter(check.m.TransactionID), stun.NewType(method, class), user, prio, ours, stun.Fingerprint))
		}
	}
	noEffect(t, p, packets...)
	if int(p.a.dropped.Unexpected) != 2*len(packets) {
		t.Errorf("%d counted of %d", p.a.dropped.Unexpected, 2*len(packets))
	}
}

// A 487 that is forged would make both sides controlled, a 400 would end the only pair.
func TestForgedErrorResponse(t *testing.T) {
	p, check := newCheckedPeer(t, Config{Controlling: true})
	noEffect(t, p,
		p.failure(check, stun.CodeRoleConflict, "guess"),
		p.failure(check, stun.CodeBadRequest, p.a.LocalCredentials().Pwd),
		p.build(stun.NewTransactionIDSetter(check.m.TransactionID), stun.BindingError, stun.CodeRoleConflict, stun.Fingerprint),
		p.build(stun.NewTransactionIDSetter(check.m.TransactionID), stun.BindingError, stun.CodeUnauthorized),
	)
	if d := p.a.dropped; d.Integrity != 8 {
		t.Errorf("counted %+v", d)
	}
}

// A response that is forged or comes from a wrong address would lead data to somebody else.
func TestForgedResponse(t *testing.T) {
	p, check := newCheckedPeer(t, Config{Controlling: true})
	mapped := &stun.XORMappedAddress{IP: []byte{192, 0, 2, 1}, Port: 1000}
	id := stun.NewTransactionIDSetter(check.m.TransactionID)
	noEffect(t, p,
		p.build(id, stun.BindingSuccess, mapped, stun.Fingerprint),
		p.build(id, stun.BindingSuccess, mapped, stun.NewShortTermIntegrity("guess"), stun.Fingerprint),
		p.build(stun.BindingSuccess, mapped, stun.NewShortTermIntegrity(p.creds.Pwd), stun.Fingerprint),
	)
	// A pair that works does not end by a copy of a response.
	p.send(p.success(check))
	p.advance(6 * time.Second)
	ask := p.wantRequest("consent")
	p.sendFrom(addr("203.0.113.66:666"), p.success(ask))
	if _, remote, ok := p.a.Route(); !ok || remote != p.addr || p.a.Accepts(p.base, addr("203.0.113.66:666")) {
		t.Errorf("route %v %v", remote, ok)
	}
}

// A check of an old generation, recorded and sent again, would bring the old path back.
func TestReplayOfOldGeneration(t *testing.T) {
	p := newConnectedPeer(t, Config{})
	old := p.request(stun.RawAttribute{Type: stun.AttrUseCandidate})
	elsewhere := addr("203.0.113.66:666")
	rand := newSeeded(9)
	local, _ := NewCredentials(rand)
	p.a.Restart(p.now, local)
	// While the old generation lives it answers on the pairs that it has, and learns nothing.
	p.send(old)
	list := 0
	for {
		if _, _, _, ok := p.a.PollWrite(p.now, nil); !ok {
			break
		}
		list++
	}
	if list != 1 {
		t.Errorf("%d packets", list)
	}
	p.sendFrom(elsewhere, old)
	p.wantIdle("an old check from elsewhere")
	if p.a.Accepts(p.base, elsewhere) || p.a.dropped.OldGeneration != 1 || len(p.a.Stats().Remote) != 0 {
		t.Error("a replay was learned from")
	}
	p.a.AddLocalCandidate(p.now, HostCandidate(p.base, local.Ufrag, 65535))
	p.creds, _ = NewCredentials(rand)
	p.answer()
	p.candidate(p.addr)
	p.send(p.success(p.wantRequest("the new generation")))
	p.send(p.request(stun.RawAttribute{Type: stun.AttrUseCandidate})) // keeps alive
	for p.a.old != nil {
		p.advance(time.Second)
		for _, s := range p.packets() {
			if s.m.Type == stun.BindingRequest {
				p.send(p.success(s))
			}
		}
	}
	noEffect(t, p, old)
}

// A peer that sends checks from thousands of source addresses, correctly, must not make us remember or send without limit.
func TestBoundedLearning(t *testing.T) {
	p := newPeer(t, Config{})
	for i := range 5000 {
		p.sendFrom(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 1), p.request())
		if n := len(p.packets()); i < maxEarly && n != 1 || i >= maxEarly && n != 0 {
			t.Fatalf("check %d before the answer: %d packets", i, n)
		}
	}
	if n := len(p.a.Stats().Remote); n != maxEarly {
		t.Errorf("%d candidates before the answer", n)
	}
	p.answer()
	sent := len(p.packets())
	for i := range 5000 {
		p.sendFrom(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 1), p.request())
	}
	for !p.a.PollTimeout().IsZero() && p.a.State() != StateFailed && p.now.Before(epoch.Add(time.Hour)) {
		p.advance(time.Second)
		sent += len(p.packets())
	}
	if s := p.a.Stats(); len(s.Remote) != 64+reservedReflexive || sent > (64+reservedReflexive)*(rc+steady) {
		t.Errorf("%d candidates, %d packets sent", len(s.Remote), sent)
	}
	if len(p.a.out) != 0 || cap(p.a.out) > 2*maxQueued {
		t.Errorf("%d packets in memory", cap(p.a.out))
	}
}

// A peer that signals as many candidates as are taken, none of which works, is still found where its checks come from, also while all pairs are
// being checked.
func TestSignalledCandidatesLeaveRoom(t *testing.T) {
	for _, cfg := range []Config{{}, {MaxPairs: 4}} {
		p := newPeer(t, cfg)
		p.answer()
		for i := range 100 {
			err := p.a.AddRemoteCandidate(p.now, HostCandidate(netip.AddrPortFrom(addr("10.9.0.1:1").Addr(), uint16(1+i)), "", 9))
			if tooMany := i >= 64; tooMany != errors.Is(err, ErrTooManyCandidates) {
				t.Fatalf("candidate %d: %v", i, err)
			}
		}
		for range 100 {
			p.advance(5 * time.Millisecond)
		}
		p.packets()
		p.send(p.request())
		p.wantPacket("a check that comes from elsewhere", stun.BindingSuccess)
		p.advance(time.Second)
		for _, s := range p.packets() {
			if s.remote == p.addr {
				p.send(p.success(s))
			}
		}
		if _, remote, ok := p.a.Route(); !ok || remote != p.addr {
			t.Errorf("MaxPairs %d: no route: %v", cfg.MaxPairs, p.a.dropped)
		}
	}
}

// Checks under another ufrag than that of the answer, as of another fork, are forgotten with the answer.
func TestEarlyChecksOfAnotherFork(t *testing.T) {
	p := newPeer(t, Config{})
	right := p.creds
	p.creds.Ufrag = "fork"
	p.sendFrom(addr("203.0.113.1:1"), p.request())
	p.creds = right
	p.send(p.request())
	p.packets()
	p.answer()
	list := p.packets()
	if len(list) != 1 || list[0].remote != p.addr || len(p.a.Stats().Remote) != 1 {
		t.Errorf("%d checks, candidates %v", len(list), p.a.Stats().Remote)
	}
	if p.a.Accepts(p.base, addr("203.0.113.1:1")) {
		t.Error("the other fork is still accepted")
	}
}
