package ice

import "time"

const (
	// probeInterval is the time between questions to a route that does not answer: often enough that a path of 30 % loss is hardly ever
	// called disconnected, and one that heals is noticed at once.
	probeInterval = 500 * time.Millisecond
	// reserves is how many valid pairs are kept alive besides the route, and reserveInterval how often: Tr is 15 seconds in RFC 8445
	// section 11. They are asked together with the route, so the time varies by one consent interval.
	reserves        = 3
	reserveInterval = 15 * time.Second
)

// consentSlack is how much earlier than it is due consent may be asked for, so that an owner of many agents can wake up for several of
// them at once.
func (a *Agent) consentSlack() time.Duration { return a.cfg.ConsentInterval / 10 }

// vary draws the time to the next consent check. "To prevent synchronization of consent checks, each interval MUST be randomized from between
// 0.8 and 1.2 times the basic period", RFC 7675 section 5.1; that is what is left of it after the slack.
func (a *Agent) vary(d time.Duration) time.Duration {
	least := d*4/5 + a.consentSlack()
	return least + time.Duration(a.rng.Int64N(max(1, int64(d*6/5-least))))
}

// probeAt is when the route is to be asked whether it lives; zero: not before consent is due. A route is suspected when it answers neither
// a question nor, for a while, data. While it is idle there is nothing to lose by a silence.
func (a *Agent) probeAt(p *pair) time.Time {
	switch {
	case !p.asked.IsZero():
		return p.lastSent.Add(max(probeInterval, 2*p.srtt))
	case !p.told.IsZero():
		return p.told.Add(a.cfg.KeepaliveInterval)
	}
	return time.Time{}
}

// downAt is when a route that has been asked, and was heard from last at heard, counts as down: when it has been silent for the
// DisconnectedTimeout, and half of that in spite of questions.
func (a *Agent) downAt(p *pair, heard time.Time) time.Time {
	silent, unanswered := heard.Add(a.cfg.DisconnectedTimeout), p.asked.Add(a.cfg.DisconnectedTimeout/2)
	if silent.Before(unanswered) {
		return unanswered
	}
	return silent
}

func (a *Agent) down(now time.Time, p *pair, heard time.Time) bool {
	return !p.asked.IsZero() && !now.Before(a.downAt(p, heard))
}

// HandleSent tells that data leaves by the route: silence counts from now on.
func (a *Agent) HandleSent(now time.Time) {
	if p := a.route; p != nil && p.told.IsZero() {
		p.told = now
	}
}

// maintain asks for consent on the route, probes it when it is silent, and keeps some other pairs alive.
func (a *Agent) maintain(now time.Time) {
	p := a.route
	if p == nil {
		return
	}
	probe := a.probeAt(p)
	if now.Before(p.consentDue.Add(-a.consentSlack())) && (probe.IsZero() || now.Before(probe)) {
		return
	}
	interval := reserveInterval
	if !p.asked.IsZero() && now.Sub(p.asked) >= probeInterval {
		interval = probeInterval // a question was not answered: find out who could take over
	}
	a.ask(p, now)
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
	// It goes before the response to the peer's own: being the longer one, it can share a segmented send with it.
	if n := len(a.out); p.state == PairSucceeded && n-a.polled > 1 && a.out[n-2].kind == success {
		a.out[n-1], a.out[n-2] = a.out[n-2], a.out[n-1]
	}
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
			a.route != nil && a.route.gen == g && a.down(now.Add(-a.cfg.FailedTimeout), a.route, g.heard),
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
