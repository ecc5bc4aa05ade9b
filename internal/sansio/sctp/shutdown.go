package sctp

import "time"

// Shutdown closes gracefully: what was queued is still sent and acknowledged, then SHUTDOWN goes out and EventClosed comes (section 9.2).
// Before the association is established nothing was promised, and it ends at once.
func (a *Association) Shutdown(now time.Time) {
	a.enter(now)
	switch {
	case a.ended:
	case a.state < StateEstablished:
		a.finish()
	case a.state == StateEstablished:
		a.become(StateShutdownPending)
		a.maybeFinish()
	}
}

// finish ends the association gracefully.
func (a *Association) finish() {
	a.end()
	a.events.push(queuedEvent{kind: EventClosed})
}

// maybeFinish goes on with closing when nothing is queued or outstanding.
func (a *Association) maybeFinish() {
	if a.sent.len() > 0 || a.nextMessage() != nil {
		return
	}
	switch a.state {
	case StateShutdownPending:
		a.become(StateShutdownSent)
		a.sendShutdownChunk(chunkShutdown)
	case StateShutdownReceived:
		a.become(StateShutdownAckSent)
		a.sendShutdownChunk(chunkShutdownAck)
	}
}

func (a *Association) sendShutdownChunk(typ byte) {
	a.sendShutdown = typ
	a.timers.set(timerShutdown, a.now.add(a.rto.current()))
}

// shutdownTimeout is T2-shutdown: "the endpoint MUST resend the SHUTDOWN chunk with the updated last sequential TSN received from its peer"
// (section 9.2), or the SHUTDOWN ACK.
func (a *Association) shutdownTimeout() {
	if a.unanswered() {
		return
	}
	a.rto.backoff++
	if a.state == StateShutdownSent {
		a.sendShutdownChunk(chunkShutdown)
	} else {
		a.sendShutdownChunk(chunkShutdownAck)
	}
}

func (a *Association) handleShutdown(body []byte) {
	if len(body) != 4 {
		a.stats.Drops.Malformed++
		return
	}
	switch a.state {
	case StateEstablished, StateShutdownPending:
		a.become(StateShutdownReceived)
	case StateShutdownReceived:
	case StateShutdownAckSent:
		a.sendShutdown = chunkShutdownAck
		return
	case StateShutdownSent:
		// "If an endpoint is in the SHUTDOWN-SENT state and receives a SHUTDOWN chunk from its peer, the endpoint SHOULD respond immediately
		// with a SHUTDOWN ACK" (section 9.2).
		a.become(StateShutdownAckSent)
		a.sendShutdownChunk(chunkShutdownAck)
		return
	default:
		a.stats.Drops.State++
		return
	}
	if cum := TSN(be32(body)); a.sent.cum.Less(cum) && cum.Less(a.sent.next) {
		a.ackUntil(cum, &acked{})
		a.timers.stop(timerT3)
		a.errors = 0
	}
	a.settle()
}

func (a *Association) handleShutdownAck(tag uint32) {
	switch {
	case a.state == StateShutdownSent || a.state == StateShutdownAckSent:
		a.sendComplete(a.peerTag, 0)
		a.finish()
	case a.state < StateEstablished:
		a.handleLate(chunkShutdownAck, tag)
	default:
		a.stats.Drops.State++
	}
}

// handleLate answers what belongs to an association that is over here. A peer whose SHUTDOWN COMPLETE was lost repeats SHUTDOWN ACK: "the
// receiver of the OOTB packet MUST fill in the Verification Tag field of the outbound packet with the Verification Tag received in the
// SHUTDOWN ACK chunk and set the T bit" (section 8.4).
func (a *Association) handleLate(typ byte, tag uint32) {
	a.stats.Drops.State++
	if typ == chunkShutdownAck {
		a.sendComplete(tag, flagT)
	}
}

func (a *Association) sendComplete(tag uint32, flags byte) {
	p := appendHeader(nil, a.cfg.LocalPort, a.cfg.RemotePort, tag)
	p = appendTLV(p, chunkHead(chunkShutdownComplete, flags), nil)
	seal(p)
	a.direct.push(p)
}
