package dtls

import (
	"crypto/hmac"
	"hash"
)

const (
	masterSecretLen = 48
	verifyDataLen   = 12
)

// prf12 is the pseudorandom function of TLS 1.2 (RFC 5246 section 5).
//
//	PRF(secret, label, seed) = P_<hash>(secret, label + seed)
//	P_hash(secret, seed) = HMAC_hash(secret, A(1) + seed) + HMAC_hash(secret, A(2) + seed) + ...
//	A(0) = seed, A(i) = HMAC_hash(secret, A(i-1))
//
// mac is HMAC_hash with the secret.
func prf12(mac hash.Hash, label string, n int, seed ...[]byte) []byte {
	labeled := append(make([]byte, 0, 128), label...)
	for _, s := range seed {
		labeled = append(labeled, s...)
	}
	mac.Reset()
	mac.Write(labeled)
	a := mac.Sum(nil)
	for out := make([]byte, 0, n+mac.Size()); ; {
		mac.Reset()
		mac.Write(a)
		mac.Write(labeled)
		if out = mac.Sum(out); len(out) >= n {
			return out[:n]
		}
		mac.Reset()
		mac.Write(a)
		a = mac.Sum(a[:0])
	}
}

func newMAC(s *cipherSuite, secret []byte) hash.Hash { return hmac.New(s.hash.New, secret) }

// keyBlock derives the ciphers of both directions (RFC 5246 section 6.3).
func keyBlock(s *cipherSuite, master hash.Hash, clientRandom, serverRandom []byte) (client, server *recordCipher) {
	k, iv := s.keyLen, s.ivLen()
	b := prf12(master, "key expansion", 2*k+2*iv, serverRandom, clientRandom)
	return newRecordCipher(s, b[:k], b[2*k:2*k+iv]), newRecordCipher(s, b[k:2*k], b[2*k+iv:])
}
