package dtls

import (
	"fmt"
	"time"
)

// State is where a Conn is in its life.
type State uint8

// The states. A Conn only ever moves down this list.
const (
	StateNew State = iota
	StateConnecting
	StateConnected
	StateClosed
	StateFailed
)

func (s State) String() string {
	switch s {
	case StateNew:
		return "new"
	case StateConnecting:
		return "connecting"
	case StateConnected:
		return "connected"
	case StateClosed:
		return "closed"
	case StateFailed:
		return "failed"
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// EventType says what an Event tells.
type EventType uint8

// The events.
const (
	// EventConnected: the handshake is complete and the peer's certificate matches a fingerprint.
	EventConnected EventType = iota + 1
	// EventFailed: the connection is over because of Err.
	EventFailed
	// EventClosed: the peer has closed the connection with an authenticated close_notify.
	EventClosed
)

func (t EventType) String() string {
	switch t {
	case EventConnected:
		return "connected"
	case EventFailed:
		return "failed"
	case EventClosed:
		return "closed"
	}
	return fmt.Sprintf("EventType(%d)", uint8(t))
}

// Event is a change that the owner of a Conn has to know.
type Event struct {
	Type EventType
	Err  error // with EventFailed
}

// Conn is one end of a DTLS connection. It is not safe for concurrent use.
type Conn struct {
	cfg     Config
	state   State
	sentCCS bool // 1.2: the peer has been told of our epoch 1, and that is where alerts go
	// updateDue: 1.3: the peer has asked for a KeyUpdate, or our keys wear out. It leaves when nothing else waits to be acknowledged.
	updateDue   bool
	holdsTimers bool // see HoldTimer
	// The last unauthenticated alert, to tell of it when nothing else explains a timeout.
	plainAlert    Alert
	hasPlainAlert bool

	// Handshake. giveUp is zero until the handshake has begun, and when it is complete.
	hs      handshake
	opening *openings // nil when the peer has said which of them counts
	in      reassembly
	flight  flight
	giveUp  time.Time
	// refused is why the message that is due was not accepted when it came, until a better one comes.
	refused   *HandshakeError
	refusedAt time.Time

	// Records that come. read is the newest epoch that has keys; what comes before waits in early. 1.3: old is the one before it, as long as
	// records of it may be on their way. readHandshake is epoch 2 when the handshake is complete: a client's until its last flight is
	// acknowledged, a server's until handshakeUntil. Invariant: early is empty when the handshake is complete, or with 1.2 when read is there.
	read           *readEpoch
	old            *readEpoch
	readHandshake  *readEpoch
	handshakeUntil time.Time
	early          hold

	// Records that leave. write is the newest epoch: with 1.2 it may be there before ChangeCipherSpec is sent, with 1.3 it is there when the
	// handshake is complete. unacked is 1.3's of the handshake, as long as the peer may need what we say in it.
	plain   writeEpoch
	write   *writeEpoch
	unacked *writeEpoch
	acks    acks
	askedAt time.Time // see askForFlight

	// What leaves. Application data that comes before the peer is verified waits in held. Invariant: held is empty when connected.
	alerts []outAlert
	held   hold
	data   [][]byte // data[dataAt:] is to be polled
	dataAt int
	events []Event

	fingerprints []Fingerprint // nil until the signalling has told
	stats        Stats
}

// New makes a Conn, or says all that is wrong with cfg.
func New(cfg Config) (*Conn, error) {
	cfg, err := cfg.resolve()
	if err != nil {
		return nil, err
	}
	c := &Conn{cfg: cfg, opening: new(openings), flight: flight{initialRTO: cfg.InitialRTO, maxRTO: cfg.MaxRTO}}
	c.hs.expect = typeClientHello
	if cfg.Client {
		c.hs.expect = typeServerHello
	}
	return c, nil
}

// Start begins the handshake: a client sends its ClientHello, a server's handshake timeout begins. A server may be given datagrams
// before: its first ClientHello starts it. Start has no effect after the first time.
func (c *Conn) Start(now time.Time) {
	if c.state != StateNew {
		return
	}
	c.become(StateConnecting)
	c.giveUp = now.Add(c.cfg.HandshakeTimeout)
	if c.cfg.Client {
		c.startClient(now)
	}
}

// SetRTT tells the path's round-trip time: the retransmission timeout starts at one and a half of that, but not under 50 ms or over 3 s.
// That of a flight under way follows, so PollTimeout may then name a moment that has passed: it is due now.
func (c *Conn) SetRTT(rtt time.Duration) {
	c.flight.initialRTO, c.flight.steady = min(max(rtt*3/2, minRTO), defaultMaxRTO), true
}

// SetFingerprints tells which certificates the peer may have, as the signalling says: one match is enough. It may come at any time; the
// connection is not connected before. An empty list matches nothing. After EventConnected it has no effect.
func (c *Conn) SetFingerprints(fps []Fingerprint) {
	if c.state > StateConnecting {
		return
	}
	c.fingerprints = append(make([]Fingerprint, 0, len(fps)), fps...)
	if c.hs.complete {
		c.verifyPeer()
	}
}

// HoldTimer stops all timers until it is called again: for an owner that repeats a flight in another way as long as there is no path to send it
// on. Released, the handshake's timeout starts afresh, and a flight that has waited for longer than its timeout is due now.
func (c *Conn) HoldTimer(now time.Time, hold bool) {
	if c.holdsTimers && !hold && !c.giveUp.IsZero() {
		c.giveUp = now.Add(c.cfg.HandshakeTimeout)
	}
	c.holdsTimers = hold
}

// HandleTimeout does what is due at now: a flight is sent again, a part of the peer's is acknowledged, or the handshake is given up.
func (c *Conn) HandleTimeout(now time.Time) {
	if c.holdsTimers || c.state != StateConnecting && c.state != StateConnected {
		return
	}
	if d := c.refusalDeadline(); !d.IsZero() && !now.Before(d) {
		c.fail(c.refused.Alert, c.refused)
		return
	}
	if !c.giveUp.IsZero() && !now.Before(c.giveUp) {
		c.giveUpHandshake()
		return
	}
	if d := c.flight.deadline(); !d.IsZero() && !now.Before(d) {
		c.turnOpening()
		c.repeatFlight(now)
	}
	if a := &c.acks; !a.at.IsZero() && !now.Before(a.at) {
		a.due, a.at = true, time.Time{}
	}
}

// PollTimeout is when HandleTimeout is to be called; zero means never.
func (c *Conn) PollTimeout() (t time.Time) {
	if c.holdsTimers || c.state != StateConnecting && c.state != StateConnected {
		return time.Time{}
	}
	for _, u := range [...]time.Time{c.flight.deadline(), c.giveUp, c.refusalDeadline(), c.acks.at} {
		if !u.IsZero() && (t.IsZero() || u.Before(t)) {
			t = u
		}
	}
	return t
}

// PollEvent returns the next event.
func (c *Conn) PollEvent() (Event, bool) {
	if len(c.events) == 0 {
		return Event{}, false
	}
	e := c.events[0]
	c.events = c.events[1:]
	return e, true
}

// State is where the connection is.
func (c *Conn) State() State { return c.state }

// SRTPProfile is the negotiated profile, if there is one.
func (c *Conn) SRTPProfile() (SRTPProfile, bool) { return c.hs.srtp, c.hs.srtp != 0 }

// PeerCertificates is the peer's chain in DER, the leaf first; nil before the handshake is complete. It is not verified before
// EventConnected.
func (c *Conn) PeerCertificates() [][]byte {
	if !c.hs.complete {
		return nil
	}
	return c.hs.peerChain
}

// CipherSuite is the negotiated cipher suite, 0 before there is one.
func (c *Conn) CipherSuite() uint16 {
	if c.hs.suite == nil {
		return 0
	}
	return c.hs.suite.id
}

// Version is the negotiated protocol version, 0 before there is one.
func (c *Conn) Version() uint16 {
	switch {
	case c.hs.suite == nil:
		return 0
	case c.hs.suite.tls13:
		return Version13
	}
	return Version12
}

// Stats counts what happened so far.
func (c *Conn) Stats() Stats { return c.stats }

// become goes on to another state. States are in the order of life, and the end is final.
func (c *Conn) become(s State) {
	if s <= c.state || c.state >= StateClosed {
		panic(fmt.Sprintf("BUG: dtls: from %v to %v", c.state, s))
	}
	c.state = s
}
