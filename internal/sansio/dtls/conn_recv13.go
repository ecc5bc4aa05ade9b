package dtls

import "time"

// handleSealed takes a record with the header of 1.3.
func (c *Conn) handleSealed(now time.Time, r record13) {
	if c.opening != nil {
		if !c.cfg.does(Version13) {
			c.stats.DroppedEpoch++
			return
		}
		c.deliverMessages(now) // the ServerHello ahead of it
	}
	if c.opening != nil {
		if plain, typ, seq, ok := c.settle(r); ok {
			c.handleOpened(now, c.read, typ, seq, plain)
			c.openEarly(now)
		} else {
			c.holdEarly(now, r)
		}
		return
	}
	if c.state >= StateClosed {
		c.stats.DroppedInactive++
		return
	}
	c.openSealed(now, r)
}

// openSealed takes a record of 1.3 when it is known what the peer has begun.
func (c *Conn) openSealed(now time.Time, r record13) {
	if c.readHandshake != nil && !c.cfg.Client && now.After(c.handshakeUntil) {
		c.readHandshake = nil
	}
	k := c.read
	switch {
	case k.v13 == nil:
		c.stats.DroppedEpoch++
		return
	case k.is(r.epochBits):
	case c.old.is(r.epochBits):
		k = c.old
	case c.readHandshake.is(r.epochBits):
		k = c.readHandshake
	case !c.hs.complete && r.epochBits == epochData:
		c.holdEarly(now, r) // data behind a flight of which a part is missing
		return
	default:
		c.stats.DroppedEpoch++
		return
	}
	plain, typ, seq, ok := k.v13.open(r, k.replay.top)
	if !ok {
		c.stats.DroppedBadMAC++
		if k.failed++; k.failed == maxOpenFailed {
			c.fail(AlertBadRecordMAC, ErrForged)
		}
		return
	}
	c.handleOpened(now, k, typ, seq, plain)
}

// handleOpened takes a record of 1.3 that its key has opened.
func (c *Conn) handleOpened(now time.Time, k *readEpoch, typ uint8, seq uint64, plain []byte) {
	if !k.replay.fresh(seq) {
		c.stats.DroppedReplay++
		return
	}
	k.replay.mark(seq)
	if k == c.read && k.replay.top > replayBits {
		// RFC 9147 section 8: "receivers MUST retain the pre-update keying material until receipt and successful decryption of a message using the
		// new keys." What is more late than the window of one epoch bears is lost here too.
		c.old = nil
	}
	c.handleContent(now, k, typ, seq, plain)
}

func (c *Conn) holdEarly(now time.Time, r record13) {
	if !c.early.put(r.raw) {
		c.stats.DroppedOverflow++
	}
	if r.epochBits == epochData {
		c.askForFlight(now)
	}
}

// handleContent takes what was in a record of 1.3.
func (c *Conn) handleContent(now time.Time, k *readEpoch, typ uint8, seq uint64, plain []byte) {
	switch {
	case len(plain) == 0 && typ != contentApplicationData:
		// RFC 8446 section 5.4: "Implementations MUST NOT send Handshake and Alert records that have a zero-length TLSInnerPlaintext.content; if such a
		// message is received, the receiving implementation MUST terminate the connection with an "unexpected_message" alert." So it is with padding
		// alone, whose type is 0.
		c.fail(AlertUnexpectedMessage, refusef(AlertUnexpectedMessage, "peer sent an empty record of type %d", typ))
	case typ == contentApplicationData && k.epoch >= epochData:
		c.handleData(plain)
	case typ == contentHandshake:
		// The reassembly tells what is of the handshake from what is behind it, not one key from the next.
		if !c.handleFragments(now, uint16(min(k.epoch, epochData)), plain) || c.state >= StateClosed {
			return
		}
		c.noteHandshakeRecord(recordNumber{k.epoch, seq})
		c.deliverMessages(now)
	case typ == contentACK:
		c.handleACK(now, plain)
	case typ == contentAlert:
		c.handleAlert(plain)
	default:
		// Of a type that is not known or not in this epoch: RFC 8446 section 5, an implementation "MUST terminate the
		// connection with an "unexpected_message" alert".
		c.fail(AlertUnexpectedMessage, refusef(AlertUnexpectedMessage, "peer sent a record of type %d in epoch %d", typ, k.epoch))
	}
}

// noteHandshakeRecord makes a record be acknowledged if it has to be.
func (c *Conn) noteHandshakeRecord(n recordNumber) {
	if !c.cfg.Client && c.flight.wantsAnswer && !c.hs.complete {
		// RFC 9147 section 7.2: "the receipt of any record responding to a given flight MUST be taken as an implicit acknowledgement for
		// the entire flight."
		c.flight.begin(time.Time{})
	}
	if c.cfg.Client && c.hs.complete && n.epoch == epochHandshake {
		return // our flight is the answer: when this comes again, so does that
	}
	c.acks.note(n)
	c.acks.due = c.acks.due || c.hs.complete
}
