package dtls

import (
	"cmp"
	"slices"
	"time"
)

// maxAcks bounds the records that are remembered to be acknowledged. What is forgotten comes again, and is acknowledged then.
const maxAcks = 64

// acks are the records with handshake messages of the peer that we have and have not told it of (RFC 9147 section 7). Those in the clear are
// never among them: they may be anybody's.
type acks struct {
	numbers []recordNumber
	due     bool      // PollWrite tells
	at      time.Time // or when it is due; zero: not yet
}

func (a *acks) note(n recordNumber) {
	if len(a.numbers) == maxAcks {
		a.numbers = append(a.numbers[:0], a.numbers[1:]...)
	}
	a.numbers = append(a.numbers, n)
}

// waitForRest makes what has come of a flight be acknowledged when the rest of it does not come soon, or at once when a part is missing. RFC 9147
// section 7.1: "One approach is to set a timer for 1/4 the current retransmit timer value when the first record in the flight is received and then
// send an ACK when that timer expires."
func (a *acks) waitForRest(now time.Time, rto time.Duration, gap bool) {
	switch {
	case len(a.numbers) == 0 || a.due:
	case gap:
		a.due, a.at = true, time.Time{}
	case a.at.IsZero():
		a.at = now.Add(rto / 4)
	}
}

// askForFlight makes an acknowledgement leave because data is here that the client sends behind its flight, and that is not: so it is lost, or late. The
// client sends it again then, long before its timer. RFC 9147 section 7.1: "in some cases it may be necessary to send an ACK which does not contain
// any record numbers." The data may be anybody's, so nobody is asked more often than once in a round trip.
func (c *Conn) askForFlight(now time.Time) {
	if c.cfg.Client || c.unacked == nil || now.Sub(c.askedAt) < c.flight.roundTrip(c.flight.initialRTO) {
		return
	}
	c.askedAt = now
	c.acks.due, c.acks.at = true, time.Time{}
}

// take gives as many of the oldest numbers as fit in room bytes, in the order of RFC 9147 section 7: "in numerically increasing order".
func (a *acks) take(room int) []recordNumber {
	n := min(len(a.numbers), (room-2)/recordNumberLen)
	numbers := a.numbers[:n]
	slices.SortFunc(numbers, func(a, b recordNumber) int {
		return cmp.Or(cmp.Compare(a.epoch, b.epoch), cmp.Compare(a.seq, b.seq))
	})
	if n == len(a.numbers) {
		*a = acks{}
	} else {
		a.numbers = a.numbers[n:]
	}
	return numbers
}

// appendACK appends the next acknowledgement.
func (c *Conn) appendACKs(dst []byte) []byte {
	w := c.write
	if !c.hs.complete {
		w = c.unacked
	}
	head, tail := w.overhead()
	numbers := c.acks.take(c.cfg.MTU - head - tail)
	return c.appendRecord(dst, w, contentACK, appendACK(make([]byte, 0, 2+maxAcks*recordNumberLen), numbers))
}

// handleACK takes note of what the peer has of our flight. It has been authenticated: an ACK in the clear counts for nothing.
func (c *Conn) handleACK(now time.Time, b []byte) {
	numbers, ok := parseACK(b)
	if !ok {
		c.fail(AlertDecodeError, refusef(AlertDecodeError, "malformed ACK"))
		return
	}
	f := &c.flight
	news := false
	for _, n := range numbers {
		news = f.acknowledge(n) || news
	}
	switch {
	case news && f.isDone():
		c.flightAcknowledged()
	case news && !f.pending() || len(numbers) == 0 && f.mayRepeat(now):
		f.resume(now)
		c.stats.Retransmissions++
	}
}

// flightAcknowledged goes on when the peer has all that we said.
func (c *Conn) flightAcknowledged() {
	switch {
	case c.flight.updatesKeys:
		// RFC 9147 section 8: "implementations MUST NOT send records with the new keys or send a new KeyUpdate until the previous KeyUpdate has
		// been acknowledged".
		w := c.write
		c.write = newWriteEpoch(c.hs.suite, nextSecret(c.hs.suite.hash, w.secret), w.epoch+1)
		c.stats.KeyUpdatesOut++
	case c.hs.complete:
		c.readHandshake = nil // the server is complete, and repeats nothing of the handshake's
		c.unacked = nil
	}
	c.flight.begin(time.Time{})
}
