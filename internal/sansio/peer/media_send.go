package peer

import (
	"time"

	"github.com/pion/rtp"
)

// SendRTP queues a packet of a transceiver's encoding: the index in its section's Encodings. Header and payload are copied, the source is the
// encoding's whatever the header says. What is sent while the encoding is inactive, or before the connection is, goes nowhere, and that is
// no error.
func (c *Core) SendRTP(now time.Time, id TransceiverID, encoding int, h *rtp.Header, payload []byte) error {
	s := c.sender(id, encoding)
	if s == nil {
		return ErrNotSending
	}
	return c.media.machine.Send(now, s.id, h, payload)
}

// sender finds the sender of an encoding that may be sent now.
func (c *Core) sender(id TransceiverID, encoding int) *sender {
	if c.media == nil {
		return nil
	}
	l := c.media.leg(id)
	if l == nil || !l.section.Sending || encoding < 0 || encoding >= len(l.senders) {
		return nil
	}
	return &l.senders[encoding]
}

// NewSource tells that the next packet of an encoding is of another track: its numbers and timestamps are moved, so that they carry on.
func (c *Core) NewSource(id TransceiverID, encoding int) {
	if s := c.sender(id, encoding); s != nil {
		c.media.machine.NewSource(s.id)
	}
}

// RequestKeyframe asks the peer for a keyframe, at most so often as makes sense.
func (c *Core) RequestKeyframe(now time.Time, id StreamID) {
	if c.media != nil && !c.closed {
		c.media.machine.RequestKeyframe(now, id)
	}
}

// WriteRTCP queues a compound packet of the application's, and keeps b.
func (c *Core) WriteRTCP(now time.Time, b []byte) error {
	if c.media == nil || c.closed {
		return ErrNotSending
	}
	return c.media.machine.WriteRTCP(b)
}

// Bandwidth is the estimate of what the path to the peer carries, in bit/s; zero before there is one.
func (c *Core) Bandwidth() float64 {
	if c.media == nil {
		return 0
	}
	return c.media.band.rate()
}

// StreamCounts are the figures of a source that is received.
func (c *Core) StreamCounts(id StreamID) (StreamCounts, bool) {
	if c.media == nil {
		return StreamCounts{}, false
	}
	return c.media.machine.StreamCounts(id)
}

// SenderCounts are the figures of an encoding, whether it may be sent now or not.
func (c *Core) SenderCounts(id TransceiverID, encoding int) (SenderCounts, bool) {
	if c.media == nil {
		return SenderCounts{}, false
	}
	l := c.media.leg(id)
	if l == nil || encoding < 0 || encoding >= len(l.senders) {
		return SenderCounts{}, false
	}
	return c.media.machine.SenderCounts(l.senders[encoding].id)
}

// pollMedia makes a run of what media has to send.
func (c *Core) pollMedia(now time.Time, t Transmit, buf []byte, maxSegments int) (Transmit, bool) {
	m := c.media
	var n int
	numbered := m.machine.Numbered()
	if t.Data, t.SegmentSize, n = m.machine.PollRun(now, buf, maxSegments); n == 0 {
		return t, false
	}
	if m.band.estimator != nil && m.machine.Numbered() != numbered {
		m.band.estimator.HandleSent(now)
	}
	if !c.closed {
		c.noteMedia(now)
		c.ice.HandleSent(now)
	}
	return c.sending(t, n), true
}

// handleMediaTimeout does what is due at now.
func (c *Core) handleMediaTimeout(now time.Time) {
	m := c.media
	m.machine.HandleTimeout(now)
	if e := m.band.estimator; e != nil {
		e.HandleTimeout(now)
		c.tellBandwidth(now)
	}
}

func (m *mediaState) pollTimeout() time.Time {
	at := m.machine.PollTimeout()
	if m.band.estimator != nil {
		at = earliest(at, m.band.estimator.PollTimeout())
	}
	return at
}
