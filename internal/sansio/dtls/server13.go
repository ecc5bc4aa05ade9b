package dtls

import (
	"bytes"
	"errors"
	"slices"
	"time"
)

// choose13 negotiates 1.3, or says why the ClientHello is not acceptable. With key nil the client is to be asked for a share of group.
func (c *Conn) choose13(h *clientHello) (s serverChoice, key []byte, why *HandshakeError) {
	e := &h.extensions
	if len(h.cookie) != 0 {
		// RFC 9147 section 5.3: "If a DTLS 1.3 ClientHello is received with any other value in this field, the server MUST abort the handshake with an
		// "illegal_parameter" alert."
		return s, nil, refusef(AlertIllegalParameter, "ClientHello of 1.3 with a cookie of 1.2")
	}
	if e.has(extCookie) {
		// RFC 9147 section 5.1: "If a server receives a ClientHello with an invalid cookie, it MUST terminate the handshake with an "illegal_parameter"
		// alert." We give none.
		return s, nil, refusef(AlertIllegalParameter, "ClientHello with a cookie that is not ours")
	}
	if !bytes.Equal(h.compressions, []byte{compressionNull}) {
		return s, nil, refusef(AlertIllegalParameter, "ClientHello of 1.3 with compression")
	}
	// RFC 8446 section 9.2: without them, "the server MUST abort the handshake with a "missing_extension" alert".
	if !e.has(extSupportedGroups) || !e.has(extKeyShare) || !e.has(extSignatureAlgorithms) {
		return s, nil, refusef(AlertMissingExtension, "ClientHello of 1.3 without groups, shares or signature algorithms")
	}
	for _, id := range c.cfg.CipherSuites {
		if suite := suiteByID(id); suite.tls13 && slices.Contains(h.suites, id) {
			s.suite = suite
			break
		}
	}
	for _, g := range groups13 {
		if key = e.share(g); key != nil && c.takesGroup(e, g) {
			s.group = g
			break
		}
		key = nil
	}
	if key == nil {
		// The cheapest first: what costs a round trip is not made dearer.
		for _, g := range [...]uint16{groupP256, groupX25519, groupP384, groupX25519MLKEM768} {
			if c.takesGroup(e, g) {
				s.group = g
				break
			}
		}
	}
	s.scheme = pickScheme13(c.cfg.Certificate.PrivateKey.Public(), e.schemes)
	if s.group == 0 || s.scheme == nil || s.suite == nil {
		return s, nil, refuse(AlertHandshakeFailure, ErrNothingInCommon)
	}
	s.srtp = c.chooseSRTP(e)
	return s, key, nil
}

func (c *Conn) takesGroup(e *helloExtensions, group uint16) bool {
	return slices.Contains(e.groups, group) && (c.cfg.groups == nil || slices.Contains(c.cfg.groups, group))
}

// handleClientHello13 makes the server's flight, or a HelloRetryRequest.
func (c *Conn) handleClientHello13(now time.Time, h *clientHello, m message) *HandshakeError {
	choice, key, why := c.choose13(h)
	if why != nil {
		return why
	}
	retry := c.retryFor(h, m.seq)
	switch {
	case retry == nil && m.seq > 0:
		return refusef(AlertIllegalParameter, "second ClientHello of 1.3 without a HelloRetryRequest")
	case retry != nil && (choice.suite != retry.suite || choice.group != retry.group || key == nil || len(h.extensions.shares) != 1):
		// RFC 8446 section 4.1.2: the client sends the same ClientHello, with "a single KeyShareEntry from the indicated group".
		return refusef(AlertIllegalParameter, "client does not follow HelloRetryRequest")
	}
	if key == nil {
		c.beginServer(now, h, m, choice, &handshake13{})
		c.sendRetry(choice, m)
		return nil
	}
	public, secret, err := answerShare13(c.cfg.Rand, choice.group, key)
	if errors.Is(err, errRandomness) {
		c.failRandomness()
		return nil
	}
	if err != nil {
		return refuse(AlertIllegalParameter, err)
	}
	x := &handshake13{retry: retry}
	c.beginServer(now, h, m, choice, x)
	hs := &c.hs
	if !c.readRandom(hs.serverRandom[:]) {
		c.failRandomness()
		return nil
	}
	x.transcript.begin(choice.suite.hash, x.prefix())
	x.transcript.add(m.raw)
	hello := answer13(choice)
	hello.random = hs.serverRandom
	hello.extensions.shares = []keyShare{{choice.group, public}}
	c.addMessage13(&c.plain, typeServerHello, hello.append)
	c.agreed13(hs, secret)

	var ee encryptedExtensions
	if choice.srtp != 0 {
		// RFC 5764 section 4.1.3: a server that does not use the client's MKI answers with an empty one.
		ee.extensions.present = []uint16{extUseSRTP}
		ee.extensions.srtpProfiles = []uint16{uint16(choice.srtp)}
	}
	c.addMessage13(x.write, typeEncryptedExtensions, ee.append)
	request := certificateRequest13{schemes: schemeIDs[:]}
	c.addMessage13(x.write, typeCertificateRequest, request.append)
	if !c.addAuthentication(choice.scheme) {
		return nil
	}
	x.agreedOnData(false)
	c.open(m.raw, m.seq+1)
	c.refused = nil
	return nil
}

// beginServer makes room for the answer to a ClientHello.
func (c *Conn) beginServer(now time.Time, h *clientHello, m message, choice serverChoice, x *handshake13) {
	c.Start(now)
	c.setAside()
	c.hs = handshake{
		expect: typeCertificate, sendSeq: m.seq, hello: h, clientRandom: h.random, suite: choice.suite, srtp: choice.srtp, v13: x,
	}
	c.flight.begin(now)
	c.flight.wantsAnswer = true
}

// sendRetry asks for a share of the chosen group.
func (c *Conn) sendRetry(choice serverChoice, m message) {
	request := answer13(choice)
	copy(request.random[:], retryRandom)
	request.extensions.shares = []keyShare{{group: choice.group}}
	raw := c.flight.build(&c.plain, typeServerHello, c.hs.sendSeq, request.append)
	c.hs.sendSeq++
	c.hs.v13.retry = newRetry13(choice.suite, choice.group, m.raw, raw)
	c.open(m.raw, m.seq+1)
	c.refused = nil
}

// retryFor finds the HelloRetryRequest that ClientHello seq answers: that of the same client, as its random says.
func (c *Conn) retryFor(h *clientHello, seq uint16) *retry13 {
	for i := range c.opening.all {
		o := &c.opening.all[i]
		if o.first == seq && o.hs.isRetried() && o.hs.handshakeKeys() == nil && o.hs.clientRandom == h.random {
			return o.hs.v13.retry
		}
	}
	return nil
}

// answer13 is what a ServerHello and a HelloRetryRequest have in common.
func answer13(choice serverChoice) *serverHello {
	a := &serverHello{version: version12, suite: choice.suite.id, compression: compressionNull}
	a.extensions.present = []uint16{extSupportedVersions, extKeyShare}
	a.extensions.versions = []uint16{version13}
	return a
}
