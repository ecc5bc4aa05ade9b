package ice

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun/v4"
)

// peer speaks STUN to an agent, packet by packet.
type peer struct {
	t    *testing.T
	a    *Agent
	now  time.Time
	base netip.AddrPort // of the agent
	addr netip.AddrPort // of the peer
	// creds are the peer's; the agent knows them after answer.
	creds Credentials
	role  stun.AttrType
	tie   uint64
	prio  uint32
	id    byte
}

// sentPacket is what the agent sent.
type sentPacket struct {
	local, remote netip.AddrPort
	raw           []byte
	m             *stun.Message
}

func newPeer(t *testing.T, cfg Config) *peer {
	rand := newSeeded(7)
	cfg.Rand = rand
	cfg.Local, _ = NewCredentials(rand)
	p := &peer{t: t, a: New(cfg), now: epoch, base: addr("192.0.2.1:1000"), addr: addr("192.0.2.2:2000"),
		role: stun.AttrICEControlling, prio: 110<<24 | 65535<<8 | 255}
	p.creds, _ = NewCredentials(rand)
	if cfg.Controlling {
		p.role = stun.AttrICEControlled
	}
	p.a.AddLocalCandidate(p.now, HostCandidate(p.base, p.a.LocalCredentials().Ufrag, 65535))
	p.a.EndOfLocalCandidates(p.now)
	return p
}

// newCheckedPeer's agent knows the peer's credentials and has sent a check to its only candidate.
func newCheckedPeer(t *testing.T, cfg Config) (*peer, sentPacket) {
	p := newPeer(t, cfg)
	p.answer()
	p.candidate(p.addr)
	return p, p.wantRequest("a check to the candidate")
}

// newConnectedPeer's agent has a valid pair and nothing under way.
func newConnectedPeer(t *testing.T, cfg Config) *peer {
	p, check := newCheckedPeer(t, cfg)
	if !cfg.Controlling {
		p.send(p.request(stun.RawAttribute{Type: stun.AttrUseCandidate}))
	}
	p.packets()
	p.advance(20 * time.Millisecond)
	p.packets()
	p.send(p.success(check))
	if _, _, ok := p.a.Route(); !ok || p.a.State() != StateConnected {
		t.Fatal("not connected")
	}
	p.packets()
	return p
}

func (p *peer) answer() {
	p.a.SetRemote(p.now, p.creds, false)
	p.a.check(p.now)
}

func (p *peer) candidate(addr netip.AddrPort) {
	p.t.Helper()
	if err := p.a.AddRemoteCandidate(p.now, HostCandidate(addr, p.creds.Ufrag, 65535)); err != nil {
		p.t.Fatal(err)
	}
	p.a.check(p.now)
}

func (p *peer) advance(d time.Duration) {
	for end := p.now.Add(d); ; {
		t := p.a.PollTimeout()
		if t.IsZero() || t.After(end) {
			p.now = end
			return
		}
		p.now = t
		p.a.HandleTimeout(t)
		p.a.check(t)
	}
}

// build makes a message with a fresh transaction identifier, or that of m's setters.
func (p *peer) build(setters ...stun.Setter) []byte {
	p.id++
	setters = append([]stun.Setter{stun.NewTransactionIDSetter([12]byte{'t', p.id})}, setters...)
	m, err := stun.Build(setters...)
	if err != nil {
		p.t.Fatal(err)
	}
	return m.Raw
}

// request is a correct check, with more attributes.
func (p *peer) request(more ...stun.Setter) []byte {
	setters := []stun.Setter{stun.BindingRequest, stun.NewUsername(p.a.LocalCredentials().Ufrag + ":" + p.creds.Ufrag),
		stun.RawAttribute{Type: p.role, Value: binary.BigEndian.AppendUint64(nil, p.tie)},
		stun.RawAttribute{Type: stun.AttrPriority, Value: binary.BigEndian.AppendUint32(nil, p.prio)}}
	setters = append(setters, more...)
	return p.build(append(setters, stun.NewShortTermIntegrity(p.a.LocalCredentials().Pwd), stun.Fingerprint)...)
}

// success is the correct response to a request of the agent, with more attributes.
func (p *peer) success(r sentPacket, more ...stun.Setter) []byte {
	setters := []stun.Setter{stun.NewTransactionIDSetter(r.m.TransactionID), stun.BindingSuccess,
		&stun.XORMappedAddress{IP: r.local.Addr().AsSlice(), Port: int(r.local.Port())}}
	setters = append(setters, more...)
	return p.build(append(setters, stun.NewShortTermIntegrity(p.creds.Pwd), stun.Fingerprint)...)
}

func (p *peer) failure(r sentPacket, code stun.ErrorCode, pwd string) []byte {
	return p.build(stun.NewTransactionIDSetter(r.m.TransactionID), stun.BindingError, code, stun.NewShortTermIntegrity(pwd), stun.Fingerprint)
}

func (p *peer) send(b []byte) { p.sendFrom(p.addr, b) }

// sendFrom returns what was embedded in b.
func (p *peer) sendFrom(remote netip.AddrPort, b []byte) []byte {
	embedded := p.a.HandlePacket(p.now, p.base, remote, b)
	p.a.check(p.now)
	return embedded
}

// packets takes what the agent has sent.
func (p *peer) packets() (list []sentPacket) {
	p.t.Helper()
	for {
		b, local, remote, ok := p.a.PollWrite(p.now, nil)
		if !ok {
			return list
		}
		m := &stun.Message{}
		if err := stun.Decode(b, m); err != nil {
			p.t.Fatal(err)
		}
		if err := stun.Fingerprint.Check(m); err != nil {
			p.t.Fatal(err)
		}
		key := p.a.LocalCredentials().Pwd
		if m.Type == stun.BindingRequest {
			key = p.creds.Pwd
		}
		if err := stun.NewShortTermIntegrity(key).Check(m); err != nil {
			p.t.Fatalf("%s: %v", describe(b), err)
		}
		list = append(list, sentPacket{local, remote, b, m})
	}
}

func (p *peer) wantPacket(what string, typ stun.MessageType) sentPacket {
	p.t.Helper()
	list := p.packets()
	for _, s := range list {
		if s.m.Type == typ {
			return s
		}
	}
	p.t.Fatalf("%s: the agent sent %d packets, no %v", what, len(list), typ)
	return sentPacket{}
}

func (p *peer) wantRequest(what string) sentPacket {
	p.t.Helper()
	return p.wantPacket(what, stun.BindingRequest)
}

func (p *peer) wantIdle(what string) {
	p.t.Helper()
	for _, s := range p.packets() {
		p.t.Errorf("%s: the agent sent %s", what, describe(s.raw))
	}
}

// snapshot is all that a packet without effect must not change.
func (p *peer) snapshot() Stats {
	s := p.a.Stats()
	s.Dropped = Dropped{}
	return s
}
