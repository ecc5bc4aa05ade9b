package rtc_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime"
	"github.com/sansrtc/rtc/runtime/sim"
)

// recorder is a handler that writes down what it hears and does what a test tells it to. Its log is read under mu, so that tests over real
// sockets can look at it too.
type recorder struct {
	rtc.BaseHandler
	name  string
	floor *floor                                                                                     // nil: nobody shares it
	on    func(kind string, pc *rtc.PeerConnection, dc *rtc.DataChannel, msg rtc.DataChannelMessage) // called for each event, after it is logged

	mu       sync.Mutex
	log      []string
	inside   []*rtc.PeerConnection // whose handlers are running: never two of one
	states   []rtc.PeerConnectionState
	channels []*rtc.DataChannel // opened, in order
	tracks   []*rtc.TrackRemote // begun, in order
	messages []rtc.DataChannelMessage
	errs     []error
	signal   func(c *rtc.ICECandidate)
}

func (r *recorder) hear(kind string, pc *rtc.PeerConnection, dc *rtc.DataChannel, msg rtc.DataChannelMessage, detail any) {
	r.mu.Lock()
	if slices.Contains(r.inside, pc) {
		panic("two handlers of one connection at a time")
	}
	r.inside = append(r.inside, pc)
	r.mu.Unlock()
	defer func() { // also when the test's function ends its goroutine
		r.mu.Lock()
		r.inside = slices.DeleteFunc(r.inside, func(other *rtc.PeerConnection) bool { return other == pc })
		r.mu.Unlock()
	}()
	r.floor.take()
	defer r.floor.give()

	line := kind
	if dc != nil {
		line += " " + dc.Label()
	}
	if detail != nil {
		line += " " + fmt.Sprint(detail)
	}
	r.mu.Lock()
	r.log = append(r.log, line)
	switch kind {
	case "connection":
		r.states = append(r.states, detail.(rtc.PeerConnectionState))
	case "open":
		r.channels = append(r.channels, dc)
	case "message":
		r.messages = append(r.messages, msg)
	case "error":
		r.errs = append(r.errs, detail.(error))
	}
	on := r.on
	r.mu.Unlock()
	if on != nil {
		on(kind, pc, dc, msg)
	}
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
		r.floor.take()
		defer r.floor.give()
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
	r.hear("connection", pc, nil, rtc.DataChannelMessage{}, s)
}

func (r *recorder) OnDataChannel(pc *rtc.PeerConnection, dc *rtc.DataChannel) {
	r.hear("channel", pc, dc, rtc.DataChannelMessage{}, nil)
}

func (r *recorder) OnDataChannelOpen(pc *rtc.PeerConnection, dc *rtc.DataChannel) {
	r.hear("open", pc, dc, rtc.DataChannelMessage{}, nil)
}

func (r *recorder) OnDataChannelMessage(pc *rtc.PeerConnection, dc *rtc.DataChannel, msg rtc.DataChannelMessage) {
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
	r.hear("error", pc, dc, rtc.DataChannelMessage{}, err)
}

func (r *recorder) OnDataChannelClose(pc *rtc.PeerConnection, dc *rtc.DataChannel) {
	r.hear("close", pc, dc, rtc.DataChannelMessage{}, nil)
}

func (r *recorder) OnTrack(pc *rtc.PeerConnection, track *rtc.TrackRemote, _ *rtc.RTPReceiver) {
	r.hearTrack("track", pc, track)
}

func (r *recorder) OnTrackEnded(pc *rtc.PeerConnection, track *rtc.TrackRemote) {
	r.hearTrack("trackended", pc, track)
}

func (r *recorder) hearTrack(kind string, pc *rtc.PeerConnection, track *rtc.TrackRemote) {
	name := track.ID()
	if track.RID() != "" {
		name += "/" + track.RID()
	}
	r.mu.Lock()
	if kind == "track" {
		r.tracks = append(r.tracks, track)
	}
	r.mu.Unlock()
	r.hear(kind, pc, nil, rtc.DataChannelMessage{}, name)
}

// track is the one with that name that began last, or nil.
func (r *recorder) track(id string) *rtc.TrackRemote {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range slices.Backward(r.tracks) {
		if t.ID() == id || t.ID()+"/"+t.RID() == id {
			return t
		}
	}
	return nil
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

// got tells whether a message with this text has come.
func (r *recorder) got(text string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.messages, func(m rtc.DataChannelMessage) bool { return string(m.Data) == text })
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

// pair is two connections in one world. In a simulated one the test, its actors and the handlers run one at a time; over real sockets
// they do too, because whoever runs has the floor.
type pair struct {
	t     testing.TB
	world *sim.World // nil: this is the real one
	hosts [2]*sim.Host
	rt    [2]runtime.Runtime
	floor *floor // nil in a simulation
	later []call
	over  bool // over real sockets, the test has closed its connections: what is still under way may find that
	pc    [2]*rtc.PeerConnection
	rec   [2]*recorder
}

// newPair builds two connections, a and b, that have not heard of each other. build, when given, changes each one's builder.
func newPair(t testing.TB, cfg sim.Config, build func(i int, b rtc.Builder) rtc.Builder) *pair {
	t.Helper()
	return simulated.newPair(t, cfg, build)
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

// connected makes a pair with one channel, made by a, open at both ends.
func connected(t testing.TB, cfg sim.Config, init *rtc.DataChannelInit, build func(i int, b rtc.Builder) rtc.Builder) (p *pair, a, b *rtc.DataChannel) {
	t.Helper()
	return simulated.connected(t, cfg, init, build)
}
