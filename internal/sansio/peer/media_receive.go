package peer

import (
	"cmp"
	"net/netip"
	"time"

	"github.com/sansrtc/rtc/internal/sansio/media"
)

// defaultReceiveQueue is how many packets wait for the application.
const defaultReceiveQueue = 1024

func (c *Core) receiveQueue() int { return cmp.Or(c.cfg.Media.ReceiveQueue, defaultReceiveQueue) }

// handleMedia takes an RTP or RTCP packet from where an authenticated check came from.
func (c *Core) handleMedia(now time.Time, local, remote netip.AddrPort, b []byte) {
	m := c.media
	if m == nil {
		c.stats.DroppedEarly++
		return
	}
	// RFC 5761 section 4: with rtcp-mux, payload types 64 to 95 are RTCP's packet types 192 to 223.
	if len(b) > 1 && b[1] >= 192 && b[1] <= 223 {
		plain, ok := m.machine.HandleRTCP(now, b)
		if !ok {
			return
		}
		c.ice.HandleData(now, local, remote)
		c.estimate(now, m.machine.PollResults())
		c.pumpMedia(now)
		switch {
		case !c.cfg.Media.WantRTCP:
		case c.events.rtcp >= c.receiveQueue():
			c.stats.DroppedRTCP++
		default:
			c.events.push(Event{Kind: EventRTCP, Data: append([]byte(nil), plain...)})
		}
		return
	}
	p, ok := m.machine.HandleRTP(now, b)
	if !ok {
		return
	}
	c.noteMedia(now)
	c.ice.HandleData(now, local, remote)
	c.pumpMedia(now) // the track comes before its packet
	if p.Stream == 0 {
		return
	}
	var data []byte
	if c.cfg.Media.NewBuffer != nil {
		data = c.cfg.Media.NewBuffer(len(p.Raw))
	} else {
		data = make([]byte, len(p.Raw))
	}
	copy(data, p.Raw)
	if c.events.rtp >= c.receiveQueue() {
		e := c.events.takeRTP()
		c.stats.DroppedMedia++
		m.machine.Discard(e.Stream)
		c.FreeRTP(&e)
	}
	c.events.push(Event{Kind: EventRTP, Stream: p.Stream, Data: data})
}

// FreeRTP gives the memory of an EventRTP back. Its Data is not to be used afterwards.
func (c *Core) FreeRTP(e *Event) {
	if e.Data != nil && c.cfg.Media.FreeBuffer != nil {
		c.cfg.Media.FreeBuffer(e.Data)
	}
	e.Data = nil
}

// pumpMedia carries what the machine has to tell.
func (c *Core) pumpMedia(now time.Time) {
	m := c.media
	if m == nil {
		return
	}
	for e, ok := m.machine.PollEvent(); ok; e, ok = m.machine.PollEvent() {
		switch e.Kind {
		case media.EventStream:
			t := &MediaEvent{Stream: e.Stream, MID: e.MID, RID: e.RID, SSRC: e.SSRC, PayloadType: e.PayloadType}
			if l := m.legOf(e.MID); l != nil {
				t.Transceiver, t.Section, t.Codec = l.section.Transceiver, l.section, codecOf(l.section, e.PayloadType)
			}
			m.tracks[e.Stream] = t
			c.tellTrack(EventTrack, t)
		case media.EventPayloadType:
			t := *m.tracks[e.Stream]
			if l := m.legOf(t.MID); l != nil {
				t.Section, t.Codec = l.section, codecOf(l.section, e.PayloadType)
			}
			t.PayloadType = e.PayloadType
			m.tracks[e.Stream] = &t
			c.tellTrack(EventTrackCodec, &t)
		case media.EventStreamMuted:
			c.tellTrack(EventTrackMuted, m.tracks[e.Stream])
		case media.EventStreamUnmuted:
			c.tellTrack(EventTrackUnmuted, m.tracks[e.Stream])
		case media.EventStreamEnded:
			c.tellTrack(EventTrackEnded, m.tracks[e.Stream])
			delete(m.tracks, e.Stream)
		case media.EventKeyframe:
			c.tellKeyframe(e.Sender)
		case media.EventEstimate:
			m.band.remb = e.Bitrate
			c.tellBandwidth(now)
		}
	}
}

func (c *Core) tellTrack(kind EventKind, t *MediaEvent) {
	c.events.push(Event{Kind: kind, Stream: t.Stream, Media: t})
}

func codecOf(s *MediaSection, payloadType uint8) Codec {
	for i := range s.Receive {
		if s.Receive[i].PayloadType == payloadType {
			return s.Receive[i]
		}
	}
	return Codec{}
}

func (c *Core) tellKeyframe(id media.SenderID) {
	for _, l := range c.media.legs {
		for i, s := range l.senders {
			if s.id == id {
				c.events.push(Event{Kind: EventKeyframe, Media: &MediaEvent{
					Transceiver: l.section.Transceiver, Encoding: i, Section: l.section, MID: l.section.Mid, RID: l.section.Encodings[i].RID, SSRC: s.ssrc,
				}})
			}
		}
	}
}
