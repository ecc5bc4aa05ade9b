package rtc_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/webrtc/v4"

	"github.com/sansrtc/rtc"
)

// The tests in the files interop_*_test.go have one of pion's connections for a peer. Most of them run in virtual time, in pion's vnet and a
// bubble of testing/synctest; those about real sockets over loopback.

// connection is what both have in common. Promise 7, at home: method names and plain types are pion's.
type connection interface {
	CreateOffer(*webrtc.OfferOptions) (webrtc.SessionDescription, error)
	CreateAnswer(*webrtc.AnswerOptions) (webrtc.SessionDescription, error)
	SetLocalDescription(webrtc.SessionDescription) error
	SetRemoteDescription(webrtc.SessionDescription) error
	LocalDescription() *webrtc.SessionDescription
	CurrentLocalDescription() *webrtc.SessionDescription
	CurrentRemoteDescription() *webrtc.SessionDescription
	PendingLocalDescription() *webrtc.SessionDescription
	PendingRemoteDescription() *webrtc.SessionDescription
	RemoteDescription() *webrtc.SessionDescription
	AddICECandidate(webrtc.ICECandidateInit) error
	CanTrickleICECandidates() webrtc.ICETrickleCapability
	SignalingState() webrtc.SignalingState
	ICEGatheringState() webrtc.ICEGatheringState
	ICEConnectionState() webrtc.ICEConnectionState
	ConnectionState() webrtc.PeerConnectionState
	GetConfiguration() webrtc.Configuration
	SetConfiguration(webrtc.Configuration) error
	GetStats() webrtc.StatsReport
	Close() error
}

// channel is likewise.
type channel interface {
	Label() string
	Ordered() bool
	MaxPacketLifeTime() *uint16
	MaxRetransmits() *uint16
	Protocol() string
	Negotiated() bool
	ID() *uint16
	ReadyState() webrtc.DataChannelState
	BufferedAmount() uint64
	BufferedAmountLowThreshold() uint64
	SetBufferedAmountLowThreshold(uint64)
	Send([]byte) error
	SendText(string) error
	Close() error
}

var (
	_ connection = (*rtc.PeerConnection)(nil)
	_ connection = (*webrtc.PeerConnection)(nil)
	_ channel    = (*rtc.DataChannel)(nil)
	_ channel    = (*webrtc.DataChannel)(nil)
)

// side is one of the two at a meeting.
type side struct {
	connection
	name   string
	create func(label string, init *webrtc.DataChannelInit) (channel, error)
	ear    ear
	post   courier // of its candidates
}

// ear keeps what one side hears.
type ear struct {
	changed chan<- struct{}

	mu       sync.Mutex
	states   []webrtc.PeerConnectionState
	channels map[string]channel // by label, when they open
	opens    int
	closed   map[string]bool
	messages map[string][]webrtc.DataChannelMessage
	errs     []error
}

// hear changes what was heard and tells the test.
func (e *ear) hear(change func()) {
	e.mu.Lock()
	change()
	e.mu.Unlock()
	select {
	case e.changed <- struct{}{}:
	default: // it has not looked at the last change yet
	}
}

func (e *ear) state() webrtc.PeerConnectionState {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.states) == 0 {
		return webrtc.PeerConnectionStateNew
	}
	return e.states[len(e.states)-1]
}

// channel is the open one with a label, or nil.
func (e *ear) channel(label string) channel {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.channels[label]
}

func (e *ear) closedChannel(label string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.closed[label]
}

func (e *ear) received(label string) []webrtc.DataChannelMessage {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.messages[label])
}

func (e *ear) count(label string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.messages[label])
}

func (e *ear) String() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := fmt.Sprintf("states %v, errors %v", e.states, e.errs)
	for label := range e.channels {
		s += fmt.Sprintf(", %q: %d messages, closed %v", label, len(e.messages[label]), e.closed[label])
	}
	return s
}

// courier carries candidates, behind the description that they belong to.
type courier struct {
	mu      sync.Mutex
	enabled bool
	waiting bool // for the description
	held    []webrtc.ICECandidateInit
	deliver func(webrtc.ICECandidateInit) error
	errs    []error
}

func (c *courier) take(candidate webrtc.ICECandidateInit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.enabled:
	case c.waiting:
		c.held = append(c.held, candidate)
	default:
		c.hand(candidate)
	}
}

func (c *courier) hand(candidate webrtc.ICECandidateInit) {
	if err := c.deliver(candidate); err != nil {
		c.errs = append(c.errs, fmt.Errorf("candidate %q: %w", candidate.Candidate, err))
	}
}

func (c *courier) hold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = true
}

func (c *courier) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = false
	for _, candidate := range c.held {
		c.hand(candidate)
	}
	c.held = nil
}

// place is where a meeting is: it says how each side gets its sockets, and how long all may take.
type place struct {
	ours     func(rtc.Builder) rtc.Builder
	theirs   func(*webrtc.SettingEngine)
	deadline time.Duration
}

// terms are a meeting's choices; nil fields are the defaults.
type terms struct {
	trickle bool
	ours    func(rtc.Builder) rtc.Builder
	theirs  func(*webrtc.SettingEngine)
	config  webrtc.Configuration // pion's
	hear    rtc.EventHandler     // hears what we hear, too
	media   bool                 // pion has its default interceptors
}

// meeting is one of ours and one of pion's.
type meeting struct {
	t       testing.TB
	ctx     context.Context
	trickle bool
	us      *side
	pion    *side
	ours    *rtc.PeerConnection
	theirs  *webrtc.PeerConnection
	changed chan struct{}
}

// meet makes both, which have not heard of each other. When the test ends both have gone, without a goroutine left behind.
func meet(t testing.TB, at place, on terms) *meeting {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), at.deadline)
	m := &meeting{t: t, ctx: ctx, trickle: on.trickle, changed: make(chan struct{}, 1)}
	t.Cleanup(cancel)
	newSide := func(name string) *side {
		return &side{name: name, ear: ear{
			changed: m.changed, channels: map[string]channel{}, closed: map[string]bool{}, messages: map[string][]webrtc.DataChannelMessage{},
		}}
	}
	m.us, m.pion = newSide("we"), newSide("pion")
	// pion's is made last and so closed first: when it hears our ABORT and our close_notify together, it waits for a timer while one of its
	// goroutines holds a lock that another one wants. That stops a bubble's clock.
	m.buildOurs(at, on)
	m.buildTheirs(at, on)
	m.us.connection, m.pion.connection = m.ours, m.theirs
	for _, s := range m.sides() {
		s.post.enabled = on.trickle
		s.post.deliver = m.other(s).AddICECandidate
	}
	return m
}

func (m *meeting) buildOurs(at place, on terms) {
	s := m.us
	handler := &recorder{name: s.name, on: func(kind string, pc *rtc.PeerConnection, dc *rtc.DataChannel, msg rtc.DataChannelMessage) {
		s.ear.hear(func() {
			switch kind {
			case "connection":
				s.ear.states = append(s.ear.states, pc.ConnectionState())
			case "open":
				s.ear.channels[dc.Label()] = dc
				s.ear.opens++
			case "message":
				s.ear.messages[dc.Label()] = append(s.ear.messages[dc.Label()], msg)
			case "error":
				s.ear.errs = append(s.ear.errs, errors.New("error on "+dc.Label()))
			case "close":
				s.ear.closed[dc.Label()] = true
			}
		})
	}}
	handler.signal = func(c *rtc.ICECandidate) {
		if c == nil {
			s.post.take(webrtc.ICECandidateInit{})
			return
		}
		s.post.take(c.ToJSON())
	}
	b := at.ours(rtc.NewBuilder()).Handler(handler)
	if on.hear != nil {
		b = b.Handler(rtc.Handlers(handler, on.hear))
	}
	if on.ours != nil {
		b = on.ours(b)
	}
	pc, err := b.Build(m.ctx)
	if err != nil {
		m.t.Fatal(err)
	}
	m.ours = pc
	m.t.Cleanup(func() {
		pc.Close()
		<-pc.Done()
	})
	s.create = func(label string, init *webrtc.DataChannelInit) (channel, error) {
		return pc.CreateDataChannel(label, init)
	}
}

func (m *meeting) buildTheirs(at place, on terms) {
	s := m.pion
	var engine webrtc.SettingEngine
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelDisabled
	engine.LoggerFactory = quiet
	engine.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	at.theirs(&engine)
	if on.theirs != nil {
		on.theirs(&engine)
	}
	var media webrtc.MediaEngine
	if err := media.RegisterDefaultCodecs(); err != nil {
		m.t.Fatal(err)
	}
	var interceptors interceptor.Registry
	if on.media {
		if err := webrtc.RegisterDefaultInterceptors(&media, &interceptors); err != nil {
			m.t.Fatal(err)
		}
	}
	api := webrtc.NewAPI(webrtc.WithSettingEngine(engine), webrtc.WithMediaEngine(&media), webrtc.WithInterceptorRegistry(&interceptors))
	pc, err := api.NewPeerConnection(on.config)
	if err != nil {
		m.t.Fatal(err)
	}
	m.theirs = pc
	m.t.Cleanup(func() {
		if err := pc.GracefulClose(); err != nil {
			m.t.Errorf("pion's Close: %v", err)
		}
	})
	// pion calls each handler in a goroutine of its own, so what it is told may be old.
	pc.OnConnectionStateChange(func(webrtc.PeerConnectionState) {
		s.ear.hear(func() {
			if state := pc.ConnectionState(); len(s.ear.states) == 0 || state != s.ear.states[len(s.ear.states)-1] {
				s.ear.states = append(s.ear.states, state)
			}
		})
	})
	pc.OnICEGatheringStateChange(func(webrtc.ICEGatheringState) { s.ear.hear(func() {}) })
	pc.OnICECandidate(func(c *webrtc.ICECandidate) {
		if c == nil {
			s.post.take(webrtc.ICECandidateInit{})
			return
		}
		s.post.take(c.ToJSON())
	})
	listen := func(dc *webrtc.DataChannel) {
		label := dc.Label()
		dc.OnOpen(func() {
			s.ear.hear(func() {
				s.ear.channels[label] = dc
				s.ear.opens++
			})
		})
		dc.OnMessage(func(msg webrtc.DataChannelMessage) {
			s.ear.hear(func() { s.ear.messages[label] = append(s.ear.messages[label], msg) })
		})
		dc.OnClose(func() { s.ear.hear(func() { s.ear.closed[label] = true }) })
		dc.OnError(func(err error) { s.ear.hear(func() { s.ear.errs = append(s.ear.errs, err) }) })
	}
	pc.OnDataChannel(listen)
	s.create = func(label string, init *webrtc.DataChannelInit) (channel, error) {
		dc, err := pc.CreateDataChannel(label, init)
		if err != nil {
			return nil, err
		}
		listen(dc)
		return dc, nil
	}
}

func (m *meeting) sides() []*side { return []*side{m.us, m.pion} }

func (m *meeting) other(s *side) *side {
	if s == m.us {
		return m.pion
	}
	return m.us
}

// side is our side or pion's, for tests that run once for each.
func (m *meeting) side(name string) *side {
	if name == "we" {
		return m.us
	}
	return m.pion
}

var eitherSide = []string{"we", "pion"}

func (m *meeting) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// until waits until cond holds. It is looked at after each event.
func (m *meeting) until(what string, cond func() bool) {
	m.t.Helper()
	for !cond() {
		select {
		case <-m.changed:
		case <-m.ctx.Done():
			m.t.Fatalf("%s: not in time\nwe heard %v\npion heard %v\n%+v", what, &m.us.ear, &m.pion.ear, rtc.ReportOf(m.ours))
		}
	}
}

// open makes a channel at s.
func (m *meeting) open(s *side, label string, init *webrtc.DataChannelInit) channel {
	m.t.Helper()
	dc, err := s.create(label, init)
	m.must(err)
	return dc
}

// opened waits until a channel is open at both sides, and gives its two ends: from's and the other's.
func (m *meeting) opened(from *side, label string) (near, far channel) {
	m.t.Helper()
	to := m.other(from)
	m.until(fmt.Sprintf("%q open at both sides", label), func() bool {
		near, far = from.ear.channel(label), to.ear.channel(label)
		return near != nil && far != nil
	})
	return near, far
}

// negotiate makes an offer at one side and has it answered by the other.
func (m *meeting) negotiate(offerer *side, options *webrtc.OfferOptions) {
	m.t.Helper()
	answerer := m.other(offerer)
	offerer.post.hold()
	answerer.post.hold() // pion gathers for its answer when it has the offer
	offer, err := offerer.CreateOffer(options)
	m.must(err)
	offer = m.setLocal(offerer, offer)
	m.must(answerer.SetRemoteDescription(offer))
	offerer.post.release()
	answer, err := answerer.CreateAnswer(nil)
	m.must(err)
	answer = m.setLocal(answerer, answer)
	m.must(offerer.SetRemoteDescription(answer))
	answerer.post.release()
}

// setLocal applies d and gives what is to be signaled: d, or d with all candidates.
func (m *meeting) setLocal(s *side, d webrtc.SessionDescription) webrtc.SessionDescription {
	m.t.Helper()
	m.must(s.SetLocalDescription(d))
	if m.trickle {
		return d
	}
	m.until("candidates gathered", func() bool { return s.ICEGatheringState() == webrtc.ICEGatheringStateComplete })
	return *s.LocalDescription()
}

// connect has one side offer a channel, and waits until it is open at both.
func (m *meeting) connect(offerer *side) (near, far channel) {
	m.t.Helper()
	m.open(offerer, "first", nil)
	m.negotiate(offerer, nil)
	return m.opened(offerer, "first")
}

// understood holds that everything that pion has sent was of use, on a network that loses nothing.
func (m *meeting) understood() {
	m.t.Helper()
	for _, s := range m.sides() {
		s.post.mu.Lock()
		for _, err := range s.post.errs {
			m.t.Errorf("signaling from %s: %v", s.name, err)
		}
		s.post.mu.Unlock()
		s.ear.mu.Lock()
		for _, err := range s.ear.errs {
			m.t.Errorf("%s heard %v", s.name, err)
		}
		s.ear.mu.Unlock()
	}
	r := rtc.ReportOf(m.ours)
	for _, d := range []struct {
		what string
		n    uint64
	}{
		{"datagrams of no protocol", r.DroppedUnknown},
		{"role conflicts", r.ICE.RoleConflicts},
		{"malformed STUN", r.ICE.Dropped.Malformed},
		{"STUN without integrity", r.ICE.Dropped.Integrity},
		{"STUN without fingerprint", r.ICE.Dropped.Fingerprint},
		{"malformed DTLS", r.DTLS.DroppedMalformed},
		{"forged DTLS", r.DTLS.DroppedBadMAC},
		{"unexpected DTLS", r.DTLS.DroppedUnexpected},
		{"DTLS handshake messages refused", r.DTLS.MessagesRefused},
		{"malformed SCTP", r.SCTP.Drops.Malformed},
		{"SCTP with a wrong checksum", r.SCTP.Drops.Checksum},
		{"SCTP with a wrong tag", r.SCTP.Drops.Tag},
		{"SCTP for another port", r.SCTP.Drops.Port},
		{"unknown SCTP chunks", r.SCTP.Drops.Unknown},
		{"SCTP data beyond the window", r.SCTP.Drops.Window + r.SCTP.Drops.BeyondWindow},
		{"SCTP data that continues nothing", r.SCTP.Drops.Orphan},
		{"SCTP streams that there are not", r.SCTP.Drops.Stream},
		{"wrong SACKs", r.SCTP.Drops.BadSack},
	} {
		if d.n != 0 {
			m.t.Errorf("%d × %s from pion", d.n, d.what)
		}
	}
}
