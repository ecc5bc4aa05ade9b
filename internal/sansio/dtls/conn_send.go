package dtls

import "time"

// outAlert is an alert that waits for PollWrite.
type outAlert struct {
	level uint8
	alert Alert
}

// maxAlerts bounds what waits when nobody polls: more would all be the same answer.
const maxAlerts = 4

// PollWrite appends the next datagram of handshake messages or alerts to dst.
func (c *Conn) PollWrite(_ time.Time, dst []byte) ([]byte, bool) {
	start := len(dst)
	switch {
	case c.flight.pending():
		dst = c.appendFlight(dst)
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

// Overhead is the room that Seal needs before and behind the plaintext. Before the handshake has chosen a cipher suite it is the most
// that any would need.
func (c *Conn) Overhead() (head, tail int) {
	if c.sealer == nil {
		return recordHeaderLen + explicitNonceLen, tagLen
	}
	return c.sealer.overhead()
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
	head, tail := c.sealer.overhead()
	if n := len(buf) - off - head; off < 0 || n < 0 || n > maxPlaintext {
		panic("BUG: dtls: Seal of what is no record")
	}
	seq := c.writeSeq[epochProtected]
	if seq >= maxSequence {
		// RFC 6347 section 4.1: "implementations MUST either abandon an association or rehandshake prior to allowing the sequence number
		// to wrap". The last one is left for the alert.
		c.fail(AlertCloseNotify, ErrSequenceExhausted)
		return nil
	}
	c.writeSeq[epochProtected]++
	buf = append(buf, make([]byte, tail)...)
	c.sealer.seal(buf[off:], contentApplicationData, epochProtected, seq)
	c.stats.DataOut++
	c.stats.RecordsOut++
	return buf
}

// appendFlight appends as many records of the flight as a datagram holds.
func (c *Conn) appendFlight(dst []byte) []byte {
	f := &c.flight
	room := f.mtu(c.cfg.MTU)
	for first := true; f.pending(); first = false {
		item := &f.items[f.item]
		overhead := c.recordOverhead(item.epoch)
		if item.message == nil {
			if room < overhead+1 {
				return dst
			}
			dst = c.appendRecord(dst, contentChangeCipherSpec, item.epoch, []byte{1})
			room -= overhead + 1
			c.sentCCS = true
			f.item++
			continue
		}
		body := item.message[messageHeaderLen:]
		left := len(body) - f.offset
		n := min(left, room-overhead-messageHeaderLen)
		if n < left && n < minFragment && !first || n < 0 {
			return dst
		}
		dst = c.appendFragment(dst, item, f.offset, n)
		room -= overhead + messageHeaderLen + n
		if f.offset += n; f.offset == len(body) {
			f.item, f.offset = f.item+1, 0
		}
	}
	return dst
}

func (c *Conn) appendFragment(dst []byte, item *flightItem, offset, n int) []byte {
	if n == len(item.message)-messageHeaderLen {
		return c.appendRecord(dst, contentHandshake, item.epoch, item.message) // whole, as its header has it
	}
	h, _, _, _ := parseMessageHeader(item.message)
	h.fragmentOffset, h.fragmentLength = offset, n
	fragment := make([]byte, messageHeaderLen, messageHeaderLen+n)
	h.put(fragment)
	fragment = append(fragment, item.message[messageHeaderLen+offset:][:n]...)
	return c.appendRecord(dst, contentHandshake, item.epoch, fragment)
}

// appendAlert appends an alert in the latest epoch that the peer knows of.
func (c *Conn) appendAlert(dst []byte, a outAlert) []byte {
	epoch := epochPlain
	if c.sentCCS {
		epoch = epochProtected
	} else if c.sealer != nil && c.replay.top > 0 {
		// The peer's epoch 1 has begun and ours would have next. An alert in the clear would not be believed.
		dst = c.appendRecord(dst, contentChangeCipherSpec, epochPlain, []byte{1})
		c.sentCCS = true
		epoch = epochProtected
	}
	return c.appendRecord(dst, contentAlert, epoch, []byte{a.level, byte(a.alert)})
}

func (c *Conn) queueAlert(level uint8, alert Alert) {
	if len(c.alerts) < maxAlerts {
		c.alerts = append(c.alerts, outAlert{level, alert})
	}
}

func (c *Conn) recordOverhead(epoch uint16) int {
	if epoch == epochPlain {
		return recordHeaderLen
	}
	head, tail := c.sealer.overhead()
	return head + tail
}

// appendRecord appends a record, not of application data, with the next sequence number of its epoch.
func (c *Conn) appendRecord(dst []byte, typ uint8, epoch uint16, content []byte) []byte {
	seq := c.writeSeq[epoch]
	c.writeSeq[epoch]++
	c.stats.RecordsOut++
	if epoch == epochPlain {
		version := uint16(version12)
		if typ == contentHandshake && content[0] == typeClientHello {
			version = version10 // servers that know no version yet take it from any client
		}
		at := len(dst)
		dst = append(dst, make([]byte, recordHeaderLen)...)
		putRecordHeader(dst[at:], typ, version, epoch, seq, len(content))
		return append(dst, content...)
	}
	head, tail := c.sealer.overhead()
	at := len(dst)
	dst = append(dst, make([]byte, head)...)
	dst = append(dst, content...)
	dst = append(dst, make([]byte, tail)...)
	c.sealer.seal(dst[at:], typ, epoch, seq)
	return dst
}
