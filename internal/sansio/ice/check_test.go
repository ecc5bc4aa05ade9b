package ice

import (
	"fmt"
	"hash/crc32"
	"slices"
	"time"
)

// check walks the whole machine and compares what it counts and caches with what is there.
func (a *Agent) check(now time.Time) {
	must := func(ok bool, format string, args ...any) {
		if !ok {
			panic("BUG: ice: " + fmt.Sprintf(format, args...))
		}
	}
	must(a.state == StateClosed || a.advanced.Equal(now) || a.advanced.Before(now), "advanced beyond now")
	must(a.polled <= len(a.out) && len(a.out)-a.polled <= maxQueued, "%d of %d packets polled", a.polled, len(a.out))
	must(a.old != a.cur, "one generation twice")
	a.checkEmbedding(must)
	must(a.old != nil || a.oldUntil.IsZero(), "a deadline for no generation")
	for _, g := range a.generations() {
		waiting, inProgress := 0, 0
		seen := map[[2]any]bool{}
		for i, p := range g.pairs {
			must(p.gen == g, "pair of another generation")
			key := [2]any{p.base, p.addr}
			must(!seen[key], "pair %v twice", key)
			seen[key] = true
			must(i == 0 || g.pairs[i-1].before(p), "checklist is not in order at %d", i)
			q := *p
			q.prioritize(a.controlling)
			must(q.priority == p.priority, "pair %v has priority %d, should be %d", key, p.priority, q.priority)
			must(slices.Contains(g.remotes, p.remote), "pair %v has a forgotten remote candidate", key)
			must(p.local.Base == p.base && g.atBase(p.base) != nil, "pair %v has a forgotten local candidate", key)
			must(p.queued == slices.Contains(g.triggered, p), "pair %v: queued is %v", key, p.queued)
			must(!p.queued || p.state == PairWaiting, "pair %v is queued in state %v", key, p.state)
			must(p.asked.IsZero() || !p.asked.Before(p.heard), "pair %v was asked before it was heard", key)
			must(p.told.IsZero() || !p.told.Before(p.heard), "pair %v was told before it was heard", key)
			must(len(p.transactions) <= maxTransactions, "%d transactions", len(p.transactions))
			for _, t := range p.transactions {
				must(!t.sentAt.After(now), "a transaction is to be")
			}
			must(p.requestsReceived == p.responsesSent, "%d requests, %d responses", p.requestsReceived, p.responsesSent)
			switch p.state {
			case PairWaiting:
				waiting++
			case PairInProgress:
				inProgress++
				must(p.current() != nil && !p.retransmitAt.IsZero(), "pair %v waits for nothing", key)
				must(1 <= p.sends && p.sends <= steady+rc-1, "pair %v was checked %d times", key, p.sends)
			case PairSucceeded:
				must(!p.consented.IsZero() && p.authentic && !g.failed, "pair %v is valid without reason", key)
			}
			must(p.unproven >= 0 && (p.unproven == 0 || p.consented.IsZero()), "pair %v has answered, and owes %d bytes", key, p.unproven)
		}
		must(waiting == g.waiting && inProgress == g.inProgress, "counted %d %d, have %d %d", waiting, inProgress, g.waiting, g.inProgress)
		must(len(g.triggered) <= len(g.pairs), "triggered-check queue is longer than the checklist")
		for i, p := range g.triggered {
			must(slices.Contains(g.pairs, p) && !slices.Contains(g.triggered[:i], p), "triggered check of a forgotten pair")
		}
		must(len(g.pairs) <= a.cfg.MaxPairs, "%d pairs", len(g.pairs))
		must(len(g.remotes) <= g.learned && g.learned <= a.cfg.MaxRemoteCandidates+reservedReflexive, "%d remote candidates, %d learned", len(g.remotes), g.learned)
		for i, c := range g.remotes {
			must(g.remoteAt(c.Addr) == g.remotes[i], "remote candidate %v twice", c.Addr)
		}
		must(g.selected == nil || g.selected.state == PairSucceeded && slices.Contains(g.pairs, g.selected), "selected pair is not valid")
		must(!g.completed || g.selected != nil, "completed without a selected pair")
	}
	if a.state == StateClosed {
		must(len(a.cur.pairs) == 0 && a.old == nil && a.route == nil && a.PollTimeout().IsZero(), "closed, but something is left")
		return
	}
	if a.route != nil {
		must(a.route.state == PairSucceeded && slices.Contains(a.route.gen.pairs, a.route), "the route is not valid")
		must(a.route.gen == a.cur || a.route.gen == a.old, "the route is of a forgotten generation")
	}
	must(a.route != nil || !a.cur.hasValid(), "a valid pair, but no route")
	must(a.nominating == nil || a.controlling && a.nominating.state == PairSucceeded, "nominating an invalid pair")
	if a.advanced.Equal(now) {
		must(a.state == a.wantState(now), "state is %v, should be %v", a.state, a.wantState(now))
		t := a.PollTimeout()
		must(t.IsZero() || t.After(now), "deadline %v is not after %v", t, now)
	}
}

// checkEmbedding does the same for what is embedded.
func (a *Agent) checkEmbedding(must func(ok bool, format string, args ...any)) {
	e, s := a.embed, a.embedding
	must(s.DataSent <= s.Sent && s.DataReceived <= s.Received && s.DataReceivedBefore <= s.DataReceived, "embedding: %+v", s)
	if e == nil {
		must(s.State == EmbeddingNone || s.State >= EmbeddingComplete, "nothing is embedded in state %v", s.State)
		return
	}
	must(s.State > EmbeddingNone && (s.State < EmbeddingComplete || len(e.flight) > 0), "embedding goes on in state %v", s.State)
	must(s.State > EmbeddingReady || len(e.flight) == 0 && s.Sent == 0, "embedding before anybody wants it")
	must(len(e.flight) == 0 || 0 <= e.next && e.next <= len(e.flight), "datagram %d of %d is next", e.next, len(e.flight))
	must(e.hurried <= maxHurried && (e.trip > 0 || e.hurried == 0) && (e.trip == 0 || !e.began.IsZero()), "%d hurried checks after %v", e.hurried, e.trip)
	must(len(e.received) <= maxAcks, "%d datagrams are acknowledged", len(e.received))
	for i, sum := range e.received {
		must(!slices.Contains(e.received[:i], sum), "a datagram is acknowledged twice")
	}
	for _, d := range e.flight {
		must(d.sum == crc32.ChecksumIEEE(d.data), "a datagram has another checksum")
	}
	unproven := 0
	for _, g := range a.generations() {
		for _, p := range g.pairs {
			unproven += p.unproven
		}
	}
	must(unproven <= e.unproven && e.unproven <= maxUnproven, "%d bytes have gone to pairs that do not answer, %d of them to pairs that live", e.unproven, unproven)
}
