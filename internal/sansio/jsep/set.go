package jsep

// SetLocal implements W3C setLocalDescription. An SDP that is empty is created; a Type that is absent follows from the state: the zero
// Description is W3C's call without an argument. The SDP otherwise has to be the last one that CreateOffer or CreateAnswer returned, with
// whatever candidates. An answer may be applied as PrAnswer.
func (s *Session) SetLocal(d Description) (Change, error) {
	s.wake()
	if s.state == Closed {
		return Change{}, errorf(InvalidState, "SetLocal in %v", s.state)
	}
	if d.Type == 0 {
		d.Type = Answer
		if s.state == Stable || s.state == HaveLocalOffer || s.state == HaveRemotePrAnswer {
			d.Type = Offer
		}
	}
	if d.Type > Rollback {
		return Change{}, errorf(TypeError, "description of type %d", d.Type)
	}
	last := &s.lastOffer
	if d.Type != Offer {
		last = &s.lastAnswer
	}
	if d.Type != Rollback && d.SDP != "" && (last.text == "" || d.SDP != last.text && canonical(d.SDP) != last.text) {
		return Change{}, errorf(InvalidModification, "this %v is not what was created last", d.Type)
	}
	to, ok := s.next(true, d.Type)
	if !ok {
		return Change{}, errorf(InvalidState, "SetLocal with type %v in %v", d.Type, s.state)
	}
	if d.Type == Rollback {
		return s.changed(true, Rollback, func() { s.rollBack() }), nil
	}
	if d.SDP == "" && (last.text == "" || d.Type == Offer && s.offerStale || d.Type != Offer && s.answerStale) {
		var err error
		if d.Type == Offer {
			_, err = s.CreateOffer(OfferOptions{})
		} else {
			_, err = s.CreateAnswer()
		}
		if err != nil {
			return Change{}, err
		}
	}
	next := &description{typ: d.Type, parsed: last.take(d.Type)}
	p, owners := next.parsed, last.owners
	if d.Type != Offer {
		s.adoptMids(p, s.pendingRemote.parsed)
		if i := agreed(next, s.pendingRemote); i >= 0 {
			next.role = s.roleBy(s.pendingRemote.parsed, p, i, true)
		}
	}
	return s.changed(true, d.Type, func() {
		s.pendingLocal = next
		if localCredentials(next) == s.fresh {
			s.fresh = credentials{}
		}
		s.useMids(p)
		if d.Type == Offer {
			s.associate(p, owners)
		} else {
			s.answered(next, s.pendingRemote)
		}
		s.become(to)
	}), nil
}

// SetRemote implements W3C setRemoteDescription. An offer that meets a local offer rolls that back first, but only if it can be applied:
// an error leaves everything as it was.
func (s *Session) SetRemote(d Description) (Change, error) {
	s.wake()
	if s.state == Closed {
		return Change{}, errorf(InvalidState, "SetRemote in %v", s.state)
	}
	if d.Type == 0 || d.Type > Rollback {
		return Change{}, errorf(TypeError, "description of type %d", d.Type)
	}
	glare := s.state == HaveLocalOffer && d.Type == Offer
	to, ok := s.next(false, d.Type)
	if !ok {
		return Change{}, errorf(InvalidState, "SetRemote with type %v in %v", d.Type, s.state)
	}
	if d.Type == Rollback {
		return s.changed(false, Rollback, func() { s.rollBack() }), nil
	}
	p, err := parse(d.SDP, d.Type)
	if err != nil {
		return Change{}, err
	}
	if d.Type == Offer {
		var base *parsed
		if r := s.remote(); r != nil {
			base = r.parsed
		}
		s.adoptMids(p, base)
	} else {
		s.adoptMids(p, s.pendingLocal.parsed)
	}
	if err := s.checkContent(p); err != nil {
		return Change{}, err
	}
	next := &description{typ: d.Type, parsed: p}
	var plans []plan
	if d.Type == Offer {
		if err := s.checkOffer(p); err != nil {
			return Change{}, err
		}
		var err error
		if plans, err = s.plan(p, glare); err != nil {
			return Change{}, err
		}
	} else {
		s.unbundle(next)
		if err := s.checkAnswer(next); err != nil {
			return Change{}, err
		}
		if i := agreed(s.pendingLocal, next); i >= 0 {
			next.role = s.roleBy(s.pendingLocal.parsed, p, i, false)
		}
	}
	if err := s.checkInit(p); err != nil {
		return Change{}, err
	}
	return s.changed(false, d.Type, func() {
		if glare {
			s.rollBack()
		}
		s.pendingRemote = next
		s.useMids(p)
		if d.Type == Offer {
			s.lastAnswer = created{} // it answered another offer
			s.carryOut(p, plans)
			next.taken = s.accept(p)
		} else {
			s.answered(s.pendingLocal, next)
		}
		s.become(to)
	}), nil
}

// next is the signaling table of RFC 9429, section 3.2 and W3C: the state that a description of that type leads to. ok is false where it
// is not allowed.
func (s *Session) next(local bool, typ Type) (to SignalingState, ok bool) {
	offered, provisional := HaveRemoteOffer, HaveRemotePrAnswer // by a remote description
	answers := HaveLocalOffer                                   // what a remote answer answers
	if local {
		offered, provisional, answers = HaveLocalOffer, HaveLocalPrAnswer, HaveRemoteOffer
	}
	switch typ {
	case Offer:
		return offered, s.state == Stable || s.state == offered || !local && s.state == HaveLocalOffer
	case PrAnswer:
		return provisional, s.state == answers || s.state == provisional
	case Answer:
		return Stable, s.state == answers || s.state == provisional
	}
	// W3C: a rollback when the state "is either "stable", "have-local-pranswer", or "have-remote-pranswer"" is an InvalidStateError. It is
	// given to the side that the offer was given to, as web-platform-tests have it; RFC 9429, section 5.7 would let either side do it.
	return Stable, s.state == offered
}

// become enters a state and does what comes with it.
func (s *Session) become(to SignalingState) {
	switch {
	case s.state == to && to != Stable:
	case s.state == Stable && (to == HaveLocalOffer || to == HaveRemoteOffer):
	case s.state == HaveLocalOffer && to == HaveRemotePrAnswer, s.state == HaveRemoteOffer && to == HaveLocalPrAnswer:
	case s.state != Stable && s.state != Closed && to == Stable:
	default:
		panic("BUG: " + s.state.String() + " becomes " + to.String())
	}
	s.state = to
	if to != Stable || s.pendingLocal == nil || s.pendingRemote == nil {
		return
	}
	// A negotiation is complete.
	s.currentLocal, s.currentRemote = s.pendingLocal, s.pendingRemote
	s.pendingLocal, s.pendingRemote = nil, nil
	s.lastOffer, s.lastAnswer = created{}, created{}
	s.replaced()
	switch {
	case agreed(s.currentLocal, s.currentRemote) < 0:
		s.offered = nobody
	case s.offered != nobody:
	case s.currentLocal.typ == Offer:
		s.offered = localSide
	default:
		s.offered = remoteSide
	}
	s.forgetGathered()
	s.settle()
}

// rollBack gives the pending offer up.
func (s *Session) rollBack() {
	s.pendingLocal, s.pendingRemote = nil, nil
	s.lastAnswer = created{}
	s.offerStale = true
	s.dissociate()
	s.become(Stable)
}
