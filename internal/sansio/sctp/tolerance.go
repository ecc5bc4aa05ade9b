package sctp

import "time"

// tolerance tells losses of congestion from those that the path makes by itself, as radio does. A queue that overflows is full, and what
// passes through it takes longer: a loss counts as congestion when round trips are longer than the shortest one. When they are not, up to
// one packet in toleratedShare may be lost without the window becoming smaller; more counts as congestion even so, since a path may drop
// without queueing. Among flows that share a queue nothing is tolerated, so they meet CUBIC as it is in RFC 9438.
type tolerance struct {
	credit int // bytes that may be lost
}

const (
	// toleratedShare is 2 %, as BBR has it (draft-ietf-ccwg-bbr, LossThresh).
	toleratedShare = 50
	// toleratedBurst is which part of a window may be lost at once, when nothing was for long; at any window minTolerated packets may.
	toleratedBurst = 16
	minTolerated   = 3
	// A queue is seen when round trips are longer than the shortest by this part of it, and at least minQueueDelay.
	queueDelayShare = 16
	minQueueDelay   = time.Millisecond
)

func (t *tolerance) onAck(n int, c *cwnd) {
	t.credit = min(t.credit+n/toleratedShare, max(c.size/toleratedBurst, minTolerated*c.mtu))
}

// takes says whether a loss of n bytes is none of congestion.
func (t *tolerance) takes(n int, r *rto) bool {
	if r.queued() || n > t.credit {
		return false
	}
	t.credit -= n
	return true
}

// queued says whether the last round trip shows a queue on the path.
func (r *rto) queued() bool {
	return r.shortest == 0 || r.latest > r.shortest+max(r.shortest/queueDelayShare, minQueueDelay)
}
