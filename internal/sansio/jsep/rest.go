package jsep

import "slices"

// Rest drops of the current descriptions, and in a closed session of all, what can be read again from their texts: a session of which nothing is
// expected keeps little else. What needs the rest wakes it.
func (s *Session) Rest() {
	if s.state != Stable && s.state != Closed {
		return
	}
	s.lastOffer.parsed, s.lastAnswer.parsed = nil, nil
	for _, d := range s.applied() {
		if d != nil {
			d.rest()
		}
	}
}

// wake undoes Rest. What only looks at a session calls the function that it returns when it has looked: a closed session rests again, since nobody will
// tell it to.
func (s *Session) wake() (looked func()) {
	for _, d := range s.applied() {
		if d != nil && d.parsed == nil {
			d.parsed, d.resting = mustParse(d.resting, d.typ), ""
		}
	}
	if s.state == Closed {
		return s.Rest
	}
	return func() {}
}

func (s *Session) applied() [4]*description {
	return [...]*description{s.currentLocal, s.pendingLocal, s.currentRemote, s.pendingRemote}
}

// rest drops what was parsed, unless something has been added to it that the text does not say.
func (d *description) rest() {
	added := func(m section) bool { return !m.hasMid || m.unbundled }
	if d.parsed != nil && !slices.ContainsFunc(d.sections, added) {
		d.resting, d.parsed = d.text, nil
	}
}
