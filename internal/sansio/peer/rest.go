package peer

import "time"

// restAfter is how long no data moves until a connection gives back the memory that it keeps for speed: longer than the pauses of one in use.
// It needs no deadline of its own, since ICE's consent checks wake a connection every few seconds.
const restAfter = 2 * time.Second

// rest is what is known about a connection's pauses.
type rest struct {
	out, in uint64    // what the association had moved when noteUse looked
	since   time.Time // when that changed last
	done    bool      // in this pause
}

// noteUse is called when SCTP packets have been sent, as they are soon after data has arrived too: it is acknowledged.
func (c *Core) noteUse(now time.Time) {
	out, in := c.sctp.Moved()
	if out == c.rest.out && in == c.rest.in {
		return
	}
	if out != c.rest.out {
		c.ice.HandleSent(now) // the peer has to acknowledge it
	}
	c.rest = rest{out: out, in: in, since: now}
	c.ice.HandleUse(now)
}

// noteMedia is called when packets of media have been sent or received.
func (c *Core) noteMedia(now time.Time) {
	c.rest.since, c.rest.done = now, false
	c.ice.HandleUse(now)
}

// maybeRest is called at the end of each burst.
func (c *Core) maybeRest(now time.Time) {
	if r := &c.rest; !r.done && !r.since.IsZero() && now.Sub(r.since) >= restAfter {
		r.done = true
		if len(c.carry) == 0 {
			c.carry = nil
		}
		c.events.rest()
		c.session.Rest()
		c.ice.Rest()
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
