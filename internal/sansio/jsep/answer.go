package jsep

// CreateAnswer implements W3C createAnswer.
func (s *Session) CreateAnswer() (Description, error) {
	s.wake()
	if s.state != HaveRemoteOffer && s.state != HaveLocalPrAnswer {
		return Description{}, errorf(InvalidState, "CreateAnswer in %v", s.state)
	}
	lines, err := s.answerLines()
	if err != nil {
		return Description{}, err
	}
	c, full, err := s.build(lines, Answer)
	if err != nil {
		return Description{}, err
	}
	s.lastAnswer, s.answerStale = c, false
	return Description{Answer, full}, nil
}

// answerLines fills the table: a row for each offered section, rejected unless we can use it.
func (s *Session) answerLines() ([]mline, error) {
	offer := s.pendingRemote
	lines := make([]mline, len(offer.sections))
	for i := range offer.sections {
		m := &offer.sections[i]
		lines[i] = mline{kind: m.kind, proto: m.proto, formats: m.formats, rejected: true}
		// RFC 9429, section 5.3.1: "If and only if present in the offer, an "a=mid" line […]. The MID value MUST match that specified in the offer."
		if m.hasMid {
			lines[i].mid = m.mid
		}
	}
	a := s.accept(offer.parsed)
	if a.carrier < 0 {
		return lines, nil
	}
	c, err := s.answerCredentials(a.carrier)
	if err != nil {
		return nil, err
	}
	setup := s.answerSetup(a.carrier)
	var used *numbers // none are needed without media
	for i := range offer.sections {
		l, m := &lines[i], &offer.sections[i]
		if !a.sections[i] {
			continue
		}
		if m.media != nil {
			if used == nil {
				used = new(numbers)
			}
			t := s.byMid(m.mid)
			if l.media = s.answerMedia(t, m.media, used); l.media == nil {
				continue
			}
			l.transceiver = t.id
		}
		if m.data.is {
			if l.sctpInit, err = s.answerInit(i, m.data.sctpInit); err != nil {
				return nil, err
			}
		}
		l.rejected, l.credentials, l.setup, l.oldData = false, c, setup, m.data.old
		l.bundled, l.tag = m.group > 0, i == a.carrier
	}
	return lines, nil
}

// answerSetup chooses our role in the DTLS handshake by the section that carries the transport.
//
// RFC 8842, section 5.3: an answerer that goes on with an association answers with the role that it has in it; an offer of actpass does
// not ask for a new one.
func (s *Session) answerSetup(i int) setup {
	t := s.pendingRemote.sections[i].applies
	role := s.cfg.AnsweringRole
	if role == RoleUnknown && s.offeredSPED() != 0 {
		// The offerer, who has both descriptions last, sends its ClientHello in its first check, and has the server's flight in the response.
		role = RoleServer
	}
	if u, ok := s.inUse(s.pendingRemote.parsed); ok {
		role = u.role
	} else if t.setup == setupActive {
		role = RoleServer
	} else if t.setup == setupPassive {
		role = RoleClient
	}
	if role == RoleServer {
		return setupPassive
	}
	return setupActive
}
