package sctp

import "time"

// rto is what is known of the round trip: RFC 9260 section 6.3.1.
type rto struct {
	initial, lower, upper time.Duration

	srtt, rttvar time.Duration // zero until measured
	latest       time.Duration // of all samples
	shortest     time.Duration // likewise; 0: there was none
	base         time.Duration // RTO before backing off
	backoff      uint          // doublings since the last answer
	settled      bool          // the handshake is over
}

func newRTO(c *Config) rto {
	return rto{initial: c.RTOInitial, lower: c.RTOMin, upper: c.RTOMax, base: c.RTOInitial}
}

// minHandshakeRTO is how quickly a handshake packet is repeated at the earliest, as DTLS in libwebrtc does.
const minHandshakeRTO = 50 * time.Millisecond

// maxRTO is RTO.Max of RFC 9260 section 16.
const maxRTO = time.Minute

// hint is told a round trip that another layer measured; it serves for the handshake.
func (r *rto) hint(rtt time.Duration) {
	if rtt > 0 && r.srtt == 0 && !r.settled {
		r.base = min(max(3*rtt, minHandshakeRTO), maxRTO)
	}
}

// sample takes the round trip of data, as often as there is one.
func (r *rto) sample(rtt time.Duration) {
	r.latest = rtt
	if r.shortest == 0 || rtt < r.shortest {
		r.shortest = rtt
	}
}

// measure takes one sample: RFC 9260 section 6.3.1, rules C2 and C3.
func (r *rto) measure(rtt time.Duration) {
	rtt = max(rtt, 1)
	if r.srtt == 0 {
		r.srtt, r.rttvar = rtt, rtt/2
	} else {
		r.rttvar += ((r.srtt - rtt).Abs() - r.rttvar) / 4
		r.srtt += (rtt - r.srtt) / 8
	}
	// It may be above r.upper, which bounds backing off: on a path whose round trip is longer every timeout would come too early.
	r.base = min(max(r.srtt+max(4*r.rttvar, time.Millisecond), r.lower), maxRTO)
}

// current is the RTO with backing off: "set RTO = RTO * 2 ("back off the timer")", bounded by RTO.Max (section 6.3.3, rule E2).
func (r *rto) current() time.Duration { return r.after(r.backoff) }

// after is the RTO after n timeouts.
func (r *rto) after(n uint) time.Duration {
	return min(r.base<<min(n, 16), max(r.upper, r.base))
}

// maxAckDelay is how long a peer may keep a SACK back (RFC 9260 section 6.2), when nothing asks for it at once.
const maxAckDelay = 200 * time.Millisecond

// probeDelay is how long the tail of a flight waits for its answer before it is probed (RFC 8985 section 7.2); alone tells that the peer
// may delay the answer. The first of an association it may not, if it has that: "After the reception of the first DATA chunk in an association, the endpoint MUST
// immediately respond with a SACK chunk" (RFC 9260 section 6.2). What rttvar says then is half of srtt by definition, and not measured.
func (r *rto) probeDelay(first, alone bool) time.Duration {
	if first {
		return max(2*r.srtt, minHandshakeRTO)
	}
	d := 2*r.srtt + max(2*r.rttvar, 10*time.Millisecond)
	if alone {
		d += maxAckDelay
	}
	return d
}

// settle ends the handshake: from now on the peer may delay its answers, so RTO.Min holds.
func (r *rto) settle() {
	r.settled = true
	if r.base = max(r.base, r.lower); r.srtt == 0 {
		r.base = max(r.base, r.initial)
	}
}
