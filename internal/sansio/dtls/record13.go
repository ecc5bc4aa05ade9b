package dtls

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"

	"golang.org/x/crypto/chacha20"
	"golang.org/x/crypto/chacha20poly1305"
)

// contentACK is RFC 9147 section 7's.
const contentACK = 26

// How long a key lasts (RFC 9147 section 4.5.3). RFC 8446 section 5.5 has 2^24.5 records sealed with AES-GCM; ours are fewer, for all suites.
// 2^36 is "the limit on the number of records that fail authentication".
const (
	maxSealed13   = 1 << 23
	maxOpenFailed = 1 << 36
)

// The first byte of DTLSCiphertext (RFC 9147 section 4): 001CSLEE.
const (
	unifiedFixed  = 0b0010_0000
	unifiedMask   = 0b1110_0000
	unifiedCID    = 0b0001_0000
	unifiedSeq16  = 0b0000_1000
	unifiedLength = 0b0000_0100
	unifiedEpoch  = 0b0000_0011
)

const (
	sealedHeaderLen = 5         // of what we send: first byte, number and length in two bytes each
	maskSample      = 16        // bytes of ciphertext that the mask of the number is made from
	maxInner        = 1<<14 + 1 // of DTLSInnerPlaintext, RFC 8446 section 5.2
	ivLen13         = 12        // of all suites
	maxKeyLen       = 32        // of all suites
)

// isUnified says whether a record that begins with b is a DTLSCiphertext.
func isUnified(b byte) bool { return b&unifiedMask == unifiedFixed }

// record13 is one DTLSCiphertext (RFC 9147 section 4) within a datagram. Its number is masked until its key has opened it.
type record13 struct {
	raw       []byte // header and ciphertext
	epochBits uint8  // the low two bits of the epoch
	seqLen    int    // bytes of the number
	header    int    // bytes of the header
}

// parseRecord13 splits a DTLSCiphertext from a datagram. It is not ok when the rest of the datagram cannot be understood, a connection ID, of
// which we negotiate none, included. RFC 9147 section 4: without a length "the record consumes the entire rest of the datagram".
func parseRecord13(b []byte) (r record13, rest []byte, ok bool) {
	if len(b) == 0 || !isUnified(b[0]) || b[0]&unifiedCID != 0 {
		return record13{}, nil, false
	}
	r = record13{epochBits: b[0] & unifiedEpoch, seqLen: 1}
	if b[0]&unifiedSeq16 != 0 {
		r.seqLen = 2
	}
	r.header = 1 + r.seqLen
	end := len(b)
	if b[0]&unifiedLength != 0 {
		r.header += 2
		if len(b) < r.header {
			return record13{}, nil, false
		}
		end = r.header + int(binary.BigEndian.Uint16(b[r.header-2:]))
	}
	if end < r.header || end > len(b) {
		return record13{}, nil, false
	}
	r.raw = b[:end:end]
	return r, b[end:], true
}

// cipher13 protects the records of one direction and epoch.
type cipher13 struct {
	suite *cipherSuite
	epoch uint64
	aead  cipher.AEAD
	sn    cipher.Block // makes the mask of the number, with AES
	iv    [ivLen13]byte
	key   [maxKeyLen]byte
	snKey [maxKeyLen]byte
	// What goes through an interface would escape to the heap with each record if it were not here.
	nonce [ivLen13]byte
	mask  [maskSample]byte
}

// derive makes the keys from a traffic secret (RFC 8446 section 7.3, RFC 9147 section 4.2.3).
func (k *cipher13) derive(s *cipherSuite, secret []byte, epoch uint64) {
	k.suite, k.epoch = s, epoch
	fillLabel(k.key[:s.keyLen], s.hash, secret, "key", nil)
	fillLabel(k.iv[:], s.hash, secret, "iv", nil)
	fillLabel(k.snKey[:s.keyLen], s.hash, secret, "sn", nil)
	k.expand()
}

// expand makes of the keys what works with them.
func (k *cipher13) expand() {
	key, sn := k.key[:k.suite.keyLen], k.snKey[:k.suite.keyLen]
	var err error
	if k.suite.chacha {
		k.aead, err = chacha20poly1305.New(key)
	} else {
		var block cipher.Block
		if block, err = aes.NewCipher(key); err == nil {
			if k.aead, err = cipher.NewGCM(block); err == nil {
				k.sn, err = aes.NewCipher(sn)
			}
		}
	}
	if err != nil {
		panic("BUG: dtls: key for cipher suite: " + err.Error())
	}
}

// rest gives back what expand makes again when the next record comes, 1.3 kB with AES.
func (k *cipher13) rest() { k.aead, k.sn = nil, nil }

// overhead is what seal needs before and behind the plaintext.
func (k *cipher13) overhead() (head, tail int) { return sealedHeaderLen, 1 + tagLen }

// setNonce makes the nonce of record seq: RFC 8446 section 5.3, the number, "padded to the left with zeros to iv_length", XORed with the iv.
// RFC 9147 section 4: "unlike DTLS 1.2, the epoch is not included."
func (k *cipher13) setNonce(seq uint64) {
	k.nonce = k.iv
	binary.BigEndian.PutUint64(k.nonce[4:], binary.BigEndian.Uint64(k.nonce[4:])^seq)
}

// maskNumber XORs the number in a header with the mask that the ciphertext gives, which masks it or takes the mask off. RFC 9147 section 4.2.3:
// "Mask = AES-ECB(sn_key, Ciphertext[0..15])", "Mask = ChaCha20(sn_key, Ciphertext[0..3], Ciphertext[4..15])".
func (k *cipher13) maskNumber(number, ciphertext []byte) {
	sample := ciphertext[:maskSample]
	if k.suite.chacha {
		c, err := chacha20.NewUnauthenticatedCipher(k.snKey[:], sample[4:])
		if err != nil {
			panic("BUG: dtls: key for record numbers: " + err.Error())
		}
		c.SetCounter(binary.LittleEndian.Uint32(sample))
		k.mask = [maskSample]byte{}
		c.XORKeyStream(k.mask[:2], k.mask[:2])
	} else {
		k.sn.Encrypt(k.mask[:], sample)
	}
	for i := range number {
		number[i] ^= k.mask[i]
	}
}

// seal makes a record in place. rec has room for the header, then the plaintext, then room for the content type and the tag. A tag is as long
// as what the mask is made from, so there is never anything to pad.
func (k *cipher13) seal(rec []byte, typ uint8, seq uint64) {
	if k.aead == nil {
		k.expand()
	}
	end := len(rec) - tagLen
	rec[0] = unifiedFixed | unifiedSeq16 | unifiedLength | byte(k.epoch)&unifiedEpoch
	binary.BigEndian.PutUint16(rec[1:], uint16(seq))
	binary.BigEndian.PutUint16(rec[3:], uint16(len(rec)-sealedHeaderLen))
	rec[end-1] = typ
	k.setNonce(seq)
	// RFC 9147 section 4: "The entire header value [...] (but prior to record number encryption [...]) is used as the additional data".
	k.aead.Seal(rec[sealedHeaderLen:sealedHeaderLen], k.nonce[:], rec[sealedHeaderLen:end], rec[:sealedHeaderLen])
	k.maskNumber(rec[1:3], rec[sealedHeaderLen:])
}

// open decrypts a record in place and returns its content; next is one more than the largest number that was opened with this key. What does
// not open is destroyed: openTrial is for records that may belong to another key.
//
// A type of 0 means that the peer has sent nothing but padding: RFC 8446 section 5.4, an implementation that "does not find a non-zero octet in
// the cleartext [...] MUST terminate the connection with an "unexpected_message" alert".
func (k *cipher13) open(r record13, next uint64) (plain []byte, typ uint8, seq uint64, ok bool) {
	number, ciphertext := r.raw[1:1+r.seqLen], r.raw[r.header:]
	if len(ciphertext) < maskSample || len(ciphertext) > maxInner+tagLen {
		return nil, 0, 0, false
	}
	if k.aead == nil {
		k.expand()
	}
	k.maskNumber(number, ciphertext)
	truncated := uint64(number[0])
	if r.seqLen == 2 {
		truncated = truncated<<8 | uint64(number[1])
	}
	seq = nearestNumber(truncated, r.seqLen, next)
	if seq > maxSequence {
		return nil, 0, 0, false
	}
	k.setNonce(seq)
	plain, err := k.aead.Open(ciphertext[:0], k.nonce[:], ciphertext, r.raw[:r.header])
	if err != nil {
		return nil, 0, 0, false
	}
	n := len(plain)
	for n > 0 && plain[n-1] == 0 {
		n--
	}
	if n == 0 {
		return plain[:0], 0, seq, true
	}
	return plain[:n-1], plain[n-1], seq, true
}

// openTrial is open for a record of which it is not known whether it belongs to this key: it decrypts a copy.
func (k *cipher13) openTrial(r record13, next uint64) (plain []byte, typ uint8, seq uint64, ok bool) {
	r.raw = append(make([]byte, 0, len(r.raw)), r.raw...)
	return k.open(r, next)
}

// nearestNumber is the record number with these low bytes that is nearest to next. RFC 9147 section 4.2.2: it is the one that is "numerically
// closest to one plus the sequence number of the highest successfully deprotected record in the current epoch".
func nearestNumber(truncated uint64, bytes int, next uint64) uint64 {
	window := uint64(1) << (8 * bytes)
	seq := next&^(window-1) | truncated
	switch {
	case seq > next && seq-next > window/2 && seq >= window:
		seq -= window
	case next > seq && next-seq > window/2:
		seq += window
	}
	return seq
}
