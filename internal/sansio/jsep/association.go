package jsep

import "slices"

// association is the DTLS association that an answer has brought about.
type association struct {
	local  credentials
	remote transportAttributes
	role   DTLSRole // ours
}

// inUse returns the association that offer p goes on with: the one of the last completed negotiation, or else of a provisional answer.
func (s *Session) inUse(p *parsed) (association, bool) {
	if goesOn(s.currentLocal, s.currentRemote, p) {
		return associationOf(s.currentLocal, s.currentRemote), true
	}
	if s.provisional() && goesOn(s.pendingLocal, s.pendingRemote, p) {
		return associationOf(s.pendingLocal, s.pendingRemote), true
	}
	return association{}, false
}

// goesOn tells whether a section that lives in both local and remote still lives in p.
//
// RFC 9143, section 7: the transport of a bundle stays when its tagged section is rejected; another section tags it then.
func goesOn(local, remote *description, p *parsed) bool {
	for i := range p.sections {
		if m := &p.sections[i]; m.live() && both(local, remote, i) && local.sections[i].mid == m.mid {
			return true
		}
	}
	return false
}

// associationOf returns the association of a pair that has agreed on one.
func associationOf(local, remote *description) association {
	i := agreed(local, remote)
	return association{
		local: local.sections[i].transport.credentials, remote: *remote.sections[i].applies,
		role: roleAfter(local, remote),
	}
}

// roleAfter is our DTLS role after an answer, which is one of the two.
func roleAfter(local, remote *description) DTLSRole {
	if local.typ != Offer {
		return local.role
	}
	return remote.role
}

// roleBy is the role that an answer to offer gives us, by its section i.
//
// An association keeps its role. A remote answer to a re-offer may say another one: pion/webrtc answers each offer of actpass with active,
// whatever was negotiated before, and goes on with the association that it has.
func (s *Session) roleBy(offer, answer *parsed, i int, local bool) DTLSRole {
	if u, ok := s.inUse(offer); ok {
		return u.role
	}
	if (answer.sections[i].applies.setup == setupActive) == local {
		return RoleClient
	}
	return RoleServer
}

// continues checks that section i of a new remote description goes on with association u.
//
// RFC 8842, section 3.1: a new DTLS association must be established when the negotiated roles change, when fingerprints are modified, added
// or removed, or when the tls-id changes. We never begin a second one within a session: who moves a call to another endpoint makes a new
// session.
func (u *association) continues(p *parsed, i int, typ Type) *Error {
	t := p.sections[i].applies
	switch {
	case !sameFingerprints(t.fingerprints, u.remote.fingerprints):
		return errorf(Operation, "section %q has other fingerprints: that asks for a new DTLS association", p.sections[i].mid)
	case t.tlsID != "" && u.remote.tlsID != "" && t.tlsID != u.remote.tlsID:
		return errorf(Operation, "section %q has another tls-id: that asks for a new DTLS association", p.sections[i].mid)
	case typ == Offer && (t.setup == setupActive && u.role == RoleClient || t.setup == setupPassive && u.role == RoleServer):
		return errorf(Operation, "section %q has a=setup:%s against the role in use: that asks for a new DTLS association",
			p.sections[i].mid, setupNames[t.setup])
	}
	// RFC 8839, section 4.4.1.1.1: to restart ICE, an agent MUST change both the ice-pwd and the ice-ufrag.
	if (t.ufrag == u.remote.ufrag) != (t.pwd == u.remote.pwd) {
		return errorf(InvalidAccess, "section %q changes one of ice-ufrag and ice-pwd: ICE restarts when both change", p.sections[i].mid)
	}
	return nil
}

func sameFingerprints(a, b []Fingerprint) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(f Fingerprint) bool { return !slices.Contains(b, f) })
}
