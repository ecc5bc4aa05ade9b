package dtls

import (
	"crypto"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"strings"
)

// Fingerprint is a hash of a DER certificate, as in SDP's a=fingerprint (RFC 8122 section 5).
type Fingerprint struct {
	Algorithm string // "sha-256", "sha-384" or "sha-512"; others are carried, but never match
	Value     []byte
}

// ParseFingerprint reads the two fields of an a=fingerprint attribute. An algorithm that is not supported is no error: a peer may give
// several fingerprints, and one that can be checked is enough.
func ParseFingerprint(algorithm, colonHex string) (Fingerprint, error) {
	var room [128]byte
	digits := room[:0]
	wellFormed := len(colonHex)%3 == 2 // pairs of digits between single colons, nothing else
	for i := range len(colonHex) {
		if i%3 < 2 {
			digits = append(digits, colonHex[i])
		} else {
			wellFormed = wellFormed && colonHex[i] == ':'
		}
	}
	value := make([]byte, len(digits)/2)
	if _, err := hex.Decode(value, digits); err != nil || !wellFormed {
		return Fingerprint{}, fmt.Errorf("dtls: fingerprint %q is no bytes between colons", colonHex)
	}
	if h := fingerprintHash(algorithm); h != 0 && len(value) != h.Size() {
		return Fingerprint{}, fmt.Errorf("dtls: fingerprint: %d bytes for %s", len(value), algorithm)
	}
	return Fingerprint{strings.ToLower(algorithm), value}, nil
}

// FingerprintOf hashes a DER certificate.
func FingerprintOf(der []byte, algorithm string) (Fingerprint, error) {
	h := fingerprintHash(algorithm)
	if h == 0 {
		return Fingerprint{}, fmt.Errorf("dtls: fingerprint: unsupported algorithm %q", algorithm)
	}
	return Fingerprint{strings.ToLower(algorithm), appendSum(nil, h, der)}, nil
}

func fingerprintSHA256(der []byte) Fingerprint {
	return Fingerprint{"sha-256", appendSum(nil, crypto.SHA256, der)}
}

// String is the value in SDP's form: upper-case hex bytes between colons.
func (f Fingerprint) String() string {
	const digits = "0123456789ABCDEF"
	s := make([]byte, 0, 3*sha512.Size)
	for i, b := range f.Value {
		if i > 0 {
			s = append(s, ':')
		}
		s = append(s, digits[b>>4], digits[b&15])
	}
	return string(s)
}

// fingerprintHash is the hash that algorithm names, or 0. MD2 and MD5 are forbidden by RFC 8122 section 5, and SHA-1 no longer
// resists collisions either.
func fingerprintHash(algorithm string) crypto.Hash {
	switch strings.ToLower(algorithm) {
	case "sha-256":
		return crypto.SHA256
	case "sha-384":
		return crypto.SHA384
	case "sha-512":
		return crypto.SHA512
	}
	return 0
}
