package jsep

// One transport carries all sections. Its attributes are those of one of them, the carrier: RFC 9143's tagged section.

// both tells whether section i lives in local and in remote, of which one answers the other.
func both(local, remote *description, i int) bool {
	if local == nil || remote == nil || i >= len(local.sections) || i >= len(remote.sections) {
		return false
	}
	l, r := &local.sections[i], &remote.sections[i]
	return l.live() && r.live() && l.mid == r.mid && l.data.is == r.data.is
}

// agreed is the index of the section whose transport an offer and its answer agree on, or -1.
//
// RFC 9143, section 7.3.1: of the bundle in the answer it is the first one that the answer accepts.
func agreed(local, remote *description) int {
	if local == nil || remote == nil {
		return -1
	}
	answer := remote
	if local.typ != Offer {
		answer = local
	}
	for i := range answer.sections {
		if both(local, remote, i) {
			return answer.tag(i, func(k int) bool { return both(local, remote, k) })
		}
	}
	return -1
}

// agreedData is the index of the data section that lives in an offer and its answer, or -1.
func agreedData(local, remote *description) int {
	if local == nil || remote == nil {
		return -1
	}
	for i := range local.sections {
		if local.sections[i].data.is && both(local, remote, i) {
			return i
		}
	}
	return -1
}

// tag is the first section in i's BUNDLE group that may be used; i itself when it is in no group.
func (p *parsed) tag(i int, usable func(int) bool) int {
	if g := p.sections[i].group; g > 0 {
		for _, mid := range p.bundle[g-1] {
			if k := p.byMid(mid); k >= 0 && usable(k) {
				return k
			}
		}
	}
	return i
}

// acceptance is what we take of a remote offer.
type acceptance struct {
	carrier  int // -1: nothing
	sections []bool
}

// accept decides about the sections of a remote offer. There is one transport: what is not in one bundle with the carrier is rejected.
func (s *Session) accept(p *parsed) acceptance {
	a := acceptance{-1, make([]bool, len(p.sections))}
	usable := func(i int) bool {
		// RFC 9429, section 5.3.1: a section is rejected if "The bundle policy is "must-bundle", and this is not the first "m=" section or in
		// the same bundle group as the first "m=" section."
		return s.usable(&p.sections[i]) && (i == 0 || s.cfg.BundlePolicy != MaxBundle || p.bundled(0, i))
	}
	for i := range p.sections {
		if !usable(i) {
			continue
		}
		// The transport in use stays, even where sections with another one come first.
		used := both(s.currentLocal, s.currentRemote, i) && s.currentRemote.sections[i].mid == p.sections[i].mid
		if a.carrier < 0 || used {
			a.carrier = i
		}
		if used {
			break
		}
	}
	if a.carrier < 0 {
		return a
	}
	a.carrier = p.tag(a.carrier, usable)
	data := false
	for i := range p.sections {
		m := &p.sections[i]
		a.sections[i] = usable(i) && (i == a.carrier || p.bundled(a.carrier, i)) && !(data && m.data.is)
		data = data || a.sections[i] && m.data.is
	}
	return a
}

// usable tells whether an offered section is one that we can use, leaving the transport aside.
func (s *Session) usable(m *section) bool {
	if m.media == nil {
		return m.liveData()
	}
	// RFC 9429, section 5.3.1: a section is rejected without a=rtcp-mux when the policy is "require", which is our only one, without a format
	// that is supported, or when its transceiver is stopped.
	t := s.byMid(m.mid)
	return m.live() && m.media.mux && (t == nil || !t.stopping) && hasCommon(s.codecs(t, m.media.kind), m.media.codecs)
}

// carrier is the index of the section whose transport is used or going to be used, in a remote description that was applied; or -1.
func (s *Session) carrier(d *description) int {
	if d.typ == Offer && d == s.pendingRemote && s.state == HaveRemoteOffer {
		return d.taken.carrier
	}
	return agreed(s.answering(d), d)
}

// carries tells whether section i of a remote description that was applied is in use or going to be.
func (s *Session) carries(d *description, i int) bool {
	if d.typ == Offer && d == s.pendingRemote && s.state == HaveRemoteOffer {
		return d.taken.sections[i]
	}
	return both(s.answering(d), d, i)
}

// answering is the local description that a remote one answers, or that answers it.
func (s *Session) answering(d *description) *description {
	if d == s.pendingRemote {
		return s.pendingLocal
	}
	return s.currentLocal
}

// provisional tells whether a provisional answer is what was applied last.
func (s *Session) provisional() bool {
	return s.state == HaveLocalPrAnswer || s.state == HaveRemotePrAnswer
}
