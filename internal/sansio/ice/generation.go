package ice

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// generation is what begins anew with an ICE restart: credentials, candidates, and the checklist of their pairs.
type generation struct {
	local, remote Credentials
	hasRemote     bool // remote is known
	lite          bool // the peer is
	failed        bool // final: all pairs have failed, nothing is sent or answered

	locals, remotes         []*Candidate
	learned                 int // remote candidates, also those since forgotten. Invariant: len(remotes) <= learned
	localEnded, remoteEnded bool
	patience                time.Time // no failure before it, RFC 8863

	pairs               []*pair // best first
	triggered           []*pair // the triggered-check queue; its pairs are Waiting
	waiting, inProgress int     // pairs in that state
	made                uint64  // pairs ever

	selected  *pair
	heard     time.Time // the last authenticated sign of life on any pair
	lost      time.Time // when the socket of the last valid pair failed
	completed bool      // was once
}

func newGeneration(local Credentials) *generation { return &generation{local: local} }

func (g *generation) setRemote(c Credentials, lite bool) {
	g.remote, g.hasRemote, g.lite = c, true, lite
	for i := len(g.remotes) - 1; i >= 0; i-- {
		if r := g.remotes[i]; r.Ufrag != "" && r.Ufrag != c.Ufrag {
			g.removeRemote(i)
		}
	}
}

// forgetRemote returns to the time before SetRemote.
func (g *generation) forgetRemote() {
	for len(g.remotes) > 0 {
		g.removeRemote(len(g.remotes) - 1)
	}
	g.hasRemote, g.remoteEnded, g.completed = false, false, false
}

func (g *generation) removeRemote(i int) {
	r := g.remotes[i]
	g.remotes = slices.Delete(g.remotes, i, i+1)
	g.learned--
	g.removePairs(func(p *pair) bool { return p.remote == r })
}

func (g *generation) removeLocal(base netip.AddrPort) {
	g.locals = slices.DeleteFunc(g.locals, func(c *Candidate) bool { return c.Base == base })
	g.removePairs(func(p *pair) bool { return p.base == base })
}

func (g *generation) removePairs(gone func(*pair) bool) {
	g.triggered = slices.DeleteFunc(g.triggered, gone)
	g.pairs = slices.DeleteFunc(g.pairs, func(p *pair) bool {
		if !gone(p) {
			return false
		}
		g.count(p.state, -1)
		g.unselect(p)
		return true
	})
}

func (g *generation) unselect(p *pair) {
	if g.selected == p {
		g.selected, g.completed = nil, false
	}
}

// count keeps the number of pairs in a state that something is waited for.
func (g *generation) count(s PairState, n int) {
	switch s {
	case PairWaiting:
		g.waiting += n
	case PairInProgress:
		g.inProgress += n
	}
}

func (g *generation) localAt(addr, base netip.AddrPort) *Candidate {
	for _, c := range g.locals {
		if c.Base == base && zoneless(c.Addr) == zoneless(addr) {
			return c
		}
	}
	return nil
}

// atBase returns the best local candidate that is sent from base.
func (g *generation) atBase(base netip.AddrPort) (best *Candidate) {
	for _, c := range g.locals {
		if c.Base == base && (best == nil || c.Priority > best.Priority) {
			best = c
		}
	}
	return best
}

func (g *generation) remoteAt(addr netip.AddrPort) *Candidate {
	for _, c := range g.remotes {
		if c.Addr == addr {
			return c
		}
	}
	return nil
}

func (g *generation) find(base, addr netip.AddrPort) *pair {
	for _, p := range g.pairs {
		if p.addr == addr && p.base == base {
			return p
		}
	}
	return nil
}

func (g *generation) hasValid() bool {
	return slices.ContainsFunc(g.pairs, func(p *pair) bool { return p.state == PairSucceeded })
}

// addPair pairs a local and a remote candidate; force makes it take the place of a worse use of the limit. It returns the pair of that
// 5-tuple, or nil if there may be none.
func (a *Agent) addPair(g *generation, local, remote *Candidate, force bool) *pair {
	base, addr := local.Base, remote.Addr
	if !canReach(base.Addr(), addr.Addr()) {
		return nil
	}
	if addr.Addr().IsLinkLocalUnicast() {
		addr = netip.AddrPortFrom(addr.Addr().WithZone(base.Addr().Zone()), addr.Port())
	}
	if p := g.find(base, addr); p != nil {
		// A server-reflexive local candidate MUST be replaced by its base in a pair, RFC 8445 section 6.1.2.4: pairs are what they are
		// sent from, so this one is redundant.
		return p
	}
	p := &pair{gen: g, local: local, remote: remote, base: base, addr: addr, serial: g.made}
	p.prioritize(a.controlling)
	if len(g.pairs) >= a.cfg.MaxPairs && !g.evict(p, force) {
		return nil
	}
	g.made++
	g.count(p.state, +1)
	g.pairs = append(g.pairs, p)
	g.sort()
	return p
}

// evict makes room for p: the pairs of the lowest priority are discarded, RFC 8445 section 6.1.2.5, of those that nothing is known about.
// Only an authenticated check takes the place of a pair that is being checked.
func (g *generation) evict(p *pair, force bool) bool {
	for i := len(g.pairs) - 1; i >= 0; i-- {
		q := g.pairs[i]
		if q.authentic || q.state == PairSucceeded || q.state == PairInProgress && !force {
			continue
		}
		if !force && !p.before(q) {
			return false
		}
		g.removePairs(func(p *pair) bool { return p == q })
		return true
	}
	return false
}

// prioritize computes all priorities again, after the role or a candidate has changed.
func (g *generation) prioritize(controlling bool) {
	for _, p := range g.pairs {
		p.prioritize(controlling)
	}
	g.sort()
}

func (g *generation) sort() {
	slices.SortFunc(g.pairs, func(p, q *pair) int {
		return cmp.Or(cmp.Compare(q.priority, p.priority), cmp.Compare(p.serial, q.serial))
	})
}

// fail ends the generation.
func (g *generation) fail() {
	g.failed, g.selected, g.triggered = true, nil, nil
	for _, p := range g.pairs {
		p.queued = false
		if p.state != PairFailed {
			p.become(PairFailed)
		}
	}
}
