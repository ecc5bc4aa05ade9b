package dtls

import (
	"crypto"
	"crypto/hmac"
	"encoding/binary"
	"hash"
)

// labelPrefix is DTLS 1.3's own. RFC 9147 section 5.9: "that label SHALL be "dtls13" [...] Note that there is no trailing space".
const labelPrefix = "dtls13"

// maxLabel is what HkdfLabel's field leaves for a label behind the prefix.
const maxLabel = 255 - len(labelPrefix)

// expandLabel is HKDF-Expand-Label (RFC 8446 section 7.1).
func expandLabel(h crypto.Hash, secret []byte, label string, context []byte, n int) []byte {
	return expandWith(hmac.New(h.New, secret), label, context, n)
}

// expandWith is HKDF-Expand-Label with the HMAC of a secret from which more than one thing is derived. It is RFC 5869's HKDF-Expand(secret,
// HkdfLabel, n), where T(i) = HMAC-Hash(secret, T(i-1) | HkdfLabel | i).
//
//	uint16 length; opaque label<7..255> = "dtls13" + Label; opaque context<0..255>;
func expandWith(mac hash.Hash, label string, context []byte, n int) []byte {
	if len(label) > maxLabel || len(context) > 255 || n > 255*mac.Size() {
		panic("BUG: dtls: HKDF label, context or length too long")
	}
	info := make([]byte, 0, 128)
	info = binary.BigEndian.AppendUint16(info, uint16(n))
	info = append(info, byte(len(labelPrefix)+len(label)))
	info = append(info, labelPrefix...)
	info = append(info, label...)
	info = appendVector8(info, context)
	info = append(info, 0)
	out := make([]byte, 0, n+mac.Size())
	for last := out; len(out) < n; last = out[len(out)-mac.Size():] {
		info[len(info)-1]++
		mac.Reset()
		mac.Write(last)
		mac.Write(info)
		out = mac.Sum(out)
	}
	return out[:n]
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
	mac := hmac.New(s.hash.New, s.secret)
	mac.Write(input)
	s.secret = mac.Sum(nil)
}

// next goes on to the handshake secret, and from there to the master secret.
func (s *schedule13) next(input []byte) {
	s.secret = deriveSecret(s.hash, s.secret, "derived", s.hash.New().Sum(nil))
	s.extract(input)
}

// handshake takes the shared secret of the key exchange and the hash of the messages up to ServerHello, and returns the traffic secrets of
// the handshake.
func (s *schedule13) handshake(shared, transcriptHash []byte) (client, server []byte) {
	s.next(shared)
	mac := hmac.New(s.hash.New, s.secret)
	return expandWith(mac, "c hs traffic", transcriptHash, s.hash.Size()), expandWith(mac, "s hs traffic", transcriptHash, s.hash.Size())
}

// application takes the hash of the messages up to the server's Finished, and returns the first traffic secrets of application data and
// exporter_master_secret. It is the last step: nothing is resumed, so the master secret is forgotten.
func (s *schedule13) application(transcriptHash []byte) (client, server, exporter []byte) {
	n := s.hash.Size()
	s.next(make([]byte, n))
	mac := hmac.New(s.hash.New, s.secret)
	s.secret = nil
	return expandWith(mac, "c ap traffic", transcriptHash, n), expandWith(mac, "s ap traffic", transcriptHash, n),
		expandWith(mac, "exp master", transcriptHash, n)
}

// nextSecret is the application traffic secret behind a KeyUpdate (RFC 8446 section 7.2).
func nextSecret(h crypto.Hash, secret []byte) []byte {
	return expandLabel(h, secret, "traffic upd", nil, h.Size())
}

// finishedMAC is the verify_data of Finished (RFC 8446 section 4.4.4) with the handshake traffic secret of whoever sends it.
func finishedMAC(h crypto.Hash, secret, transcriptHash []byte) []byte {
	mac := hmac.New(h.New, expandLabel(h, secret, "finished", nil, h.Size()))
	mac.Write(transcriptHash)
	return mac.Sum(nil)
}

// export13 is the exporter (RFC 8446 section 7.5), which makes no difference between no context and an empty one. The caller has checked that
// label is not over maxLabel and n not over 255 hashes.
func export13(h crypto.Hash, exporterSecret []byte, label string, context []byte, n int) []byte {
	d := h.New()
	secret := deriveSecret(h, exporterSecret, label, d.Sum(nil))
	d.Write(context)
	return expandLabel(h, secret, "exporter", d.Sum(nil), n)
}
