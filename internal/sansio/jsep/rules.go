package jsep

// checkContent holds a remote description against the rules that don't depend on what came before.
func (s *Session) checkContent(p *parsed, typ Type) *Error {
	seen := make(map[string]bool, len(p.sections))
	for i := range p.sections {
		m := &p.sections[i]
		// RFC 5888, section 4: "The identification-tag MUST be unique within an SDP session description."
		if m.hasMid && seen[m.mid] {
			return errorf(InvalidAccess, "two sections have the mid %q", m.mid)
		}
		if m.hasMid {
			seen[m.mid] = true
		}
		if len(m.formats) == 0 {
			return errorf(InvalidAccess, "section %d has no formats", i)
		}
	}
	for _, g := range p.bundle {
		for _, mid := range g {
			// False: it is in another group, or twice in this one.
			unique, known := seen[mid]
			if !known {
				return errorf(InvalidAccess, "the BUNDLE group has the mid %q, which no section has", mid)
			}
			// RFC 9143, section 5: a section is in one BUNDLE group at most.
			if !unique {
				return errorf(InvalidAccess, "the mid %q is bundled twice", mid)
			}
			seen[mid] = false
		}
	}
	i := p.liveData()
	if typ == Offer {
		i = s.acceptedData(p)
	}
	if i < 0 {
		return nil
	}
	return checkTransport(p.sections[i].applies, p.sections[i].mid, typ)
}

// checkTransport checks what a section that we use must have. RFC 9429, section 5.8.3: "valid values for each of the mandatory-to-use
// features […] MUST be present": ICE credentials, a DTLS setup value, and "at least one fingerprint".
func checkTransport(t *transportAttributes, mid string, typ Type) *Error {
	switch {
	case t.ufrag == "" || t.pwd == "":
		return errorf(InvalidAccess, "section %q has no ICE credentials", mid)
	case len(t.fingerprints) == 0 && t.otherHashes:
		return errorf(InvalidAccess, "section %q has only fingerprints of hash functions that are not accepted", mid)
	case len(t.fingerprints) == 0:
		return errorf(InvalidAccess, "section %q has no fingerprint", mid)
	case t.setup == setupAbsent:
		return errorf(InvalidAccess, "section %q has no a=setup", mid)
	case t.setup == setupHoldConn:
		return errorf(InvalidAccess, "section %q has a=setup:holdconn, which RFC 8842 does not allow", mid)
	case typ != Offer && t.setup == setupActPass:
		// RFC 8842, section 5.3: an answer chooses active or passive.
		return errorf(InvalidAccess, "section %q answers with a=setup:actpass", mid)
	}
	return nil
}

// checkOffer holds a remote offer against what was negotiated before. W3C: back-to-back offers are validated "as if answers were applied
// in between".
func (s *Session) checkOffer(p *parsed) *Error {
	if base := s.remote(); base != nil {
		// RFC 3264, section 8: a new offer has all the m= lines of before, and perhaps more.
		if len(p.sections) < len(base.sections) {
			return errorf(InvalidAccess, "%d sections where there were %d", len(p.sections), len(base.sections))
		}
		live := s.live(base)
		for i := range base.sections {
			was, is := &base.sections[i], &p.sections[i]
			// A place is free for another section only when the one before was rejected, which is all but live.
			if i == live && (was.mid != is.mid || was.kind != is.kind) {
				return errorf(InvalidAccess, "section %d changes from %s %q to %s %q", i, was.kind, was.mid, is.kind, is.mid)
			}
		}
	}
	if i := s.acceptedData(p); i >= 0 {
		if u, ok := s.inUse(p.sections[i].mid); ok {
			return u.continues(p, i, Offer)
		}
	}
	return nil
}

// checkAnswer holds a remote answer against our offer. RFC 9429, section 5.8.3: "the number of "m=" sections MUST exactly match" and "the
// media type and protocol values MUST exactly match".
func (s *Session) checkAnswer(p *parsed, typ Type) *Error {
	offer := s.pendingLocal
	if len(p.sections) != len(offer.sections) {
		return errorf(InvalidAccess, "%d sections answer %d", len(p.sections), len(offer.sections))
	}
	for i := range offer.sections {
		o, a := &offer.sections[i], &p.sections[i]
		switch {
		case o.kind != a.kind || o.proto != a.proto:
			return errorf(InvalidAccess, "section %d answers %s %s with %s %s", i, o.kind, o.proto, a.kind, a.proto)
		case o.mid != a.mid:
			return errorf(InvalidAccess, "section %d answers the mid %q with %q", i, o.mid, a.mid)
		case o.rejected() && !a.rejected():
			// RFC 3264, section 6: what was offered with port zero cannot be accepted.
			return errorf(InvalidAccess, "section %q was offered with port zero and is answered with port %d", o.mid, a.port)
		case a.group > 0 && o.group == 0:
			// RFC 9143, section 7.3: an answer bundles nothing that the offer did not.
			return errorf(InvalidAccess, "section %q is bundled by the answer only", o.mid)
		case !a.rejected() && !a.data.is:
			return errorf(InvalidAccess, "section %q does not answer with WebRTC data channels", o.mid)
		}
	}
	i := p.liveData()
	if i < 0 {
		return nil
	}
	mid := p.sections[i].mid
	u, ok := s.inUse(mid)
	if !ok {
		return nil
	}
	if err := u.continues(p, i, typ); err != nil {
		return err
	}
	// RFC 8839, section 4.4.2.1: an answer has new credentials only when the offer restarts ICE.
	if p.sections[i].applies.credentials != u.remote.credentials && localCredentials(offer, mid) == u.local {
		return errorf(InvalidAccess, "section %q restarts ICE in an answer", mid)
	}
	return nil
}
