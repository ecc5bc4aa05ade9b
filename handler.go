package rtc

import (
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
)

// EventHandler hears of everything that happens to a connection. One value may serve many connections: each method is told which one.
//
// All calls for one connection come one at a time, in the order in which things happened, on the connection's event loop, so a handler
// needs no lock for fields that only its methods use. Every method of the connection and of its objects may be called from inside a
// handler, Close included. A handler that takes its time delays the later events of its own connection and nothing else: see
// docs/events.md.
//
// Embed [BaseHandler] to write only the methods that a program needs, and to stay compatible when events are added.
type EventHandler interface {
	// OnNegotiationNeeded asks for an offer to be made. It comes when the signaling state is stable, as W3C's "update the
	// negotiation-needed flag" says. https://w3c.github.io/webrtc-pc/#dfn-update-the-negotiation-needed-flag
	OnNegotiationNeeded(pc *PeerConnection)
	// OnICECandidate tells a gathered local candidate, which is to be sent to the peer, or nil when gathering has ended.
	OnICECandidate(pc *PeerConnection, candidate *ICECandidate)
	// OnICECandidateError tells that a STUN or TURN server could not be used.
	OnICECandidateError(pc *PeerConnection, err ICECandidateError)
	// OnSignalingStateChange tells the state that an applied description has led to.
	OnSignalingStateChange(pc *PeerConnection, state SignalingState)
	// OnICEGatheringStateChange comes before the candidates with gathering, and with complete after the last one and before the nil.
	OnICEGatheringStateChange(pc *PeerConnection, state ICEGatheringState)
	// OnICEConnectionStateChange tells the state of the ICE transport.
	OnICEConnectionStateChange(pc *PeerConnection, state ICEConnectionState)
	// OnConnectionStateChange tells the state of ICE and DTLS together. Closed is the last event of a connection.
	OnConnectionStateChange(pc *PeerConnection, state PeerConnectionState)

	// OnDataChannel tells of a channel that the peer has made. It is open: OnDataChannelOpen follows at once, before its first message.
	OnDataChannel(pc *PeerConnection, dc *DataChannel)
	// OnDataChannelOpen comes once for each channel that opens, whoever made it, before its first message.
	OnDataChannelOpen(pc *PeerConnection, dc *DataChannel)
	// OnDataChannelMessage delivers a message; msg.Data belongs to the handler. Until the handler returns the message counts against the
	// receive window, so a handler that cannot keep up slows the sender down and nothing is lost. It is not called for a channel whose
	// messages are pulled by [DataChannel.Messages] or [DataChannel.Detach].
	OnDataChannelMessage(pc *PeerConnection, dc *DataChannel, msg DataChannelMessage)
	// OnDataChannelBufferedAmountLow comes when BufferedAmount has fallen to the channel's threshold from above.
	OnDataChannelBufferedAmountLow(pc *PeerConnection, dc *DataChannel)
	// OnDataChannelClosing tells that the closing procedure has begun: the peer has closed the channel. It does not come for a local Close.
	OnDataChannelClosing(pc *PeerConnection, dc *DataChannel)
	// OnDataChannelError comes before OnDataChannelClose when a channel ends by an error.
	OnDataChannelError(pc *PeerConnection, dc *DataChannel, err error)
	// OnDataChannelClose is a channel's last event. All its messages came before.
	OnDataChannelClose(pc *PeerConnection, dc *DataChannel)

	// OnTrack tells that a source of the peer has begun: its first packet has come, and is given after it. With simulcast it comes for each
	// encoding: their tracks have one ID and StreamID, and each its own RID. How packets are given is for the handler to choose: see [RTPHandler].
	OnTrack(pc *PeerConnection, track *TrackRemote, receiver *RTPReceiver)
	// OnTrackEnded is a track's last event: it is not negotiated any more, or the connection closes. Its packets came before.
	OnTrackEnded(pc *PeerConnection, track *TrackRemote)
}

// RTPHandler is a power that an [EventHandler] may have, found when the connection is built: it hears RTP packets, on the event loop, in
// their order among all events. Without it the packets of a track wait to be read by [TrackRemote.ReadRTP], and those of a track that is
// read do not come here.
//
// While a handler stays, packets wait; past [MediaOptions].ReceiveQueue the oldest are dropped, and counted in the stats.
type RTPHandler interface {
	// OnRTP gives a packet. It and its payload are the connection's memory and valid until OnRTP returns. Its header may be changed.
	OnRTP(pc *PeerConnection, track *TrackRemote, packet *rtp.Packet)
}

// RTCPHandler is a power that an [EventHandler] may have: it hears all RTCP of the peer. Nobody needs it to send or receive media: reports,
// retransmissions, keyframe requests and congestion control are seen to by the connection.
type RTCPHandler interface {
	// OnRTCP gives the packets of one datagram; they belong to the handler.
	OnRTCP(pc *PeerConnection, packets []rtcp.Packet)
}

// KeyframeHandler is a power that an [EventHandler] may have: it hears that the peer cannot go on without a keyframe (PLI or FIR).
type KeyframeHandler interface {
	// OnKeyframeRequest tells for which of sender's encodings, by its RID; empty without simulcast. Requests that follow each other within a
	// moment are told once.
	OnKeyframeRequest(pc *PeerConnection, sender *RTPSender, rid string)
}

// BandwidthHandler is a power that an [EventHandler] may have: it hears how much may be sent without queues building up on the path.
type BandwidthHandler interface {
	// OnBandwidthEstimate tells the estimate when it has changed by 5 % or more, at most every 200 ms. It is about all tracks together.
	OnBandwidthEstimate(pc *PeerConnection, bitsPerSecond int)
}

// TrackMuteHandler is a power that an [EventHandler] may have: it hears W3C's mute and unmute of the tracks that come from the peer.
type TrackMuteHandler interface {
	// OnTrackMute tells that nothing of track comes, since the peer has said so (BYE) or it was negotiated; or, with muted false, that packets come
	// again: the first follows. A track is not muted when OnTrack tells of it.
	OnTrackMute(pc *PeerConnection, track *TrackRemote, muted bool)
}

// BaseHandler has an empty method for each event.
type BaseHandler struct{}

var _ EventHandler = BaseHandler{}

// OnNegotiationNeeded does nothing.
func (BaseHandler) OnNegotiationNeeded(*PeerConnection) {}

// OnICECandidate does nothing.
func (BaseHandler) OnICECandidate(*PeerConnection, *ICECandidate) {}

// OnICECandidateError does nothing.
func (BaseHandler) OnICECandidateError(*PeerConnection, ICECandidateError) {}

// OnSignalingStateChange does nothing.
func (BaseHandler) OnSignalingStateChange(*PeerConnection, SignalingState) {}

// OnICEGatheringStateChange does nothing.
func (BaseHandler) OnICEGatheringStateChange(*PeerConnection, ICEGatheringState) {}

// OnICEConnectionStateChange does nothing.
func (BaseHandler) OnICEConnectionStateChange(*PeerConnection, ICEConnectionState) {}

// OnConnectionStateChange does nothing.
func (BaseHandler) OnConnectionStateChange(*PeerConnection, PeerConnectionState) {}

// OnDataChannel does nothing.
func (BaseHandler) OnDataChannel(*PeerConnection, *DataChannel) {}

// OnDataChannelOpen does nothing.
func (BaseHandler) OnDataChannelOpen(*PeerConnection, *DataChannel) {}

// OnDataChannelMessage drops the message.
func (BaseHandler) OnDataChannelMessage(*PeerConnection, *DataChannel, DataChannelMessage) {}

// OnDataChannelBufferedAmountLow does nothing.
func (BaseHandler) OnDataChannelBufferedAmountLow(*PeerConnection, *DataChannel) {}

// OnDataChannelClosing does nothing.
func (BaseHandler) OnDataChannelClosing(*PeerConnection, *DataChannel) {}

// OnDataChannelError does nothing.
func (BaseHandler) OnDataChannelError(*PeerConnection, *DataChannel, error) {}

// OnDataChannelClose does nothing.
func (BaseHandler) OnDataChannelClose(*PeerConnection, *DataChannel) {}

// OnTrack does nothing.
func (BaseHandler) OnTrack(*PeerConnection, *TrackRemote, *RTPReceiver) {}

// OnTrackEnded does nothing.
func (BaseHandler) OnTrackEnded(*PeerConnection, *TrackRemote) {}

// optional is what a handler hears besides the methods of EventHandler; nil: it does not.
type optional struct {
	rtp       RTPHandler
	rtcp      RTCPHandler
	keyframe  KeyframeHandler
	bandwidth BandwidthHandler
	mute      TrackMuteHandler
}

// optionalOf finds the powers of h: its own methods, before those of a HandlerFuncs that it embeds.
func optionalOf(h EventHandler) (o optional) {
	if h, ok := h.(interface{ optional() optional }); ok {
		o = h.optional()
	}
	if h, ok := h.(RTPHandler); ok {
		o.rtp = h
	}
	if h, ok := h.(RTCPHandler); ok {
		o.rtcp = h
	}
	if h, ok := h.(KeyframeHandler); ok {
		o.keyframe = h
	}
	if h, ok := h.(BandwidthHandler); ok {
		o.bandwidth = h
	}
	if h, ok := h.(TrackMuteHandler); ok {
		o.mute = h
	}
	return o
}
