package dtls

import "time"

// refusalGrace is how long a client's handshake goes on after the flight that was due has come in a form that cannot be accepted. It came
// unauthenticated, so it may be a forgery, and then the peer's own comes with its next retransmission.
const refusalGrace = defaultMaxRTO

// Close ends the connection: a close_notify leaves by PollWrite, authenticated if the handshake has come that far, and nothing after it.
// It has no effect on a connection that has ended. There is no event for it.
func (c *Conn) Close(time.Time) {
	if c.state >= StateClosed {
		return
	}
	told := c.state != StateNew && c.flight.sends > 0
	c.become(StateClosed)
	c.end(told, alertWarning, AlertCloseNotify)
}

// closedByPeer follows RFC 5246 section 7.2.1: the other party "MUST respond with a close_notify alert of its own and close down the
// connection immediately, discarding any pending writes."
func (c *Conn) closedByPeer() {
	c.become(StateClosed)
	c.end(true, alertWarning, AlertCloseNotify)
	c.events = append(c.events, Event{Type: EventClosed})
}

// fail ends the connection because of err and tells the peer.
func (c *Conn) fail(alert Alert, err error) {
	c.become(StateFailed)
	level := uint8(alertFatal)
	if alert == AlertCloseNotify {
		level = alertWarning
	}
	c.end(true, level, alert)
	c.events = append(c.events, Event{Type: EventFailed, Err: err})
}

// failSilently ends the connection because of err when there is nobody to tell, or it knows.
func (c *Conn) failSilently(err error) {
	c.become(StateFailed)
	c.end(false, 0, 0)
	c.events = append(c.events, Event{Type: EventFailed, Err: err})
}

// end forgets what an ended connection does not need: secrets, what waits to be sent or delivered, timers.
func (c *Conn) end(tell bool, level uint8, alert Alert) {
	c.alerts = c.alerts[:0]
	if tell {
		c.queueAlert(level, alert)
	}
	if c.state == StateFailed || !c.hs.complete {
		c.flight.begin(time.Time{})
	}
	// Otherwise what waits of a server's last flight still leaves: without it the peer could not place the close_notify behind it.
	c.flight.wantsAnswer, c.flight.isAnswer = false, false
	c.hs.forget()
	c.opening = nil
	c.in.restart(0)
	c.early, c.held = hold{}, hold{}
	c.read, c.old, c.readHandshake, c.unacked, c.acks, c.updateDue = nil, nil, nil, nil, acks{}, false
	c.fingerprints = nil
	c.refused = nil
	c.giveUp = time.Time{}
}

// giveUpHandshake ends a handshake that took too long.
func (c *Conn) giveUpHandshake() {
	err := &TimeoutError{Alert: c.plainAlert, HasAlert: c.hasPlainAlert}
	if c.refused == nil {
		c.failSilently(err)
		return
	}
	err.Refused = c.refused
	c.fail(c.refused.Alert, err)
}

// noteRefusal remembers why a message could not be accepted.
func (c *Conn) noteRefusal(now time.Time, why *HandshakeError) {
	c.stats.MessagesRefused++
	if c.refused == nil {
		c.refusedAt = now
	}
	c.refused = why
}

// refusalDeadline is when the refused message decides. For a server it never does: all that it refuses may be somebody else's, however
// long the true client takes to begin (CVE-2023-49786, CVE-2023-51443).
func (c *Conn) refusalDeadline() time.Time {
	if c.refused == nil || !c.cfg.Client {
		return time.Time{}
	}
	return c.refusedAt.Add(refusalGrace)
}

// failRandomness ends a connection that cannot make secrets.
func (c *Conn) failRandomness() { c.failSilently(errRandomness) }
