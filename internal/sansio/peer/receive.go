package peer

import (
	"bytes"
	"net/netip"
	"time"

	"github.com/sansrtc/rtc/internal/sansio/jsep"
)

// HandleRead takes datagrams that arrived together from remote at local: data holds them one after the other, each segmentSize bytes long but the
// last; 0 means one datagram. data may be overwritten and is not kept.
func (c *Core) HandleRead(now time.Time, local, remote netip.AddrPort, data []byte, segmentSize int) {
	if segmentSize <= 0 {
		segmentSize = len(data)
	}
	for len(data) > 0 {
		n := min(segmentSize, len(data))
		c.handleDatagram(now, local, remote, data[:n:n])
		data = data[n:]
	}
}

// handleDatagram sorts by the first byte.
//
// RFC 7983 section 7: [0..3] STUN, [16..19] ZRTP, [20..63] DTLS, [64..79] TURN channel, [128..191] RTP/RTCP.
func (c *Core) handleDatagram(now time.Time, local, remote netip.AddrPort, b []byte) {
	c.stats.PacketsReceived++
	c.stats.BytesReceived += uint64(len(b))
	if c.ice == nil || c.closed {
		c.stats.DroppedEarly++
		return
	}
	switch {
	case b[0] <= 3:
		d := c.ice.HandlePacket(now, local, remote, b)
		c.pumpICE(now) // there may be a route before there is what comes by it, in this datagram or the next
		if d != nil {
			c.handleDTLS(now, d)
			c.pump(now)
		}
	case b[0] >= 20 && b[0] <= 63:
		// A datagram from where no authenticated check came from is nobody's: a forged ClientHello must not touch the handshake
		// (CVE-2023-49786).
		if !c.ice.Accepts(local, remote) {
			c.stats.DroppedUnauthenticated++
			return
		}
		c.ice.HandleDatagram(b)
		if c.handleDTLS(now, b) {
			c.ice.HandleData(now, local, remote)
			c.pump(now) // so that what waits between two machines is never more than what one datagram carries
		}
	case b[0] >= 128 && b[0] <= 191:
		if !c.ice.Accepts(local, remote) {
			c.stats.DroppedUnauthenticated++
			return
		}
		c.handleMedia(now, local, remote, b)
	default:
		c.stats.DroppedUnknown++
	}
}

// handleDTLS reports whether b had authenticated data: anybody can send something else with the peer's address.
func (c *Core) handleDTLS(now time.Time, b []byte) (alive bool) {
	if c.dtls == nil {
		// The peer has the answer that we are waiting for, and has chosen to be the client (RFC 8842 section 5.2: an offerer has to be
		// ready for a ClientHello before the answer). Its certificate is checked when the answer has come.
		if c.transport.role != jsep.RoleUnknown || c.newDTLS(now, false) != nil {
			c.stats.DroppedEarly++
			return false
		}
		c.transport.early = true
	}
	c.dtls.HandleDatagram(now, b)
	if c.sctp == nil {
		c.pumpDTLS(now) // which may start it
	}
	alive = c.takeData(now)
	c.pumpDTLS(now)
	return alive
}

// takeData hands on what DTLS has decrypted, and says whether there was something.
func (c *Core) takeData(now time.Time) (some bool) {
	for p, ok := c.dtls.PollData(); ok; p, ok = c.dtls.PollData() {
		some = true
		switch {
		case c.sctp != nil:
			c.handleSCTP(now, p)
		case c.keepsEarly() && len(c.early) < maxEarly:
			c.early = append(c.early, bytes.Clone(p))
		default:
			c.stats.DroppedEarly++
		}
	}
	return some
}

// maxEarly is how many packets are kept that overtake the answer: whoever gives it has the association before us, and may send its first window.
const maxEarly = 10

// keepsEarly tells whether SCTP packets may come before the association can be there.
func (c *Core) keepsEarly() bool { return c.awaitsAnswer() || !c.transport.routed }

// awaitsAnswer tells whether an answer is on its way to us.
func (c *Core) awaitsAnswer() bool {
	s := c.session.SignalingState()
	return s == jsep.HaveLocalOffer || s == jsep.HaveRemotePrAnswer
}

func (c *Core) handleSCTP(now time.Time, packet []byte) {
	c.sctp.HandlePacket(now, packet)
	c.burst = true
}

// EndBurst ends what arrived together: one SACK answers it all.
func (c *Core) EndBurst(now time.Time) {
	if c.closed {
		return
	}
	if c.burst {
		c.burst = false
		c.sctp.HandleBurstEnd(now)
	}
	c.pump(now)
	c.maybeRest(now)
}
