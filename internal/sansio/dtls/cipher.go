package dtls

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"

	"golang.org/x/crypto/chacha20poly1305"
)

// Cipher suites (RFC 8446 appendix B.4, RFC 5289, RFC 7905).
const (
	suiteAES128GCM           = 0x1301
	suiteAES256GCM           = 0x1302
	suiteChaCha20            = 0x1303
	suiteECDHEECDSAAES128GCM = 0xc02b
	suiteECDHEECDSAAES256GCM = 0xc02c
	suiteECDHERSAAES128GCM   = 0xc02f
	suiteECDHERSAAES256GCM   = 0xc030
	suiteECDHERSAChaCha20    = 0xcca8
	suiteECDHEECDSAChaCha20  = 0xcca9
	suiteEmptyRenegotiation  = 0x00ff // TLS_EMPTY_RENEGOTIATION_INFO_SCSV (RFC 5746)
)

type cipherSuite struct {
	id     uint16
	rsa    bool        // authenticated with an RSA certificate, otherwise with ECDSA or EdDSA; of 1.2
	hash   crypto.Hash // of PRF or HKDF, and transcript
	keyLen int
	chacha bool
	tls13  bool // of DTLS 1.3 alone: says nothing of authentication or key exchange
}

// cipherSuites are all that exist here, in the order of the default preference.
var cipherSuites = [...]cipherSuite{
	{suiteAES128GCM, false, crypto.SHA256, 16, false, true},
	{suiteAES256GCM, false, crypto.SHA384, 32, false, true},
	{suiteChaCha20, false, crypto.SHA256, 32, true, true},
	{suiteECDHEECDSAAES128GCM, false, crypto.SHA256, 16, false, false},
	{suiteECDHEECDSAAES256GCM, false, crypto.SHA384, 32, false, false},
	{suiteECDHEECDSAChaCha20, false, crypto.SHA256, 32, true, false},
	{suiteECDHERSAAES128GCM, true, crypto.SHA256, 16, false, false},
	{suiteECDHERSAAES256GCM, true, crypto.SHA384, 32, false, false},
	{suiteECDHERSAChaCha20, true, crypto.SHA256, 32, true, false},
}

var defaultCipherSuites = func() (ids [len(cipherSuites)]uint16) {
	for i := range cipherSuites {
		ids[i] = cipherSuites[i].id
	}
	return ids
}()

func suiteByID(id uint16) *cipherSuite {
	for i := range cipherSuites {
		if cipherSuites[i].id == id {
			return &cipherSuites[i]
		}
	}
	return nil
}

// ivLen is the part of the nonce that comes from the key block.
func (s *cipherSuite) ivLen() int {
	if s.chacha {
		return 12
	}
	return 4
}

const (
	explicitNonceLen = 8  // GCM's, on the wire (RFC 5288 section 3)
	tagLen           = 16 // of all suites
)

// recordCipher protects the records of one direction of DTLS 1.2.
type recordCipher struct {
	aead     cipher.AEAD
	explicit int // bytes of nonce on the wire
	iv       [12]byte
	// What goes through the AEAD interface would escape to the heap with each record if it were not here.
	nonce [12]byte
	aad   [13]byte
}

func newRecordCipher(s *cipherSuite, key, iv []byte) *recordCipher {
	k := new(recordCipher)
	var err error
	if s.chacha {
		k.aead, err = chacha20poly1305.New(key)
	} else {
		var block cipher.Block
		if block, err = aes.NewCipher(key); err == nil {
			k.aead, err = cipher.NewGCM(block)
		}
		k.explicit = explicitNonceLen
	}
	if err != nil {
		panic("BUG: dtls: key for cipher suite: " + err.Error())
	}
	copy(k.iv[:], iv)
	return k
}

// overhead is what seal needs before and behind the plaintext, record header included.
func (k *recordCipher) overhead() (head, tail int) { return recordHeaderLen + k.explicit, tagLen }

// prepare sets nonce and additional data for the record with this header; n is the length of the plaintext.
func (k *recordCipher) prepare(header []byte, n int) {
	number := header[3:11] // epoch and sequence number
	if k.explicit > 0 {
		// RFC 5288 section 3 lets the explicit nonce be anything that does not repeat. Epoch and sequence number cannot, random bytes do.
		copy(k.nonce[:4], k.iv[:4])
		copy(k.nonce[4:], number)
	} else {
		// RFC 7905 section 2: the padded record sequence number "is XORed with the client_write_IV" or server_write_IV.
		k.nonce = k.iv
		for i, b := range number {
			k.nonce[4+i] ^= b
		}
	}
	// seq_num + TLSCompressed.type + TLSCompressed.version + TLSCompressed.length
	copy(k.aad[:8], number)
	copy(k.aad[8:11], header[:3])
	binary.BigEndian.PutUint16(k.aad[11:], uint16(n))
}

// seal makes a record in place. rec has room for header and explicit nonce, then the plaintext, then room for the tag.
func (k *recordCipher) seal(rec []byte, typ uint8, epoch uint16, seq uint64) {
	head := recordHeaderLen + k.explicit
	end := len(rec) - tagLen
	putRecordHeader(rec, typ, version12, epoch, seq, len(rec)-recordHeaderLen)
	k.prepare(rec, end-head)
	if k.explicit > 0 {
		copy(rec[recordHeaderLen:], k.nonce[4:])
	}
	k.aead.Seal(rec[head:head], k.nonce[:], rec[head:end], k.aad[:])
}

// open decrypts a record in place and returns its plaintext.
func (k *recordCipher) open(rec []byte) ([]byte, bool) {
	head := recordHeaderLen + k.explicit
	n := len(rec) - head - tagLen
	if n < 0 || n > maxPlaintext {
		return nil, false
	}
	k.prepare(rec, n)
	if k.explicit > 0 {
		copy(k.nonce[4:], rec[recordHeaderLen:]) // the peer chose it as it liked
	}
	plain, err := k.aead.Open(rec[head:head], k.nonce[:], rec[head:], k.aad[:])
	return plain, err == nil
}
