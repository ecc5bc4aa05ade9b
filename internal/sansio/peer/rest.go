package peer

import "time"

// restAfter is how long no data moves until a connection gives back the memory that it keeps for speed: longer than the pauses of one in use.
// It needs no deadline of its own, since ICE's consent checks wake a connection every few seconds.
const restAfter = 2 * time.Second

// rest is what is known about a connection's pauses.
type rest struct {
	moved bool      // data was sent or received since maybeRest looked
	since time.Time // when it saw that last
	done  bool      // in this pause
}

// maybeRest is called at the end of each burst.
func (c *Core) maybeRest(now time.Time) {
	r := &c.rest
	switch {
	case r.moved:
		*r = rest{since: now}
	case !r.done && now.Sub(r.since) >= restAfter:
		r.done = true
		if len(c.carry) == 0 {
			c.carry = nil
		}
		c.events.rest()
		c.channels.Rest()
		if c.dtls != nil {
			c.dtls.Rest()
		}
		if c.sctp != nil {
			c.sctp.Rest()
		}
		if c.media != nil {
			c.media.machine.Rest()
		}
	}
}

func (e *events) rest() {
	if e.len() == 0 {
		*e = events{}
	}
}
