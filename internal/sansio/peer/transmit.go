package peer

import (
	"net/netip"
	"time"
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
		return c.transport.last, c.transport.last.remote.IsValid()
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
	if t.Data, ok = c.dtls.PollWrite(now, buf); ok {
		c.ice.HandleSent(now)
		return c.sending(t, 1), true
	}
	if c.sctp != nil {
		var n int
		if t.Data, t.SegmentSize, n = c.appendRun(now, buf, maxSegments); n > 0 {
			c.rest.moved = true
			c.ice.HandleSent(now)
			return c.sending(t, n), true
		}
		c.pumpSCTP(now) // what has left may have lowered a buffered amount
	}
	if c.closed {
		// The association's ABORT is out: now the connection below it ends.
		c.dtls.Close(now)
		if t.Data, ok = c.dtls.PollWrite(now, buf); ok {
			return c.sending(t, 1), true
		}
	}
	return t, false
}

func (c *Core) sending(t Transmit, n int) Transmit {
	if t.SegmentSize == 0 {
		t.SegmentSize = len(t.Data)
	}
	c.stats.PacketsSent += uint64(n)
	c.stats.BytesSent += uint64(len(t.Data))
	return t
}

// appendRun builds and seals SCTP packets in place, one behind the other, as long as they have one size. A probe of the path leaves alone: what
// refuses it shall not refuse others.
func (c *Core) appendRun(now time.Time, buf []byte, maxSegments int) (run []byte, size, n int) {
	if len(c.carry) > 0 {
		buf = append(buf, c.carry...)
		size, n = len(buf), 1
		c.carry = c.carry[:0]
	}
	head, tail := c.dtls.Overhead()
	for probe := false; n < maxSegments && !probe && len(buf)+head+c.sctp.MaxPacket()+tail <= cap(buf); {
		if probe = c.sctp.ProbeDue(); probe && n > 0 {
			break
		}
		off := len(buf)
		packet, ok := c.sctp.AppendPacket(now, buf[:off+head])
		if !ok {
			break
		}
		if len(packet)+tail > cap(buf) {
			panic("BUG: peer: SCTP packet over the MTU")
		}
		if packet = c.dtls.Seal(packet, off); packet == nil {
			break // the peer has ended the connection: there is nobody to tell
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
