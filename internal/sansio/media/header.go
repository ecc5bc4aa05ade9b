package media

import (
	"encoding/binary"
	"slices"

	"github.com/pion/rtp"
)

// appendHeader appends what src becomes in a packet of e, but for source, number and time: the machine's own extensions first, at places that stamp
// knows, then those of src that were negotiated. What else src has may be of another connection, where identifiers mean something else. mid and
// rid are the identifiers with which the names of e go along; zero: without. number is the transport-wide one, which stamp replaces if it is
// ours; nil: without.
func appendHeader(b []byte, src *rtp.Header, e *Encoding, mid, rid uint8, number []byte) []byte {
	csrcs := src.CSRC[:min(len(src.CSRC), 15)]
	first, second := 0x80|byte(len(csrcs)), src.PayloadType
	if src.Padding {
		first |= 0x20
	}
	if src.Marker {
		second |= 0x80
	}
	start := len(b)
	b = append(b, first, second, byte(src.SequenceNumber>>8), byte(src.SequenceNumber))
	b = binary.BigEndian.AppendUint32(b, src.Timestamp)
	b = binary.BigEndian.AppendUint32(b, src.SSRC)
	for _, c := range csrcs {
		b = binary.BigEndian.AppendUint32(b, c)
	}

	// RFC 8285 sections 4.2 and 4.3: the one-byte form begins with 0xBEDE, the two-byte form with 0x1000.
	x := &e.Extensions
	two := x.twoBytes(e) || src.Extension && src.ExtensionProfile == rtp.ExtensionProfileTwoByte &&
		slices.ContainsFunc(e.Others, func(id uint8) bool { return needsTwoBytes(id, src.GetExtension(id)) })
	at := len(b)
	if two {
		b = append(b, 0x10, 0x00, 0, 0)
	} else {
		b = append(b, 0xbe, 0xde, 0, 0)
	}
	b = appendExtension(b, two, x.AbsSendTime, zeros)
	if number != nil {
		b = appendExtension(b, two, x.TransportCC, number)
	}
	b = appendExtension(b, two, mid, e.MID)
	if e.RID != "" {
		b = appendExtension(b, two, rid, e.RID)
	}
	for _, id := range e.Others {
		if value := src.GetExtension(id); value != nil {
			b = appendExtension(b, two, id, value)
		}
	}
	length := len(b) - at - 4
	if length == 0 {
		return b[:at]
	}
	for ; length%4 != 0; length++ {
		b = append(b, 0)
	}
	b[start] |= 0x10
	binary.BigEndian.PutUint16(b[at+2:], uint16(length/4))
	return b
}

// needsTwoBytes: RFC 8285 section 4.2, the one-byte form has identifiers up to 14 and values of 1 to 16 bytes.
func needsTwoBytes(id uint8, value []byte) bool {
	return value != nil && (id > 14 || len(value) == 0 || len(value) > 16)
}

// zeros is where the time of sending will be.
const zeros = "\x00\x00\x00"

// noNumber is where a transport-wide number will be.
var noNumber [2]byte

// appendExtension appends an element, if it has an identifier and the form can have its value.
func appendExtension[T []byte | string](b []byte, two bool, id uint8, value T) []byte {
	n := len(value)
	switch {
	case id == 0 || n > 255 || !two && (n == 0 || n > 16):
		return b
	case two:
		b = append(b, id, byte(n))
	default:
		b = append(b, id<<4|byte(n-1))
	}
	return append(b, value...)
}
