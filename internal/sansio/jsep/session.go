package jsep

import "io"

// Config is what a [Session] is made of. The zero value of an optional field means its default.
type Config struct {
	Rand           io.Reader                              // the session id is read from it, in New
	NewCredentials func() (ufrag, pwd string, err error) // fresh ICE credentials
	Fingerprints   []Fingerprint                          // of the local certificates; one has to be sha-256
	MaxMessageSize int                                    // what we accept; default 262144, negative: any size
	SCTPPort       uint16                                 // default 5000
	BundlePolicy   BundlePolicy
	AnsweringRole  DTLSRole // chosen when the offer leaves us the choice; default RoleClient
}

// Session is one side of offer/answer.
type Session struct {
	cfg   Config
	state SignalingState
}

// New returns a Session in the stable state.
func New(cfg Config) (*Session, error) { return &Session{cfg: cfg}, nil }

// CreateOffer implements W3C createOffer.
func (s *Session) CreateOffer(o OfferOptions) (Description, error) { return Description{}, nil }

// CreateAnswer implements W3C createAnswer.
func (s *Session) CreateAnswer() (Description, error) { return Description{}, nil }

// SetLocal implements W3C setLocalDescription.
func (s *Session) SetLocal(d Description) (Change, error) { return Change{}, nil }

// SetLocalImplicit is setLocalDescription without an argument.
func (s *Session) SetLocalImplicit() (Change, error) { return s.SetLocal(Description{}) }

// SetRemote implements W3C setRemoteDescription.
func (s *Session) SetRemote(d Description) (Change, error) { return Change{}, nil }

// AddLocalCandidate adds a gathered candidate.
func (s *Session) AddLocalCandidate(ufrag, line string) {}

// EndOfLocalCandidates tells that gathering for ufrag ended.
func (s *Session) EndOfLocalCandidates(ufrag string) {}

// AddRemoteCandidate implements W3C addIceCandidate.
func (s *Session) AddRemoteCandidate(c RemoteCandidate) (Candidate, error) { return Candidate{}, nil }

// NeedDataChannel tells that an application section is wanted.
func (s *Session) NeedDataChannel() {}

// NegotiationNeeded implements W3C "check if negotiation is needed".
func (s *Session) NegotiationNeeded() bool { return false }

// RestartICE implements W3C restartIce.
func (s *Session) RestartICE() {}

// SignalingState returns the state.
func (s *Session) SignalingState() SignalingState { return s.state }

// Local is the pending local description, or else the current one.
func (s *Session) Local() (Description, bool) { return Description{}, false }

// CurrentLocal is the local description of the last completed negotiation.
func (s *Session) CurrentLocal() (Description, bool) { return Description{}, false }

// PendingLocal is the local description being negotiated.
func (s *Session) PendingLocal() (Description, bool) { return Description{}, false }

// Remote is the pending remote description, or else the current one.
func (s *Session) Remote() (Description, bool) { return Description{}, false }

// CurrentRemote is the remote description of the last completed negotiation.
func (s *Session) CurrentRemote() (Description, bool) { return Description{}, false }

// PendingRemote is the remote description being negotiated.
func (s *Session) PendingRemote() (Description, bool) { return Description{}, false }

// CanTrickle implements W3C canTrickleIceCandidates.
func (s *Session) CanTrickle() (value, known bool) { return false, false }

// Close ends the session.
func (s *Session) Close() { s.state = Closed }
