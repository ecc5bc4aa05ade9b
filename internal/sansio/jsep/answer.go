package jsep

// CreateAnswer implements W3C createAnswer.
func (s *Session) CreateAnswer() (Description, error) {
	if s.state != HaveRemoteOffer && s.state != HaveLocalPrAnswer {
		return Description{}, errorf(InvalidState, "CreateAnswer in %v", s.state)
	}
	lines, err := s.answerLines()
	if err != nil {
		return Description{}, err
	}
	c, full := s.build(lines, Answer)
	s.lastAnswer = c
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
	if i := s.acceptedData(offer.parsed); i >= 0 {
		c, err := s.answerCredentials(i)
		if err != nil {
			return nil, err
		}
		l, m := &lines[i], &offer.sections[i]
		l.rejected, l.credentials, l.oldData = false, c, m.data.old
		l.bundled = m.group > 0
		l.setup = s.answerSetup(i)
	}
	return lines, nil
}

// answerSetup chooses our role in the DTLS handshake.
//
// RFC 8842, section 5.3: an answerer that goes on with an association answers with the role that it has in it; an offer of actpass does
// not ask for a new one.
func (s *Session) answerSetup(i int) setup {
	t := s.pendingRemote.sections[i].applies
	role := s.cfg.AnsweringRole
	if u, ok := s.inUse(s.pendingRemote.sections[i].mid); ok {
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
