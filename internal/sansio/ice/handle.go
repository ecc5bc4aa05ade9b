package ice

import (
	"bytes"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/pion/stun/v4"
)

// maxEarly is how many peer-reflexive candidates are learned before the remote credentials are known; it leaves room for signalled ones.
const maxEarly = 50

// reservedReflexive is how many peer-reflexive candidates are learned when the signalled ones have reached Config.MaxRemoteCandidates: the one
// that works may be none of those.
const reservedReflexive = 16

// HandlePacket takes a datagram that begins with a byte from 0 to 3 and was sent from remote to local. b may be changed. What it returns, unless it
// is nil, is a datagram of the peer's handshake that was embedded in it, a part of b.
func (a *Agent) HandlePacket(now time.Time, local, remote netip.AddrPort, b []byte) (embedded []byte) {
	if a.state == StateClosed {
		a.dropped.Ended++
		return nil
	}
	m := a.attributes.lend(b[:len(b):len(b)]) // a checksum is appended to it
	ok := decode(&m, &a.dropped)
	switch {
	case !ok:
	case m.Type.Class == stun.ClassRequest:
		embedded, ok = a.handleRequest(now, local, remote, &m)
	default:
		embedded, ok = a.handleResponse(now, local, remote, &m)
	}
	a.attributes.take(&m)
	if ok {
		a.advance(now)
		a.slim()
	}
	return embedded
}

// handleRequest answers a check, learns from it, and makes one in return. It reports whether anything changed: nothing has an effect before
// MESSAGE-INTEGRITY is verified, and what fails that is not answered: an error response would be sent to whoever's address the packet bears.
func (a *Agent) handleRequest(now time.Time, local, remote netip.AddrPort, m *stun.Message) (embedded []byte, changed bool) {
	g, peer := a.addressee(m)
	if g == nil {
		a.dropped.Username++
		return nil, false
	}
	if !hasIntegrity(m, g.local.Pwd) {
		a.dropped.Integrity++
		return nil, false
	}
	if g.failed {
		a.dropped.Ended++
		return nil, false
	}
	l := g.atBase(local)
	if l == nil {
		a.dropped.UnknownLocal++
		return nil, false
	}
	answer := packet{kind: success, gen: g, id: m.TransactionID, local: local, remote: remote}
	if answer.unknown, answer.unknowns = unknownAttributes(m); answer.unknowns > 0 {
		answer.kind, answer.code = failure, stun.CodeUnknownAttribute
		a.write(answer)
		return nil, true
	}
	// The role on the old generation is history: only one side may have taken on another with the restart.
	if g == a.cur && a.losesTo(m) {
		a.conflicts++
		answer.kind, answer.code = failure, stun.CodeRoleConflict
		a.write(answer)
		return nil, true
	}
	p := g.find(local, remote)
	switch {
	case p == nil && g != a.cur:
		a.dropped.OldGeneration++
		return nil, false
	case p == nil:
		if p = a.learn(g, l, remote, peer, m); p == nil {
			return nil, true // the role may have changed
		}
	}
	p.hear(now)
	if p == a.route && now.Sub(p.lastSent) >= a.interval()*4/5 {
		// Ours is due within its randomized window: asked for together, the two consents cost one exchange.
		p.consentDue = now
	}
	p.requestsReceived++
	p.responsesSent++
	a.write(answer)
	embedded = a.handleEmbedding(now, m, nil)
	if g != a.cur {
		return embedded, true
	}
	if !a.controlling && m.Contains(stun.AttrUseCandidate) {
		// RFC 8445 section 7.3.1.5: a nomination counts at once if the pair is valid, else it is remembered until its check succeeds.
		p.nominatedAt = now
	}
	// RFC 8445 section 7.3.1.4: nothing further is done for a pair that has succeeded; a check in progress is cancelled (its response still
	// counts), and a new one MUST be made, as it is for a pair that waits or has failed.
	if p.state != PairSucceeded {
		p.enqueue()
	} else if !a.controlling && p.nominatedAt.IsZero() && g.selected == nil && p.requestsReceived == 1 {
		// pion, which nominates what is valid at its next tick of 200 ms, does so at once when a check comes on a pair that is valid to it,
		// as this one is when it has our response. Consent may be asked for at any time.
		a.begin(p, now)
	}
	return embedded, true
}

// addressee returns the generation that a request's USERNAME names, and the peer's part of it.
func (a *Agent) addressee(m *stun.Message) (g *generation, peer []byte) {
	username, err := m.Get(stun.AttrUsername)
	if err != nil {
		return nil, nil
	}
	ours, peer, ok := bytes.Cut(username, []byte{':'})
	if !ok || len(peer) == 0 {
		return nil, nil
	}
	for _, g := range [...]*generation{a.cur, a.old} {
		if g != nil && string(ours) == g.local.Ufrag {
			if g.hasRemote && string(peer) != g.remote.Ufrag {
				return nil, nil
			}
			return g, peer
		}
	}
	return nil, nil
}

// losesTo compares roles with the request, RFC 8445 section 7.3.1.1. It reports whether the peer has to change its role; if we have to,
// it is done.
func (a *Agent) losesTo(m *stun.Message) bool {
	if theirs, ok := attr64(m, stun.AttrICEControlling); ok && a.controlling {
		// The larger or equal tie-breaker keeps the controlling role, and says so by 487.
		if a.tieBreaker >= theirs {
			return true
		}
		a.conflicts++
		a.setRole(false)
	} else if theirs, ok := attr64(m, stun.AttrICEControlled); ok && !a.controlling {
		// The larger or equal tie-breaker takes the controlling role.
		if a.tieBreaker < theirs {
			return true
		}
		a.conflicts++
		a.setRole(true)
	}
	return false
}

// learn makes the pair of a request from an address that is not paired with l, and the peer-reflexive candidate if there is none,
// RFC 8445 section 7.3.1.3.
func (a *Agent) learn(g *generation, l *Candidate, remote netip.AddrPort, peer []byte, m *stun.Message) *pair {
	r := g.remoteAt(zoneless(remote))
	if r == nil {
		priority, ok := attr32(m, stun.AttrPriority)
		if !ok {
			a.dropped.Malformed++
			return nil
		}
		limit := a.cfg.MaxRemoteCandidates + reservedReflexive
		if !g.hasRemote {
			limit = min(a.cfg.MaxRemoteCandidates, maxEarly)
		}
		r = &Candidate{
			Foundation: "p" + strconv.Itoa(g.learned), // "an arbitrary value, different from the foundations of all other remote candidates"
			Component:  1,
			Priority:   priority,
			Addr:       zoneless(remote),
			Type:       PeerReflexive,
			Ufrag:      string(peer),
			Protocol:   "udp",
		}
		if g.learned >= limit || r.supported() != nil {
			a.dropped.Limit++
			return nil
		}
	}
	p := a.addPair(g, l, r, true)
	if p == nil || p.addr != remote {
		a.dropped.Limit++
		return nil
	}
	if g.remoteAt(r.Addr) == nil {
		g.learned++
		g.remotes = append(g.remotes, r)
	}
	return p
}

// handleResponse matches a response with its request. It reports whether anything changed.
func (a *Agent) handleResponse(now time.Time, local, remote netip.AddrPort, m *stun.Message) (embedded []byte, changed bool) {
	p, i := a.transaction(m.TransactionID)
	if p == nil {
		a.dropped.UnknownResponse++
		return nil, false
	}
	g := p.gen
	if !hasIntegrity(m, g.remote.Pwd) {
		a.dropped.Integrity++
		return nil, false
	}
	if p.base != local || p.addr != remote {
		a.dropped.Asymmetric++
		// "If the addresses are not symmetric, the agent MUST set the candidate pair state to Failed", RFC 8445 section 7.2.5.2.1. A pair
		// that works is not ended by a copy of its response from elsewhere, and the transaction stays: if the true response follows, the
		// pair is valid.
		if p.state == PairInProgress {
			p.become(PairFailed)
		}
		return nil, true
	}
	if _, n := unknownAttributes(m); n > 0 {
		a.dropped.Malformed++
		return nil, false
	}
	t := p.transactions[i]
	if m.Type.Class == stun.ClassErrorResponse {
		var code stun.ErrorCodeAttribute
		if code.GetFrom(m) != nil {
			a.dropped.Malformed++
			return nil, false
		}
		p.end(i)
		p.responsesReceived++
		p.hear(now)
		a.handleError(p, t, code.Code)
		return nil, true
	}
	mapped, ok := mappedAddress(m)
	if !ok {
		a.dropped.Malformed++
		return nil, false
	}
	p.end(i)
	p.responsesReceived++
	p.hear(now)
	a.prove(p)
	p.consented = now
	p.consentDue = t.sentAt.Add(a.vary())
	p.measure(now.Sub(t.sentAt))
	if i > 0 && a.embed != nil {
		a.embed.loses = true // the one before it, or its answer, has not come
	}
	embedded = a.handleEmbedding(now, m, &t)
	a.setMapped(p, mapped)
	if p.state != PairSucceeded {
		p.become(PairSucceeded)
	}
	if t.useCandidate && t.controlling && a.wantsNomination(now, p) {
		p.nominatedAt = now
	}
	return embedded, true
}

// transaction finds the request with that identifier.
func (a *Agent) transaction(id transactionID) (p *pair, i int) {
	for _, g := range [...]*generation{a.cur, a.old} {
		if g == nil || g.failed {
			continue
		}
		for _, p := range g.pairs {
			for i := range p.transactions {
				if p.transactions[i].id == id {
					return p, i
				}
			}
		}
	}
	return nil, 0
}

// end forgets a transaction that was answered, so that a copy of the answer has no effect.
func (p *pair) end(i int) { p.transactions = slices.Delete(p.transactions, i, i+1) }

// handleError takes an authenticated error response.
func (a *Agent) handleError(p *pair, t transaction, code stun.ErrorCode) {
	if code == stun.CodeRoleConflict && p.gen == a.cur {
		// The agent MUST give up the role that its request claimed, RFC 8445 section 7.2.5.1, if it has not done so already.
		if t.controlling == a.controlling {
			a.conflicts++
			a.setRole(!t.controlling)
			// It MUST change its tie-breaker as well.
			a.tieBreaker = a.random64()
		}
		if p.state != PairSucceeded {
			p.enqueue()
		}
		return
	}
	if p.state == PairInProgress {
		p.become(PairFailed)
	}
}

// setMapped notes the address that the peer saw the request come from. If it is no local candidate, it is a
// new peer-reflexive one, RFC 8445 section 7.2.5.3.1. It belongs to its pair alone.
func (a *Agent) setMapped(p *pair, mapped netip.AddrPort) {
	if mapped == zoneless(p.local.Addr) {
		return
	}
	l := p.gen.localAt(mapped, p.base)
	if l == nil {
		l = &Candidate{
			Foundation: foundation(PeerReflexive, p.base.Addr()),
			Component:  1,
			Priority:   p.gen.atBase(p.base).peerReflexivePriority(),
			Addr:       mapped,
			Type:       PeerReflexive,
			Related:    p.base,
			Base:       p.base,
			Ufrag:      p.gen.local.Ufrag,
			Protocol:   "udp",
		}
	}
	p.local = l
	p.prioritize(a.controlling)
	p.gen.sort()
}
