package rtc_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime/sim"
)

// The objects of a transceiver are the same pointers whoever returns them; those that an offer makes are there when SetRemoteDescription returns,
// also inside a handler.
func TestTransceiverIdentity(t *testing.T) { everywhere(t, testTransceiverIdentity) }

func testTransceiverIdentity(t *testing.T, w *world) {
	p, v := w.viewers(t, sim.Config{}, nil)
	s := newSource(t, vp8, "video")
	sender := p.add(0, s)
	audio, err := p.pc[0].AddTransceiverFromKind(rtc.RTPCodecTypeAudio, rtc.RTPTransceiverInit{Direction: rtc.RTPTransceiverDirectionRecvonly})
	p.must(err)
	same := func(when string) {
		list, senders, receivers := p.pc[0].GetTransceivers(), p.pc[0].GetSenders(), p.pc[0].GetReceivers()
		if len(list) != 2 || list[0].Sender() != sender || list[1] != audio || senders[0] != sender || senders[1] != audio.Sender() ||
			receivers[0] != list[0].Receiver() || sender.RTPTransceiver() != list[0] || audio.Receiver().RTPTransceiver() != audio {
			t.Errorf("%s: the objects are others", when)
		}
	}
	same("at first")
	if audio.Mid() != "" || audio.Kind() != rtc.RTPCodecTypeAudio || audio.Direction() != rtc.RTPTransceiverDirectionRecvonly || audio.CurrentDirection() != 0 || audio.Stopped() {
		t.Errorf("before a negotiation: mid %q, %v, %v, %v", audio.Mid(), audio.Kind(), audio.Direction(), audio.CurrentDirection())
	}
	var inside []*rtc.RTPTransceiver
	p.rec[0].on = func(kind string, pc *rtc.PeerConnection, _ *rtc.DataChannel, _ rtc.DataChannelMessage) {
		if kind != "negotiationneeded" || inside != nil {
			return
		}
		p.must(pc.SetLocalDescription(rtc.SessionDescription{}))
		p.must(p.pc[1].SetRemoteDescription(*pc.LocalDescription()))
		if inside = p.pc[1].GetTransceivers(); len(inside) != 2 {
			t.Errorf("%d transceivers of the offer", len(inside))
		}
		p.must(p.pc[1].SetLocalDescription(rtc.SessionDescription{}))
		p.must(pc.SetRemoteDescription(*p.pc[1].LocalDescription()))
	}
	p.until("negotiated, and connected", func() bool { return len(inside) == 2 && p.rec[0].has("connection connected") })
	same("after a negotiation")
	if !slices.Equal(p.pc[1].GetTransceivers(), inside) {
		t.Error("the peer's objects are others")
	}
	for i, far := range inside {
		if near := p.pc[0].GetTransceivers()[i]; near.Mid() != far.Mid() || near.Mid() == "" || near.Kind() != far.Kind() {
			t.Errorf("mids %q and %q", near.Mid(), far.Mid())
		}
	}
	if d := inside[0].CurrentDirection(); d != rtc.RTPTransceiverDirectionRecvonly {
		t.Errorf("the receiver of video is %v", d)
	}
	s.send(1)
	p.until("track", func() bool { return v[1].track("video") != nil })
	track := v[1].track("video")
	if track.Receiver() != inside[0].Receiver() || inside[0].Receiver().Track() != track || len(inside[1].Receiver().Tracks()) != 0 || inside[1].Receiver().Track() != nil {
		t.Error("the track's receiver is another")
	}
}

// Directions, W3C's table: what one side wants and the other allows is what both have; a side that stops sending unbinds, and is heard as muted
// or ended; and one that begins again carries on.
func TestDirections(t *testing.T) { everywhere(t, testDirections) }

func testDirections(t *testing.T, w *world) {
	const both, send, recv, none = rtc.RTPTransceiverDirectionSendrecv, rtc.RTPTransceiverDirectionSendonly, rtc.RTPTransceiverDirectionRecvonly, rtc.RTPTransceiverDirectionInactive
	p, v := w.viewers(t, sim.Config{Link: sim.Link{Delay: 5 * time.Millisecond}}, nil)
	s := [2]*source{newSource(t, vp8, "of-a"), newSource(t, vp8, "of-b")}
	p.add(0, s[0])
	p.add(1, s[1])
	p.connects(0)
	side := func(i int) *rtc.RTPTransceiver { return p.pc[i].GetTransceivers()[0] }
	flows := func(from int) bool {
		n := s[from].sent
		s[from].send(3)
		p.pass(50 * time.Millisecond)
		got := v[1-from].seen(s[from].ID())
		return len(got) > 0 && got[len(got)-1] >= n
	}
	for _, c := range []struct{ a, b, gotA, gotB rtc.RTPTransceiverDirection }{
		{both, both, both, both}, {send, both, send, recv}, {both, none, none, none}, {both, recv, send, recv},
		{none, both, none, none}, {recv, both, recv, send}, {both, both, both, both},
	} {
		p.must(side(0).SetDirection(c.a))
		p.must(side(1).SetDirection(c.b))
		p.negotiate(0)
		if a, b := side(0).CurrentDirection(), side(1).CurrentDirection(); a != c.gotA || b != c.gotB {
			t.Errorf("%v and %v make %v and %v, want %v and %v", c.a, c.b, a, b, c.gotA, c.gotB)
		}
		p.pass(100 * time.Millisecond)
		for i, got := range []rtc.RTPTransceiverDirection{c.gotA, c.gotB} {
			want := got == both || got == send
			heard := flows(i)
			for try := 0; want && !heard && try < 1000; try++ { // over sockets the time that passes is short
				heard = flows(i)
			}
			if heard != want {
				t.Errorf("%v and %v: %s is heard: %v", c.a, c.b, p.rec[i].name, heard)
			}
		}
	}
	for i := range v {
		v[i].right(t)
		var wrong *rtc.TypeError
		if err := side(i).SetDirection(99); !errors.As(err, &wrong) {
			t.Errorf("a direction that there is not: %v", err)
		}
	}
}

// A track that is removed, that is turned, or whose source says BYE is muted, and goes on with the next packet; one whose m-line is stopped by either side,
// or whose connection is closed by either side, ends. Handlers and iterators hear of each change once.
func TestTracksMuteAndEnd(t *testing.T) { everywhere(t, testTracksMuteAndEnd) }

func testTracksMuteAndEnd(t *testing.T, w *world) {
	p, v := w.viewers(t, sim.Config{Link: sim.Link{Delay: 5 * time.Millisecond}}, nil)
	camera, screen, voice, music := newSource(t, vp8, "camera"), newSource(t, vp8, "screen"), newSource(t, opus, "voice"), newSource(t, opus, "music")
	var mu sync.Mutex
	var told []string // by an iterator
	p.actAside("listener", func() {
		for ev := range p.pc[1].Events(context.Background()) {
			if ev.Kind == rtc.EventTrackMute {
				mu.Lock()
				told = append(told, map[bool]string{true: "mute ", false: "unmute "}[ev.Muted]+ev.Track.ID())
				mu.Unlock()
			}
		}
	})
	p.pass(time.Millisecond)
	var sender [4]*rtc.RTPSender
	for i, s := range []*source{camera, screen, voice, music} {
		sender[i] = p.add(0, s)
	}
	p.connects(0)
	for _, s := range []*source{camera, screen, voice, music} {
		s.send(1)
		p.until(s.ID(), func() bool { return v[1].has("track " + s.ID()) })
	}
	track := v[1].track("camera")
	changes := func() (lines []string) {
		for _, line := range v[1].heard() {
			switch kind, _, _ := strings.Cut(line, " "); kind {
			case "mute", "unmute", "trackended":
				lines = append(lines, line)
			}
		}
		return lines
	}
	var want []string
	expect := func(what string, lines ...string) {
		t.Helper()
		want = append(want, lines...)
		p.until(what, func() bool { return len(changes()) >= len(want) })
		if got := changes(); !slices.Equal(got, want) {
			t.Fatalf("%s: heard %q, want %q", what, got, want)
		}
	}
	again := func(what string) {
		t.Helper()
		if !track.Muted() || track.Ended() || len(track.Receiver().Tracks()) != 1 {
			t.Errorf("%s: muted %t, ended %t", what, track.Muted(), track.Ended())
		}
		p.until("the source is bound", func() bool { return camera.bound.Load() == 1 })
		camera.send(1)
		expect(what+", and packets again", "unmute camera")
		if track.Muted() || v[1].track("camera") != track {
			t.Errorf("%s: what comes again is another track", what)
		}
	}

	p.must(p.pc[0].RemoveTrack(sender[0]))
	p.negotiate(0)
	expect("removed", "mute camera")
	p.must(sender[0].RTPTransceiver().SetDirection(rtc.RTPTransceiverDirectionSendrecv))
	p.must(sender[0].ReplaceTrack(camera))
	p.negotiate(0)
	again("removed")

	p.must(sender[0].RTPTransceiver().SetDirection(rtc.RTPTransceiverDirectionRecvonly))
	p.negotiate(0)
	expect("turned", "mute camera")
	p.must(sender[0].RTPTransceiver().SetDirection(rtc.RTPTransceiverDirectionSendrecv))
	p.negotiate(0)
	again("turned")

	p.must(track.Receiver().RTPTransceiver().SetDirection(rtc.RTPTransceiverDirectionInactive))
	p.negotiate(1)
	expect("turned by who receives", "mute camera")
	p.must(track.Receiver().RTPTransceiver().SetDirection(rtc.RTPTransceiverDirectionRecvonly))
	p.negotiate(1)
	again("turned by who receives")

	p.must(p.pc[0].WriteRTCP([]rtcp.Packet{&rtcp.ReceiverReport{}, &rtcp.Goodbye{Sources: []uint32{uint32(track.SSRC())}}}))
	expect("BYE", "mute camera")
	again("BYE")

	p.must(sender[1].RTPTransceiver().Stop()) // says BYE, and ends with the negotiation
	p.negotiate(0)
	p.until("the end of the stopped", func() bool { return v[1].has("trackended screen") })
	if got := changes()[len(want):]; got[len(got)-1] != "trackended screen" || len(got) > 2 || len(got) == 2 && got[0] != "mute screen" {
		t.Errorf("stopped by who sends: %q", got)
	}
	want = changes()
	p.must(v[1].track("voice").Receiver().RTPTransceiver().Stop())
	p.negotiate(1)
	expect("stopped by who receives", "trackended voice")

	p.must(p.pc[0].Close())
	p.until("the end of both", func() bool { return done(p.pc[0]) && done(p.pc[1]) })
	last := changes()[len(want):]
	last = slices.DeleteFunc(last, func(line string) bool { return strings.HasPrefix(line, "mute ") }) // BYE may have come before
	slices.Sort(last)
	if !slices.Equal(last, []string{"trackended camera", "trackended music"}) {
		t.Errorf("closed by the peer: %q", last)
	}
	mutes := slices.DeleteFunc(changes(), func(line string) bool { return strings.HasPrefix(line, "trackended") })
	p.until("the iterator's end", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(told) >= len(mutes)
	})
	if !slices.Equal(told, mutes) {
		t.Errorf("an iterator tells %q, the handler %q", told, mutes)
	}
	if log := v[1].heard(); log[len(log)-1] != "connection closed" || !track.Ended() || track.Receiver().Track() != nil {
		t.Errorf("ended %t; the last is %q", track.Ended(), log[len(log)-1])
	}
	v[1].right(t)
}

// Stop ends both halves at once; the next negotiation takes the transceiver away at both sides, and a new one gets its m-line.
func TestStopTransceiver(t *testing.T) { everywhere(t, testStopTransceiver) }

func testStopTransceiver(t *testing.T, w *world) {
	p, v := w.viewers(t, sim.Config{Link: sim.Link{Delay: 5 * time.Millisecond}}, nil)
	s, other := newSource(t, vp8, "video"), newSource(t, opus, "audio")
	sender := p.add(0, s)
	p.add(0, other)
	p.connects(0)
	s.send(1)
	other.send(1)
	p.until("tracks", func() bool { return v[1].has("track video") && v[1].has("track audio") })
	near, far := sender.RTPTransceiver(), p.pc[1].GetTransceivers()[0]
	p.must(near.Stop())
	if sender.Track() != nil || near.Direction() != rtc.RTPTransceiverDirectionInactive || near.Stopped() {
		t.Error("Stop does not stop, or does not wait for the negotiation")
	}
	var state *rtc.InvalidStateError
	if err := near.SetDirection(rtc.RTPTransceiverDirectionSendrecv); !errors.As(err, &state) {
		t.Errorf("SetDirection of a stopping transceiver: %v", err)
	}
	if err := sender.ReplaceTrack(s); !errors.As(err, &state) {
		t.Errorf("ReplaceTrack of a stopping transceiver: %v", err)
	}
	p.negotiate(0)
	for i, one := range []*rtc.RTPTransceiver{near, far} {
		if !one.Stopped() || one.Mid() != "" || one.CurrentDirection() != 0 || len(p.pc[i].GetTransceivers()) != 1 {
			t.Errorf("%s: after the negotiation %v, mid %q, %v; %d transceivers", p.rec[i].name, one.Stopped(), one.Mid(), one.CurrentDirection(), len(p.pc[i].GetTransceivers()))
		}
	}
	p.until("the end of the track", func() bool { return v[1].has("trackended video") })
	if !v[1].track("video").Ended() || far.Receiver().Track() != nil {
		t.Error("the track has not ended")
	}
	again := newSource(t, vp8, "again")
	if p.add(0, again) == sender {
		t.Error("a sender that was stopped is used again")
	}
	p.negotiate(0)
	if n := strings.Count(p.pc[0].LocalDescription().SDP, "m=video"); n != 1 {
		t.Errorf("%d m-lines of video", n)
	}
	p.until("the new source is bound", func() bool { return again.bound.Load() == 1 })
	again.send(3)
	other.send(3)
	p.until("packets", func() bool { return len(v[1].seen("again")) == 3 && len(v[1].seen("audio")) == 4 })
	v[1].right(t)
}

// What an offer made is gone when the offer is rolled back, unless a track was added to it since.
func TestRollbackOfTransceivers(t *testing.T) { everywhere(t, testRollbackOfTransceivers) }

func testRollbackOfTransceivers(t *testing.T, w *world) {
	p, v := w.viewers(t, sim.Config{}, nil)
	p.add(0, newSource(t, vp8, "video"))
	p.add(0, newSource(t, opus, "audio"))
	p.must(p.pc[0].SetLocalDescription(rtc.SessionDescription{}))
	p.must(p.pc[1].SetRemoteDescription(*p.pc[0].LocalDescription()))
	video, audio := p.pc[1].GetTransceivers()[0], p.pc[1].GetTransceivers()[1]
	if s := p.add(1, newSource(t, opus, "reply")); s != audio.Sender() {
		t.Error("AddTrack does not use the transceiver that the offer has made")
	}
	p.must(p.pc[1].SetRemoteDescription(rtc.SessionDescription{Type: rtc.SDPTypeRollback}))
	if list := p.pc[1].GetTransceivers(); len(list) != 1 || list[0] != audio {
		t.Errorf("%d transceivers are left, want that of the track", len(list))
	}
	if !video.Stopped() || audio.Stopped() || audio.Mid() != "" {
		t.Errorf("stopped %v and %v, mid %q", video.Stopped(), audio.Stopped(), audio.Mid())
	}
	p.must(p.pc[0].SetLocalDescription(rtc.SessionDescription{Type: rtc.SDPTypeRollback}))
	p.connects(1)
	s := audio.Sender().Track().(*source)
	s.send(1)
	p.until("the reply", func() bool { return len(v[0].seen("reply")) == 1 })
}

// Senders and transceivers that a caller gets wrong are typed errors, and change nothing.
func TestMediaErrors(t *testing.T) {
	p, _ := simulated.viewers(t, sim.Config{}, nil)
	pc, s := p.pc[0], newSource(t, vp8, "video")
	sender := p.add(0, s)
	var typ *rtc.TypeError
	var access *rtc.InvalidAccessError
	var modification *rtc.InvalidModificationError
	try := func(what string, err error, target any) {
		t.Helper()
		if !errors.As(err, target) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := pc.AddTrack(nil)
	try("AddTrack(nil)", err, &typ)
	_, err = pc.AddTrack(s)
	try("a track twice", err, &access)
	_, err = pc.AddTransceiverFromTrack(nil)
	try("AddTransceiverFromTrack(nil)", err, &typ)
	_, err = pc.AddTransceiverFromKind(0)
	try("a kind that there is not", err, &typ)
	_, err = pc.AddTransceiverFromKind(rtc.RTPCodecTypeVideo, rtc.RTPTransceiverInit{}, rtc.RTPTransceiverInit{})
	try("two inits", err, &typ)
	_, err = pc.AddTransceiverFromKind(rtc.RTPCodecTypeVideo, rtc.RTPTransceiverInit{Direction: 99})
	try("a direction that there is not", err, &typ)
	_, err = pc.AddTransceiverFromKind(rtc.RTPCodecTypeVideo, rtc.RTPTransceiverInit{SendEncodings: make([]rtc.RTPEncodingParameters, 2)})
	try("two encodings without RIDs", err, &typ)
	try("RemoveTrack(nil)", pc.RemoveTrack(nil), &access)
	try("a sender of another connection", p.pc[1].RemoveTrack(sender), &access)
	if !errors.Is(p.pc[1].RemoveTrack(sender), webrtc.ErrSenderNotCreatedByConnection) {
		t.Error("and it is not pion's error")
	}
	try("AddEncoding(nil)", sender.AddEncoding(nil), &typ)
	try("an encoding of a track without a RID", sender.AddEncoding(newSource(t, vp8, "video", webrtc.WithRTPStreamID("h"))), &typ)
	changed := sender.GetParameters()
	changed.Encodings[0].SSRC++
	try("another SSRC", sender.SetParameters(changed), &modification)
	changed = sender.GetParameters()
	changed.Encodings = nil
	try("no encodings", sender.SetParameters(changed), &modification)
	try("a codec that is none", sender.RTPTransceiver().SetCodecPreferences([]rtc.RTPCodecParameters{{}}), &typ)
	try("a codec that is not known", sender.RTPTransceiver().SetCodecPreferences([]rtc.RTPCodecParameters{{
		RTPCodecCapability: rtc.RTPCodecCapability{MimeType: "video/unheard-of", ClockRate: 90000},
	}}), &modification)
	if list := pc.GetTransceivers(); len(list) != 1 || sender.Track() != rtc.TrackLocal(s) {
		t.Errorf("%d transceivers, the track is %v", len(list), sender.Track())
	}
	p.must(pc.Close())
	var state *rtc.InvalidStateError
	_, err = pc.AddTrack(newSource(t, vp8, "late"))
	try("AddTrack after Close", err, &state)
	_, err = pc.AddTransceiverFromKind(rtc.RTPCodecTypeVideo)
	try("AddTransceiverFromKind after Close", err, &state)
	try("RemoveTrack after Close", pc.RemoveTrack(sender), &state)
	try("ReplaceTrack after Close", sender.ReplaceTrack(nil), &state)
	try("Stop after Close", sender.RTPTransceiver().Stop(), &state)
	try("WriteRTCP after Close", pc.WriteRTCP(nil), &state)
	if len(pc.GetTransceivers()) != 0 || !sender.RTPTransceiver().Stopped() {
		t.Error("transceivers after Close")
	}
}

// The codecs that a transceiver prefers are negotiated, in that order.
func TestCodecPreferences(t *testing.T) { everywhere(t, testCodecPreferences) }

func testCodecPreferences(t *testing.T, w *world) {
	p, v := w.viewers(t, sim.Config{}, nil)
	s := newSource(t, h264, "video")
	sender := p.add(0, s)
	tr := sender.RTPTransceiver()
	var prefer []rtc.RTPCodecParameters
	for _, c := range tr.Receiver().GetParameters().Codecs {
		if c.MimeType == rtc.MimeTypeH264 && c.SDPFmtpLine == h264.SDPFmtpLine {
			prefer = append(prefer, c)
		}
	}
	p.must(tr.SetCodecPreferences(prefer))
	p.connects(0)
	codecs := sender.GetParameters().Codecs
	if len(codecs) != 1 || codecs[0].MimeType != rtc.MimeTypeH264 {
		t.Errorf("negotiated %v", codecs)
	}
	s.send(1)
	p.until("packet", func() bool { return len(v[1].seen("video")) == 1 })
	if c := v[1].track("video").Codec(); c.MimeType != rtc.MimeTypeH264 || c.SDPFmtpLine != h264.SDPFmtpLine {
		t.Errorf("the track's codec is %v", c)
	}
}

// Perfect negotiation with media: both sides add, remove, replace and stop, turn directions and restart ICE whenever they want, over a slow
// signaling channel; nothing ever fails, and in the end both mean the same, and every track that is to be sent arrives.
func TestPerfectNegotiationOfMedia(t *testing.T) { everywhere(t, testPerfectNegotiationOfMedia) }

func testPerfectNegotiationOfMedia(t *testing.T, w *world) {
	seeds := 200
	if testing.Short() {
		seeds = 40
	}
	seeds = w.some(seeds)
	glares := 0
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 2))
			var n [2]*negotiator
			var v [2]*viewer
			p := w.newPairOf(t, sim.Config{Seed: seed, Handoff: -1, Link: sim.Link{Delay: 20 * time.Millisecond, Loss: 0.03}}, func(i int, r *recorder) rtc.EventHandler {
				n[i] = &negotiator{polite: i == 0, rng: rng, trickle: seed%2 == 0, rec: r}
				v[i] = newViewer(r)
				return rtc.Handlers(v[i], n[i])
			}, nil)
			for i := range n {
				n[i].p, n[i].pc, n[i].peer = p, p.pc[i], n[1-i]
			}
			var sent [2][]*source
			made := 0
			act := func(i int) {
				pc := p.pc[i]
				senders := slices.DeleteFunc(pc.GetSenders(), func(s *rtc.RTPSender) bool { return s.Track() == nil })
				kind := rng.IntN(7)
				if made < 2 || len(senders) == 0 {
					kind = 0
				}
				switch kind {
				case 0, 1, 2:
					codec := []rtc.RTPCodecCapability{vp8, opus}[rng.IntN(2)]
					s := newSource(t, codec, fmt.Sprintf("%s%d", p.rec[i].name, made))
					made++
					_, err := pc.AddTrack(s)
					n[i].must("AddTrack", err)
					sent[i] = append(sent[i], s)
				case 3:
					n[i].must("RemoveTrack", pc.RemoveTrack(senders[rng.IntN(len(senders))]))
				case 4:
					s := senders[rng.IntN(len(senders))]
					if s.RTPTransceiver().Direction() != rtc.RTPTransceiverDirectionInactive {
						n[i].must("SetDirection", s.RTPTransceiver().SetDirection([]rtc.RTPTransceiverDirection{
							rtc.RTPTransceiverDirectionSendrecv, rtc.RTPTransceiverDirectionSendonly,
						}[rng.IntN(2)]))
					}
				case 5:
					n[i].must("Stop", senders[rng.IntN(len(senders))].RTPTransceiver().Stop())
				case 6:
					n[i].must("RestartICE", pc.RestartICE())
				}
			}
			acts := 3 + rng.IntN(8)
			for range acts {
				i := rng.IntN(2)
				p.after(time.Duration(rng.Int64N(int64(4*time.Second))), func() {
					acts--
					act(i)
					if rng.IntN(3) == 0 { // and so does the other, before it can know
						act(1 - i)
					}
				})
			}
			p.pass(5 * time.Second)
			p.until("all is done", func() bool { return acts == 0 })
			p.pass(20 * time.Second)
			// Over sockets an offer may be on its way still.
			p.until("both are at rest, and have the same transceivers", func() bool {
				for i, pc := range p.pc {
					if pc.SignalingState() != rtc.SignalingStateStable || p.rec[i].state() != rtc.PeerConnectionStateConnected || len(p.later) > 0 {
						return false
					}
					for _, tr := range pc.GetTransceivers() {
						far := counterpart(p.pc[1-i], tr)
						if far == nil || far.Kind() != tr.Kind() || far.CurrentDirection() != reversed(tr.CurrentDirection()) ||
							sends(tr.CurrentDirection()) != (sends(tr.Direction()) && sends(reversed(far.Direction()))) {
							return false
						}
					}
				}
				return true
			})
			for i, pc := range p.pc {
				glares += n[i].glares
				for _, tr := range pc.GetTransceivers() {
					far := counterpart(p.pc[1-i], tr)
					s, _ := tr.Sender().Track().(*source)
					if s == nil || !sends(tr.CurrentDirection()) {
						continue
					}
					first, heard := s.sent, false
					for try := 0; !heard && try < 1000; try++ {
						s.send(1)
						p.pass(20 * time.Millisecond)
						v[1-i].mu.Lock()
						for _, track := range far.Receiver().Tracks() {
							got := v[1-i].got[track]
							heard = heard || len(got) > 0 && got[len(got)-1] >= first
						}
						v[1-i].mu.Unlock()
					}
					if !heard {
						t.Errorf("%s is not heard", s.ID())
					}
				}
				v[i].right(t)
			}
		})
	}
	t.Logf("%d offers met", glares)
	if glares < seeds/20 {
		t.Error("hardly any offers met: the test tests nothing")
	}
}

// counterpart is what pc has of the transceiver tr of its peer, or nil.
func counterpart(pc *rtc.PeerConnection, tr *rtc.RTPTransceiver) *rtc.RTPTransceiver {
	list := pc.GetTransceivers()
	if i := slices.IndexFunc(list, func(o *rtc.RTPTransceiver) bool { return o.Mid() == tr.Mid() }); i >= 0 && tr.Mid() != "" {
		return list[i]
	}
	return nil
}

func sends(d rtc.RTPTransceiverDirection) bool {
	return d == rtc.RTPTransceiverDirectionSendrecv || d == rtc.RTPTransceiverDirectionSendonly
}

func reversed(d rtc.RTPTransceiverDirection) rtc.RTPTransceiverDirection {
	switch d {
	case rtc.RTPTransceiverDirectionSendonly:
		return rtc.RTPTransceiverDirectionRecvonly
	case rtc.RTPTransceiverDirectionRecvonly:
		return rtc.RTPTransceiverDirectionSendonly
	}
	return d
}
