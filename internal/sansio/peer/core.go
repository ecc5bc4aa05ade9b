package peer

import (
	"fmt"
	"time"

	"github.com/sansrtc/rtc/internal/sansio/channel"
	"github.com/sansrtc/rtc/internal/sansio/dtls"
	"github.com/sansrtc/rtc/internal/sansio/ice"
	"github.com/sansrtc/rtc/internal/sansio/jsep"
	"github.com/sansrtc/rtc/internal/sansio/sctp"
)

// mtu is the UDP payload that is sent at first: what every path carries that WebRTC is used on. RFC 8831 section 5 would start with IP packets
// of at most 1200 bytes on IPv4 and 1280 on IPv6; this makes them 1228 and 1248.
const mtu = 1200

// largerMTUs are the payloads that SCTP tries when datagrams are not fragmented: what fits into 1500 bytes with a tunnel around it, with IPv6
// and with IPv4, into a jumbo frame, and a quarter of what one send call takes, which a DTLS record holds: for a path inside one machine.
var largerMTUs = [...]int{1400, 1452, 1472, 8952, 16376}

// Core is one connection. It is not safe for concurrent use.
type Core struct {
	cfg Config

	session  *jsep.Session
	ice      *ice.Agent // nil until a local description has a media section
	dtls     *dtls.Conn // nil until the role is known or the peer's ClientHello has decided it
	sctp     *sctp.Association
	channels *channel.Machine
	media    *mediaState // nil until a media section is negotiated

	transport transport
	gathering GatheringState
	gather    bool // the owner is asked to gather
	// negotiation says that EventNegotiationNeeded was queued and nothing has settled it since: W3C's [[NegotiationNeeded]].
	negotiation bool
	needData    bool // a data section was asked for

	iceState   ice.State
	connection ConnectionState
	dtlsFailed bool
	closed     bool
	whole      bool // datagrams are not fragmented
	burst      bool // SCTP packets came since the last EndBurst

	// thresholds keeps bufferedAmountLowThreshold of channels that are not open yet; nil: of none.
	thresholds map[Handle]int

	early  [][]byte // SCTP packets that came before the answer, or before there is a route
	carry  []byte   // a sealed packet that was longer than the run it was made for
	rest   rest
	events events
	stats  Stats
}

// transport is what the descriptions have said, and what was done about it.
type transport struct {
	known       bool // a section is negotiated, at least offered
	role        jsep.DTLSRole
	started     bool // the DTLS handshake
	routed      bool // there has been a route
	early       bool // the role was taken from the peer's ClientHello
	remoteEnded bool
	data        bool // a data section is negotiated
	sctpPort    uint16
	mid         string
	mLineIndex  int
	remote      ice.Credentials // told to the agent in this generation
	localInit   []byte          // of a=sctp-init, when both sides have it; nil: the association begins with a handshake
	remoteInit  []byte
	maxMessage  int    // what the peer takes; 0: anything
	last        *route // that Close leaves by; nil: there was none
}

// New makes a Core, or says what is wrong with cfg.
func New(cfg Config) (*Core, error) {
	if err := cfg.Certificate.Check(); err != nil {
		return nil, fmt.Errorf("peer: certificate %w", err)
	}
	if cfg.HandshakeTimeout < 0 {
		return nil, fmt.Errorf("peer: HandshakeTimeout is %v", cfg.HandshakeTimeout)
	}
	// The association is made when the peer is verified, which is late to find that it cannot be.
	if err := cfg.sctp().Check(); err != nil {
		return nil, err
	}
	fingerprint := cfg.Certificate.Fingerprint()
	c := &Core{
		cfg:      cfg,
		channels: channel.New(channel.Config{SendBuffer: cfg.SendBuffer}),
	}
	session := jsep.Config{
		Rand: cfg.Rand,
		NewCredentials: func() (ufrag, pwd string, err error) {
			cred, err := ice.NewCredentials(c.cfg.Rand)
			return cred.Ufrag, cred.Pwd, err
		},
		Fingerprints:   []jsep.Fingerprint{{Algorithm: fingerprint.Algorithm, Value: fingerprint.String()}},
		MaxMessageSize: cfg.MaxMessageSize,
		Formats:        cfg.Media.Formats,
		CNAME:          cfg.Media.CNAME,
		AnsweringRole:  cfg.AnsweringRole,
		SPED:           !cfg.DisableSPED,
	}
	if !cfg.DisableSNAP {
		session.NewSCTPInit = func() ([]byte, error) { return c.cfg.sctp().NewInit() }
		session.CheckSCTPInit = sctp.CheckInit
	}
	var err error
	if c.session, err = jsep.New(session); err != nil {
		return nil, err
	}
	if cfg.AlwaysData {
		c.session.NeedDataChannel()
	}
	return c, nil
}

// SetWholeDatagrams tells whether datagrams are lost, and not fragmented, when the path does not carry them. If so, they may become larger
// than 1200 bytes, up to 16 KiB: PollWrite's buffer has to hold that. It is heeded until the association starts.
func (c *Core) SetWholeDatagrams(whole bool) { c.whole = whole }

// Certificate is the Config's.
func (c *Core) Certificate() Certificate { return c.cfg.Certificate }

// HandleTimeout does what is due at now.
func (c *Core) HandleTimeout(now time.Time) {
	if c.closed {
		return
	}
	if c.ice != nil {
		c.ice.HandleTimeout(now)
	}
	if c.dtls != nil {
		c.dtls.HandleTimeout(now)
	}
	if c.sctp != nil {
		c.sctp.HandleTimeout(now)
	}
	if c.media != nil {
		c.handleMediaTimeout(now)
	}
	c.pump(now)
}

// PollTimeout is when HandleTimeout is to be called at the latest; zero means never.
func (c *Core) PollTimeout() time.Time {
	at, _ := c.PollWindow()
	return at
}

// PollWindow is PollTimeout, and how much earlier a HandleTimeout does as well.
func (c *Core) PollWindow() (at time.Time, early time.Duration) {
	if c.closed {
		return at, 0
	}
	var own time.Time // of the machines whose deadlines are exact
	if c.dtls != nil {
		own = c.dtls.PollTimeout()
	}
	if c.sctp != nil {
		own = earliest(own, c.sctp.PollTimeout())
	}
	if c.media != nil {
		own = earliest(own, c.media.pollTimeout())
	}
	if c.ice == nil {
		return own, 0
	}
	at, early = c.ice.PollWindow()
	if own.IsZero() || !at.IsZero() && at.Before(own) {
		return at, early
	}
	return own, 0
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// PollEvent gives the next event. Its Charge is owed to Taken.
func (c *Core) PollEvent() (Event, bool) { return c.events.pop() }

// PollMessage is PollEvent when the next event is an EventMessage, as most are; false: it is not.
func (c *Core) PollMessage() (Message, bool) { return c.events.popMessage() }

// TakeMessage gives the next message of a channel ahead of all other events, or the EventChannelError or EventChannelClosed that ends them and
// that PollEvent will still give.
func (c *Core) TakeMessage(h Handle) (Event, bool) { return c.events.take(h) }

// TakeRTP gives the next packet of a stream likewise, or the EventTrackEnded that comes after the last.
func (c *Core) TakeRTP(id StreamID) (Event, bool) { return c.events.takeStream(id) }

// HasEvents tells whether PollEvent has something.
func (c *Core) HasEvents() bool { return c.events.len() > 0 }

// Taken gives an event's Charge back to the receive window: the application has the data. It says whether the peer is to hear of it now.
func (c *Core) Taken(now time.Time, charge int) (tell bool) {
	return charge > 0 && c.sctp != nil && !c.closed && c.sctp.Consume(now, charge)
}

// IsClosed tells whether Close was called, or the peer has closed the connection.
func (c *Core) IsClosed() bool { return c.closed }

// Close ends the connection at once: channels close, the peer is told by what PollWrite still gives, and ConnectionState closed is the last event.
// What channels had not sent is lost, as W3C's close says. https://w3c.github.io/webrtc-pc/#dom-rtcpeerconnection-close
func (c *Core) Close(now time.Time) {
	if c.closed {
		return
	}
	if last, ok := c.route(); ok {
		c.transport.last = &last
	}
	c.closed = true
	if c.sctp != nil {
		c.sctp.Abort(now, "")
	}
	c.channels.HandleClosed(now, nil)
	c.pumpChannels(now)
	if c.media != nil {
		c.endMedia(now)
	}
	if c.ice != nil {
		c.ice.Close(now)
		c.setICEState(ice.StateClosed)
	}
	c.session.Close()
	c.events.push(Event{Kind: EventSignalingState, State: uint8(jsep.Closed)})
	c.setConnectionState(Closed)
}

// Release drops what a closed core holds for sending, when all of it was sent.
func (c *Core) Release() {
	c.ice, c.dtls, c.sctp, c.media, c.early, c.carry, c.thresholds = nil, nil, nil, nil, nil, nil, nil
}
