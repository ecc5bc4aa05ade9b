package jsep

import "slices"

// changed runs apply, which cannot fail, and tells what it changed.
func (s *Session) changed(local bool, typ Type, apply func()) Change {
	c := Change{Type: typ, Local: local, From: s.state}
	lived := agreedData(s.currentLocal, s.currentRemote) >= 0
	wasPending, wasState := s.pendingLocal, s.state
	hadMedia := len(s.transceivers) > 0
	apply()
	c.Created, c.Removed, c.Stopped = s.news.created, s.news.removed, s.news.stopped
	s.news = news{}
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

	if typ == Answer && agreedData(s.currentLocal, s.currentRemote) < 0 {
		offered := !local && wasPending.liveData() >= 0
		if offered || lived {
			c.DataRejected = true
			// Its channels are closed by this; the section comes back when another channel is wanted.
			s.wantData = false
		}
	}
	if hadMedia || len(s.transceivers) > 0 {
		c.Media = s.Media()
	}
	return c
}

// transport says what is known about the transport: of the descriptions being negotiated or, if those have none and are not final, of
// the last completed negotiation.
func (s *Session) transport() *Transport {
	var t *Transport
	switch s.state {
	case HaveLocalOffer:
		t = s.offeredTransport(s.pendingLocal, s.pendingLocal.tagged(), s.pendingLocal.liveData() >= 0)
	case HaveRemoteOffer:
		taken := &s.pendingRemote.taken
		data := s.pendingRemote.liveData()
		t = s.offeredTransport(s.pendingRemote, taken.carrier, data >= 0 && taken.sections[data])
	default:
		return s.agreedTransport(s.local(), s.remote())
	}
	if t != nil {
		return t
	}
	return s.agreedTransport(s.currentLocal, s.currentRemote)
}

// agreedTransport says what an offer and its answer tell; nil if nothing lives.
func (s *Session) agreedTransport(local, remote *description) *Transport {
	i := agreed(local, remote)
	if i < 0 {
		return nil
	}
	t := &Transport{
		Mid: remote.sections[i].mid, MLineIndex: i, HasData: agreedData(local, remote) >= 0, Answered: true, DTLSRole: roleAfter(local, remote),
	}
	c := localCredentials(local)
	t.LocalUfrag, t.LocalPwd = c.ufrag, c.pwd
	remote.describe(t, i)
	if ours, theirs := agreedInits(local, remote); ours != nil {
		t.LocalSCTPInit, t.RemoteSCTPInit = ours.chunk, theirs.chunk
	}
	t.SPED = agreedSPED(local, remote, i)
	s.describeControl(t)
	return t
}

// offeredTransport says what is known while an offer is not answered; carrier is a section of it.
func (s *Session) offeredTransport(offer *description, carrier int, data bool) *Transport {
	if carrier < 0 {
		return nil
	}
	t := &Transport{Mid: offer.sections[carrier].mid, MLineIndex: carrier, HasData: data, RemoteMaxMessageSize: defaultMaxMessage}
	u, used := s.inUse(offer.parsed)
	if used {
		t.DTLSRole = u.role
	}
	if offer == s.pendingLocal {
		c := localCredentials(offer)
		t.LocalUfrag, t.LocalPwd = c.ufrag, c.pwd
		if used {
			s.currentRemote.describe(t, agreed(s.currentLocal, s.currentRemote))
		}
	} else {
		if used {
			t.LocalUfrag, t.LocalPwd = u.local.ufrag, u.local.pwd
		}
		offer.describe(t, carrier)
	}
	s.describeControl(t)
	return t
}

// describeControl tells who controls ICE. RFC 8445, section 6.1.1: the initiating agent, unless the other one is lite and we are not.
func (s *Session) describeControl(t *Transport) {
	t.ICEControlling = t.RemoteLite || s.offered == localSide ||
		s.offered == nobody && (s.state == HaveLocalOffer || s.state == HaveRemotePrAnswer)
}

// describe fills in what a remote description says, of which section i is the carrier.
func (d *description) describe(t *Transport, i int) {
	a := d.sections[i].applies
	t.RemoteUfrag, t.RemotePwd = a.ufrag, a.pwd
	t.RemoteLite, t.RemoteTrickle = d.lite, a.trickle
	t.RemoteFingerprints = a.fingerprints
	t.RemoteMaxMessageSize = defaultMaxMessage
	if data := d.liveData(); data >= 0 {
		t.RemoteSCTPPort, t.RemoteMaxMessageSize = d.sections[data].data.port, d.sections[data].data.maxMessage
	}
	add := func(line string) {
		if len(t.RemoteCandidates) < maxCandidates && !slices.Contains(t.RemoteCandidates, line) {
			t.RemoteCandidates = append(t.RemoteCandidates, line)
		}
	}
	for j := range d.sections {
		if d.shared(i, j) {
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
