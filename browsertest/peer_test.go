package browsertest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"testing"
	"time"

	"github.com/sansrtc/rtc"
)

// mailbox keeps what happened until somebody asks. One goroutine may take.
type mailbox[T any] struct {
	mu   sync.Mutex
	kept []T
	wake chan struct{}
}

func newMailbox[T any]() *mailbox[T] { return &mailbox[T]{wake: make(chan struct{}, 1)} }

func (m *mailbox[T]) put(x T) {
	m.mu.Lock()
	m.kept = append(m.kept, x)
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// poll gives the oldest if there is one.
func (m *mailbox[T]) poll() (x T, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.kept) == 0 {
		return x, false
	}
	x, m.kept = m.kept[0], m.kept[1:]
	return x, true
}

// take gives the oldest; ok is false when nothing came in time.
func (m *mailbox[T]) take() (x T, ok bool) {
	late := time.After(patience)
	for {
		m.mu.Lock()
		if len(m.kept) > 0 {
			x = m.kept[0]
			m.kept = m.kept[1:]
			m.mu.Unlock()
			return x, true
		}
		m.mu.Unlock()
		select {
		case <-m.wake:
		case <-late:
			return x, false
		}
	}
}

// event is something that a handler heard of a channel.
type event struct {
	kind   string // open, message, closing, error, close
	isText bool
	data   []byte
	err    error
}

// peer is the Go side: a connection, and a handler that keeps its events for the test.
type peer struct {
	rtc.BaseHandler
	t  *testing.T
	pc *rtc.PeerConnection

	states     *mailbox[rtc.PeerConnectionState]
	candidates *mailbox[*rtc.ICECandidate]

	mu       sync.Mutex
	events   map[string]*mailbox[event]
	channels map[string]*rtc.DataChannel // of either side's making, since their open
	stuck    chan struct{}               // when set, the handler of messages waits until it is closed
}

func newPeer(t *testing.T) *peer {
	t.Helper()
	p := unconnected(t)
	p.build(rtc.NewBuilder().Handler(p))
	return p
}

// unconnected is a peer whose connection is yet to be built, by a handler that embeds it.
func unconnected(t *testing.T) *peer {
	return &peer{
		t:          t,
		states:     newMailbox[rtc.PeerConnectionState](),
		candidates: newMailbox[*rtc.ICECandidate](),
		events:     map[string]*mailbox[event]{},
		channels:   map[string]*rtc.DataChannel{},
	}
}

func (p *peer) build(b rtc.Builder) {
	p.t.Helper()
	pc, err := b.Build(context.Background())
	if err != nil {
		p.t.Fatal(err)
	}
	p.pc = pc
	p.t.Cleanup(func() {
		pc.Close()
		select {
		case <-pc.Done():
		case <-time.After(patience):
			p.t.Error("the connection did not end after Close")
		}
	})
}

func (p *peer) box(label string) *mailbox[event] {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.events[label] == nil {
		p.events[label] = newMailbox[event]()
	}
	return p.events[label]
}

func (p *peer) OnICECandidate(_ *rtc.PeerConnection, c *rtc.ICECandidate) { p.candidates.put(c) }

func (p *peer) OnConnectionStateChange(_ *rtc.PeerConnection, s rtc.PeerConnectionState) {
	p.states.put(s)
}

func (p *peer) OnDataChannelOpen(_ *rtc.PeerConnection, dc *rtc.DataChannel) {
	p.mu.Lock()
	p.channels[dc.Label()] = dc
	p.mu.Unlock()
	p.box(dc.Label()).put(event{kind: "open"})
}

func (p *peer) OnDataChannelMessage(_ *rtc.PeerConnection, dc *rtc.DataChannel, msg rtc.DataChannelMessage) {
	p.mu.Lock()
	stuck := p.stuck
	p.mu.Unlock()
	if stuck != nil {
		<-stuck
	}
	p.box(dc.Label()).put(event{kind: "message", isText: msg.IsString, data: msg.Data})
}

func (p *peer) OnDataChannelClosing(_ *rtc.PeerConnection, dc *rtc.DataChannel) {
	p.box(dc.Label()).put(event{kind: "closing"})
}

func (p *peer) OnDataChannelError(_ *rtc.PeerConnection, dc *rtc.DataChannel, err error) {
	p.box(dc.Label()).put(event{kind: "error", err: err})
}

func (p *peer) OnDataChannelClose(_ *rtc.PeerConnection, dc *rtc.DataChannel) {
	p.box(dc.Label()).put(event{kind: "close"})
}

// next is the channel's next event, which must be of this kind.
func (p *peer) next(label, kind string) event {
	p.t.Helper()
	e, ok := p.box(label).take()
	if !ok {
		p.t.Fatalf("Go heard nothing more of channel %q, want %s", label, kind)
	}
	if e.kind != kind {
		p.t.Fatalf("Go heard %s (%v) of channel %q, want %s", e.kind, e.err, label, kind)
	}
	return e
}

// until takes states up to the wanted one.
func (p *peer) until(want rtc.PeerConnectionState) {
	p.t.Helper()
	for {
		s, ok := p.states.take()
		if !ok {
			p.t.Fatalf("the Go side did not become %s, it is %s", want, p.pc.ConnectionState())
		}
		if s == want {
			return
		}
	}
}

// create makes a channel.
func (p *peer) create(label string, init *rtc.DataChannelInit) {
	p.t.Helper()
	if _, err := p.pc.CreateDataChannel(label, init); err != nil {
		p.t.Fatalf("CreateDataChannel(%q): %v", label, err)
	}
}

// offer, answer and remote are one side of the signalling. Descriptions leave with all candidates in them.
func (p *peer) offer(o *rtc.OfferOptions) *rtc.SessionDescription {
	p.t.Helper()
	d, err := p.pc.CreateOffer(o)
	return p.local(d, err)
}

func (p *peer) answer() *rtc.SessionDescription {
	p.t.Helper()
	d, err := p.pc.CreateAnswer(nil)
	return p.local(d, err)
}

func (p *peer) local(d rtc.SessionDescription, err error) *rtc.SessionDescription {
	p.t.Helper()
	if err == nil {
		err = p.pc.SetLocalDescription(d)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-p.pc.GatheringComplete():
	case <-time.After(patience):
		p.t.Fatal("gathering did not end")
	}
	return p.pc.LocalDescription()
}

func (p *peer) remote(d rtc.SessionDescription) {
	p.t.Helper()
	if err := p.pc.SetRemoteDescription(d); err != nil {
		p.t.Fatalf("SetRemoteDescription: %v\n%s", err, d.SDP)
	}
}

// page is the browser's side of a connection: testdata/peer.html.
type page struct{ *tab }

func (c *chromium) openPeer(t *testing.T) *page {
	t.Helper()
	p := &page{c.open(t, pages.URL+"/peer.html")}
	p.call(nil, "start")
	return p
}

// heard is something that the page heard of a channel.
type heard struct {
	Kind   string
	IsText bool
	Size   int
	SHA256 string
	Text   string
}

// next is the channel's next event, which must be of this kind.
func (p *page) next(label, kind string) heard {
	p.t.Helper()
	var h heard
	p.call(&h, "next", label)
	if h.Kind != kind {
		p.t.Fatalf("the page heard %s (%s) of channel %q, want %s", h.Kind, h.Text, label, kind)
	}
	return h
}

// until takes states up to the wanted one.
func (p *page) until(want string) {
	p.t.Helper()
	for {
		var s string
		if err := p.try(&s, "() => states.take()"); err != nil {
			p.t.Fatalf("the page did not become %s: %v", want, err)
		}
		if s == want {
			return
		}
	}
}

// local applies the page's next description. Without complete it has no candidates yet: Go's are enough for a connection.
func (p *page) local(complete bool) rtc.SessionDescription {
	p.t.Helper()
	var d rtc.SessionDescription
	p.call(&d, "local", complete)
	return d
}

// offerer is who makes the first offer.
type offerer string

const (
	browserOffers offerer = "browser offers"
	goOffers      offerer = "Go offers"
)

// forBoth runs f once for each offerer.
func forBoth(t *testing.T, f func(t *testing.T, who offerer)) {
	for _, who := range []offerer{browserOffers, goOffers} {
		t.Run(string(who), func(t *testing.T) { f(t, who) })
	}
}

// negotiate does one exchange of descriptions.
func negotiate(p *page, g *peer, who offerer) {
	p.t.Helper()
	if who == browserOffers {
		g.remote(p.local(false))
		p.call(nil, "remote", g.answer())
	} else {
		p.call(nil, "remote", g.offer(nil))
		g.remote(p.local(false))
	}
}

// connect is a connection between a new page and a new Go peer, with one channel, "first", made by the offerer and open at both sides.
func connect(t *testing.T, c *chromium, who offerer) (*page, *peer) {
	t.Helper()
	p, g := c.openPeer(t), newPeer(t)
	if who == browserOffers {
		p.call(nil, "create", "first", nil)
	} else {
		g.create("first", nil)
	}
	negotiate(p, g, who)
	p.until("connected")
	g.until(rtc.PeerConnectionStateConnected)
	p.next("first", "open")
	g.next("first", "open")
	return p, g
}

// find is the channel that has opened under this label.
func (p *peer) find(label string) *rtc.DataChannel {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.channels[label]
}

// pattern is the same bytes as the function of this name in testdata/peer.html.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(32 + (i*7+i>>8+n)%95)
	}
	return b
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}
