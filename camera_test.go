package rtc_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime/sim"
)

var (
	vp8  = rtc.RTPCodecCapability{MimeType: rtc.MimeTypeVP8, ClockRate: 90000}
	opus = rtc.RTPCodecCapability{MimeType: rtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}
	h264 = rtc.RTPCodecCapability{
		MimeType: rtc.MimeTypeH264, ClockRate: 90000,
		SDPFmtpLine: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
	}
)

// source is a track that a test sends numbered packets on.
type source struct {
	*webrtc.TrackLocalStaticRTP
	t     testing.TB
	sent  int
	bound atomic.Int32 // to so many connections
}

func (s *source) Bind(ctx rtc.TrackLocalContext) (rtc.RTPCodecParameters, error) {
	codec, err := s.TrackLocalStaticRTP.Bind(ctx)
	if err == nil {
		s.bound.Add(1)
	}
	return codec, err
}

func (s *source) Unbind(ctx rtc.TrackLocalContext) error {
	s.bound.Add(-1)
	return s.TrackLocalStaticRTP.Unbind(ctx)
}

func newSource(t testing.TB, codec rtc.RTPCodecCapability, id string, options ...func(*webrtc.TrackLocalStaticRTP)) *source {
	t.Helper()
	track, err := webrtc.NewTrackLocalStaticRTP(codec, id, "stream-"+id, options...)
	if err != nil {
		t.Fatal(err)
	}
	return &source{TrackLocalStaticRTP: track, t: t}
}

// packet is the nth of a source: 20 ms after the one before, its number in its payload, and of a size that changes.
func packet(n int) *rtp.Packet {
	payload := make([]byte, 100+n*7%1000)
	binary.BigEndian.PutUint32(payload, uint32(n))
	for i := range payload[4:] {
		payload[4+i] = byte(n + i)
	}
	return &rtp.Packet{
		Header:  rtp.Header{Version: 2, Marker: n%3 == 0, SequenceNumber: uint16(65500 + n), Timestamp: uint32(n * 1800)},
		Payload: payload,
	}
}

// number is what packet(n) was made of; the rest of the payload has to be right too.
func number(p *rtp.Packet) (int, error) {
	if len(p.Payload) < 4 {
		return 0, fmt.Errorf("a payload of %d bytes", len(p.Payload))
	}
	n := int(binary.BigEndian.Uint32(p.Payload))
	if want := packet(n); !slices.Equal(want.Payload, p.Payload) {
		return n, fmt.Errorf("packet %d has %d bytes, or others than were sent", n, len(p.Payload))
	}
	return n, nil
}

// send writes the next n packets.
func (s *source) send(n int) {
	s.t.Helper()
	for range n {
		if err := s.WriteRTP(packet(s.sent)); err != nil {
			s.t.Errorf("%s: packet %d: %v", s.ID(), s.sent, err)
		}
		s.sent++
	}
}

// films has an actor send on a source, a packet every 20 ms, until the returned function is called.
func (p *pair) films(s *source) (stop func()) {
	ended := false
	p.act("camera", func() {
		for !ended {
			s.send(1)
			p.sleep(20 * time.Millisecond)
		}
	})
	return func() { ended = true }
}

// viewer is a recorder that takes packets as they come, and has all other powers.
type viewer struct {
	*recorder
	onRTP func(track *rtc.TrackRemote, p *rtp.Packet)

	mu       sync.Mutex
	got      map[*rtc.TrackRemote][]int
	headers  map[*rtc.TrackRemote][]rtp.Header
	errs     []error
	rtcp     []rtcp.Packet
	requests []string
	estimate int
}

func newViewer(r *recorder) *viewer {
	return &viewer{recorder: r, got: map[*rtc.TrackRemote][]int{}, headers: map[*rtc.TrackRemote][]rtp.Header{}}
}

func (v *viewer) OnRTP(pc *rtc.PeerConnection, track *rtc.TrackRemote, p *rtp.Packet) {
	v.floor.take()
	defer v.floor.give()
	n, err := number(p)
	v.mu.Lock()
	if err != nil {
		v.errs = append(v.errs, err)
	}
	if track.Ended() || track.Receiver().RTPTransceiver() == nil {
		v.errs = append(v.errs, errors.New("a packet after the track's end"))
	}
	v.got[track] = append(v.got[track], n)
	v.headers[track] = append(v.headers[track], p.Header.Clone())
	on := v.onRTP
	v.mu.Unlock()
	if on != nil {
		on(track, p)
	}
}

func (v *viewer) OnRTCP(_ *rtc.PeerConnection, packets []rtcp.Packet) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.rtcp = append(v.rtcp, packets...)
}

func (v *viewer) OnKeyframeRequest(pc *rtc.PeerConnection, sender *rtc.RTPSender, rid string) {
	v.mu.Lock()
	v.requests = append(v.requests, sender.Track().ID()+"/"+rid)
	v.mu.Unlock()
	v.hear("keyframe", pc, nil, rtc.DataChannelMessage{}, nil)
}

func (v *viewer) OnBandwidthEstimate(pc *rtc.PeerConnection, bitsPerSecond int) {
	v.mu.Lock()
	v.estimate = bitsPerSecond
	v.mu.Unlock()
	v.hear("bandwidth", pc, nil, rtc.DataChannelMessage{}, nil)
}

func (v *viewer) OnTrackMute(pc *rtc.PeerConnection, track *rtc.TrackRemote, muted bool) {
	kind := "unmute"
	if muted {
		kind = "mute"
	}
	v.hearTrack(kind, pc, track)
}

// seen are the numbers of the packets of a track, by its name.
func (v *viewer) seen(id string) []int {
	t := v.track(id)
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.got[t])
}

// right holds that all packets were what they should be.
func (v *viewer) right(t testing.TB) {
	t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, err := range v.errs {
		t.Errorf("%s: %v", v.name, err)
	}
}

// viewers is a pair of which both take packets as they come.
func (w *world) viewers(t testing.TB, cfg sim.Config, build func(i int, b rtc.Builder) rtc.Builder) (*pair, [2]*viewer) {
	t.Helper()
	var v [2]*viewer
	p := w.newPairOf(t, cfg, func(i int, r *recorder) rtc.EventHandler {
		v[i] = newViewer(r)
		return v[i]
	}, build)
	return p, v
}

// connects negotiates from one side and waits until both are connected.
func (p *pair) connects(from int) {
	p.t.Helper()
	p.negotiate(from)
	p.until("both connected", func() bool {
		return p.rec[0].state() == rtc.PeerConnectionStateConnected && p.rec[1].state() == rtc.PeerConnectionStateConnected
	})
}

// add is AddTrack.
func (p *pair) add(side int, track rtc.TrackLocal) *rtc.RTPSender {
	p.t.Helper()
	s, err := p.pc[side].AddTrack(track)
	p.must(err)
	return s
}

// ownTrack is a TrackLocal of the test's own: it takes the first codec, writes down its calls, and its packets are written by hand.
type ownTrack struct {
	id    string
	kind  rtc.RTPCodecType
	fails error
	in    func(ctx rtc.TrackLocalContext) // called by Bind

	mu    sync.Mutex
	bound []rtc.TrackLocalContext
	codec rtc.RTPCodecParameters
	calls []string
}

func (o *ownTrack) Bind(ctx rtc.TrackLocalContext) (rtc.RTPCodecParameters, error) {
	o.mu.Lock()
	in := o.in
	o.mu.Unlock()
	if in != nil {
		in(ctx)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls = append(o.calls, "bind")
	if o.fails == nil {
		o.bound = append(o.bound, ctx)
		o.codec = ctx.CodecParameters()[0]
	}
	return o.codec, o.fails
}

func (o *ownTrack) Unbind(ctx rtc.TrackLocalContext) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls = append(o.calls, "unbind")
	n := len(o.bound)
	o.bound = slices.DeleteFunc(o.bound, func(c rtc.TrackLocalContext) bool { return c.ID() == ctx.ID() })
	if len(o.bound) != n-1 {
		return errors.New("unbind of what is not bound")
	}
	return nil
}

func (o *ownTrack) ID() string             { return o.id }
func (o *ownTrack) RID() string            { return "" }
func (o *ownTrack) StreamID() string       { return "own" }
func (o *ownTrack) Kind() rtc.RTPCodecType { return o.kind }

func (o *ownTrack) called() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.calls)
}

// write sends the nth packet to all it is bound to.
func (o *ownTrack) write(n int) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, ctx := range o.bound {
		p := packet(n)
		p.PayloadType, p.SSRC = uint8(o.codec.PayloadType), uint32(ctx.SSRC())
		if _, err := ctx.WriteStream().WriteRTP(&p.Header, p.Payload); err != nil {
			return err
		}
	}
	return nil
}
