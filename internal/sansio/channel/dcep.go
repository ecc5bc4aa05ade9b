package channel

// receiveDCEP takes a message of the Data Channel Establishment Protocol: a
// DATA_CHANNEL_OPEN on a stream that is idle or used, others on a used one.
func (m *Machine) receiveDCEP(s *stream, data []byte) {
	switch {
	case isOpen(data):
		m.receiveOpen(s, data)
	case isAck(data) && !s.ch.confirmed:
		s.ch.confirmed = true
		m.credit(data)
	default:
		m.drop(&m.stats.DroppedDCEP, data)
	}
}

// receiveOpen takes a DATA_CHANNEL_OPEN.
//
// RFC 8832 §6: "If the DATA_CHANNEL_OPEN message doesn't satisfy the conditions
// above, the receiver MUST close the corresponding data channel using the
// procedure described in [RFC8831] and MUST NOT send a DATA_CHANNEL_ACK message
// in response to the received message."
func (m *Machine) receiveOpen(s *stream, data []byte) {
	if s.state == streamUsed {
		m.drop(&m.stats.DroppedDCEP, data)
		m.closeByRemote(s.ch, &ProtocolError{s.id, "DATA_CHANNEL_OPEN on a used stream"})
		return
	}
	p, ok := parseOpen(data)
	names := len(p.Label) + len(p.Protocol)
	switch {
	case !ok || m.ours(s.id):
		m.drop(&m.stats.DroppedDCEP, data)
		m.refuse(s)
		return
	case m.live >= m.cfg.MaxChannels, m.cfg.MaxNameBytes >= 0 && names > m.cfg.MaxNameBytes-m.names:
		m.credit(data)
		m.refuse(s)
		return
	}
	ch := m.add(p)
	ch.remote, ch.confirmed = true, true
	m.names += names
	m.give(ch, s.id)
	m.stats.Accepted++
	m.become(ch, Open)
	m.emit(Event{Kind: EventIncoming, Channel: ch.handle, Params: ch.ownParams(), Charge: len(data)})
	m.pushDCEP(s.id, ack)
	m.replay(s)
}

// pushDCEP queues a DCEP message.
//
// RFC 8832 §6: "All DCEP messages MUST be sent using ordered delivery and
// reliable transmission."
func (m *Machine) pushDCEP(id uint16, data []byte) {
	m.sends.push(Outgoing{Stream: id, PPID: ppidDCEP, Data: data, MaxRetransmits: -1, Lifetime: -1})
}
