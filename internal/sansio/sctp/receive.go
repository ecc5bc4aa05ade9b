package sctp

import "time"

// HandlePacket takes one packet; b is not kept. What follows from all packets that arrived together is done by HandleBurstEnd.
func (a *Association) HandlePacket(now time.Time, b []byte) {
	a.enter(now)
	a.stats.PacketsReceived++
	a.stats.BytesReceived += uint64(len(b))
	drops := &a.stats.Drops
	switch {
	case len(b) < headerSize+chunkHeader:
		drops.Malformed++
		return
	case be16(b) != a.cfg.RemotePort || be16(b[2:]) != a.cfg.LocalPort:
		drops.Port++
		return
	case !a.mayLackChecksum(b) && !checksumOK(b):
		drops.Checksum++
		return
	}
	tag, waiting := be32(b[4:]), a.stats.ChunksReceived
	for rest, first := b[headerSize:], true; len(rest) > 0; first = false {
		head, body, next, ok := splitTLV(rest)
		if !ok {
			drops.Malformed++
			break
		}
		a.asm.left = len(next)
		if !a.admit(byte(head>>8), byte(head), tag, first, len(next) == 0) {
			break
		}
		if !a.handleChunk(byte(head>>8), byte(head), tag, body, rest) {
			break
		}
		rest = next
	}
	a.asm.block = nil
	if a.stats.ChunksReceived != waiting {
		a.sack.waiting++
	}
}

// mayLackChecksum says whether b has no checksum and needs none: this end has offered to take it so (RFC 9653 section 5.3). INIT and COOKIE
// ECHO, which come before it has state, always have one.
func (a *Association) mayLackChecksum(b []byte) bool {
	return a.cfg.ZeroChecksum && be32(b[8:]) == 0 && b[headerSize] != chunkInit && b[headerSize] != chunkCookieEcho
}

// admit checks the verification tag (section 8.5) and what may be bundled (section 6.10).
func (a *Association) admit(typ, flags byte, tag uint32, first, last bool) bool {
	ok := tag == a.tag && a.peerTag != 0
	switch typ {
	case chunkInit:
		// With a tag of 0 a packet may only contain an INIT chunk (section 8.5.1 A): "An endpoint MUST NOT bundle INIT, INIT ACK, or SHUTDOWN
		// COMPLETE chunks with any other chunks." (section 6.10).
		ok = tag == 0 && first && last
	case chunkInitAck:
		ok = tag == a.tag && first && last
	case chunkCookieEcho:
		ok = first // its tag is compared with the cookie's
	case chunkAbort, chunkShutdownComplete:
		// "matches its own tag and the T bit is not set OR if it is set to its Peer's Tag and the T bit is set" (section 8.5.1 B, C).
		if flags&flagT != 0 {
			ok = tag == a.peerTag && a.peerTag != 0
		} else {
			ok = tag == a.tag
		}
	case chunkShutdownAck:
		// "If the receiver is in COOKIE-ECHOED or COOKIE-WAIT state, the procedures in Section 8.4 SHOULD be followed" (section 8.5.1 E); so they
		// are where there is no association.
		ok = ok || a.state < StateEstablished
	}
	if !ok {
		a.stats.Drops.Tag++
	}
	return ok
}

// handleChunk takes one chunk and says whether the rest of the packet counts.
func (a *Association) handleChunk(typ, flags byte, tag uint32, body, whole []byte) bool {
	if a.ended {
		a.handleLate(typ, tag)
		return false
	}
	if a.state == StateCookieEchoed && (typ == chunkData || typ == chunkIData || typ == chunkSack) {
		// The peer only sends these when it has our cookie: its COOKIE ACK was lost or is late.
		a.becomeEstablished()
	}
	switch typ {
	case chunkData, chunkIData:
		return a.handleData(typ == chunkIData, flags, body)
	case chunkSack:
		if a.open() {
			a.handleSack(body)
		} else {
			a.stats.Drops.State++
		}
	case chunkInit:
		a.handleInit(body)
	case chunkInitAck:
		a.handleInitAck(body)
	case chunkCookieEcho:
		return a.handleCookieEcho(tag, body)
	case chunkCookieAck:
		if a.state == StateCookieEchoed {
			a.becomeEstablished()
		}
	case chunkHeartbeat:
		a.queueControl(chunkHead(chunkHeartbeatAck, 0), body)
	case chunkHeartbeatAck:
		a.handleHeartbeatAck(body)
	case chunkPad:
	case chunkAbort:
		a.handleAbort(body)
		return false
	case chunkError:
		a.handleError(body)
	case chunkShutdown:
		a.handleShutdown(body)
	case chunkShutdownAck:
		a.handleShutdownAck(tag)
		return false
	case chunkShutdownComplete:
		if a.state == StateShutdownAckSent {
			a.finish()
		}
		return false
	case chunkReconfig:
		a.handleReconfig(body)
	case chunkForwardTSN, chunkIForwardTSN:
		a.handleForward(typ == chunkIForwardTSN, body)
	default:
		// "the highest-order 2 bits specify the action" (section 3.2).
		a.stats.Drops.Unknown++
		if typ&0x40 != 0 {
			a.queueError(causeUnrecognizedChunk, whole[:4+len(body)])
		}
		return typ&0x80 != 0
	}
	return !a.ended
}

// handleData takes a DATA or I-DATA chunk.
func (a *Association) handleData(interleaved bool, flags byte, body []byte) bool {
	drops := &a.stats.Drops
	header := dataHeader - chunkHeader
	if interleaved {
		header = iDataHeader - chunkHeader
	}
	switch {
	case a.state != StateEstablished && a.state != StateShutdownPending && a.state != StateShutdownSent:
		drops.State++
		return true
	case interleaved != a.interleaving:
		a.wrongChunk()
		return false
	case len(body) < header:
		drops.Malformed++
		return true
	}
	d := dataChunk{tsn: TSN(be32(body)), stream: StreamID(be16(body[4:])), ssn: be16(body[6:]), ppid: PPID(be32(body[header-4:])),
		flags: flags, payload: body[header:]}
	if interleaved {
		d.setIData(be32(body[8:]))
	}
	if len(d.payload) == 0 {
		// "If an endpoint receives a DATA chunk with no user data […], it SHOULD send an ABORT chunk" (section 6.2).
		a.abort(&AbortError{Cause: causeNoUserData, Reason: "DATA without user data"}, body[:4])
		return false
	}
	a.heard(true)
	a.stats.ChunksReceived++
	if a.state == StateShutdownSent {
		// "MUST immediately respond to each received packet containing one or more DATA chunks with a SHUTDOWN chunk" (section 9.2).
		a.sendShutdownChunk(chunkShutdown)
	}
	set := &a.received
	if flags&flagI != 0 || set.n > 0 || a.stats.ChunksReceived == 1 {
		// The last: "After the reception of the first DATA chunk in an association, the endpoint MUST immediately respond with a SACK chunk to
		// acknowledge the DATA chunk." (section 5.1).
		a.sack.soon = true
	}
	ahead := set.base.Distance(d.tsn)
	next := ahead == 1
	switch {
	case ahead <= 0 || set.has(d.tsn):
		// "with duplicate DATA chunk(s) and with no new DATA chunk(s), the endpoint MUST immediately send a SACK chunk with no delay. […] The
		// duplicate TSN number(s) SHOULD be reported" (section 6.2).
		drops.Duplicate++
		a.sack.soon = true
		if len(a.sack.dups) < maxDups {
			a.sack.dups = append(a.sack.dups, d.tsn)
		}
		return true
	case ahead > a.maxAhead:
		drops.BeyondWindow++
		a.sack.soon = true
		return true
	}
	// The advertised window may be overdrawn: what was sent while it was wider is still welcome, and what fills a gap must be, since only that
	// lets what is kept after it go. New chunks may take half of the buffer more, the others as much again.
	limit := a.heldLimit() + a.heldLimit()/2
	if !set.high.Less(d.tsn) {
		limit += a.heldLimit() / 2
	}
	if a.asm.charged+len(d.payload)+messageOverhead > limit {
		drops.Window++
		a.sack.soon = true
		return true
	}
	if int(d.stream) >= a.inStreams {
		// "it SHOULD acknowledge the reception of the DATA chunk following the normal procedure, immediately send an ERROR chunk with cause
		// set to "Invalid Stream Identifier" […], and discard the DATA chunk" (section 6.5).
		drops.Stream++
		a.queueError(causeInvalidStream, []byte{byte(d.stream >> 8), byte(d.stream), 0, 0})
	} else {
		switch a.insert(&d, next) {
		case insertOrphan:
			drops.Orphan++
		case insertTooLarge:
			a.tooLarge()
			return false
		}
	}
	if !next {
		a.sack.soon = true
		set.add(d.tsn)
		return true
	}
	if set.n == 0 {
		set.advance(d.tsn)
	} else if !a.advanceReceived(d.tsn) {
		return false
	}
	a.maybeResetIncoming()
	return true
}

func (a *Association) insert(d *dataChunk, next bool) insertResult {
	if a.interleaving {
		return a.asm.insertInterleaved(d, &a.events)
	}
	return a.asm.insert(d, next, &a.events)
}

// advanceReceived moves the cumulative TSN to t and over all that follows it and has arrived.
func (a *Association) advanceReceived(t TSN) bool {
	set := &a.received
	set.advance(t)
	end := set.nextMissing(t+1) - 1
	if end == t {
		return true
	}
	set.advance(end)
	orphans, result := a.asm.advance(t+1, end, &a.events)
	a.stats.Drops.Orphan += uint64(orphans)
	if result == insertTooLarge {
		a.tooLarge()
		return false
	}
	return true
}

func (a *Association) tooLarge() {
	const reason = "message is too large"
	a.abort(&AbortError{Cause: causeUserInitiated, Reason: reason}, []byte(reason))
}

// handleForward takes FORWARD TSN (RFC 3758 section 3.2) or I-FORWARD-TSN (RFC 8260 section 2.3.1).
func (a *Association) handleForward(interleaved bool, body []byte) {
	set := &a.received
	switch {
	case !a.open():
		a.stats.Drops.State++
		return
	case interleaved != a.interleaving:
		a.wrongChunk()
		return
	case len(body) < 4 || (len(body)-4)%a.skipSize() != 0 || set.base.Distance(TSN(be32(body))) > a.maxAhead:
		a.stats.Drops.Malformed++
		return
	}
	a.heard(true)
	// Also for one that is out of date, "since such a duplicate may indicate the previous SACK was lost" (RFC 3758 section 3.6).
	a.sack.soon = true
	to := TSN(be32(body))
	if !set.base.Less(to) {
		return
	}
	a.asm.forwardTo(set.base+1, to)
	if !a.advanceReceived(to) {
		return
	}
	if interleaved {
		a.asm.skipInterleaved(body[4:], a.inStreams, &a.events)
		body = body[:4]
	}
	for b := body[4:]; len(b) > 0; b = b[4:] {
		if id := StreamID(be16(b)); int(id) < a.inStreams {
			a.asm.skip(id, widen(be16(b[2:]), a.asm.streams.make(id).next), &a.events)
		}
	}
	a.maybeResetIncoming()
}
