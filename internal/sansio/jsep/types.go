package jsep

// Type is what a description is.
type Type uint8

// The zero Type stands for an absent one: [Session.SetLocal] derives it from the signaling state.
const (
	Offer Type = iota + 1
	PrAnswer
	Answer
	Rollback
)

// String returns W3C's word.
func (t Type) String() string {
	switch t {
	case Offer:
		return "offer"
	case PrAnswer:
		return "pranswer"
	case Answer:
		return "answer"
	case Rollback:
		return "rollback"
	}
	return "none"
}

// Description is an RTCSessionDescription.
type Description struct {
	Type Type
	SDP  string
}

// SignalingState is W3C's RTCSignalingState.
type SignalingState uint8

// The states of RFC 9429, section 3.2.
const (
	Stable SignalingState = iota
	HaveLocalOffer
	HaveRemoteOffer
	HaveLocalPrAnswer
	HaveRemotePrAnswer
	Closed
)

// String returns W3C's word.
func (s SignalingState) String() string {
	switch s {
	case Stable:
		return "stable"
	case HaveLocalOffer:
		return "have-local-offer"
	case HaveRemoteOffer:
		return "have-remote-offer"
	case HaveLocalPrAnswer:
		return "have-local-pranswer"
	case HaveRemotePrAnswer:
		return "have-remote-pranswer"
	}
	return "closed"
}

// BundlePolicy is W3C's RTCBundlePolicy.
type BundlePolicy uint8

// The policies of RFC 9429, section 4.1.1, which calls the last one must-bundle.
const (
	Balanced BundlePolicy = iota
	MaxCompat
	MaxBundle
)

// DTLSRole is a side of the DTLS handshake.
type DTLSRole uint8

// RoleClient is a=setup:active, RoleServer a=setup:passive.
const (
	RoleUnknown DTLSRole = iota
	RoleClient
	RoleServer
)

// String names the role for logs and test output.
func (r DTLSRole) String() string {
	switch r {
	case RoleClient:
		return "client"
	case RoleServer:
		return "server"
	}
	return "unknown"
}

// Fingerprint is the hash of a certificate: a hash function's name as in RFC 8122 ("sha-256") and its value as upper-case hexadecimal
// bytes separated by colons.
type Fingerprint struct {
	Algorithm, Value string
}

// OfferOptions is W3C's RTCOfferOptions.
type OfferOptions struct {
	ICERestart bool
}

// RemoteCandidate is W3C's RTCIceCandidateInit.
type RemoteCandidate struct {
	Candidate        string // "candidate:…" or empty: the end of candidates
	SDPMid           *string
	SDPMLineIndex    *uint16
	UsernameFragment *string
}

// Candidate is an accepted [RemoteCandidate].
type Candidate struct {
	Line    string // the candidate-attribute without "a=", as the ICE agent takes it
	Ufrag   string // the remote username fragment that it belongs to; empty when it is for every generation (only with End)
	Ignored bool   // it concerns a media section that was rejected: nothing to do
	End     bool   // it ends the candidates of Ufrag
}

// Change says what a successful Set changed. It is plain data, which nobody changes.
type Change struct {
	Type  Type
	Local bool

	StateChanged bool
	From         SignalingState
	// To are the states that were passed through, in order, the last one being the state now. A remote offer that rolls a local offer
	// back has two; without StateChanged it is empty.
	To []SignalingState

	// Transport is what is known about the transport now; nil when no media section lives.
	Transport *Transport
	// RolledBack tells that a pending description was given up; Transport says what is in use again.
	RolledBack bool
	// DataRejected tells that the remote side refused the data channel's section: the channels that waited for it are to be closed.
	DataRejected bool

	// Created are the transceivers that a remote description made, Removed those that a rollback took away again, Stopped those that are
	// over now.
	Created, Removed, Stopped []TransceiverID
	// Media is what [Session.Media] returns; nil when there is nothing about media.
	Media []MediaSection
}

// Transport is what the descriptions say about the one transport that carries all media sections.
type Transport struct {
	LocalUfrag, LocalPwd   string // empty while a remote offer for a new transport, not answered yet, is all there is
	RemoteUfrag, RemotePwd string // empty until a remote description is known

	// LocalRestart and RemoteRestart tell that the credentials of that side are others than those that the Change before this one told. A
	// rollback may set them too: then those of before are in use again.
	LocalRestart, RemoteRestart bool

	RemoteLite         bool
	RemoteTrickle      bool
	SPED               bool // both sides take the handshake of DTLS in connectivity checks; known once answered
	RemoteFingerprints []Fingerprint
	DTLSRole           DTLSRole // ours; known once answered, provisionally or not
	ICEControlling     bool     // we made the first offer, or the remote side is lite

	RemoteCandidates      []string // those of the remote description, added ones included
	RemoteEndOfCandidates bool

	HasData              bool // an application section lives
	RemoteSCTPPort       uint16
	RemoteMaxMessageSize int // 0 means that any size is accepted
	// INIT chunks that both sides have told, so that the association needs no handshake; nil when one has not.
	LocalSCTPInit, RemoteSCTPInit []byte

	Mid        string // of the section whose transport this is
	MLineIndex int
	Answered   bool // an answer, provisional or not, has been applied for what is described here
}
