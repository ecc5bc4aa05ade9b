package peer

import (
	"fmt"

	"github.com/sansrtc/rtc/internal/sansio/dtls"
	"github.com/sansrtc/rtc/internal/sansio/ice"
	"github.com/sansrtc/rtc/internal/sansio/jsep"
	"github.com/sansrtc/rtc/internal/sansio/sctp"
)

// messageOverhead is what SCTP's receive window is charged with for a message, beyond its bytes.
const messageOverhead = 64

// check compares what the core is told twice, and what it holds with what others say that it holds. h has the events that were polled.
func (c *Core) check(h *ear) {
	must := func(ok bool, format string, args ...any) {
		if !ok {
			panic("BUG: peer: " + fmt.Sprintf(format, args...))
		}
	}
	// The queue: everything before head is let go of, everything behind it is something; a state is told when it changes, and only then.
	ev := &c.events
	for i := ev.n; i < len(ev.ring); i++ {
		e := ev.at(i)
		must(e.kind == 0 && e.data == nil, "a polled event is kept")
	}
	empty, packets, rtcp := 0, 0, 0
	for i := range ev.n {
		switch ev.at(i).kind {
		case 0:
			empty++
		case EventRTP:
			packets++
			must(i >= ev.firstRTP, "a packet is at %d, before the first", i)
		case EventRTCP:
			rtcp++
		}
	}
	must(empty == ev.empty && packets == ev.rtp, "%d places are empty and %d packets, %d and %d are counted", empty, packets, ev.empty, ev.rtp)
	must(max(packets, rtcp) <= c.receiveQueue() && rtcp == ev.rtcp, "%d packets wait, and %d of RTCP, of which %d are counted", packets, rtcp, ev.rtcp)
	more := 0
	connection, iceState := h.connection(), h.ice
	charges, messages, closed := 0, 0, connection == Closed
	for i := range ev.n {
		if ev.at(i).kind == 0 {
			must(i > 0, "the queue begins with a place that was taken")
			continue
		}
		e := ev.at(i).event()
		must(int(e.Kind) < len(eventNames), "event %d", e.Kind)
		if ev.at(i).more {
			must(ev.more[more].Kind == e.Kind && ev.more[more].Channel == e.Channel, "%s has what %s has", eventNames[e.Kind], eventNames[ev.more[more].Kind])
			more++
		}
		must(!closed, "%s after closed", eventNames[e.Kind])
		must(e.Charge == 0 || e.Kind == EventMessage || e.Kind == EventChannelIncoming, "%s costs %d", eventNames[e.Kind], e.Charge)
		must(e.Kind != EventMessage || e.Charge > 0 && len(e.Data) <= e.Charge, "message of %d bytes costs %d", len(e.Data), e.Charge)
		if e.Charge > 0 {
			charges += e.Charge
			messages++
		}
		switch e.Kind {
		case EventConnectionState:
			must(ConnectionState(e.State) != connection, "connection state %s again", connection.name())
			connection = ConnectionState(e.State)
			closed = connection == Closed
		case EventICEState:
			must(ICEState(e.State) != iceState, "ICE state %v again", iceState)
			iceState = ICEState(e.State)
		}
	}
	must(more == len(ev.more), "%d events have more, there is more of %d", more, len(ev.more))
	must(connection == c.connection, "connection is %s, told %s", c.connection.name(), connection.name())
	must(iceState == c.iceState, "ICE is %v, told %v", c.iceState, iceState)

	// The receive window: what is queued here and what was polled but not given back, SCTP counts too. It may hold more: parts of messages,
	// and what channels hold for a channel that is not made yet.
	if c.sctp != nil && !c.closed {
		for _, e := range h.events {
			charges += e.Charge
			messages++
		}
		held := c.held()
		must(held >= charges+messages*messageOverhead, "SCTP holds %d, events and application %d in %d messages", held, charges, messages)
		must(held <= 2*c.receiveBuffer(), "SCTP holds %d", held)
	}

	must(c.stats.SendErrors == 0 || c.sctp == nil || c.sctp.State() == sctp.StateClosed, "the association refused %d messages that a channel had taken", c.stats.SendErrors)
	must(c.sctp == nil || c.transport.routed, "SCTP without a route")
	must(c.sctp == nil || c.dtls != nil && c.dtls.State() >= dtls.StateConnected && c.transport.data, "SCTP without DTLS")
	must(c.sctp != nil || c.closed || !c.burst, "a burst of nothing")
	must(len(c.early) == 0 || c.sctp == nil && len(c.early) <= maxEarly && (c.closed || c.keepsEarly()), "%d packets are kept in %v", len(c.early), c.session.SignalingState())
	must((c.transport.localInit == nil) == (c.transport.remoteInit == nil) && (c.sctp == nil || c.transport.localInit == nil), "INIT chunks of nothing")
	must(len(c.carry) <= largerMTUs[len(largerMTUs)-1], "carry of %d bytes", len(c.carry))
	must(c.sctp != nil || len(c.carry) == 0, "carry without SCTP")
	must(c.dtls == nil || c.transport.role != jsep.RoleUnknown || c.transport.early, "DTLS without a role")
	must(!c.transport.started || c.closed || c.dtls != nil && c.ice != nil, "handshake without DTLS or ICE")
	must(len(c.thresholds) <= len(c.channels.Handles()), "thresholds of %d channels, there are %d", len(c.thresholds), len(c.channels.Handles()))
	if c.closed {
		must(c.connection == Closed && c.PollTimeout().IsZero(), "closed, and goes on")
		must(c.ice == nil || c.iceState == ice.StateClosed, "closed, and ICE is %v", c.iceState)
	}
	if m := c.media; m != nil {
		must(!m.keyed || c.dtls.State() != dtls.StateNew, "keys without DTLS")
		must(!c.closed || len(m.legs) == 0 && len(m.tracks) == 0, "closed, and media goes on")
		var last TransceiverID
		for _, l := range m.legs {
			must(l.section.Transceiver > last, "transceivers out of order")
			last = l.section.Transceiver
			must(len(l.senders) == 0 && !l.section.Sending || len(l.senders) == len(l.section.Encodings), "%d senders of %d encodings",
				len(l.senders), len(l.section.Encodings))
			for i, s := range l.senders {
				must(s.ssrc == l.section.Encodings[i].SSRC, "sender %d has another source", i)
				counts, ok := m.machine.SenderCounts(s.id)
				must(ok && counts.SSRC == s.ssrc, "sender %d is not the machine's", i)
			}
		}
		for id, t := range m.tracks {
			counts, ok := m.machine.StreamCounts(id)
			must(ok && counts.PayloadType == t.PayloadType && counts.MID == t.MID, "track %d is not the machine's", id)
		}
	}
	for _, h := range c.channels.Handles() {
		must(!c.closed || c.channels.State(h) == ChannelClosed, "closed, and channel %d is not", h)
		must(c.channels.State(h) != ChannelOpen || c.sctp != nil, "channel without SCTP is open")
		must(c.BufferedAmount(h) >= 0, "negative amount is buffered")
	}
	if c.connection == Connected {
		must(c.dtls.State() == dtls.StateConnected, "connected, and DTLS is %v", c.dtls.State())
	}
}

func (c *Core) receiveBuffer() int {
	if c.cfg.ReceiveBuffer == 0 {
		return 32 << 20
	}
	return c.cfg.ReceiveBuffer
}

// held is how much SCTP counts against its receive window.
func (c *Core) held() int { return c.sctp.Stats().Held }
