package dtls

import (
	"encoding/binary"

	"golang.org/x/crypto/cryptobyte"
)

// encryptedExtensions is RFC 8446 section 4.3.1's. What its extensions may be is for the client to judge, who knows what it has offered.
type encryptedExtensions struct{ extensions helloExtensions }

func (m *encryptedExtensions) append(b []byte) []byte {
	return m.extensions.append(b, formEncryptedExtensions)
}

func parseEncryptedExtensions(b []byte) (m encryptedExtensions, ok bool) {
	s := cryptobyte.String(b)
	return m, len(b) > 0 && m.extensions.read(&s, formEncryptedExtensions)
}

// certificateRequest13 is RFC 8446 section 4.3.2's. The context "SHALL be zero length" in a handshake.
type certificateRequest13 struct {
	context []byte
	schemes []uint16
}

func (r *certificateRequest13) append(b []byte) []byte {
	e := helloExtensions{present: []uint16{extSignatureAlgorithms}, schemes: r.schemes}
	return e.append(appendVector8(b, r.context), formCertificateRequest)
}

// parseCertificateRequest13 passes over what it does not know: "Clients MUST ignore unrecognized extensions." And "The "signature_algorithms"
// extension MUST be specified"; without it schemes is empty, which nothing fits.
func parseCertificateRequest13(b []byte) (r certificateRequest13, ok bool) {
	s := cryptobyte.String(b)
	var e helloExtensions
	ok = readVector8(&s, &r.context) && len(s) > 0 && e.read(&s, formCertificateRequest)
	r.schemes = e.schemes
	return r, ok
}

// certificate13 is RFC 8446 section 4.4.2's. The context is the request's, so it is empty in a handshake. We ask for no extension of a
// certificate, so there may be none: RFC 8446 section 4.2, "an endpoint MUST abort the handshake with an "unsupported_extension" alert".
type certificate13 struct {
	context  []byte
	chain    [][]byte
	extended bool // there is an extension; never ours
}

func (c *certificate13) append(b []byte) []byte {
	b = appendVector8(b, c.context)
	all := len(b)
	b = append(b, 0, 0, 0)
	for _, der := range c.chain {
		at := len(b)
		b = append(append(b, 0, 0, 0), der...)
		putUint24(b[at:], len(der))
		b = append(b, 0, 0)
	}
	putUint24(b[all:], len(b)-all-3)
	return b
}

func parseCertificate13(b []byte) (c certificate13, ok bool) {
	s := cryptobyte.String(b)
	var list cryptobyte.String
	if !readVector8(&s, &c.context) || !s.ReadUint24LengthPrefixed(&list) || !s.Empty() {
		return c, false
	}
	for !list.Empty() {
		var der, extensions cryptobyte.String
		if !list.ReadUint24LengthPrefixed(&der) || der.Empty() || !list.ReadUint16LengthPrefixed(&extensions) || len(c.chain) == maxChain {
			return c, false
		}
		c.chain = append(c.chain, der)
		c.extended = c.extended || !extensions.Empty()
	}
	return c, true
}

// Contexts of what CertificateVerify signs (RFC 8446 section 4.4.3).
const (
	clientVerifyContext = "TLS 1.3, client CertificateVerify"
	serverVerifyContext = "TLS 1.3, server CertificateVerify"
)

// signedContent13 is what the CertificateVerify of a client or a server signs: 64 spaces, the context, a zero, and the hash of the messages
// before it.
func signedContent13(client bool, transcriptHash []byte) []byte {
	b := make([]byte, 64, 192)
	for i := range b {
		b[i] = ' '
	}
	if client {
		b = append(b, clientVerifyContext...)
	} else {
		b = append(b, serverVerifyContext...)
	}
	return append(append(b, 0), transcriptHash...)
}

// What a KeyUpdate may say. RFC 8446 section 4.6.3: whoever receives "any other value [...] MUST terminate the connection with an
// "illegal_parameter" alert".
const (
	updateNotRequested = 0
	updateRequested    = 1
)

func appendKeyUpdate(b []byte, request uint8) []byte { return append(b, request) }

func parseKeyUpdate(b []byte) (request uint8, ok bool) {
	s := cryptobyte.String(b)
	ok = s.ReadUint8(&request) && s.Empty()
	return request, ok
}

// parseNewSessionTicket says whether this is one (RFC 8446 section 4.6.1). Nothing in it matters to who resumes nothing.
//
//	uint32 ticket_lifetime; uint32 ticket_age_add; opaque ticket_nonce<0..255>; opaque ticket<1..2^16-1>; Extension extensions<0..2^16-2>;
func parseNewSessionTicket(b []byte) bool {
	s := cryptobyte.String(b)
	var nonce, ticket, extensions cryptobyte.String
	return s.Skip(8) && s.ReadUint8LengthPrefixed(&nonce) && s.ReadUint16LengthPrefixed(&ticket) && !ticket.Empty() &&
		s.ReadUint16LengthPrefixed(&extensions) && s.Empty()
}

// recordNumber names a record to who has sent it (RFC 9147 section 4).
type recordNumber struct {
	epoch uint64
	seq   uint64
}

const recordNumberLen = 16

// appendACK appends the content of an ACK (RFC 9147 section 7).
//
//	RecordNumber record_numbers<0..2^16-1>;
func appendACK(b []byte, numbers []recordNumber) []byte {
	b = appendUint16(b, uint16(len(numbers)*recordNumberLen))
	for _, n := range numbers {
		b = binary.BigEndian.AppendUint64(b, n.epoch)
		b = binary.BigEndian.AppendUint64(b, n.seq)
	}
	return b
}

func parseACK(b []byte) (numbers []recordNumber, ok bool) {
	s := cryptobyte.String(b)
	var list cryptobyte.String
	if !s.ReadUint16LengthPrefixed(&list) || !s.Empty() || len(list)%recordNumberLen != 0 {
		return nil, false
	}
	numbers = make([]recordNumber, len(list)/recordNumberLen)
	for i := range numbers {
		list.ReadUint64(&numbers[i].epoch)
		list.ReadUint64(&numbers[i].seq)
	}
	return numbers, true
}
