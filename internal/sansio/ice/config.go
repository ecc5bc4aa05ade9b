package ice

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"time"
)

// Config is what an Agent is made with. A zero duration or count means its default, a negative one none.
type Config struct {
	// Rand gives passwords, transaction identifiers and tie-breakers; a cryptographically secure source outside of tests. It must not
	// fail.
	Rand io.Reader
	// Controlling is the role to begin with; a role conflict or a lite peer may change it.
	Controlling bool
	// Local are the credentials of the first generation, from NewCredentials.
	Local Credentials

	// Embedding says that datagrams of a handshake can be embedded in checks; see Embed. It is done with a peer that does it too.
	Embedding bool

	// Ta is the pace of connectivity checks, 5 ms. Negative: no pace.
	Ta time.Duration
	// InitialRTO is the retransmission timeout where no round-trip time is known, 250 ms.
	InitialRTO time.Duration
	// KeepaliveInterval is how long data may remain unanswered before the route is probed, 2.5 s. Negative: only consent is asked for.
	KeepaliveInterval time.Duration
	// ConsentInterval is the time between consent checks, varied by a factor of 0.8 to 1.2. By default it is 5 s, and 15 s while HandleUse has
	// not been called for 30 s, unless the peer is lite.
	ConsentInterval time.Duration
	// ConsentTimeout is how long consent lasts after it was given, 30 s. Negative: for ever.
	ConsentTimeout time.Duration
	// DisconnectedTimeout is the silence that makes the agent disconnected, 5 s; half of it or more while checks are not answered. Negative:
	// never.
	DisconnectedTimeout time.Duration
	// FailedTimeout is how long the agent is disconnected before it has failed, 25 s. Negative: for ever.
	FailedTimeout time.Duration

	// MaxRemoteCandidates is how many remote candidates one generation learns, signalled and peer-reflexive ones together; 64. Of the
	// latter, which have proven themselves by an authenticated check, a few more are learned.
	MaxRemoteCandidates int
	// MaxPairs is the limit of the checklist set, 100.
	MaxPairs int

	idleInterval time.Duration // ConsentInterval on a route that is not used
}

// never stands for a negative duration: beyond any connection's life, and small enough to be multiplied and added.
const never = 10 * 365 * 24 * time.Hour

func (c *Config) setDefaults() {
	chosen := c.ConsentInterval != 0
	for _, d := range []struct {
		v    *time.Duration
		def  time.Duration
		none time.Duration
	}{
		{&c.Ta, 5 * time.Millisecond, 0},
		// RFC 8445 section 14.3 allows no less than 500 ms. Chromium has used 250 ms for years: a path that is slower pays with one more small
		// packet, and a lost first check costs half as much.
		{&c.InitialRTO, 250 * time.Millisecond, 250 * time.Millisecond},
		{&c.KeepaliveInterval, 2500 * time.Millisecond, never},
		// "Implementations SHOULD set a default interval of 5 seconds", RFC 7675 section 5.1.
		{&c.ConsentInterval, 5 * time.Second, never},
		// Consent expires after 30 seconds, RFC 7675 section 5.1.
		{&c.ConsentTimeout, 30 * time.Second, never},
		{&c.DisconnectedTimeout, 5 * time.Second, never},
		{&c.FailedTimeout, 25 * time.Second, never},
	} {
		switch {
		case *d.v == 0:
			*d.v = d.def
		case *d.v < 0:
			*d.v = d.none
		}
	}
	c.idleInterval = c.ConsentInterval
	if !chosen { // two fit into what one answer gives
		c.idleInterval = max(c.ConsentInterval, min(keepaliveInterval, c.ConsentTimeout/2))
	}
	c.MaxRemoteCandidates = countOr(c.MaxRemoteCandidates, 64)
	c.MaxPairs = countOr(c.MaxPairs, 100)
}

func countOr(n, def int) int {
	if n == 0 {
		return def
	}
	return max(n, 0)
}

// Credentials are the username fragment and password of one side in one generation.
type Credentials struct{ Ufrag, Pwd string }

// NewCredentials draws credentials from rand.
func NewCredentials(rand io.Reader) (Credentials, error) {
	// RFC 8839 section 5.4: at least 24 bits of randomness for ice-ufrag, and at least 128 for ice-pwd. Base64's alphabet is ice-char: 6 bytes
	// make 8 characters of 48 bits, 18 make 24 of 144.
	var b [24]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return Credentials{}, fmt.Errorf("ice: reading randomness: %w", err)
	}
	s := base64.RawStdEncoding.EncodeToString(b[:])
	return Credentials{Ufrag: s[:8], Pwd: s[8:]}, nil
}

// Errors of ParseCandidate and AddRemoteCandidate.
var (
	// ErrInvalidCandidate: the candidate attribute does not follow the grammar of RFC 8839.
	ErrInvalidCandidate = errors.New("ice: invalid candidate")
	// ErrUnsupportedCandidate: the candidate is well-formed, but of a kind that this agent does not use: TCP, a host name, a component
	// other than 1, or an address that no datagram can be sent to.
	ErrUnsupportedCandidate = errors.New("ice: unsupported candidate")
	// ErrWrongGeneration: the candidate's ufrag is not that of the remote credentials.
	ErrWrongGeneration = errors.New("ice: candidate of another generation")
	// ErrTooManyCandidates: Config.MaxRemoteCandidates is reached.
	ErrTooManyCandidates = errors.New("ice: too many remote candidates")
	// ErrClosed: the agent is closed.
	ErrClosed = errors.New("ice: agent is closed")
)
