package dtls

import "encoding/binary"

// Content types (RFC 5246 section 6.2.1).
const (
	contentChangeCipherSpec = 20
	contentAlert            = 21
	contentHandshake        = 22
	contentApplicationData  = 23
)

// Protocol versions on the wire: the ones' complement of 1.0 and so on, as RFC 6347 section 4.1 has it.
const (
	Version12 = 0xfefd
	Version13 = 0xfefc

	version10 = 0xfeff
	version12 = Version12
	version13 = Version13
)

const (
	recordHeaderLen = 13
	maxPlaintext    = 1 << 14     // RFC 5246 section 6.2.1
	maxSequence     = 1<<48 - 1   // of a record in its epoch
	epochPlain      = uint16(0)   // the handshake up to ChangeCipherSpec
	epochProtected  = uint16(1)   // Finished and everything after it
	maxCiphertext   = 1<<14 + 256 // explicit nonce and tag are less than that
)

// record is one DTLSPlaintext or DTLSCiphertext (RFC 6347 section 4.1) within a datagram.
type record struct {
	raw     []byte // header and payload
	typ     uint8
	version uint16
	epoch   uint16
	seq     uint64
}

func (r *record) payload() []byte { return r.raw[recordHeaderLen:] }

// parseRecord splits the first record from a datagram. It is not ok when the rest of the datagram cannot be understood.
//
//	ContentType type; ProtocolVersion version; uint16 epoch; uint48 sequence_number; uint16 length; opaque fragment[length];
func parseRecord(b []byte) (r record, rest []byte, ok bool) {
	if len(b) < recordHeaderLen {
		return record{}, nil, false
	}
	end := recordHeaderLen + int(binary.BigEndian.Uint16(b[11:]))
	if end > len(b) {
		return record{}, nil, false
	}
	number := binary.BigEndian.Uint64(b[3:])
	return record{
		raw:     b[:end:end],
		typ:     b[0],
		version: binary.BigEndian.Uint16(b[1:]),
		epoch:   uint16(number >> 48),
		seq:     number & maxSequence,
	}, b[end:], true
}

// wellFormed says whether version and length can be. RFC 6347 section 4.1.2.7: "In general, invalid records SHOULD be silently
// discarded, thus preserving the association".
func (r *record) wellFormed() bool {
	n := len(r.payload())
	if r.epoch == epochPlain {
		// RFC 9147 section 4: legacy_record_version "MUST be ignored for all purposes"; the version is not agreed on yet.
		return n > 0 && n <= maxPlaintext
	}
	return r.version == version12 && n <= maxCiphertext
}

func putRecordHeader(b []byte, typ uint8, version, epoch uint16, seq uint64, length int) {
	_ = b[recordHeaderLen-1]
	b[0] = typ
	binary.BigEndian.PutUint16(b[1:], version)
	binary.BigEndian.PutUint64(b[3:], uint64(epoch)<<48|seq)
	binary.BigEndian.PutUint16(b[11:], uint16(length))
}
