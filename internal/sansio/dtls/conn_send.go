package dtls

import "time"

// outAlert is an alert that waits for PollWrite.
type outAlert struct {
	level uint8
	alert Alert
	// Where it leaves. With 1.3 the peer may not have the keys of the later epoch, or not those of the earlier any more.
	epochs [2]*writeEpoch
}

// maxAlerts bounds what waits when nobody polls: more would all be the same answer.
const maxAlerts = 4

// PollWrite appends the next datagram of handshake messages, acknowledgements or alerts to dst.
func (c *Conn) PollWrite(now time.Time, dst []byte) ([]byte, bool) {
	start := len(dst)
	if c.updateDue && c.hs.complete && c.state < StateClosed && !c.flight.wantsAnswer {
		c.sendKeyUpdate(now)
	}
	switch {
	case c.flight.pending():
		dst = c.appendFlight(dst)
	case c.acks.due:
		dst = c.appendACKs(dst)
	case len(c.alerts) > 0:
		dst = c.appendAlert(dst, c.alerts[0])
		c.alerts = c.alerts[1:]
	}
	if len(dst) == start {
		return dst, false
	}
	c.stats.DatagramsOut++
	return dst, true
}

// Repeats says whether the flight that PollWrite gives, or has given last, is one that was sent before.
func (c *Conn) Repeats() bool { return c.flight.again }

// Overhead is the room that Seal needs before and behind the plaintext. Before the handshake has chosen a cipher suite it is the most
// that any would need.
func (c *Conn) Overhead() (head, tail int) {
	if c.write == nil {
		return recordHeaderLen + explicitNonceLen, 1 + tagLen
	}
	return c.write.overhead()
}

// Seal makes one application_data record, in place: buf[off:off+head] is room, buf[off+head:] the plaintext. It returns buf with tail
// more bytes, which is the same memory if buf has the capacity. When the connection has closed or failed it returns nil. It may not be
// called before EventConnected.
func (c *Conn) Seal(buf []byte, off int) []byte {
	if c.state < StateConnected {
		panic("BUG: dtls: Seal before EventConnected")
	}
	if c.state != StateConnected {
		return nil
	}
	w := c.write
	head, tail := w.overhead()
	if n := len(buf) - off - head; off < 0 || n < 0 || n > maxPlaintext {
		panic("BUG: dtls: Seal of what is no record")
	}
	last := uint64(maxSequence)
	if w.v13 != nil {
		last = c.cfg.KeyLife
	}
	if w.next >= last {
		// RFC 6347 section 4.1: "implementations MUST either abandon an association or rehandshake prior to allowing the sequence number
		// to wrap"; RFC 9147 section 4.5.3 for the AEAD. The last one is left for the alert.
		c.fail(AlertCloseNotify, ErrSequenceExhausted)
		return nil
	}
	if w.v13 != nil && w.next >= last/4*3 && !c.flight.updatesKeys {
		c.updateDue = true // long before the last, as it takes a round trip and may be lost
	}
	buf = append(buf, make([]byte, tail)...)
	w.seal(buf[off:], contentApplicationData)
	c.stats.DataOut++
	c.stats.RecordsOut++
	return buf
}

// appendFlight appends as many records of the flight as a datagram holds.
func (c *Conn) appendFlight(dst []byte) []byte {
	f := &c.flight
	room := f.mtu(c.cfg.MTU)
	for first := true; f.pending(); first = false {
		at := len(dst)
		if f.items[f.item].message == nil {
			if room < recordHeaderLen+1 {
				return dst
			}
			dst = c.appendRecord(dst, &c.plain, contentChangeCipherSpec, []byte{1})
			c.sentCCS = true
			f.advance(0)
		} else if dst = c.appendFragments(dst, room, first); len(dst) == at {
			return dst
		}
		room -= len(dst) - at
	}
	return dst
}

// appendFragments appends a record with what is next of the flight, as much as has room: of one message, or with 1.3 of several. It appends nothing
// if that is not worth it, unless it is the first in its datagram.
func (c *Conn) appendFragments(dst []byte, room int, first bool) []byte {
	f := &c.flight
	start, from := len(dst), f.position()
	w := f.items[f.item].out
	head, tail := w.overhead()
	dst = append(dst, make([]byte, head)...)
	to := from
	for f.pending() && f.items[f.item].out == w && f.items[f.item].message != nil && f.position() == to {
		left := f.run()
		n := min(left, room-(len(dst)-start)-tail-messageHeaderLen)
		if n < left && n < minFragment && !(first && len(dst) == start+head) || n < 0 {
			break
		}
		item := &f.items[f.item]
		dst = appendFragment(dst, item.message, f.offset, n)
		to += n
		f.advance(n)
		if w.v13 == nil {
			break
		}
	}
	if len(dst) == start+head {
		return dst[:start]
	}
	if w.v13 != nil {
		f.note(recordNumber{w.epoch, w.next}, from, to)
	}
	dst = append(dst, make([]byte, tail)...)
	w.seal(dst[start:], contentHandshake)
	c.stats.RecordsOut++
	return dst
}

// appendFragment appends n bytes of the message's body, from offset on, behind their header.
func appendFragment(dst, message []byte, offset, n int) []byte {
	at := len(dst)
	dst = append(dst, message[:messageHeaderLen]...)
	putUint24(dst[at+6:], offset)
	putUint24(dst[at+9:], n)
	return append(dst, message[messageHeaderLen+offset:][:n]...)
}

func (c *Conn) appendAlert(dst []byte, a outAlert) []byte {
	for _, w := range a.epochs {
		if w == nil {
			continue
		}
		if w.v12 != nil && !c.sentCCS {
			dst = c.appendRecord(dst, &c.plain, contentChangeCipherSpec, []byte{1})
			c.sentCCS = true
		}
		dst = c.appendRecord(dst, w, contentAlert, []byte{a.level, byte(a.alert)})
	}
	return dst
}

// queueAlert makes an alert leave in the latest epoch that the peer knows of.
func (c *Conn) queueAlert(level uint8, alert Alert) {
	if len(c.alerts) == maxAlerts {
		return
	}
	a := outAlert{level: level, alert: alert}
	switch {
	case c.unacked != nil:
		a.epochs[0] = c.unacked
		if c.hs.complete {
			a.epochs[1] = c.write
		}
	case c.write != nil && (c.hs.is13() || c.sentCCS || c.read != nil && c.read.replay.top > 0):
		// With 1.2, the peer's epoch 1 has begun and ours has, or would have next. An alert in the clear would not be believed.
		a.epochs[0] = c.write
	default:
		a.epochs[0] = &c.plain
	}
	c.alerts = append(c.alerts, a)
}

// appendRecord appends a record, not of application data, with the next sequence number of its epoch.
func (c *Conn) appendRecord(dst []byte, w *writeEpoch, typ uint8, content []byte) []byte {
	head, tail := w.overhead()
	at := len(dst)
	dst = append(dst, make([]byte, head)...)
	dst = append(dst, content...)
	dst = append(dst, make([]byte, tail)...)
	w.seal(dst[at:], typ)
	c.stats.RecordsOut++
	return dst
}
