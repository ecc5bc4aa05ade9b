package peer

import (
	"errors"
	"time"

	"github.com/sansrtc/rtc/internal/sansio/dtls"
	"github.com/sansrtc/rtc/internal/sansio/ice"
	"github.com/sansrtc/rtc/internal/sansio/jsep"
	"github.com/sansrtc/rtc/internal/sansio/sctp"
)

// pump carries work from machine to machine until all are quiet.
func (c *Core) pump(now time.Time) {
	if c.closed {
		return
	}
	c.pumpICE(now)
	c.pumpDTLS(now)
	c.pumpSCTP(now)
	c.pumpChannels(now)
	c.updateConnectionState()
}

func (c *Core) pumpICE(now time.Time) {
	if c.ice == nil {
		return
	}
	for ev, ok := c.ice.PollEvent(); ok; ev, ok = c.ice.PollEvent() {
		switch ev.Kind {
		case ice.EventStateChange:
			c.setICEState(ev.State)
			c.updateConnectionState()
		case ice.EventRouteChange:
			if !c.transport.routed {
				c.transport.routed = true
				if c.dtls != nil {
					c.dtls.HoldTimer(now, false)
					c.startUpper(now) // if the handshake is complete: it can be when its flights are in connectivity checks
				}
			}
			c.startDTLS(now)
			if r, ok := c.route(); ok && c.media != nil && r != c.media.path {
				c.media.pathChanged(now, r)
				c.tellBandwidth(now)
			}
			c.tellRTT()
			if c.sctp != nil {
				c.sctp.PathChanged(now)
			}
		}
	}
}

// tellRTT lets the timers above start from what ICE has measured.
func (c *Core) tellRTT() {
	rtt := c.ice.RTT()
	if rtt == 0 {
		return
	}
	if c.dtls != nil {
		c.dtls.SetRTT(rtt)
	}
	if c.media != nil {
		c.media.machine.SetRTT(rtt)
	}
}

func (c *Core) newDTLS(now time.Time, client bool) (err error) {
	var newest uint16
	if c.cfg.DTLS12 {
		newest = dtls.Version12
	}
	c.dtls, err = dtls.New(dtls.Config{
		Rand:             c.cfg.Rand,
		Client:           client,
		Certificate:      c.cfg.Certificate,
		MaxVersion:       newest,
		PostQuantum:      c.cfg.PostQuantum,
		MTU:              c.handshakeMTU(),
		HandshakeTimeout: c.cfg.HandshakeTimeout,
		KeyLog:           c.cfg.KeyLog,
		KeyLife:          c.cfg.keyLife,
	})
	if err == nil && !c.transport.routed {
		c.dtls.HoldTimer(now, true) // checks are repeated by ICE, with what they carry
	}
	return err
}

// embeddedMTU is the size of handshake datagrams that leave room in a packet for a connectivity check around them; it is libwebrtc's.
const embeddedMTU = 900

func (c *Core) handshakeMTU() int {
	if c.ice.Embeds() {
		return embeddedMTU
	}
	return mtu
}

// startDTLS begins the handshake as soon as there is a role and a way to send: a route, which is the first valid pair, before nomination, or
// connectivity checks that carry datagrams.
func (c *Core) startDTLS(now time.Time) {
	if c.transport.started || c.transport.role == jsep.RoleUnknown {
		return
	}
	if _, ok := c.route(); !ok && !c.ice.Embeds() {
		return
	}
	c.transport.started = true
	c.tellRTT()
	c.dtls.Start(now)
}

func (c *Core) pumpDTLS(now time.Time) {
	if c.dtls == nil {
		return
	}
	for ev, ok := c.dtls.PollEvent(); ok; ev, ok = c.dtls.PollEvent() {
		switch ev.Type {
		case dtls.EventConnected:
			c.updateConnectionState()
			c.rest = rest{since: now}
			c.embedFlight(now, nil)
			c.ice.EndEmbedding(now)
			c.startUpper(now)
		case dtls.EventFailed:
			c.pumpSCTP(now) // what came before in this burst is still delivered
			c.dtlsFailed = true
			c.stats.DTLSError = ev.Err
			c.channels.HandleClosed(now, ev.Err)
			if c.sctp != nil {
				c.sctp.Abort(now, "")
			}
			c.pumpChannels(now)
			if c.media != nil {
				c.media.machine.Stop()
			}
			c.updateConnectionState()
		case dtls.EventClosed:
			// The peer has closed its connection. Nothing can come back from here: a new handshake needs a new description.
			c.pumpSCTP(now)
			c.Close(now)
			return
		}
	}
}

// startUpper begins what is above DTLS.
func (c *Core) startUpper(now time.Time) {
	c.startSCTP(now)
	c.startMedia()
}

// startSCTP runs when the peer is verified, there is a route and a data section is negotiated, whichever comes last.
func (c *Core) startSCTP(now time.Time) {
	if c.sctp != nil || !c.transport.routed || c.dtls == nil || c.dtls.State() != dtls.StateConnected || !c.transport.data {
		return
	}
	head, tail := c.dtls.Overhead()
	cfg := c.cfg.sctp()
	cfg.RemotePort = c.transport.sctpPort
	cfg.MTU = (mtu - head - tail) &^ 3
	cfg.LocalInit, cfg.RemoteInit = c.transport.localInit, c.transport.remoteInit
	c.transport.localInit, c.transport.remoteInit = nil, nil
	cfg.RemoteLate = c.session.Answers() // whoever waits for the answer keeps what comes until then
	if c.whole {
		cfg.LargerMTUs = make([]int, 0, len(largerMTUs))
		for _, n := range largerMTUs {
			if limit := c.cfg.MaxPacketSize; limit == 0 || n <= limit {
				cfg.LargerMTUs = append(cfg.LargerMTUs, n-head-tail)
			}
		}
	}
	var err error
	if c.sctp, err = sctp.New(cfg); err != nil {
		panic("BUG: peer: " + err.Error())
	}
	// The OPENs of waiting channels go first, to ride with COOKIE-ECHO, or with what DTLS ends by.
	c.channels.SetRole(c.transport.role == jsep.RoleClient)
	c.pumpChannels(now)
	c.sctp.Start(now, c.ice.RTT())
	for _, p := range c.early {
		c.handleSCTP(now, p)
	}
	c.early = nil
}

// maxSend leaves the size of messages to the channels, which know what the peer accepts.
const maxSend = 1 << 30

// userInitiatedAbort is the cause that a closed connection gives, RFC 9260 section 3.3.10.12.
const userInitiatedAbort = 12

func (c *Core) pumpSCTP(now time.Time) {
	if c.sctp == nil {
		return
	}
	for {
		if m, ok := c.sctp.PollMessage(); ok {
			c.receive(now, m)
			continue
		}
		ev, ok := c.sctp.PollEvent()
		if !ok {
			return
		}
		switch ev.Kind {
		case sctp.EventConnected:
			c.channels.HandleConnected(now, c.sctp.MaxStreams())
		case sctp.EventIncomingReset:
			for _, id := range ev.Streams {
				c.channels.HandleIncomingReset(now, uint16(id))
			}
		case sctp.EventOutgoingReset:
			for _, id := range ev.Streams {
				c.channels.HandleOutgoingReset(now, uint16(id))
			}
		case sctp.EventBufferedAmountLow:
			c.channels.HandleBufferedAmountLow(now, uint16(ev.Stream))
		case sctp.EventAborted:
			err := ev.Err
			var abort *sctp.AbortError
			if errors.As(err, &abort) && abort.Remote && abort.Cause == userInitiatedAbort {
				err = nil // the peer has closed its connection
			}
			c.channels.HandleClosed(now, err)
		case sctp.EventClosed:
			c.channels.HandleClosed(now, nil)
		}
		c.pumpChannels(now)
	}
}

// receive carries a message to its channel.
func (c *Core) receive(now time.Time, m sctp.Message) {
	if out, ok := c.channels.Deliver(now, uint16(m.Stream), uint32(m.PPID), m.Data); ok {
		c.events.pushMessage(out)
		return
	}
	c.channels.HandleMessage(now, uint16(m.Stream), uint32(m.PPID), m.Data)
	c.pumpChannels(now)
}

// pumpChannels carries what channels want of the association, and their events.
func (c *Core) pumpChannels(now time.Time) {
	if c.sctp != nil {
		// A stream is released before its next user sends.
		for id, ok := c.channels.PollRelease(); ok; id, ok = c.channels.PollRelease() {
			c.sctp.Release(sctp.StreamID(id))
		}
		for o, ok := c.channels.PollSend(); ok; o, ok = c.channels.PollSend() {
			c.send(now, &o, false)
		}
		for id, ok := c.channels.PollReset(); ok; id, ok = c.channels.PollReset() {
			c.sctp.ResetStream(now, sctp.StreamID(id))
		}
		for n, ok := c.channels.PollCredit(); ok; n, ok = c.channels.PollCredit() {
			c.sctp.Consume(now, n)
		}
	}
	for ev, ok := c.channels.PollEvent(); ok; ev, ok = c.channels.PollEvent() {
		if ev.Params != nil {
			c.applyThreshold(ev.Channel, ev.Params.ID)
		}
		c.events.push(Event{Kind: channelEvents[ev.Kind], Channel: ev.Channel, Data: ev.Data, IsString: ev.IsString, Params: ev.Params, Err: ev.Err, Charge: ev.Charge})
	}
}
