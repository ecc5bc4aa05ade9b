package peer

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"

	"github.com/pion/dtls/v3/pkg/crypto/prf"
	"github.com/pion/stun/v4"
)

// sniffer says what datagrams are. It sees what anybody on the path sees, and has the key log: so it is what a protocol analyser would
// be, and knows what an attacker who is the peer itself would need.
type sniffer struct {
	keyLog         bytes.Buffer
	client, server [32]byte // randoms of the hellos that were sent last
	clientEnd      int      // who sent the ClientHello
	open           [2]cipher.AEAD
	iv             [2][]byte
	sealed         map[string]*keys13 // of DTLS 1.3
	tag            [2]uint32          // what a packet has to bear that is sent to that end
	tsn            [2]uint32          // the last of that end's
	initial        [2]uint32          // the first of that end's
	counts         [2]bool            // they are known
}

const (
	recordHeader  = 13
	explicitNonce = 8
)

// describe says in one line what from sends.
func (s *sniffer) describe(from int, b []byte) string {
	switch {
	case b[0] <= 3:
		return s.describeSTUN(from, b)
	case b[0] >= 20 && b[0] <= 63:
		return s.describeDTLS(from, b)
	case isRTP(b):
		return fmt.Sprintf("RTP of %08x, payload type %d, number %d", ssrcOf(b), b[1]&127, binary.BigEndian.Uint16(b[2:]))
	case isRTCP(b):
		what := map[byte]string{200: "sender report", 201: "receiver report", 203: "BYE", 205: "transport feedback", 206: "payload feedback"}[b[1]]
		return fmt.Sprintf("RTCP %s of %08x", what, binary.BigEndian.Uint32(b[4:]))
	}
	return fmt.Sprintf("unknown %d", b[0])
}

func (s *sniffer) describeSTUN(from int, b []byte) string {
	m := stun.Message{Raw: slices.Clone(b)}
	if err := m.Decode(); err != nil {
		return "not STUN"
	}
	text := "STUN " + m.Type.Class.String()
	var code stun.ErrorCodeAttribute
	if code.GetFrom(&m) == nil {
		text += fmt.Sprint(" ", int(code.Code))
	}
	for _, a := range m.Attributes {
		switch a.Type {
		case stun.AttrICEControlling:
			text += " controlling"
		case stun.AttrICEControlled:
			text += " controlled"
		case stun.AttrUseCandidate:
			text += " use-candidate"
		case stun.AttrDtlsInStunAck:
			text += fmt.Sprint(" acknowledging ", len(a.Value)/4)
		case stun.AttrDtlsInStun:
			text += " with " + s.describeDTLS(from, a.Value)
		}
	}
	return text
}

var handshakeNames = map[byte]string{0: "HelloRequest", 1: "ClientHello", 2: "ServerHello", 3: "HelloVerifyRequest", 11: "Certificate",
	4: "NewSessionTicket", 8: "EncryptedExtensions", 24: "KeyUpdate", 12: "ServerKeyExchange", 13: "CertificateRequest", 14: "ServerHelloDone", 15: "CertificateVerify", 16: "ClientKeyExchange", 20: "Finished"}

func (s *sniffer) describeDTLS(from int, b []byte) string {
	var list []string
	for len(b) >= recordHeader {
		if b[0]>>5 == 1 {
			var text string
			text, b = s.describeSealed(from, b)
			list = append(list, text)
			continue
		}
		n := recordHeader + int(binary.BigEndian.Uint16(b[11:]))
		if n > len(b) {
			list = append(list, "cut record")
			break
		}
		raw := b[:n]
		b = b[n:]
		content, ok := s.decrypt(from, raw)
		switch {
		case !ok:
			list = append(list, "sealed")
		case raw[0] == 20:
			list = append(list, "ChangeCipherSpec")
		case raw[0] == 21:
			list = append(list, fmt.Sprintf("alert %d", content[1]))
		case raw[0] == 22:
			list = append(list, s.describeHandshake(from, content))
		default:
			list = append(list, "SCTP "+s.describeSCTP(from, content))
		}
	}
	return "DTLS " + strings.Join(list, ", ")
}

func (s *sniffer) describeHandshake(from int, b []byte) string {
	var list []string
	for len(b) >= 12 {
		length := int(b[1])<<16 | int(b[2])<<8 | int(b[3])
		offset := int(b[6])<<16 | int(b[7])<<8 | int(b[8])
		n := int(b[9])<<16 | int(b[10])<<8 | int(b[11])
		name := handshakeNames[b[0]]
		if n < length {
			name += fmt.Sprintf("[%d:%d]", offset, offset+n)
		}
		if offset == 0 && n >= 34 {
			switch b[0] {
			case 1:
				s.clientEnd = from
				copy(s.client[:], b[14:])
			case 2:
				copy(s.server[:], b[14:])
				s.open = [2]cipher.AEAD{}
			}
		}
		list = append(list, name)
		b = b[12+n:]
	}
	return strings.Join(list, " ")
}

// decrypt opens a record, if it is sealed.
func (s *sniffer) decrypt(from int, raw []byte) ([]byte, bool) {
	if raw[3] == 0 && raw[4] == 0 {
		return raw[recordHeader:], true
	}
	if !s.learnKeys() || len(raw) < recordHeader+explicitNonce+16 {
		return nil, false
	}
	nonce := append(slices.Clone(s.iv[from]), raw[recordHeader:recordHeader+explicitNonce]...)
	ad := append(slices.Clone(raw[3:11]), raw[0], raw[1], raw[2])
	ad = binary.BigEndian.AppendUint16(ad, uint16(len(raw)-recordHeader-explicitNonce-16))
	plain, err := s.open[from].Open(nil, nonce, raw[recordHeader+explicitNonce:], ad)
	return plain, err == nil
}

// seal makes a record as from would: with its keys, and a sequence number that it has not come to.
func (s *sniffer) seal(from int, typ byte, seq uint64, content []byte) []byte {
	if s.keys(from, 3) != nil {
		return s.seal13(from, typ, seq, content)
	}
	b := binary.BigEndian.AppendUint64([]byte{typ, 0xfe, 0xfd}, 1<<48|seq)
	ad := binary.BigEndian.AppendUint16(append(slices.Clone(b[3:11]), b[:3]...), uint16(len(content)))
	nonce := slices.Concat(s.iv[from], b[3:11])
	b = binary.BigEndian.AppendUint16(b, uint16(explicitNonce+len(content)+16))
	return s.open[from].Seal(append(b, b[3:11]...), nonce, content, ad)
}

// learnKeys looks the handshake up in the key log.
func (s *sniffer) learnKeys() bool {
	if s.open[0] != nil {
		return true
	}
	for line := range strings.Lines(s.keyLog.String()) {
		f := strings.Fields(line)
		if len(f) != 3 || f[1] != hex.EncodeToString(s.client[:]) {
			continue
		}
		master, err := hex.DecodeString(f[2])
		if err != nil {
			return false
		}
		keys, err := prf.GenerateEncryptionKeys(master, s.client[:], s.server[:], 0, 16, 4, sha256.New)
		if err != nil {
			return false
		}
		for end, k := range [2][]byte{keys.ClientWriteKey, keys.ServerWriteKey} {
			block, err := aes.NewCipher(k)
			if err != nil {
				return false
			}
			i := s.clientEnd ^ end
			s.open[i], _ = cipher.NewGCM(block)
			s.iv[i] = [2][]byte{keys.ClientWriteIV, keys.ServerWriteIV}[end]
		}
		return true
	}
	return false
}

const (
	chunkIData      = 64
	chunkInit       = 1
	chunkInitAck    = 2
	chunkAbort      = 6
	chunkCookieEcho = 10
	chunkReconfig   = 130
)

var chunkNames = map[byte]string{0: "DATA", 64: "I-DATA", 1: "INIT", 2: "INIT-ACK", 3: "SACK", 4: "HEARTBEAT", 5: "HEARTBEAT-ACK", 6: "ABORT", 7: "SHUTDOWN",
	8: "SHUTDOWN-ACK", 9: "ERROR", 10: "COOKIE-ECHO", 11: "COOKIE-ACK", 14: "SHUTDOWN-COMPLETE", 130: "RE-CONFIG", 192: "FORWARD-TSN", 132: "PAD", 194: "I-FORWARD-TSN"}

func (s *sniffer) describeSCTP(from int, b []byte) string {
	var list []string
	if tag := binary.BigEndian.Uint32(b[4:]); tag != 0 {
		s.tag[1-from] = tag
	}
	for b = b[12:]; len(b) >= 4; {
		n := int(binary.BigEndian.Uint16(b[2:]))
		chunk := b[:n]
		b = b[min((n+3)&^3, len(b)):]
		text := chunkNames[chunk[0]]
		switch chunk[0] {
		case chunkInit, chunkInitAck:
			s.tag[from] = binary.BigEndian.Uint32(chunk[4:])
			s.initial[from] = binary.BigEndian.Uint32(chunk[16:])
			s.tsn[from], s.counts[from] = s.initial[from]-1, true
		case chunkIData:
			t := binary.BigEndian.Uint32(chunk[4:])
			if !s.counts[from] { // its INIT was in the description
				s.initial[from], s.tsn[from], s.counts[from] = t, t-1, true
			}
			if int32(t-s.tsn[from]) > 0 {
				s.tsn[from] = t
			}
			switch ppid := binary.BigEndian.Uint32(chunk[16:]); {
			case ppid == 50 && chunk[20] == 3:
				text += " OPEN"
			case ppid == 50 && chunk[20] == 2:
				text += " ACK"
			default:
				text += fmt.Sprintf(" %d", n-20)
			}
			text += fmt.Sprintf("/s%d", binary.BigEndian.Uint16(chunk[8:]))
		}
		list = append(list, text)
	}
	return strings.Join(list, " ")
}

// packet is an SCTP packet with chunks, as the other end would send it to to.
func (s *sniffer) packet(to int, chunks ...[]byte) []byte {
	b := binary.BigEndian.AppendUint32([]byte{0x13, 0x88, 0x13, 0x88}, s.tag[to])
	return sealSCTP(append(append(b, 0, 0, 0, 0), slices.Concat(chunks...)...))
}

// sealSCTP writes the checksum.
func sealSCTP(b []byte) []byte {
	copy(b[8:12], []byte{0, 0, 0, 0})
	binary.LittleEndian.PutUint32(b[8:], crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// chunk makes one, padded.
func chunk(typ, flags byte, value []byte) []byte {
	b := append([]byte{typ, flags, byte((4 + len(value)) >> 8), byte(4 + len(value))}, value...)
	return append(b, make([]byte, -len(b)&3)...)
}

// data makes an I-DATA chunk that is a whole ordered message with the next TSN of from.
func (s *sniffer) data(from int, stream, mid uint16, ppid uint32, payload []byte) []byte {
	s.tsn[from]++
	v := binary.BigEndian.AppendUint32(nil, s.tsn[from])
	v = binary.BigEndian.AppendUint16(v, stream)
	v = binary.BigEndian.AppendUint16(v, 0)
	v = binary.BigEndian.AppendUint32(v, uint32(mid))
	v = binary.BigEndian.AppendUint32(v, ppid)
	return chunk(chunkIData, 3, append(v, payload...))
}

// sniff lets s see every datagram.
func (w *world) sniff(s *sniffer) {
	w.see = func(from int, b []byte) bool {
		s.describe(from, b)
		return true
	}
}

// inject seals an SCTP packet as from, who is authenticated and hostile, would.
func (w *world) inject(from int, packet []byte) {
	d := w.core[from].dtls
	head, _ := d.Overhead()
	w.wire.Send(w.now, from, d.Seal(append(make([]byte, head), packet...), 0))
}
