package dtls

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/binary"
)

// labelPrefix is DTLS 1.3's own. RFC 9147 section 5.9: "that label SHALL be "dtls13" [...] Note that there is no trailing space".
const labelPrefix = "dtls13"

// maxLabel is what HkdfLabel's field leaves for a label behind the prefix.
const maxLabel = 255 - len(labelPrefix)

// maxHashLen is SHA-384's, the longest.
const maxHashLen = 48

// maxBlockLen is the block of SHA-384, the longest.
const maxBlockLen = 128

// The bytes with which HMAC (RFC 2104) pads a key to a block.
var innerPad, outerPad = bytes.Repeat([]byte{0x36}, maxBlockLen), bytes.Repeat([]byte{0x5c}, maxBlockLen)

// appendHMAC appends HMAC (RFC 2104) of a message in pieces. With crypto/hmac each key costs half a kB on the heap; a handshake has 24 on either
// side, most of them used once, and that was a twentieth of its CPU time.
func appendHMAC(dst []byte, h crypto.Hash, key []byte, message ...[]byte) []byte {
	var innerRoom [2 * maxBlockLen]byte // for all that is not exported under a long label
	var outerRoom [maxBlockLen + maxHashLen]byte
	inner, outer := appendPadded(innerRoom[:0], h, key, innerPad), appendPadded(outerRoom[:0], h, key, outerPad)
	for _, piece := range message {
		inner = append(inner, piece...)
	}
	return appendSum(dst, h, appendSum(outer, h, inner))
}

// appendPadded appends a block of the key XORed with the pad. No key here is longer than a block.
func appendPadded(b []byte, h crypto.Hash, key, pad []byte) []byte {
	size := maxBlockLen
	if h == crypto.SHA256 {
		size = sha256.BlockSize
	}
	b = append(b, pad[:size]...)
	subtle.XORBytes(b, b, key)
	return b
}

// appendSum appends the hash of b: SHA-256, SHA-384 or SHA-512.
func appendSum(dst []byte, h crypto.Hash, b []byte) []byte {
	switch h {
	case crypto.SHA256:
		sum := sha256.Sum256(b)
		return append(dst, sum[:]...)
	case crypto.SHA384:
		sum := sha512.Sum384(b)
		return append(dst, sum[:]...)
	}
	sum := sha512.Sum512(b)
	return append(dst, sum[:]...)
}

// fillLabel is HKDF-Expand-Label (RFC 8446 section 7.1) for as many bytes as out has. It is RFC 5869's HKDF-Expand(secret, HkdfLabel, length), where
// T(i) = HMAC-Hash(secret, T(i-1) | HkdfLabel | i).
//
//	uint16 length; opaque label<7..255> = "dtls13" + Label; opaque context<0..255>;
func fillLabel(out []byte, h crypto.Hash, secret []byte, label string, context []byte) {
	if len(label) > maxLabel || len(context) > 255 || len(out) > 255*h.Size() {
		panic("BUG: dtls: HKDF label, context or length too long")
	}
	info := make([]byte, 0, 128)
	info = binary.BigEndian.AppendUint16(info, uint16(len(out)))
	info = append(info, byte(len(labelPrefix)+len(label)))
	info = append(info, labelPrefix...)
	info = append(info, label...)
	info = appendVector8(info, context)
	info = append(info, 0)
	var last [maxHashLen]byte
	for t := last[:0]; len(out) > 0; out = out[copy(out, t):] {
		info[len(info)-1]++
		t = appendHMAC(last[:0], h, secret, t, info)
	}
}

// secret13 is a secret of the key schedule. It is in what uses it, and ends with that.
type secret13 struct {
	b [maxHashLen]byte
	n uint8 // bytes of the hash; 0: there is none
}

func (s *secret13) bytes() []byte { return s.b[:s.n] }

// deriveSecret is Derive-Secret (RFC 8446 section 7.1), with the hash of the messages in place of the messages.
func deriveSecret(h crypto.Hash, secret []byte, label string, transcriptHash []byte) (derived secret13) {
	derived.n = uint8(h.Size())
	fillLabel(derived.bytes(), h, secret, label, transcriptHash)
	return derived
}

// schedule13 is the key schedule of RFC 8446 section 7.1 without a PSK, from the handshake secret down. Each step replaces the secret of the one
// before it.
type schedule13 struct {
	hash   crypto.Hash
	secret secret13 // before a step, the salt that it extracts with
}

// firstSalt256 and firstSalt384 are what the schedules begin with, which is nobody's secret: what is derived from an early secret without a PSK.
var firstSalt256, firstSalt384 = firstSalt(crypto.SHA256), firstSalt(crypto.SHA384)

func firstSalt(h crypto.Hash) secret13 {
	var zeros [maxHashLen]byte // no PSK: "the 0-value consisting of a string of Hash.length bytes set to zeros"
	early := appendHMAC(nil, h, zeros[:h.Size()], zeros[:h.Size()])
	return nextSalt(h, early)
}

// nextSalt is between two extractions.
func nextSalt(h crypto.Hash, secret []byte) secret13 {
	var empty [maxHashLen]byte
	return deriveSecret(h, secret, "derived", appendSum(empty[:0], h, nil))
}

func newSchedule13(h crypto.Hash) schedule13 {
	if h == crypto.SHA256 {
		return schedule13{h, firstSalt256}
	}
	return schedule13{h, firstSalt384}
}

// extract is HKDF-Extract (RFC 5869 section 2.2).
func (s *schedule13) extract(input []byte) {
	appendHMAC(s.secret.b[:0], s.hash, s.secret.bytes(), input)
}

// handshake takes the shared secret of the key exchange and the hash of the messages up to ServerHello, and returns the traffic secrets of
// the handshake.
func (s *schedule13) handshake(shared, transcriptHash []byte) (client, server secret13) {
	s.extract(shared)
	secret := s.secret.bytes()
	return deriveSecret(s.hash, secret, "c hs traffic", transcriptHash), deriveSecret(s.hash, secret, "s hs traffic", transcriptHash)
}

// application takes the hash of the messages up to the server's Finished, and returns the first traffic secrets of application data and
// exporter_master_secret. It is the last step: nothing is resumed, so the master secret is forgotten.
func (s *schedule13) application(transcriptHash []byte) (client, server, exporter secret13) {
	var zeros [maxHashLen]byte
	s.secret = nextSalt(s.hash, s.secret.bytes())
	s.extract(zeros[:s.hash.Size()])
	master := s.secret
	s.secret = secret13{}
	return deriveSecret(s.hash, master.bytes(), "c ap traffic", transcriptHash), deriveSecret(s.hash, master.bytes(), "s ap traffic", transcriptHash),
		deriveSecret(s.hash, master.bytes(), "exp master", transcriptHash)
}

// nextSecret is the application traffic secret behind a KeyUpdate (RFC 8446 section 7.2).
func nextSecret(h crypto.Hash, secret secret13) secret13 {
	return deriveSecret(h, secret.bytes(), "traffic upd", nil)
}

// appendFinished appends the verify_data of Finished (RFC 8446 section 4.4.4) with the handshake traffic secret of whoever sends it.
func appendFinished(dst []byte, h crypto.Hash, secret, transcriptHash []byte) []byte {
	key := deriveSecret(h, secret, "finished", nil)
	return appendHMAC(dst, h, key.bytes(), transcriptHash)
}

// export13 is the exporter (RFC 8446 section 7.5), which makes no difference between no context and an empty one. The caller has checked that
// label is not over maxLabel and n not over 255 hashes.
func export13(h crypto.Hash, exporterSecret []byte, label string, context []byte, n int) []byte {
	secret := deriveSecret(h, exporterSecret, label, appendSum(nil, h, nil))
	out := make([]byte, n)
	fillLabel(out, h, secret.bytes(), "exporter", appendSum(nil, h, context))
	return out
}
