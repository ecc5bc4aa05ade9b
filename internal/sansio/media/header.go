package media

import (
	"encoding/binary"

	"github.com/pion/rtp"
)

// maxForeign bounds the header extensions that pass. Nobody uses as many, and finding them costs their number times that of identifiers.
const maxForeign = 32

// appendHeader appends what src becomes in a packet of e, but for source, number and time: the machine's own extensions first, at places that stamp
// knows, then the others of src. mid and rid are the identifiers with which the names of e go along; zero: without. number is the
// transport-wide one, which stamp replaces if it is ours; nil: without.
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
	foreign, two := 0, x.twoBytes(e)
	if src.Extension && len(src.Extensions) <= maxForeign {
		switch src.ExtensionProfile {
		case rtp.ExtensionProfileTwoByte:
			two = true
			foreign = len(src.Extensions)
		case rtp.ExtensionProfileOneByte:
			foreign = len(src.Extensions)
		}
	}
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
	for id := uint8(1); foreign > 0 && id != 0 && (two || id < 15); id++ {
		value := src.GetExtension(id)
		if value == nil {
			continue
		}
		foreign--
		if id != x.AbsSendTime && id != x.TransportCC && id != x.MID && id != x.RID && id != x.RepairedRID {
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
