package mux

import "encoding/binary"

// RFC 8489 sections 5 and 14: the header of a STUN message, and of an attribute.
const (
	stunHeader     = 20
	bindingRequest = 0x0001
	bindingSuccess = 0x0101
	magicCookie    = 0x2112A442
	attrHeader     = 4
	attrUsername   = 0x0006
)

// RFC 8839 section 5.4: "ufrag = 4*256ice-char".
const (
	minUfrag = 4
	maxUfrag = 256
)

// beginsLikeSTUN tells whether b is STUN if it is anything known.
//
// "If the value of this byte is in between 0 and 3 (inclusive), then the packet is STUN." RFC 7983 section 7.
func beginsLikeSTUN(b []byte) bool { return len(b) > 0 && b[0] <= 3 }

// isResponse tells whether b is a STUN Binding success response, if it is STUN.
func isResponse(b []byte) bool {
	return len(b) >= stunHeader && binary.BigEndian.Uint16(b) == bindingSuccess
}

// requestUfrag returns the username fragment that a STUN Binding request is addressed to; nil if b is no such request. The request is
// not verified: whoever has claimed the fragment does that.
func requestUfrag(b []byte) []byte {
	if len(b) < stunHeader || binary.BigEndian.Uint16(b) != bindingRequest || binary.BigEndian.Uint32(b[4:]) != magicCookie ||
		int(binary.BigEndian.Uint16(b[2:])) != len(b)-stunHeader {
		return nil
	}
	for rest := b[stunHeader:]; len(rest) >= attrHeader; {
		kind, size := binary.BigEndian.Uint16(rest), int(binary.BigEndian.Uint16(rest[2:]))
		rest = rest[attrHeader:]
		if size > len(rest) {
			return nil
		}
		if kind == attrUsername {
			return firstPart(rest[:size])
		}
		// "attributes whose content is not a multiple of 4 bytes are padded", RFC 8489 section 14.
		rest = rest[min((size+3)&^3, len(rest)):]
	}
	return nil
}

// firstPart is what comes before the colon: "the username for the credential is formed by concatenating the username fragment provided by the
// peer with the username fragment of the ICE agent sending the request, separated by a colon", RFC 8445 section 7.2.2.
func firstPart(username []byte) []byte {
	for i, c := range username {
		switch {
		case c == ':' && i >= minUfrag:
			return username[:i]
		case i == maxUfrag || !iceChar(c):
			return nil
		}
	}
	return nil
}

// iceChar follows RFC 8839 section 5.1: "ice-char = ALPHA / DIGIT / "+" / "/"".
func iceChar(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '+' || c == '/'
}

func validUfrag(s string) bool {
	if len(s) < minUfrag || len(s) > maxUfrag {
		return false
	}
	for i := range len(s) {
		if !iceChar(s[i]) {
			return false
		}
	}
	return true
}
