package peer

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
)

// keys13 are those of one end and epoch of DTLS 1.3, with AES-128-GCM, and the number after the last that was seen.
type keys13 struct {
	aead cipher.AEAD
	sn   cipher.Block
	iv   []byte
	next uint64
}

const unifiedHeader = 5

// sealedLabels are the key log's lines of epochs 2 and 3, of client and server.
var sealedLabels = [4][2]string{
	2: {"CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET"}, 3: {"CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"},
}

// keys are those of an end in an epoch, if the key log has them.
func (s *sniffer) keys(end int, epoch byte) *keys13 {
	label := sealedLabels[epoch][s.clientEnd^end]
	var secret []byte
	for line := range strings.Lines(s.keyLog.String()) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == label && f[1] == hex.EncodeToString(s.client[:]) {
			secret, _ = hex.DecodeString(f[2])
		}
	}
	if label == "" || secret == nil {
		return nil
	}
	name := label + string(secret)
	if k := s.sealed[name]; k != nil {
		return k
	}
	expand := func(what string, n int) []byte {
		info := append([]byte{0, byte(n), byte(6 + len(what))}, "dtls13"+what...)
		b, _ := hkdf.Expand(sha256.New, secret, string(append(info, 0)), n)
		return b
	}
	block, _ := aes.NewCipher(expand("key", 16))
	k := &keys13{iv: expand("iv", 12)}
	k.aead, _ = cipher.NewGCM(block)
	k.sn, _ = aes.NewCipher(expand("sn", 16))
	if s.sealed == nil {
		s.sealed = map[string]*keys13{}
	}
	s.sealed[name] = k
	return k
}

func (k *keys13) nonce(seq uint64) []byte {
	nonce := append([]byte{}, k.iv...)
	binary.BigEndian.PutUint64(nonce[4:], binary.BigEndian.Uint64(nonce[4:])^seq)
	return nonce
}

func (k *keys13) mask(record []byte) {
	var mask [16]byte
	k.sn.Encrypt(mask[:], record[unifiedHeader:])
	record[1] ^= mask[0]
	record[2] ^= mask[1]
}

// describeSealed says what is in a record of DTLS 1.3.
func (s *sniffer) describeSealed(from int, b []byte) (text string, rest []byte) {
	n := unifiedHeader + int(binary.BigEndian.Uint16(b[3:]))
	if n > len(b) {
		return "cut record", nil
	}
	raw, rest := append([]byte{}, b[:n]...), b[n:]
	k := s.keys(from, raw[0]&3)
	if k == nil || n < unifiedHeader+16 {
		return "sealed", rest
	}
	k.mask(raw)
	seq := k.next&^0xffff | uint64(binary.BigEndian.Uint16(raw[1:]))
	if seq+1<<15 < k.next {
		seq += 1 << 16
	}
	plain, err := k.aead.Open(nil, k.nonce(seq), raw[unifiedHeader:], raw[:unifiedHeader])
	if err != nil {
		return "sealed", rest
	}
	k.next = max(k.next, seq+1)
	content := plain[:len(plain)-1]
	switch plain[len(plain)-1] {
	case 21:
		return fmt.Sprintf("alert %d", content[1]), rest
	case 22:
		return s.describeHandshake(from, content), rest
	case 26:
		return "ACK", rest
	}
	return "SCTP " + s.describeSCTP(from, content), rest
}

// seal13 is seal for DTLS 1.3.
func (s *sniffer) seal13(from int, typ byte, seq uint64, content []byte) []byte {
	k := s.keys(from, 3)
	b := binary.BigEndian.AppendUint16([]byte{0x2f}, uint16(seq))
	b = binary.BigEndian.AppendUint16(b, uint16(len(content)+17))
	b = k.aead.Seal(b, k.nonce(seq), append(append([]byte{}, content...), typ), b)
	k.mask(b)
	return b
}
