package dtls

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"time"
)

// GenerateCertificate makes a self-signed ECDSA P-256 certificate that is valid from a day before now, for peers whose clocks are slow,
// until notAfter. The same bytes from rand give the same certificate.
func GenerateCertificate(rand io.Reader, now, notAfter time.Time) (Certificate, error) {
	if !notAfter.After(now) {
		return Certificate{}, fmt.Errorf("dtls: certificate would expire at %v, before %v", notAfter, now)
	}
	key, err := generateKey(rand)
	if err != nil {
		return Certificate{}, err
	}
	var serial [16]byte
	if _, err := io.ReadFull(rand, serial[:]); err != nil {
		return Certificate{}, fmt.Errorf("dtls: reading randomness: %w", err)
	}
	// RFC 5280 section 4.1.2.2: "The serial number MUST be a positive integer". It says nothing of us, nor does the name.
	serial[0] = serial[0]&0x7f | 0x40
	template := x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial[:]),
		Subject:      pkix.Name{CommonName: "WebRTC"},
		NotBefore:    now.Add(-24 * time.Hour),
		NotAfter:     notAfter,
	}
	// No randomness: the signature is deterministic (RFC 6979).
	der, err := x509.CreateCertificate(nil, &template, &template, key.Public(), key)
	if err != nil {
		return Certificate{}, fmt.Errorf("dtls: creating certificate: %w", err)
	}
	return Certificate{Chain: [][]byte{der}, PrivateKey: key, fingerprint: fingerprintSHA256(der)}, nil
}

// maxKeyTries bounds the search for a scalar in range: with honest randomness one try fails with a probability under 2^-32.
const maxKeyTries = 16

func generateKey(rand io.Reader) (*ecdsa.PrivateKey, error) {
	var raw [32]byte
	for range maxKeyTries {
		if _, err := io.ReadFull(rand, raw[:]); err != nil {
			return nil, fmt.Errorf("dtls: reading randomness: %w", err)
		}
		if key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), raw[:]); err == nil {
			return key, nil
		}
	}
	return nil, fmt.Errorf("dtls: randomness gives no key in %d tries", maxKeyTries)
}
