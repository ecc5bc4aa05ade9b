package rtc_test

import (
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/internal/sansio/peer"
	"github.com/sansrtc/rtc/runtime/sim"
)

// engine reads what a builder negotiates.
func engine(t *testing.T, b rtc.Builder) ([3][]peer.Codec, []peer.HeaderExtension) {
	t.Helper()
	codecs, extensions, err := rtc.EngineOf(b)
	if err != nil {
		t.Fatal(err)
	}
	return codecs, extensions
}

func pionDefaults(t *testing.T) *webrtc.MediaEngine {
	t.Helper()
	m := new(webrtc.MediaEngine)
	if err := m.RegisterDefaultCodecs(); err != nil {
		t.Fatal(err)
	}
	return m
}

// The default codecs are those of pion's RegisterDefaultCodecs, in their order, with their payload types, and with the feedback that pion's
// default interceptors add.
func TestDefaultCodecsArePions(t *testing.T) {
	ours, _ := engine(t, rtc.NewBuilder())
	pions, _ := engine(t, rtc.NewBuilder().MediaEngine(pionDefaults(t)))
	for _, kind := range []peer.MediaKind{peer.Audio, peer.Video} {
		if len(ours[kind]) == 0 || len(ours[kind]) != len(pions[kind]) {
			t.Fatalf("%v: %d codecs, pion has %d", kind, len(ours[kind]), len(pions[kind]))
		}
		for i, c := range ours[kind] {
			p := pions[kind][i]
			if c.PayloadType != p.PayloadType || c.Name != p.Name || c.ClockRate != p.ClockRate || c.Channels != p.Channels || c.Fmtp != p.Fmtp {
				t.Errorf("%v %d: %+v, pion has %+v", kind, i, c, p)
			}
			for _, f := range p.Feedback {
				if !slices.Contains(c.Feedback, f) {
					t.Errorf("%s has no feedback %v", c.Name, f)
				}
			}
			if len(c.Feedback) != len(p.Feedback) {
				t.Errorf("%s: feedback %v, pion's %v", c.Name, c.Feedback, p.Feedback)
			}
		}
	}
}

// What a connection serves by itself is negotiated whatever the engine says; what it says comes first, with its directions.
func TestMediaEngineIsRead(t *testing.T) {
	const orientation, delay = "urn:3gpp:video-orientation", "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
	m := new(webrtc.MediaEngine)
	for _, err := range []error{
		m.RegisterCodec(webrtc.RTPCodecParameters{
			RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: "audio/telephone-event", ClockRate: 8000, SDPFmtpLine: "0-15"}, PayloadType: 101,
		}, webrtc.RTPCodecTypeAudio),
		m.RegisterCodec(webrtc.RTPCodecParameters{
			RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: "video/vp8", ClockRate: 90000, RTCPFeedback: []webrtc.RTCPFeedback{{Type: "nack"}, {Type: "x", Parameter: "y"}}},
			PayloadType:        120,
		}, webrtc.RTPCodecTypeVideo),
		m.RegisterCodec(webrtc.RTPCodecParameters{
			RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeRTX, ClockRate: 90000, SDPFmtpLine: "apt=120"}, PayloadType: 121,
		}, webrtc.RTPCodecTypeVideo),
		m.RegisterCodec(webrtc.RTPCodecParameters{
			RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeFlexFEC03, ClockRate: 90000, SDPFmtpLine: "repair-window=10000000"}, PayloadType: 122,
		}, webrtc.RTPCodecTypeVideo),
		m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: orientation}, webrtc.RTPCodecTypeVideo),
		m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: sdp.SDESMidURI}, webrtc.RTPCodecTypeVideo),
		m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: sdp.AudioLevelURI}, webrtc.RTPCodecTypeAudio, webrtc.RTPTransceiverDirectionSendonly),
		m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: delay}, webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverDirectionRecvonly),
		m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: delay}, webrtc.RTPCodecTypeAudio, webrtc.RTPTransceiverDirectionRecvonly),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	before := runtime.NumGoroutine()
	codecs, extensions := engine(t, rtc.NewBuilder().MediaEngine(m))
	if after := runtime.NumGoroutine(); after != before {
		t.Errorf("reading an engine has left %d goroutines", after-before)
	}
	want := []peer.HeaderExtension{
		{URI: orientation, Kind: peer.Video},
		{URI: sdp.SDESMidURI}, // for audio too
		{URI: sdp.AudioLevelURI, Kind: peer.Audio, Direction: peer.SendOnly},
		{URI: delay, Direction: peer.RecvOnly},
		{URI: sdp.TransportCCURI},
		{URI: sdp.SDESRTPStreamIDURI, Kind: peer.Video},
		{URI: sdp.SDESRepairRTPStreamIDURI, Kind: peer.Video},
	}
	if !slices.Equal(extensions, want) {
		t.Errorf("header extensions %+v, want %+v", extensions, want)
	}
	if a := codecs[peer.Audio]; len(a) != 1 || a[0].Name != "telephone-event" || a[0].PayloadType != 101 || a[0].Fmtp != "0-15" {
		t.Errorf("audio codecs %+v", a)
	}
	v := codecs[peer.Video]
	if len(v) != 2 || v[0].PayloadType != 120 || v[1].PayloadType != 121 {
		t.Fatalf("video codecs %+v; the FEC of another source is not served", v)
	}
	if f := v[0].Feedback; !slices.Equal(f, []peer.Feedback{{Type: "nack"}, {Type: "x", Parameter: "y"}, {Type: "ccm", Parameter: "fir"}, {Type: "nack", Parameter: "pli"}, {Type: "transport-cc"}}) {
		t.Errorf("feedback of VP8 %v", f)
	}
	if len(v[1].Feedback) != 0 {
		t.Errorf("retransmissions have feedback: %v", v[1].Feedback)
	}
	// The engine itself stays as the user has made it.
	if c, x := engine(t, rtc.NewBuilder().MediaEngine(m)); !slices.Equal(x, want) || len(c[peer.Video]) != 2 || len(c[peer.Video][0].Feedback) != 5 {
		t.Errorf("read again: %+v, %+v", c, x)
	}
}

// An engine is read once for all connections of a base.
func TestMediaEngineIsReadOnce(t *testing.T) {
	base := rtc.NewBuilder().MediaEngine(pionDefaults(t))
	a, _ := engine(t, base)
	b, _ := engine(t, base.Handler(&rtc.BaseHandler{}))
	if &a[peer.Video][0] != &b[peer.Video][0] {
		t.Error("two connections of one base have two tables of codecs")
	}
	c, _ := engine(t, rtc.NewBuilder())
	d, _ := engine(t, rtc.NewBuilder())
	if &c[peer.Video][0] != &d[peer.Video][0] {
		t.Error("two connections with the default have two tables of codecs")
	}
	none, _ := engine(t, rtc.NewBuilder().MediaEngine(new(webrtc.MediaEngine)))
	if len(none[peer.Audio])+len(none[peer.Video]) != 0 {
		t.Errorf("an empty engine has codecs: %+v", none)
	}
}

// Build tells an engine that makes no sense, with the W3C category of the mistake.
func TestMediaEngineMistakes(t *testing.T) {
	type codec struct {
		mime  string
		pt    int
		rate  uint32
		fmtp  string
		audio bool
	}
	for name, c := range map[string]struct {
		codecs []codec
		as     any
		says   string
	}{
		"one payload type for two formats": {[]codec{{"video/VP8", 96, 90000, "", false}, {"audio/opus", 96, 48000, "", true}}, new(*rtc.InvalidAccessError), "payload type 96 is audio/opus and video/VP8"},
		"a payload type over 127":          {[]codec{{"video/VP8", 128, 90000, "", false}}, new(*rtc.RangeError), "7 bits"},
		"a payload type that is RTCP's":    {[]codec{{"video/VP8", 72, 90000, "", false}}, new(*rtc.RangeError), "RTCP"},
		"no clock rate":                    {[]codec{{"video/VP8", 96, 0, "", false}}, new(*rtc.TypeError), "clock rate"},
		"audio among video":                {[]codec{{"audio/opus", 96, 48000, "", false}}, new(*rtc.TypeError), "MIME type of video"},
		"no name":                          {[]codec{{"video/", 96, 90000, "", false}}, new(*rtc.TypeError), "MIME type"},
		"a line within a line":             {[]codec{{"video/VP8", 96, 90000, "x=1\r\na=evil", false}}, new(*rtc.TypeError), "more than a line"},
		"a name with a line":               {[]codec{{"video/VP8\r\na=evil", 96, 90000, "", false}}, new(*rtc.TypeError), "MIME type"},
		"retransmissions of nothing":       {[]codec{{"video/VP8", 96, 90000, "", false}, {"video/rtx", 97, 90000, "apt=98", false}}, new(*rtc.InvalidAccessError), "of no codec"},
		"retransmissions without apt":      {[]codec{{"video/VP8", 96, 90000, "", false}, {"video/rtx", 97, 90000, "", false}}, new(*rtc.InvalidAccessError), "of no codec"},
	} {
		t.Run(name, func(t *testing.T) {
			m := new(webrtc.MediaEngine)
			for _, c := range c.codecs {
				kind := webrtc.RTPCodecTypeVideo
				if c.audio {
					kind = webrtc.RTPCodecTypeAudio
				}
				if err := m.RegisterCodec(webrtc.RTPCodecParameters{
					RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: c.mime, ClockRate: c.rate, SDPFmtpLine: c.fmtp}, PayloadType: webrtc.PayloadType(c.pt),
				}, kind); err != nil {
					t.Fatal(err)
				}
			}
			pc, err := rtc.NewBuilder().MediaEngine(m).Build(t.Context())
			if err == nil {
				pc.Close()
				t.Fatal("built")
			}
			if !errors.As(err, c.as) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%T %v", err, err)
			}
		})
	}
}

// formats are the lines of each m-line of a description that are about its codecs, and the URIs of its header extensions.
func formats(t *testing.T, text string) (codecs map[string][]string, extensions map[string][]string) {
	t.Helper()
	var d sdp.SessionDescription
	if err := d.UnmarshalString(text); err != nil {
		t.Fatal(err)
	}
	codecs, extensions = map[string][]string{}, map[string][]string{}
	for _, m := range d.MediaDescriptions {
		kind := m.MediaName.Media
		codecs[kind] = append(codecs[kind], strings.Join(m.MediaName.Formats, " "))
		for _, a := range m.Attributes {
			switch a.Key {
			case "rtpmap", "fmtp", "rtcp-fb":
				codecs[kind] = append(codecs[kind], a.Key+" "+strings.TrimSpace(a.Value))
			case "extmap":
				_, uri, _ := strings.Cut(a.Value, " ")
				extensions[kind] = append(extensions[kind], uri)
			}
		}
		slices.Sort(codecs[kind][1:])
	}
	return codecs, extensions
}

// An offer made with a pion engine has the lines that pion's offer with it has: the formats in their order, what they are, and their feedback; and
// at least its header extensions.
func TestMediaEngineOffersAsPion(t *testing.T) {
	for name, register := range map[string]func(m *webrtc.MediaEngine) error{
		"default codecs": (*webrtc.MediaEngine).RegisterDefaultCodecs,
		"some codecs": func(m *webrtc.MediaEngine) error {
			if err := m.RegisterCodec(webrtc.RTPCodecParameters{
				RTPCodecCapability: webrtc.RTPCodecCapability{
					MimeType: webrtc.MimeTypeAV1, ClockRate: 90000, SDPFmtpLine: "level-idx=5;profile=0;tier=0",
					RTCPFeedback: []webrtc.RTCPFeedback{{Type: "ccm", Parameter: "fir"}},
				},
				PayloadType: 120,
			}, webrtc.RTPCodecTypeVideo); err != nil {
				return err
			}
			if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: "urn:3gpp:video-orientation"}, webrtc.RTPCodecTypeVideo); err != nil {
				return err
			}
			return m.RegisterCodec(webrtc.RTPCodecParameters{
				RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypePCMU, ClockRate: 8000}, PayloadType: 0,
			}, webrtc.RTPCodecTypeAudio)
		},
	} {
		t.Run(name, func(t *testing.T) {
			ours, pions := new(webrtc.MediaEngine), new(webrtc.MediaEngine)
			for _, m := range []*webrtc.MediaEngine{ours, pions} {
				if err := register(m); err != nil {
					t.Fatal(err)
				}
			}
			w := sim.New(sim.Config{})
			defer w.Close()
			pc, err := rtc.NewBuilder().Runtime(w.Host("a")).MediaEngine(ours).Build(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				pc.Close()
				w.Run(time.Second)
			}()
			pion, err := webrtc.NewAPI(webrtc.WithMediaEngine(pions)).NewPeerConnection(webrtc.Configuration{})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := pion.GracefulClose(); err != nil {
					t.Error(err)
				}
			}()
			for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
				if _, err := pc.AddTransceiverFromKind(kind); err != nil {
					t.Fatal(err)
				}
				if _, err := pion.AddTransceiverFromKind(kind); err != nil {
					t.Fatal(err)
				}
			}
			ourOffer, err := pc.CreateOffer(nil)
			if err != nil {
				t.Fatal(err)
			}
			pionOffer, err := pion.CreateOffer(nil)
			if err != nil {
				t.Fatal(err)
			}
			codecs, extensions := formats(t, ourOffer.SDP)
			wantCodecs, wantExtensions := formats(t, pionOffer.SDP)
			for _, kind := range []string{"audio", "video"} {
				if got, want := codecs[kind], wantCodecs[kind]; len(got) < 2 || got[0] != want[0] {
					t.Errorf("%s: formats %q, pion's %q", kind, got, want)
				}
				for _, line := range wantCodecs[kind] {
					// RFC 4588 section 6.3: NACKs are about the original packets only. pion asks for them about retransmissions too.
					payloadType, ok := strings.CutPrefix(line, "rtcp-fb ")
					payloadType, _, _ = strings.Cut(payloadType, " ")
					if ok && slices.Contains(wantCodecs[kind], "rtpmap "+payloadType+" rtx/90000") {
						continue
					}
					if !slices.Contains(codecs[kind], line) {
						t.Errorf("%s: pion offers %q", kind, line)
					}
				}
				for _, uri := range wantExtensions[kind] {
					if !slices.Contains(extensions[kind], uri) {
						t.Errorf("%s: pion offers %s", kind, uri)
					}
				}
			}
		})
	}
}

// A kind that the engine has no codec for is refused when it is offered.
func TestMediaEngineWithoutVideo(t *testing.T) {
	m := new(webrtc.MediaEngine)
	if err := m.RegisterCodec(webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}, PayloadType: 96,
	}, webrtc.RTPCodecTypeAudio); err != nil {
		t.Fatal(err)
	}
	p, v := simulated.viewers(t, sim.Config{}, func(i int, b rtc.Builder) rtc.Builder {
		if i == 1 {
			return b.MediaEngine(m)
		}
		return b
	})
	voice, face := newSource(t, opus, "voice"), newSource(t, vp8, "face")
	p.add(0, voice)
	p.add(0, face)
	p.connects(0)
	voice.send(1)
	face.send(1)
	p.until("the voice", func() bool { return len(v[1].seen("voice")) == 1 })
	p.pass(time.Second)
	if v[1].track("face") != nil {
		t.Error("video came")
	}
	if c := v[1].track("voice").Codec(); c.PayloadType != 111 { // the offerer's numbers, RFC 3264 section 6.1
		t.Errorf("the voice is %+v", c)
	}
	if n := len(p.pc[0].GetTransceivers()); n != 1 {
		t.Errorf("%d transceivers are left, video was refused", n)
	}
}
