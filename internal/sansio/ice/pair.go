package ice

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// pair is a candidate pair. It is named by what its packets have on them: two local candidates with one base are one pair.
type pair struct {
	gen           *generation
	local, remote *Candidate
	base, addr    netip.AddrPort // the 5-tuple; addr has the zone of base
	priority      uint64
	serial        uint64 // when it was made: the order of pairs that have the same priority

	state     PairState // change it by become only
	queued    bool      // it is in gen.triggered
	authentic bool      // an authenticated request or response was received

	heard      time.Time // the last authenticated sign of life
	consented  time.Time // the last success response
	consentDue time.Time // when consent is asked for again at the latest, if this is the route
	lastSent   time.Time // the last request
	// What was not answered: the first request, and the first data, that was sent after heard; zero: none. Invariant: not before heard.
	asked, told time.Time
	nominatedAt time.Time // the last nomination: a request that had USE-CANDIDATE, or the response to one of ours; zero: none

	transactions []transaction // those whose response may come, in the order in which they were sent
	sends        int           // checks in state InProgress, since the first of them or one that was triggered
	rto          time.Duration
	retransmitAt time.Time // in state InProgress

	unproven int // bytes of embedded datagrams that were sent while consented is zero; zero when it is not

	srtt, rtt, totalRTT                                              time.Duration
	requestsSent, requestsReceived, responsesSent, responsesReceived uint64
	consentRequestsSent                                              uint64
}

// transaction is a request of ours.
type transaction struct {
	id           transactionID
	sentAt       time.Time
	controlling  bool
	useCandidate bool

	embeds  bool   // it says what was received of embedded datagrams
	carries bool   // it carries the datagram with CRC-32 sum
	sum     uint32 //
}

// maxTransactions bounds what one pair remembers: at the pace of probes eight seconds, and at that of hurry two round trips.
const maxTransactions = 16

// prioritize computes "pair priority = 2^32*MIN(G,D) + 2*MAX(G,D) + (G>D?1:0)", RFC 8445 section 6.1.2.3, where G is the priority of
// the controlling agent's candidate.
func (p *pair) prioritize(controlling bool) {
	g, d := uint64(p.local.Priority), uint64(p.remote.Priority)
	if !controlling {
		g, d = d, g
	}
	p.priority = min(g, d)<<32 + 2*max(g, d)
	if g > d {
		p.priority++
	}
}

// before is the order of a checklist.
func (p *pair) before(q *pair) bool {
	return p.priority > q.priority || p.priority == q.priority && p.serial < q.serial
}

// become changes the state.
func (p *pair) become(s PairState) {
	ok := false
	switch s {
	case PairWaiting: // a triggered check, or one that is to be repeated differently
		ok = p.state == PairInProgress || p.state == PairFailed
	case PairInProgress:
		ok = p.state == PairWaiting
	case PairSucceeded: // also by the response to a check that was cancelled or given up
		ok = p.state != PairSucceeded
	case PairFailed:
		ok = p.state != PairFailed
	}
	if !ok || p.gen.failed && s != PairFailed {
		panic(fmt.Sprintf("BUG: ice: pair %v-%v goes from %v to %v", p.base, p.addr, p.state, s))
	}
	p.gen.count(p.state, -1)
	p.gen.count(s, +1)
	p.state = s
	if s != PairSucceeded {
		return
	}
	p.dequeue()
}

// enqueue puts the pair on the triggered-check queue.
func (p *pair) enqueue() {
	if p.state != PairWaiting {
		p.become(PairWaiting)
	}
	if !p.queued {
		p.queued = true
		p.gen.triggered = append(p.gen.triggered, p)
	}
}

func (p *pair) dequeue() {
	if p.queued {
		p.queued = false
		p.gen.triggered = slices.DeleteFunc(p.gen.triggered, func(q *pair) bool { return q == p })
	}
}

// hear notes an authenticated sign of life.
func (p *pair) hear(now time.Time) {
	p.authentic = true
	p.heard = now
	p.gen.heard = now
	p.asked, p.told = time.Time{}, time.Time{}
}

// current is the transaction that was begun last, or nil.
func (p *pair) current() *transaction {
	if len(p.transactions) == 0 {
		return nil
	}
	return &p.transactions[len(p.transactions)-1]
}

// measure takes a round-trip time, RFC 6298's way.
func (p *pair) measure(rtt time.Duration) {
	rtt = max(rtt, time.Microsecond)
	p.rtt = rtt
	p.totalRTT += rtt
	if p.srtt == 0 {
		p.srtt = rtt
	} else {
		p.srtt = (7*p.srtt + rtt) / 8
	}
}
