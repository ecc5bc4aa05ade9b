package peer

import (
	"time"

	"github.com/sansrtc/rtc/internal/sansio/channel"
	"github.com/sansrtc/rtc/internal/sansio/sctp"
)

// OpenChannel is W3C's createDataChannel.
func (c *Core) OpenChannel(now time.Time, p Params) (Handle, error) {
	h, err := c.channels.Open(now, p)
	if err != nil {
		return 0, err
	}
	if !c.needData {
		c.needData = true
		c.session.NeedDataChannel()
		c.updateNegotiation()
	}
	c.pump(now)
	return h, nil
}

// Send queues a message and takes data over.
func (c *Core) Send(now time.Time, h Handle, data []byte, isString bool) error {
	out, err := c.channels.Send(now, h, len(data), isString, c.SendCharge(h))
	if err != nil {
		return err
	}
	recycle := out.Data == nil
	if recycle {
		out.Data = data
	}
	c.send(now, &out, recycle)
	return nil
}

// SendCopy is Send that leaves data to the caller. It is for small messages.
func (c *Core) SendCopy(now time.Time, h Handle, data []byte, isString bool) error {
	out, err := c.channels.Send(now, h, len(data), isString, c.SendCharge(h))
	switch {
	case err != nil:
		return err
	case out.Data != nil:
		c.send(now, &out, false)
	case c.sctp.SendCopy(now, sctp.StreamID(out.Stream), sctp.PPID(out.PPID), data, sendParams(&out)) != nil:
		c.stats.SendErrors++
	}
	return nil
}

// send gives the association a message. It refuses none that a channel has taken.
func (c *Core) send(now time.Time, out *channel.Outgoing, recycle bool) {
	p := sendParams(out)
	p.Recycle = recycle
	if c.sctp.Send(now, sctp.StreamID(out.Stream), sctp.PPID(out.PPID), out.Data, p) != nil {
		c.stats.SendErrors++
	}
}

func sendParams(out *channel.Outgoing) sctp.SendParams {
	return sctp.SendParams{Unordered: out.Unordered, MaxRetransmits: out.MaxRetransmits, Lifetime: out.Lifetime}
}

// CloseChannel begins the closing procedure: what was sent before still goes out.
func (c *Core) CloseChannel(now time.Time, h Handle) {
	c.channels.Close(now, h)
	c.pump(now)
}

// ForgetChannel drops what is kept of a closed channel.
func (c *Core) ForgetChannel(h Handle) {
	c.channels.Forget(h)
	c.dropThreshold(h)
}

// ChannelStream is the channel's id, once it is known.
func (c *Core) ChannelStream(h Handle) (id uint16, ok bool) { return c.channels.Stream(h) }

// ChannelState is the channel's state now, before its events were told.
func (c *Core) ChannelState(h Handle) ChannelState { return c.channels.State(h) }

// BufferedAmount is W3C's bufferedAmount: what was sent by Send and not yet transmitted.
func (c *Core) BufferedAmount(h Handle) int {
	// DCEP's message is the first on its stream: as long as some of it waits, so does all that the application has sent.
	return min(c.queued(h), int(c.channels.BytesSent(h)))
}

// messageCost is what SCTP keeps for a message beside its bytes, and a little more.
const messageCost = 96

// SendCharge is what counts against SendBuffer: the bytes that wait, but messageCost for each message that SCTP keeps if that is more, so that
// the number of small and empty messages is bounded as well.
func (c *Core) SendCharge(h Handle) int {
	id, ok := c.channels.Stream(h)
	if !ok || c.sctp == nil {
		return 0
	}
	return max(c.sctp.BufferedAmount(sctp.StreamID(id)), messageCost*c.sctp.PendingMessages(sctp.StreamID(id)))
}

func (c *Core) queued(h Handle) int {
	id, ok := c.channels.Stream(h)
	if !ok || c.sctp == nil {
		return 0
	}
	return c.sctp.BufferedAmount(sctp.StreamID(id))
}

// SetBufferedAmountLowThreshold sets when EventBufferedAmountLow comes.
func (c *Core) SetBufferedAmountLowThreshold(h Handle, n int) {
	if id, ok := c.channels.Stream(h); ok && c.sctp != nil && c.channels.State(h) != channel.Connecting {
		c.sctp.SetBufferedAmountLowThreshold(sctp.StreamID(id), n)
		return
	}
	if c.thresholds == nil {
		c.thresholds = make(map[Handle]int)
	}
	c.thresholds[h] = n
}

// applyThreshold tells the association, of a channel that is open.
func (c *Core) applyThreshold(h Handle, id uint16) {
	if n, ok := c.thresholds[h]; ok && c.sctp != nil {
		c.sctp.SetBufferedAmountLowThreshold(sctp.StreamID(id), n)
		c.dropThreshold(h)
	}
}

func (c *Core) dropThreshold(h Handle) {
	if delete(c.thresholds, h); len(c.thresholds) == 0 {
		c.thresholds = nil
	}
}

// Unsent tells how busy the association is: what waits for its first transmission on the channel's stream, and whether anything is in flight.
func (c *Core) Unsent(h Handle) (bytes int, inFlight bool) {
	if c.sctp == nil {
		return 0, false
	}
	return c.queued(h), c.sctp.InFlight() > 0
}

// MaxSendMessageSize is the largest message that the peer takes.
func (c *Core) MaxSendMessageSize() int {
	if c.transport.maxMessage == 0 {
		return maxSend
	}
	return c.transport.maxMessage
}
