package jsep

import "encoding/base64"

// With a=sctp-init the sides tell each other the INIT chunks of their SCTP association: draft-hancke-tsvwg-snap. When an offer and its answer have it
// the association needs no handshake; when one has not it is made as ever.

// agreedInits are the data sections of an offer and its answer when both have the attribute, or nil.
//
// What comes back as we wrote it was not made by the remote side: it copies attributes that it does not know, as libdatachannel has done.
func agreedInits(local, remote *description) (ours, theirs *dataAttributes) {
	i := agreedData(local, remote)
	if i < 0 {
		return nil, nil
	}
	ours, theirs = &local.sections[i].data, &remote.sections[i].data
	if ours.sctpInit == "" || theirs.sctpInit == "" || ours.sctpInit == theirs.sctpInit {
		return nil, nil
	}
	return ours, theirs
}

// ownInit is our value. It stays the same for the life of the session, since that has one association at most.
func (s *Session) ownInit() (string, error) {
	if s.sctpInit == "" && s.cfg.NewSCTPInit != nil {
		chunk, err := s.cfg.NewSCTPInit()
		if err != nil {
			return "", errorf(Operation, "new INIT chunk: %v", err)
		}
		s.sctpInit = string(base64.StdEncoding.AppendEncode(make([]byte, 0, 256), chunk))
	}
	return s.sctpInit, nil
}

// offerInit is what an offer has for the data section i: of an association that there is, what was agreed on for it.
func (s *Session) offerInit(i int) (string, error) {
	if agreedData(s.currentLocal, s.currentRemote) == i {
		if ours, _ := agreedInits(s.currentLocal, s.currentRemote); ours != nil {
			return ours.sctpInit, nil
		}
		return "", nil
	}
	return s.ownInit()
}

// answerInit likewise for an answer, which has one only if the offer has.
func (s *Session) answerInit(i int, offered string) (string, error) {
	if offered == "" || offered == s.sctpInit {
		return "", nil
	}
	return s.offerInit(i)
}

// checkInit holds the INIT of a new remote description against what can be one, and against that of the association in use: another one would be of
// another association, which needs another session.
//
// One that is no INIT cannot be passed over: in an answer it means that the remote side goes without the handshake.
func (s *Session) checkInit(p *parsed) *Error {
	i := p.liveData()
	if i < 0 || p.sections[i].data.sctpInit == "" || s.cfg.CheckSCTPInit == nil {
		return nil
	}
	m := &p.sections[i]
	if err := s.cfg.CheckSCTPInit(m.data.chunk); err != nil {
		return errorf(InvalidAccess, "section %q has an unusable a=sctp-init: %v", m.mid, err)
	}
	local, remote := s.currentLocal, s.currentRemote
	if s.provisional() {
		local, remote = s.pendingLocal, s.pendingRemote
	}
	if _, theirs := agreedInits(local, remote); theirs != nil && agreedData(local, remote) == i && theirs.sctpInit != m.data.sctpInit {
		return errorf(InvalidAccess, "section %q has another a=sctp-init: that asks for a new SCTP association", m.mid)
	}
	return nil
}
