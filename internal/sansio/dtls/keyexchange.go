package dtls

import (
	"crypto/ecdh"
	"fmt"
	"io"
)

// Named groups (RFC 8422 section 5.1.1).
const (
	groupP256   = 0x0017
	groupP384   = 0x0018
	groupX25519 = 0x001d
)

// groups are in the order of our preference. On P-256, which every WebRTC stack has, a key and an agreement cost less than
// on X25519 with the standard library.
var groups = [...]uint16{groupP256, groupX25519, groupP384}

func curveByID(id uint16) ecdh.Curve {
	switch id {
	case groupP256:
		return ecdh.P256()
	case groupP384:
		return ecdh.P384()
	case groupX25519:
		return ecdh.X25519()
	}
	return nil
}

// newShare makes an ephemeral key. Curve.GenerateKey would not take our randomness.
func newShare(rand io.Reader, group uint16) (*ecdh.PrivateKey, error) {
	raw := make([]byte, 32)
	if group == groupP384 {
		raw = make([]byte, 48)
	}
	for range maxKeyTries {
		if _, err := io.ReadFull(rand, raw); err != nil {
			return nil, fmt.Errorf("dtls: reading randomness: %w", err)
		}
		if key, err := curveByID(group).NewPrivateKey(raw); err == nil {
			return key, nil
		}
	}
	return nil, fmt.Errorf("dtls: randomness gives no key in %d tries", maxKeyTries)
}

// agree computes the premaster secret with the peer's point.
func agree(own *ecdh.PrivateKey, point []byte) ([]byte, error) {
	// The curve refuses points that are not on it, and X25519 the result of all zeros (RFC 8422 section 5.11).
	peer, err := own.Curve().NewPublicKey(point)
	if err != nil {
		return nil, err
	}
	return own.ECDH(peer)
}
