package rtc

import (
	"github.com/pion/webrtc/v4"

	"github.com/sansrtc/rtc/runtime/std"
)

// The plain W3C types are pion/webrtc's own, so that values pass between both packages unchanged.
type (
	// Configuration is W3C's RTCConfiguration. See [Builder.Configuration] for what is read of it.
	Configuration = webrtc.Configuration
	// ICEServer is W3C's RTCIceServer.
	ICEServer = webrtc.ICEServer
	// ICETransportPolicy is W3C's RTCIceTransportPolicy.
	ICETransportPolicy = webrtc.ICETransportPolicy
	// BundlePolicy is W3C's RTCBundlePolicy.
	BundlePolicy = webrtc.BundlePolicy
	// RTCPMuxPolicy is W3C's RTCRtcpMuxPolicy.
	RTCPMuxPolicy = webrtc.RTCPMuxPolicy
	// Certificate is W3C's RTCCertificate with its private key.
	Certificate = webrtc.Certificate
	// DTLSFingerprint is W3C's RTCDtlsFingerprint.
	DTLSFingerprint = webrtc.DTLSFingerprint

	// SessionDescription is W3C's RTCSessionDescriptionInit. Its zero value, given to SetLocalDescription, asks for the implicit one.
	SessionDescription = webrtc.SessionDescription
	// SDPType is W3C's RTCSdpType.
	SDPType = webrtc.SDPType
	// OfferOptions is W3C's RTCOfferOptions.
	OfferOptions = webrtc.OfferOptions
	// AnswerOptions is W3C's RTCAnswerOptions.
	AnswerOptions = webrtc.AnswerOptions
	// SignalingState is W3C's RTCSignalingState.
	SignalingState = webrtc.SignalingState

	// ICECandidateInit is W3C's RTCIceCandidateInit: what goes over the signaling channel.
	ICECandidateInit = webrtc.ICECandidateInit
	// ICECandidateType is W3C's RTCIceCandidateType.
	ICECandidateType = webrtc.ICECandidateType
	// ICEProtocol is W3C's RTCIceProtocol.
	ICEProtocol = webrtc.ICEProtocol
	// ICEConnectionState is W3C's RTCIceConnectionState.
	ICEConnectionState = webrtc.ICEConnectionState
	// ICEGatheringState is W3C's RTCIceGatheringState.
	ICEGatheringState = webrtc.ICEGatheringState
	// ICETrickleCapability is W3C's canTrickleIceCandidates with its null.
	ICETrickleCapability = webrtc.ICETrickleCapability
	// PeerConnectionState is W3C's RTCPeerConnectionState.
	PeerConnectionState = webrtc.PeerConnectionState

	// DataChannelInit is W3C's RTCDataChannelInit.
	DataChannelInit = webrtc.DataChannelInit
	// DataChannelState is W3C's RTCDataChannelState.
	DataChannelState = webrtc.DataChannelState
	// DataChannelMessage is one message of a data channel; Data belongs to its receiver. Messages of up to 128 bytes that arrived in one
	// packet share memory: keeping one of them keeps half a kilobyte.
	DataChannelMessage = webrtc.DataChannelMessage

	// StatsReport is W3C's RTCStatsReport.
	StatsReport = webrtc.StatsReport

	// TrackLocal is pion's: a source of RTP packets that connections send. [webrtc.TrackLocalStaticRTP], [webrtc.TrackLocalStaticSample] and
	// others bind to connections of this package as to pion's. See [RTPSender] for when Bind and Unbind are called.
	TrackLocal = webrtc.TrackLocal
	// TrackLocalContext is what a TrackLocal is bound with.
	TrackLocalContext = webrtc.TrackLocalContext
	// TrackLocalWriter takes the packets of a TrackLocal.
	TrackLocalWriter = webrtc.TrackLocalWriter
	// RTPCodecType is W3C's kind of a track: audio or video.
	RTPCodecType = webrtc.RTPCodecType
	// RTPCodecCapability is W3C's RTCRtpCodec.
	RTPCodecCapability = webrtc.RTPCodecCapability
	// RTPCodecParameters is W3C's RTCRtpCodecParameters.
	RTPCodecParameters = webrtc.RTPCodecParameters
	// RTCPFeedback is an a=rtcp-fb line.
	RTCPFeedback = webrtc.RTCPFeedback
	// RTPHeaderExtensionCapability is W3C's RTCRtpHeaderExtensionCapability.
	RTPHeaderExtensionCapability = webrtc.RTPHeaderExtensionCapability
	// RTPHeaderExtensionParameter is W3C's RTCRtpHeaderExtensionParameters.
	RTPHeaderExtensionParameter = webrtc.RTPHeaderExtensionParameter
	// RTPParameters is W3C's RTCRtpParameters.
	RTPParameters = webrtc.RTPParameters
	// RTPCodingParameters is W3C's RTCRtpCodingParameters, and the sources that were chosen.
	RTPCodingParameters = webrtc.RTPCodingParameters
	// RTPEncodingParameters is W3C's RTCRtpEncodingParameters, as far as a transceiver is made with them.
	RTPEncodingParameters = webrtc.RTPEncodingParameters
	// RTPRtxParameters has the source of retransmissions.
	RTPRtxParameters = webrtc.RTPRtxParameters
	// RTPFecParameters has the source of forward error correction, which is always zero: there is none.
	RTPFecParameters = webrtc.RTPFecParameters
	// RTPTransceiverInit is W3C's RTCRtpTransceiverInit.
	RTPTransceiverInit = webrtc.RTPTransceiverInit
	// RTPTransceiverDirection is W3C's RTCRtpTransceiverDirection. A stopped transceiver's is inactive: see [RTPTransceiver.Stopped].
	RTPTransceiverDirection = webrtc.RTPTransceiverDirection
	// SSRC names a source of RTP packets.
	SSRC = webrtc.SSRC
	// PayloadType says in a packet which codec it is of.
	PayloadType = webrtc.PayloadType
)

// RTPSendParameters is W3C's RTCRtpSendParameters. See [RTPSender.GetParameters].
type RTPSendParameters struct {
	RTPParameters
	Encodings []RTPSendEncoding
}

// RTPSendEncoding is W3C's RTCRtpEncodingParameters: pion's, and whether the encoding is sent.
type RTPSendEncoding struct {
	RTPEncodingParameters
	Active bool
}

// W3C's enumerations.
const (
	SDPTypeOffer    = webrtc.SDPTypeOffer
	SDPTypePranswer = webrtc.SDPTypePranswer
	SDPTypeAnswer   = webrtc.SDPTypeAnswer
	SDPTypeRollback = webrtc.SDPTypeRollback

	SignalingStateStable             = webrtc.SignalingStateStable
	SignalingStateHaveLocalOffer     = webrtc.SignalingStateHaveLocalOffer
	SignalingStateHaveRemoteOffer    = webrtc.SignalingStateHaveRemoteOffer
	SignalingStateHaveLocalPranswer  = webrtc.SignalingStateHaveLocalPranswer
	SignalingStateHaveRemotePranswer = webrtc.SignalingStateHaveRemotePranswer
	SignalingStateClosed             = webrtc.SignalingStateClosed

	ICETransportPolicyAll   = webrtc.ICETransportPolicyAll
	ICETransportPolicyRelay = webrtc.ICETransportPolicyRelay

	ICECandidateTypeHost  = webrtc.ICECandidateTypeHost
	ICECandidateTypeSrflx = webrtc.ICECandidateTypeSrflx
	ICECandidateTypePrflx = webrtc.ICECandidateTypePrflx
	ICECandidateTypeRelay = webrtc.ICECandidateTypeRelay

	ICEProtocolUDP = webrtc.ICEProtocolUDP
	ICEProtocolTCP = webrtc.ICEProtocolTCP

	ICEConnectionStateNew          = webrtc.ICEConnectionStateNew
	ICEConnectionStateChecking     = webrtc.ICEConnectionStateChecking
	ICEConnectionStateConnected    = webrtc.ICEConnectionStateConnected
	ICEConnectionStateCompleted    = webrtc.ICEConnectionStateCompleted
	ICEConnectionStateDisconnected = webrtc.ICEConnectionStateDisconnected
	ICEConnectionStateFailed       = webrtc.ICEConnectionStateFailed
	ICEConnectionStateClosed       = webrtc.ICEConnectionStateClosed

	ICEGatheringStateNew       = webrtc.ICEGatheringStateNew
	ICEGatheringStateGathering = webrtc.ICEGatheringStateGathering
	ICEGatheringStateComplete  = webrtc.ICEGatheringStateComplete

	ICETrickleCapabilityUnknown     = webrtc.ICETrickleCapabilityUnknown
	ICETrickleCapabilitySupported   = webrtc.ICETrickleCapabilitySupported
	ICETrickleCapabilityUnsupported = webrtc.ICETrickleCapabilityUnsupported

	PeerConnectionStateNew          = webrtc.PeerConnectionStateNew
	PeerConnectionStateConnecting   = webrtc.PeerConnectionStateConnecting
	PeerConnectionStateConnected    = webrtc.PeerConnectionStateConnected
	PeerConnectionStateDisconnected = webrtc.PeerConnectionStateDisconnected
	PeerConnectionStateFailed       = webrtc.PeerConnectionStateFailed
	PeerConnectionStateClosed       = webrtc.PeerConnectionStateClosed

	DataChannelStateConnecting = webrtc.DataChannelStateConnecting
	DataChannelStateOpen       = webrtc.DataChannelStateOpen
	DataChannelStateClosing    = webrtc.DataChannelStateClosing
	DataChannelStateClosed     = webrtc.DataChannelStateClosed

	RTPCodecTypeAudio = webrtc.RTPCodecTypeAudio
	RTPCodecTypeVideo = webrtc.RTPCodecTypeVideo

	RTPTransceiverDirectionSendrecv = webrtc.RTPTransceiverDirectionSendrecv
	RTPTransceiverDirectionSendonly = webrtc.RTPTransceiverDirectionSendonly
	RTPTransceiverDirectionRecvonly = webrtc.RTPTransceiverDirectionRecvonly
	RTPTransceiverDirectionInactive = webrtc.RTPTransceiverDirectionInactive
)

// The codecs' names.
const (
	MimeTypeOpus = webrtc.MimeTypeOpus
	MimeTypeG722 = webrtc.MimeTypeG722
	MimeTypePCMU = webrtc.MimeTypePCMU
	MimeTypePCMA = webrtc.MimeTypePCMA
	MimeTypeVP8  = webrtc.MimeTypeVP8
	MimeTypeVP9  = webrtc.MimeTypeVP9
	MimeTypeH264 = webrtc.MimeTypeH264
	MimeTypeH265 = webrtc.MimeTypeH265
	MimeTypeAV1  = webrtc.MimeTypeAV1
	MimeTypeRTX  = webrtc.MimeTypeRTX
)

// What a=rtcp-fb lines may ask for.
const (
	TypeRTCPFBTransportCC = webrtc.TypeRTCPFBTransportCC
	TypeRTCPFBGoogREMB    = webrtc.TypeRTCPFBGoogREMB
	TypeRTCPFBACK         = webrtc.TypeRTCPFBACK
	TypeRTCPFBCCM         = webrtc.TypeRTCPFBCCM
	TypeRTCPFBNACK        = webrtc.TypeRTCPFBNACK
)

// ICECandidate is W3C's RTCIceCandidate: pion's, and the username fragment that says to which ICE generation it belongs.
type ICECandidate struct {
	webrtc.ICECandidate
	UsernameFragment string
	line             string // the candidate-attribute, RFC 8839 section 5.1
}

// ToJSON gives the form that goes over the signaling channel. https://w3c.github.io/webrtc-pc/#dom-rtcicecandidate-tojson
func (c *ICECandidate) ToJSON() ICECandidateInit {
	mid, index, ufrag := c.SDPMid, c.SDPMLineIndex, c.UsernameFragment
	return ICECandidateInit{Candidate: c.line, SDPMid: &mid, SDPMLineIndex: &index, UsernameFragment: &ufrag}
}

// String is the candidate-attribute of RFC 8839 section 5.1.
func (c *ICECandidate) String() string { return c.line }

// ICECandidateError is W3C's RTCPeerConnectionIceErrorEvent: a server could not be used for gathering.
type ICECandidateError struct {
	URL       string // the server's
	ErrorCode uint16 // STUN error code, or 701 when the server was not reached
	ErrorText string
}

// GenerateCertificate makes a self-signed ECDSA P-256 certificate that is valid for 30 days, from the system's randomness and clock. One
// certificate may serve many connections; a connection without one makes its own.
func GenerateCertificate() (*Certificate, error) {
	key, err := generateKey(std.Default())
	if err != nil {
		return nil, err
	}
	c, err := pionCertificate(key)
	return &c, err
}
