package peer

import (
	"slices"
	"strings"
	"time"

	"github.com/sansrtc/rtc/internal/sansio/jsep"
	"github.com/sansrtc/rtc/internal/sansio/media"
)

// The header extensions that the machine reads and writes by itself.
const (
	uriMID         = "urn:ietf:params:rtp-hdrext:sdes:mid"                    // RFC 8843
	uriRID         = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"          // RFC 8852
	uriRepairedRID = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id" // RFC 8852
	uriTransportCC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
	uriAbsSendTime = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
)

// extensionsOf picks the identifiers of those that may be used in a direction.
func extensionsOf(negotiated []jsep.Extension, d Direction) (x media.Extensions) {
	for _, e := range negotiated {
		if e.Direction&d == 0 {
			continue
		}
		switch e.URI {
		case uriMID:
			x.MID = e.ID
		case uriRID:
			x.RID = e.ID
		case uriRepairedRID:
			x.RepairedRID = e.ID
		case uriTransportCC:
			x.TransportCC = e.ID
		case uriAbsSendTime:
			x.AbsSendTime = e.ID
		}
	}
	return x
}

// othersOf picks the identifiers of the others that may be sent.
func othersOf(negotiated []jsep.Extension) (ids []uint8) {
	for _, e := range negotiated {
		switch e.URI {
		case uriMID, uriRID, uriRepairedRID, uriTransportCC, uriAbsSendTime:
		default:
			if e.Direction&SendOnly != 0 {
				ids = append(ids, e.ID)
			}
		}
	}
	return ids
}

// mediaKind translates.
func mediaKind(k MediaKind) media.Kind {
	if k == Audio {
		return media.Audio
	}
	return media.Video
}

func hasFeedback(c *Codec, kind, parameter string) bool {
	return slices.ContainsFunc(c.Feedback, func(f Feedback) bool {
		return strings.EqualFold(f.Type, kind) && strings.EqualFold(f.Parameter, parameter)
	})
}

// sectionOf is what the machine has to know to receive.
func sectionOf(s *MediaSection) media.Section {
	r := media.Section{
		MID: s.Mid, Kind: mediaKind(s.Kind), Receiving: s.Receiving, ReducedSize: s.ReducedSize, Extensions: extensionsOf(s.Extensions, RecvOnly),
	}
	for i := range s.Receive {
		c := &s.Receive[i]
		of, rtx := c.RepairOf()
		r.Codecs = append(r.Codecs, media.Codec{
			PayloadType: c.PayloadType, ClockRate: c.ClockRate, RTX: rtx, Of: of,
			NACK: hasFeedback(c, "nack", ""), PLI: hasFeedback(c, "nack", "pli"), FIR: hasFeedback(c, "ccm", "fir"),
		})
	}
	for _, src := range s.Sources {
		r.Signalled = append(r.Signalled, media.Signalled{SSRC: src.SSRC, RTX: src.RTX})
	}
	for _, rid := range s.RIDs {
		if rid.Send {
			r.RIDs = append(r.RIDs, rid.ID)
		}
	}
	return r
}

// payloadsOf are the formats that may be sent, each with that of its retransmissions.
func payloadsOf(send []Codec) (payloads []media.Payload) {
	for i := range send {
		c := &send[i]
		if c.Is("rtx") {
			continue
		}
		p := media.Payload{Type: c.PayloadType, ClockRate: c.ClockRate, NACK: hasFeedback(c, "nack", "")}
		for k := range send {
			if of, ok := send[k].RepairOf(); ok && of == c.PayloadType {
				p.RTXType = send[k].PayloadType
				break
			}
		}
		payloads = append(payloads, p)
	}
	return payloads
}

// updateSenders makes the machine's senders those of the leg's encodings. One that may not send now stays, inactive: its numbers have to carry on
// when it sends again, since its keys do (RFC 3711 section 9.1).
func (m *mediaState) updateSenders(now time.Time, l *leg) {
	s := l.section
	if !s.Sending && len(l.senders) == 0 {
		return
	}
	e := media.Encoding{
		Kind: mediaKind(s.Kind), MID: s.Mid, Payloads: payloadsOf(s.Send),
		Extensions: extensionsOf(s.Extensions, SendOnly), Others: othersOf(s.Extensions),
	}
	before := l.senders
	l.senders = make([]sender, 0, len(s.Encodings))
	for _, enc := range s.Encodings {
		e.RID, e.SSRC, e.RTX, e.Inactive = enc.RID, enc.SSRC, enc.RTX, enc.Inactive || !s.Sending
		i := slices.IndexFunc(before, func(o sender) bool { return o.ssrc == enc.SSRC })
		if i >= 0 {
			m.machine.UpdateSender(before[i].id, e)
			l.senders = append(l.senders, before[i])
			before = slices.Delete(slices.Clone(before), i, i+1)
			continue
		}
		l.senders = append(l.senders, sender{m.machine.AddSender(e), enc.SSRC})
	}
	m.dropSenders(now, before)
}

func (m *mediaState) dropSenders(now time.Time, senders []sender) {
	for _, s := range senders {
		m.machine.RemoveSender(now, s.id)
	}
}

// tellSender pushes EventSender if what may be sent has changed. before and now may be nil, which is nothing.
func (c *Core) tellSender(before, now *MediaSection) {
	sent, sends := before != nil && before.Sending, now != nil && now.Sending
	switch {
	case !sent && !sends:
	case sends:
		if sent && sameToSend(before, now) {
			return
		}
		c.events.push(Event{Kind: EventSender, Media: &MediaEvent{Transceiver: now.Transceiver, Section: now}})
	default:
		s := *before
		if now != nil {
			s = *now
		}
		s.Sending = false
		c.events.push(Event{Kind: EventSender, Media: &MediaEvent{Transceiver: s.Transceiver, Section: &s}})
	}
}

// sameToSend tells whether a track that is bound may stay as it is.
func sameToSend(a, b *MediaSection) bool {
	return a.Mid == b.Mid && slices.Equal(a.Extensions, b.Extensions) &&
		slices.EqualFunc(a.Send, b.Send, func(c, d Codec) bool {
			return c.PayloadType == d.PayloadType && c.Name == d.Name && c.ClockRate == d.ClockRate && c.Channels == d.Channels && c.Fmtp == d.Fmtp &&
				slices.Equal(c.Feedback, d.Feedback)
		}) &&
		slices.EqualFunc(a.Encodings, b.Encodings, func(c, d Encoding) bool { return c.RID == d.RID && c.SSRC == d.SSRC && c.RTX == d.RTX })
}
