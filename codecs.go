package rtc

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pion/webrtc/v4/pkg/rtcerr"

	"github.com/sansrtc/rtc/internal/sansio/peer"
)

func mediaKind(k RTPCodecType) peer.MediaKind {
	switch k {
	case RTPCodecTypeAudio:
		return peer.Audio
	case RTPCodecTypeVideo:
		return peer.Video
	}
	return 0
}

func codecType(k peer.MediaKind) RTPCodecType {
	switch k {
	case peer.Audio:
		return RTPCodecTypeAudio
	case peer.Video:
		return RTPCodecTypeVideo
	}
	return 0
}

// codecParameters is a codec in pion's words.
func codecParameters(kind peer.MediaKind, c *peer.Codec) RTPCodecParameters {
	p := RTPCodecParameters{PayloadType: PayloadType(c.PayloadType)}
	p.MimeType, p.ClockRate, p.Channels, p.SDPFmtpLine = kind.String()+"/"+c.Name, c.ClockRate, c.Channels, c.Fmtp
	p.RTCPFeedback = slices.Grow(p.RTCPFeedback, len(c.Feedback))
	for _, f := range c.Feedback {
		p.RTCPFeedback = append(p.RTCPFeedback, RTCPFeedback{Type: f.Type, Parameter: f.Parameter})
	}
	return p
}

func codecsParameters(kind peer.MediaKind, codecs []peer.Codec) []RTPCodecParameters {
	out := make([]RTPCodecParameters, len(codecs))
	for i := range codecs {
		out[i] = codecParameters(kind, &codecs[i])
	}
	return out
}

// coreCodec is a codec in the core's words.
func coreCodec(p RTPCodecParameters) (kind peer.MediaKind, c peer.Codec, err error) {
	media, name, ok := strings.Cut(p.MimeType, "/")
	switch {
	case strings.EqualFold(media, "audio"):
		kind = peer.Audio
	case strings.EqualFold(media, "video"):
		kind = peer.Video
	}
	if !ok || kind == 0 || name == "" || p.ClockRate == 0 || p.PayloadType > 127 {
		return 0, c, &rtcerr.TypeError{Err: fmt.Errorf("rtc: codec %q with clock rate %d and payload type %d", p.MimeType, p.ClockRate, p.PayloadType)}
	}
	c = peer.Codec{PayloadType: uint8(p.PayloadType), Name: name, ClockRate: p.ClockRate, Channels: p.Channels, Fmtp: p.SDPFmtpLine}
	for _, f := range p.RTCPFeedback {
		c.Feedback = append(c.Feedback, peer.Feedback{Type: f.Type, Parameter: f.Parameter})
	}
	return kind, c, nil
}

func headerExtensions(extensions []peer.Extension) []RTPHeaderExtensionParameter {
	out := make([]RTPHeaderExtensionParameter, len(extensions))
	for i, x := range extensions {
		out[i] = RTPHeaderExtensionParameter{URI: x.URI, ID: int(x.ID)}
	}
	return out
}

// direction: a stopped transceiver is inactive in pion's words, which have none for it.
func direction(d peer.Direction) RTPTransceiverDirection {
	switch d {
	case peer.SendRecv:
		return RTPTransceiverDirectionSendrecv
	case peer.SendOnly:
		return RTPTransceiverDirectionSendonly
	case peer.RecvOnly:
		return RTPTransceiverDirectionRecvonly
	}
	return RTPTransceiverDirectionInactive
}

func coreDirection(d RTPTransceiverDirection) (peer.Direction, error) {
	switch d {
	case RTPTransceiverDirectionSendrecv:
		return peer.SendRecv, nil
	case RTPTransceiverDirectionSendonly:
		return peer.SendOnly, nil
	case RTPTransceiverDirectionRecvonly:
		return peer.RecvOnly, nil
	case RTPTransceiverDirectionInactive:
		return peer.Inactive, nil
	}
	return 0, &rtcerr.TypeError{Err: fmt.Errorf("rtc: %d is no direction", d)}
}
