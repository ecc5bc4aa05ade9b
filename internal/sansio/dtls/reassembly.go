package dtls

import (
	"bytes"
	"encoding/binary"
)

// Our own limits on what the peer may make us remember. A chain of ten certificates fits in maxMessage; a flight has five messages.
const (
	maxMessage    = 32 << 10
	maxAhead      = 8        // messages that are put together at the same time
	maxAheadBytes = 40 << 10 // sum of their sizes, without the one that is due: a chain and what is signed with it
)

// message is a whole handshake message.
type message struct {
	typ   uint8
	seq   uint16
	epoch uint16 // of the records that carried it
	raw   []byte // as if it had come in one fragment: what the transcript hashes
}

func (m *message) body() []byte { return m.raw[messageHeaderLen:] }

// reassembly puts handshake messages together from their fragments and gives them out in the order of message_seq.
type reassembly struct {
	next  uint16      // message_seq that is due
	slots []assembled // slots[i] is message next+i; maxAhead of them, or nil when nothing has come
}

// assembled is a message of which some fragments have come. raw is nil when none has.
type assembled struct {
	epoch   uint16
	missing int    // bytes of the body. Invariant: the number of zero bits in have
	have    bitset // of the body; nil when it came at once
	raw     []byte
}

// fragmentResult says what became of a fragment.
type fragmentResult uint8

const (
	fragmentTaken fragmentResult = iota
	fragmentOld                  // of a message that was given out already
	fragmentMalformed
	fragmentOverflow    // over one of the limits
	fragmentConflicting // contradicts what came before, which was forgotten if it had no better authentication
)

// add takes a fragment: h as on the wire and its bytes.
func (r *reassembly) add(epoch uint16, h messageHeader, b []byte) fragmentResult {
	// A fragment without bytes brings nothing, unless the message has none (CVE-2022-29190).
	if h.fragmentOffset+h.fragmentLength > h.length || h.fragmentLength == 0 && h.length != 0 {
		return fragmentMalformed
	}
	if h.length > maxMessage {
		return fragmentOverflow
	}
	ahead := int(h.seq - r.next) // modulo 2^16
	if ahead >= 1<<15 {
		return fragmentOld
	}
	if ahead >= maxAhead {
		return fragmentOverflow
	}
	if r.slots == nil {
		r.slots = make([]assembled, maxAhead)
	}
	s := &r.slots[ahead]
	if s.raw != nil && s.epoch > epoch {
		return fragmentConflicting // what is authenticated does not yield to what is not
	}
	result := fragmentTaken
	if s.raw != nil && (s.raw[0] != h.typ || len(s.raw) != messageHeaderLen+h.length || s.epoch != epoch || !s.agrees(h.fragmentOffset, b)) {
		// One of the two is not the peer's. Whoever was first, the peer will send all fragments again, and they agree with each other.
		*s = assembled{}
		result = fragmentConflicting
	}
	if s.raw == nil {
		if ahead > 0 && r.aheadBytes()+h.length > maxAheadBytes {
			return fragmentOverflow
		}
		s.epoch, s.missing = epoch, h.length
		s.raw = make([]byte, messageHeaderLen+h.length)
		whole := h
		whole.fragmentOffset, whole.fragmentLength = 0, h.length
		whole.put(s.raw)
	}
	s.put(h.fragmentOffset, b)
	return result
}

// put takes the bytes from offset on, which agree with those that are there.
func (s *assembled) put(offset int, b []byte) {
	length := len(s.raw) - messageHeaderLen
	copy(s.raw[messageHeaderLen+offset:], b)
	if len(b) == length {
		s.missing, s.have = 0, nil // most messages come in one fragment
	}
	if s.missing == 0 {
		return
	}
	if s.have == nil {
		s.have = newBitset(length)
	}
	s.missing -= s.have.set(offset, offset+len(b))
}

// agrees says whether all bytes from offset on that came before are the same in b.
func (s *assembled) agrees(offset int, b []byte) bool {
	body := s.raw[messageHeaderLen:]
	if s.have == nil {
		return bytes.Equal(body[offset:offset+len(b)], b)
	}
	for i := range b {
		if at := offset + i; s.have.has(at) && body[at] != b[i] {
			return false
		}
	}
	return true
}

func (r *reassembly) aheadBytes() (n int) {
	for i := 1; i < len(r.slots); i++ {
		n += max(0, len(r.slots[i].raw)-messageHeaderLen)
	}
	return n
}

// whole returns message seq when it is whole.
func (r *reassembly) whole(seq uint16) (message, bool) {
	ahead := int(seq - r.next)
	if ahead >= len(r.slots) || r.slots[ahead].raw == nil || r.slots[ahead].missing > 0 {
		return message{}, false
	}
	s := &r.slots[ahead]
	return message{typ: s.raw[0], seq: seq, epoch: s.epoch, raw: s.raw}, true
}

// accept goes on to the message behind seq.
func (r *reassembly) accept(seq uint16) {
	n := int(seq-r.next) + 1
	copy(r.slots, r.slots[n:])
	clear(r.slots[maxAhead-n:])
	r.next = seq + 1
}

// reject forgets message seq, so that a better one may come in its place.
func (r *reassembly) reject(seq uint16) { r.slots[seq-r.next] = assembled{} }

// trim gives back the memory of what is not there.
func (r *reassembly) trim() {
	for i := range r.slots {
		if r.slots[i].raw != nil {
			return
		}
	}
	r.slots = nil
}

// hasGap says whether something is there behind something that is not.
func (r *reassembly) hasGap() bool {
	missing := false
	for i := range r.slots {
		s := &r.slots[i]
		switch {
		case s.raw == nil:
			missing = true
		case missing:
			return true
		case s.missing > 0:
			for at := range len(s.raw) - messageHeaderLen {
				if !s.have.has(at) {
					missing = true
				} else if missing {
					return true
				}
			}
		}
	}
	return false
}

// restart forgets everything and goes on with message_seq next.
func (r *reassembly) restart(next uint16) { *r = reassembly{next: next} }

const messageHeaderLen = 12

// messageHeader is the header of a handshake fragment (RFC 6347 section 4.2.2).
//
//	HandshakeType msg_type; uint24 length; uint16 message_seq; uint24 fragment_offset; uint24 fragment_length;
type messageHeader struct {
	typ            uint8
	length         int
	seq            uint16
	fragmentOffset int
	fragmentLength int
}

// parseMessageHeader splits the first fragment from the content of a handshake record.
func parseMessageHeader(b []byte) (h messageHeader, fragment, rest []byte, ok bool) {
	if len(b) < messageHeaderLen {
		return messageHeader{}, nil, nil, false
	}
	h = messageHeader{
		typ:            b[0],
		length:         uint24(b[1:]),
		seq:            seqOf(b),
		fragmentOffset: uint24(b[6:]),
		fragmentLength: uint24(b[9:]),
	}
	b = b[messageHeaderLen:]
	if h.fragmentLength > len(b) {
		return messageHeader{}, nil, nil, false
	}
	return h, b[:h.fragmentLength], b[h.fragmentLength:], true
}

func (h *messageHeader) put(b []byte) {
	_ = b[messageHeaderLen-1]
	b[0] = h.typ
	putUint24(b[1:], h.length)
	binary.BigEndian.PutUint16(b[4:], h.seq)
	putUint24(b[6:], h.fragmentOffset)
	putUint24(b[9:], h.fragmentLength)
}

// seqOf is the message_seq of a fragment.
func seqOf(b []byte) uint16 { return binary.BigEndian.Uint16(b[4:]) }

func uint24(b []byte) int { return int(b[0])<<16 | int(b[1])<<8 | int(b[2]) }

func putUint24(b []byte, n int) { b[0], b[1], b[2] = byte(n>>16), byte(n>>8), byte(n) }
