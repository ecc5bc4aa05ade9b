package dtls

import (
	"bytes"
	"slices"
	"time"
)

// offer13 adds what 1.3 needs to the first ClientHello; not ok: there is no randomness.
func (c *Conn) offer13(h *clientHello) (ok bool) {
	e := &h.extensions
	e.present = append(e.present, extSupportedVersions, extKeyShare)
	e.versions = []uint16{version13}
	if c.cfg.does(Version12) {
		e.versions = append(e.versions, version12)
	}
	// A group is either in a share, or an alternative of which a share costs a round trip. A server that knows X25519MLKEM768 prefers it, so it is
	// offered with a share or not at all.
	offered := []uint16{groups[0]}
	if c.cfg.PostQuantum {
		e.groups = slices.Concat([]uint16{groupX25519MLKEM768}, e.groups)
		offered = []uint16{groupX25519MLKEM768, groups[0]}
	}
	c.hs.v13 = new(handshake13)
	for _, group := range offered {
		if ok = c.offerShare(h, c.hs.v13, group); !ok {
			return false
		}
	}
	return true
}

func (c *Conn) offerShare(h *clientHello, x *handshake13, group uint16) (ok bool) {
	s, err := newShare13(c.cfg.Rand, group)
	if err != nil {
		return false
	}
	x.shares = append(x.shares, s)
	h.extensions.shares = append(h.extensions.shares, keyShare{group, s.public()})
	return true
}

// takeServerHellos considers the ServerHellos and HelloRetryRequests of 1.3 that are there. What they answer with is not authenticated yet, so each
// gives up its place in the flight to whatever else may come. It says whether there are keys that were not there before.
func (c *Conn) takeServerHellos(now time.Time) (news bool) {
	o := c.opening
	was := o.considered
	for i := 0; i < len(o.all); i++ {
		first, hs := o.all[i].first, &o.all[i].hs
		m, ok := c.in.whole(first)
		if !ok || m.typ != typeServerHello || hs.v13 == nil {
			continue
		}
		h, ok := parseServerHello(m.body())
		if !ok || !h.extensions.has(extSupportedVersions) {
			continue // it is of 1.2, or refused there
		}
		c.in.reject(first)
		why := hs.checkServerHello(&h)
		switch {
		case why != nil:
		case h.isRetry():
			why = c.followRetry(now, i, &h, m)
		default:
			why = c.considerAnswer(i, &h, m)
		}
		if why != nil {
			c.noteRefusal(now, why)
		}
		if c.state >= StateClosed {
			return false
		}
	}
	return o.considered != was
}

// checkServerHello says what is wrong with the ServerHello or HelloRetryRequest of 1.3 that answers our ClientHello.
func (hs *handshake) checkServerHello(h *serverHello) *HandshakeError {
	if h.version != version12 || h.extensions.versions[0] != version13 {
		return refuse(AlertIllegalParameter, ErrVersion)
	}
	suite := suiteByID(h.suite)
	if suite == nil || !suite.tls13 || !slices.Contains(hs.hello.suites, h.suite) || h.compression != compressionNull {
		return refusef(AlertIllegalParameter, "server chose cipher suite %#04x and compression %d", h.suite, h.compression)
	}
	if len(h.sessionID) != 0 {
		// RFC 9147 section 5: "DTLS servers MUST NOT echo the "legacy_session_id" value from the client", and ours was empty anyway.
		return refusef(AlertIllegalParameter, "server echoes a session that is not ours")
	}
	for _, typ := range h.extensions.present {
		if typ != extSupportedVersions && typ != extKeyShare && !(typ == extCookie && h.isRetry()) {
			return refusef(AlertUnsupportedExtension, "server answered extension %d", typ)
		}
	}
	// RFC 8446 section 4.1.4: "the client MUST check that the cipher suite selected in the ServerHello is the same as that in the HelloRetryRequest".
	if hs.isRetried() && hs.v13.retry.suite != suite {
		return refusef(AlertIllegalParameter, "server chose cipher suite %#04x and then %#04x", hs.v13.retry.suite.id, h.suite)
	}
	return nil
}

// followRetry sends another ClientHello, as a HelloRetryRequest says, a bounded number of times: each may be somebody else's.
func (c *Conn) followRetry(now time.Time, i int, h *serverHello, m message) *HandshakeError {
	hs := c.opening.all[i].hs
	switch {
	case c.reopen(now, m.raw):
		return nil
	case hs.isRetried():
		// RFC 8446 section 4.1.4: "If a client receives a second HelloRetryRequest in the same connection [...] it MUST abort the handshake with an
		// "unexpected_message" alert."
		return refusef(AlertUnexpectedMessage, "server sent a second HelloRetryRequest")
	case len(c.opening.all) > maxCookies:
		c.stats.DroppedUnexpected++
		return nil
	}
	e := &h.extensions
	again := *hs.hello
	x := &handshake13{shares: hs.v13.shares}
	group := uint16(0)
	if e.has(extKeyShare) {
		// RFC 8446 section 4.2.8: the client MUST verify that the group was in its supported_groups, and was not in its key_share.
		group = e.shares[0].group
		if !slices.Contains(again.extensions.groups, group) || again.extensions.share(group) != nil {
			return refusef(AlertIllegalParameter, "server asks for group %#04x", group)
		}
		x.shares, again.extensions.shares = nil, nil
		if !c.offerShare(&again, x, group) {
			c.failRandomness()
			return nil
		}
	} else if !e.has(extCookie) {
		return refusef(AlertIllegalParameter, "server asks for the same ClientHello again")
	}
	if e.has(extCookie) {
		again.extensions.present = append(slices.Clone(again.extensions.present), extCookie)
		again.extensions.cookie = bytes.Clone(e.cookie)
	}
	x.retry = newRetry13(suiteByID(h.suite), group, hs.transcript.messages, m.raw)
	c.hs = hs
	c.hs.hello, c.hs.v13 = &again, x
	c.refused = nil
	c.sendClientHello(now, m.raw, m.seq+1)
	return nil
}

// considerAnswer derives the keys that a ServerHello gives, with which the rest of the server's flight will show whether it is true.
func (c *Conn) considerAnswer(i int, h *serverHello, m message) *HandshakeError {
	o := c.opening
	hs := o.all[i].hs
	for k := range o.answers {
		if o.answers[k].first == m.seq+1 && bytes.Equal(o.answers[k].raw, m.raw) {
			return nil
		}
	}
	if o.considered == maxConsidered {
		c.stats.DroppedOverflow++
		return nil
	}
	if !h.extensions.has(extKeyShare) {
		return refusef(AlertMissingExtension, "server sent no key share")
	}
	share := h.extensions.shares[0]
	k := slices.IndexFunc(hs.v13.shares, func(s share13) bool { return s.group == share.group })
	if k < 0 {
		return refusef(AlertIllegalParameter, "server chose group %#04x", share.group)
	}
	secret, err := hs.v13.shares[k].finish(share.key)
	if err != nil {
		return refuse(AlertIllegalParameter, err)
	}
	hs.suite = suiteByID(h.suite)
	hs.expect = typeEncryptedExtensions
	x := &handshake13{retry: hs.v13.retry}
	x.transcript.begin(hs.suite.hash, x.prefix())
	x.transcript.add(hs.transcript.messages)
	x.transcript.add(m.raw)
	hs.v13 = x
	c.agreed13(&hs, secret)
	o.considered++
	if len(o.answers) == maxAnswers {
		o.answers = append(o.answers[:0], o.answers[1:]...) // what its answer would open is not here yet, and may never come
	}
	o.answers = append(o.answers, answer{m.raw, m.seq + 1, hs})
	return nil
}

func (c *Conn) handleEncryptedExtensions(m message) *HandshakeError {
	ee, ok := parseEncryptedExtensions(m.body())
	if !ok {
		return refusef(AlertDecodeError, "malformed EncryptedExtensions")
	}
	e := &ee.extensions
	for _, typ := range e.present {
		switch {
		case !c.hs.hello.extensions.has(typ):
			// RFC 8446 section 4.2: "MUST abort the handshake with an "unsupported_extension" alert".
			return refusef(AlertUnsupportedExtension, "server answered extension %d", typ)
		case typ != extUseSRTP && typ != extSupportedGroups:
			// The same: what is known, "and it is not specified for the message in which it appears, it MUST abort the handshake with an
			// "illegal_parameter" alert."
			return refusef(AlertIllegalParameter, "server answered extension %d out of place", typ)
		}
	}
	profile, why := c.checkSRTP(e)
	if why != nil {
		return why
	}
	c.hs.srtp = profile
	c.hs.v13.transcript.add(m.raw)
	c.hs.expect = typeCertificateRequest
	return nil
}

// handleCertificateRequest13 cannot be left out by the server: who does not want to know who we are does not do WebRTC.
func (c *Conn) handleCertificateRequest13(m message) *HandshakeError {
	r, ok := parseCertificateRequest13(m.body())
	switch {
	case !ok:
		return refusef(AlertDecodeError, "malformed CertificateRequest")
	case len(r.context) != 0:
		return refusef(AlertIllegalParameter, "CertificateRequest with a context")
	case r.schemes == nil:
		return refusef(AlertMissingExtension, "CertificateRequest without signature_algorithms")
	case pickScheme13(c.cfg.Certificate.PrivateKey.Public(), r.schemes) == nil:
		return refuse(AlertHandshakeFailure, ErrNoCertificate)
	}
	c.hs.v13.schemes = r.schemes
	c.hs.v13.transcript.add(m.raw)
	c.hs.expect = typeCertificate
	return nil
}

// sendClientFlight answers the server's Finished, message seq. It is repeated until the server has acknowledged it, whatever else happens.
func (c *Conn) sendClientFlight(now time.Time, seq uint16) (ok bool) {
	c.flight.begin(now)
	c.flight.wantsAnswer = true
	c.flight.answers, c.flight.isAnswer = seq, true
	return c.addAuthentication(pickScheme13(c.cfg.Certificate.PrivateKey.Public(), c.hs.v13.schemes))
}
