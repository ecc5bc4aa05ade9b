package dtls

import (
	"crypto"
	"errors"
	"fmt"
	"io"
	"time"
)

// Config is what a Conn is made of. Rand and Certificate are required; a zero value elsewhere means the default.
type Config struct {
	// Rand gives all randomness: hello randoms and key exchange secrets. It must be cryptographically secure where data is real.
	Rand io.Reader
	// Client says which side of the handshake this is (a=setup:active).
	Client bool
	// Certificate is what the peer will see.
	Certificate Certificate
	// SRTPProfiles are offered and accepted in use_srtp, in order of preference. nil means all that are known, the AEAD ones first; an
	// empty list that is not nil switches use_srtp off.
	SRTPProfiles []SRTPProfile
	// CipherSuites are offered and accepted in order of preference; nil means all that are known.
	CipherSuites []uint16
	// MTU is the largest handshake datagram; 0 means 1200.
	MTU int
	// InitialRTO is how long the first transmission of a flight waits for an answer, until SetRTT knows better; 0 means 50 ms.
	InitialRTO time.Duration
	// MaxRTO caps the doubling of the retransmission timeout; 0 means 3 s.
	MaxRTO time.Duration
	// HandshakeTimeout is how long the handshake may take from Start or the first ClientHello on; 0 means 30 s.
	HandshakeTimeout time.Duration
	// KeyLog gets the session's secret in the NSS key log format; nil means that nobody does.
	KeyLog io.Writer
}

// Certificate is a chain of DER certificates, the leaf first, and the leaf's key: ECDSA on P-256 or P-384, Ed25519 or RSA.
type Certificate struct {
	Chain      [][]byte
	PrivateKey crypto.Signer
}

// SRTPProfile is an SRTP protection profile of the IANA registry (RFC 5764 section 4.1.2, RFC 7714 section 14.2).
type SRTPProfile uint16

// The known profiles.
const (
	SRTPAES128CMHMACSHA1_80 SRTPProfile = 0x0001
	SRTPAES128CMHMACSHA1_32 SRTPProfile = 0x0002
	SRTPAEADAES128GCM       SRTPProfile = 0x0007
	SRTPAEADAES256GCM       SRTPProfile = 0x0008
)

// State is where a Conn is in its life.
type State uint8

// The states. A Conn only ever moves down this list.
const (
	StateNew State = iota
	StateConnecting
	StateConnected
	StateClosed
	StateFailed
)

func (s State) String() string {
	switch s {
	case StateNew:
		return "new"
	case StateConnecting:
		return "connecting"
	case StateConnected:
		return "connected"
	case StateClosed:
		return "closed"
	case StateFailed:
		return "failed"
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// EventType says what an Event tells.
type EventType uint8

// The events.
const (
	// EventConnected: the handshake is complete and the peer's certificate matches a fingerprint.
	EventConnected EventType = iota + 1
	// EventFailed: the connection is over because of Err.
	EventFailed
	// EventClosed: the peer has closed the connection with an authenticated close_notify.
	EventClosed
)

func (t EventType) String() string {
	switch t {
	case EventConnected:
		return "connected"
	case EventFailed:
		return "failed"
	case EventClosed:
		return "closed"
	}
	return fmt.Sprintf("EventType(%d)", uint8(t))
}

// Event is a change that the owner of a Conn has to know.
type Event struct {
	Type EventType
	Err  error // with EventFailed
}

// Stats counts what happened to records and datagrams. A dropped record is counted once, under the reason for which it was dropped.
type Stats struct {
	DatagramsIn, DatagramsOut uint64 // DatagramsOut leaves out application data
	RecordsIn, RecordsOut     uint64
	DataIn, DataOut           uint64 // application data records that were delivered or sealed
	Retransmissions           uint64 // flights sent again
	MessagesRefused           uint64 // complete handshake messages, not authenticated, that could not be accepted
	FragmentsDuplicate        uint64 // fragments of handshake messages that were complete already
	FragmentsConflicting      uint64 // fragments that contradicted an earlier fragment of the same message

	DroppedMalformed      uint64 // header, version, length or content that cannot be
	DroppedEpoch          uint64 // an epoch that has ended or will never come
	DroppedReplay         uint64
	DroppedBadMAC         uint64
	DroppedOverflow       uint64 // records and fragments over what may be held for later
	DroppedPlaintextAlert uint64
	DroppedPlaintextData  uint64
	DroppedUnexpected     uint64 // authenticated, but of no use in this state
	DroppedAfterEnd       uint64 // datagrams after the connection had closed or failed
	DroppedUnread         uint64 // application data that was not polled in time
}

// Conn is one end of a DTLS connection. It is not safe for concurrent use.
type Conn struct {
	cfg Config
}

// New makes a Conn, or says what is wrong with cfg.
func New(cfg Config) (*Conn, error) { return &Conn{cfg: cfg}, errors.New("dtls: no engine") }

// Start begins the handshake: a client sends its ClientHello, a server's handshake timeout begins.
func (c *Conn) Start(now time.Time) {}

// SetRTT tells the path's round-trip time: the retransmission timeout starts at twice that, but not under 50 ms or over 3 s.
func (c *Conn) SetRTT(rtt time.Duration) {}

// SetFingerprints tells which certificates the peer may have.
func (c *Conn) SetFingerprints(fps []Fingerprint) {}

// HandleDatagram takes a datagram from the peer and decrypts it in place.
func (c *Conn) HandleDatagram(now time.Time, b []byte) {}

// HandleTimeout does what is due at now.
func (c *Conn) HandleTimeout(now time.Time) {}

// PollData returns the next application data record.
func (c *Conn) PollData() ([]byte, bool) { return nil, false }

// PollWrite appends the next datagram to dst.
func (c *Conn) PollWrite(now time.Time, dst []byte) ([]byte, bool) { return dst, false }

// PollEvent returns the next event.
func (c *Conn) PollEvent() (Event, bool) { return Event{}, false }

// PollTimeout is when HandleTimeout is to be called; zero means never.
func (c *Conn) PollTimeout() time.Time { return time.Time{} }

// Overhead is the room that Seal needs before and behind the plaintext.
func (c *Conn) Overhead() (head, tail int) { return 21, 16 }

// Seal makes one application_data record of buf[off+head:].
func (c *Conn) Seal(buf []byte, off int) []byte { panic("BUG: dtls: Seal before EventConnected") }

// ExportKeyingMaterial is the exporter of RFC 5705.
func (c *Conn) ExportKeyingMaterial(label string, context []byte, length int) ([]byte, error) {
	return nil, ErrNotConnected
}

// SRTPProfile is the negotiated profile, if there is one.
func (c *Conn) SRTPProfile() (SRTPProfile, bool) { return 0, false }

// PeerCertificates is the peer's chain in DER, the leaf first.
func (c *Conn) PeerCertificates() [][]byte { return nil }

// State is where the connection is.
func (c *Conn) State() State { return StateNew }

// CipherSuite is the negotiated cipher suite, 0 before there is one.
func (c *Conn) CipherSuite() uint16 { return 0 }

// Version is the negotiated protocol version, 0 before there is one.
func (c *Conn) Version() uint16 { return 0 }

// Close ends the connection with a close_notify.
func (c *Conn) Close(now time.Time) {}

// Stats counts what happened so far.
func (c *Conn) Stats() Stats { return Stats{} }

// ErrNotConnected is returned for what only a verified connection has.
var ErrNotConnected = errors.New("dtls: not connected")
