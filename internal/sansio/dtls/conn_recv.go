package dtls

import "time"

// HandleDatagram takes a datagram from the peer and decrypts it in place. What PollData returns afterwards is part of b.
func (c *Conn) HandleDatagram(now time.Time, b []byte) {
	c.stats.DatagramsIn++
	c.stats.DroppedUnread += uint64(len(c.data) - c.dataAt)
	clear(c.data)
	c.data, c.dataAt = c.data[:0], 0
	for len(b) > 0 {
		if c.state >= StateClosed || c.state == StateNew && c.cfg.Client {
			c.stats.DroppedInactive++
			return
		}
		var ok bool
		if isUnified(b[0]) {
			var r record13
			if r, b, ok = parseRecord13(b); ok {
				c.stats.RecordsIn++
				c.handleSealed(now, r)
			}
		} else {
			var r record
			if r, b, ok = parseRecord(b); ok {
				c.stats.RecordsIn++
				c.handleRecord(now, r)
			}
		}
		if !ok {
			c.stats.DroppedMalformed++
			break
		}
	}
	c.deliverMessages(now)
	if !c.hs.complete {
		c.acks.waitForRest(now, c.flight.rto(), c.in.hasGap())
	}
}

// PollData returns the next application data record. It is valid until the next HandleDatagram, and lost if it has not been polled by
// then. There is none before EventConnected.
func (c *Conn) PollData() ([]byte, bool) {
	if c.dataAt == len(c.data) {
		return nil, false
	}
	b := c.data[c.dataAt]
	c.dataAt++
	return b, true
}

// Rest gives back the memory that is kept only to be used again. It is called when nothing was sent or received for a while.
func (c *Conn) Rest() {
	if c.dataAt == len(c.data) {
		c.data, c.dataAt = nil, 0
	}
	if len(c.events) == 0 {
		c.events = nil
	}
	c.read.rest()
	c.old.rest()
	c.readHandshake.rest()
	c.write.rest()
}

func (c *Conn) handleRecord(now time.Time, r record) {
	switch {
	case !r.wellFormed():
		c.stats.DroppedMalformed++
	case r.epoch == epochPlain:
		c.handlePlain(now, r)
	case r.epoch != epochProtected || c.read != nil && c.read.v12 == nil:
		c.stats.DroppedEpoch++
	default:
		if c.read == nil {
			c.deliverMessages(now)
		}
		switch {
		case c.state >= StateClosed:
			c.stats.DroppedInactive++
		case c.read != nil:
			c.handleProtected(now, r)
		case !c.early.put(r.raw):
			// A Finished, or data behind it, that overtook the messages that give the keys.
			c.stats.DroppedOverflow++
		}
	}
}

// handlePlain takes a record of the epoch in which anybody can say anything. Nothing in it ends the connection.
func (c *Conn) handlePlain(now time.Time, r record) {
	switch r.typ {
	case contentHandshake:
		if c.hs.complete || c.read != nil && c.read.v13 != nil {
			// Only the authenticated end of a flight makes us repeat ours (see handleFragments). What 1.3 has in the clear, it has before its keys.
			c.stats.DroppedEpoch++
			return
		}
		c.handleFragments(now, r.epoch, r.payload())
	case contentChangeCipherSpec:
		// It tells nothing that the epoch of the records behind it does not: they are opened when the keys have been agreed on, with or
		// without it.
	case contentAlert:
		// An unauthenticated alert must not end a handshake, as anybody who knows the addresses could send it (CVE-2023-49786 is such an
		// attack). Whoever meant it will also not go on with the handshake, which then times out and tells of the alert.
		if a := r.payload(); len(a) == alertLen && a[0] == alertFatal && !c.hs.complete {
			c.plainAlert, c.hasPlainAlert = Alert(a[1]), true
		}
		c.stats.DroppedPlaintextAlert++
	case contentACK:
		// Of a part of a ClientHello. If it is somebody else's, and was believed, that part would not be sent again.
		c.stats.DroppedUnexpected++
	case contentApplicationData:
		c.stats.DroppedPlaintextData++
	default:
		c.stats.DroppedMalformed++
	}
}

// openEarly takes the records that came before their keys.
func (c *Conn) openEarly(now time.Time) {
	for _, raw := range c.early.take() {
		if c.state >= StateClosed {
			return
		}
		if r, _, ok := parseRecord13(raw); ok {
			c.handleSealed(now, r)
		} else if r, _, ok := parseRecord(raw); ok {
			c.handleRecord(now, r)
		}
	}
}

func (c *Conn) handleProtected(now time.Time, r record) {
	if !c.read.replay.fresh(r.seq) {
		c.stats.DroppedReplay++
		return
	}
	plain, ok := c.read.v12.open(r.raw)
	if !ok {
		c.stats.DroppedBadMAC++
		return
	}
	c.read.replay.mark(r.seq)
	switch r.typ {
	case contentApplicationData:
		c.handleData(plain)
	case contentHandshake:
		c.handleFragments(now, r.epoch, plain)
		c.deliverMessages(now)
	case contentAlert:
		c.handleAlert(plain)
	default:
		c.stats.DroppedUnexpected++
	}
}

// handleData takes application data that is authenticated.
func (c *Conn) handleData(plain []byte) {
	switch {
	case c.state == StateConnected:
		c.data = append(c.data, plain)
		c.stats.DataIn++
	case !c.held.put(plain):
		c.stats.DroppedOverflow++
	}
}

// handleFragments takes the content of a handshake record, and says whether we have all of it now.
func (c *Conn) handleFragments(now time.Time, epoch uint16, b []byte) (kept bool) {
	kept = true
	for len(b) > 0 {
		h, fragment, rest, ok := parseMessageHeader(b)
		if !ok {
			c.stats.DroppedMalformed++
			return false
		}
		b = rest
		kept = c.handleFragment(now, epoch, h, fragment) && kept
		if c.state >= StateClosed {
			return false
		}
	}
	return kept
}

func (c *Conn) handleFragment(now time.Time, epoch uint16, h messageHeader, fragment []byte) (kept bool) {
	if epoch == epochProtected && h.typ != typeFinished {
		c.handleRenegotiation(h)
		return false
	}
	if epoch == epochPlain && (h.typ == typeFinished || h.typ == typeHelloRequest) {
		c.stats.DroppedUnexpected++
		return false
	}
	if h.typ == typeHelloVerifyRequest && c.cfg.Client && c.opening != nil {
		// Its message_seq is not to be relied on, so it does not go through the reassembly. It is never fragmented: it has under 300 bytes.
		c.handleHelloVerifyRequest(now, h, fragment)
		return false
	}
	if h.typ == typeClientHello && !c.cfg.Client && epoch == epochPlain {
		c.handleHelloFragment(now, h, fragment)
		return false
	}
	result := c.noteFragment(c.in.add(epoch, h, fragment))
	if result == fragmentConflicting && c.opening == nil && c.hs.is13() {
		// RFC 9147 section 5.5: a receiver "SHOULD abort the handshake with an "illegal_parameter" alert if the value of a byte changes". It is the peer's
		// own doing, and part of it has been acknowledged.
		c.fail(AlertIllegalParameter, refusef(AlertIllegalParameter, "peer's fragments contradict each other"))
		return false
	}
	if result == fragmentOld {
		// RFC 6347 section 4.2.4: when it "reads a retransmitted flight from the peer", an implementation "retransmits the flight, resets
		// the retransmit timer". The end of the peer's flight stands for all of it.
		f := &c.flight
		if f.isAnswer && h.seq == f.answers && h.fragmentOffset+h.fragmentLength == h.length && f.mayRepeat(now) {
			c.repeatFlight(now)
		}
	}
	return result == fragmentTaken || result == fragmentOld
}

// noteFragment counts what became of a fragment.
func (c *Conn) noteFragment(result fragmentResult) fragmentResult {
	switch result {
	case fragmentOld:
		c.stats.FragmentsDuplicate++
	case fragmentConflicting:
		c.stats.FragmentsConflicting++
	case fragmentMalformed:
		c.stats.DroppedMalformed++
	case fragmentOverflow:
		c.stats.DroppedOverflow++
	}
	return result
}

// deliverMessages hands the messages that are whole and due to the handshake. It is called when all records in the clear of a datagram have
// been taken apart: what they bring takes the place of what somebody else has sent ahead of them.
func (c *Conn) deliverMessages(now time.Time) {
	for c.state < StateClosed {
		if c.opening != nil {
			if c.cfg.Client && c.takeServerHellos(now) && c.settleEarly() || c.opening != nil && c.state < StateClosed && c.deliverFlight(now) {
				c.openEarly(now)
				continue
			}
			return
		}
		m, ok := c.in.whole(c.in.next)
		switch {
		case !ok:
			return
		case c.hs.complete && !c.hs.is13(): // a Finished with a new message_seq
			c.in.reject(m.seq)
			c.stats.DroppedUnexpected++
			return
		}
		was := c.hs.complete
		why := c.handleMessage(now, m)
		switch {
		case why == nil:
			if c.state < StateClosed {
				c.in.accept(m.seq)
				c.refused = nil
				c.in.trim()
				if c.hs.complete != was {
					c.in.restart(c.in.next)
					c.openEarly(now)
				}
			}
		case m.epoch != epochPlain:
			c.fail(why.Alert, why)
		default:
			c.noteRefusal(now, why)
			c.in.reject(m.seq)
			return
		}
	}
}

// handleHelloFragment takes a part of a ClientHello. Any may be somebody else's, the first as well as a later one, so all are answered.
func (c *Conn) handleHelloFragment(now time.Time, h messageHeader, fragment []byte) {
	o := c.opening
	if o == nil {
		c.stats.FragmentsDuplicate++
		return
	}
	if h.seq > maxCookies {
		c.stats.DroppedOverflow++
		return
	}
	c.noteFragment(o.hellos.add(epochPlain, h, fragment))
	m, ok := o.hellos.whole(h.seq)
	if !ok {
		return
	}
	o.hellos.reject(h.seq)
	switch {
	case c.reopen(now, m.raw):
	case len(o.all) == maxOpenings:
		c.stats.DroppedOverflow++
	default:
		if why := c.handleClientHello(now, m); why != nil {
			c.noteRefusal(now, why)
		}
	}
}

func (c *Conn) repeatFlight(now time.Time) {
	c.flight.rewind(now)
	c.stats.Retransmissions++
}

// handleRenegotiation answers an attempt at a second handshake. RFC 5246 section 7.2.2: "when that is not appropriate, the recipient
// should respond with this alert", which is a warning.
func (c *Conn) handleRenegotiation(h messageHeader) {
	c.stats.DroppedUnexpected++
	if c.state == StateConnected && (h.typ == typeHelloRequest || h.typ == typeClientHello) && h.fragmentOffset == 0 {
		c.queueAlert(alertWarning, AlertNoRenegotiation)
	}
}

// handleAlert takes an authenticated alert.
func (c *Conn) handleAlert(b []byte) {
	switch {
	case len(b) != alertLen:
		c.stats.DroppedMalformed++
	case Alert(b[1]) == AlertCloseNotify:
		c.closedByPeer()
	case b[0] == alertFatal || c.hs.is13() && Alert(b[1]) != AlertUserCanceled:
		// RFC 8446 section 6: "All the alerts listed in Section 6.2 MUST be sent with AlertLevel=fatal and MUST be treated as error alerts when
		// received regardless of the AlertLevel in the message."
		c.failSilently(&AlertError{Alert(b[1])})
	default:
		c.stats.DroppedUnexpected++
	}
}
