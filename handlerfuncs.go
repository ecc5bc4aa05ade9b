package rtc

import (
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
)

// HandlerFuncs is an EventHandler for short programs: a function for each event, called when it is not nil. The functions are read when
// an event comes, so they are to be set before Build.
type HandlerFuncs struct {
	NegotiationNeeded            func(pc *PeerConnection)
	ICECandidate                 func(pc *PeerConnection, candidate *ICECandidate)
	ICECandidateError            func(pc *PeerConnection, err ICECandidateError)
	SignalingStateChange         func(pc *PeerConnection, state SignalingState)
	ICEGatheringStateChange      func(pc *PeerConnection, state ICEGatheringState)
	ICEConnectionStateChange     func(pc *PeerConnection, state ICEConnectionState)
	ConnectionStateChange        func(pc *PeerConnection, state PeerConnectionState)
	DataChannel                  func(pc *PeerConnection, dc *DataChannel)
	DataChannelOpen              func(pc *PeerConnection, dc *DataChannel)
	DataChannelMessage           func(pc *PeerConnection, dc *DataChannel, msg DataChannelMessage)
	DataChannelBufferedAmountLow func(pc *PeerConnection, dc *DataChannel)
	DataChannelClosing           func(pc *PeerConnection, dc *DataChannel)
	DataChannelError             func(pc *PeerConnection, dc *DataChannel, err error)
	DataChannelClose             func(pc *PeerConnection, dc *DataChannel)
	Track                        func(pc *PeerConnection, track *TrackRemote, receiver *RTPReceiver)
	TrackEnded                   func(pc *PeerConnection, track *TrackRemote)

	// The powers of RTPHandler, RTCPHandler, KeyframeHandler, BandwidthHandler and TrackMuteHandler; one that is nil at Build is not there.
	RTP               func(pc *PeerConnection, track *TrackRemote, packet *rtp.Packet)
	RTCP              func(pc *PeerConnection, packets []rtcp.Packet)
	KeyframeRequest   func(pc *PeerConnection, sender *RTPSender, rid string)
	BandwidthEstimate func(pc *PeerConnection, bitsPerSecond int)
	TrackMute         func(pc *PeerConnection, track *TrackRemote, muted bool)
}

var _ EventHandler = (*HandlerFuncs)(nil)

// OnNegotiationNeeded calls NegotiationNeeded.
func (h *HandlerFuncs) OnNegotiationNeeded(pc *PeerConnection) {
	if h.NegotiationNeeded != nil {
		h.NegotiationNeeded(pc)
	}
}

// OnICECandidate calls ICECandidate.
func (h *HandlerFuncs) OnICECandidate(pc *PeerConnection, candidate *ICECandidate) {
	if h.ICECandidate != nil {
		h.ICECandidate(pc, candidate)
	}
}

// OnICECandidateError calls ICECandidateError.
func (h *HandlerFuncs) OnICECandidateError(pc *PeerConnection, err ICECandidateError) {
	if h.ICECandidateError != nil {
		h.ICECandidateError(pc, err)
	}
}

// OnSignalingStateChange calls SignalingStateChange.
func (h *HandlerFuncs) OnSignalingStateChange(pc *PeerConnection, state SignalingState) {
	if h.SignalingStateChange != nil {
		h.SignalingStateChange(pc, state)
	}
}

// OnICEGatheringStateChange calls ICEGatheringStateChange.
func (h *HandlerFuncs) OnICEGatheringStateChange(pc *PeerConnection, state ICEGatheringState) {
	if h.ICEGatheringStateChange != nil {
		h.ICEGatheringStateChange(pc, state)
	}
}

// OnICEConnectionStateChange calls ICEConnectionStateChange.
func (h *HandlerFuncs) OnICEConnectionStateChange(pc *PeerConnection, state ICEConnectionState) {
	if h.ICEConnectionStateChange != nil {
		h.ICEConnectionStateChange(pc, state)
	}
}

// OnConnectionStateChange calls ConnectionStateChange.
func (h *HandlerFuncs) OnConnectionStateChange(pc *PeerConnection, state PeerConnectionState) {
	if h.ConnectionStateChange != nil {
		h.ConnectionStateChange(pc, state)
	}
}

// OnDataChannel calls DataChannel.
func (h *HandlerFuncs) OnDataChannel(pc *PeerConnection, dc *DataChannel) {
	if h.DataChannel != nil {
		h.DataChannel(pc, dc)
	}
}

// OnDataChannelOpen calls DataChannelOpen.
func (h *HandlerFuncs) OnDataChannelOpen(pc *PeerConnection, dc *DataChannel) {
	if h.DataChannelOpen != nil {
		h.DataChannelOpen(pc, dc)
	}
}

// OnDataChannelMessage calls DataChannelMessage.
func (h *HandlerFuncs) OnDataChannelMessage(pc *PeerConnection, dc *DataChannel, msg DataChannelMessage) {
	if h.DataChannelMessage != nil {
		h.DataChannelMessage(pc, dc, msg)
	}
}

// OnDataChannelBufferedAmountLow calls DataChannelBufferedAmountLow.
func (h *HandlerFuncs) OnDataChannelBufferedAmountLow(pc *PeerConnection, dc *DataChannel) {
	if h.DataChannelBufferedAmountLow != nil {
		h.DataChannelBufferedAmountLow(pc, dc)
	}
}

// OnDataChannelClosing calls DataChannelClosing.
func (h *HandlerFuncs) OnDataChannelClosing(pc *PeerConnection, dc *DataChannel) {
	if h.DataChannelClosing != nil {
		h.DataChannelClosing(pc, dc)
	}
}

// OnDataChannelError calls DataChannelError.
func (h *HandlerFuncs) OnDataChannelError(pc *PeerConnection, dc *DataChannel, err error) {
	if h.DataChannelError != nil {
		h.DataChannelError(pc, dc, err)
	}
}

// OnDataChannelClose calls DataChannelClose.
func (h *HandlerFuncs) OnDataChannelClose(pc *PeerConnection, dc *DataChannel) {
	if h.DataChannelClose != nil {
		h.DataChannelClose(pc, dc)
	}
}

// OnTrack calls Track.
func (h *HandlerFuncs) OnTrack(pc *PeerConnection, track *TrackRemote, receiver *RTPReceiver) {
	if h.Track != nil {
		h.Track(pc, track, receiver)
	}
}

// OnTrackEnded calls TrackEnded.
func (h *HandlerFuncs) OnTrackEnded(pc *PeerConnection, track *TrackRemote) {
	if h.TrackEnded != nil {
		h.TrackEnded(pc, track)
	}
}

func (h *HandlerFuncs) optional() (o optional) {
	if h.RTP != nil {
		o.rtp = rtpFunc(h.RTP)
	}
	if h.RTCP != nil {
		o.rtcp = rtcpFunc(h.RTCP)
	}
	if h.KeyframeRequest != nil {
		o.keyframe = keyframeFunc(h.KeyframeRequest)
	}
	if h.BandwidthEstimate != nil {
		o.bandwidth = bandwidthFunc(h.BandwidthEstimate)
	}
	if h.TrackMute != nil {
		o.mute = muteFunc(h.TrackMute)
	}
	return o
}

type (
	rtpFunc       func(pc *PeerConnection, track *TrackRemote, packet *rtp.Packet)
	rtcpFunc      func(pc *PeerConnection, packets []rtcp.Packet)
	keyframeFunc  func(pc *PeerConnection, sender *RTPSender, rid string)
	bandwidthFunc func(pc *PeerConnection, bitsPerSecond int)
	muteFunc      func(pc *PeerConnection, track *TrackRemote, muted bool)
)

func (f rtpFunc) OnRTP(pc *PeerConnection, track *TrackRemote, packet *rtp.Packet) {
	f(pc, track, packet)
}
func (f rtcpFunc) OnRTCP(pc *PeerConnection, packets []rtcp.Packet) { f(pc, packets) }
func (f keyframeFunc) OnKeyframeRequest(pc *PeerConnection, sender *RTPSender, rid string) {
	f(pc, sender, rid)
}
func (f bandwidthFunc) OnBandwidthEstimate(pc *PeerConnection, bitsPerSecond int) {
	f(pc, bitsPerSecond)
}
func (f muteFunc) OnTrackMute(pc *PeerConnection, track *TrackRemote, muted bool) {
	f(pc, track, muted)
}

// Handlers gives one EventHandler that calls each of hs, in their order, for every event, and has each power that one of them has. They share a
// message's Data and a packet.
func Handlers(hs ...EventHandler) EventHandler { return handlers(append([]EventHandler(nil), hs...)) }

type handlers []EventHandler

func (hs handlers) OnNegotiationNeeded(pc *PeerConnection) {
	for _, h := range hs {
		h.OnNegotiationNeeded(pc)
	}
}

func (hs handlers) OnICECandidate(pc *PeerConnection, candidate *ICECandidate) {
	for _, h := range hs {
		h.OnICECandidate(pc, candidate)
	}
}

func (hs handlers) OnICECandidateError(pc *PeerConnection, err ICECandidateError) {
	for _, h := range hs {
		h.OnICECandidateError(pc, err)
	}
}

func (hs handlers) OnSignalingStateChange(pc *PeerConnection, state SignalingState) {
	for _, h := range hs {
		h.OnSignalingStateChange(pc, state)
	}
}

func (hs handlers) OnICEGatheringStateChange(pc *PeerConnection, state ICEGatheringState) {
	for _, h := range hs {
		h.OnICEGatheringStateChange(pc, state)
	}
}

func (hs handlers) OnICEConnectionStateChange(pc *PeerConnection, state ICEConnectionState) {
	for _, h := range hs {
		h.OnICEConnectionStateChange(pc, state)
	}
}

func (hs handlers) OnConnectionStateChange(pc *PeerConnection, state PeerConnectionState) {
	for _, h := range hs {
		h.OnConnectionStateChange(pc, state)
	}
}

func (hs handlers) OnDataChannel(pc *PeerConnection, dc *DataChannel) {
	for _, h := range hs {
		h.OnDataChannel(pc, dc)
	}
}

func (hs handlers) OnDataChannelOpen(pc *PeerConnection, dc *DataChannel) {
	for _, h := range hs {
		h.OnDataChannelOpen(pc, dc)
	}
}

func (hs handlers) OnDataChannelMessage(pc *PeerConnection, dc *DataChannel, msg DataChannelMessage) {
	for _, h := range hs {
		h.OnDataChannelMessage(pc, dc, msg)
	}
}

func (hs handlers) OnDataChannelBufferedAmountLow(pc *PeerConnection, dc *DataChannel) {
	for _, h := range hs {
		h.OnDataChannelBufferedAmountLow(pc, dc)
	}
}

func (hs handlers) OnDataChannelClosing(pc *PeerConnection, dc *DataChannel) {
	for _, h := range hs {
		h.OnDataChannelClosing(pc, dc)
	}
}

func (hs handlers) OnDataChannelError(pc *PeerConnection, dc *DataChannel, err error) {
	for _, h := range hs {
		h.OnDataChannelError(pc, dc, err)
	}
}

func (hs handlers) OnDataChannelClose(pc *PeerConnection, dc *DataChannel) {
	for _, h := range hs {
		h.OnDataChannelClose(pc, dc)
	}
}

func (hs handlers) OnTrack(pc *PeerConnection, track *TrackRemote, receiver *RTPReceiver) {
	for _, h := range hs {
		h.OnTrack(pc, track, receiver)
	}
}

func (hs handlers) OnTrackEnded(pc *PeerConnection, track *TrackRemote) {
	for _, h := range hs {
		h.OnTrackEnded(pc, track)
	}
}

func (hs handlers) optional() (all optional) {
	var rtps []RTPHandler
	var rtcps []RTCPHandler
	var keyframes []KeyframeHandler
	var bandwidths []BandwidthHandler
	var mutes []TrackMuteHandler
	for _, h := range hs {
		o := optionalOf(h)
		if o.rtp != nil {
			rtps = append(rtps, o.rtp)
		}
		if o.rtcp != nil {
			rtcps = append(rtcps, o.rtcp)
		}
		if o.keyframe != nil {
			keyframes = append(keyframes, o.keyframe)
		}
		if o.bandwidth != nil {
			bandwidths = append(bandwidths, o.bandwidth)
		}
		if o.mute != nil {
			mutes = append(mutes, o.mute)
		}
	}
	if len(rtps) > 0 {
		all.rtp = rtpFunc(func(pc *PeerConnection, track *TrackRemote, packet *rtp.Packet) {
			for _, h := range rtps {
				h.OnRTP(pc, track, packet)
			}
		})
	}
	if len(rtcps) > 0 {
		all.rtcp = rtcpFunc(func(pc *PeerConnection, packets []rtcp.Packet) {
			for _, h := range rtcps {
				h.OnRTCP(pc, packets)
			}
		})
	}
	if len(keyframes) > 0 {
		all.keyframe = keyframeFunc(func(pc *PeerConnection, sender *RTPSender, rid string) {
			for _, h := range keyframes {
				h.OnKeyframeRequest(pc, sender, rid)
			}
		})
	}
	if len(bandwidths) > 0 {
		all.bandwidth = bandwidthFunc(func(pc *PeerConnection, bitsPerSecond int) {
			for _, h := range bandwidths {
				h.OnBandwidthEstimate(pc, bitsPerSecond)
			}
		})
	}
	if len(mutes) > 0 {
		all.mute = muteFunc(func(pc *PeerConnection, track *TrackRemote, muted bool) {
			for _, h := range mutes {
				h.OnTrackMute(pc, track, muted)
			}
		})
	}
	return all
}
