package peer

import (
	"bytes"
	"net/netip"
	"time"

	"github.com/sansrtc/rtc/internal/sansio/dtls"
)

// Transmit is a run of datagrams to one destination: Data holds them one after the other, each SegmentSize bytes long but the last, which may be
// shorter. SegmentSize is len(Data) for a single one.
type Transmit struct {
	Local, Remote netip.AddrPort
	Data          []byte
	SegmentSize   int
}

type route struct{ local, remote netip.AddrPort }

// route is where data goes now.
func (c *Core) route() (r route, ok bool) {
	if c.closed {
		if c.transport.last == nil {
			return r, false
		}
		return *c.transport.last, true
	}
	if c.ice == nil {
		return r, false
	}
	r.local, r.remote, ok = c.ice.Route()
	return r, ok
}

// PollWrite fills buf, up to its capacity, with the next run of at most maxSegments datagrams. The Transmit's Data is in buf.
func (c *Core) PollWrite(now time.Time, buf []byte, maxSegments int) (t Transmit, ok bool) {
	buf = buf[:0]
	if c.ice != nil {
		c.embedFlight(now, buf)
		if t.Data, t.Local, t.Remote, ok = c.ice.PollWrite(now, buf); ok {
			n := 1
			if t.SegmentSize = len(t.Data); maxSegments > 1 {
				if t.Data, ok = c.ice.PollResponse(now, t.Data, t.Local, t.Remote, t.SegmentSize); ok {
					n++
				}
			}
			return c.sending(t, n), true
		}
	}
	r, ok := c.route()
	if !ok || c.dtls == nil {
		return t, false
	}
	t.Local, t.Remote = r.local, r.remote
	if t.Data, ok = c.pollHandshake(now, buf); ok {
		c.ice.HandleSent(now)
		t.Data = c.join(now, t.Data)
		return c.sending(t, 1), true
	}
	if c.media != nil {
		if t, ok = c.pollMedia(now, t, buf, maxSegments); ok {
			return t, true
		}
	}
	if c.closed {
		if t.Data, ok = c.appendFarewell(now, buf); ok {
			return c.sending(t, 1), true
		}
		return t, false
	}
	if c.sctp != nil {
		if t.Data, ok = c.joinFlight(now, buf); ok {
			c.noteUse(now)
			return c.sending(t, 1), true
		}
		var n int
		if t.Data, t.SegmentSize, n = c.appendRun(now, buf, maxSegments); n > 0 {
			c.noteUse(now)
			return c.sending(t, n), true
		}
		if c.dtls.State() == dtls.StateFailed && !c.dtlsFailed {
			c.pump(now) // its keys are worn out
			return c.PollWrite(now, buf, maxSegments)
		}
		c.pumpSCTP(now) // what has left may have lowered a buffered amount
	}
	return t, false
}

// embedFlight gives ICE what DTLS has to say as long as that is embedded in connectivity checks. buf is scratch.
func (c *Core) embedFlight(now time.Time, buf []byte) {
	if c.dtls == nil || !c.ice.Embeds() {
		return
	}
	var room [4][]byte
	flight := room[:0]
	for b, ok := c.dtls.PollWrite(now, buf); ok; b, ok = c.dtls.PollWrite(now, buf) {
		flight = append(flight, bytes.Clone(b))
	}
	if len(flight) > 0 {
		c.ice.Embed(now, flight, c.dtls.Repeats())
	}
}

// pollHandshake appends the next datagram of DTLS that leaves by itself. One that a check or response to the same address has carried does not: where
// nothing is lost it would come twice, and where it is lost, DTLS repeats it.
func (c *Core) pollHandshake(now time.Time, buf []byte) ([]byte, bool) {
	if b, ok := c.ice.PollFlight(buf); ok {
		return b, true
	}
	return c.dtls.PollWrite(now, buf)
}

// appendFarewell makes a datagram of the association's last packet, ABORT, and the end of the connection below it.
func (c *Core) appendFarewell(now time.Time, buf []byte) ([]byte, bool) {
	buf = append(buf, c.carry...)
	c.carry = c.carry[:0]
	for more := c.sctp != nil; more; {
		if len(buf) > mtu/2 {
			return buf, true
		}
		buf, more = c.appendPacket(now, buf)
	}
	c.dtls.Close(now)
	buf, _ = c.dtls.PollWrite(now, buf)
	return buf, len(buf) > 0
}

func (c *Core) sending(t Transmit, n int) Transmit {
	if t.SegmentSize == 0 {
		t.SegmentSize = len(t.Data)
	}
	c.stats.PacketsSent += uint64(n)
	c.stats.BytesSent += uint64(len(t.Data))
	return t
}

// appendPacket builds and seals the next SCTP packet behind buf, if the largest has room there.
func (c *Core) appendPacket(now time.Time, buf []byte) ([]byte, bool) {
	off := len(buf)
	head, tail := c.dtls.Overhead()
	if off+head+c.sctp.MaxPacket()+tail > cap(buf) {
		return buf, false
	}
	packet, ok := c.sctp.AppendPacket(now, buf[:off+head])
	if !ok {
		return buf, false
	}
	if len(packet)+tail > cap(buf) {
		panic("BUG: peer: SCTP packet over the MTU")
	}
	if packet = c.dtls.Seal(packet, off); packet == nil {
		return buf, false // the peer has ended the connection: there is nobody to tell
	}
	return packet, true
}

// join puts the next SCTP packet behind the DTLS records of a datagram, so that INIT leaves with the last flight of the handshake. RFC 6347
// section 4.1.1: "Multiple DTLS records may be placed in a single datagram." One that does not fit leaves next.
func (c *Core) join(now time.Time, datagram []byte) []byte {
	if c.sctp == nil || len(c.carry) > 0 || c.sctp.ProbeDue() {
		return datagram
	}
	packet, ok := c.appendPacket(now, datagram)
	if ok && len(packet) > mtu {
		c.carry = append(c.carry, packet[len(datagram):]...)
		return datagram
	}
	return packet
}

// joinFlight puts the next SCTP packet behind a datagram of the handshake that has left, and that the peer has not acknowledged: if that was lost it
// would be two round trips until it is repeated, and what the packet brings could not be read. It reports whether there is such a datagram, and a packet that fits.
func (c *Core) joinFlight(now time.Time, buf []byte) ([]byte, bool) {
	if len(c.carry) > 0 {
		return buf, false
	}
	flight, ok := c.ice.PeekFlight(buf)
	if !ok {
		return buf, false
	}
	datagram := c.join(now, flight)
	if len(datagram) == len(flight) {
		return buf, false
	}
	c.ice.JoinFlight()
	return datagram, true
}

// appendRun builds and seals SCTP packets in place, one behind the other, as long as they have one size. A probe of the path leaves alone: what
// refuses it shall not refuse others.
func (c *Core) appendRun(now time.Time, buf []byte, maxSegments int) (run []byte, size, n int) {
	if len(c.carry) > 0 {
		buf = append(buf, c.carry...)
		size, n = len(buf), 1
		c.carry = c.carry[:0]
	}
	for probe := false; n < maxSegments && !probe; {
		if probe = c.sctp.ProbeDue(); probe && n > 0 {
			break
		}
		off := len(buf)
		packet, ok := c.appendPacket(now, buf)
		if !ok {
			break
		}
		length := len(packet) - off
		if n > 0 && length > size {
			c.carry = append(c.carry[:0], packet[off:]...)
			break
		}
		buf = packet
		n++
		if n == 1 {
			size = length
		}
		if length < size {
			break
		}
	}
	return buf, size, n
}
