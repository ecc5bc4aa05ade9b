package channel

import "time"

// stream is an SCTP stream, both directions of it, that is not at rest.
type stream struct {
	id    uint16
	state streamState
	ch    *channel // while used; while closing unless the stream was refused

	// While closing.
	asked   bool // PollReset gave it
	outDone bool // our direction is reset
	inDone  bool // the remote's direction is reset: what arrives now is of the id's next user

	early early
}

type streamState uint8

const (
	streamIdle    streamState = iota // carries nothing, messages are held
	streamUsed                       // carries ch
	streamClosing                    // our direction is to be reset
	streamReset                      // both directions are reset, PollRelease has not told it
)

// early is what arrived before the stream could take it: messages before the
// channel they are for was made here, or the beginning of the next use of the
// id while the remote's answer to our last reset is still on its way.
type early struct {
	messages []message
	overflow bool // some did not fit: the use they began is refused as a whole
	reset    bool // the remote reset its direction after them
}

type message struct {
	ppid uint32
	data []byte
}

// held counts what all streams hold early.
type held struct{ messages, bytes int }

// HandleMessage takes one SCTP user message; data belongs to the Machine now.
func (m *Machine) HandleMessage(_ time.Time, id uint16, ppid uint32, data []byte) {
	m.ledger.received += uint64(len(data))
	switch {
	case m.phase < phaseConnected:
		panic("BUG: channel: message before the association is established")
	case m.phase == phaseShut:
		m.drop(&m.stats.DroppedLate, data)
	case int(id) >= m.maxStreams:
		m.drop(&m.stats.DroppedNoStream, data)
	case !known(ppid):
		m.drop(&m.stats.DroppedPPID, data)
	case ppid == ppidDCEP && !isOpen(data) && !m.inUse(id):
		m.drop(&m.stats.DroppedDCEP, data) // nothing begins with it
	default:
		m.receive(m.wake(id), message{ppid, data})
	}
}

// Deliver is HandleMessage for a message that becomes an event of its channel and nothing else. It gives the event, which need not wait for
// PollEvent when no other one does. Otherwise it does nothing, and HandleMessage is to be called.
func (m *Machine) Deliver(_ time.Time, id uint16, ppid uint32, data []byte) (Message, bool) {
	s := m.carrier
	if s == nil || s.id != id || s.state != streamUsed {
		s = m.streams[id]
		m.carrier = s
	}
	if s == nil || s.state != streamUsed || m.events.len() > 0 || m.phase != phaseConnected || ppid == ppidDCEP || !known(ppid) {
		return Message{}, false
	}
	m.ledger.received += uint64(len(data))
	m.ledger.charged += uint64(len(data))
	return s.ch.receive(message{ppid, data}), true
}

// HandleIncomingReset: the remote reset its direction of a stream, and all
// messages before that were handled.
func (m *Machine) HandleIncomingReset(_ time.Time, id uint16) {
	if m.phase != phaseConnected || int(id) >= m.maxStreams {
		return
	}
	if s := m.streams[id]; s != nil && s.state != streamReset || m.mayAnswer() {
		m.receiveReset(m.wake(id))
	}
}

// HandleOutgoingReset: the reset that PollReset asked for has been answered.
func (m *Machine) HandleOutgoingReset(_ time.Time, id uint16) {
	s := m.streams[id]
	if s == nil || s.state != streamClosing || !s.asked || s.outDone {
		return
	}
	s.outDone = true
	m.maybeFinish(s)
}

// HandleBufferedAmountLow: SCTP's queue for the stream fell to its threshold. As long as only DCEP has sent on it the application hears nothing.
func (m *Machine) HandleBufferedAmountLow(_ time.Time, id uint16) {
	if s := m.streams[id]; s != nil && s.ch != nil && s.ch.state == Open && s.ch.messagesSent > 0 {
		m.emit(Event{Kind: EventBufferedAmountLow, Channel: s.ch.handle})
	}
}

// PollSend gives the next of DCEP's messages for SCTP.
func (m *Machine) PollSend() (Outgoing, bool) {
	for {
		out, ok := m.sends.pop()
		if !ok {
			return Outgoing{}, false
		}
		if int(out.Stream) >= m.maxStreams {
			continue // an OPEN from before the number of streams was known
		}
		return out, true
	}
}

// PollReset gives the next stream whose outgoing direction SCTP has to reset.
// It holds back until PollSend is empty, so that no message is left behind the
// reset of its stream.
func (m *Machine) PollReset() (id uint16, ok bool) {
	if m.phase != phaseConnected || m.sends.len() > 0 {
		return 0, false
	}
	for {
		s, ok := m.resets.pop()
		if !ok {
			return 0, false
		}
		if m.streams[s.id] == s {
			s.asked = true
			return s.id, true
		}
	}
}

// PollRelease gives the next stream that is reset in both directions. SCTP
// forgets that we sent on it; its id is free again, unless the remote has begun
// to use it already.
func (m *Machine) PollRelease() (id uint16, ok bool) {
	s, ok := m.releases.pop()
	if !ok {
		return 0, false
	}
	if m.streams[s.id] == s {
		delete(m.streams, s.id)
	}
	return s.id, true
}

// wake finds the stream that something arrived on.
func (m *Machine) wake(id uint16) *stream {
	s := m.streams[id]
	if s == nil || s.state == streamReset {
		s = &stream{id: id}
		m.streams[id] = s
	}
	return s
}

func (m *Machine) inUse(id uint16) bool {
	s := m.streams[id]
	return s != nil && s.state == streamUsed
}

func (m *Machine) canCarry(id uint16) bool {
	s := m.streams[id]
	return s == nil || s.state == streamIdle
}

// give puts a channel on a stream.
func (m *Machine) give(ch *channel, id uint16) {
	if !m.canCarry(id) {
		panic("BUG: channel: stream is given twice")
	}
	s := m.wake(id)
	s.state, s.ch = streamUsed, ch
	ch.params.ID, ch.params.HasID = id, true
}

func (m *Machine) reset(s *stream) {
	s.state = streamClosing
	m.resets.push(s)
}

// refuse closes a stream that carries no channel.
func (m *Machine) refuse(s *stream) {
	m.stats.Refused++
	m.dropEarly(s)
	m.reset(s)
}

func (m *Machine) receive(s *stream, msg message) {
	switch {
	case s.state == streamClosing && s.inDone:
		m.hold(s, msg)
	case s.state == streamClosing:
		m.drop(&m.stats.DroppedLate, msg.data)
	case msg.ppid == ppidDCEP:
		m.receiveDCEP(s, msg.data)
	case s.state == streamIdle:
		m.hold(s, msg)
	default:
		m.emit(s.ch.receive(msg).event())
	}
}

// receive makes an event of a message for the application.
func (ch *channel) receive(msg message) Message {
	e := Message{
		Channel:  ch.handle,
		Data:     msg.data,
		IsString: msg.ppid == ppidString || msg.ppid == ppidStringEmpty,
		Charge:   len(msg.data),
	}
	if msg.ppid == ppidStringEmpty || msg.ppid == ppidBinaryEmpty {
		// RFC 8831 §6.6: "When receiving an SCTP user message with one of these
		// PPIDs, the receiver MUST ignore the SCTP user message and process it as
		// an empty message."
		e.Data = nil
	}
	ch.confirmed = true
	ch.messagesReceived++
	ch.bytesReceived += uint64(len(e.Data))
	return e
}

// receiveReset obeys RFC 8831 §6.7: "When the peer sees that an incoming
// stream was reset, it also resets its corresponding outgoing stream."
func (m *Machine) receiveReset(s *stream) {
	switch s.state {
	case streamIdle:
		s.inDone = true
		m.refuse(s)
	case streamUsed:
		s.inDone = true
		var err error
		if !s.ch.confirmed {
			// RFC 8832 §6: "receiving an SCTP stream-reset request for a stream
			// on which no DATA_CHANNEL_ACK message has been received indicates
			// to the sender of the corresponding DATA_CHANNEL_OPEN message the
			// failure of the data channel setup procedure."
			err = ErrRefused
		}
		m.closeByRemote(s.ch, err)
	case streamClosing:
		if !s.inDone {
			s.inDone = true
			m.maybeFinish(s)
		} else if !s.early.reset {
			s.early.reset = s.early.overflow || len(s.early.messages) > 0 || m.mayAnswer()
		}
	}
}

// mayAnswer says whether a reset of a stream that nothing happened on since the
// last one is answered. It may close a channel that the applications negotiated
// and that was never made here: RFC 8831 §6.7 wants an answer. It may be a mere
// echo of our own last reset: two that answer those would never end.
func (m *Machine) mayAnswer() bool {
	m.answers++
	return m.answers <= maxAnswers
}

const maxAnswers = 64

// maybeFinish ends this use of the stream when both directions are reset, and
// begins the next one if the remote has begun it already.
func (m *Machine) maybeFinish(s *stream) {
	if !s.inDone || !s.outDone {
		return
	}
	if s.ch != nil {
		m.become(s.ch, Closed)
	}
	next := &stream{id: s.id, early: s.early}
	s.state, s.ch, s.early = streamReset, nil, early{}
	m.releases.push(s)
	if len(next.early.messages) == 0 && !next.early.overflow && !next.early.reset {
		return
	}
	m.streams[s.id] = next
	if next.early.overflow {
		next.early.overflow = false
		m.refuse(next)
	} else {
		m.replay(next)
	}
	if next.early.reset {
		next.early.reset = false
		m.receiveReset(next)
	}
}

// replay receives again what was held.
func (m *Machine) replay(s *stream) {
	messages := s.early.messages
	s.early.messages = nil
	for _, msg := range messages {
		m.held.messages--
		m.held.bytes -= len(msg.data)
		m.receive(s, msg)
	}
}

// hold keeps a message for later. RFC 8832 §6 calls user data on an unused
// stream an error that closes it; but a channel that the applications
// negotiated may be made here a moment after the remote's first message, so
// the stream is closed only when the bound is reached.
func (m *Machine) hold(s *stream, msg message) {
	switch {
	case s.early.overflow || s.early.reset:
		m.drop(&m.stats.DroppedEarly, msg.data)
	case m.held.messages >= m.cfg.MaxHeldMessages, m.held.bytes+len(msg.data) > m.cfg.MaxHeldBytes:
		m.dropEarly(s)
		m.drop(&m.stats.DroppedEarly, msg.data)
		if s.state == streamIdle {
			m.refuse(s)
		} else {
			s.early.overflow = true
		}
	default:
		m.held.messages++
		m.held.bytes += len(msg.data)
		s.early.messages = append(s.early.messages, msg)
	}
}

func (m *Machine) dropEarly(s *stream) {
	for _, msg := range s.early.messages {
		m.held.messages--
		m.held.bytes -= len(msg.data)
		m.drop(&m.stats.DroppedEarly, msg.data)
	}
	s.early.messages = nil
}

// drop gives a message's window back and counts why.
func (m *Machine) drop(why *uint64, data []byte) {
	*why++
	m.credit(data)
}

func (m *Machine) credit(data []byte) {
	m.ledger.credited += uint64(len(data))
	m.credits.push(len(data))
}
