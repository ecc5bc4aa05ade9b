package rtc_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/transport/v4/vnet"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"

	"github.com/sansrtc/rtc"
)

// eye keeps what one side of a meeting sees.
type eye struct {
	changed chan<- struct{}

	mu       sync.Mutex
	got      map[string][]int // numbers of packets, by track ID, and RID with simulcast
	codecs   map[string]string
	streams  map[string]string
	ended    map[string]bool
	requests map[string]int // for keyframes, by track ID
	payloads map[string][][]byte
	errs     []error
	tracks   []*webrtc.TrackRemote // pion's
}

func newEye() *eye {
	return &eye{
		got: map[string][]int{}, codecs: map[string]string{}, streams: map[string]string{}, ended: map[string]bool{},
		requests: map[string]int{}, payloads: map[string][][]byte{},
	}
}

func (e *eye) see(change func()) {
	e.mu.Lock()
	change()
	e.mu.Unlock()
	select {
	case e.changed <- struct{}{}:
	default:
	}
}

func (e *eye) packet(name string, p *rtp.Packet) {
	n, err := number(p)
	e.see(func() {
		e.got[name] = append(e.got[name], n)
		if err != nil {
			e.errs = append(e.errs, fmt.Errorf("%s: %w", name, err))
		}
	})
}

func (e *eye) seen(name string) []int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.got[name])
}

func name(id, rid string) string {
	if rid != "" {
		id += "/" + rid
	}
	return id
}

// show is a meeting with media.
type show struct {
	*meeting
	us, pion *eye
}

func exhibit(t testing.TB, at place, on terms) *show {
	s := &show{us: newEye(), pion: newEye()}
	on.media = true
	on.hear = &rtc.HandlerFuncs{
		Track: func(_ *rtc.PeerConnection, track *rtc.TrackRemote, _ *rtc.RTPReceiver) {
			s.us.see(func() {
				name := name(track.ID(), track.RID())
				s.us.codecs[name], s.us.streams[name] = track.Codec().MimeType, track.StreamID()
				s.us.ended[name] = false
			})
		},
		RTP: func(_ *rtc.PeerConnection, track *rtc.TrackRemote, p *rtp.Packet) {
			s.us.packet(name(track.ID(), track.RID()), p)
		},
		TrackEnded: func(_ *rtc.PeerConnection, track *rtc.TrackRemote) {
			s.us.see(func() { s.us.ended[name(track.ID(), track.RID())] = true })
		},
		KeyframeRequest: func(_ *rtc.PeerConnection, sender *rtc.RTPSender, rid string) {
			s.us.see(func() { s.us.requests[name(sender.Track().ID(), rid)]++ })
		},
	}
	s.meeting = meet(t, at, on)
	s.us.changed, s.pion.changed = s.changed, s.changed
	s.theirs.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		name := name(track.ID(), track.RID())
		s.pion.see(func() {
			s.pion.codecs[name], s.pion.streams[name] = track.Codec().MimeType, track.StreamID()
			s.pion.tracks = append(s.pion.tracks, track)
		})
		for {
			p, _, err := track.ReadRTP()
			if err != nil {
				s.pion.see(func() { s.pion.ended[name] = true })
				return
			}
			s.pion.packet(name, p)
		}
	})
	return s
}

func (s *show) eye(of *side) *eye {
	if of == s.meeting.us {
		return s.us
	}
	return s.pion
}

// add has a side send a track.
func (s *show) add(of *side, track rtc.TrackLocal) {
	s.t.Helper()
	if of == s.meeting.us {
		_, err := s.ours.AddTrack(track)
		s.must(err)
		return
	}
	sender, err := s.theirs.AddTrack(track)
	s.must(err)
	s.listen(sender, track.ID())
}

// listen reads the RTCP of one of pion's senders, as its users have to.
func (s *show) listen(sender *webrtc.RTPSender, id string) {
	go func() {
		for {
			packets, _, err := sender.ReadRTCP()
			if err != nil {
				return
			}
			for _, p := range packets {
				if _, ok := p.(*rtcp.PictureLossIndication); ok {
					s.pion.see(func() { s.pion.requests[id]++ })
				}
			}
		}
	}()
}

// film sends n packets on each source, 20 ms apart.
func (s *show) film(n int, sources ...*source) {
	for range n {
		for _, from := range sources {
			from.send(1)
		}
		<-time.After(20 * time.Millisecond)
	}
}

// connected waits until both sides are.
func (s *show) connected() {
	s.t.Helper()
	s.until("both connected", func() bool {
		return s.meeting.us.ear.state() == webrtc.PeerConnectionStateConnected && s.meeting.pion.ear.state() == webrtc.PeerConnectionStateConnected
	})
}

// repairs has both sides film, n packets of it while the network loses some, as losing tells it to, and wants all to come.
func (s *show) repairs(offerer *side, losing *atomic.Bool, n int) {
	sources := []*source{newSource(s.t, vp8, "ours"), newSource(s.t, vp8, "pions")}
	for i, side := range s.sides() {
		s.add(side, sources[i])
	}
	s.negotiate(offerer, nil)
	s.connected()
	for i, side := range s.sides() {
		s.warm(s.other(side), sources[i])
	}
	first := [2]int{sources[0].sent, sources[1].sent}
	losing.Store(true)
	s.film(n, sources[0], sources[1])
	losing.Store(false)
	s.film(20, sources[0], sources[1])
	for i, side := range s.sides() {
		s.sees(s.other(side), sources[i].ID(), first[i], first[i]+n+19, false)
	}
}

// sees waits until a side has got the packets from first to last of a track, in any order if they were repaired.
func (s *show) sees(who *side, name string, first, last int, inOrder bool) {
	s.t.Helper()
	e, want := s.eye(who), counted(first, last)
	seen := func() []int {
		got := slices.DeleteFunc(e.seen(name), func(n int) bool { return n < first || n > last })
		if !inOrder {
			slices.Sort(got)
		}
		if !inOrder && e == s.pion {
			got = slices.Compact(got) // its generator of NACKs does not see retransmissions, and gives what is sent twice to the user
		}
		return got
	}
	defer func() {
		if s.t.Failed() {
			s.t.Logf("%s has seen %v of %s", who.name, seen(), name)
		}
	}()
	s.until(fmt.Sprintf("%s sees %s %d to %d", who.name, name, first, last), func() bool { return slices.Equal(seen(), want) })
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, err := range e.errs {
		s.t.Errorf("%s: %v", who.name, err)
	}
}

// warm sends until the other side's track is there: pion drops what comes before it has made its receiver.
func (s *show) warm(to *side, sources ...*source) {
	s.t.Helper()
	for _, from := range sources {
		for range 100 {
			if len(s.eye(to).seen(name(from.ID(), from.RID()))) > 0 {
				break
			}
			s.film(1, from)
		}
	}
}

// Audio, video and data flow both ways with pion, whoever offers.
func TestMediaWithPion(t *testing.T) {
	for _, offerer := range eitherSide {
		inBubble(t, offerer+" offers", func(t *testing.T) {
			s := exhibit(t, newVNet(t, 10*time.Millisecond, nil), terms{})
			voices := []*source{newSource(t, opus, "our-voice"), newSource(t, opus, "pions-voice")}
			faces := []*source{newSource(t, vp8, "our-face"), newSource(t, vp8, "pions-face")}
			for i, side := range s.sides() {
				s.add(side, voices[i])
				s.add(side, faces[i])
			}
			near, far := s.connect(s.side(offerer))
			s.connected()
			for i, side := range s.sides() {
				s.warm(s.other(side), voices[i], faces[i])
			}
			first := [4]int{voices[0].sent, faces[0].sent, voices[1].sent, faces[1].sent}
			s.film(50, voices[0], faces[0], voices[1], faces[1])
			for i, side := range s.sides() {
				to := s.other(side)
				s.sees(to, voices[i].ID(), first[2*i], first[2*i]+49, true)
				s.sees(to, faces[i].ID(), first[2*i+1], first[2*i+1]+49, true)
				e := s.eye(to)
				if e.codecs[voices[i].ID()] != rtc.MimeTypeOpus || e.codecs[faces[i].ID()] != rtc.MimeTypeVP8 || e.streams[faces[i].ID()] != faces[i].StreamID() {
					t.Errorf("%s sees %v in %v", to.name, e.codecs, e.streams)
				}
			}
			s.must(near.SendText("and data"))
			s.until("data", func() bool { return s.other(s.side(offerer)).ear.count("first") == 1 })
			_ = far
			s.understood()
		})
	}
}

// Each codec that both know is carried, and told by its name, both ways.
func TestCodecsWithPion(t *testing.T) {
	for _, codec := range []rtc.RTPCodecCapability{
		h264, {MimeType: rtc.MimeTypeVP9, ClockRate: 90000, SDPFmtpLine: "profile-id=0"}, {MimeType: rtc.MimeTypeAV1, ClockRate: 90000},
		{MimeType: rtc.MimeTypeH265, ClockRate: 90000}, {MimeType: rtc.MimeTypePCMU, ClockRate: 8000}, {MimeType: rtc.MimeTypeG722, ClockRate: 8000},
	} {
		for _, offerer := range eitherSide {
			inBubble(t, codec.MimeType[6:]+"/"+offerer+" offers", func(t *testing.T) {
				s := exhibit(t, newVNet(t, 10*time.Millisecond, nil), terms{})
				sources := []*source{newSource(t, codec, "ours"), newSource(t, codec, "pions")}
				for i, side := range s.sides() {
					s.add(side, sources[i])
				}
				s.negotiate(s.side(offerer), nil)
				s.connected()
				for i, side := range s.sides() {
					to := s.other(side)
					s.warm(to, sources[i])
					first := sources[i].sent
					s.film(10, sources[i])
					s.sees(to, sources[i].ID(), first, first+9, true)
					if got := s.eye(to).codecs[sources[i].ID()]; !strings.EqualFold(got, codec.MimeType) {
						t.Errorf("%s sees %s, want %s", to.name, got, codec.MimeType)
					}
				}
			})
		}
	}
}

// Packets that the network loses are sent again, as retransmissions on a source of their own (RFC 4588), in both directions.
func TestRepairWithPion(t *testing.T) {
	for _, offerer := range eitherSide {
		inBubble(t, offerer+" offers", func(t *testing.T) {
			var losing atomic.Bool
			var n, lost atomic.Int64
			s := exhibit(t, newVNet(t, 10*time.Millisecond, func(c vnet.Chunk) bool {
				b := c.UserData()
				if !losing.Load() || len(b) < 12 || b[0]>>6 != 2 || b[1]&0x7f >= 64 && b[1]&0x7f < 96 {
					return true
				}
				if n.Add(1)%10 == 0 {
					lost.Add(1)
					return false
				}
				return true
			}), terms{})
			s.repairs(s.side(offerer), &losing, 300)
			if lost.Load() < 50 {
				t.Errorf("the network has lost %d packets", lost.Load())
			}
		})
	}
}

// A keyframe request reaches the sender, from us and from pion.
func TestKeyframeRequestWithPion(t *testing.T) {
	inBubble(t, "both", func(t *testing.T) {
		s := exhibit(t, newVNet(t, 10*time.Millisecond, nil), terms{})
		sources := []*source{newSource(t, vp8, "ours"), newSource(t, vp8, "pions")}
		for i, side := range s.sides() {
			s.add(side, sources[i])
		}
		s.negotiate(s.meeting.us, nil)
		s.connected()
		for i, side := range s.sides() {
			s.warm(s.other(side), sources[i])
		}
		s.ours.GetReceivers()[0].Track().RequestKeyframe()
		s.until("pion hears it", func() bool { s.pion.mu.Lock(); defer s.pion.mu.Unlock(); return s.pion.requests["pions"] == 1 })
		s.must(s.theirs.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(s.pion.tracks[0].SSRC())}}))
		s.until("we hear it", func() bool { s.us.mu.Lock(); defer s.us.mu.Unlock(); return s.us.requests["ours"] == 1 })
	})
}

// Simulcast from pion: one TrackRemote for each encoding, of one ID, each with its RID.
func TestSimulcastFromPion(t *testing.T) {
	for _, offerer := range []string{"pion"} { // only an offer can begin it here: pion's answers have no simulcast
		inBubble(t, offerer+" offers", func(t *testing.T) {
			s := exhibit(t, newVNet(t, 10*time.Millisecond, nil), terms{})
			var layers []*source
			for _, rid := range []string{"q", "h", "f"} {
				layers = append(layers, newSource(t, vp8, "video", webrtc.WithRTPStreamID(rid)))
			}
			sender, err := s.theirs.AddTrack(layers[0].TrackLocalStaticRTP)
			s.must(err)
			for _, l := range layers[1:] {
				s.must(sender.AddEncoding(l.TrackLocalStaticRTP))
			}
			s.negotiate(s.side(offerer), nil)
			s.connected()
			// pion leaves the header extensions of simulcast to its user.
			mid := s.theirs.GetTransceivers()[0].Mid()
			ids := map[string]uint8{}
			for _, x := range sender.GetParameters().HeaderExtensions {
				ids[x.URI] = uint8(x.ID)
			}
			send := func(n int) {
				for range n {
					for _, l := range layers {
						p := packet(l.sent)
						s.must(p.SetExtension(ids["urn:ietf:params:rtp-hdrext:sdes:mid"], []byte(mid)))
						s.must(p.SetExtension(ids["urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"], []byte(l.RID())))
						s.must(l.WriteRTP(p))
						l.sent++
					}
					<-time.After(20 * time.Millisecond)
				}
			}
			send(50)
			for _, l := range layers {
				s.sees(s.meeting.us, "video/"+l.RID(), l.sent-20, l.sent-1, true)
			}
			tracks := s.ours.GetReceivers()[0].Tracks()
			if len(tracks) != 3 {
				t.Fatalf("%d tracks", len(tracks))
			}
			for _, track := range tracks {
				if track.ID() != "video" || track.Receiver() != s.ours.GetReceivers()[0] {
					t.Errorf("track %q/%q", track.ID(), track.RID())
				}
			}
		})
	}
}

// Simulcast to pion: three encodings by AddEncoding, and one of them stopped and started by SetParameters.
func TestSimulcastToPion(t *testing.T) {
	inBubble(t, "we offer", func(t *testing.T) {
		s := exhibit(t, newVNet(t, 10*time.Millisecond, nil), terms{})
		var layers []*source
		for _, rid := range []string{"q", "h", "f"} {
			layers = append(layers, newSource(t, vp8, "video", webrtc.WithRTPStreamID(rid)))
		}
		sender, err := s.ours.AddTrack(layers[0])
		s.must(err)
		for _, l := range layers[1:] {
			s.must(sender.AddEncoding(l))
		}
		s.negotiate(s.meeting.us, nil)
		s.connected()
		s.film(50, layers...)
		for _, l := range layers {
			s.sees(s.meeting.pion, "video/"+l.RID(), l.sent-20, l.sent-1, true)
		}
		p := sender.GetParameters()
		p.Encodings[1].Active = false
		s.must(sender.SetParameters(p))
		s.film(10, layers...)
		s.sees(s.meeting.pion, "video/f", layers[2].sent-10, layers[2].sent-1, true)
		if got := s.pion.seen("video/h"); got[len(got)-1] >= layers[1].sent-10 {
			t.Errorf("an encoding that is not active was sent: %v", got)
		}
		p = sender.GetParameters()
		p.Encodings[1].Active = true
		s.must(sender.SetParameters(p))
		s.film(10, layers...)
		s.sees(s.meeting.pion, "video/h", layers[1].sent-10, layers[1].sent-1, true)
	})
}

// TrackLocalStaticSample, and a TrackLocal of a test's own, send to pion.
func TestTrackLocalsWithPion(t *testing.T) {
	inBubble(t, "sample", func(t *testing.T) {
		s := exhibit(t, newVNet(t, 10*time.Millisecond, nil), terms{})
		track, err := webrtc.NewTrackLocalStaticSample(rtc.RTPCodecCapability{MimeType: rtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}, "sample", "stream")
		s.must(err)
		s.add(s.meeting.us, track)
		own := &ownTrack{id: "own", kind: rtc.RTPCodecTypeVideo}
		s.add(s.meeting.us, own)
		s.negotiate(s.meeting.us, nil)
		s.connected()
		for n := range 50 {
			s.must(track.WriteSample(media.Sample{Data: packet(n).Payload, Duration: 20 * time.Millisecond}))
			s.must(own.write(n))
			<-time.After(20 * time.Millisecond)
		}
		s.until("both tracks", func() bool { return len(s.pion.seen("sample")) > 40 && len(s.pion.seen("own")) > 40 })
		s.sees(s.meeting.pion, "own", 20, 49, true)
	})
}

// Media is renegotiated from both sides: tracks are added, replaced and removed, directions change, while another one flows on.
func TestRenegotiateMediaWithPion(t *testing.T) {
	for _, first := range eitherSide {
		inBubble(t, first+" begins", func(t *testing.T) {
			s := exhibit(t, newVNet(t, 10*time.Millisecond, nil), terms{})
			steady := []*source{newSource(t, opus, "our-steady"), newSource(t, opus, "pions-steady")}
			for i, side := range s.sides() {
				s.add(side, steady[i])
			}
			s.negotiate(s.side(first), nil)
			s.connected()
			for i, side := range s.sides() {
				s.warm(s.other(side), steady[i])
			}
			// Each side adds a video and offers.
			videos := []*source{newSource(t, vp8, "our-video"), newSource(t, vp8, "pions-video")}
			for i, side := range s.sides() {
				s.add(side, videos[i])
				s.negotiate(side, nil)
				s.warm(s.other(side), videos[i])
				at := videos[i].sent
				s.film(10, videos[i], steady[0], steady[1])
				s.sees(s.other(side), videos[i].ID(), at, at+9, true)
			}
			// We replace ours without a word.
			other := newSource(t, vp8, "our-other")
			other.sent = 5000
			sender := s.ours.GetSenders()[slices.IndexFunc(s.ours.GetSenders(), func(r *rtc.RTPSender) bool { return r.Track() != nil && r.Track().ID() == "our-video" })]
			s.must(sender.ReplaceTrack(other))
			s.film(10, other, steady[0], steady[1])
			s.sees(s.meeting.pion, "our-video", 5000, 5009, true)
			// We remove it, and pion hears of it.
			s.must(s.ours.RemoveTrack(sender))
			s.negotiate(s.meeting.us, nil)
			s.film(5, steady[0], steady[1])
			if d := sender.RTPTransceiver().CurrentDirection(); d.String() != "recvonly" && d.String() != "inactive" {
				t.Errorf("after RemoveTrack the direction is %v", d)
			}
			// pion removes its own.
			for _, r := range s.theirs.GetSenders() {
				if r.Track() != nil && r.Track().ID() == "pions-video" {
					s.must(s.theirs.RemoveTrack(r))
				}
			}
			s.negotiate(s.meeting.pion, nil)
			s.until("our receiver hears of it", func() bool {
				s.us.mu.Lock()
				defer s.us.mu.Unlock()
				return s.us.ended["pions-video"] || s.muted("pions-video")
			})
			// Stop, and another one takes the m-line.
			before := len(s.ours.GetTransceivers())
			s.must(sender.RTPTransceiver().Stop())
			s.negotiate(s.meeting.us, nil)
			if n := len(s.ours.GetTransceivers()); n != before-1 || !sender.RTPTransceiver().Stopped() {
				t.Errorf("%d transceivers after a stop, %d before", n, before)
			}
			again := newSource(t, vp8, "our-again")
			s.add(s.meeting.us, again)
			s.negotiate(s.meeting.us, nil)
			s.warm(s.meeting.pion, again)
			at := [3]int{again.sent, steady[0].sent, steady[1].sent}
			s.film(10, again, steady[0], steady[1])
			s.sees(s.meeting.pion, "our-again", at[0], at[0]+9, true)
			s.sees(s.meeting.pion, "our-steady", at[1], at[1]+9, true)
			s.sees(s.meeting.us, "pions-steady", at[2], at[2]+9, true)
		})
	}
}

// muted tells whether the track that we have from pion is muted.
func (s *show) muted(id string) bool {
	for _, r := range s.ours.GetReceivers() {
		for _, track := range r.Tracks() {
			if track.ID() == id {
				return track.Muted()
			}
		}
	}
	return true
}

// An ICE restart, by either side, does not interrupt media.
func TestRestartDuringMediaWithPion(t *testing.T) {
	for _, who := range eitherSide {
		inBubble(t, who, func(t *testing.T) {
			s := exhibit(t, newVNet(t, 10*time.Millisecond, nil), terms{})
			sources := []*source{newSource(t, vp8, "ours"), newSource(t, vp8, "pions")}
			for i, side := range s.sides() {
				s.add(side, sources[i])
			}
			s.negotiate(s.meeting.us, nil)
			s.connected()
			for i, side := range s.sides() {
				s.warm(s.other(side), sources[i])
			}
			at := [2]int{sources[0].sent, sources[1].sent}
			s.film(10, sources...)
			s.negotiate(s.side(who), &webrtc.OfferOptions{ICERestart: true})
			s.film(100, sources...)
			for i, side := range s.sides() {
				s.sees(s.other(side), sources[i].ID(), at[i], at[i]+9, false)
				s.sees(s.other(side), sources[i].ID(), sources[i].sent-20, sources[i].sent-1, false)
			}
		})
	}
}
