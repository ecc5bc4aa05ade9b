package jsep

import "slices"

// changed runs apply, which cannot fail, and tells what it changed.
func (s *Session) changed(local bool, typ Type, apply func()) Change {
	c := Change{Type: typ, Local: local, From: s.state}
	lived := agreed(s.currentLocal, s.currentRemote) >= 0
	wasPending, wasState := s.pendingLocal, s.state
	apply()
	if wasState == HaveLocalOffer && s.state == HaveRemoteOffer {
		c.To = append(c.To, Stable)
		c.RolledBack = true
	}
	if s.state != wasState {
		c.To = append(c.To, s.state)
		c.StateChanged = true
	}
	c.RolledBack = c.RolledBack || typ == Rollback

	c.Transport = s.transport()
	var now told
	if t := c.Transport; t != nil {
		now = told{credentials{t.LocalUfrag, t.LocalPwd}, credentials{t.RemoteUfrag, t.RemotePwd}}
		t.LocalRestart = now.local.replace(s.told.local)
		t.RemoteRestart = now.remote.replace(s.told.remote)
	}
	s.told = now

	if typ == Answer && c.Transport == nil {
		offered := !local && wasPending.liveData() >= 0
		if offered || lived {
			c.DataRejected = true
			// Its channels are closed by this; the section comes back when another channel is wanted.
			s.wantData = false
		}
	}
	return c
}

// transport says what is known about the transport: of the descriptions being negotiated or, if those have none and are not final, of
// the last completed negotiation.
func (s *Session) transport() *Transport {
	if t := s.describe(s.local(), s.remote(), s.state != HaveLocalOffer && s.state != HaveRemoteOffer); t != nil || s.state == Stable {
		return t
	}
	return s.describe(s.currentLocal, s.currentRemote, true)
}

// describe says what local and remote, of which one may be missing or older, tell about their transport; nil if there is none.
func (s *Session) describe(local, remote *description, answered bool) *Transport {
	i := -1
	switch {
	case answered:
		i = agreed(local, remote)
	case s.state == HaveLocalOffer:
		i = local.liveData()
	default:
		i = s.acceptedData(remote.parsed)
	}
	if i < 0 {
		return nil
	}
	t := &Transport{HasData: true, MLineIndex: i, Answered: answered, RemoteMaxMessageSize: defaultMaxMessage}
	if s.state == HaveLocalOffer && !answered {
		t.Mid = local.sections[i].mid
	} else {
		t.Mid = remote.sections[i].mid
	}
	c := localCredentials(local, t.Mid)
	t.LocalUfrag, t.LocalPwd = c.ufrag, c.pwd
	if remote != nil && i < len(remote.sections) && remote.sections[i].mid == t.Mid && remote.sections[i].liveData() {
		remote.describe(t)
	}
	if answered {
		t.DTLSRole = roleAfter(local, remote)
	} else if u, ok := s.inUse(t.Mid); ok {
		t.DTLSRole = u.role
	}
	// RFC 8445, section 6.1.1: the initiating agent controls, unless the other one is lite and we are not.
	t.ICEControlling = t.RemoteLite || s.offered == localSide ||
		s.offered == nobody && (s.state == HaveLocalOffer || s.state == HaveRemotePrAnswer)
	return t
}

// describe fills in what a remote description says.
func (d *description) describe(t *Transport) {
	a, m := d.sections[t.MLineIndex].applies, &d.sections[t.MLineIndex]
	t.RemoteUfrag, t.RemotePwd = a.ufrag, a.pwd
	t.RemoteLite, t.RemoteTrickle = d.lite, a.trickle
	t.RemoteFingerprints = slices.Clone(a.fingerprints)
	t.RemoteSCTPPort, t.RemoteMaxMessageSize = m.data.port, m.data.maxMessage
	add := func(line string) {
		if len(t.RemoteCandidates) < maxCandidates && !slices.Contains(t.RemoteCandidates, line) {
			t.RemoteCandidates = append(t.RemoteCandidates, line)
		}
	}
	for j := range d.sections {
		if d.shared(t.MLineIndex, j) {
			t.RemoteEndOfCandidates = t.RemoteEndOfCandidates || d.sections[j].ended
			for _, line := range d.sections[j].candidates {
				add(line)
			}
		}
	}
	for _, c := range d.added {
		if c.line == endOfCandidates {
			t.RemoteEndOfCandidates = true
		} else {
			add(c.line)
		}
	}
}
