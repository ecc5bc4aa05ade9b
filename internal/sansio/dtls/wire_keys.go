package dtls

import "golang.org/x/crypto/cryptobyte"

// maxChain is our own limit on the certificates of a chain, of which only the first is ever used.
const maxChain = 16

// appendCertificate appends a Certificate's body (RFC 5246 section 7.4.2).
func appendCertificate(b []byte, chain [][]byte) []byte {
	all := len(b)
	b = append(b, 0, 0, 0)
	for _, der := range chain {
		at := len(b)
		b = append(append(b, 0, 0, 0), der...)
		putUint24(b[at:], len(der))
	}
	putUint24(b[all:], len(b)-all-3)
	return b
}

func parseCertificate(b []byte) (chain [][]byte, ok bool) {
	s := cryptobyte.String(b)
	var list cryptobyte.String
	if !s.ReadUint24LengthPrefixed(&list) || !s.Empty() {
		return nil, false
	}
	for !list.Empty() {
		var der cryptobyte.String
		if !list.ReadUint24LengthPrefixed(&der) || der.Empty() || len(chain) == maxChain {
			return nil, false
		}
		chain = append(chain, der)
	}
	return chain, true
}

// serverKeyExchange is that of ECDHE suites (RFC 8422 section 5.4).
type serverKeyExchange struct {
	group     uint16
	point     []byte
	params    []byte // curve type, group and point as they were on the wire: what is signed
	scheme    uint16
	signature []byte
}

const curveTypeNamed = 3

// appendServerParams appends the part that is signed.
func appendServerParams(b []byte, group uint16, point []byte) []byte {
	b = append(b, curveTypeNamed)
	b = appendUint16(b, group)
	return appendVector8(b, point)
}

func (k *serverKeyExchange) append(b []byte) []byte {
	return appendSignature(append(b, k.params...), k.scheme, k.signature)
}

func parseServerKeyExchange(b []byte) (k serverKeyExchange, ok bool) {
	s := cryptobyte.String(b)
	var curveType uint8
	if !s.ReadUint8(&curveType) || curveType != curveTypeNamed || !s.ReadUint16(&k.group) || !readVector8(&s, &k.point) {
		return k, false
	}
	k.params = b[:len(b)-len(s)]
	k.scheme, k.signature, ok = parseSignature(s)
	return k, ok
}

// certificateRequest is RFC 5246 section 7.4.4's; the authorities are passed over.
type certificateRequest struct {
	types   []byte
	schemes []uint16
}

// Client certificate types.
const (
	certificateTypeRSA   = 1
	certificateTypeECDSA = 64 // EdDSA too, RFC 8422 section 3.1
)

func (r *certificateRequest) append(b []byte) []byte {
	b = appendVector8(b, r.types)
	b = appendList16(b, r.schemes)
	return append(b, 0, 0) // no authorities: any
}

func parseCertificateRequest(b []byte) (r certificateRequest, ok bool) {
	s := cryptobyte.String(b)
	var authorities cryptobyte.String
	ok = readVector8(&s, &r.types) && readList16(&s, &r.schemes) && s.ReadUint16LengthPrefixed(&authorities) && s.Empty()
	return r, ok
}

// appendClientKeyExchange appends the body that carries the client's point (RFC 8422 section 5.7).
func appendClientKeyExchange(b, point []byte) []byte { return appendVector8(b, point) }

func parseClientKeyExchange(b []byte) (point []byte, ok bool) {
	s := cryptobyte.String(b)
	ok = readVector8(&s, &point) && s.Empty()
	return point, ok
}

// appendSignature appends a DigitallySigned, which is all of CertificateVerify and the end of ServerKeyExchange (RFC 5246 section 4.7).
func appendSignature(b []byte, scheme uint16, signature []byte) []byte {
	b = appendUint16(b, scheme)
	b = appendUint16(b, uint16(len(signature)))
	return append(b, signature...)
}

func parseSignature(b []byte) (scheme uint16, signature []byte, ok bool) {
	s := cryptobyte.String(b)
	ok = s.ReadUint16(&scheme) && s.ReadUint16LengthPrefixed((*cryptobyte.String)(&signature)) && s.Empty()
	return scheme, signature, ok
}
