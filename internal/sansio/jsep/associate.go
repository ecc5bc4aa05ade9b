package jsep

import "slices"

// news is what happens to transceivers while a description is applied.
type news struct{ created, removed, stopped []TransceiverID }

// plan is what a section of a remote offer will do to a transceiver: all that may fail is done before anything is changed.
type plan struct {
	section   int
	t         *transceiver
	create    bool
	encodings []Encoding // those that the offer asks for, by simulcast; nil: they stay
}

// plan finds the transceivers of a remote offer, or makes them. glare tells that a local offer will be rolled back before.
func (s *Session) plan(p *parsed, glare bool) (plans []plan, err error) {
	planned := func(t *transceiver) bool { return slices.ContainsFunc(plans, func(p plan) bool { return p.t == t }) }
	mid := func(t *transceiver) string {
		if glare {
			return t.stableMid
		}
		return t.mid
	}
	for i := range p.sections {
		m := &p.sections[i]
		if m.media == nil || len(s.cfg.Formats.codecs[m.media.kind]) == 0 {
			continue
		}
		kind := m.media.kind
		find := func(is func(t *transceiver) bool) *transceiver {
			k := slices.IndexFunc(s.transceivers, func(t *transceiver) bool { return t.kind == kind && !planned(t) && is(t) })
			if k < 0 {
				return nil
			}
			return s.transceivers[k]
		}
		next := plan{section: i, t: find(func(t *transceiver) bool { return mid(t) == m.mid })}
		if next.t == nil && m.rejected() {
			continue
		}
		if next.t == nil && m.media.direction.Receives() {
			// RFC 9429, section 5.10: "If the "m=" section is "sendrecv" or "recvonly", and there are RtpTransceivers of the same type that were
			// added to the PeerConnection by addTrack and are not associated with any "m=" section and are not stopped, find the first".
			next.t = find(func(t *transceiver) bool { return t.addTrack && mid(t) == "" && !t.stopping })
		}
		if next.t == nil {
			// "If no RtpTransceiver was found in the previous step, create one with a "recvonly" direction."
			if next.t, err = s.newTransceiver(TransceiverInit{Kind: kind, Direction: RecvOnly}); err != nil {
				return nil, err
			}
			next.t.byRemote, next.create = true, true
		}
		if next.encodings, err = s.asked(next.t, m.media.layers(false)); err != nil {
			return nil, err
		}
		plans = append(plans, next)
	}
	return plans, nil
}

// asked are the encodings that a remote offer asks of a sender, by the RIDs that it would receive; nil: those that it has.
//
// W3C setRemoteDescription makes an encoding of each layer, if the sender has no more than one. Where the application has named that one, the
// name stands.
func (s *Session) asked(t *transceiver, layers []string) ([]Encoding, error) {
	base := t.encodings
	if t.ridless != nil {
		base = t.ridless
	}
	if len(layers) == 0 || t.everSent || len(base) > 1 || base[0].RID != "" {
		return nil, nil
	}
	wanted := make([]Encoding, min(len(layers), maxEncodings))
	for i := range wanted {
		wanted[i].RID = layers[i]
	}
	return s.newEncodings(wanted, t.encodings)
}

// carryOut does what was planned for a remote offer.
func (s *Session) carryOut(p *parsed, plans []plan) {
	s.transceivers = slices.DeleteFunc(s.transceivers, func(t *transceiver) bool {
		// What an earlier offer, not answered, has associated and this one has not.
		if t.mid == "" || slices.ContainsFunc(plans, func(p plan) bool { return p.t == t }) {
			return false
		}
		t.mid, t.line = "", -1
		t.restoreEncodings()
		return s.vanishes(t)
	})
	for _, next := range plans {
		t, m := next.t, &p.sections[next.section]
		if next.create {
			s.add(t)
			s.news.created = append(s.news.created, t.id)
		}
		t.mid, t.line = m.mid, next.section
		t.restoreEncodings()
		if next.encodings != nil {
			t.ridless, t.encodings = t.encodings, next.encodings
		}
		// W3C: "If the media description is rejected, and transceiver is not already stopped, stop the RTCRtpTransceiver transceiver."
		if m.rejected() {
			s.stop(t)
		}
	}
	s.touch()
}

// vanishes tells whether a transceiver that lost its section goes, and tells of it.
//
// W3C, on rollback: a transceiver that was created by applying the description, and to which addTrack has attached no track, is removed.
func (s *Session) vanishes(t *transceiver) bool {
	gone := t.byRemote && !t.attached
	if t.byRemote = false; gone {
		s.news.removed = append(s.news.removed, t.id)
	}
	return gone
}

// restoreEncodings takes back what a pending remote offer asked of them.
func (t *transceiver) restoreEncodings() {
	if t.ridless != nil {
		t.encodings, t.ridless = t.ridless, nil
	}
}

// associate gives transceivers the sections of a local offer.
func (s *Session) associate(p *parsed, owners []TransceiverID) {
	for _, t := range s.transceivers {
		// An offer after one that was not answered may give a place to another.
		if t.mid != "" && p.byMid(t.mid) < 0 {
			t.mid, t.line = "", -1
		}
	}
	for i, id := range owners {
		if t := s.find(id); t != nil {
			t.mid, t.line = p.sections[i].mid, i
		}
	}
}

// dissociate takes back what a pending offer has associated.
//
// RFC 9429, section 5.7: what was not associated before becomes so again, and mids are free.
func (s *Session) dissociate() {
	s.transceivers = slices.DeleteFunc(s.transceivers, func(t *transceiver) bool {
		t.mid, t.line = t.stableMid, t.stableLine
		t.restoreEncodings()
		return s.vanishes(t)
	})
}

// answered does what an answer, one of the two, means for the transceivers.
func (s *Session) answered(local, remote *description) {
	answer := remote
	if local.typ != Offer {
		answer = local
	}
	for _, t := range s.transceivers {
		if t.mid == "" || t.stopped || t.line >= len(local.sections) {
			continue
		}
		if !both(local, remote, t.line) {
			// A provisional answer may be followed by one that accepts.
			if t.current, t.hasCurrent = Inactive, true; answer.typ == Answer {
				s.stop(t)
			}
			continue
		}
		l, r := local.sections[t.line].media, remote.sections[t.line].media
		t.current, t.hasCurrent = l.direction&r.direction.Reversed(), true
		t.everSent = t.everSent || t.current.Sends()
		if l.direction.Sends() {
			t.trim(l.layers(true), r.layers(false))
		}
	}
}

// trim leaves the encodings that were offered and accepted.
//
// W3C: an answer without simulcast leaves the first encoding, one that rejects layers those that are left.
func (t *transceiver) trim(ours, theirs []string) {
	if len(t.encodings) == 1 {
		return
	}
	first := t.encodings[0]
	t.encodings = slices.DeleteFunc(slices.Clone(t.encodings), func(e Encoding) bool {
		return !slices.Contains(ours, e.RID) || !slices.Contains(theirs, e.RID)
	})
	if len(t.encodings) == 0 {
		t.encodings = []Encoding{first}
	}
}

// stop ends a transceiver: W3C "stop the RTCRtpTransceiver".
func (s *Session) stop(t *transceiver) {
	if t.stopped {
		return
	}
	t.stopping, t.stopped = true, true
	t.direction, t.hasCurrent, t.current = Inactive, false, Inactive
	s.news.stopped = append(s.news.stopped, t.id)
}

// settle is done when a negotiation is complete.
func (s *Session) settle() {
	s.transceivers = slices.DeleteFunc(s.transceivers, func(t *transceiver) bool {
		t.stableMid, t.stableLine = t.mid, t.line
		t.byRemote, t.ridless = false, nil
		if t.stopping && t.mid == "" {
			s.stop(t) // nobody was ever told of it
		}
		// W3C: what is stopped and has a section that is rejected is removed from the set of transceivers.
		return t.stopped && (t.mid == "" || !both(s.currentLocal, s.currentRemote, t.line))
	})
}

// byMid is the transceiver with that mid, or nil.
func (s *Session) byMid(mid string) *transceiver {
	i := slices.IndexFunc(s.transceivers, func(t *transceiver) bool { return t.mid == mid })
	if i < 0 || mid == "" {
		return nil
	}
	return s.transceivers[i]
}
