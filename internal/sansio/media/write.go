package media

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/pion/rtp"
)

// PollWrite appends the next datagram to dst; false: there is none to send now. What was given to Send leaves as it came, audio first,
// retransmissions next, and no faster than SetPacing allows.
func (m *Machine) PollWrite(now time.Time, dst []byte) ([]byte, bool) {
	m.enter(now)
	if m.tx == nil {
		return dst, false
	}
	m.writeFeedback()
	if len(m.rtcp) > 0 {
		return m.pollRTCP(dst), true
	}
	for class := range m.queues {
		q := &m.queues[class]
		for q.n > 0 {
			if class != classAudio && !m.pace.open(m.now) {
				break
			}
			next := q.front()
			q.pop()
			p := next.s.history.find(next.seq)
			if p == nil || !next.rtx && p.sent != 0 {
				continue // it had to make room
			}
			start := len(dst)
			if next.rtx && next.s.enc.RTX != 0 {
				dst = m.pollRetransmission(dst, next.s, p)
			} else {
				dst = m.pollPacket(dst, next.s, p, next.rtx)
			}
			m.pace.sent(m.now, len(dst)-start)
			return dst, true
		}
	}
	return dst, false
}

func (m *Machine) pollPacket(dst []byte, s *sender, p *packet, again bool) []byte {
	payload := len(p.b) - p.header
	if again {
		// The very same bytes: under one number there is one packet, whatever the network made of the first (RFC 7714 section 8.1).
		p.queued = false
		p.resends++
		s.counts.RetransmittedPackets++
		s.counts.RetransmittedBytes += uint64(payload)
	} else {
		m.stamp(s, p.b, p.foreign)
		s.counts.QueueDelay += m.now.since(p.put)
		s.timestamp, s.stampedAt = binary.BigEndian.Uint32(p.b[4:]), p.put
	}
	p.sent = m.now
	s.count(payload, p.header)
	if m.report == 0 {
		m.scheduleReport()
	}
	return m.seal(dst, p.b)
}

// pollRetransmission is RFC 4588 section 4: the payload begins with the original sequence number.
func (m *Machine) pollRetransmission(dst []byte, s *sender, p *packet) []byte {
	p.queued = false
	p.resends++
	p.sent = m.now
	if _, err := m.stored.Unmarshal(p.b); err != nil {
		panic("BUG: " + err.Error())
	}
	h := &m.out
	number := m.zeros[:2]
	if m.foreign {
		number = nil // whoever numbers the others knows nothing of this one
	}
	m.fillHeader(h, &m.stored, &s.enc, s.enc.Extensions.MID, s.enc.Extensions.RepairedRID, number)
	if pl := s.enc.payload(m.stored.PayloadType); pl != nil {
		h.PayloadType = pl.RTXType
	}
	h.SSRC = s.enc.RTX
	h.SequenceNumber = s.rtxSeq
	s.rtxSeq++
	h.Padding = m.stored.Padding
	length := h.MarshalSize()
	payload := p.b[p.header:]
	m.scratch = slices.Grow(m.scratch[:0], length+2+len(payload))[:length]
	if _, err := h.MarshalTo(m.scratch); err != nil {
		panic("BUG: " + err.Error())
	}
	m.scratch = binary.BigEndian.AppendUint16(m.scratch, uint16(p.seq))
	m.scratch = append(m.scratch, payload...)
	m.stamp(s, m.scratch, m.foreign)
	s.counts.RetransmittedPackets++
	s.counts.RetransmittedBytes += uint64(len(payload)) + 2
	s.count(len(payload)+2, length)
	return m.seal(dst, m.scratch)
}

func (s *sender) count(payload, header int) {
	s.reported = true
	s.counts.Packets++
	s.counts.Bytes += uint64(payload)
	s.counts.HeaderBytes += uint64(header)
}

// seal protects a packet and appends it to dst.
func (m *Machine) seal(dst, b []byte) []byte {
	dst = slices.Grow(dst, len(b)+maxOverhead)
	sealed, err := m.tx.EncryptRTP(dst[len(dst):len(dst):cap(dst)], b, &m.sealed)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	m.stats.RTPSent++
	m.stats.RTPBytesSent += uint64(len(sealed))
	return dst[:len(dst)+len(sealed)]
}

// fillHeader makes h what src becomes in a packet of e: the machine's own extensions first, at places that stamp knows, then the others of
// src. mid and rid are the identifiers with which the names of e go along; zero: without. number is the transport-wide one, which stamp replaces if
// it is ours; nil: without.
func (m *Machine) fillHeader(h, src *rtp.Header, e *Encoding, mid, rid uint8, number []byte) {
	h.Version, h.Padding, h.Marker, h.PayloadType, h.Timestamp = 2, src.Padding, src.Marker, src.PayloadType, src.Timestamp
	h.CSRC = append(h.CSRC[:0], src.CSRC...)
	h.Extensions = h.Extensions[:0]
	h.Extension, h.ExtensionProfile = true, rtp.ExtensionProfileOneByte
	x := &e.Extensions
	if x.twoBytes(e) || src.Extension && src.ExtensionProfile == rtp.ExtensionProfileTwoByte {
		h.ExtensionProfile = rtp.ExtensionProfileTwoByte
	}
	set := func(id uint8, value []byte) {
		if id != 0 && len(value) > 0 {
			if err := h.SetExtension(id, value); err != nil {
				panic("BUG: " + err.Error())
			}
		}
	}
	set(x.AbsSendTime, m.zeros[:3])
	set(x.TransportCC, number)
	m.names[0] = append(m.names[0][:0], e.MID...)
	m.names[1] = append(m.names[1][:0], e.RID...)
	set(mid, m.names[0])
	set(rid, m.names[1])
	if src.Extension && (src.ExtensionProfile == rtp.ExtensionProfileOneByte || src.ExtensionProfile == rtp.ExtensionProfileTwoByte) {
		others := &m.others
		others.Extension = true
		others.Extensions = append(others.Extensions[:0], src.Extensions...)
		for _, id := range [...]uint8{x.TransportCC, x.AbsSendTime, x.MID, x.RID, x.RepairedRID} {
			if id != 0 && others.GetExtension(id) != nil {
				_ = others.DelExtension(id) // it is there
			}
		}
		h.Extensions = append(h.Extensions, others.Extensions...)
	}
	if len(h.Extensions) == 0 {
		h.Extension, h.ExtensionProfile = false, 0
	}
}

// twoBytes: what we add needs the two-byte form (RFC 8285 section 4.2: identifiers above 14 and values above 16 bytes do).
func (x *Extensions) twoBytes(e *Encoding) bool {
	return max(x.TransportCC, x.AbsSendTime, x.MID, x.RID, x.RepairedRID) > 14 || max(len(e.MID), len(e.RID)) > 16
}

// stamp writes what is known only when a packet leaves: the time and its transport-wide number, unless that is foreign.
func (m *Machine) stamp(s *sender, b []byte, foreign bool) {
	x := s.enc.Extensions
	if x.TransportCC == 0 && x.AbsSendTime == 0 {
		return
	}
	at := 12 + 4*int(b[0]&15) + 4
	prefix := 1
	if binary.BigEndian.Uint16(b[at-4:]) == rtp.ExtensionProfileTwoByte {
		prefix = 2
	}
	if x.AbsSendTime != 0 {
		// 24 bits of NTP time: 6 of seconds, 18 of their fraction.
		t := m.ntp(m.now) >> 14
		b[at+prefix], b[at+prefix+1], b[at+prefix+2] = byte(t>>16), byte(t>>8), byte(t)
		at += prefix + 3
	}
	if x.TransportCC != 0 && !foreign {
		binary.BigEndian.PutUint16(b[at+prefix:], m.sentLog.add(m.now, len(b), s, binary.BigEndian.Uint16(b[2:])))
	}
}
