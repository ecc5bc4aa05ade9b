package rtc

import (
	"errors"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/pion/logging"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/rtcerr"

	"github.com/sansrtc/rtc/internal/sansio/peer"
)

// PeerConnection is W3C's RTCPeerConnection. It is made by a [Builder] and ends by Close.
//
// Its methods have pion's names and signatures, may be called from any goroutine and from inside every handler, and never wait for the
// network or for a handler. Their errors have W3C's categories: see [InvalidStateError] and its brothers.
// https://w3c.github.io/webrtc-pc/#interface-definition
type PeerConnection struct {
	builder Builder // as given, but for its configuration, which is the current one and guarded by loop.mu
	id      uint32
	loop    loop

	log logging.LeveledLogger

	// What handlers were told last; W3C changes these attributes in the task that fires the event.
	iceState        atomic.Int32
	connectionState atomic.Int32
}

func newPeerConnection(b Builder, listen []netip.AddrPort, key peer.Certificate) (_ *PeerConnection, err error) {
	pc := &PeerConnection{
		builder: b,
		id:      newID(),
		log:     silent,
	}
	pc.loop.pc = pc
	defer func() {
		if err != nil {
			pc.release()
		}
	}()
	if b.logger != nil {
		pc.log = b.logger.NewLogger("rtc")
	}
	pc.iceState.Store(int32(ICEConnectionStateNew))
	pc.connectionState.Store(int32(PeerConnectionStateNew))
	if pc.loop.icp, err = newInterceptors(&pc.loop, b.registry); err != nil {
		return nil, err
	}
	core, err := peer.New(b.coreConfig(key, pc.loop.icp != nil))
	if err != nil {
		return nil, &rtcerr.InvalidAccessError{Err: err}
	}
	if err := pc.loop.start(pc, core, listen); err != nil {
		return nil, err
	}
	if pc.loop.icp != nil {
		pc.loop.icp.bind()
	}
	return pc, nil
}

// release gives back what the loop does not hold.
func (pc *PeerConnection) release() {
	if pc.loop.icp != nil {
		pc.loop.icp.close()
	}
	freeID(pc.id)
}

// Builder gives the builder that the connection was made with; of a nil connection, NewBuilder's defaults.
func (pc *PeerConnection) Builder() (b Builder) {
	if pc == nil {
		return NewBuilder()
	}
	pc.loop.view(func(*peer.Core) {
		b = pc.builder
		b.configuration = pc.currentConfiguration()
	})
	return b
}

// CreateOffer is W3C's createOffer: it describes what is wanted now and changes nothing. It returns an InvalidStateError on a closed
// connection. https://w3c.github.io/webrtc-pc/#dom-rtcpeerconnection-createoffer
func (pc *PeerConnection) CreateOffer(options *OfferOptions) (d SessionDescription, err error) {
	err = pc.loop.update(func(c *peer.Core, _ time.Time) error {
		offer, err := c.CreateOffer(options != nil && options.ICERestart)
		d = description(offer)
		return err
	})
	return d, err
}

// CreateAnswer is W3C's createAnswer: it answers the remote offer and changes nothing. It returns an InvalidStateError when there is none.
// https://w3c.github.io/webrtc-pc/#dom-rtcpeerconnection-createanswer
func (pc *PeerConnection) CreateAnswer(*AnswerOptions) (d SessionDescription, err error) {
	err = pc.loop.update(func(c *peer.Core, _ time.Time) error {
		answer, err := c.CreateAnswer()
		d = description(answer)
		return err
	})
	return d, err
}

// SetLocalDescription is W3C's setLocalDescription. The zero value asks for the implicit description: an offer or an answer, as the
// signaling state needs it. It starts the gathering: host candidates are in LocalDescription when it returns, and are told by
// OnICECandidate. Errors: InvalidStateError when the type does not fit the signaling state, InvalidModificationError when the SDP is not
// what CreateOffer or CreateAnswer returned last. https://w3c.github.io/webrtc-pc/#dom-rtcpeerconnection-setlocaldescription
func (pc *PeerConnection) SetLocalDescription(d SessionDescription) error {
	err := pc.loop.update(func(c *peer.Core, now time.Time) error {
		return c.SetLocal(now, coreDescription(d))
	})
	if err != nil {
		return err
	}
	pc.loop.gather()
	return nil
}

// SetRemoteDescription is W3C's setRemoteDescription. A remote offer rolls a pending local offer back, so that perfect negotiation works.
// Errors: InvalidStateError, InvalidAccessError when the content breaks a rule, SyntaxError (RTCError sdp-syntax-error) when it is no
// SDP; nothing has changed then. https://w3c.github.io/webrtc-pc/#dom-rtcpeerconnection-setremotedescription
func (pc *PeerConnection) SetRemoteDescription(d SessionDescription) error {
	return pc.loop.update(func(c *peer.Core, now time.Time) error {
		return c.SetRemote(now, coreDescription(d))
	})
}

// AddICECandidate is W3C's addIceCandidate; an empty candidate is the end of candidates. It returns an InvalidStateError before
// SetRemoteDescription, and an OperationError for a candidate that is malformed or names a section or username fragment that does not
// exist. A candidate that is right but of no use, as one for TCP, is ignored.
// https://w3c.github.io/webrtc-pc/#dom-rtcpeerconnection-addicecandidate
func (pc *PeerConnection) AddICECandidate(candidate ICECandidateInit) error {
	return pc.loop.update(func(c *peer.Core, now time.Time) error {
		if _, ok := c.Descriptions().Remote(); !ok {
			return &rtcerr.InvalidStateError{Err: ErrNoRemoteDescription}
		}
		return c.AddRemoteCandidate(now, peer.RemoteCandidate(candidate))
	})
}

// RestartICE is W3C's restartIce: the next offer restarts ICE, and OnNegotiationNeeded asks for it.
// https://w3c.github.io/webrtc-pc/#dom-rtcpeerconnection-restartice
func (pc *PeerConnection) RestartICE() error {
	return pc.loop.update(func(c *peer.Core, _ time.Time) error {
		c.RestartICE()
		return nil
	})
}

// LocalDescription is the pending local description if there is one, else the current one, else nil; with the candidates gathered so far.
func (pc *PeerConnection) LocalDescription() *SessionDescription {
	return pc.description(func(d peer.Descriptions) (peer.Description, bool) { return d.Local() })
}

// CurrentLocalDescription is the local description that was negotiated last, or nil.
func (pc *PeerConnection) CurrentLocalDescription() *SessionDescription {
	return pc.description(func(d peer.Descriptions) (peer.Description, bool) { return d.CurrentLocal() })
}

// PendingLocalDescription is the local description that is being negotiated, or nil.
func (pc *PeerConnection) PendingLocalDescription() *SessionDescription {
	return pc.description(func(d peer.Descriptions) (peer.Description, bool) { return d.PendingLocal() })
}

// RemoteDescription is the pending remote description if there is one, else the current one, else nil; with the candidates added so far.
func (pc *PeerConnection) RemoteDescription() *SessionDescription {
	return pc.description(func(d peer.Descriptions) (peer.Description, bool) { return d.Remote() })
}

// CurrentRemoteDescription is the remote description that was negotiated last, or nil.
func (pc *PeerConnection) CurrentRemoteDescription() *SessionDescription {
	return pc.description(func(d peer.Descriptions) (peer.Description, bool) { return d.CurrentRemote() })
}

// PendingRemoteDescription is the remote description that is being negotiated, or nil.
func (pc *PeerConnection) PendingRemoteDescription() *SessionDescription {
	return pc.description(func(d peer.Descriptions) (peer.Description, bool) { return d.PendingRemote() })
}

func (pc *PeerConnection) description(get func(peer.Descriptions) (peer.Description, bool)) (out *SessionDescription) {
	pc.loop.view(func(c *peer.Core) {
		if d, ok := get(c.Descriptions()); ok {
			sd := description(d)
			out = &sd
		}
	})
	return out
}

// CanTrickleICECandidates tells whether the peer takes candidates after its description; unknown before there is one.
func (pc *PeerConnection) CanTrickleICECandidates() (t ICETrickleCapability) {
	pc.loop.view(func(c *peer.Core) {
		switch value, known := c.CanTrickle(); {
		case !known:
			t = ICETrickleCapabilityUnknown
		case value:
			t = ICETrickleCapabilitySupported
		default:
			t = ICETrickleCapabilityUnsupported
		}
	})
	return t
}

// SignalingState is the state after the last description that was applied.
func (pc *PeerConnection) SignalingState() (s SignalingState) {
	pc.loop.view(func(c *peer.Core) { s = signalingState(c.SignalingState()) })
	return s
}

// ICEGatheringState is the state of gathering now.
func (pc *PeerConnection) ICEGatheringState() (s ICEGatheringState) {
	pc.loop.view(func(c *peer.Core) { s = gatheringState(c.GatheringState()) })
	return s
}

// ICEConnectionState is the state that OnICEConnectionStateChange told last.
func (pc *PeerConnection) ICEConnectionState() ICEConnectionState {
	return ICEConnectionState(pc.iceState.Load())
}

// ConnectionState is the state that OnConnectionStateChange told last, and closed from Close on.
func (pc *PeerConnection) ConnectionState() PeerConnectionState {
	return PeerConnectionState(pc.connectionState.Load())
}

// GetConfiguration gives the configuration as it is now, with the certificate that is in use.
func (pc *PeerConnection) GetConfiguration() (c Configuration) {
	pc.loop.view(func(*peer.Core) { c = pc.currentConfiguration() })
	return c
}

// currentConfiguration is called with loop.mu held. A certificate that the connection has made itself is put into pion's form when it is asked for.
func (pc *PeerConnection) currentConfiguration() Configuration {
	c := &pc.builder.configuration
	if len(c.Certificates) == 0 {
		own, err := pionCertificate(pc.loop.core.Certificate())
		if err != nil {
			panic("BUG: rtc: own certificate: " + err.Error())
		}
		c.Certificates = []Certificate{own}
	}
	return cloneConfiguration(*c)
}

// SetConfiguration is W3C's setConfiguration: servers and the transport policy may change, and are read at the next gathering. It returns
// an InvalidModificationError when something else differs. https://w3c.github.io/webrtc-pc/#dom-rtcpeerconnection-setconfiguration
func (pc *PeerConnection) SetConfiguration(next Configuration) error {
	return pc.loop.update(func(c *peer.Core, now time.Time) error {
		old := pc.currentConfiguration()
		changed := func(what error) error { return &rtcerr.InvalidModificationError{Err: what} }
		switch {
		case next.PeerIdentity != "" && next.PeerIdentity != old.PeerIdentity:
			return changed(webrtc.ErrModifyingPeerIdentity)
		case len(next.Certificates) > 0 && !slices.EqualFunc(next.Certificates, old.Certificates, Certificate.Equals):
			return changed(webrtc.ErrModifyingCertificates)
		case next.BundlePolicy != webrtc.BundlePolicyUnknown && next.BundlePolicy != old.BundlePolicy:
			return changed(webrtc.ErrModifyingBundlePolicy)
		case next.RTCPMuxPolicy != webrtc.RTCPMuxPolicyUnknown && next.RTCPMuxPolicy != old.RTCPMuxPolicy:
			return changed(webrtc.ErrModifyingRTCPMuxPolicy)
		case next.ICECandidatePoolSize != old.ICECandidatePoolSize && c.HasLocalDescription():
			return changed(webrtc.ErrModifyingICECandidatePoolSize)
		case next.AlwaysNegotiateDataChannels != old.AlwaysNegotiateDataChannels:
			return changed(errors.New("rtc: AlwaysNegotiateDataChannels cannot be modified"))
		}
		if err := errors.Join(checkConfiguration(&next, now)...); err != nil {
			return err
		}
		next = cloneConfiguration(next)
		next.Certificates, next.BundlePolicy, next.RTCPMuxPolicy = old.Certificates, old.BundlePolicy, old.RTCPMuxPolicy
		pc.builder.configuration = next
		return nil
	})
}

// CreateDataChannel is W3C's createDataChannel. The channel opens when the connection is there; OnDataChannelOpen tells. Errors: TypeError,
// OperationError when no id is left or the id is taken, InvalidStateError on a closed connection.
// https://w3c.github.io/webrtc-pc/#dom-peerconnection-createdatachannel
func (pc *PeerConnection) CreateDataChannel(label string, options *DataChannelInit) (dc *DataChannel, err error) {
	params := peer.Params{Label: label, Ordered: true, MaxRetransmits: -1, MaxLifetime: -1}
	if o := options; o != nil {
		if o.Ordered != nil {
			params.Ordered = *o.Ordered
		}
		if o.MaxRetransmits != nil {
			params.MaxRetransmits = int32(*o.MaxRetransmits)
		}
		if o.MaxPacketLifeTime != nil {
			params.MaxLifetime = time.Duration(*o.MaxPacketLifeTime) * time.Millisecond
		}
		if o.Protocol != nil {
			params.Protocol = *o.Protocol
		}
		if o.Negotiated != nil {
			params.Negotiated = *o.Negotiated
		}
		if o.ID != nil {
			params.ID, params.HasID = *o.ID, true
		}
	}
	err = pc.loop.update(func(c *peer.Core, now time.Time) error {
		h, err := c.OpenChannel(now, params)
		if err != nil {
			return err
		}
		params.ID, params.HasID = c.ChannelStream(h)
		dc = pc.loop.addChannel(h, params)
		return nil
	})
	return dc, err
}

// GatheringComplete is closed when the first gathering has ended: LocalDescription then has all candidates, for signaling without trickle.
func (pc *PeerConnection) GatheringComplete() <-chan struct{} {
	return pc.loop.reached(&pc.loop.gathered)
}

// Done is closed when the connection has ended and its last handler has returned, and its goroutine, sockets and memory are released.
func (pc *PeerConnection) Done() <-chan struct{} { return pc.loop.reached(&pc.loop.done) }

// Close is W3C's close: it ends the connection at once and tells the peer. It is idempotent, returns nil, and waits for nobody: Done does.
// The channels' OnDataChannelClose and, last of all, OnConnectionStateChange with closed follow. What channels have buffered is lost:
// close the channels first and wait for OnDataChannelClose to keep it. https://w3c.github.io/webrtc-pc/#dom-rtcpeerconnection-close
func (pc *PeerConnection) Close() error {
	pc.loop.close()
	return nil
}

func description(d peer.Description) SessionDescription {
	out := SessionDescription{SDP: d.SDP}
	switch d.Type {
	case peer.Offer:
		out.Type = SDPTypeOffer
	case peer.PrAnswer:
		out.Type = SDPTypePranswer
	case peer.Answer:
		out.Type = SDPTypeAnswer
	case peer.Rollback:
		out.Type = SDPTypeRollback
	}
	return out
}

func coreDescription(d SessionDescription) peer.Description {
	out := peer.Description{SDP: d.SDP}
	switch d.Type {
	case SDPTypeOffer:
		out.Type = peer.Offer
	case SDPTypePranswer:
		out.Type = peer.PrAnswer
	case SDPTypeAnswer:
		out.Type = peer.Answer
	case SDPTypeRollback:
		out.Type = peer.Rollback
	}
	return out
}

func signalingState(s peer.SignalingState) SignalingState {
	return [...]SignalingState{
		SignalingStateStable, SignalingStateHaveLocalOffer, SignalingStateHaveRemoteOffer,
		SignalingStateHaveLocalPranswer, SignalingStateHaveRemotePranswer, SignalingStateClosed,
	}[s]
}

func gatheringState(s peer.GatheringState) ICEGatheringState {
	return [...]ICEGatheringState{ICEGatheringStateNew, ICEGatheringStateGathering, ICEGatheringStateComplete}[s]
}

func iceState(s peer.ICEState) ICEConnectionState {
	return [...]ICEConnectionState{
		ICEConnectionStateNew, ICEConnectionStateChecking, ICEConnectionStateConnected, ICEConnectionStateCompleted,
		ICEConnectionStateDisconnected, ICEConnectionStateFailed, ICEConnectionStateClosed,
	}[s]
}

func connectionState(s peer.ConnectionState) PeerConnectionState {
	return [...]PeerConnectionState{
		PeerConnectionStateNew, PeerConnectionStateConnecting, PeerConnectionStateConnected,
		PeerConnectionStateDisconnected, PeerConnectionStateFailed, PeerConnectionStateClosed,
	}[s]
}

func channelState(s peer.ChannelState) DataChannelState {
	return [...]DataChannelState{
		DataChannelStateConnecting, DataChannelStateOpen, DataChannelStateClosing, DataChannelStateClosed,
	}[s]
}
