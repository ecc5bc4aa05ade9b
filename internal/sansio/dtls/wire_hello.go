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

// Handshake message types of 1.3 alone (RFC 8446 section 4). message_hash is only in the transcript.
const (
	typeNewSessionTicket    = 4
	typeEncryptedExtensions = 8
	typeKeyUpdate           = 24
	typeMessageHash         = 254
)

// Extensions that we know.
const (
	extSupportedGroups      = 10     // RFC 8422
	extECPointFormats       = 11     // RFC 8422
	extSignatureAlgorithms  = 13     // RFC 5246
	extUseSRTP              = 14     // RFC 5764
	extExtendedMasterSecret = 23     // RFC 7627
	extSupportedVersions    = 43     // RFC 8446
	extCookie               = 44     // RFC 8446
	extKeyShare             = 51     // RFC 8446
	extRenegotiationInfo    = 0xff01 // RFC 5746
)

// maxExtensions is how many a ClientHello may have of them.
const maxExtensions = 9

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

// helloExtensions are the extensions of either hello, and of what has extensions of the same kind in 1.3.
type helloExtensions struct {
	present        []uint16 // types, known or not, in the order of the message
	groups         []uint16
	pointFormats   []byte
	schemes        []uint16
	srtpProfiles   []uint16
	srtpMKI        []byte
	versions       []uint16   // supported_versions: what a client takes, and the one that a server has chosen
	shares         []keyShare // key_share, of groups that we know: a client's, or the server's one, which has no key in a HelloRetryRequest
	cookie         []byte     // of a HelloRetryRequest and its answer
	renegotiated   []byte     // renegotiated_connection
	extendedMaster bool
	renegotiation  bool
}

// keyShare is a KeyShareEntry (RFC 8446 section 4.2.8).
type keyShare struct {
	group uint16
	key   []byte
}

// share is the key share of a group; nil if there is none.
func (e *helloExtensions) share(group uint16) []byte {
	for i := range e.shares {
		if e.shares[i].group == group {
			return e.shares[i].key
		}
	}
	return nil
}

// helloForm says which message extensions are in: some have another form in each.
type helloForm uint8

const (
	formClientHello helloForm = iota
	formServerHello
	formRetryRequest
	formEncryptedExtensions
	formCertificateRequest
)

func (e *helloExtensions) has(typ uint16) bool { return slices.Contains(e.present, typ) }

// append appends the message's body.
func (h *clientHello) append(b []byte) []byte {
	b = appendUint16(b, h.version)
	b = append(b, h.random[:]...)
	b = appendVector8(b, h.sessionID)
	b = appendVector8(b, h.cookie)
	b = appendList16(b, h.suites)
	b = appendVector8(b, h.compressions)
	return h.extensions.append(b, formClientHello)
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
	return h, h.extensions.read(&s, formClientHello)
}

type serverHello struct {
	version     uint16
	random      [randomLen]byte
	sessionID   []byte
	suite       uint16
	compression uint8
	extensions  helloExtensions
}

// retryRandom is what a HelloRetryRequest has in place of a random (RFC 8446 section 4.1.3): the SHA-256 of "HelloRetryRequest".
const retryRandom = "\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c"

// isRetry says whether this is a HelloRetryRequest. Only a peer that speaks 1.3 means it so.
func (h *serverHello) isRetry() bool { return string(h.random[:]) == retryRandom }

// downgradeTo12 ends the random of a server that speaks 1.3 and has chosen 1.2. RFC 8446 section 4.1.3: clients "MUST check that the last 8
// bytes are not equal" to it if they have offered 1.3; RFC 9147 section 5.3 has it for DTLS.
const downgradeTo12 = "DOWNGRD\x01"

// isDowngrade says whether the server speaks 1.3 and was not asked for it.
func (h *serverHello) isDowngrade() bool {
	end := string(h.random[randomLen-len(downgradeTo12):])
	return end == downgradeTo12 || end == "DOWNGRD\x00"
}

func (h *serverHello) form() helloForm {
	if h.isRetry() {
		return formRetryRequest
	}
	return formServerHello
}

func (h *serverHello) append(b []byte) []byte {
	b = appendUint16(b, h.version)
	b = append(b, h.random[:]...)
	b = appendVector8(b, h.sessionID)
	b = appendUint16(b, h.suite)
	b = append(b, h.compression)
	return h.extensions.append(b, h.form())
}

func parseServerHello(b []byte) (h serverHello, ok bool) {
	s := cryptobyte.String(b)
	if !s.ReadUint16(&h.version) || !s.CopyBytes(h.random[:]) ||
		!readVector8(&s, &h.sessionID) || len(h.sessionID) > maxSessionID ||
		!s.ReadUint16(&h.suite) || !s.ReadUint8(&h.compression) {
		return h, false
	}
	return h, h.extensions.read(&s, h.form())
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

func (e *helloExtensions) append(b []byte, form helloForm) []byte {
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
			if form == formClientHello {
				b = append(b, byte(2*len(e.versions)))
			}
			for _, v := range e.versions {
				b = appendUint16(b, v)
			}
		case extCookie:
			b = appendVector16(b, e.cookie)
		case extKeyShare:
			b = e.appendShares(b, form)
		}
		putLength16(b[body:])
	}
	putLength16(b[all:])
	return b
}

// appendShares appends the body of key_share.
//
//	KeyShareEntry client_shares<0..2^16-1>; or KeyShareEntry server_share; or, in a HelloRetryRequest, NamedGroup selected_group;
func (e *helloExtensions) appendShares(b []byte, form helloForm) []byte {
	list := len(b)
	if form == formClientHello {
		b = append(b, 0, 0)
	}
	for _, s := range e.shares {
		b = appendUint16(b, s.group)
		if form != formRetryRequest {
			b = appendVector16(b, s.key)
		}
	}
	if form == formClientHello {
		putLength16(b[list:])
	}
	return b
}

// readShares takes the body of key_share. A client's shares of groups that we don't know are passed over.
func (e *helloExtensions) readShares(s *cryptobyte.String, form helloForm) bool {
	list := *s
	if form == formClientHello && !s.ReadUint16LengthPrefixed(&list) {
		return false
	}
	for !list.Empty() {
		var entry keyShare
		if !list.ReadUint16(&entry.group) || form != formRetryRequest && (!readVector16(&list, &entry.key) || len(entry.key) == 0) {
			return false
		}
		if form != formClientHello {
			*s = list
			e.shares = []keyShare{entry}
			return true
		}
		if !slices.Contains(groups13[:], entry.group) {
			continue
		}
		// RFC 8446 section 4.2.8: "Clients MUST NOT offer multiple KeyShareEntry values for the same group."
		if e.share(entry.group) != nil {
			return false
		}
		e.shares = append(e.shares, entry)
	}
	return form == formClientHello
}

// read takes what is left of a hello, which may be nothing.
func (e *helloExtensions) read(s *cryptobyte.String, form helloForm) bool {
	if s.Empty() {
		return true
	}
	var list cryptobyte.String
	if !s.ReadUint16LengthPrefixed(&list) || !s.Empty() {
		return false
	}
	if form == formClientHello {
		e.present = make([]uint16, 0, maxExtensions)
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
			if form == formClientHello {
				var versions cryptobyte.String
				ok = x.ReadUint8LengthPrefixed(&versions) && readUint16s(versions, &e.versions)
				break
			}
			var version uint16
			ok = x.ReadUint16(&version)
			e.versions = []uint16{version}
		case extCookie:
			ok = readVector16(&x, &e.cookie) && len(e.cookie) > 0
		case extKeyShare:
			ok = e.readShares(&x, form)
		default:
			known = false
		}
		// RFC 5246 section 7.4.1.4: "There MUST NOT be more than one extension of the same type."
		if known && (!ok || !x.Empty() || e.has(typ)) {
			return false
		}
		if known || form != formClientHello {
			e.present = append(e.present, typ)
		}
	}
	return true
}

func appendUint16(b []byte, v uint16) []byte { return append(b, byte(v>>8), byte(v)) }

// appendVector8 appends v behind its length in one byte.
func appendVector8(b, v []byte) []byte { return append(append(b, byte(len(v))), v...) }

// appendVector16 appends v behind its length in two bytes.
func appendVector16(b, v []byte) []byte { return append(appendUint16(b, uint16(len(v))), v...) }

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

func readVector16(s *cryptobyte.String, b *[]byte) bool {
	return s.ReadUint16LengthPrefixed((*cryptobyte.String)(b))
}

func readList16(s *cryptobyte.String, list *[]uint16) bool {
	var l cryptobyte.String
	return s.ReadUint16LengthPrefixed(&l) && readUint16s(l, list)
}

// readUint16s takes what is left of s; nothing is no list.
func readUint16s(s cryptobyte.String, list *[]uint16) bool {
	if len(s) > 0 {
		*list = make([]uint16, len(s)/2)
	}
	for i := range *list {
		s.ReadUint16(&(*list)[i])
	}
	return s.Empty()
}
