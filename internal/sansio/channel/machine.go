package channel

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Machine is all data channels of one SCTP association.
type Machine struct {
	cfg      Config
	phase    phase
	client   bool // DTLS role; from phaseRole on
	streams  map[uint16]*stream
	channels map[Handle]*channel
	last     Handle   // the newest name given
	recent   *channel // that find found last
	carrier  *stream  // that Deliver found last
	live     int      // channels that are not Closed
	names    int      // label and protocol bytes of live channels the remote made

	maxStreams int // ids are below it; maxID+1 until the association says less
	nextID     int // where the search for a free id begins; of our parity
	answers    int // resets of ours that answered a reset of a stream at rest

	sends    queue[Outgoing] // of DCEP
	resets   queue[*stream]
	releases queue[*stream] // their ids may have come back to life
	events   queue[Event]
	credits  queue[int]

	held   held // of all streams
	ledger ledger
	stats  Stats
}

type phase uint8

const (
	phaseNew       phase = iota
	phaseRole            // the DTLS role is known
	phaseConnected       // the association is established
	phaseShut            // the association is gone
)

// ledger follows the bytes of SCTP's receive window.
// Invariant: received == credited + charged + held + charges of queued events.
type ledger struct{ received, credited, charged uint64 }

// New makes a Machine before anything about the remote is known.
func New(cfg Config) *Machine {
	return &Machine{
		cfg:        cfg.withDefaults(),
		streams:    make(map[uint16]*stream),
		channels:   make(map[Handle]*channel),
		maxStreams: maxID + 1,
	}
}

// SetRole tells the DTLS role, which decides the parity of the ids made here.
// Waiting channels get their ids in the order of Open; their DATA_CHANNEL_OPEN
// can be polled at once, to ride with SCTP's handshake. Only the first call counts.
func (m *Machine) SetRole(client bool) {
	if m.phase != phaseNew {
		return
	}
	m.phase, m.client = phaseRole, client
	if !client {
		m.nextID = 1
	}
	for _, ch := range m.sorted() {
		if ch.state != Connecting || ch.params.HasID {
			continue
		}
		if id, ok := m.freeID(); ok {
			m.give(ch, id)
			m.announce(ch)
		} else {
			m.fail(ch, ErrNoID)
		}
	}
}

// SetRemoteMaxMessageSize bounds Send from now on; 0 is no limit.
func (m *Machine) SetRemoteMaxMessageSize(n int) {
	if n == 0 {
		n = -1
	}
	m.cfg.MaxSendMessageSize = n
}

// HandleConnected: the association is established with maxStreams streams in
// each direction. Waiting channels open.
func (m *Machine) HandleConnected(_ time.Time, maxStreams int) {
	switch m.phase {
	case phaseNew:
		panic("BUG: channel: connected before the DTLS role is known")
	case phaseConnected, phaseShut:
		return
	}
	m.phase = phaseConnected
	m.maxStreams = min(maxStreams, m.maxStreams)
	for _, ch := range m.sorted() {
		beyond := int(ch.params.ID) >= m.maxStreams
		switch {
		case ch.state == Connecting && beyond:
			m.fail(ch, ErrNoID)
		case ch.state == Closing && beyond:
			m.discard(ch) // there is no stream whose reset could end it
		case ch.state == Connecting:
			m.open(ch)
		}
	}
}

// HandleClosed: the association is gone and all channels with it. err is nil
// when it was shut down in good order.
func (m *Machine) HandleClosed(_ time.Time, err error) {
	if m.phase == phaseShut {
		return
	}
	m.phase = phaseShut
	m.closeAll(err)
}

// HandleRejected: the remote side wants no association. All channels close; a later negotiation may bring one for others.
func (m *Machine) HandleRejected(_ time.Time, err error) {
	if m.phase <= phaseRole {
		m.closeAll(err)
	}
}

func (m *Machine) closeAll(err error) {
	for _, ch := range m.sorted() {
		if ch.state == Closed {
			continue
		}
		m.tell(ch, err)
		m.become(ch, Closed)
	}
	if m.held.messages > 0 {
		for _, id := range slices.Sorted(maps.Keys(m.streams)) {
			m.dropEarly(m.streams[id])
		}
	}
	clear(m.streams)
	m.carrier = nil
	m.sends, m.resets, m.releases = queue[Outgoing]{}, queue[*stream]{}, queue[*stream]{}
}

// Open is W3C's createDataChannel. The errors are *Error.
func (m *Machine) Open(_ time.Time, p Params) (Handle, error) {
	p, err := p.validate()
	switch {
	case err != nil:
		return 0, err
	case m.phase == phaseShut:
		return 0, ErrShut
	case m.live >= m.cfg.MaxChannels:
		return 0, ErrTooManyChannels
	}
	switch {
	case p.Negotiated && int(p.ID) >= m.maxStreams:
		return 0, ErrNoID
	case p.Negotiated && !m.canCarry(p.ID):
		return 0, ErrIDTaken
	case !p.Negotiated && m.phase != phaseNew:
		if p.ID, p.HasID = m.freeID(); !p.HasID {
			return 0, ErrNoID
		}
	}
	ch := m.add(p)
	if p.HasID {
		m.give(ch, p.ID)
		m.announce(ch)
	}
	if m.phase == phaseConnected {
		m.open(ch)
	}
	return ch.handle, nil
}

// Send makes of an application's message of size bytes what SCTP is to send next, behind all that PollSend has: that is polled first. Its Data are
// the caller's message, unless they are set: an empty message has a byte. buffered is what SCTP has waiting for this stream, and what the
// caller charges for it.
func (m *Machine) Send(_ time.Time, h Handle, size int, isString bool, buffered int) (Outgoing, error) {
	ch := m.find(h)
	switch {
	case ch == nil || ch.state != Open:
		return Outgoing{}, ErrNotOpen
	case m.cfg.MaxSendMessageSize >= 0 && size > m.cfg.MaxSendMessageSize:
		return Outgoing{}, ErrTooLarge
	case m.cfg.SendBuffer >= 0 && size > m.cfg.SendBuffer-buffered:
		return Outgoing{}, ErrBufferFull
	case m.sends.len() > 0:
		panic("BUG: channel: a message would overtake what PollSend has")
	}
	ch.messagesSent++
	ch.bytesSent += uint64(size)
	return ch.outgoing(size, isString), nil
}

// Close begins W3C's closing procedure: what was sent before still goes out,
// EventClosed comes when both directions are reset. A handle that is unknown or
// already closing is left alone.
func (m *Machine) Close(_ time.Time, h Handle) {
	ch := m.find(h)
	switch {
	case ch == nil || ch.state >= Closing:
	case ch.state == Connecting && !ch.announced:
		m.discard(ch) // the remote heard nothing of it
	default:
		m.close(ch)
	}
}

// Forget drops what is kept about a channel after its EventClosed; the handle
// is invalid then. A channel that is not closed stays.
func (m *Machine) Forget(h Handle) {
	if ch := m.find(h); ch != nil && ch.state == Closed {
		delete(m.channels, h)
		m.recent = nil
	}
}

// find is a channel that is not forgotten, or nil. What asks for a channel asks for it several times.
func (m *Machine) find(h Handle) *channel {
	if m.recent == nil || m.recent.handle != h {
		if ch := m.channels[h]; ch != nil {
			m.recent = ch
			return ch
		}
		return nil
	}
	return m.recent
}

// State of a channel; a forgotten one is Closed.
func (m *Machine) State(h Handle) State {
	if ch := m.find(h); ch != nil {
		return ch.state
	}
	return Closed
}

// Info about a channel that is not forgotten.
func (m *Machine) Info(h Handle) (Info, bool) {
	ch := m.find(h)
	if ch == nil {
		return Info{}, false
	}
	return Info{ch.params, ch.state, ch.messagesSent, ch.messagesReceived, ch.bytesSent, ch.bytesReceived}, true
}

// BytesSent is Info.BytesSent; 0 for a channel that is forgotten.
func (m *Machine) BytesSent(h Handle) uint64 {
	if ch := m.find(h); ch != nil {
		return ch.bytesSent
	}
	return 0
}

// Lookup finds the channel that a stream carries.
func (m *Machine) Lookup(stream uint16) (Handle, bool) {
	if s := m.streams[stream]; s != nil && s.ch != nil {
		return s.ch.handle, true
	}
	return 0, false
}

// Stream is what carries a channel now: none before the channel has its id,
// none after it is closed.
func (m *Machine) Stream(h Handle) (id uint16, ok bool) {
	ch := m.find(h)
	if ch == nil || ch.state == Closed || !ch.params.HasID {
		return 0, false
	}
	return ch.params.ID, true
}

// Handles lists all channels that are not forgotten, oldest first.
func (m *Machine) Handles() []Handle { return slices.Sorted(maps.Keys(m.channels)) }

// Stats counts since New.
func (m *Machine) Stats() Stats { return m.stats }

// PollEvent gives the next event. The caller owes SCTP its Charge.
func (m *Machine) PollEvent() (Event, bool) {
	e, ok := m.events.pop()
	m.ledger.charged += uint64(e.Charge)
	return e, ok
}

// PollCredit gives the length of one received message that became no event:
// SCTP gets it back now. One message at a time, as SCTP charges an overhead for each.
func (m *Machine) PollCredit() (bytes int, ok bool) { return m.credits.pop() }

func (m *Machine) sorted() []*channel {
	all := make([]*channel, 0, len(m.channels))
	for _, ch := range m.channels {
		all = append(all, ch)
	}
	slices.SortFunc(all, func(a, b *channel) int { return cmp.Compare(a.handle, b.handle) })
	return all
}

// freeID finds the free id of our parity that rested longest. A remote that
// echoes resets may still close a stream after it was done with; webrtc-rs does.
func (m *Machine) freeID() (uint16, bool) {
	for range m.maxStreams/2 + 1 {
		if m.nextID >= m.maxStreams {
			m.nextID %= 2
		}
		id := uint16(m.nextID)
		m.nextID += 2
		if m.streams[id] == nil && int(id) < m.maxStreams {
			return id, true
		}
	}
	return 0, false
}

// ours says whether an id has the parity of the channels made here.
//
// RFC 8832 §6: "If the side is acting as the DTLS client, it MUST choose an
// even stream identifier; if the side is acting as the DTLS server, it MUST
// choose an odd one."
func (m *Machine) ours(id uint16) bool { return (id%2 == 0) == m.client }

func (m *Machine) add(p Params) *channel {
	for {
		if m.last++; m.last != 0 && m.channels[m.last] == nil {
			break
		}
	}
	ch := &channel{handle: m.last, params: p, confirmed: p.Negotiated}
	m.channels[ch.handle] = ch
	m.live++
	return ch
}

func (m *Machine) emit(e Event) { m.events.push(e) }
