package ice

import (
	"slices"
	"strconv"
	"time"
)

// PairState is the state of a candidate pair, RFC 8445 section 6.1.2.6. No pair is ever frozen: see the package comment.
type PairState uint8

// The states of a pair.
const (
	PairWaiting PairState = iota
	PairInProgress
	PairSucceeded
	PairFailed
)

func (s PairState) String() string {
	switch s {
	case PairWaiting:
		return "waiting"
	case PairInProgress:
		return "in-progress"
	case PairSucceeded:
		return "succeeded"
	case PairFailed:
		return "failed"
	}
	return "PairState(" + strconv.Itoa(int(s)) + ")"
}

// PairStats are the figures of one candidate pair, named as in the W3C's RTCIceCandidatePairStats.
type PairStats struct {
	Local, Remote        Candidate
	State                PairState
	Priority             uint64
	Nominated            bool
	Selected             bool // it is the selected pair
	Route                bool // data goes here
	RequestsSent         uint64
	RequestsReceived     uint64
	ResponsesSent        uint64
	ResponsesReceived    uint64
	ConsentRequestsSent  uint64
	TotalRoundTripTime   time.Duration
	CurrentRoundTripTime time.Duration // zero: not measured
	LastHeard            time.Time     // the last authenticated sign of life
}

// Dropped counts what had no effect.
type Dropped struct {
	Malformed        uint64 // not STUN, or STUN that breaks its own rules
	Unexpected       uint64 // indications, and methods other than Binding
	Fingerprint      uint64 // missing from a request, or wrong
	Integrity        uint64 // MESSAGE-INTEGRITY missing or wrong
	Username         uint64 // of no generation that lives
	OldGeneration    uint64 // a check of the generation before the restart, from an address that was not in use
	UnknownLocal     uint64 // at an address that is no local candidate
	UnknownResponse  uint64 // of no transaction that is waited for
	Asymmetric       uint64 // a response from or to another address than its request
	Limit            uint64 // a peer-reflexive candidate or pair beyond the limits
	Ended            uint64 // when the agent has failed or is closed
	Unpolled         uint64 // packets of ours that nobody polled
	Embedded         uint64 // embedded datagrams that are none
	RemoteCandidates uint64 // remote candidates that are unsupported, of another generation, or beyond the limit
}

// Stats is a snapshot of the agent.
type Stats struct {
	State             State
	Controlling       bool
	Pairs             []PairStats // of the current generation, best first; then the route, if it is of the generation before
	Local, Remote     []Candidate
	RoleConflicts     uint64
	SelectedPairMoves uint64 // selectedCandidatePairChanges
	Embedding         EmbeddingStats
	Dropped           Dropped
}

// Stats returns a snapshot.
func (a *Agent) Stats() Stats {
	s := Stats{
		State:             a.state,
		Controlling:       a.controlling,
		RoleConflicts:     a.conflicts,
		SelectedPairMoves: a.moves,
		Embedding:         a.embedding,
		Dropped:           a.dropped,
	}
	for _, c := range a.cur.locals {
		s.Local = append(s.Local, *c)
	}
	for _, c := range a.cur.remotes {
		s.Remote = append(s.Remote, *c)
	}
	pairs := a.cur.pairs
	if a.route != nil && a.route.gen != a.cur {
		pairs = append(slices.Clip(pairs), a.route)
	}
	for _, p := range pairs {
		if p.local.Type == PeerReflexive && !slices.Contains(s.Local, *p.local) {
			s.Local = append(s.Local, *p.local)
		}
		s.Pairs = append(s.Pairs, PairStats{
			Local:                *p.local,
			Remote:               *p.remote,
			State:                p.state,
			Priority:             p.priority,
			Nominated:            !p.nominatedAt.IsZero(),
			Selected:             p == p.gen.selected,
			Route:                p == a.route,
			RequestsSent:         p.requestsSent,
			RequestsReceived:     p.requestsReceived,
			ResponsesSent:        p.responsesSent,
			ResponsesReceived:    p.responsesReceived,
			ConsentRequestsSent:  p.consentRequestsSent,
			TotalRoundTripTime:   p.totalRTT,
			CurrentRoundTripTime: p.rtt,
			LastHeard:            p.heard,
		})
	}
	return s
}
