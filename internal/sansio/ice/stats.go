package ice

import (
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

// Dropped counts what arrived and had no effect.
type Dropped struct {
	Malformed        uint64 // not STUN, or STUN that breaks its own rules
	Unexpected       uint64 // indications, and methods other than Binding
	Fingerprint      uint64 // missing from a request, or wrong
	Integrity        uint64 // MESSAGE-INTEGRITY missing or wrong
	Username         uint64 // of no generation that lives
	UnknownLocal     uint64 // at an address that is no local candidate
	UnknownResponse  uint64 // of no transaction that is waited for
	Asymmetric       uint64 // a response from or to another address than its request
	Limit            uint64 // a peer-reflexive candidate or pair beyond the limits
	Ended            uint64 // when the agent has failed or is closed
	Responses        uint64 // of ours, which nobody polled
	RemoteCandidates uint64 // remote candidates that are unsupported, of another generation, or beyond the limit
}

// Stats is a snapshot of the agent.
type Stats struct {
	State             State
	Controlling       bool
	Pairs             []PairStats // of the current generation, best first
	Local, Remote     []Candidate
	RoleConflicts     uint64
	SelectedPairMoves uint64 // selectedCandidatePairChanges
	Dropped           Dropped
}
