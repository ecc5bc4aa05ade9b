package ice

import (
	"bytes"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/binary"

	"github.com/pion/stun/v4"
)

var innerPad, outerPad = bytes.Repeat([]byte{0x36}, sha1.BlockSize), bytes.Repeat([]byte{0x5c}, sha1.BlockSize)

// integrity is the value of the MESSAGE-INTEGRITY that follows b in a message: its HMAC-SHA1 (RFC 2104), where "the Length field of the STUN message header is
// adjusted to point to the end of the MESSAGE-INTEGRITY attribute", RFC 8489 section 14.5.
func integrity(password string, b []byte) [sha1.Size]byte {
	var key [sha1.BlockSize]byte
	if copy(key[:], password) < len(password) {
		hash := sha1.Sum([]byte(password))
		clear(key[copy(key[:], hash[:]):])
	}
	var room [sha1.BlockSize + maxPacket]byte
	inner := append(room[:sha1.BlockSize], b...)
	subtle.XORBytes(inner, key[:], innerPad)
	binary.BigEndian.PutUint16(inner[sha1.BlockSize+2:], uint16(len(b)-headerSize+4+sha1.Size))
	hash := sha1.Sum(inner)
	outer := append(room[:sha1.BlockSize], hash[:]...)
	subtle.XORBytes(outer, key[:], outerPad)
	return sha1.Sum(outer)
}

// addIntegrity adds MESSAGE-INTEGRITY.
func addIntegrity(m *stun.Message, password string) {
	sum := integrity(password, m.Raw)
	m.Add(stun.AttrMessageIntegrity, sum[:])
}

// hasIntegrity says whether m has the MESSAGE-INTEGRITY of one who knows the password.
func hasIntegrity(m *stun.Message, password string) bool {
	end := headerSize
	for _, attr := range m.Attributes {
		if attr.Type == stun.AttrMessageIntegrity {
			sum := integrity(password, m.Raw[:end])
			return subtle.ConstantTimeCompare(attr.Value, sum[:]) == 1
		}
		end += 4 + (len(attr.Value)+3)&^3
	}
	return false
}
