package dtls

import (
	"crypto/ecdh"
	"crypto/mlkem"
	"errors"
	"fmt"
	"io"
)

// Named groups (RFC 8422 section 5.1.1, draft-ietf-tls-ecdhe-mlkem).
const (
	groupP256           = 0x0017
	groupP384           = 0x0018
	groupX25519         = 0x001d
	groupX25519MLKEM768 = 0x11ec // of DTLS 1.3 alone
)

// groups are in the order of our preference. On P-256, which every WebRTC stack has, a key and an agreement cost less than
// on X25519 with the standard library.
var groups = [...]uint16{groupP256, groupX25519, groupP384}

// groups13 are those of DTLS 1.3, the one that a quantum computer does not break first.
var groups13 = [...]uint16{groupX25519MLKEM768, groupP256, groupX25519, groupP384}

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
			return nil, fmt.Errorf("%w: %w", errRandomness, err)
		}
		if key, err := curveByID(group).NewPrivateKey(raw); err == nil {
			return key, nil
		}
	}
	return nil, fmt.Errorf("%w for a key in %d tries", errRandomness, maxKeyTries)
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

const x25519Len = 32

// share13 is a client's part of the key exchange of DTLS 1.3 with one group. X25519MLKEM768 is both: what is sent and what is agreed on are
// those of ML-KEM followed by those of X25519.
type share13 struct {
	group uint16
	curve *ecdh.PrivateKey
	kem   *mlkem.DecapsulationKey768 // of X25519MLKEM768
}

// curveOf is the group whose curve group uses.
func curveOf(group uint16) uint16 {
	if group == groupX25519MLKEM768 {
		return groupX25519
	}
	return group
}

// newShare13 makes a client's share of one of groups13.
func newShare13(rand io.Reader, group uint16) (s share13, err error) {
	s.group = group
	if s.curve, err = newShare(rand, curveOf(group)); err != nil || group != groupX25519MLKEM768 {
		return s, err
	}
	seed := make([]byte, mlkem.SeedSize)
	if _, err := io.ReadFull(rand, seed); err != nil {
		return s, fmt.Errorf("%w: %w", errRandomness, err)
	}
	s.kem, err = mlkem.NewDecapsulationKey768(seed)
	return s, err
}

// public is what key_share carries.
func (s *share13) public() []byte {
	if s.kem == nil {
		return s.curve.PublicKey().Bytes()
	}
	return append(s.kem.EncapsulationKey().Bytes(), s.curve.PublicKey().Bytes()...)
}

// finish computes the shared secret with the server's share.
func (s *share13) finish(server []byte) ([]byte, error) {
	if s.kem == nil {
		return agree(s.curve, server)
	}
	if len(server) != mlkem.CiphertextSize768+x25519Len {
		return nil, errBadShare
	}
	secret, err := s.kem.Decapsulate(server[:mlkem.CiphertextSize768])
	if err != nil {
		return nil, err
	}
	return appendAgreed(secret, s.curve, server[mlkem.CiphertextSize768:])
}

// answerShare13 makes a server's share for a client's, and the shared secret. The randomness of ML-KEM's part is its own: crypto/mlkem takes no other.
func answerShare13(rand io.Reader, group uint16, client []byte) (public, secret []byte, err error) {
	if group == groupX25519MLKEM768 {
		if len(client) != mlkem.EncapsulationKeySize768+x25519Len {
			return nil, nil, errBadShare
		}
		kem, err := mlkem.NewEncapsulationKey768(client[:mlkem.EncapsulationKeySize768])
		if err != nil {
			return nil, nil, err
		}
		client = client[mlkem.EncapsulationKeySize768:]
		secret, public = kem.Encapsulate()
	}
	own, err := newShare(rand, curveOf(group))
	if err != nil {
		return nil, nil, err
	}
	secret, err = appendAgreed(secret, own, client)
	return append(public, own.PublicKey().Bytes()...), secret, err
}

var errBadShare = errors.New("dtls: key share of a wrong length")

// appendAgreed appends the secret that two points give.
func appendAgreed(secret []byte, own *ecdh.PrivateKey, point []byte) ([]byte, error) {
	agreed, err := agree(own, point)
	return append(secret, agreed...), err
}
