package dtls

import (
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

// appendHMAC appends HMAC (RFC 2104) of a message in pieces. With crypto/hmac each key costs half a kB on the heap; a handshake has 26 on either
// side, most of them used once, and that was a twentieth of its CPU time.
func appendHMAC(dst []byte, h crypto.Hash, key []byte, message ...[]byte) []byte {
	var room [256]byte // for all that is not exported under a long label
	b := appendPad(room[:0], h, key, 0x36)
	for _, piece := range message {
		b = append(b, piece...)
	}
	var inner [maxHashLen]byte
	sum := appendSum(inner[:0], h, b)
	return appendSum(dst, h, append(appendPad(room[:0], h, key, 0x5c), sum...))
}

// appendPad appends a block of the key XORed with the byte fill.
func appendPad(b []byte, h crypto.Hash, key []byte, fill byte) []byte {
	size := 128
	if h == crypto.SHA256 {
		size = 64
	}
	var block [128]byte
	for i := range size {
		block[i] = fill
	}
	subtle.XORBytes(block[:], block[:], key)
	return append(b, block[:size]...)
}

// appendSum appends the hash of b.
func appendSum(dst []byte, h crypto.Hash, b []byte) []byte {
	if h == crypto.SHA256 {
		sum := sha256.Sum256(b)
		return append(dst, sum[:]...)
	}
	sum := sha512.Sum384(b)
	return append(dst, sum[:]...)
}

// expandLabel is HKDF-Expand-Label (RFC 8446 section 7.1).
func expandLabel(h crypto.Hash, secret []byte, label string, context []byte, n int) []byte {
	out := make([]byte, n)
	fillLabel(out, h, secret, label, context)
	return out
}

// fillLabel is expandLabel for as many bytes as out has. It is RFC 5869's HKDF-Expand(secret, HkdfLabel, length), where
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

// deriveSecret is Derive-Secret (RFC 8446 section 7.1), with the hash of the messages in place of the messages.
func deriveSecret(h crypto.Hash, secret []byte, label string, transcriptHash []byte) []byte {
	return expandLabel(h, secret, label, transcriptHash, h.Size())
}

// schedule13 is the key schedule of RFC 8446 section 7.1 without a PSK, from the early secret down. Each step replaces the secret of the one
// before it.
type schedule13 struct {
	hash   crypto.Hash
	secret []byte
}

func newSchedule13(h crypto.Hash) schedule13 {
	s := schedule13{hash: h, secret: make([]byte, h.Size())}
	s.extract(make([]byte, h.Size())) // no PSK: "the 0-value consisting of a string of Hash.length bytes set to zeros"
	return s
}

// extract is HKDF-Extract (RFC 5869 section 2.2) with the secret so far as the salt.
func (s *schedule13) extract(input []byte) {
	s.secret = appendHMAC(nil, s.hash, s.secret, input)
}

// next goes on to the handshake secret, and from there to the master secret.
func (s *schedule13) next(input []byte) {
	s.secret = deriveSecret(s.hash, s.secret, "derived", appendSum(nil, s.hash, nil))
	s.extract(input)
}

// handshake takes the shared secret of the key exchange and the hash of the messages up to ServerHello, and returns the traffic secrets of
// the handshake.
func (s *schedule13) handshake(shared, transcriptHash []byte) (client, server []byte) {
	s.next(shared)
	return deriveSecret(s.hash, s.secret, "c hs traffic", transcriptHash), deriveSecret(s.hash, s.secret, "s hs traffic", transcriptHash)
}

// application takes the hash of the messages up to the server's Finished, and returns the first traffic secrets of application data and
// exporter_master_secret. It is the last step: nothing is resumed, so the master secret is forgotten.
func (s *schedule13) application(transcriptHash []byte) (client, server, exporter []byte) {
	s.next(make([]byte, s.hash.Size()))
	master := s.secret
	s.secret = nil
	return deriveSecret(s.hash, master, "c ap traffic", transcriptHash), deriveSecret(s.hash, master, "s ap traffic", transcriptHash),
		deriveSecret(s.hash, master, "exp master", transcriptHash)
}

// nextSecret is the application traffic secret behind a KeyUpdate (RFC 8446 section 7.2).
func nextSecret(h crypto.Hash, secret []byte) []byte {
	return expandLabel(h, secret, "traffic upd", nil, h.Size())
}

// finishedMAC is the verify_data of Finished (RFC 8446 section 4.4.4) with the handshake traffic secret of whoever sends it.
func finishedMAC(h crypto.Hash, secret, transcriptHash []byte) []byte {
	var key [maxHashLen]byte
	fillLabel(key[:h.Size()], h, secret, "finished", nil)
	return appendHMAC(nil, h, key[:h.Size()], transcriptHash)
}

// export13 is the exporter (RFC 8446 section 7.5), which makes no difference between no context and an empty one. The caller has checked that
// label is not over maxLabel and n not over 255 hashes.
func export13(h crypto.Hash, exporterSecret []byte, label string, context []byte, n int) []byte {
	secret := deriveSecret(h, exporterSecret, label, appendSum(nil, h, nil))
	return expandLabel(h, secret, "exporter", appendSum(nil, h, context), n)
}
