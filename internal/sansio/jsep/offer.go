package jsep

// CreateOffer implements W3C createOffer. It applies nothing: what it returned last is what SetLocal takes.
func (s *Session) CreateOffer(o OfferOptions) (Description, error) {
	if s.state != Stable && s.state != HaveLocalOffer {
		return Description{}, errorf(InvalidState, "CreateOffer in %v", s.state)
	}
	lines, err := s.offerLines(o.ICERestart)
	if err != nil {
		return Description{}, err
	}
	c, full := s.build(lines, Offer)
	s.lastOffer, s.offerStale = c, false
	return Description{Offer, full}, nil
}

// offerLines fills the table: the sections of the last local description in their order, and a new one for what is wanted and not there.
func (s *Session) offerLines(restart bool) ([]mline, error) {
	var lines []mline
	data, free := -1, -1
	if d := s.local(); d != nil {
		for i := range d.sections {
			m := &d.sections[i]
			l := mline{kind: m.kind, proto: m.proto, formats: m.formats, mid: m.mid, rejected: true}
			switch {
			case m.liveData() && !s.remoteRejected(i, m.mid):
				data = i
				l.rejected, l.bundled, l.setup, l.oldData = false, true, setupActPass, m.data.old
			case free < 0 && s.recyclable(i):
				free = i
			}
			lines = append(lines, l)
		}
	}
	if data < 0 && s.wantData {
		data = free
		if free < 0 {
			data = len(lines)
			lines = append(lines, mline{})
		}
		lines[data] = newData(s.unusedMid(), credentials{})
	}
	if data >= 0 {
		c, err := s.offerCredentials(lines[data].mid, restart)
		if err != nil {
			return nil, err
		}
		lines[data].credentials = c
	}
	return lines, nil
}

// remoteRejected tells whether the remote side has refused section i of the current local description.
func (s *Session) remoteRejected(i int, mid string) bool {
	r := s.currentRemote
	return r != nil && i < len(r.sections) && r.sections[i].mid == mid && r.sections[i].rejected()
}

// recyclable tells whether the place of section i may be given to a new section.
//
// RFC 9429, section 5.2.2: when "there exists an "m=" section with a zero port in the current local description or the current remote
// description, that "m=" section MUST be recycled".
func (s *Session) recyclable(i int) bool {
	return s.currentLocal != nil && i < len(s.currentLocal.sections) &&
		(s.currentLocal.sections[i].rejected() || s.currentRemote.sections[i].rejected())
}

// unusedMid returns a mid for a new section of an offer.
func (s *Session) unusedMid() string {
	none := &parsed{}
	if d := s.local(); d != nil {
		none = d.parsed
	}
	return s.newMid(none)
}
