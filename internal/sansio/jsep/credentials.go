package jsep

import "slices"

// newCredentials returns the credentials for the next description that needs new ones. They stay the same until a description with them
// is applied, so that creating twice gives the same description.
func (s *Session) newCredentials() (credentials, error) {
	if s.fresh == (credentials{}) {
		ufrag, pwd, err := s.cfg.NewCredentials()
		if err != nil {
			return credentials{}, errorf(Operation, "new ICE credentials: %v", err)
		}
		if !validICE(ufrag, 4) || !validICE(pwd, 22) {
			return credentials{}, errorf(Operation, "new ICE credentials: %q and %d bytes are no ice-ufrag and ice-pwd", ufrag, len(pwd))
		}
		s.fresh = credentials{ufrag, pwd}
	}
	return s.fresh, nil
}

// replace tells whether c are credentials in place of others.
func (c credentials) replace(old credentials) bool {
	none := credentials{}
	return c != none && old != none && c != old
}

// localCredentials returns those of a local description, which are the same in all its sections that live; none if none lives.
func localCredentials(d *description) credentials {
	if d != nil {
		if i := d.tagged(); i >= 0 {
			return d.sections[i].transport.credentials
		}
	}
	return credentials{}
}

// offerCredentials chooses those for an offer; goesOn tells that it has a section of the transport that there is.
//
// RFC 9429, section 5.2.2: they MUST stay the same unless the ICE configuration has changed or a restart was asked for.
func (s *Session) offerCredentials(goesOn, restart bool) (credentials, error) {
	c := credentials{}
	if goesOn {
		c = localCredentials(s.local())
	}
	if restart || c == (credentials{}) || slices.Contains(s.toReplace, c) {
		return s.newCredentials()
	}
	return c, nil
}

// answerCredentials chooses those for an answer, carried by section i: new ones when the offer restarts ICE or has a new transport.
func (s *Session) answerCredentials(i int) (credentials, error) {
	if c := localCredentials(s.pendingLocal); c != (credentials{}) {
		return c, nil // of the provisional answer
	}
	if u, ok := s.inUse(s.pendingRemote.parsed); ok && u.remote.credentials == s.pendingRemote.sections[i].applies.credentials {
		return u.local, nil
	}
	return s.newCredentials()
}

// RestartICE implements W3C restartIce: the next offer has new credentials, and negotiation is needed until one was answered.
func (s *Session) RestartICE() {
	if s.state == Closed {
		return
	}
	s.wake()
	s.offerStale = true
	s.toReplace = s.toReplace[:0]
	for _, d := range []*description{s.currentLocal, s.pendingLocal} {
		if c := localCredentials(d); c != (credentials{}) {
			s.toReplace = append(s.toReplace, c)
		}
	}
}

// replaced forgets the credentials that RestartICE marked, once they are gone.
//
// W3C: "if none of the ICE credentials in connection.[[LocalIceCredentialsToReplace]] are present in description, then set
// connection.[[LocalIceCredentialsToReplace]] to an empty set."
func (s *Session) replaced() {
	if !slices.Contains(s.toReplace, localCredentials(s.currentLocal)) {
		s.toReplace = nil
	}
}
