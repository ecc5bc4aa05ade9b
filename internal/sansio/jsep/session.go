package jsep

import (
	"encoding/binary"
	"io"

	"github.com/pion/sdp/v3"
)

// Config is what a [Session] is made of. The zero value of an optional field means its default.
type Config struct {
	Rand           io.Reader                             // the session id is read from it, in New
	NewCredentials func() (ufrag, pwd string, err error) // fresh ICE credentials
	Fingerprints   []Fingerprint                         // of the local certificates; one has to be sha-256
	MaxMessageSize int                                   // what we accept; default 262144, negative: any size
	SCTPPort       uint16                                // default 5000
	BundlePolicy   BundlePolicy
	AnsweringRole  DTLSRole // chosen when the offer leaves us the choice; default RoleClient, and RoleServer with SPED

	// NewSCTPInit makes the INIT chunk of the association, for a=sctp-init; it is asked once. CheckSCTPInit says what is wrong with the remote
	// side's. nil: the attribute is neither offered nor answered.
	NewSCTPInit   func() ([]byte, error)
	CheckSCTPInit func(chunk []byte) error

	// SPED offers and answers the handshake of DTLS in connectivity checks, by ICE options.
	SPED bool

	Formats Formats // of media
	CNAME   string  // of a=ssrc lines; default one of the session
}

// Session is one side of offer/answer.
type Session struct {
	cfg          Config
	fingerprints []sdp.Attribute // of cfg, as they are written
	state        SignalingState
	origin       origin

	// W3C's four slots. Invariant: which of them are set follows from state; the current ones are set together.
	currentLocal, pendingLocal   *description
	currentRemote, pendingRemote *description

	// What CreateOffer and CreateAnswer returned last.
	lastOffer, lastAnswer created
	// Something has changed that the next offer, or answer, has to tell.
	offerStale, answerStale bool

	wantData  bool          // the application has a use for a data section
	offered   offerer       // who made the first offer for the transport in use
	fresh     credentials   // made for a description that has not been applied
	sctpInit  string        // the value of a=sctp-init in our descriptions, once it is made
	toReplace []credentials // W3C [[LocalIceCredentialsToReplace]]
	gathered  []gathering   // local candidates
	nextMid   uint          // no applied description has a mid that is a number from here on
	told      told          // what the last Change said

	news news // of transceivers, for the Change being made

	transceivers    []*transceiver // W3C "set of transceivers", in order of creation
	lastTransceiver TransceiverID
}

// offerer is a side, or none.
type offerer uint8

const (
	nobody offerer = iota
	localSide
	remoteSide
)

// told is what the last Change said about the transport.
type told struct{ local, remote credentials }

// New returns a Session in the stable state.
func New(cfg Config) (*Session, error) {
	if cfg.Rand == nil || cfg.NewCredentials == nil {
		return nil, errorf(TypeError, "Rand and NewCredentials are needed")
	}
	fingerprints := make([]sdp.Attribute, len(cfg.Fingerprints))
	sha256 := false
	for i, f := range cfg.Fingerprints {
		f, _, ok := f.normal()
		if !ok || !isWord(f.Algorithm) {
			return nil, errorf(TypeError, "fingerprint %d is malformed", i)
		}
		fingerprints[i] = sdp.Attribute{Key: "fingerprint", Value: f.Algorithm + " " + f.Value}
		sha256 = sha256 || f.Algorithm == "sha-256"
	}
	// SHA-256 is the hash function that each WebRTC endpoint can check (RFC 8122, section 5.1).
	if !sha256 {
		return nil, errorf(TypeError, "a sha-256 fingerprint is needed")
	}
	switch {
	case cfg.MaxMessageSize == 0:
		cfg.MaxMessageSize = 262144
	case cfg.MaxMessageSize < 0:
		cfg.MaxMessageSize = 0
	}
	if cfg.SCTPPort == 0 {
		cfg.SCTPPort = defaultPort
	}
	if cfg.CNAME != "" && !isWord(cfg.CNAME) {
		return nil, errorf(TypeError, "the CNAME %q cannot be written", cfg.CNAME)
	}
	var id [8]byte
	if _, err := io.ReadFull(cfg.Rand, id[:]); err != nil {
		return nil, errorf(Operation, "session id: %v", err)
	}
	// RFC 9429, section 5.2.1: the session id is "a 64-bit quantity with the highest bit set to zero and the remaining 63 bits being
	// cryptographically random".
	return &Session{cfg: cfg, fingerprints: fingerprints, origin: origin{id: binary.BigEndian.Uint64(id[:]) &^ (1 << 63)}}, nil
}

// NeedDataChannel tells that an application section is wanted.
func (s *Session) NeedDataChannel() {
	s.offerStale = s.offerStale || !s.wantData
	s.wantData = true
}

// SignalingState returns the state.
func (s *Session) SignalingState() SignalingState { return s.state }

// Answers tells whether our description is an answer.
func (s *Session) Answers() bool { d := s.local(); return d != nil && d.typ != Offer }

// CanTrickle implements W3C canTrickleIceCandidates: whether the remote side takes candidates that come after its description. It is not
// known before there is one.
func (s *Session) CanTrickle() (value, known bool) {
	d := s.remote()
	if d == nil {
		return false, false
	}
	defer s.wake()()
	if i := s.carrier(d); i >= 0 {
		return d.sections[i].applies.trickle, true
	}
	return d.trickles, true
}

// Close ends the session. The descriptions stay readable.
func (s *Session) Close() {
	s.state = Closed
	s.lastOffer, s.lastAnswer = created{}, created{}
	s.Rest()
}
