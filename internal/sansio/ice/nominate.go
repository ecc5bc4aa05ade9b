package ice

import "time"

// nominationLasts is how much older than another nomination one may be and still count. In the first moments a controlling agent nominates
// each pair it checks, and the best one wins. Later it repeats the nomination of the pair that it has selected, and of no other: then the
// newest one wins, because the controlling agent may know priorities that we don't, of candidates that were never signalled to us.
const nominationLasts = 2 * time.Second

// wantsNomination says whether a request on p carries USE-CANDIDATE.
func (a *Agent) wantsNomination(now time.Time, p *pair) bool {
	g := p.gen
	switch {
	case !a.controlling:
		return false
	case g == a.old:
		return p == g.selected
	case g.lite:
		// A lite agent never checks, it takes the first pair that is nominated: so that has to be one that works.
		return p == a.bestValid(now, g)
	}
	return g.selected == nil || p == g.selected || p.before(g.selected) || p == a.bestValid(now, g)
}

// bestValid is the valid pair to prefer: one that was heard from lately, of the highest priority.
func (a *Agent) bestValid(now time.Time, g *generation) (best *pair) {
	for _, p := range g.pairs {
		if p.state == PairSucceeded && (best == nil || a.aliveRather(now, p, best)) {
			best = p
		}
	}
	return best
}

// bestNominated is the same among the pairs that the controlling agent has nominated.
func (a *Agent) bestNominated(now time.Time, g *generation) (best *pair) {
	var newest time.Time
	for _, p := range g.pairs {
		if p.state == PairSucceeded && p.nominatedAt.After(newest) {
			newest = p.nominatedAt
		}
	}
	for _, p := range g.pairs {
		if p.state == PairSucceeded && !p.nominatedAt.IsZero() && newest.Sub(p.nominatedAt) <= nominationLasts &&
			(best == nil || a.aliveRather(now, p, best)) {
			best = p
		}
	}
	return best
}

// aliveRather says whether p was heard from lately and q, the better one, does not answer.
func (a *Agent) aliveRather(now time.Time, p, q *pair) bool {
	return now.Sub(p.heard) < a.cfg.DisconnectedTimeout && a.down(now, q, q.heard)
}

// reroute chooses the selected pair and the route, and tells of changes.
func (a *Agent) reroute(now time.Time) {
	g := a.cur
	chosen := a.bestNominated(now, g)
	a.nominating = nil
	if a.controlling {
		if chosen = a.bestValid(now, g); chosen != nil && chosen.nominatedAt.IsZero() {
			a.nominating, chosen = chosen, nil
		}
	}
	if chosen != nil && chosen != g.selected {
		g.selected = chosen
		a.moves++
		if a.controlling {
			for _, p := range g.pairs {
				if p != chosen {
					p.nominatedAt = time.Time{} // to return to it takes a new nomination
				}
			}
		}
		a.emit(Event{Kind: EventSelectedPair, State: a.state, Local: chosen.local, Remote: chosen.remote})
	}
	route := a.pairInUse(now, g)
	if a.old != nil {
		if route == nil {
			route = a.pairInUse(now, a.old)
		} else if a.oldUntil.IsZero() {
			// The peer may send on the old pair for as long as it has our consent.
			a.oldUntil = now.Add(min(a.cfg.ConsentTimeout, 30*time.Second))
		}
	}
	if route != nil {
		g.lost = time.Time{}
	}
	if route != a.route {
		a.route = route
		if route != nil {
			a.HandleUse(now)
			a.emit(Event{Kind: EventRouteChange, State: a.state, Local: route.local, Remote: route.remote})
		}
	}
}

func (a *Agent) pairInUse(now time.Time, g *generation) *pair {
	if g.selected != nil {
		return g.selected
	}
	return a.bestValid(now, g)
}

// nominate repeats the nomination of a valid pair until it is answered. Between full agents there is nothing to do in the usual case,
// where the first check was the nomination.
func (a *Agent) nominate(now time.Time) {
	p := a.nominating
	if p == nil {
		return
	}
	if t := p.current(); t != nil && t.useCandidate && t.controlling && now.Before(p.lastSent.Add(a.rto(p))) {
		return
	}
	a.ask(p, now)
}

// setRole takes on a role.
func (a *Agent) setRole(controlling bool) {
	if a.controlling == controlling {
		return
	}
	a.controlling = controlling
	for _, g := range a.generations() {
		g.prioritize(controlling)
	}
	for _, p := range a.cur.pairs {
		p.nominatedAt = time.Time{} // it was for the other role to say
	}
}
