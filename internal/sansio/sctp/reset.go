package sctp

import "time"

// resetState is how far the reset of an outgoing stream has come.
type resetState uint8

const (
	resetNone   resetState = iota
	resetWanted            // what was queued is not all acknowledged
	resetReady             // in resets.ready
	resetAsked             // in resets.asked
	resetDone              // Release makes the stream usable again
)

// Parameters of RE-CONFIG (RFC 6525 section 4).
const (
	paramOutgoingReset  = 13
	paramIncomingReset  = 14
	paramTSNReset       = 15
	paramReconfigAnswer = 16
	paramAddOutgoing    = 17
	paramAddIncoming    = 18
)

// Results of a request (section 4.4).
const (
	resultNothing    = 0
	resultPerformed  = 1
	resultDenied     = 2
	resultBadNumber  = 5
	resultInProgress = 6
)

// resets is stream reconfiguration: our requests, of which one is under way at a time, and the peer's.
type resets struct {
	supported bool

	ready []StreamID // to be asked for
	asked []StreamID // asked for, in order
	next  uint32     // number of the request under way, or of the next
	tsn   TSN        // the last that was given when it was made
	send  bool       // the request is due
	tries int        // sent without an answer

	expected uint32 // number of the peer's next request
	result   uint32 // of its last
	deferred bool   // the last waits for TSNs up to deferTSN
	deferTSN TSN
	streams  []StreamID // of the deferred
	answers  [2]resetAnswer
	n        int // of answers that are due
}

type resetAnswer struct{ number, result uint32 }

func (r *resets) due() bool { return r.send || r.n > 0 }

// ResetStream ends an outgoing stream after all that was queued on it has been sent and acknowledged, or given up. EventOutgoingReset
// tells when; until Release the stream can not be used.
func (a *Association) ResetStream(now time.Time, id StreamID) {
	a.enter(now)
	if a.ended || int(id) >= a.outStreams {
		return
	}
	st := a.out.make(id)
	st.id = id
	if st.reset != resetNone {
		return
	}
	if st.reset = resetWanted; st.pending == 0 {
		a.readyToReset(st)
	}
}

// Release forgets that a stream was reset, so that it can be used again; both directions should have been reset.
func (a *Association) Release(id StreamID) {
	if st := a.out.get(id); st != nil && st.reset == resetDone {
		*st = outStream{id: id, skip: st.skip, mids: st.mids}
		if in := a.asm.streams.get(id); in != nil {
			in.reset = false // the next request is another one; a number it may have by now, if the peer was first to use it again
		}
	}
}

func (a *Association) readyToReset(st *outStream) {
	st.reset = resetReady
	a.reset.ready = append(a.reset.ready, st.id)
	a.maybeAskReset()
}

// maybeAskReset makes a request of what is ready, if none is under way. "At any given time, there MUST NOT be more than one request in
// flight." (section 5.1.1).
func (a *Association) maybeAskReset() {
	r := &a.reset
	if len(r.asked) > 0 || len(r.ready) == 0 || a.state != StateEstablished {
		return
	}
	n := min(len(r.ready), (a.mtu-headerSize-sackHeader-chunkHeader-16)/2&^1)
	r.asked = append(r.asked, r.ready[:n]...)
	r.ready = append(r.ready[:0], r.ready[n:]...)
	for _, id := range r.asked {
		a.out.get(id).reset = resetAsked
	}
	if !r.supported {
		a.resetAnswered(resultDenied)
		return
	}
	r.tsn, r.tries, r.send = a.sent.next-1, 0, true
}

// appendReset appends RE-CONFIG with what is due and fits into room: our answers, and our request.
func (a *Association) appendReset(dst []byte, room int) []byte {
	r := &a.reset
	for ; r.n > 0 && room >= 16; room -= 16 {
		r.n--
		dst = put16(put16(dst, chunkHead(chunkReconfig, 0)), 16)
		dst = put16(put16(dst, paramReconfigAnswer), 12)
		dst = put32(put32(dst, r.answers[r.n].number), r.answers[r.n].result)
	}
	n := 16 + 2*len(r.asked)
	if !r.send || room < chunkHeader+padded(n) {
		return dst
	}
	r.send = false
	dst = put16(put16(dst, chunkHead(chunkReconfig, 0)), uint16(chunkHeader+n))
	dst = put16(put16(dst, paramOutgoingReset), uint16(n))
	dst = put32(put32(put32(dst, r.next), r.expected-1), uint32(r.tsn))
	for _, id := range r.asked {
		dst = put16(dst, uint16(id))
	}
	// Each time it expires the timer doubles, as T3 does (RFC 6525 section 5.1.1), whatever data that is acknowledged does to T3.
	a.timers.set(timerReconfig, a.now.add(a.rto.after(max(a.rto.backoff, uint(r.tries)))))
	return pad(dst, n)
}

func (a *Association) resetTimeout() {
	r := &a.reset
	if r.tries++; r.tries > a.cfg.MaxRetransmits {
		a.fail(&AbortError{Reason: "peer does not answer a stream reset"})
		return
	}
	r.send = len(r.asked) > 0
}

// handleReconfig takes the one or two parameters of RE-CONFIG (section 3.1).
func (a *Association) handleReconfig(body []byte) {
	if !a.open() {
		a.stats.Drops.State++
		return
	}
	for range 2 {
		typ, value, rest, ok := splitTLV(body)
		switch {
		case !ok:
			a.stats.Drops.Malformed++
			return
		case typ == paramReconfigAnswer && len(value) >= 8:
			a.handleResetAnswer(be32(value), be32(value[4:]))
		case typ == paramOutgoingReset && len(value) >= 12 && len(value)%2 == 0:
			a.handleResetRequest(be32(value), TSN(be32(value[8:])), value[12:])
		case (typ == paramIncomingReset || typ == paramTSNReset || typ == paramAddOutgoing || typ == paramAddIncoming) && len(value) >= 4:
			// WebRTC has no use for these (RFC 8831 section 6.7).
			if a.nextRequest(be32(value)) {
				a.answerReset(be32(value), resultDenied)
			}
		default:
			a.stats.Drops.Malformed++
			return
		}
		if body = rest; len(body) == 0 || a.ended {
			return
		}
	}
}

// nextRequest checks the number of a request. The last is answered again as it was (section 5.2.1).
func (a *Association) nextRequest(number uint32) bool {
	r := &a.reset
	switch number {
	case r.expected:
		return true
	case r.expected - 1:
		a.queueAnswer(number, r.result)
	default:
		a.queueAnswer(number, resultBadNumber)
	}
	return false
}

func (a *Association) handleResetRequest(number uint32, last TSN, streams []byte) {
	r := &a.reset
	if !a.nextRequest(number) {
		return
	}
	r.streams = r.streams[:0]
	for b := streams; len(b) > 0; b = b[2:] {
		if id := StreamID(be16(b)); int(id) < a.inStreams {
			r.streams = append(r.streams, id)
		} else {
			a.stats.Drops.Stream++
		}
	}
	if len(streams) == 0 { // "If no streams are listed, then all streams are to be reset." (section 4.1): those that were used
		a.asm.streams.each(func(id StreamID, st *inStream) {
			if st.next != 0 || st.passed != 0 || len(st.held) > 0 {
				r.streams = append(r.streams, id)
			}
		})
	}
	r.deferred, r.deferTSN = true, last
	a.answerReset(number, resultInProgress)
	a.maybeResetIncoming()
}

// maybeResetIncoming performs the peer's request when everything that it sent before has arrived: "If the Sender's Last Assigned TSN is
// greater than the cumulative acknowledgment point, then the endpoint MUST enter "deferred reset processing"." (section 5.2.2 E2).
func (a *Association) maybeResetIncoming() {
	r := &a.reset
	if !r.deferred || a.received.base.Less(r.deferTSN) {
		return
	}
	r.deferred = false
	var done []StreamID
	for _, id := range r.streams {
		if a.asm.resetStream(id) {
			done = append(done, id)
		}
	}
	if len(done) > 0 {
		a.events.pushRare(EventIncomingReset, done, nil)
	}
	r.result = resultPerformed
	a.queueAnswer(r.expected-1, resultPerformed)
}

// answerReset answers the request that was expected.
func (a *Association) answerReset(number, result uint32) {
	a.reset.expected, a.reset.result = number+1, result
	a.queueAnswer(number, result)
}

// queueAnswer replaces an older answer to the same request.
func (a *Association) queueAnswer(number, result uint32) {
	r := &a.reset
	for i := range r.n {
		if r.answers[i].number == number {
			r.answers[i].result = result
			return
		}
	}
	if r.n < len(r.answers) {
		r.answers[r.n] = resetAnswer{number, result}
		r.n++
	}
}

func (a *Association) handleResetAnswer(number, result uint32) {
	r := &a.reset
	if len(r.asked) == 0 || number != r.next {
		a.stats.Drops.State++
		return
	}
	a.errors = 0
	if result == resultInProgress {
		// The peer still misses data. It is asked again later, with the same number.
		r.tries, r.send = 0, false
		a.timers.set(timerReconfig, a.now.add(a.rto.current()))
		return
	}
	a.timers.stop(timerReconfig)
	r.next++
	r.send = false
	a.resetAnswered(result)
}

// resetAnswered ends the request under way.
func (a *Association) resetAnswered(result uint32) {
	r := &a.reset
	done := r.asked
	r.asked = nil
	var err error
	if result != resultNothing && result != resultPerformed {
		err = ErrResetDenied
	}
	for _, id := range done {
		st := a.out.get(id)
		st.reset = resetDone
		if err == nil {
			st.mids = [2]uint32{}
		}
	}
	a.events.pushRare(EventOutgoingReset, done, err)
	a.maybeAskReset()
}
