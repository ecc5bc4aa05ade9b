package dtls

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"
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
	// MinVersion and MaxVersion bound the versions that are offered and accepted, as Version12 or Version13; 0 means both. A version without a
	// suite in CipherSuites is neither.
	MinVersion, MaxVersion uint16
	// CipherSuites are offered and accepted in order of preference, those of DTLS 1.3 and 1.2 apart; nil means all that are known.
	CipherSuites []uint16
	// PostQuantum makes a client offer X25519MLKEM768 first, with 1.2 kB more in its ClientHello. A server takes it from whoever has sent a share.
	PostQuantum bool
	// MTU is the largest handshake datagram; 0 means 1200.
	MTU int
	// InitialRTO is how long the first transmission of a flight waits for an answer, until SetRTT knows better; 0 means 50 ms.
	InitialRTO time.Duration
	// MaxRTO caps the doubling of the retransmission timeout; 0 means 3 s.
	MaxRTO time.Duration
	// HandshakeTimeout is how long the handshake may take from Start or the first ClientHello on; 0 means 30 s.
	HandshakeTimeout time.Duration
	// KeyLife is how many records a key of 1.3 may seal, at most and by default 2^23. After three quarters of them the next key is agreed on.
	KeyLife uint64
	// KeyLog gets the session's secrets in the NSS key log format; nil means that nobody does.
	KeyLog io.Writer

	groups []uint16 // that a server takes with 1.3; nil means all. Tests limit them, to have a HelloRetryRequest.
}

// Defaults, and what an MTU may be: a fragment must fit in the smallest, and the largest is a record's limit.
const (
	defaultMTU              = 1200
	minMTU                  = 128
	maxMTU                  = maxPlaintext
	defaultHandshakeTimeout = 30 * time.Second
)

// defaultSRTPProfiles prefer AEAD: one pass over the packet instead of two, and AES-128 is the faster.
var defaultSRTPProfiles = [...]SRTPProfile{
	SRTPAEADAES128GCM, SRTPAEADAES256GCM, SRTPAES128CMHMACSHA1_80, SRTPAES128CMHMACSHA1_32,
}

// resolve checks the caller's Config, all of it, and fills in the defaults. The slices that it returns are not the caller's.
func (cfg Config) resolve() (Config, error) {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("dtls: Config."+format, args...)) }

	if cfg.Rand == nil {
		bad("Rand is missing")
	}
	if err := cfg.Certificate.Check(); err != nil {
		bad("Certificate: %w", err)
	}
	cfg.SRTPProfiles = slices.Clone(cfg.SRTPProfiles)
	if cfg.SRTPProfiles == nil {
		cfg.SRTPProfiles = defaultSRTPProfiles[:]
	}
	for _, p := range cfg.SRTPProfiles {
		if !slices.Contains(defaultSRTPProfiles[:], p) {
			bad("SRTPProfiles has unknown %#04x", uint16(p))
		}
	}
	cfg.CipherSuites = slices.Clone(cfg.CipherSuites)
	if cfg.CipherSuites == nil {
		cfg.CipherSuites = defaultCipherSuites[:]
	}
	for _, id := range cfg.CipherSuites {
		if suiteByID(id) == nil {
			bad("CipherSuites has unknown %#04x", id)
		}
	}
	if cfg.MinVersion == 0 {
		cfg.MinVersion = Version12
	}
	if cfg.MaxVersion == 0 {
		cfg.MaxVersion = Version13
	}
	for _, v := range [...]uint16{cfg.MinVersion, cfg.MaxVersion} {
		if v != Version12 && v != Version13 {
			bad("MinVersion or MaxVersion is %#04x", v)
		}
	}
	if !cfg.does(Version12) && !cfg.does(Version13) {
		bad("CipherSuites has none of the versions from %#04x to %#04x", cfg.MinVersion, cfg.MaxVersion)
	}
	if cfg.MTU == 0 {
		cfg.MTU = defaultMTU
	}
	if cfg.MTU < minMTU || cfg.MTU > maxMTU {
		bad("MTU is %d", cfg.MTU)
	}
	if cfg.KeyLife == 0 {
		cfg.KeyLife = maxSealed13
	}
	if cfg.KeyLife > maxSealed13 {
		bad("KeyLife is %d", cfg.KeyLife)
	}
	if cfg.InitialRTO == 0 {
		cfg.InitialRTO = minRTO
	}
	if cfg.MaxRTO == 0 {
		cfg.MaxRTO = defaultMaxRTO
	}
	if cfg.InitialRTO < 0 || cfg.MaxRTO < 0 {
		bad("InitialRTO and MaxRTO are %v and %v", cfg.InitialRTO, cfg.MaxRTO)
	}
	if cfg.HandshakeTimeout == 0 {
		cfg.HandshakeTimeout = defaultHandshakeTimeout
	}
	if cfg.HandshakeTimeout < 0 {
		bad("HandshakeTimeout is %v", cfg.HandshakeTimeout)
	}
	return cfg, errors.Join(errs...)
}

// does says whether a version is offered and accepted. On the wire versions are ones' complements: the later has the smaller number.
func (cfg *Config) does(version uint16) bool {
	return version <= cfg.MinVersion && version >= cfg.MaxVersion && slices.ContainsFunc(cfg.CipherSuites, func(id uint16) bool {
		s := suiteByID(id)
		return s != nil && s.tls13 == (version == Version13)
	})
}

// appendSuites appends the cipher suites of a version, in order of preference.
func (cfg *Config) appendSuites(ids []uint16, tls13 bool) []uint16 {
	for _, id := range cfg.CipherSuites {
		if suiteByID(id).tls13 == tls13 {
			ids = append(ids, id)
		}
	}
	return ids
}

// Certificate is a chain of DER certificates, the leaf first, and the leaf's key: ECDSA on P-256 or P-384, Ed25519 or RSA. Neither changes
// after the first use.
type Certificate struct {
	Chain      [][]byte
	PrivateKey crypto.Signer

	fingerprint Fingerprint // has a Value when Check has found nothing: copies need not be checked again
}

// Check tells why the certificate cannot be used; nil: it can. It remembers that, so that a certificate of many connections is parsed once.
func (c *Certificate) Check() error {
	if c.fingerprint.Value != nil {
		return nil
	}
	if len(c.Chain) == 0 || c.PrivateKey == nil {
		return errors.New("has no chain or no key")
	}
	if size := c.size(); len(c.Chain) > maxChain || size > maxMessage {
		return fmt.Errorf("%d certificates with %d bytes are too many", len(c.Chain), size)
	}
	// Our own is looked at more closely than a peer's: not everybody may be as content as publicKeyOf.
	if _, err := x509.ParseCertificate(c.Chain[0]); err != nil {
		return err
	}
	public, _, err := publicKeyOf(c.Chain[0])
	if err != nil {
		return err
	}
	// All public keys of the standard library have it.
	if k, ok := public.(interface{ Equal(crypto.PublicKey) bool }); !ok || !k.Equal(c.PrivateKey.Public()) {
		return errors.New("key is not the certificate's")
	}
	c.fingerprint = fingerprintSHA256(c.Chain[0])
	return nil
}

// Fingerprint is by SHA-256, and there when Check has found nothing.
func (c *Certificate) Fingerprint() Fingerprint { return c.fingerprint }

// append appends the body of the Certificate message.
func (c *Certificate) append(b []byte) []byte { return appendCertificate(b, c.Chain) }

// append13 appends the body of the Certificate message of 1.3.
func (c *Certificate) append13(b []byte) []byte { return (&certificate13{chain: c.Chain}).append(b) }

// size is that of the body of the Certificate message of 1.3, which is the larger.
func (c *Certificate) size() int {
	n := 4
	for _, der := range c.Chain {
		n += 5 + len(der)
	}
	return n
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
