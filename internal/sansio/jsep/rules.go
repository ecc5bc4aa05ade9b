package jsep

// checkContent holds a remote description against the rules that don't depend on what came before.
func (s *Session) checkContent(p *parsed) *Error {
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
	return nil
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
		for i := range base.sections {
			was, is := &base.sections[i], &p.sections[i]
			// A place is free for another section only when the one before was rejected.
			if s.carries(base, i) && (was.mid != is.mid || was.kind != is.kind) {
				return errorf(InvalidAccess, "section %d changes from %s %q to %s %q", i, was.kind, was.mid, is.kind, is.mid)
			}
		}
	}
	i := s.accept(p).carrier
	if i < 0 {
		return nil
	}
	if err := checkTransport(p.sections[i].applies, p.sections[i].mid, Offer); err != nil {
		return err
	}
	if u, ok := s.inUse(p); ok {
		return u.continues(p, i, Offer)
	}
	return nil
}

// unbundle marks the sections of an answer that are outside of the bundle. There is one transport, so they count as rejected.
func (s *Session) unbundle(answer *description) {
	carrier := agreed(s.pendingLocal, answer)
	for i := range answer.sections {
		if carrier >= 0 && i != carrier && answer.sections[i].live() && !answer.bundled(carrier, i) {
			answer.sections[i].unbundled = true
		}
	}
}

// checkAnswer holds a remote answer against our offer. RFC 9429, section 5.8.3: "the number of "m=" sections MUST exactly match" and "the
// media type and protocol values MUST exactly match".
func (s *Session) checkAnswer(p *description) *Error {
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
		case !a.rejected() && !a.live() || a.data.is != o.data.is && a.live():
			return errorf(InvalidAccess, "section %q does not answer with what was offered", o.mid)
		case a.live() && a.media != nil && !a.media.mux:
			// RFC 9429, section 4.1.1: with the policy "require" an endpoint that does not multiplex is not negotiated with.
			return errorf(InvalidAccess, "section %q is answered without a=rtcp-mux", o.mid)
		case a.live() && a.media != nil && !hasCommon(o.media.codecs, a.media.codecs):
			return errorf(InvalidAccess, "section %q is answered with none of the offered formats", o.mid)
		}
	}
	i := agreed(offer, p)
	if i < 0 {
		return nil
	}
	t, mid := p.sections[i].applies, p.sections[i].mid
	if err := checkTransport(t, mid, p.typ); err != nil {
		return err
	}
	u, ok := s.inUse(offer.parsed)
	if !ok {
		return nil
	}
	if err := u.continues(p.parsed, i, p.typ); err != nil {
		return err
	}
	// RFC 8839, section 4.4.2.1: an answer has new credentials only when the offer restarts ICE.
	if t.credentials != u.remote.credentials && localCredentials(offer) == u.local {
		return errorf(InvalidAccess, "section %q restarts ICE in an answer", mid)
	}
	return nil
}
