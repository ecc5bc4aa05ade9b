package jsep

import (
	"encoding/binary"
	"io"
	"slices"
)

// Config is what a [Session] is made of. The zero value of an optional field means its default.
type Config struct {
	Rand           io.Reader                             // the session id is read from it, in New
	NewCredentials func() (ufrag, pwd string, err error) // fresh ICE credentials
	Fingerprints   []Fingerprint                         // of the local certificates; one has to be sha-256
	MaxMessageSize int                                   // what we accept; default 262144, negative: any size
	SCTPPort       uint16                                // default 5000
	BundlePolicy   BundlePolicy
	AnsweringRole  DTLSRole // chosen when the offer leaves us the choice; default RoleClient

	// Media. The tables are shared by sessions and never changed. A kind without codecs is not supported: its sections are rejected.
	Codecs     [3][]Codec        // by MediaKind: in order of preference, with the payload types that we offer
	Extensions []HeaderExtension // those that we offer and accept
	CNAME      string            // of a=ssrc lines; default a random one
}

// Session is one side of offer/answer.
type Session struct {
	cfg    Config
	state  SignalingState
	origin origin

	// W3C's four slots. Invariant: which of them are set follows from state; the current ones are set together.
	currentLocal, pendingLocal   *description
	currentRemote, pendingRemote *description

	// What CreateOffer and CreateAnswer returned last.
	lastOffer, lastAnswer created
	offerStale            bool // something has changed that the next offer has to tell

	wantData  bool          // the application has a use for a data section
	offered   offerer       // who made the first offer for the transport in use
	fresh     credentials   // made for a description that has not been applied
	toReplace []credentials // W3C [[LocalIceCredentialsToReplace]]
	gathered  []gathering   // local candidates
	nextMid   uint          // no applied description has a mid that is a number from here on
	told      told          // what the last Change said

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
	cfg.Fingerprints = slices.Clone(cfg.Fingerprints)
	sha256 := false
	for i, f := range cfg.Fingerprints {
		norm, _, ok := parseFingerprint(f.Algorithm + " " + f.Value)
		if !ok {
			return nil, errorf(TypeError, "fingerprint %d is malformed", i)
		}
		cfg.Fingerprints[i] = norm
		sha256 = sha256 || norm.Algorithm == "sha-256"
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
	if cfg.AnsweringRole == RoleUnknown {
		cfg.AnsweringRole = RoleClient
	}
	var id [8]byte
	if _, err := io.ReadFull(cfg.Rand, id[:]); err != nil {
		return nil, errorf(Operation, "session id: %v", err)
	}
	// RFC 9429, section 5.2.1: the session id is "a 64-bit quantity with the highest bit set to zero and the remaining 63 bits being
	// cryptographically random".
	return &Session{cfg: cfg, origin: origin{id: binary.BigEndian.Uint64(id[:]) &^ (1 << 63)}}, nil
}

// NeedDataChannel tells that an application section is wanted.
func (s *Session) NeedDataChannel() {
	s.offerStale = s.offerStale || !s.wantData
	s.wantData = true
}

// NegotiationNeeded implements W3C "check if negotiation is needed". In other states than stable it is false: the question comes up again
// when the session is stable.
func (s *Session) NegotiationNeeded() bool {
	if s.state != Stable {
		return false
	}
	return len(s.toReplace) > 0 || s.wantData && agreed(s.currentLocal, s.currentRemote) < 0
}

// SignalingState returns the state.
func (s *Session) SignalingState() SignalingState { return s.state }

// CanTrickle implements W3C canTrickleIceCandidates: whether the remote side takes candidates that come after its description. It is not
// known before there is one.
func (s *Session) CanTrickle() (value, known bool) {
	d := s.remote()
	if d == nil {
		return false, false
	}
	if i := s.live(d); i >= 0 {
		return d.sections[i].applies.trickle, true
	}
	return d.trickles, true
}

// Close ends the session. The descriptions stay readable.
func (s *Session) Close() { s.state = Closed }
