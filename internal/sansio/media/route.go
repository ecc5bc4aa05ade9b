package media

import (
	"cmp"
	"slices"
	"time"

	"github.com/pion/rtp"
)

// binding is what an SSRC of the peer means: a stream, or the retransmissions of one.
type binding struct {
	stream *stream
	rtx    bool
}

// route finds the stream of a packet, or makes it: RFC 8843 section 9.2, with RIDs as RFC 8852 adds them. It returns no stream for a packet
// that belongs nowhere.
func (m *Machine) route(h *rtp.Header) (b binding, ok bool) {
	b, bound := m.bindings[h.SSRC]
	if !bound {
		m.note(h.SSRC)
	}
	sec := m.sectionOf(h)
	if sec == nil {
		// "If the packet has a MID and that MID is not in the table […], then the packet is not associated": sectionOf said so.
		if !bound || m.hasMID(h) {
			m.drops.Unrouted++
			return binding{}, false
		}
		sec = b.stream.section
	}
	if !sec.Receiving {
		m.drops.Unwanted++
		return binding{}, false
	}
	if bound && b.stream.section == sec {
		return b, true
	}
	if bound && !b.rtx {
		m.endStream(b.stream) // its source is somebody else's now
	}
	codec := sec.codec(h.PayloadType)
	if codec == nil {
		m.drops.PayloadType++
		return binding{}, false
	}
	if codec.RTX {
		return m.bindRTX(h, sec)
	}
	return m.bindStream(h, sec)
}

// hasMID: the packet names a section.
func (m *Machine) hasMID(h *rtp.Header) bool {
	for _, s := range m.sections {
		if id := s.Extensions.MID; id != 0 && h.GetExtension(id) != nil {
			return true
		}
	}
	return false
}

// sectionOf finds the section by MID, by a signalled SSRC, then by a payload type that only one section has. Nil: not known.
func (m *Machine) sectionOf(h *rtp.Header) *section {
	named := false
	for _, s := range m.sections {
		if id := s.Extensions.MID; id != 0 {
			if mid := h.GetExtension(id); mid != nil {
				if string(mid) == s.MID {
					return s
				}
				named = true
			}
		}
	}
	if named {
		return nil
	}
	if b, ok := m.bindings[h.SSRC]; ok {
		return b.stream.section
	}
	for _, s := range m.sections {
		for _, g := range s.Signalled {
			if g.SSRC == h.SSRC || g.RTX != 0 && g.RTX == h.SSRC {
				return s
			}
		}
	}
	var only *section
	for _, s := range m.sections {
		if s.Receiving && s.codec(h.PayloadType) != nil {
			if only != nil {
				return nil
			}
			only = s
		}
	}
	return only
}

// bindStream makes the stream of a source that is new in sec, or gives a new source to the stream of its RID.
func (m *Machine) bindStream(h *rtp.Header, sec *section) (binding, bool) {
	var rid []byte
	if len(sec.RIDs) > 0 {
		if id := sec.Extensions.RID; id != 0 {
			rid = h.GetExtension(id)
		}
		if !sec.knowsRID(rid) {
			// Which of the encodings it is can't be known yet; the sender repeats the RID until it hears of us.
			m.drops.Unrouted++
			return binding{}, false
		}
		for _, s := range m.streams {
			if s.section == sec && s.rid == string(rid) {
				// The encoding has changed its source (RFC 3550 section 8.2: after a collision).
				m.rebind(s, h.SSRC)
				return binding{stream: s}, true
			}
		}
	}
	if len(m.streams) >= m.cfg.MaxStreams && !m.dropSilent() {
		m.drops.TooManyStreams++
		return binding{}, false
	}
	m.lastStream++
	codec := sec.codec(h.PayloadType)
	s := &stream{
		id: m.lastStream, ssrc: h.SSRC, mid: sec.MID, rid: string(rid), section: sec,
		payloadType: h.PayloadType, clockRate: codec.ClockRate,
	}
	for _, g := range sec.Signalled {
		if g.SSRC == h.SSRC && g.RTX != 0 {
			s.rtx = g.RTX
			m.bindings[g.RTX] = binding{s, true}
		}
	}
	m.streams = append(m.streams, s)
	m.bindings[h.SSRC] = binding{stream: s}
	m.push(Event{Kind: EventStream, Stream: s.id, MID: s.mid, RID: s.rid, SSRC: s.ssrc, PayloadType: s.payloadType})
	return binding{stream: s}, true
}

// silent is how long nothing came of a stream that may have to make room for another.
const silent = 30 * time.Second

// dropSilent ends the stream that has been silent for longest, if one has for long.
func (m *Machine) dropSilent() bool {
	s := slices.MinFunc(m.streams, func(a, b *stream) int { return cmp.Compare(a.last, b.last) })
	if m.now.since(s.last) < silent {
		return false
	}
	m.endStream(s)
	return true
}

// bindRTX finds what a new source of retransmissions repairs: as signalled, by the repaired RID, or the section's only stream.
func (m *Machine) bindRTX(h *rtp.Header, sec *section) (binding, bool) {
	var of *stream
	primary, signalled := sec.repaired(h.SSRC)
	var rid []byte
	if id := sec.Extensions.RepairedRID; id != 0 {
		rid = h.GetExtension(id)
	}
	n := 0
	for _, s := range m.streams {
		if s.section != sec {
			continue
		}
		switch {
		case signalled:
			if s.ssrc == primary {
				of = s
			}
		case rid != nil:
			if s.rid == string(rid) {
				of = s
			}
		default:
			of = s
			n++
		}
	}
	if of == nil || n > 1 {
		m.drops.Unrouted++
		return binding{}, false
	}
	if of.rtx != 0 {
		delete(m.bindings, of.rtx)
	}
	of.rtx = h.SSRC
	m.bindings[h.SSRC] = binding{of, true}
	return binding{of, true}, true
}

// rebind gives the stream another source.
func (m *Machine) rebind(s *stream, ssrc uint32) {
	delete(m.bindings, s.ssrc)
	s.restart(ssrc)
	m.bindings[ssrc] = binding{stream: s}
}
