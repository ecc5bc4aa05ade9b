package ice

import "time"

const (
	// probeInterval is the time between probes of a route that has fallen silent: often enough that a path of 30 % loss is hardly ever
	// called disconnected, and one that heals is noticed at once.
	probeInterval = 500 * time.Millisecond
	// reserves is how many valid pairs are kept alive besides the route, and reserveInterval how often: Tr is 15 seconds in RFC 8445
	// section 11. They are asked together with the route, so the time varies by one consent interval.
	reserves        = 3
	reserveInterval = 12 * time.Second
)

// vary draws from 0.8 to 1.2 times d, as consent checks MUST be randomized, RFC 7675 section 5.1. For probes it keeps the two sides
// from asking each other at the same moments.
func (a *Agent) vary(d time.Duration) time.Duration {
	return d*4/5 + time.Duration(a.rng.Int64N(max(1, int64(d*2/5))))
}

// probeAt is when the route will have been silent for too long.
func (p *pair) probeAt() time.Time {
	t, next := p.heard.Add(p.patience), p.lastSent.Add(probeInterval)
	if t.Before(next) {
		return next
	}
	return t
}

// maintain asks for consent on the route, probes it when it is silent, and keeps some other pairs alive.
func (a *Agent) maintain(now time.Time) {
	p := a.route
	if p == nil || now.Before(p.consentDue) && now.Before(p.probeAt()) {
		return
	}
	a.ask(p, now)
	interval := reserveInterval
	if now.Sub(p.heard) >= p.patience+probeInterval {
		interval = probeInterval // a probe has not been answered: find out who could take over
	}
	n := 0
	for _, q := range p.gen.pairs {
		if q == p || q.state != PairSucceeded {
			continue
		}
		if n++; n > reserves {
			break
		}
		if now.Sub(q.lastSent) >= interval {
			a.ask(q, now)
		}
	}
}

// ask sends a check on a valid pair. Each STUN binding request for consent MUST use a new STUN transaction identifier, RFC 7675 section
// 5.1; it is not retransmitted, the next one follows.
func (a *Agent) ask(p *pair, now time.Time) {
	p.consentRequestsSent++
	a.begin(p, now)
}

// expire ends what has lasted its time: consent, a generation, the patience with a fruitless one.
func (a *Agent) expire(now time.Time) {
	if a.old != nil && !a.oldUntil.IsZero() && !now.Before(a.oldUntil) {
		a.old, a.oldUntil = nil, time.Time{}
	}
	for _, g := range a.generations() {
		if g.failed {
			continue
		}
		had := g.hasValid()
		for _, p := range g.pairs {
			// Consent expires after 30 seconds, and transmission MUST cease with it, RFC 7675 section 5.1.
			if p.state == PairSucceeded && now.Sub(p.consented) >= a.cfg.ConsentTimeout {
				p.become(PairFailed)
				g.unselect(p)
			}
		}
		switch {
		case had && !g.hasValid(),
			had && now.Sub(g.heard) >= a.cfg.DisconnectedTimeout+a.cfg.FailedTimeout,
			!g.lost.IsZero() && now.Sub(g.lost) >= a.cfg.FailedTimeout,
			g == a.cur && g.exhausted() && !now.Before(g.patience):
			g.fail()
			if g == a.old {
				a.old, a.oldUntil = nil, time.Time{}
			}
		}
	}
}

// exhausted says whether all that was promised has been tried in vain.
func (g *generation) exhausted() bool {
	return g.hasRemote && g.localEnded && g.remoteEnded && g.waiting == 0 && g.inProgress == 0 && !g.hasValid()
}
