package channel

import "time"

// channel is one data channel, from Open or the remote's DATA_CHANNEL_OPEN to
// Forget.
type channel struct {
	handle Handle
	params Params
	state  State

	remote    bool // the remote made it
	announced bool // its DATA_CHANNEL_OPEN left or waits in sends
	failed    bool // EventError was told
	confirmed bool // unordered data cannot overtake our DATA_CHANNEL_OPEN any more

	messagesSent, messagesReceived uint64
	bytesSent, bytesReceived       uint64
}

// become moves a channel on. It only goes forward.
func (m *Machine) become(ch *channel, to State) {
	if to <= ch.state {
		panic("BUG: channel: " + ch.state.String() + " cannot become " + to.String())
	}
	ch.state = to
	switch to {
	case Open:
		m.stats.Opened++
	case Closed:
		m.stats.Closed++
		m.live--
		if ch.remote {
			m.names -= len(ch.params.Label) + len(ch.params.Protocol)
		}
		m.emit(Event{Kind: EventClosed, Channel: ch.handle})
	}
}

// announce queues the DATA_CHANNEL_OPEN of a channel that has its id.
func (m *Machine) announce(ch *channel) {
	if ch.params.Negotiated {
		return
	}
	ch.announced = true
	m.pushDCEP(ch.params.ID, appendOpen(nil, ch.params))
}

// open makes a channel usable once the association is there. It does not wait
// for the DATA_CHANNEL_ACK.
//
// RFC 8832 §6: "After the DATA_CHANNEL_OPEN message has been sent, the sender
// of that message MAY start sending messages containing user data without
// waiting for the reception of the corresponding DATA_CHANNEL_ACK message."
func (m *Machine) open(ch *channel) {
	m.become(ch, Open)
	m.emit(Event{Kind: EventOpen, Channel: ch.handle, Params: ch.ownParams()})
	m.replay(m.streams[ch.params.ID])
}

// close asks for the reset of our direction. The channel is gone when the
// remote has reset its direction, too.
func (m *Machine) close(ch *channel) {
	m.become(ch, Closing)
	m.reset(m.streams[ch.params.ID])
}

// closeByRemote is close when the application did not ask for it.
func (m *Machine) closeByRemote(ch *channel, err error) {
	m.emit(Event{Kind: EventClosing, Channel: ch.handle})
	m.tell(ch, err)
	m.close(ch)
}

// discard ends a channel that no reset can end.
func (m *Machine) discard(ch *channel) {
	if ch.params.HasID {
		delete(m.streams, ch.params.ID)
		m.carrier = nil
	}
	m.become(ch, Closed)
}

func (m *Machine) fail(ch *channel, err error) {
	m.tell(ch, err)
	m.discard(ch)
}

// tell says why a channel ends, if there is an err; the first is the reason.
func (m *Machine) tell(ch *channel, err error) {
	if err != nil && !ch.failed {
		ch.failed = true
		m.emit(Event{Kind: EventError, Channel: ch.handle, Err: err})
	}
}

// ownParams are for somebody who keeps them.
func (ch *channel) ownParams() *Params {
	p := ch.params
	return &p
}

// outgoing dresses a message of the application.
func (ch *channel) outgoing(size int, isString bool) Outgoing {
	ppid := ppidBinary
	switch {
	case isString && size == 0:
		ppid = ppidStringEmpty
	case isString:
		ppid = ppidString
	case size == 0:
		ppid = ppidBinaryEmpty
	}
	var data []byte
	if size == 0 {
		// RFC 8831 §6.6: "if an empty message has to be sent, the appropriate
		// PPID (WebRTC String Empty or WebRTC Binary Empty) is used, and the SCTP
		// user message of one zero byte is sent."
		data = zero
	}
	return Outgoing{
		Stream: ch.params.ID,
		PPID:   ppid,
		Data:   data,
		// RFC 8832 §6: "before the DATA_CHANNEL_ACK message or any other
		// message has been received on a data channel, all other messages
		// containing user data and belonging to this data channel MUST be sent
		// ordered, no matter whether the data channel is ordered or not."
		Unordered:      !ch.params.Ordered && ch.confirmed,
		MaxRetransmits: ch.params.MaxRetransmits,
		Lifetime:       ch.lifetime(),
	}
}

// lifetime of a message. W3C allows a maxPacketLifeTime of zero; SCTP's clock
// for it has milliseconds, and a message must live for its first transmission.
func (ch *channel) lifetime() time.Duration {
	if ch.params.MaxLifetime < 0 {
		return -1
	}
	return max(ch.params.MaxLifetime, time.Millisecond)
}
