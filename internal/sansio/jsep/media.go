package jsep

import "slices"

// Media is what has been negotiated for media so far, in the order of the sections. It changes with each Change, with Stop and with
// SetEncodings.
func (s *Session) Media() []MediaSection {
	defer s.wake()()
	list := []MediaSection{}
	local := s.local()
	if local == nil {
		return list
	}
	from, to := s.currentLocal, s.currentRemote
	if s.provisional() {
		from, to = s.pendingLocal, s.pendingRemote
	}
	for i := range local.sections {
		m := &local.sections[i]
		t := s.byMid(m.mid)
		if m.media == nil || t == nil || t.stopped {
			continue
		}
		section := MediaSection{Transceiver: t.id, Mid: m.mid, MLineIndex: i, Kind: t.kind, Encodings: slices.Clone(t.encodings)}
		if both(from, to, i) && from.sections[i].mid == m.mid {
			section.negotiated(t, from, to)
		}
		if s.state == HaveLocalOffer && m.live() && m.media.direction.Receives() && !t.stopping {
			// What is in use stays so until there is an answer; new formats may already come.
			section.Receiving, section.Receive = true, slices.Clone(m.media.codecs)
			if section.Extensions == nil {
				section.Extensions = slices.Clone(m.media.extensions)
			}
		}
		list = append(list, section)
	}
	return list
}

// negotiated fills in what an offer and its answer say.
func (section *MediaSection) negotiated(t *transceiver, local, remote *description) {
	l, r := local.sections[section.MLineIndex].media, remote.sections[section.MLineIndex].media
	section.Sending = t.hasCurrent && t.current.Sends() && !t.stopping
	section.Receiving = t.hasCurrent && t.current.Receives() && !t.stopping
	section.ReducedSize, section.MixedExtensions = l.reduced && r.reduced, l.mixed && r.mixed
	section.Send, section.Receive = directed(l, r, local.typ != Offer)
	section.Extensions = agreedExtensions(l, r, local.typ != Offer)
	ours, theirs := l.layers(true), r.layers(false)
	for i := range section.Encodings {
		e := &section.Encodings[i]
		if !slices.Contains(ours, e.RID) || !slices.Contains(theirs, e.RID) {
			e.RID = ""
		}
		if !hasRepair(section.Send) {
			e.RTX = 0
		}
	}
	if r.direction.Sends() {
		section.Sources, section.MSIDs = slices.Clone(r.sources), slices.Clone(r.msids)
		for _, id := range r.rids {
			if id.Send && slices.Contains(l.layers(false), id.ID) {
				section.RIDs = append(section.RIDs, id)
			}
		}
	}
}

// directed are the formats that both list, by their numbers, for sending, and by ours, for receiving. The answer has the order.
//
// RFC 3264, section 5.1: the payload type of a format in a description is the one that its author wants to receive.
func directed(l, r *mediaAttributes, answering bool) (send, receive []Codec) {
	first, second := r.codecs, l.codecs
	if answering {
		first, second = second, first
	}
	send, receive = make([]Codec, 0, len(first)), make([]Codec, 0, len(first))
	for i := range first {
		f := &first[i]
		k := counterpart(f, first, second)
		if k < 0 {
			continue
		}
		ours, theirs := second[k], *f
		if answering {
			ours, theirs = theirs, ours
		}
		ours.Feedback = common(ours.Feedback, theirs.Feedback)
		theirs.Feedback = ours.Feedback
		send, receive = append(send, theirs), append(receive, ours)
	}
	// Most often the lists are those of our description. Nobody changes a list, so one is kept for all.
	receive = kept(receive, l.codecs)
	return kept(send, receive), receive
}

// kept is list, or one with the same content that is there already.
func kept(list, there []Codec) []Codec {
	if slices.EqualFunc(list, there, func(a, b Codec) bool {
		return a.PayloadType == b.PayloadType && a.Name == b.Name && a.ClockRate == b.ClockRate && a.Channels == b.Channels &&
			a.Fmtp == b.Fmtp && slices.Equal(a.Feedback, b.Feedback)
	}) {
		return there
	}
	return list
}

// counterpart finds f, one of list, in others: -1 if it is not there. Of formats that are alike the one with the same number is meant.
func counterpart(f *Codec, list, others []Codec) int {
	is := func(o *Codec) bool {
		if f.Is("rtx") {
			return o.Is("rtx") && sameRepair(list, f, others, o)
		}
		return f.same(o)
	}
	if k := slices.IndexFunc(others, func(o Codec) bool { return o.PayloadType == f.PayloadType && is(&o) }); k >= 0 {
		return k
	}
	return slices.IndexFunc(others, func(o Codec) bool { return is(&o) })
}

// agreedExtensions are those of the answer that the offer has too, with the direction from our side.
func agreedExtensions(l, r *mediaAttributes, answering bool) (list []Extension) {
	answer, offer := r, l
	if answering {
		answer, offer = l, r
	}
	for _, e := range answer.extensions {
		if !slices.ContainsFunc(offer.extensions, func(o Extension) bool { return o.ID == e.ID && o.URI == e.URI }) {
			continue
		}
		if !answering {
			e.Direction = e.Direction.Reversed()
		}
		list = append(list, e)
	}
	return list
}

// sends tells whether the section of t in the local description sends.
func (s *Session) sends(t *transceiver) bool {
	d := s.local()
	if d == nil || t.mid == "" {
		return false
	}
	i := d.byMid(t.mid)
	return i >= 0 && d.sections[i].media != nil && d.sections[i].media.direction.Sends()
}
