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
	dst, _, n := m.PollRun(now, slices.Grow(dst, m.cfg.MTU+MaxOverhead), 1)
	return dst, n > 0
}

// PollRun appends up to limit datagrams to dst, within its capacity: n of them, each size bytes long but the last, which may be shorter. One
// of RTCP is alone.
func (m *Machine) PollRun(now time.Time, dst []byte, limit int) (run []byte, size, n int) {
	m.enter(now)
	if m.tx == nil {
		return dst, 0, 0
	}
	m.writeFeedback()
	if len(m.rtcp) > 0 {
		if len(m.rtcp[0])+MaxOverhead > cap(dst)-len(dst) {
			return dst, 0, 0
		}
		run = m.pollRTCP(dst)
		return run, len(run) - len(dst), 1
	}
	for n < limit {
		next, p, ok := m.front()
		if !ok {
			break
		}
		plain, header := p.b, p.header
		if next.rtx && next.s.enc.RTX != 0 {
			plain, header = m.retransmission(next.s, p)
		}
		length := len(plain) + m.overhead
		if n > 0 && length > size || len(dst)+length > cap(dst) {
			break
		}
		m.queues[next.class].pop()
		m.leave(next, p, plain, header)
		dst = m.seal(dst, plain)
		m.pace.sent(m.now, length)
		if n++; n == 1 {
			size = length
		}
		if length < size {
			break
		}
	}
	return dst, size, n
}

// front is the packet that leaves next, if one may leave now.
func (m *Machine) front() (queued, *packet, bool) {
	for class := range m.queues {
		q := &m.queues[class]
		if q.n > 0 && class != int(classAudio) && !m.pace.open(m.now) {
			break
		}
		for ; q.n > 0; q.pop() {
			next := q.front()
			p := next.packet()
			if p == nil {
				continue
			}
			if next.rtx || m.now.since(p.put) <= maxWait {
				return next, p, true
			}
			next.s.counts.Dropped++
			p.seq = 0
		}
	}
	return queued{}, nil, false
}

// leave counts and stamps a packet that is sealed next: p, or the retransmission that was made of it.
func (m *Machine) leave(next queued, p *packet, plain []byte, header int) {
	s, payload := next.s, len(plain)-header
	if next.rtx {
		p.queued = false
		p.resends++
		s.counts.RetransmittedPackets++
		s.counts.RetransmittedBytes += uint64(payload)
	} else {
		s.counts.QueueDelay += m.now.since(p.put)
		s.timestamp, s.stampedAt = binary.BigEndian.Uint32(plain[4:]), p.put
		m.credit = min(m.credit+len(plain), maxCredit)
	}
	switch {
	case !next.rtx:
		m.stamp(s, plain, p.foreign)
	case s.enc.RTX != 0:
		s.rtxSeq++
		m.stamp(s, plain, m.foreign)
	default:
		// The very same bytes: under one number there is one packet, whatever the network made of the first (RFC 7714 section 8.1).
	}
	p.sent = m.now
	s.reported = true
	s.counts.Packets++
	s.counts.Bytes += uint64(payload)
	s.counts.HeaderBytes += uint64(header)
	if m.report == 0 {
		m.scheduleReport()
	}
}

// retransmission makes p what it is on the source of retransmissions. RFC 4588 section 4: the payload begins with the original sequence number.
func (m *Machine) retransmission(s *sender, p *packet) (plain []byte, header int) {
	if _, err := m.stored.Unmarshal(p.b); err != nil {
		panic("BUG: " + err.Error())
	}
	number := noNumber[:]
	if m.foreign {
		number = nil // whoever numbers the others knows nothing of this one
	}
	if pl := s.enc.payload(m.stored.PayloadType); pl != nil {
		m.stored.PayloadType = pl.RTXType
	}
	m.stored.SSRC, m.stored.SequenceNumber = s.enc.RTX, s.rtxSeq
	plain = appendHeader(m.scratch[:0], &m.stored, &s.enc, s.enc.Extensions.MID, s.enc.Extensions.RepairedRID, number)
	header = len(plain)
	plain = binary.BigEndian.AppendUint16(plain, uint16(p.seq))
	m.scratch = append(plain, p.b[p.header:]...)
	return m.scratch, header
}

// seal protects a packet and appends it to dst.
func (m *Machine) seal(dst, b []byte) []byte {
	sealed, err := m.tx.EncryptRTP(dst[len(dst):len(dst):cap(dst)], b, &m.sealed)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	m.stats.RTPSent++
	m.stats.RTPBytesSent += uint64(len(sealed))
	return dst[:len(dst)+len(sealed)]
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
