package jsep

import (
	"slices"
	"strconv"
)

// CreateOffer implements W3C createOffer. It applies nothing: what it returned last is what SetLocal takes.
func (s *Session) CreateOffer(o OfferOptions) (Description, error) {
	s.wake()
	if s.state != Stable && s.state != HaveLocalOffer {
		return Description{}, errorf(InvalidState, "CreateOffer in %v", s.state)
	}
	lines, err := s.offerLines(o.ICERestart)
	if err != nil {
		return Description{}, err
	}
	c, full, err := s.build(lines, Offer)
	if err != nil {
		return Description{}, err
	}
	s.lastOffer, s.offerStale = c, false
	return Description{Offer, full}, nil
}

// offerLines fills the table: the sections of the last local description in their order, and a new one for what is wanted and not there.
func (s *Session) offerLines(restart bool) ([]mline, error) {
	var lines []mline
	var free []int
	var numbers *numbers // none are needed without media
	if len(s.transceivers) > 0 {
		numbers = s.numbersInUse()
	}
	data, goesOn := -1, false
	if d := s.local(); d != nil {
		for i := range d.sections {
			m := &d.sections[i]
			l := mline{kind: m.kind, proto: m.proto, formats: m.formats, mid: m.mid, rejected: true}
			lives := m.live() && !s.remoteRejected(i, m.mid)
			t := s.byMid(m.mid)
			switch {
			case lives && m.data.is:
				data = len(lines)
				l.rejected, l.bundled, l.setup, l.oldData = false, true, setupActPass, m.data.old
			case lives && t != nil && !t.stopping:
				var theirs *mediaAttributes
				if both(s.currentLocal, s.currentRemote, i) {
					theirs = s.currentRemote.sections[i].media
				}
				l = s.newMedia(t, m.mid, m.media, theirs, numbers)
			case s.recyclable(i):
				free = append(free, i)
			}
			goesOn = goesOn || !l.rejected
			lines = append(lines, l)
		}
	}
	place := func(l mline) (at int) {
		if len(free) == 0 {
			lines = append(lines, l)
			return len(lines) - 1
		}
		at, free = free[0], free[1:]
		lines[at] = l
		return at
	}
	mid := s.unusedMids()
	for _, t := range s.transceivers {
		if t.mid == "" && !t.stopping {
			l := s.newMedia(t, mid(), nil, nil, numbers)
			// RFC 9429, section 5.2.1: with must-bundle all new sections but the first have port zero and a=bundle-only.
			l.bundleOnly = s.cfg.BundlePolicy == MaxBundle && slices.ContainsFunc(lines, func(l mline) bool { return !l.rejected })
			place(l)
		}
	}
	if data < 0 && s.wantData {
		data = place(newData(mid()))
	}
	if data >= 0 && !lines[data].oldData {
		var err error
		if lines[data].sctpInit, err = s.offerInit(data); err != nil {
			return nil, err
		}
	}
	if !slices.ContainsFunc(lines, func(l mline) bool { return !l.rejected }) {
		return lines, nil
	}
	c, err := s.offerCredentials(goesOn, restart)
	if err != nil {
		return nil, err
	}
	for i := range lines {
		lines[i].credentials = c
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

// unusedMids returns a function that gives mids for new sections of an offer.
func (s *Session) unusedMids() func() string {
	n := s.nextMid
	return func() string {
		for ; ; n++ {
			mid := strconv.FormatUint(uint64(n), 10)
			if d := s.local(); d == nil || d.byMid(mid) < 0 {
				n++
				return mid
			}
		}
	}
}
