package jsep

import (
	"slices"
	"strings"
)

// gathering is what was gathered for one generation of local credentials.
type gathering struct {
	ufrag string
	lines []string
	ended bool
}

// AddLocalCandidate adds a candidate ("candidate:…") that was gathered for the credentials with that ufrag. The local descriptions with
// them have it from now on.
func (s *Session) AddLocalCandidate(ufrag, line string) {
	if g := s.gatheringOf(ufrag); !slices.Contains(g.lines, line) {
		g.lines = append(g.lines, line)
	}
}

// EndOfLocalCandidates tells that no more candidates will be gathered for ufrag.
func (s *Session) EndOfLocalCandidates(ufrag string) { s.gatheringOf(ufrag).ended = true }

func (s *Session) gatheringOf(ufrag string) *gathering {
	i := slices.IndexFunc(s.gathered, func(g gathering) bool { return g.ufrag == ufrag })
	if i < 0 {
		i = len(s.gathered)
		s.gathered = append(s.gathered, gathering{ufrag: ufrag})
	}
	return &s.gathered[i]
}

// forgetGathered drops the candidates of credentials that no longer occur in a description.
func (s *Session) forgetGathered() {
	s.gathered = slices.DeleteFunc(s.gathered, func(g gathering) bool {
		return localCredentials(s.currentLocal).ufrag != g.ufrag
	})
}

// withGathered returns the text of a local description with the candidates gathered for it, in the section that the bundle is tagged by.
func (s *Session) withGathered(p *parsed) string {
	tagged := p.tagged()
	return p.insert(func(i int) (lines []string) {
		if i == tagged {
			lines = s.gatheredFor(p.sections[i].transport.ufrag)
		}
		return lines
	})
}

// gatheredFor are the lines of what was gathered for the credentials with that ufrag.
func (s *Session) gatheredFor(ufrag string) []string {
	for _, g := range s.gathered {
		if g.ufrag != ufrag {
			continue
		}
		lines := append(make([]string, 0, len(g.lines)+1), g.lines...)
		if g.ended {
			lines = append(lines, endOfCandidates)
		}
		return lines
	}
	return nil
}

// AddRemoteCandidate implements W3C addIceCandidate, with its order of checks.
func (s *Session) AddRemoteCandidate(c RemoteCandidate) (Candidate, error) {
	s.wake()
	if c.Candidate != "" && c.SDPMid == nil && c.SDPMLineIndex == nil {
		return Candidate{}, errorf(TypeError, "a candidate needs SDPMid or SDPMLineIndex")
	}
	d := s.remote()
	if s.state == Closed || d == nil {
		return Candidate{}, errorf(InvalidState, "AddRemoteCandidate in %v without a remote description", s.state)
	}
	carrier := s.carrier(d)
	i := carrier
	switch {
	case c.SDPMid != nil && (*c.SDPMid != "" || c.SDPMLineIndex == nil): // an empty mid beside an index is how pion/webrtc says none
		if i = d.byMid(*c.SDPMid); i < 0 {
			return Candidate{}, errorf(Operation, "no section has the mid %q", *c.SDPMid)
		}
	case c.SDPMLineIndex != nil:
		if i = int(*c.SDPMLineIndex); i >= len(d.sections) {
			return Candidate{}, errorf(Operation, "there is no section %d", i)
		}
	}
	if carrier < 0 || !d.shared(carrier, i) {
		return Candidate{Ignored: true}, nil
	}
	line := strings.TrimPrefix(c.Candidate, "a=")
	ufrag := d.sections[carrier].applies.ufrag
	if of := candidateUfrag(line); of != "" {
		ufrag = of
	}
	if c.UsernameFragment != nil {
		ufrag = *c.UsernameFragment
	}
	end := line == ""
	if end {
		line = endOfCandidates
	} else if hasControl(line) || !validCandidate(line) {
		return Candidate{}, errorf(Operation, "malformed candidate %q", line)
	}
	// W3C: the username fragment has to be in "an applied remote description": the pending one or the current one.
	var in []*description
	for _, r := range []*description{s.pendingRemote, s.currentRemote} {
		if r == nil || i >= len(r.sections) || r.sections[i].mid != d.sections[i].mid || r.sections[i].applies.ufrag != ufrag {
			continue
		}
		if len(r.added) >= maxCandidates && !slices.Contains(r.added, addedCandidate{i, line}) {
			return Candidate{}, errorf(Operation, "more than %d candidates", maxCandidates)
		}
		in = append(in, r)
	}
	if len(in) == 0 {
		return Candidate{}, errorf(Operation, "section %q has no username fragment %q", d.sections[i].mid, ufrag)
	}
	for _, r := range in {
		if a := (addedCandidate{i, line}); !slices.Contains(r.added, a) && !slices.Contains(r.sections[i].candidates, line) {
			r.added = append(r.added, a)
		}
	}
	if end {
		return Candidate{Ufrag: ufrag, End: true}, nil
	}
	return Candidate{Line: line, Ufrag: ufrag}, nil
}
