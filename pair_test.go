package rtc_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime/sim"
)

// recorder is a handler that writes down what it hears and does what a test tells it to. Its log is read under mu, so that tests over real
// sockets can look at it too.
type recorder struct {
	rtc.BaseHandler
	name string
	on   func(kind string, pc *rtc.PeerConnection, dc *rtc.DataChannel, msg rtc.DataChannelMessage) // called for each event, after it is logged

	mu       sync.Mutex
	log      []string
	inside   int // handlers running: never more than one
	states   []rtc.PeerConnectionState
	channels []*rtc.DataChannel // opened, in order
	messages []rtc.DataChannelMessage
	errs     []error
	signal   func(c *rtc.ICECandidate)
}

func (r *recorder) hear(kind string, pc *rtc.PeerConnection, dc *rtc.DataChannel, msg rtc.DataChannelMessage, detail any) {
	r.mu.Lock()
	if r.inside++; r.inside > 1 {
		panic("two handlers of one connection at a time")
	}
	line := kind
	if dc != nil {
		line += " " + dc.Label()
	}
	if detail != nil {
		line += " " + fmt.Sprint(detail)
	}
	r.log = append(r.log, line)
	on := r.on
	r.mu.Unlock()
	if on != nil {
		on(kind, pc, dc, msg)
	}
	r.mu.Lock()
	r.inside--
	r.mu.Unlock()
}

func (r *recorder) OnNegotiationNeeded(pc *rtc.PeerConnection) {
	r.hear("negotiationneeded", pc, nil, rtc.DataChannelMessage{}, nil)
}

func (r *recorder) OnICECandidate(pc *rtc.PeerConnection, c *rtc.ICECandidate) {
	detail := any("end")
	if c != nil {
		detail = c.Address
	}
	r.hear("candidate", pc, nil, rtc.DataChannelMessage{}, detail)
	r.mu.Lock()
	signal := r.signal
	r.mu.Unlock()
	if signal != nil {
		signal(c)
	}
}

func (r *recorder) OnICECandidateError(pc *rtc.PeerConnection, e rtc.ICECandidateError) {
	r.hear("candidateerror", pc, nil, rtc.DataChannelMessage{}, fmt.Sprint(e.ErrorCode, " ", e.URL))
}

func (r *recorder) OnSignalingStateChange(pc *rtc.PeerConnection, s rtc.SignalingState) {
	r.hear("signaling", pc, nil, rtc.DataChannelMessage{}, s)
}

func (r *recorder) OnICEGatheringStateChange(pc *rtc.PeerConnection, s rtc.ICEGatheringState) {
	r.hear("gathering", pc, nil, rtc.DataChannelMessage{}, s)
}

func (r *recorder) OnICEConnectionStateChange(pc *rtc.PeerConnection, s rtc.ICEConnectionState) {
	r.hear("ice", pc, nil, rtc.DataChannelMessage{}, s)
}

func (r *recorder) OnConnectionStateChange(pc *rtc.PeerConnection, s rtc.PeerConnectionState) {
	r.mu.Lock()
	r.states = append(r.states, s)
	r.mu.Unlock()
	r.hear("connection", pc, nil, rtc.DataChannelMessage{}, s)
}

func (r *recorder) OnDataChannel(pc *rtc.PeerConnection, dc *rtc.DataChannel) {
	r.hear("channel", pc, dc, rtc.DataChannelMessage{}, nil)
}

func (r *recorder) OnDataChannelOpen(pc *rtc.PeerConnection, dc *rtc.DataChannel) {
	r.mu.Lock()
	r.channels = append(r.channels, dc)
	r.mu.Unlock()
	r.hear("open", pc, dc, rtc.DataChannelMessage{}, nil)
}

func (r *recorder) OnDataChannelMessage(pc *rtc.PeerConnection, dc *rtc.DataChannel, msg rtc.DataChannelMessage) {
	r.mu.Lock()
	r.messages = append(r.messages, msg)
	r.mu.Unlock()
	detail := any(len(msg.Data))
	if msg.IsString && len(msg.Data) < 64 {
		detail = string(msg.Data)
	}
	r.hear("message", pc, dc, msg, detail)
}

func (r *recorder) OnDataChannelBufferedAmountLow(pc *rtc.PeerConnection, dc *rtc.DataChannel) {
	r.hear("low", pc, dc, rtc.DataChannelMessage{}, nil)
}

func (r *recorder) OnDataChannelClosing(pc *rtc.PeerConnection, dc *rtc.DataChannel) {
	r.hear("closing", pc, dc, rtc.DataChannelMessage{}, nil)
}

func (r *recorder) OnDataChannelError(pc *rtc.PeerConnection, dc *rtc.DataChannel, err error) {
	r.mu.Lock()
	r.errs = append(r.errs, err)
	r.mu.Unlock()
	r.hear("error", pc, dc, rtc.DataChannelMessage{}, err)
}

func (r *recorder) OnDataChannelClose(pc *rtc.PeerConnection, dc *rtc.DataChannel) {
	r.hear("close", pc, dc, rtc.DataChannelMessage{}, nil)
}

// heard is the log so far.
func (r *recorder) heard() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.log)
}

// has tells whether line was heard.
func (r *recorder) has(line string) bool { return slices.Contains(r.heard(), line) }

// channel is the nth channel that opened, or nil.
func (r *recorder) channel(n int) *rtc.DataChannel {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n >= len(r.channels) {
		return nil
	}
	return r.channels[n]
}

func (r *recorder) received() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.messages)
}

// state is the connection state that was heard last.
func (r *recorder) state() rtc.PeerConnectionState {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.states) == 0 {
		return rtc.PeerConnectionStateNew
	}
	return r.states[len(r.states)-1]
}

// pair is two connections in one simulated world.
type pair struct {
	t     testing.TB
	world *sim.World
	hosts [2]*sim.Host
	pc    [2]*rtc.PeerConnection
	rec   [2]*recorder
}

// newPair builds two connections, a and b, that have not heard of each other. build, when given, changes each one's builder.
func newPair(t testing.TB, cfg sim.Config, build func(i int, b rtc.Builder) rtc.Builder) *pair {
	t.Helper()
	p := &pair{t: t, world: sim.New(cfg)}
	for i, name := range []string{"a", "b"} {
		p.hosts[i] = p.world.Host(name)
		p.rec[i] = &recorder{name: name}
		b := rtc.NewBuilder().Runtime(p.hosts[i]).Handler(p.rec[i])
		if build != nil {
			b = build(i, b)
		}
		pc, err := b.Build(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		p.pc[i] = pc
	}
	t.Cleanup(func() {
		for _, pc := range p.pc {
			pc.Close()
		}
		p.world.Run(time.Second)
		if loops, sockets := p.world.Open(); loops+sockets > 0 {
			t.Errorf("after Close %d loops and %d sockets are open", loops, sockets)
		}
		p.world.Close()
	})
	return p
}

// must fails the test on an error.
func (p *pair) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// negotiate makes an offer at pc[from] and has it answered, without trickle.
func (p *pair) negotiate(from int) {
	p.t.Helper()
	negotiate(p.t, p.pc[from], p.pc[1-from], nil)
}

func negotiate(t testing.TB, offerer, answerer *rtc.PeerConnection, o *rtc.OfferOptions) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	offer, err := offerer.CreateOffer(o)
	must(err)
	must(offerer.SetLocalDescription(offer))
	<-offerer.GatheringComplete()
	must(answerer.SetRemoteDescription(*offerer.LocalDescription()))
	answer, err := answerer.CreateAnswer(nil)
	must(err)
	must(answerer.SetLocalDescription(answer))
	<-answerer.GatheringComplete()
	must(offerer.SetRemoteDescription(*answerer.LocalDescription()))
}

// until lets virtual time pass until cond holds, and fails the test when it does not within a minute.
func (p *pair) until(what string, cond func() bool) {
	p.t.Helper()
	if !p.world.RunUntil(cond, time.Minute) {
		p.t.Fatalf("%s: not within a minute\na heard %q\nb heard %q", what, p.rec[0].heard(), p.rec[1].heard())
	}
}

// connected makes a pair with one channel, made by a, open at both ends.
func connected(t testing.TB, cfg sim.Config, init *rtc.DataChannelInit, build func(i int, b rtc.Builder) rtc.Builder) (p *pair, a, b *rtc.DataChannel) {
	t.Helper()
	p = newPair(t, cfg, build)
	_, err := p.pc[0].CreateDataChannel("data", init)
	p.must(err)
	p.negotiate(0)
	p.until("channel open at both ends", func() bool { return p.rec[0].channel(0) != nil && p.rec[1].channel(0) != nil })
	return p, p.rec[0].channel(0), p.rec[1].channel(0)
}
