package rtc_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime"
	"github.com/sansrtc/rtc/runtime/sim"
)

// eventKinds are the recorder's names of the handler's methods.
var eventKinds = map[string]string{
	"OnNegotiationNeeded": "negotiationneeded", "OnICECandidate": "candidate", "OnICECandidateError": "candidateerror",
	"OnSignalingStateChange": "signaling", "OnICEGatheringStateChange": "gathering", "OnICEConnectionStateChange": "ice",
	"OnConnectionStateChange": "connection", "OnDataChannel": "channel", "OnDataChannelOpen": "open", "OnDataChannelMessage": "message",
	"OnDataChannelBufferedAmountLow": "low", "OnDataChannelClosing": "closing", "OnDataChannelError": "error", "OnDataChannelClose": "close",
	"OnTrack": "track", "OnTrackEnded": "trackended",
}

// powerKinds are the recorder's names of what the powers of a handler hear.
var powerKinds = map[string]string{"OnRTP": "rtp", "OnRTCP": "rtcp", "OnKeyframeRequest": "keyframe", "OnBandwidthEstimate": "bandwidth", "OnTrackMute": "mute"}

// withPowers is r with all powers.
func withPowers(r *recorder) rtc.EventHandler {
	hear := func(kind string, pc *rtc.PeerConnection) { r.hear(kind, pc, nil, rtc.DataChannelMessage{}, nil) }
	return rtc.Handlers(r, &rtc.HandlerFuncs{
		RTP:               func(pc *rtc.PeerConnection, _ *rtc.TrackRemote, _ *rtp.Packet) { hear("rtp", pc) },
		RTCP:              func(pc *rtc.PeerConnection, _ []rtcp.Packet) { hear("rtcp", pc) },
		KeyframeRequest:   func(pc *rtc.PeerConnection, _ *rtc.RTPSender, _ string) { hear("keyframe", pc) },
		BandwidthEstimate: func(pc *rtc.PeerConnection, _ int) { hear("bandwidth", pc) },
		TrackMute:         func(pc *rtc.PeerConnection, _ *rtc.TrackRemote, _ bool) { hear("mute", pc) },
	})
}

// pcCalls has a call of each method of PeerConnection, as a handler may make it.
var pcCalls = map[string]func(pc, peer *rtc.PeerConnection){
	"AddICECandidate": func(pc, _ *rtc.PeerConnection) {
		mid := "0"
		pc.AddICECandidate(rtc.ICECandidateInit{Candidate: "candidate:1 1 udp 2130706431 10.64.0.9 9 typ host", SDPMid: &mid})
	},
	"AddTrack": func(pc, _ *rtc.PeerConnection) { pc.AddTrack(aTrack("another")) },
	"AddTransceiverFromKind": func(pc, _ *rtc.PeerConnection) {
		if len(pc.GetTransceivers()) < 20 {
			pc.AddTransceiverFromKind(rtc.RTPCodecTypeAudio)
		}
	},
	"AddTransceiverFromTrack": func(pc, _ *rtc.PeerConnection) {
		if len(pc.GetTransceivers()) < 20 {
			pc.AddTransceiverFromTrack(aTrack("another"))
		}
	},
	"Builder":                 func(pc, _ *rtc.PeerConnection) { pc.Builder() },
	"CanTrickleICECandidates": func(pc, _ *rtc.PeerConnection) { pc.CanTrickleICECandidates() },
	"Close":                   func(pc, _ *rtc.PeerConnection) { pc.Close() },
	"ConnectionState":         func(pc, _ *rtc.PeerConnection) { pc.ConnectionState() },
	"ConnectionStates": func(pc, _ *rtc.PeerConnection) {
		for range pc.ConnectionStates(context.Background()) {
			break
		}
	},
	"CreateAnswer": func(pc, _ *rtc.PeerConnection) { pc.CreateAnswer(nil) },
	"CreateDataChannel": func(pc, _ *rtc.PeerConnection) {
		if len(pc.GetStats()) < 40 { // its own open would make the next one, for ever
			pc.CreateDataChannel("another", nil)
		}
	},
	"CreateOffer":              func(pc, _ *rtc.PeerConnection) { pc.CreateOffer(&rtc.OfferOptions{ICERestart: true}) },
	"CurrentLocalDescription":  func(pc, _ *rtc.PeerConnection) { pc.CurrentLocalDescription() },
	"CurrentRemoteDescription": func(pc, _ *rtc.PeerConnection) { pc.CurrentRemoteDescription() },
	"DataChannels": func(pc, _ *rtc.PeerConnection) {
		for range pc.DataChannels(canceled()) {
		}
	},
	"Done": func(pc, _ *rtc.PeerConnection) { pc.Done() },
	"Events": func(pc, _ *rtc.PeerConnection) {
		for range pc.Events(canceled()) {
		}
	},
	"GatheringComplete": func(pc, _ *rtc.PeerConnection) { pc.GatheringComplete() },
	"GetConfiguration":  func(pc, _ *rtc.PeerConnection) { pc.GetConfiguration() },
	"GetReceivers":      func(pc, _ *rtc.PeerConnection) { pc.GetReceivers() },
	"GetSenders":        func(pc, _ *rtc.PeerConnection) { pc.GetSenders() },
	"GetStats":          func(pc, _ *rtc.PeerConnection) { pc.GetStats() },
	"GetTransceivers":   func(pc, _ *rtc.PeerConnection) { pc.GetTransceivers() },
	"ID":                func(pc, _ *rtc.PeerConnection) { pc.ID() },
	"ICECandidates": func(pc, _ *rtc.PeerConnection) {
		for range pc.ICECandidates(canceled()) {
		}
	},
	"ICEConnectionState":       func(pc, _ *rtc.PeerConnection) { pc.ICEConnectionState() },
	"ICEGatheringState":        func(pc, _ *rtc.PeerConnection) { pc.ICEGatheringState() },
	"LocalDescription":         func(pc, _ *rtc.PeerConnection) { pc.LocalDescription() },
	"PendingLocalDescription":  func(pc, _ *rtc.PeerConnection) { pc.PendingLocalDescription() },
	"PendingRemoteDescription": func(pc, _ *rtc.PeerConnection) { pc.PendingRemoteDescription() },
	"RemoteDescription":        func(pc, _ *rtc.PeerConnection) { pc.RemoteDescription() },
	"RemoveTrack": func(pc, _ *rtc.PeerConnection) {
		for _, s := range pc.GetSenders() {
			pc.RemoveTrack(s)
		}
	},
	"RestartICE":       func(pc, _ *rtc.PeerConnection) { pc.RestartICE() },
	"SetConfiguration": func(pc, _ *rtc.PeerConnection) { pc.SetConfiguration(pc.GetConfiguration()) },
	"SetLocalDescription": func(pc, _ *rtc.PeerConnection) {
		pc.SetLocalDescription(rtc.SessionDescription{})
	},
	"SetRemoteDescription": func(pc, peer *rtc.PeerConnection) {
		if d := peer.LocalDescription(); d != nil {
			pc.SetRemoteDescription(*d)
		}
	},
	"SignalingState": func(pc, _ *rtc.PeerConnection) { pc.SignalingState() },
	"Tracks": func(pc, _ *rtc.PeerConnection) {
		for range pc.Tracks(canceled()) {
		}
	},
	"WriteRTCP": func(pc, _ *rtc.PeerConnection) { pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{}}) },
}

func aTrack(id string) *webrtc.TrackLocalStaticRTP {
	track, err := webrtc.NewTrackLocalStaticRTP(vp8, id, "stream")
	if err != nil {
		panic(err)
	}
	return track
}

// transceiverCalls has a call of each method of a transceiver, its sender and its receiver, as a handler may make it.
var transceiverCalls = map[string]func(t *rtc.RTPTransceiver){
	"CurrentDirection":    func(t *rtc.RTPTransceiver) { t.CurrentDirection() },
	"Direction":           func(t *rtc.RTPTransceiver) { t.Direction() },
	"Kind":                func(t *rtc.RTPTransceiver) { t.Kind() },
	"Mid":                 func(t *rtc.RTPTransceiver) { t.Mid() },
	"Receiver":            func(t *rtc.RTPTransceiver) { t.Receiver() },
	"Sender":              func(t *rtc.RTPTransceiver) { t.Sender() },
	"SetCodecPreferences": func(t *rtc.RTPTransceiver) { t.SetCodecPreferences(t.Receiver().GetParameters().Codecs) },
	"SetDirection":        func(t *rtc.RTPTransceiver) { t.SetDirection(rtc.RTPTransceiverDirectionRecvonly) },
	"Stop":                func(t *rtc.RTPTransceiver) { t.Stop() },
	"Stopped":             func(t *rtc.RTPTransceiver) { t.Stopped() },
}

var senderCalls = map[string]func(s *rtc.RTPSender){
	"AddEncoding":    func(s *rtc.RTPSender) { s.AddEncoding(aTrack("encoding")) },
	"GetParameters":  func(s *rtc.RTPSender) { s.GetParameters() },
	"GetStats":       func(s *rtc.RTPSender) { s.GetStats() },
	"RTPTransceiver": func(s *rtc.RTPSender) { s.RTPTransceiver() },
	"ReplaceTrack":   func(s *rtc.RTPSender) { s.ReplaceTrack(aTrack("replaced")) },
	"SetParameters":  func(s *rtc.RTPSender) { s.SetParameters(s.GetParameters()) },
	"SetStreams":     func(s *rtc.RTPSender) { s.SetStreams("one", "two") },
	"Track":          func(s *rtc.RTPSender) { s.Track() },
}

var receiverCalls = map[string]func(r *rtc.RTPReceiver){
	"GetContributingSources":    func(r *rtc.RTPReceiver) { r.GetContributingSources() },
	"GetParameters":             func(r *rtc.RTPReceiver) { r.GetParameters() },
	"GetStats":                  func(r *rtc.RTPReceiver) { r.GetStats() },
	"GetSynchronizationSources": func(r *rtc.RTPReceiver) { r.GetSynchronizationSources() },
	"RTPTransceiver":            func(r *rtc.RTPReceiver) { r.RTPTransceiver() },
	"Track":                     func(r *rtc.RTPReceiver) { r.Track() },
	"Tracks":                    func(r *rtc.RTPReceiver) { r.Tracks() },
}

// trackCalls has a call of each method of TrackRemote; those that wait for packets have some that came with the track, or its end.
var trackCalls = map[string]func(t *rtc.TrackRemote){
	"Codec": func(t *rtc.TrackRemote) { t.Codec() },
	"Ended": func(t *rtc.TrackRemote) { t.Ended() },
	"ID":    func(t *rtc.TrackRemote) { t.ID() },
	"Kind":  func(t *rtc.TrackRemote) { t.Kind() },
	"Msid":  func(t *rtc.TrackRemote) { t.Msid() },
	"Muted": func(t *rtc.TrackRemote) { t.Muted() },
	"Packets": func(t *rtc.TrackRemote) {
		for range t.Packets(canceled()) {
		}
	},
	"PayloadType": func(t *rtc.TrackRemote) { t.PayloadType() },
	"RID":         func(t *rtc.TrackRemote) { t.RID() },
	"Read": func(t *rtc.TrackRemote) {
		if _, err := t.ReadRTP(canceled()); err == nil { // there is one, and so there may be more
			t.Receiver().RTPTransceiver().Stop()
			t.Read(make([]byte, 1500))
		}
	},
	"ReadRTP":         func(t *rtc.TrackRemote) { t.ReadRTP(canceled()) },
	"Receiver":        func(t *rtc.TrackRemote) { t.Receiver() },
	"RequestKeyframe": func(t *rtc.TrackRemote) { t.RequestKeyframe() },
	"RtxSSRC":         func(t *rtc.TrackRemote) { t.RtxSSRC() },
	"SSRC":            func(t *rtc.TrackRemote) { t.SSRC() },
	"StreamID":        func(t *rtc.TrackRemote) { t.StreamID() },
	"StreamIDs":       func(t *rtc.TrackRemote) { t.StreamIDs() },
}

// dcCalls has a call of each method of DataChannel, as a handler may make it.
var dcCalls = map[string]func(dc *rtc.DataChannel){
	"BufferedAmount":             func(dc *rtc.DataChannel) { dc.BufferedAmount() },
	"BufferedAmountLowThreshold": func(dc *rtc.DataChannel) { dc.BufferedAmountLowThreshold() },
	"Close":                      func(dc *rtc.DataChannel) { dc.Close() },
	"Detach": func(dc *rtc.DataChannel) {
		s := dc.Detach()
		s.Write([]byte("stream"))
		s.Close()
	},
	"ID":                func(dc *rtc.DataChannel) { dc.ID() },
	"Label":             func(dc *rtc.DataChannel) { dc.Label() },
	"MaxPacketLifeTime": func(dc *rtc.DataChannel) { dc.MaxPacketLifeTime() },
	"MaxRetransmits":    func(dc *rtc.DataChannel) { dc.MaxRetransmits() },
	"Messages": func(dc *rtc.DataChannel) {
		for range dc.Messages(canceled()) {
		}
	},
	"Negotiated":                    func(dc *rtc.DataChannel) { dc.Negotiated() },
	"Ordered":                       func(dc *rtc.DataChannel) { dc.Ordered() },
	"Protocol":                      func(dc *rtc.DataChannel) { dc.Protocol() },
	"ReadyState":                    func(dc *rtc.DataChannel) { dc.ReadyState() },
	"Send":                          func(dc *rtc.DataChannel) { dc.Send([]byte("bytes")) },
	"SendContext":                   func(dc *rtc.DataChannel) { dc.SendContext(context.Background(), []byte("bytes")) },
	"SendText":                      func(dc *rtc.DataChannel) { dc.SendText("text") },
	"SendTextContext":               func(dc *rtc.DataChannel) { dc.SendTextContext(context.Background(), "text") },
	"SetBufferedAmountLowThreshold": func(dc *rtc.DataChannel) { dc.SetBufferedAmountLowThreshold(10) },
}

func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// wantAll fails unless calls has every method of typ.
func wantAll[F any](t *testing.T, typ reflect.Type, calls map[string]F) {
	t.Helper()
	for i := range typ.NumMethod() {
		if _, ok := calls[typ.Method(i).Name]; !ok {
			t.Errorf("%v.%s is not tried", typ, typ.Method(i).Name)
		}
	}
	if len(calls) != typ.NumMethod() {
		t.Errorf("%v has %d methods, %d are tried", typ, typ.NumMethod(), len(calls))
	}
}

// Promise 4, never blocked: every method may be called inside every handler, each time that it runs, and the handler returns without any
// time passing; the connection then still ends as it should.
func TestEveryMethodInEveryHandler(t *testing.T) { everywhere(t, testEveryMethodInEveryHandler) }

func testEveryMethodInEveryHandler(t *testing.T, w *world) {
	wantAll(t, reflect.TypeFor[rtc.EventHandler](), eventKinds)
	wantAll(t, reflect.TypeFor[*rtc.PeerConnection](), pcCalls)
	wantAll(t, reflect.TypeFor[*rtc.DataChannel](), dcCalls)
	wantAll(t, reflect.TypeFor[*rtc.RTPTransceiver](), transceiverCalls)
	wantAll(t, reflect.TypeFor[*rtc.RTPSender](), senderCalls)
	wantAll(t, reflect.TypeFor[*rtc.RTPReceiver](), receiverCalls)
	wantAll(t, reflect.TypeFor[*rtc.TrackRemote](), trackCalls)
	calls := map[string]func(p *pair, side int, dc *rtc.DataChannel){}
	for name, f := range pcCalls {
		calls["PeerConnection."+name] = func(p *pair, side int, _ *rtc.DataChannel) { f(p.pc[side], p.pc[1-side]) }
	}
	for name, f := range dcCalls {
		calls["DataChannel."+name] = func(p *pair, side int, dc *rtc.DataChannel) {
			if dc == nil {
				if dc = p.rec[side].channel(0); dc == nil {
					return
				}
			}
			f(dc)
		}
	}
	ofTransceivers := func(f func(t *rtc.RTPTransceiver)) func(p *pair, side int, _ *rtc.DataChannel) {
		return func(p *pair, side int, _ *rtc.DataChannel) {
			for _, t := range p.pc[side].GetTransceivers() {
				f(t)
			}
		}
	}
	for name, f := range transceiverCalls {
		calls["RTPTransceiver."+name] = ofTransceivers(f)
	}
	for name, f := range senderCalls {
		calls["RTPSender."+name] = ofTransceivers(func(t *rtc.RTPTransceiver) { f(t.Sender()) })
	}
	for name, f := range receiverCalls {
		calls["RTPReceiver."+name] = ofTransceivers(func(t *rtc.RTPTransceiver) { f(t.Receiver()) })
	}
	for name, f := range trackCalls {
		calls["TrackRemote."+name] = func(p *pair, side int, _ *rtc.DataChannel) {
			if t := p.rec[side].track("camera"); t != nil {
				f(t)
			}
		}
	}
	// A key pair for each of a thousand connections would be all that this test does.
	certificate, err := rtc.GenerateCertificate()
	if err != nil {
		t.Fatal(err)
	}
	kinds := maps.Clone(eventKinds)
	maps.Copy(kinds, powerKinds)
	for method, kind := range kinds {
		t.Run(method, func(t *testing.T) {
			for name, f := range calls {
				// One world has them all, the others a part.
				if w.name == "sim" || rand.IntN(15) == 0 {
					t.Run(name, func(t *testing.T) { testMethodInHandler(t, w, certificate, kind, f) })
				}
			}
		})
	}
}

// testMethodInHandler makes a life that has all events, and calls f inside each one of kind.
func testMethodInHandler(t *testing.T, w *world, certificate *rtc.Certificate, kind string, f func(p *pair, side int, dc *rtc.DataChannel)) {
	guard := time.AfterFunc(time.Minute, func() {
		debug.SetTraceback("all")
		panic("deadlock in " + t.Name())
	})
	defer guard.Stop()
	cfg := sim.Config{Start: certificate.Expires().AddDate(0, 0, -10), Link: sim.Link{Delay: time.Millisecond}, Handoff: -1}
	handler := func(_ int, r *recorder) rtc.EventHandler { return r }
	for _, power := range powerKinds {
		if power == kind {
			handler = func(_ int, r *recorder) rtc.EventHandler { return withPowers(r) }
		}
	}
	p := w.newPairOf(t, cfg, handler, func(i int, b rtc.Builder) rtc.Builder {
		return b.Certificates(*certificate).ICEServers(rtc.ICEServer{URLs: []string{"stun:192.0.2.1"}})
	})
	var fired atomic.Int32
	inside := 0
	for i, r := range p.rec {
		r.on = func(k string, _ *rtc.PeerConnection, dc *rtc.DataChannel, _ rtc.DataChannelMessage) {
			if k != kind || fired.Load() == 100 {
				return
			}
			fired.Add(1)
			inside++
			before := p.now()
			f(p, i, dc)
			if took := p.now().Sub(before); took > 0 && w.simulated() {
				t.Errorf("the call waited for %v", took)
			}
			inside--
		}
	}
	a, b := p.pc[0], p.pc[1]
	// Over sockets there is something to wait for, but once f was called it may have seen to it that it does not happen.
	settle := func(d time.Duration, cond func() bool) {
		if w.simulated() {
			p.pass(d)
			return
		}
		for begin := p.now(); !cond(); p.pass(50 * time.Millisecond) {
			if took := p.now().Sub(begin); took > 10*time.Second || took > 300*time.Millisecond && fired.Load() > 0 {
				break
			}
		}
	}
	dc, _ := a.CreateDataChannel("data", nil)
	camera := aTrack("camera")
	a.AddTrack(camera)
	settle(time.Millisecond, func() bool { return p.rec[0].has("negotiationneeded") })
	// Calls may have upset the negotiation, or have closed a connection: then it goes as far as it can.
	a.SetLocalDescription(rtc.SessionDescription{})
	exchange := func(from, to *rtc.PeerConnection) {
		if d := from.LocalDescription(); d != nil {
			if kind == "error" {
				d.SDP = replaceLine(d.SDP, "a=max-message-size:", "a=max-message-size:0")
			}
			to.SetRemoteDescription(*d)
		}
	}
	exchange(a, b)
	settle(100*time.Millisecond, func() bool { return p.rec[1].has("signaling have-remote-offer") })
	b.SetLocalDescription(rtc.SessionDescription{})
	exchange(b, a)
	settle(100*time.Millisecond, func() bool { return p.rec[0].has("open data") && p.rec[1].has("open data") })
	for n := range 3 {
		camera.WriteRTP(packet(n))
	}
	settle(100*time.Millisecond, func() bool { return p.rec[1].has("track camera") })
	if track := p.rec[1].track("camera"); track != nil {
		track.RequestKeyframe()
	}
	if track := p.rec[1].track("camera"); track != nil && kind == "mute" {
		a.WriteRTCP([]rtcp.Packet{&rtcp.ReceiverReport{}, &rtcp.Goodbye{Sources: []uint32{uint32(track.SSRC())}}})
		settle(100*time.Millisecond, func() bool { return p.rec[1].has("mute") })
	}
	if kind == "bandwidth" { // it comes with the first feedback
		settle(time.Second, func() bool { return p.rec[0].has("bandwidth") })
	}
	dc.SendText("hello")
	settle(100*time.Millisecond, func() bool { return p.rec[0].has("low data") && p.rec[1].has("message data hello") })
	if far := p.rec[1].channel(0); far != nil {
		far.SendText("hi")
		far.Close()
	}
	settle(time.Second, func() bool { return p.rec[0].has("close data") && p.rec[1].has("close data") })
	dc, _ = b.CreateDataChannel("more", nil)
	settle(time.Second, func() bool { return p.rec[0].has("open more") && p.rec[1].has("open more") })
	if kind == "error" && dc != nil {
		dc.Send(make([]byte, 300_000)) // more than the other takes
		settle(time.Second, func() bool { return len(p.rec[0].errs)+len(p.rec[1].errs) > 0 })
	}
	a.Close()
	b.Close()
	p.until("the end of both", func() bool { return done(a) && done(b) })
	switch {
	case fired.Load() == 0:
		t.Errorf("there was no %s", kind)
	case inside > 0:
		t.Error("the call did not return")
	}
	for _, r := range p.rec {
		if heard := r.heard(); heard[len(heard)-1] != "connection closed" {
			t.Errorf("%s ends by %q", r.name, heard[len(heard)-1])
		}
	}
}

func onlyMessages(lines []string) (out []string) {
	for _, l := range lines {
		if strings.HasPrefix(l, "message ") {
			out = append(out, l)
		}
	}
	return out
}

func consentRequests(pc *rtc.PeerConnection) (n uint64) {
	for _, p := range rtc.ReportOf(pc).ICE.Pairs {
		n += p.ConsentRequestsSent
	}
	return n
}

type on = func(kind string, pc *rtc.PeerConnection, dc *rtc.DataChannel, msg rtc.DataChannelMessage)

// realPair is two connections over the system's sockets, with a channel between them, whose handlers run when they are called. f, when given,
// acts in b's. The caller closes the connections.
func (w *world) realPair(t testing.TB, rts [2]runtime.Runtime, build func(i int, b rtc.Builder) rtc.Builder, f ...on) (pc [2]*rtc.PeerConnection, rec [2]*recorder) {
	t.Helper()
	for i, name := range []string{"a", "b"} {
		rec[i] = &recorder{name: name}
		if i == 1 && len(f) > 0 {
			rec[i].on = f[0]
		}
		b := w.builder(rts[i]).Handler(rec[i])
		if build != nil {
			b = build(i, b)
		}
		var err error
		if pc[i], err = b.Build(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := pc[0].CreateDataChannel("data", nil); err != nil {
		t.Fatal(err)
	}
	negotiate(t, pc[0], pc[1], nil)
	for i := range rec {
		eventually(t, rec[i].name+"'s channel is open", func() bool { return rec[i].channel(0) != nil })
	}
	return pc, rec
}

// eventually waits in real time until cond holds.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); !cond(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within half a minute", what)
		}
	}
}

// Promise 4, never blocked, over real sockets: a handler waits for something that only happens because its connection goes on.
func TestHandlerThatBlocksOverSockets(t *testing.T) { overSockets(t, testHandlerThatBlocksOverSockets) }

func testHandlerThatBlocksOverSockets(t *testing.T, w *world) {
	rts := w.runtimes(t)
	pc, rec := w.realPair(t, rts, nil)
	blocked, release := make(chan struct{}), make(chan struct{})
	rec[1].mu.Lock()
	rec[1].on = func(kind string, _ *rtc.PeerConnection, _ *rtc.DataChannel, msg rtc.DataChannelMessage) {
		if string(msg.Data) == "block" {
			close(blocked)
			<-release
		}
	}
	rec[1].mu.Unlock()
	a := rec[0].channel(0)
	if err := a.SendText("block"); err != nil {
		t.Fatal(err)
	}
	<-blocked
	from := len(rec[1].heard())
	var want []string
	for i := range 100 {
		text := fmt.Sprint("number ", i)
		if err := a.SendText(text); err != nil {
			t.Fatal(err)
		}
		want = append(want, "message data "+text)
	}
	eventually(t, "all is acknowledged while the handler blocks", func() bool {
		r := rtc.ReportOf(pc[0]).SCTP
		return r.InFlight == 0 && r.Buffered == 0
	})
	if err := rec[1].channel(0).SendText("back"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what is sent meanwhile arrives", func() bool { return rec[0].received() == 1 })
	if n := rtc.ReportOf(pc[0]).SCTP.Timeouts; n > 0 {
		t.Errorf("%d timeouts at the peer of the handler that blocks", n)
	}
	if _, handoffs := w.stats(rts[1]); handoffs == 0 {
		t.Error("nobody took over")
	}
	if heard := rec[1].heard(); len(heard) != from {
		t.Errorf("events while the handler blocks: %q", heard[from:])
	}
	close(release)
	eventually(t, "the events that waited", func() bool { return rec[1].received() == 101 })
	if got := onlyMessages(rec[1].heard()[from:]); !slices.Equal(got, want) {
		t.Errorf("after the handler came %q, want %q", got, want)
	}
	for i := range pc {
		pc[i].Close()
		<-pc[i].Done()
	}
}

// Promise 4, never blocked: SendContext waits inside a handler for room that its own connection makes.
func TestSendContextInsideAHandler(t *testing.T) { everywhere(t, testSendContextInsideAHandler) }

func testSendContextInsideAHandler(t *testing.T, w *world) {
	cfg := sim.Config{Link: sim.Link{Delay: 10 * time.Millisecond, Loss: 0.01}, Handoff: time.Millisecond}
	p, a, _ := w.connected(t, cfg, nil, func(_ int, b rtc.Builder) rtc.Builder {
		return b.SCTP(rtc.SCTPOptions{SendBuffer: 32 << 10, MaxMessageSize: 32 << 10})
	})
	var shared beside
	n := 0
	p.rec[1].on = func(kind string, _ *rtc.PeerConnection, dc *rtc.DataChannel, msg rtc.DataChannelMessage) {
		if kind != "message" {
			return
		}
		for range 20 {
			p.aside(func() {
				if err := dc.SendContext(context.Background(), make([]byte, 30<<10)); err != nil {
					t.Error(err)
				}
			})
			shared.do(func() { n++ })
		}
	}
	p.must(a.SendText("go"))
	p.until("the answers", shared.is(func() bool { return n == 20 && p.rec[0].received() == 20 }))
}

// Promise 4, never blocked: a handler may be a channel's whole life. It reads a detached channel, or ranges over its messages, until the peer
// closes it or the own connection is closed, although the channel's events come after its own.
func TestReadInsideAHandler(t *testing.T) { everywhere(t, testReadInsideAHandler) }

func testReadInsideAHandler(t *testing.T, w *world) {
	const n = 200
	for _, how := range []string{"Detach", "Messages"} {
		for _, end := range []string{"the peer closes the channel", "the peer closes the connection", "Close"} {
			t.Run(how+"/"+end, func(t *testing.T) {
				got := newTally()
				p := w.newPair(t, sim.Config{Handoff: time.Millisecond, Link: sim.Link{Delay: time.Millisecond}}, smallBuffers)
				p.rec[1].on = func(kind string, _ *rtc.PeerConnection, dc *rtc.DataChannel, _ rtc.DataChannelMessage) {
					if kind != "open" {
						return
					}
					p.aside(func() {
						if how == "Messages" {
							for m := range dc.Messages(context.Background()) {
								got.take(m.Data)
							}
						} else {
							s, buf := dc.Detach(), make([]byte, 16<<10)
							for k, err := s.Read(buf); err == nil; k, err = s.Read(buf) {
								got.take(buf[:k])
							}
						}
						got.end(nil)
					})
				}
				a, err := p.pc[0].CreateDataChannel("data", nil)
				p.must(err)
				p.negotiate(0)
				p.until("open", func() bool { return p.rec[0].has("open data") })
				want, sent := newBulk(1, 10_000), newTally()
				p.actAside("sender", func() {
					for range n { // more than both buffers hold
						m := want.next()
						if err := a.SendContext(t.Context(), m); err != nil {
							t.Error(err)
							return
						}
						want.took(m)
					}
					sent.end(nil)
				})
				p.until("all is read", func() bool { return got.taken() == n && sent.over() })
				if got.over() {
					t.Error("the handler returns before the end")
				}
				switch end {
				case "Close":
					p.pc[1].Close()
				case "the peer closes the connection":
					p.pc[0].Close()
				default:
					a.Close()
				}
				p.until("the handler returns", got.over)
				if string(got.sum.Sum(nil)) != string(want.sum.Sum(nil)) {
					t.Error("what was read is not what was sent")
				}
			})
		}
	}
}
