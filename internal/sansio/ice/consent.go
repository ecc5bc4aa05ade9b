package ice

import (
	"math/rand/v2"
	"time"
)

const (
	// probeInterval is the time between questions to a route that does not answer: often enough that a path of 30 % loss is hardly ever
	// called disconnected, and one that heals is noticed at once.
	probeInterval = 500 * time.Millisecond
	// keepaliveInterval is how often a pair is asked that carries no data: Tr is 15 seconds in RFC 8445 section 11.
	keepaliveInterval = 15 * time.Second
	// idleAfter is how long a route is not used until it counts as idle.
	idleAfter = 30 * time.Second
	// reserves is how many valid pairs are kept alive besides the route. They are asked together with it, so the time varies by one consent
	// interval.
	reserves = 3
)

// interval is the basic period of the consent checks on the route.
//
// "An endpoint that is not sending any application data does not need to maintain consent", RFC 7675 section 5.1. So while nothing is sent the
// checks are no more than keepalives, and still often enough that consent is at hand when something is.
func (a *Agent) interval() time.Duration {
	if a.relaxed {
		return a.cfg.idleInterval
	}
	return a.cfg.ConsentInterval
}

// consentSlack is how much earlier than it is due consent may be asked for, so that an owner of many agents can wake up for several of
// them at once.
func (a *Agent) consentSlack() time.Duration { return a.interval() / 10 }

// vary draws the time to the next consent check. "To prevent synchronization of consent checks, each interval MUST be randomized from between
// 0.8 and 1.2 times the basic period", RFC 7675 section 5.1; that is what is left of it after the slack.
func (a *Agent) vary() time.Duration {
	d := a.interval()
	least := d*4/5 + a.consentSlack()
	return least + time.Duration(rand.New(&a.jitter).Int64N(max(1, int64(d*6/5-least))))
}

// idle says whether the route, which is about to be asked, has not been used for long. A lite peer hears nothing else of us than our checks;
// there are some that give up after 15 s without one.
func (a *Agent) idle(now time.Time) bool {
	return a.cfg.idleInterval > a.cfg.ConsentInterval && !a.route.gen.lite && now.Sub(a.used) >= idleAfter
}

// HandleUse tells that data of the application moves, to or from the peer.
func (a *Agent) HandleUse(now time.Time) {
	a.used = now
	if a.relaxed {
		a.tighten(now)
	}
}

// tighten makes the route's next consent check the one that would be due if it had never been idle.
func (a *Agent) tighten(now time.Time) {
	a.relaxed = false
	p := a.route
	if p == nil || !p.asked.IsZero() {
		return // asked at a quicker pace already
	}
	if due := p.lastSent.Add(a.vary()); now.Before(due) {
		p.consentDue = due
	} else {
		a.ask(p, now)
	}
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
	interval := keepaliveInterval
	if !p.asked.IsZero() && now.Sub(p.asked) >= probeInterval {
		interval = probeInterval // a question was not answered: find out who could take over
		a.relaxed = false
	} else if a.relaxed = a.idle(now); a.relaxed {
		interval = probeInterval // the next time would be too late for the consent of others
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
