package dtls

import (
	"encoding/binary"
	"slices"

	"golang.org/x/crypto/cryptobyte"
)

// Handshake message types (RFC 5246 section 7.4, RFC 6347 section 4.3.2).
const (
	typeHelloRequest       = 0
	typeClientHello        = 1
	typeServerHello        = 2
	typeHelloVerifyRequest = 3
	typeCertificate        = 11
	typeServerKeyExchange  = 12
	typeCertificateRequest = 13
	typeServerHelloDone    = 14
	typeCertificateVerify  = 15
	typeClientKeyExchange  = 16
	typeFinished           = 20
)

// Extensions that we know.
const (
	extSupportedGroups      = 10     // RFC 8422
	extECPointFormats       = 11     // RFC 8422
	extSignatureAlgorithms  = 13     // RFC 5246
	extUseSRTP              = 14     // RFC 5764
	extExtendedMasterSecret = 23     // RFC 7627
	extSupportedVersions    = 43     // RFC 8446
	extRenegotiationInfo    = 0xff01 // RFC 5746
)

const (
	randomLen         = 32
	pointUncompressed = 0
	compressionNull   = 0
	maxSessionID      = 32
)

// clientHello is what we send and understand of a ClientHello. Values that we do not know stay in the lists: they are not an error, and
// the negotiation passes over them.
type clientHello struct {
	version      uint16
	random       [randomLen]byte
	sessionID    []byte
	cookie       []byte
	suites       []uint16
	compressions []byte
	extensions   helloExtensions
}

// helloExtensions are the extensions of either hello.
type helloExtensions struct {
	present        []uint16 // types, known or not, in the order of the message
	groups         []uint16
	pointFormats   []byte
	schemes        []uint16
	srtpProfiles   []uint16
	srtpMKI        []byte
	versions       []uint16 // ClientHello only
	renegotiated   []byte   // renegotiated_connection
	extendedMaster bool
	renegotiation  bool
}

func (e *helloExtensions) has(typ uint16) bool { return slices.Contains(e.present, typ) }

// append appends the message's body.
func (h *clientHello) append(b []byte) []byte {
	b = appendUint16(b, h.version)
	b = append(b, h.random[:]...)
	b = appendVector8(b, h.sessionID)
	b = appendVector8(b, h.cookie)
	b = appendList16(b, h.suites)
	b = appendVector8(b, h.compressions)
	return h.extensions.append(b)
}

func parseClientHello(b []byte) (h clientHello, ok bool) {
	s := cryptobyte.String(b)
	if !s.ReadUint16(&h.version) || !s.CopyBytes(h.random[:]) ||
		!readVector8(&s, &h.sessionID) || len(h.sessionID) > maxSessionID ||
		!readVector8(&s, &h.cookie) ||
		!readList16(&s, &h.suites) || len(h.suites) == 0 ||
		!readVector8(&s, &h.compressions) || len(h.compressions) == 0 {
		return h, false
	}
	return h, h.extensions.read(&s, true)
}

type serverHello struct {
	version     uint16
	random      [randomLen]byte
	sessionID   []byte
	suite       uint16
	compression uint8
	extensions  helloExtensions
}

func (h *serverHello) append(b []byte) []byte {
	b = appendUint16(b, h.version)
	b = append(b, h.random[:]...)
	b = appendVector8(b, h.sessionID)
	b = appendUint16(b, h.suite)
	b = append(b, h.compression)
	return h.extensions.append(b)
}

func parseServerHello(b []byte) (h serverHello, ok bool) {
	s := cryptobyte.String(b)
	if !s.ReadUint16(&h.version) || !s.CopyBytes(h.random[:]) ||
		!readVector8(&s, &h.sessionID) || len(h.sessionID) > maxSessionID ||
		!s.ReadUint16(&h.suite) || !s.ReadUint8(&h.compression) {
		return h, false
	}
	return h, h.extensions.read(&s, false)
}

// parseHelloVerifyRequest returns the cookie.
//
//	ProtocolVersion server_version; opaque cookie<0..2^8-1>;
func parseHelloVerifyRequest(b []byte) (cookie []byte, ok bool) {
	s := cryptobyte.String(b)
	var version uint16
	// RFC 6347 section 4.2.1: the version is 1.0 "regardless of the version of TLS that is expected to be negotiated", but not everybody's.
	ok = s.ReadUint16(&version) && (version == version10 || version == version12) && readVector8(&s, &cookie) && s.Empty()
	return cookie, ok
}

func (e *helloExtensions) append(b []byte) []byte {
	all := len(b)
	b = append(b, 0, 0)
	for _, typ := range e.present {
		b = appendUint16(b, typ)
		body := len(b)
		b = append(b, 0, 0)
		switch typ {
		case extSupportedGroups:
			b = appendList16(b, e.groups)
		case extECPointFormats:
			b = appendVector8(b, e.pointFormats)
		case extSignatureAlgorithms:
			b = appendList16(b, e.schemes)
		case extUseSRTP:
			b = appendList16(b, e.srtpProfiles)
			b = appendVector8(b, e.srtpMKI)
		case extRenegotiationInfo:
			b = appendVector8(b, e.renegotiated)
		case extSupportedVersions:
			b = append(b, byte(2*len(e.versions)))
			for _, v := range e.versions {
				b = appendUint16(b, v)
			}
		}
		putLength16(b[body:])
	}
	putLength16(b[all:])
	return b
}

// read takes what is left of a hello, which may be nothing.
func (e *helloExtensions) read(s *cryptobyte.String, client bool) bool {
	if s.Empty() {
		return true
	}
	var list cryptobyte.String
	if !s.ReadUint16LengthPrefixed(&list) || !s.Empty() {
		return false
	}
	for !list.Empty() {
		var typ uint16
		var x cryptobyte.String
		if !list.ReadUint16(&typ) || !list.ReadUint16LengthPrefixed(&x) {
			return false
		}
		known, ok := true, false
		switch typ {
		case extSupportedGroups:
			ok = readList16(&x, &e.groups)
		case extECPointFormats:
			ok = readVector8(&x, &e.pointFormats)
		case extSignatureAlgorithms:
			ok = readList16(&x, &e.schemes)
		case extUseSRTP:
			ok = readList16(&x, &e.srtpProfiles) && readVector8(&x, &e.srtpMKI)
		case extExtendedMasterSecret:
			e.extendedMaster, ok = true, true
		case extRenegotiationInfo:
			ok = readVector8(&x, &e.renegotiated)
			e.renegotiation = true
		case extSupportedVersions:
			if !client { // one version of TLS 1.3, which we did not offer
				known = false
				break
			}
			var versions cryptobyte.String
			ok = x.ReadUint8LengthPrefixed(&versions) && readUint16s(versions, &e.versions)
		default:
			known = false
		}
		// RFC 5246 section 7.4.1.4: "There MUST NOT be more than one extension of the same type."
		if known && (!ok || !x.Empty() || e.has(typ)) {
			return false
		}
		if known || !client {
			e.present = append(e.present, typ)
		}
	}
	return true
}

func appendUint16(b []byte, v uint16) []byte { return append(b, byte(v>>8), byte(v)) }

// appendVector8 appends v behind its length in one byte.
func appendVector8(b, v []byte) []byte { return append(append(b, byte(len(v))), v...) }

// appendList16 appends list behind its length in bytes, in two bytes.
func appendList16(b []byte, list []uint16) []byte {
	b = appendUint16(b, uint16(2*len(list)))
	for _, v := range list {
		b = appendUint16(b, v)
	}
	return b
}

// putLength16 makes the first two bytes of b the length of what is behind them.
func putLength16(b []byte) { binary.BigEndian.PutUint16(b, uint16(len(b)-2)) }

func readVector8(s *cryptobyte.String, b *[]byte) bool {
	return s.ReadUint8LengthPrefixed((*cryptobyte.String)(b))
}

func readList16(s *cryptobyte.String, list *[]uint16) bool {
	var l cryptobyte.String
	return s.ReadUint16LengthPrefixed(&l) && readUint16s(l, list)
}

func readUint16s(s cryptobyte.String, list *[]uint16) bool {
	for !s.Empty() {
		var v uint16
		if !s.ReadUint16(&v) {
			return false
		}
		*list = append(*list, v)
	}
	return true
}
