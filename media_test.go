package rtc_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime/sim"
)

// counted are the numbers from first to last.
func counted(first, last int) (out []int) {
	for n := first; n <= last; n++ {
		out = append(out, n)
	}
	return out
}

// consecutive tells whether numbers follow each other without a gap, and there are n or more.
func consecutive(got []int, n int) bool {
	for i := 1; i < len(got); i++ {
		if got[i] != got[i-1]+1 {
			return false
		}
	}
	return len(got) >= n
}

// Audio and video flow both ways beside a data channel: each track is told once, before its packets, with its names and codec; packets arrive
// in order, as they were sent, on one source whose numbers follow each other.
func TestMedia(t *testing.T) { everywhere(t, testMedia) }

func testMedia(t *testing.T, w *world) {
	p, v := w.viewers(t, sim.Config{Link: sim.Link{Delay: 10 * time.Millisecond}}, nil)
	var sources [2][2]*source
	for i := range p.pc {
		sources[i] = [2]*source{
			newSource(t, opus, "voice-of-"+p.rec[i].name),
			newSource(t, vp8, "face-of-"+p.rec[i].name),
		}
		for _, s := range sources[i] {
			p.add(i, s)
		}
	}
	_, err := p.pc[0].CreateDataChannel("data", nil)
	p.must(err)
	p.connects(0)
	p.until("channel", func() bool { return p.rec[0].has("open data") && p.rec[1].has("open data") })
	for range 50 {
		for i := range p.pc {
			sources[i][0].send(1)
			sources[i][1].send(2)
		}
		p.pass(20 * time.Millisecond)
	}
	for i := range p.pc {
		far := v[1-i]
		for k, s := range sources[i] {
			n := []int{50, 100}[k]
			p.until(s.ID(), func() bool { return len(far.seen(s.ID())) == n })
			if got := far.seen(s.ID()); !slices.Equal(got, counted(0, n-1)) {
				t.Errorf("%s: %v", s.ID(), got)
			}
			track := far.track(s.ID())
			if track.StreamID() != s.StreamID() || track.Kind() != s.Kind() || track.Codec().MimeType != s.Codec().MimeType ||
				track.Msid() != s.StreamID()+" "+s.ID() || track.RID() != "" || track.Muted() || track.Ended() {
				t.Errorf("%s is %q of %q, %v, %v", s.ID(), track.ID(), track.StreamID(), track.Kind(), track.Codec())
			}
			headers := far.headers[track]
			for j, h := range headers {
				if h.SSRC != uint32(track.SSRC()) || h.PayloadType != uint8(track.PayloadType()) || h.SequenceNumber != headers[0].SequenceNumber+uint16(j) ||
					h.Timestamp-headers[0].Timestamp != uint32(j*1800) || h.Marker != packet(j).Marker {
					t.Fatalf("%s: header %d is %v", s.ID(), j, h)
				}
			}
			if far.count("track "+s.ID()) != 1 {
				t.Errorf("%s was told %d times", s.ID(), far.count("track "+s.ID()))
			}
		}
	}
	for i, pc := range p.pc {
		p.must(pc.Close())
		p.until("the end", func() bool { return done(pc) })
		heard := v[i].heard()
		if heard[len(heard)-1] != "connection closed" {
			t.Errorf("the last event is %q", heard[len(heard)-1])
		}
		for _, s := range sources[1-i] {
			if !v[i].has("trackended " + s.ID()) {
				t.Errorf("the end of %s was not told", s.ID())
			}
		}
		for _, s := range sources[i] {
			if err := s.WriteRTP(packet(0)); err != nil {
				t.Errorf("a track that is not bound any more: %v", err)
			}
		}
		v[i].right(t)
	}
}

// A track is read where its packets are not told: from another goroutine, from inside the handler that has heard of it, with the packet or
// into memory; and to its end.
func TestReadRTP(t *testing.T) { everywhere(t, testReadRTP) }

func testReadRTP(t *testing.T, w *world) {
	for _, how := range []string{"goroutine", "handler", "bytes", "before Close"} {
		t.Run(how, func(t *testing.T) {
			p := w.newPair(t, sim.Config{Link: sim.Link{Delay: 10 * time.Millisecond}}, nil)
			s := newSource(t, vp8, "video")
			p.add(0, s)
			// A reader that waits in the API goes on beside everything else.
			var mu sync.Mutex
			var got []int
			var end error
			over := false
			look := func(f func() bool) func() bool {
				return func() bool {
					mu.Lock()
					defer mu.Unlock()
					return f()
				}
			}
			read := func(track *rtc.TrackRemote) {
				buf := make([]byte, 1500)
				for {
					var packet *rtp.Packet
					var err error
					p.aside(func() {
						if how == "bytes" {
							var n int
							if n, err = track.Read(buf); err == nil {
								packet = new(rtp.Packet)
								err = packet.Unmarshal(buf[:n])
							}
							return
						}
						packet, err = track.ReadRTP(context.Background())
					})
					mu.Lock()
					if err != nil {
						end = err
					} else if n, err := number(packet); err != nil {
						t.Error(err)
					} else {
						got = append(got, n)
					}
					over = end != nil || how == "before Close" && len(got) == 10
					leave := over
					mu.Unlock()
					if leave {
						return
					}
				}
			}
			p.rec[1].on = func(kind string, _ *rtc.PeerConnection, _ *rtc.DataChannel, _ rtc.DataChannelMessage) {
				if kind != "track" {
					return
				}
				track := p.rec[1].track("video")
				if how == "handler" {
					read(track)
					return
				}
				p.act("reader", func() { read(track) })
			}
			p.connects(0)
			for range 20 {
				s.send(5)
				p.pass(20 * time.Millisecond)
			}
			if how != "before Close" {
				p.until("all packets", look(func() bool { return len(got) == 100 }))
			}
			p.must(p.pc[1].Close())
			p.until("the end of the reader", look(func() bool { return over }))
			if how == "before Close" {
				return
			}
			if !slices.Equal(got, counted(0, 99)) {
				t.Errorf("read %v", got)
			}
			if !errors.Is(end, io.EOF) {
				t.Errorf("the end is %v", end)
			}
		})
	}
}

// Promise 4 for media: what nobody reads is bounded, the oldest packets are dropped, and what is read after that is the newest, in order.
func TestUnreadTrackKeepsTheNewest(t *testing.T) { everywhere(t, testUnreadTrackKeepsTheNewest) }

func testUnreadTrackKeepsTheNewest(t *testing.T, w *world) {
	p := w.newPair(t, sim.Config{}, func(_ int, b rtc.Builder) rtc.Builder { return b.Media(rtc.MediaOptions{ReceiveQueue: 32}) })
	s := newSource(t, vp8, "video")
	p.add(0, s)
	p.connects(0)
	for range 50 {
		s.send(4)
		p.pass(20 * time.Millisecond)
	}
	p.until("all arrived", func() bool { return rtc.Received(p.pc[1]) == 200 })
	track := p.rec[1].track("video")
	var got []int
	for len(got) == 0 || got[len(got)-1] != 199 {
		packet, err := track.ReadRTP(t.Context())
		p.must(err)
		n, err := number(packet)
		p.must(err)
		got = append(got, n)
	}
	if !slices.Equal(got, counted(168, 199)) {
		t.Errorf("32 packets may wait; read %v", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := track.ReadRTP(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a read whose context has ended: %v", err)
	}
}

// ReplaceTrack needs no negotiation: for the receiver one source goes on, its numbers and timestamps continue; with nil it is silent, and the
// first track can come back. A track that cannot be bound changes nothing.
func TestReplaceTrack(t *testing.T) { everywhere(t, testReplaceTrack) }

func testReplaceTrack(t *testing.T, w *world) {
	p, v := w.viewers(t, sim.Config{Link: sim.Link{Delay: 10 * time.Millisecond}}, nil)
	first, second := newSource(t, vp8, "first"), newSource(t, vp8, "second")
	second.sent = 10_000
	sender := p.add(0, first)
	p.connects(0)
	film := func(s *source) {
		for range 5 {
			s.send(2)
			p.pass(20 * time.Millisecond)
		}
	}
	film(first)
	p.must(sender.ReplaceTrack(second))
	first.send(5) // to nobody
	film(second)
	p.must(sender.ReplaceTrack(nil))
	if sender.Track() != nil {
		t.Error("there is a track still")
	}
	first.send(5)
	second.send(5)
	p.must(sender.ReplaceTrack(first))
	film(first)
	refused := errors.New("no")
	if err := sender.ReplaceTrack(&ownTrack{id: "own", kind: rtc.RTPCodecTypeVideo, fails: refused}); !errors.Is(err, refused) {
		t.Errorf("a track that cannot be bound: %v", err)
	}
	if sender.Track() != rtc.TrackLocal(first) {
		t.Errorf("the track is %v", sender.Track())
	}
	film(first)
	var wrong *rtc.TypeError
	if err := sender.ReplaceTrack(newSource(t, opus, "audio")); !errors.As(err, &wrong) || !errors.Is(err, webrtc.ErrRTPSenderNewTrackHasIncorrectKind) {
		t.Errorf("audio in the place of video: %v", err)
	}
	p.until("all packets", func() bool { return len(v[1].seen("first")) == 40 })
	want := slices.Concat(counted(0, 9), counted(10_000, 10_009), counted(20, 39))
	if got := v[1].seen("first"); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	headers := v[1].headers[v[1].track("first")]
	for i := range headers[1:] {
		before, h := headers[i], headers[i+1]
		if h.SequenceNumber != before.SequenceNumber+1 || h.SSRC != before.SSRC || int32(h.Timestamp-before.Timestamp) <= 0 || h.Timestamp-before.Timestamp > 90000 {
			t.Errorf("%d and %d: %v, %v", want[i], want[i+1], before, h)
		}
	}
	if v[1].count("track first") != 1 || len(v[1].tracks) != 1 {
		t.Errorf("heard %q", v[1].heard())
	}
	if p.rec[0].count("negotiationneeded") > 1 {
		t.Error("ReplaceTrack asks for a negotiation")
	}
	v[1].right(t)
}

// SetParameters stops an encoding and starts it again without a negotiation: what is written meanwhile goes nowhere, and leaves no gap in the numbers of the
// source, which is the one that the transceiver was made with.
func TestSetParameters(t *testing.T) { everywhere(t, testSetParameters) }

func testSetParameters(t *testing.T, w *world) {
	p, v := w.viewers(t, sim.Config{Link: sim.Link{Delay: 10 * time.Millisecond}}, nil)
	s := newSource(t, vp8, "video")
	const chosen = 70_000
	transceiver, err := p.pc[0].AddTransceiverFromTrack(s, rtc.RTPTransceiverInit{SendEncodings: []rtc.RTPEncodingParameters{
		{RTPCodingParameters: webrtc.RTPCodingParameters{SSRC: chosen}},
	}})
	p.must(err)
	sender := transceiver.Sender()
	p.connects(0)
	s.send(3)
	p.until("packets", func() bool { return len(v[1].seen("video")) == 3 })
	negotiations := p.rec[0].count("negotiationneeded")
	active := func(is bool) {
		t.Helper()
		params := sender.GetParameters()
		params.Encodings[0].Active = is
		p.must(sender.SetParameters(params))
		if sender.GetParameters().Encodings[0].Active != is {
			t.Errorf("the encoding is not as it was set: active %t", is)
		}
	}
	active(false)
	s.send(5)
	p.pass(100 * time.Millisecond)
	if n := len(v[1].seen("video")); n != 3 {
		t.Errorf("%d packets of an inactive encoding have come", n-3)
	}
	active(true)
	s.send(3)
	p.until("packets again", func() bool { return len(v[1].seen("video")) == 6 })
	if got, want := v[1].seen("video"), slices.Concat(counted(0, 2), counted(8, 10)); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	headers := v[1].headers[v[1].track("video")]
	for i := range headers {
		if h := headers[i]; h.SSRC != chosen || h.SequenceNumber != headers[0].SequenceNumber+uint16(i) {
			t.Errorf("packet %d has number %d of source %d", i, h.SequenceNumber, h.SSRC)
		}
	}
	if p.rec[0].count("negotiationneeded") != negotiations || v[1].count("track video") != 1 || v[1].has("mute video") {
		t.Errorf("a heard %q\nb heard %q", p.rec[0].heard(), v[1].heard())
	}
	v[1].right(t)
}

// A track is bound once the connection can carry it, before the handler hears of connected, and unbound when it is replaced, removed, not
// negotiated any more, or the connection closes, before the handler hears of closed. Inside Bind all of the API may be used.
func TestBinding(t *testing.T) { everywhere(t, testBinding) }

func testBinding(t *testing.T, w *world) {
	p, v := w.viewers(t, sim.Config{Link: sim.Link{Delay: 10 * time.Millisecond}}, nil)
	own := &ownTrack{id: "own", kind: rtc.RTPCodecTypeVideo}
	sender := p.add(0, own)
	var ctx rtc.TrackLocalContext
	own.in = func(c rtc.TrackLocalContext) {
		ctx = c
		p.pc[0].GetTransceivers()
		sender.GetParameters()
		p.pc[0].GetStats()
		if _, err := p.pc[0].CreateOffer(nil); err != nil {
			t.Errorf("an offer inside Bind: %v", err)
		}
	}
	var atConnected, atClosed []string
	p.rec[0].on = func(kind string, pc *rtc.PeerConnection, _ *rtc.DataChannel, _ rtc.DataChannelMessage) {
		switch {
		case kind == "connection" && pc.ConnectionState() == rtc.PeerConnectionStateConnected:
			atConnected = own.called()
		case kind == "connection" && pc.ConnectionState() == rtc.PeerConnectionStateClosed:
			atClosed = own.called()
		}
	}
	p.negotiate(0)
	if calls := own.called(); len(calls) > 0 && w.simulated() {
		t.Errorf("%q before anything is connected", calls)
	}
	p.until("connected", func() bool { return p.rec[0].has("connection connected") && p.rec[1].has("connection connected") })
	if !slices.Equal(atConnected, []string{"bind"}) {
		t.Errorf("at connected the track has %q", atConnected)
	}
	encoding := sender.GetParameters().Encodings[0]
	if ctx.SSRC() != encoding.SSRC || ctx.SSRCRetransmission() != encoding.RTX.SSRC || ctx.SSRCForwardErrorCorrection() != 0 ||
		encoding.PayloadType != own.codec.PayloadType || !encoding.Active || len(ctx.CodecParameters()) < 2 || ctx.WriteStream() == nil || ctx.RTCPReader() == nil {
		t.Errorf("bound with %v, %v; the sender says %+v", ctx.SSRC(), ctx.CodecParameters(), encoding)
	}
	if !slices.ContainsFunc(ctx.HeaderExtensions(), func(x rtc.RTPHeaderExtensionParameter) bool { return x.URI == "urn:ietf:params:rtp-hdrext:sdes:mid" }) {
		t.Errorf("the header extensions are %v", ctx.HeaderExtensions())
	}
	p.must(own.write(0))
	p.until("the packet", func() bool { return len(v[1].seen("own")) == 1 })
	p.must(p.pc[0].RemoveTrack(sender))
	if calls := own.called(); !slices.Equal(calls, []string{"bind", "unbind"}) {
		t.Errorf("after RemoveTrack: %q", calls)
	}
	h := packet(1).Header
	if _, err := ctx.WriteStream().WriteRTP(&h, nil); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("to a writer of what is not bound: %v", err)
	}
	p.must(sender.ReplaceTrack(own)) // negotiated as before still
	p.negotiate(0)                   // not to be sent
	p.until("unbound", func() bool { return len(own.called())%2 == 0 })
	p.must(sender.RTPTransceiver().SetDirection(rtc.RTPTransceiverDirectionSendrecv))
	p.negotiate(0)
	p.until("bound again", func() bool { return len(own.called())%2 == 1 })
	p.must(own.write(1))
	p.until("another packet", func() bool { return slices.Contains(v[1].seen("own"), 1) })
	calls := len(own.called())
	p.must(p.pc[0].Close())
	p.until("the end", func() bool { return done(p.pc[0]) })
	if len(atClosed) != calls+1 || atClosed[calls] != "unbind" {
		t.Errorf("at closed the track has %q", atClosed)
	}
	if _, err := ctx.WriteStream().Write(nil); err == nil {
		t.Error("no packet is taken for one")
	}
	if _, err := ctx.WriteStream().WriteRTP(&h, nil); !errors.Is(err, io.ErrClosedPipe) || !errors.Is(err, rtc.ErrConnectionClosed) {
		t.Errorf("to a writer of a closed connection: %v", err)
	}
}

// Promise 4: a handler that stays for three seconds holds up nobody's media but its own: meanwhile the peer hears reports and repairs, and
// what waits is bounded.
func TestSlowHandlerBoundsMedia(t *testing.T) {
	p, v := simulated.viewers(t, sim.Config{Link: sim.Link{Delay: 10 * time.Millisecond, Loss: 0.05}}, func(_ int, b rtc.Builder) rtc.Builder {
		return b.Media(rtc.MediaOptions{ReceiveQueue: 50})
	})
	s, back := newSource(t, vp8, "video"), newSource(t, vp8, "back")
	p.add(0, s)
	p.add(1, back)
	stayed := false
	var asleep, awake time.Time
	v[1].onRTP = func(_ *rtc.TrackRemote, packet *rtp.Packet) {
		if n, _ := number(packet); n >= 100 && !stayed {
			stayed, asleep = true, p.now()
			p.sleep(3 * time.Second)
			awake = p.now()
		}
	}
	p.connects(0)
	stop, stopBack := p.films(s), p.films(back)
	p.until("the handler stays", func() bool { return stayed })
	reports := len(v[0].rtcp)
	seen := len(v[0].seen("back"))
	p.pass(2900 * time.Millisecond)
	if !awake.IsZero() {
		t.Fatal("the handler has returned")
	}
	if n := len(v[0].rtcp) - reports; n < 3 {
		t.Errorf("%d reports while the peer's handler stays", n)
	}
	if n := len(v[0].seen("back")) - seen; n < 140 {
		t.Errorf("%d packets while the sender's handler stays", n)
	}
	p.until("the handler returns", func() bool { return !awake.IsZero() })
	p.pass(2 * time.Second)
	stop()
	stopBack()
	got := v[1].seen("video")
	i := slices.IndexFunc(got, func(n int) bool { return n >= 100 })
	dropped := slices.Min(got[i+1:]) - got[i]
	if waited := int(awake.Sub(asleep) / (20 * time.Millisecond)); dropped < waited-51 || dropped > waited-45 {
		t.Errorf("%d packets were dropped; %d came while the handler stayed, and 50 may wait", dropped, waited)
	}
	rest := slices.Sorted(slices.Values(got[i+1:])) // some were repaired
	if !consecutive(rest, 140) {
		t.Errorf("after that: %v", rest)
	}
	v[1].right(t)
}

// A keyframe that is asked for at one end is told at the other, where it is made.
func TestKeyframeRequest(t *testing.T) { everywhere(t, testKeyframeRequest) }

func testKeyframeRequest(t *testing.T, w *world) {
	p, v := w.viewers(t, sim.Config{Link: sim.Link{Delay: 10 * time.Millisecond}}, nil)
	s := newSource(t, vp8, "video")
	p.add(0, s)
	p.connects(0)
	s.send(1)
	p.until("track", func() bool { return v[1].track("video") != nil })
	v[1].track("video").RequestKeyframe()
	p.until("the request", func() bool { return v[0].has("keyframe") })
	if v[0].requests[0] != "video/" {
		t.Errorf("asked for %q", v[0].requests)
	}
	p.must(p.pc[1].WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(v[1].track("video").SSRC())}}))
	p.until("what the application has sent itself", func() bool {
		v[0].mu.Lock()
		defer v[0].mu.Unlock()
		return slices.ContainsFunc(v[0].rtcp, func(r rtcp.Packet) bool { pli, ok := r.(*rtcp.PictureLossIndication); return ok && pli.SenderSSRC == 0 })
	})
}

// A track that encodes hears of a keyframe request by the reader that it was bound with, until it is unbound.
func TestTrackReadsKeyframeRequest(t *testing.T) { everywhere(t, testTrackReadsKeyframeRequest) }

func testTrackReadsKeyframeRequest(t *testing.T, w *world) {
	p, v := w.viewers(t, sim.Config{Link: sim.Link{Delay: 10 * time.Millisecond}}, nil)
	own := &ownTrack{id: "own", kind: rtc.RTPCodecTypeVideo}
	var ctx rtc.TrackLocalContext
	own.in = func(c rtc.TrackLocalContext) { ctx = c }
	sender := p.add(0, own)
	p.connects(0)
	p.must(own.write(0))
	p.until("track", func() bool { return v[1].track("own") != nil })
	v[1].track("own").RequestKeyframe()
	p.until("the request", func() bool { return v[0].has("keyframe") })
	b := make([]byte, 100)
	n, _, err := ctx.RTCPReader().Read(b, nil)
	p.must(err)
	var pli rtcp.PictureLossIndication
	if err := pli.Unmarshal(b[:n]); err != nil || pli.MediaSSRC != uint32(ctx.SSRC()) {
		t.Errorf("the track reads %v, %v", b[:n], err)
	}
	p.must(sender.ReplaceTrack(nil))
	if _, _, err := ctx.RTCPReader().Read(b, nil); !errors.Is(err, io.EOF) {
		t.Errorf("after it was unbound: %v", err)
	}
}

// The bandwidth estimate is told, and grows on a path that carries what is sent.
func TestBandwidthEstimate(t *testing.T) {
	p, v := simulated.viewers(t, sim.Config{Link: sim.Link{Delay: 20 * time.Millisecond}}, nil)
	s := newSource(t, vp8, "video")
	p.add(0, s)
	p.connects(0)
	for range 500 {
		s.send(4)
		p.pass(20 * time.Millisecond)
	}
	if v[0].estimate < 500_000 || !v[0].has("bandwidth") {
		t.Errorf("the estimate is %d bit/s", v[0].estimate)
	}
}

// Tracks gives the tracks of the peer, those of before and those of later, until the connection closes.
func TestTracks(t *testing.T) { everywhere(t, testTracks) }

func testTracks(t *testing.T, w *world) {
	p := w.newPair(t, sim.Config{}, nil)
	sources := []*source{newSource(t, vp8, "one"), newSource(t, opus, "two"), newSource(t, vp8, "three")}
	for _, s := range sources {
		p.add(0, s)
	}
	p.connects(0)
	sources[0].send(1)
	p.until("the first track", func() bool { return p.rec[1].has("track one") })
	var mu sync.Mutex
	var got []string
	p.actAside("listener", func() {
		listen := func(line string) {
			mu.Lock()
			got = append(got, line)
			mu.Unlock()
		}
		for track := range p.pc[1].Tracks(context.Background()) {
			listen(track.ID())
		}
		listen("end")
	})
	heard := func(n int) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(got) == n
		}
	}
	p.until("the one of before", heard(1))
	sources[1].send(1)
	p.until("the second", heard(2))
	sources[2].send(1)
	p.until("the third", heard(3))
	p.must(p.pc[1].Close())
	p.until("the end", heard(4))
	if !slices.Equal(got, []string{"one", "two", "three", "end"}) {
		t.Errorf("got %q", got)
	}
}
