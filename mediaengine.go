package rtc

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/pion/interceptor"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/rtcerr"

	"github.com/sansrtc/rtc/internal/sansio/peer"
)

// mediaEngine is what connections may negotiate, in the core's words. They share it, and nobody changes it.
type mediaEngine struct {
	codecs     [3][]peer.Codec // by MediaKind, those that are preferred first
	extensions []peer.HeaderExtension
	formats    peer.Formats // both of them
}

// MediaEngine sets which codecs and header extensions are negotiated; default are the codecs of pion's RegisterDefaultCodecs. The engine is read
// once, when the first connection is built. What a connection serves by itself is negotiated besides what the engine has, as pion's NewAPI does
// it: the feedback nack, nack pli, ccm fir (video) and transport-cc, and the header extensions mid, rtp-stream-id, repaired-rtp-stream-id
// and transport-wide-cc. Formats of FEC that have a source of their own (flexfec) are not: nothing here repairs by them.
func (b Builder) MediaEngine(m *webrtc.MediaEngine) Builder {
	b.engine = nil
	if m != nil {
		b.engine = sync.OnceValues(func() (*mediaEngine, error) { return readMediaEngine(m) })
	}
	return b
}

// mediaEngine is what b's connections may negotiate.
func (b *Builder) mediaEngine() (*mediaEngine, error) {
	if b.engine == nil {
		return defaultEngine(), nil
	}
	return b.engine()
}

// Header extensions. The order is that of their identifiers in our offers, and the first four are Chromium's: what is forwarded with the
// identifiers that it came with means the same there.
const (
	audioLevelURI  = sdp.AudioLevelURI
	mixedLevelURI  = "urn:ietf:params:rtp-hdrext:csrc-audio-level" // RFC 6465; an application that has a mixer registers it
	absSendTimeURI = sdp.ABSSendTimeURI
	transportCCURI = sdp.TransportCCURI
	midURI         = sdp.SDESMidURI
	streamIDURI    = sdp.SDESRTPStreamIDURI
	repairedIDURI  = sdp.SDESRepairRTPStreamIDURI
)

// Audio levels are for those who look for the speaker; the absolute send time is for peers that estimate by REMB. Left to who wants them are
// those that change how media is shown, as video-orientation does: without them a peer sends what needs no such care.
var defaultExtensions = []peer.HeaderExtension{
	{URI: audioLevelURI, Kind: peer.Audio},
	{URI: absSendTimeURI, Kind: peer.Video},
	{URI: transportCCURI},
	{URI: midURI},
	{URI: streamIDURI, Kind: peer.Video},
	{URI: repairedIDURI, Kind: peer.Video},
}

// servedExtensions are the ones of them that a connection serves by itself.
var servedExtensions = defaultExtensions[2:]

var (
	audioFeedback = []peer.Feedback{{Type: "transport-cc"}}
	videoFeedback = []peer.Feedback{
		{Type: "goog-remb"}, {Type: "ccm", Parameter: "fir"}, {Type: "nack"}, {Type: "nack", Parameter: "pli"}, {Type: "transport-cc"},
	}
)

// defaultEngine has pion's default codecs.
var defaultEngine = sync.OnceValue(func() *mediaEngine {
	h264 := func(packetization, profile string) string {
		return "level-asymmetry-allowed=1;packetization-mode=" + packetization + ";profile-level-id=" + profile
	}
	e := &mediaEngine{extensions: defaultExtensions}
	e.codecs[peer.Audio] = []peer.Codec{
		{PayloadType: 111, Name: "opus", ClockRate: 48000, Channels: 2, Fmtp: "minptime=10;useinbandfec=1", Feedback: audioFeedback},
		{PayloadType: 9, Name: "G722", ClockRate: 8000, Feedback: audioFeedback},
		{PayloadType: 0, Name: "PCMU", ClockRate: 8000, Feedback: audioFeedback},
		{PayloadType: 8, Name: "PCMA", ClockRate: 8000, Feedback: audioFeedback},
	}
	for _, v := range []struct {
		payloadType, rtx uint8
		name, fmtp       string
	}{
		{96, 97, "VP8", ""},
		{102, 103, "H264", h264("1", "42001f")},
		{104, 105, "H264", h264("0", "42001f")},
		{106, 107, "H264", h264("1", "42e01f")},
		{108, 109, "H264", h264("0", "42e01f")},
		{127, 125, "H264", h264("1", "4d001f")},
		{39, 40, "H264", h264("0", "4d001f")},
		{116, 117, "H265", ""},
		{45, 46, "AV1", ""},
		{98, 99, "VP9", "profile-id=0"},
		{100, 101, "VP9", "profile-id=2"},
		{112, 113, "H264", h264("1", "64001f")},
	} {
		e.codecs[peer.Video] = append(e.codecs[peer.Video],
			peer.Codec{PayloadType: v.payloadType, Name: v.name, ClockRate: 90000, Fmtp: v.fmtp, Feedback: videoFeedback},
			peer.Codec{PayloadType: v.rtx, Name: "rtx", ClockRate: 90000, Fmtp: "apt=" + strconv.Itoa(int(v.payloadType))})
	}
	var err error
	if e.formats, err = peer.NewFormats(e.codecs, e.extensions); err != nil {
		panic("BUG: " + err.Error())
	}
	return e
})

// readMediaEngine reads a pion engine back. It has no getters, but senders and receivers, which need no connection, describe themselves by it.
func readMediaEngine(m *webrtc.MediaEngine) (*mediaEngine, error) {
	// With a registry: without one NewAPI would add pion's default interceptors, and what they need, to the engine of the user's.
	api := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(&interceptor.Registry{}))
	transport := new(webrtc.DTLSTransport)
	type use struct {
		kinds      [3]bool
		send, recv bool
	}
	extensions := make(map[int]*use) // by identifier, which is the order in which they were registered
	uris := make(map[int]string)
	add := func(kind peer.MediaKind, list []webrtc.RTPHeaderExtensionParameter, send bool) {
		for _, x := range list {
			u := extensions[x.ID]
			if u == nil {
				u = new(use)
				extensions[x.ID], uris[x.ID] = u, x.URI
			}
			u.kinds[kind] = true
			u.send, u.recv = u.send || send, u.recv || !send
		}
	}
	e := new(mediaEngine)
	for _, kind := range []peer.MediaKind{peer.Audio, peer.Video} {
		typ := codecType(kind)
		receiver, err := api.NewRTPReceiver(typ, transport)
		if err != nil {
			return nil, err
		}
		track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: kind.String() + "/x"}, "x", "x")
		if err != nil {
			return nil, err
		}
		sender, err := api.NewRTPSender(track, transport)
		if err != nil {
			return nil, err
		}
		p := receiver.GetParameters()
		add(kind, p.HeaderExtensions, false)
		add(kind, sender.GetParameters().HeaderExtensions, true)
		if e.codecs[kind], err = engineCodecs(kind, p.Codecs); err != nil {
			return nil, err
		}
	}
	err := e.check()
	if err != nil {
		return nil, err
	}
	for _, id := range slices.Sorted(maps.Keys(extensions)) {
		x, u := peer.HeaderExtension{URI: uris[id]}, extensions[id]
		switch {
		case !u.kinds[peer.Video]:
			x.Kind = peer.Audio
		case !u.kinds[peer.Audio]:
			x.Kind = peer.Video
		}
		switch {
		case !u.recv:
			x.Direction = peer.SendOnly
		case !u.send:
			x.Direction = peer.RecvOnly
		}
		e.extensions = append(e.extensions, x)
	}
	e.serve()
	if e.formats, err = peer.NewFormats(e.codecs, e.extensions); err != nil {
		return nil, &rtcerr.InvalidAccessError{Err: err}
	}
	return e, nil
}

// serve adds what connections serve by themselves.
func (e *mediaEngine) serve() {
	for i := range e.codecs[peer.Audio] {
		addFeedback(&e.codecs[peer.Audio][i], audioFeedback)
	}
	for i := range e.codecs[peer.Video] {
		addFeedback(&e.codecs[peer.Video][i], videoFeedback[1:]) // REMB is read if it comes, but nothing here asks for it
	}
	for _, x := range servedExtensions {
		i := slices.IndexFunc(e.extensions, func(o peer.HeaderExtension) bool { return o.URI == x.URI })
		switch {
		case i < 0:
			e.extensions = append(e.extensions, x)
		case x.Kind == 0 && e.extensions[i].Direction == 0:
			e.extensions[i].Kind = 0
		}
	}
}

func addFeedback(c *peer.Codec, list []peer.Feedback) {
	if c.Resilience() {
		return
	}
	for _, f := range list {
		if !slices.Contains(c.Feedback, f) {
			c.Feedback = append(c.Feedback, f)
		}
	}
}

const flexFEC = "flexfec"

// engineCodecs are the codecs of one kind of an engine.
func engineCodecs(kind peer.MediaKind, list []webrtc.RTPCodecParameters) (codecs []peer.Codec, err error) {
	for i := range list {
		if mistake := checkCodec(kind, &list[i]); mistake != nil {
			err = errors.Join(err, mistake)
			continue
		}
		_, c, mistake := coreCodec(list[i])
		if mistake != nil {
			err = errors.Join(err, mistake)
		} else if !strings.HasPrefix(strings.ToLower(c.Name), flexFEC) {
			codecs = append(codecs, c)
		}
	}
	return codecs, err
}

// check finds what makes an engine's list of codecs useless.
func (e *mediaEngine) check() error {
	var errs []error
	by := make(map[uint8]string) // one payload type is one format in all of a bundle: RFC 8843 section 9.1
	for _, kind := range []peer.MediaKind{peer.Audio, peer.Video} {
		for i := range e.codecs[kind] {
			c := &e.codecs[kind][i]
			name := kind.String() + "/" + c.Name
			if other, ok := by[c.PayloadType]; ok {
				errs = append(errs, &rtcerr.InvalidAccessError{Err: fmt.Errorf("rtc: MediaEngine: payload type %d is %s and %s", c.PayloadType, other, name)})
			}
			by[c.PayloadType] = name
			if !c.Is("rtx") {
				continue
			}
			of, ok := c.RepairOf()
			if !ok || !slices.ContainsFunc(e.codecs[kind], func(o peer.Codec) bool { return o.PayloadType == of && !o.Is("rtx") }) {
				errs = append(errs, &rtcerr.InvalidAccessError{Err: fmt.Errorf("rtc: MediaEngine: retransmissions %d (%q) are of no codec", c.PayloadType, c.Fmtp)})
			}
		}
	}
	return errors.Join(errs...)
}

// checkCodec finds what keeps a codec from being written into a description. Errors have their W3C category.
func checkCodec(kind peer.MediaKind, p *webrtc.RTPCodecParameters) error {
	before, name, _ := strings.Cut(p.MimeType, "/")
	line := func(s string) bool {
		return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
	}
	switch {
	case !strings.EqualFold(before, kind.String()) || name == "" || !line(name) || strings.ContainsAny(name, " /"):
		return &rtcerr.TypeError{Err: fmt.Errorf("rtc: MediaEngine: %q is no MIME type of %s", p.MimeType, kind)}
	case p.ClockRate == 0:
		return &rtcerr.TypeError{Err: fmt.Errorf("rtc: MediaEngine: %s has no clock rate", p.MimeType)}
	case !line(p.SDPFmtpLine):
		return &rtcerr.TypeError{Err: fmt.Errorf("rtc: MediaEngine: %s: %q is more than a line", p.MimeType, p.SDPFmtpLine)}
	case p.PayloadType > 127:
		return &rtcerr.RangeError{Err: fmt.Errorf("rtc: MediaEngine: %s: payload type %d has more than 7 bits", p.MimeType, p.PayloadType)}
	case p.PayloadType >= 64 && p.PayloadType <= 95:
		// RFC 5761 section 4: "payload type values in the range 64-95 MUST NOT be used" where RTCP is multiplexed.
		return &rtcerr.RangeError{Err: fmt.Errorf("rtc: MediaEngine: %s: payload types 64 to 95, as %d, are those of RTCP", p.MimeType, p.PayloadType)}
	}
	for _, f := range p.RTCPFeedback {
		if f.Type == "" || !line(f.Type) || !line(f.Parameter) || strings.Contains(f.Type, " ") {
			return &rtcerr.TypeError{Err: fmt.Errorf("rtc: MediaEngine: %s: %q is no feedback", p.MimeType, f.Type+" "+f.Parameter)}
		}
	}
	return nil
}
