package sctp

// detectLosses looks for chunks that were overtaken: by enough packets, or by one and for long enough. It costs what it
// finds. A chunk that was sent again can be found again: it is judged by the packet that carried it last.
func (a *Association) detectLosses() {
	q := &a.sent
	a.timers.stop(timerLoss)
	delay := instant(a.rack.delay(&a.rto))
	for q.inFlight > 0 {
		c := q.at(q.head)
		if c.packet >= q.largest || q.partial && q.reported.Less(q.head) {
			return
		}
		if !a.rack.overtaken(c.packet, q.largest) && c.sentAt+delay > a.now {
			a.timers.set(timerLoss, c.sentAt+delay)
			return
		}
		packet, flight, n := c.packet, q.flight, q.size(c)
		a.lose(q.head)
		if a.cwnd.onLoss(n, packet, q.packets, flight, &a.rto) {
			a.rack.onEvent()
			a.stats.FastRecoveries++
			a.credit = 1 // "the sender SHOULD ignore the value of cwnd" for this packet (section 7.2.4, rule 3)
			a.timers.set(timerT3, a.now.add(a.rto.current()))
		}
	}
}

// lose marks a chunk in flight as lost, or gives up its message when that may not be sent again.
func (a *Association) lose(t TSN) {
	c := a.sent.at(t)
	if c.large {
		a.path.hole.note(c.packet)
	}
	if a.mayRepeat(c) {
		a.sent.land(t, sentLost)
	} else {
		a.abandon(c.msg)
	}
}

func (a *Association) mayRepeat(c *sentChunk) bool {
	m := c.msg
	return !a.forward.supported || !m.expired(a.now) && (m.maxRtx < 0 || int32(c.rtx) < m.maxRtx)
}

// loseAll takes everything in flight for lost that was sent before limit.
func (a *Association) loseAll(limit instant) {
	for a.sent.inFlight > 0 && a.sent.at(a.sent.head).sentAt < limit {
		a.lose(a.sent.head)
	}
}

// t3Timeout shrinks the window, backs the timer off and sends again from the first (section 6.3.3).
func (a *Association) t3Timeout() {
	if a.sent.len() == 0 {
		a.rto.backoff++
		a.windowProbe = true
		return
	}
	if a.unanswered() {
		return
	}
	a.stats.Timeouts++
	if a.peerWindow > 0 {
		a.cwnd.onTimeout(a.rto.backoff == 0, a.sent.packets)
	}
	a.rto.backoff++
	a.loseAll(a.now + 1)
	a.checkBlackHole(1)
	a.timers.stop(timerLoss)
	a.timers.stop(timerProbe)
	a.forward.due = true
	a.settle()
}

// unanswered counts a timeout without an answer, and ends the association when there were too many.
func (a *Association) unanswered() bool {
	a.errors++
	if a.errors <= a.cfg.MaxRetransmits {
		return false
	}
	a.fail(&AbortError{Cause: 0, Reason: "peer does not answer"})
	return true
}

// maxProbeSearch bounds how far from the end of a flight a chunk is looked for that may be sent again.
const maxProbeSearch = 16

// probeTimeout asks after the tail of a flight (RFC 8985 section 7): with new data if there is some, else with the last chunk.
func (a *Association) probeTimeout() {
	q := &a.sent
	a.probed = true
	m := a.nextMessage() // what is too old is given up, also in flight
	if q.inFlight == 0 || q.lost > 0 {
		a.settle()
		return
	}
	if m == nil || !a.windowOpen(m) {
		t := q.tail
		for i := 0; !a.mayRepeat(q.at(t)); i++ {
			if t == q.head || i == maxProbeSearch {
				return
			}
			t = q.at(t).prev
		}
		q.land(t, sentLost)
	}
	a.credit = 1
	a.stats.Probes++
	a.timers.set(timerT3, a.now.add(a.rto.current()))
	a.settle()
}

// settle follows every change of what is outstanding: it moves what may be skipped, and sets or stops the timers.
func (a *Association) settle() {
	a.advanceForward()
	a.checkBlackHole(blackHoleLosses)
	q := &a.sent
	waiting := q.inFlight > 0 || q.lost > 0 || q.cum.Less(a.forward.point)
	switch {
	case a.state == StateCookieEchoed || a.ended:
		return // T1-cookie, or nothing, repeats what was sent with COOKIE ECHO
	case !waiting:
		a.timers.stop(timerT3)
	case !a.timers.running(timerT3):
		a.timers.set(timerT3, a.now.add(a.rto.current()))
	}
	if q.inFlight == 0 {
		a.timers.stop(timerLoss)
		a.timers.stop(timerProbe)
	}
	if q.len() == 0 && a.sched.empty() && q.lull() {
		q.trim()
		a.pool.trim()
	}
	a.maybeFinish()
}

// armProbe is called when data was sent or acknowledged: the tail has until then to be answered.
func (a *Association) armProbe() {
	q := &a.sent
	if q.inFlight == 0 || q.lost > 0 || a.probed || a.rto.srtt == 0 {
		a.timers.stop(timerProbe)
		return
	}
	first := q.largest == 0 && (!a.cfg.RemoteLate || a.stats.ChunksReceived > 0)
	at := a.now.add(a.rto.probeDelay(first, !a.asked && q.at(q.head).packet == q.at(q.tail).packet))
	if at < a.timers[timerT3] {
		a.timers.set(timerProbe, at)
	} else {
		a.timers.stop(timerProbe)
	}
}
