package sctp

import (
	"encoding/binary"
	"hash/crc32"
)

// Chunk types (RFC 9260 section 3.2, RFC 6525, RFC 4820, RFC 3758, RFC 8260).
const (
	chunkData             = 0
	chunkInit             = 1
	chunkInitAck          = 2
	chunkSack             = 3
	chunkHeartbeat        = 4
	chunkHeartbeatAck     = 5
	chunkAbort            = 6
	chunkShutdown         = 7
	chunkShutdownAck      = 8
	chunkError            = 9
	chunkCookieEcho       = 10
	chunkCookieAck        = 11
	chunkShutdownComplete = 14
	chunkIData            = 64
	chunkReconfig         = 130
	chunkPad              = 132
	chunkForwardTSN       = 192
	chunkIForwardTSN      = 194
)

// Flags of DATA (section 3.3.1); flagT is that of ABORT and SHUTDOWN COMPLETE.
const (
	flagE = 1 << iota
	flagB
	flagU
	flagI
	flagT = 1
)

// Sizes with the chunk's header of 4 bytes.
const (
	headerSize    = 12
	chunkHeader   = 4
	dataHeader    = 16
	iDataHeader   = 20
	initHeader    = 20
	sackHeader    = 16
	forwardHeader = 8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func be16(b []byte) uint16 { return binary.BigEndian.Uint16(b) }
func be32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }

func put16(b []byte, v uint16) []byte { return binary.BigEndian.AppendUint16(b, v) }
func put32(b []byte, v uint32) []byte { return binary.BigEndian.AppendUint32(b, v) }

func padded(n int) int { return (n + 3) &^ 3 }

// splitTLV takes the first of a row of chunks, parameters or error causes: 2 bytes that say what it is (a chunk's type and flags), 2 bytes
// of length that include these 4, the value, and padding to 4 bytes, which the last may lack.
func splitTLV(b []byte) (head uint16, value, rest []byte, ok bool) {
	if len(b) < 4 {
		return 0, nil, nil, false
	}
	n := int(be16(b[2:]))
	if n < 4 || n > len(b) {
		return 0, nil, nil, false
	}
	return be16(b), b[4:n], b[min(padded(n), len(b)):], true
}

// appendTLV appends one such, padded.
func appendTLV(dst []byte, head uint16, value []byte) []byte {
	dst = put16(dst, head)
	dst = put16(dst, uint16(4+len(value)))
	return pad(append(dst, value...), len(value))
}

var zeros [4]byte

// pad appends the padding that a value of n bytes needs.
func pad(dst []byte, n int) []byte { return append(dst, zeros[:-n&3]...) }

func chunkHead(typ, flags byte) uint16 { return uint16(typ)<<8 | uint16(flags) }

// appendHeader begins a packet; seal ends it.
func appendHeader(dst []byte, src, dest uint16, tag uint32) []byte {
	dst = put16(dst, src)
	dst = put16(dst, dest)
	dst = put32(dst, tag)
	return append(dst, zeros[:]...)
}

// seal writes the CRC32c of a packet whose checksum field is zero; alone among the fields it is little-endian (appendix A).
func seal(p []byte) { binary.LittleEndian.PutUint32(p[8:], crc32.Checksum(p, castagnoli)) }

func checksumOK(p []byte) bool {
	c := crc32.Update(0, castagnoli, p[:8])
	c = crc32.Update(c, castagnoli, zeros[:])
	return binary.LittleEndian.Uint32(p[8:]) == crc32.Update(c, castagnoli, p[headerSize:])
}
