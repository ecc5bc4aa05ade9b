package dtls

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Signature schemes (RFC 8446 section 4.2.3). In TLS 1.2 the ECDSA ones bind the hash, in 1.3 the curve too.
const (
	schemePKCS1SHA256 = 0x0401
	schemePKCS1SHA384 = 0x0501
	schemePKCS1SHA512 = 0x0601
	schemeECDSASHA256 = 0x0403
	schemeECDSASHA384 = 0x0503
	schemePSSSHA256   = 0x0804
	schemePSSSHA384   = 0x0805
	schemePSSSHA512   = 0x0806
	schemeEd25519     = 0x0807
)

type keyKind uint8

const (
	keyECDSA keyKind = iota + 1
	keyEd25519
	keyRSA
)

type signatureScheme struct {
	id   uint16
	kind keyKind
	hash crypto.Hash // 0: the scheme signs the message itself
	pss  bool
}

// signatureSchemes are all that we accept, in the order of preference. PKCS #1 is before PSS because it needs no randomness.
var signatureSchemes = [...]signatureScheme{
	{schemeECDSASHA256, keyECDSA, crypto.SHA256, false},
	{schemeECDSASHA384, keyECDSA, crypto.SHA384, false},
	{schemeEd25519, keyEd25519, 0, false},
	{schemePKCS1SHA256, keyRSA, crypto.SHA256, false},
	{schemePKCS1SHA384, keyRSA, crypto.SHA384, false},
	{schemePKCS1SHA512, keyRSA, crypto.SHA512, false},
	{schemePSSSHA256, keyRSA, crypto.SHA256, true},
	{schemePSSSHA384, keyRSA, crypto.SHA384, true},
	{schemePSSSHA512, keyRSA, crypto.SHA512, true},
}

var schemeIDs = func() (ids [len(signatureSchemes)]uint16) {
	for i := range signatureSchemes {
		ids[i] = signatureSchemes[i].id
	}
	return ids
}()

func schemeByID(id uint16) *signatureScheme {
	for i := range signatureSchemes {
		if signatureSchemes[i].id == id {
			return &signatureSchemes[i]
		}
	}
	return nil
}

// pickScheme chooses how key signs, from what the peer can verify.
func pickScheme(key crypto.PublicKey, offered []uint16) *signatureScheme {
	kind := kindOf(key)
	if k, ok := key.(*ecdsa.PublicKey); ok && k.Curve == elliptic.P384() && slices.Contains(offered, schemeECDSASHA384) {
		return schemeByID(schemeECDSASHA384)
	}
	for i := range signatureSchemes {
		if s := &signatureSchemes[i]; s.kind == kind && slices.Contains(offered, s.id) {
			return s
		}
	}
	return nil
}

// schemeFits13 says whether key may sign with a scheme in DTLS 1.3, where a scheme of ECDSA names the curve too. RFC 8446 section 4.4.3: "RSA
// signatures MUST use an RSASSA-PSS algorithm, regardless of whether RSASSA-PKCS1-v1_5 algorithms appear in "signature_algorithms"."
func schemeFits13(s *signatureScheme, key crypto.PublicKey) bool {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		return s.id == schemeECDSASHA256 && k.Curve == elliptic.P256() || s.id == schemeECDSASHA384 && k.Curve == elliptic.P384()
	case *rsa.PublicKey:
		return s.pss
	}
	return s.kind == kindOf(key)
}

// pickScheme13 is pickScheme for DTLS 1.3.
func pickScheme13(key crypto.PublicKey, offered []uint16) *signatureScheme {
	for i := range signatureSchemes {
		if s := &signatureSchemes[i]; schemeFits13(s, key) && slices.Contains(offered, s.id) {
			return s
		}
	}
	return nil
}

// RSA keys that verify in bounded time and are not known to be breakable.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// kindOf is the kind of a public key, 0 if we do not take it.
func kindOf(key crypto.PublicKey) keyKind {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() || k.Curve == elliptic.P384() {
			return keyECDSA
		}
	case ed25519.PublicKey:
		return keyEd25519
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n >= minRSABits && n <= maxRSABits {
			return keyRSA
		}
	}
	return 0
}

// publicKeyOf is the key of a leaf certificate. Nothing else in the certificate matters, as the SDP vouches for its hash: the rest has to be
// of the right form, but is not read.
func publicKeyOf(der []byte) (crypto.PublicKey, keyKind, error) {
	info, ok := publicKeyInfo(der)
	if !ok {
		return nil, 0, errors.New("dtls: malformed certificate")
	}
	if point, ok := bytes.CutPrefix(info, p256Info); ok { // as nearly all are: the parser below takes 6 µs more
		key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
		if err != nil {
			return nil, 0, err
		}
		return key, keyECDSA, nil
	}
	key, err := x509.ParsePKIXPublicKey(info)
	if err != nil {
		return nil, 0, err
	}
	kind := kindOf(key)
	if kind == 0 {
		return nil, 0, fmt.Errorf("dtls: certificate with a key of an unsupported kind (%T)", key)
	}
	return key, kind, nil
}

// p256Info is what comes before the point in the SubjectPublicKeyInfo of a P-256 key (RFC 5480 section 2): the lengths, the identifiers
// id-ecPublicKey and secp256r1, and the BIT STRING that is whole bytes.
var p256Info = []byte("\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00")

// publicKeyInfo is the SubjectPublicKeyInfo of a certificate (RFC 5280 section 4.1).
//
//	Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm SEQUENCE, signatureValue BIT STRING }
//	TBSCertificate ::= SEQUENCE { version [0] DEFAULT v1, serialNumber INTEGER, signature SEQUENCE, issuer SEQUENCE, validity SEQUENCE,
//		subject SEQUENCE, subjectPublicKeyInfo SEQUENCE, [1], [2], [3] OPTIONAL }
func publicKeyInfo(der []byte) ([]byte, bool) {
	s := cryptobyte.String(der)
	var certificate, tbs, key cryptobyte.String
	ok := s.ReadASN1(&certificate, asn1.SEQUENCE) && s.Empty() &&
		certificate.ReadASN1(&tbs, asn1.SEQUENCE) &&
		certificate.SkipASN1(asn1.SEQUENCE) && certificate.SkipASN1(asn1.BIT_STRING) && certificate.Empty() &&
		tbs.SkipOptionalASN1(asn1.Tag(0).Constructed().ContextSpecific()) &&
		tbs.SkipASN1(asn1.INTEGER) && tbs.SkipASN1(asn1.SEQUENCE) && tbs.SkipASN1(asn1.SEQUENCE) && tbs.SkipASN1(asn1.SEQUENCE) &&
		tbs.SkipASN1(asn1.SEQUENCE) && tbs.ReadASN1Element(&key, asn1.SEQUENCE) &&
		tbs.SkipOptionalASN1(asn1.Tag(1).ContextSpecific()) && tbs.SkipOptionalASN1(asn1.Tag(2).ContextSpecific()) &&
		tbs.SkipOptionalASN1(asn1.Tag(3).Constructed().ContextSpecific()) && tbs.Empty()
	return key, ok
}

// digest is what is signed. It is no part of msg, which may be on the stack.
func (s *signatureScheme) digest(msg []byte) []byte {
	if s.hash == 0 {
		return bytes.Clone(msg)
	}
	return appendSum(nil, s.hash, msg)
}

func (s *signatureScheme) options() crypto.SignerOpts {
	if s.pss {
		return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: s.hash}
	}
	return s.hash
}

func (s *signatureScheme) sign(key crypto.Signer, rand io.Reader, msg []byte) ([]byte, error) {
	if _, ok := key.(*ecdsa.PrivateKey); ok {
		rand = nil // deterministic, RFC 6979
	}
	return key.Sign(rand, s.digest(msg), s.options())
}

var errBadSignature = errors.New("dtls: signature does not verify")

// verify checks that msg was signed by the owner of key.
func (s *signatureScheme) verify(key crypto.PublicKey, msg, sig []byte) error {
	ok := false
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		ok = s.kind == keyECDSA && ecdsa.VerifyASN1(k, s.digest(msg), sig)
	case ed25519.PublicKey:
		ok = s.kind == keyEd25519 && ed25519.Verify(k, msg, sig)
	case *rsa.PublicKey:
		switch {
		case s.kind != keyRSA:
		case s.pss:
			ok = rsa.VerifyPSS(k, s.hash, s.digest(msg), sig, s.options().(*rsa.PSSOptions)) == nil
		default:
			ok = rsa.VerifyPKCS1v15(k, s.hash, s.digest(msg), sig) == nil
		}
	}
	if !ok {
		return errBadSignature
	}
	return nil
}
