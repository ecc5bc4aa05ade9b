package channel

import (
	"encoding/binary"
	"slices"
	"time"
)

// Payload protocol identifiers, RFC 8831 §8.
const (
	ppidDCEP        uint32 = 50
	ppidString      uint32 = 51
	ppidBinary      uint32 = 53
	ppidStringEmpty uint32 = 56
	ppidBinaryEmpty uint32 = 57
)

// known leaves out 52 and 54, by which messages were once cut in parts:
// RFC 8831 §6.6 deprecates them and a part is not a message.
func known(ppid uint32) bool {
	switch ppid {
	case ppidDCEP, ppidString, ppidBinary, ppidStringEmpty, ppidBinaryEmpty:
		return true
	}
	return false
}

// Message types, RFC 8832 §8.2.1.
const (
	messageAck  = 0x02
	messageOpen = 0x03
)

// Channel types, RFC 8832 §5.1.
const (
	typeReliable    = 0x00
	typeRetransmits = 0x01
	typeLifetime    = 0x02
	typeUnordered   = 0x80 // flag
)

const openHeader = 12

// Both are sent as they are and never written.
var (
	ack  = []byte{messageAck}
	zero = []byte{0}
)

func isOpen(b []byte) bool { return len(b) > 0 && b[0] == messageOpen }
func isAck(b []byte) bool  { return len(b) > 0 && b[0] == messageAck }

// appendOpen appends a DATA_CHANNEL_OPEN, RFC 8832 §5.1:
//
//	Message Type (8) | Channel Type (8) | Priority (16)
//	Reliability Parameter (32)
//	Label Length (16) | Protocol Length (16)
//	Label
//	Protocol
func appendOpen(dst []byte, p Params) []byte {
	kind, limit := byte(typeReliable), uint32(0)
	switch {
	case p.MaxRetransmits >= 0:
		kind, limit = typeRetransmits, uint32(p.MaxRetransmits)
	case p.MaxLifetime >= 0:
		kind, limit = typeLifetime, uint32(p.MaxLifetime/time.Millisecond)
	}
	if !p.Ordered {
		kind |= typeUnordered
	}
	dst = slices.Grow(dst, openHeader+len(p.Label)+len(p.Protocol))
	dst = append(dst, messageOpen, kind)
	dst = binary.BigEndian.AppendUint16(dst, p.Priority)
	dst = binary.BigEndian.AppendUint32(dst, limit)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(p.Label)))
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(p.Protocol)))
	dst = append(dst, p.Label...)
	return append(dst, p.Protocol...)
}

// parseOpen reads a DATA_CHANNEL_OPEN that fills b exactly.
func parseOpen(b []byte) (p Params, ok bool) {
	if len(b) < openHeader || b[0] != messageOpen {
		return Params{}, false
	}
	label, protocol := int(binary.BigEndian.Uint16(b[8:])), int(binary.BigEndian.Uint16(b[10:]))
	if len(b) != openHeader+label+protocol {
		return Params{}, false
	}
	// W3C gives the application 16 bits for either limit, RFC 8832 sends 32.
	limit := min(binary.BigEndian.Uint32(b[4:]), maxReliability)
	p = Params{
		Label:          string(b[openHeader : openHeader+label]),
		Protocol:       string(b[openHeader+label:]),
		Ordered:        b[1]&typeUnordered == 0,
		MaxRetransmits: -1,
		MaxLifetime:    -1,
		Priority:       binary.BigEndian.Uint16(b[2:]),
	}
	switch b[1] &^ typeUnordered {
	case typeReliable:
	case typeRetransmits:
		p.MaxRetransmits = int32(limit)
	case typeLifetime:
		p.MaxLifetime = time.Duration(limit) * time.Millisecond
	default:
		return Params{}, false
	}
	return p, true
}
