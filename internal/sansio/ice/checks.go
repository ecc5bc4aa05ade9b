package ice

import (
	"slices"
	"time"
)

// Retransmission, RFC 8489 section 6.2.1: Rc requests in all, and Rm times the RTO after the last one.
const (
	rc = 7
	rm = 16
)

// steady is how many checks of a pair that the peer is heard on follow each other before the time between them doubles: what is lost there is
// lost by chance, and not because nobody is there. Linux repeats a SYN as often at one interval (tcp_syn_linear_timeouts).
const steady = 4

// advance does all that is due at now, and all that the last mutation has made possible.
func (a *Agent) advance(now time.Time) {
	if a.state == StateClosed {
		return
	}
	a.retransmit(now) // before expire, which looks at what it has given up
	a.expire(now)
	a.reroute(now)
	a.nominate(now)
	a.maintain(now)
	a.sendChecks(now)
	a.hurry(now)
	a.updateState(now)
	a.advanced = now
}

// retransmit repeats checks that were not answered in time, or gives them up.
func (a *Agent) retransmit(now time.Time) {
	g := a.cur
	if g.inProgress == 0 {
		return
	}
	for _, p := range g.pairs {
		if p.state != PairInProgress || now.Before(p.retransmitAt) {
			continue
		}
		if p.backoff() >= rc-1 {
			p.become(PairFailed)
			continue
		}
		a.begin(p, now)
		p.sends++
		p.retransmitAt = now.Add(p.timeout())
	}
}

// sendChecks begins checks as the pace allows: of the triggered pairs first, then of those that wait, best first.
func (a *Agent) sendChecks(now time.Time) {
	g := a.cur
	for g.hasRemote && g.waiting > 0 && !now.Before(a.nextCheck) {
		var p *pair
		if len(g.triggered) > 0 {
			p = g.triggered[0]
			p.dequeue()
		} else {
			p = g.pairs[slices.IndexFunc(g.pairs, func(p *pair) bool { return p.state == PairWaiting })]
		}
		p.become(PairInProgress)
		a.begin(p, now)
		p.sends, p.rto = 1, a.rto(p)
		p.retransmitAt = now.Add(p.timeout())
		a.nextCheck = now.Add(a.cfg.Ta)
	}
}

// rto is the first retransmission timeout of a check. It is RFC 8445 section 14.3's "RTO = MAX (500ms, Ta * N * (Num-Waiting +
// Num-In-Progress))" with InitialRTO or the path's own time for the 500 ms, and without N.
func (a *Agent) rto(p *pair) time.Duration {
	rto := a.cfg.InitialRTO
	if p.srtt > 0 {
		rto = max(2*p.srtt, 50*time.Millisecond)
	}
	return max(rto, a.cfg.Ta*time.Duration(p.gen.waiting+p.gen.inProgress))
}

// backoff is how often the time to the next check has doubled.
func (p *pair) backoff() int {
	if p.authentic {
		return max(0, p.sends-steady)
	}
	return p.sends - 1
}

// timeout is how long the last check may remain unanswered.
func (p *pair) timeout() time.Duration {
	if p.backoff() >= rc-1 {
		return rm * p.rto
	}
	return p.rto << p.backoff()
}

// begin sends a request, which is a transaction of its own also where it repeats one: its answer then tells which of them it is to, and so the
// round-trip time and what has come of what they carried.
func (a *Agent) begin(p *pair, now time.Time) {
	if len(p.transactions) == maxTransactions {
		p.transactions = slices.Delete(p.transactions, 0, 1)
	}
	p.transactions = append(p.transactions, transaction{sentAt: now, controlling: a.controlling, useCandidate: a.wantsNomination(now, p)})
	t := p.current()
	a.random(t.id[:])
	// The priority that a peer-reflexive candidate learned by this check would have, RFC 8445 section 7.1.1.
	priority := p.gen.atBase(p.base).peerReflexivePriority()
	p.requestsSent++
	p.lastSent = now
	if p.asked.IsZero() {
		p.asked = now
	}
	// Not answered, it is asked again long before the interval is over: six tries in 30 seconds would end one connection in sixty on a path
	// that loses 30 % each way.
	p.consentDue = now.Add(a.interval() / 5)
	a.write(packet{kind: request, gen: p.gen, id: t.id, local: p.base, remote: p.addr,
		priority: priority, controlling: t.controlling, useCandidate: t.useCandidate})
}

// PollTimeout is when HandleTimeout is to be called at the latest; zero: not before something else happens. HandleData may postpone it.
func (a *Agent) PollTimeout() time.Time {
	at, _ := a.PollWindow()
	return at
}

// PollWindow is PollTimeout, and how much earlier a HandleTimeout does as well.
func (a *Agent) PollWindow() (at time.Time, early time.Duration) {
	if a.state == StateClosed {
		return time.Time{}, 0
	}
	var d deadline
	d.after = a.advanced
	g := a.cur
	if g.hasRemote && g.waiting > 0 {
		d.at(a.nextCheck)
	}
	if g.inProgress > 0 {
		for _, p := range g.pairs {
			if p.state == PairInProgress {
				d.at(p.retransmitAt)
			}
		}
	}
	if _, at := a.hurryAt(); !at.IsZero() {
		d.at(at)
	}
	if t := a.nominating; t != nil {
		d.at(t.lastSent.Add(a.rto(t)))
	}
	if p := a.route; p != nil {
		d.at(a.probeAt(p))
		d.at(p.consented.Add(a.cfg.ConsentTimeout))
		if !p.asked.IsZero() {
			d.at(a.downAt(p, p.heard))
			d.at(a.downAt(p, p.gen.heard))
			d.at(a.downAt(p, p.gen.heard).Add(a.cfg.FailedTimeout))
		}
	} else if !g.failed {
		if !g.lost.IsZero() {
			d.at(g.lost.Add(a.cfg.FailedTimeout))
		}
		if g.exhausted() {
			d.at(g.patience)
		}
	}
	if a.old != nil && !a.oldUntil.IsZero() {
		d.at(a.oldUntil)
	}
	if p := a.route; p != nil && p.consentDue.After(d.after) && (d.t.IsZero() || p.consentDue.Before(d.t)) {
		return p.consentDue, a.consentSlack()
	}
	return d.t, 0
}

// deadline folds times to the earliest one that has not been dealt with.
type deadline struct{ t, after time.Time }

func (d *deadline) at(t time.Time) {
	if t.After(d.after) && (d.t.IsZero() || t.Before(d.t)) {
		d.t = t
	}
}
