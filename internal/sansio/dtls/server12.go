package dtls

import (
	"slices"
	"time"
)

// serverChoice is what a server makes of a ClientHello.
type serverChoice struct {
	suite  *cipherSuite
	scheme *signatureScheme
	group  uint16
	srtp   SRTPProfile
}

// choose negotiates, or says why the ClientHello is not acceptable. Whatever is unknown in it is passed over.
func (c *Conn) choose(h *clientHello) (s serverChoice, why *HandshakeError) {
	e := &h.extensions
	// Versions are ones' complements: 1.0 is the larger number. A client of 1.3 says 1.2 here, and the truth in supported_versions.
	if !c.cfg.does(Version12) || h.version > version12 || e.has(extSupportedVersions) && !slices.Contains(e.versions, version12) {
		return s, refuse(AlertProtocolVersion, ErrVersion)
	}
	if !slices.Contains(h.compressions, compressionNull) {
		return s, refusef(AlertIllegalParameter, "client takes no null compression")
	}
	if !e.extendedMaster {
		return s, refuse(AlertHandshakeFailure, ErrNoExtendedMasterSecret)
	}
	if len(e.renegotiated) != 0 {
		// RFC 5746 section 3.6: the server must verify that its length is zero, "and if it is not, MUST abort the handshake".
		return s, refuse(AlertHandshakeFailure, ErrRenegotiation)
	}
	if e.has(extECPointFormats) && !slices.Contains(e.pointFormats, pointUncompressed) {
		return s, refusef(AlertIllegalParameter, "client takes no uncompressed points")
	}
	// RFC 8422 section 4: a client that does not send supported_groups leaves the choice to the server. P-256 is what all have.
	offered := e.groups
	if !e.has(extSupportedGroups) {
		offered = []uint16{groupP256}
	}
	for _, g := range groups {
		if slices.Contains(offered, g) {
			s.group = g
			break
		}
	}
	key := c.cfg.Certificate.PrivateKey.Public()
	s.scheme = pickScheme(key, e.schemes)
	for _, id := range c.cfg.CipherSuites {
		if suite := suiteByID(id); !suite.tls13 && slices.Contains(h.suites, id) && suite.rsa == (kindOf(key) == keyRSA) {
			s.suite = suite
			break
		}
	}
	if s.group == 0 || s.scheme == nil || s.suite == nil {
		return s, refuse(AlertHandshakeFailure, ErrNothingInCommon)
	}
	s.srtp = c.chooseSRTP(e)
	return s, nil
}

// chooseSRTP chooses a profile of the client's; 0: none.
func (c *Conn) chooseSRTP(e *helloExtensions) SRTPProfile {
	for _, p := range c.cfg.SRTPProfiles {
		if slices.Contains(e.srtpProfiles, uint16(p)) {
			return p
		}
	}
	return 0
}

// handleClientHello makes flight 4.
func (c *Conn) handleClientHello(now time.Time, m message) *HandshakeError {
	h, ok := parseClientHello(m.body())
	if !ok {
		return refusef(AlertDecodeError, "malformed ClientHello")
	}
	// Who offers 1.3 in supported_versions says nothing with the version in its old place.
	if c.cfg.does(Version13) && slices.Contains(h.extensions.versions, version13) {
		return c.handleClientHello13(now, &h, m)
	}
	choice, why := c.choose(&h)
	if why != nil {
		return why
	}
	c.Start(now)
	c.hs = handshake{expect: typeCertificate, sendSeq: m.seq, hello: &h, clientRandom: h.random, suite: choice.suite, srtp: choice.srtp}
	hs := &c.hs
	own, err := newShare(c.cfg.Rand, choice.group)
	if err != nil || !c.readRandom(hs.serverRandom[:]) {
		c.failRandomness()
		return nil
	}
	hs.own = own
	if c.cfg.does(Version13) {
		copy(hs.serverRandom[randomLen-len(downgradeTo12):], downgradeTo12)
	}
	params := appendServerParams(nil, choice.group, own.PublicKey().Bytes())
	signed := slices.Concat(h.random[:], hs.serverRandom[:], params)
	signature, err := choice.scheme.sign(c.cfg.Certificate.PrivateKey, c.cfg.Rand, signed)
	if err != nil {
		c.fail(AlertInternalError, err)
		return nil
	}
	hs.transcript.add(m.raw)

	c.setAside()
	c.flight.begin(now)
	c.flight.wantsAnswer = true
	c.addMessage(&c.plain, typeServerHello, c.answer(&h, choice).append)
	c.addMessage(&c.plain, typeCertificate, c.cfg.Certificate.append)
	keyExchange := serverKeyExchange{params: params, scheme: choice.scheme.id, signature: signature}
	c.addMessage(&c.plain, typeServerKeyExchange, keyExchange.append)
	request := certificateRequest{types: []byte{certificateTypeECDSA, certificateTypeRSA}, schemes: schemeIDs[:]}
	c.addMessage(&c.plain, typeCertificateRequest, request.append)
	c.addMessage(&c.plain, typeServerHelloDone, func(b []byte) []byte { return b })
	hs.begun = len(hs.transcript.messages)
	c.open(m.raw, m.seq+1)
	c.refused = nil
	return nil
}

func (c *Conn) answer(h *clientHello, choice serverChoice) *serverHello {
	a := &serverHello{version: version12, random: c.hs.serverRandom, suite: choice.suite.id, compression: compressionNull}
	e := &a.extensions
	e.present = append(e.present, extExtendedMasterSecret)
	if h.extensions.renegotiation || slices.Contains(h.suites, suiteEmptyRenegotiation) {
		e.present = append(e.present, extRenegotiationInfo)
	}
	if h.extensions.has(extECPointFormats) {
		e.present = append(e.present, extECPointFormats)
		e.pointFormats = []byte{pointUncompressed}
	}
	if choice.srtp != 0 {
		// RFC 5764 section 4.1.3: a server that does not use the client's MKI answers with an empty one.
		e.present = append(e.present, extUseSRTP)
		e.srtpProfiles = []uint16{uint16(choice.srtp)}
	}
	return a
}

func (c *Conn) handleClientKeyExchange(m message) *HandshakeError {
	point, ok := parseClientKeyExchange(m.body())
	if !ok {
		return refusef(AlertDecodeError, "malformed ClientKeyExchange")
	}
	c.hs.peerPoint = point
	c.hs.transcript.add(m.raw)
	c.hs.expect = typeCertificateVerify
	return nil
}

// handleCertificateVerify takes the proof that the client owns the key of its certificate. It cannot be left out: nothing else is
// due after ClientKeyExchange, and there are no keys before (CVE-2022-29222). What it has signed begins with its own ClientHello.
func (c *Conn) handleCertificateVerify(m message) *HandshakeError {
	scheme, signature, ok := parseSignature(m.body())
	if !ok {
		return refusef(AlertDecodeError, "malformed CertificateVerify")
	}
	why := refusef(AlertDecryptError, "no ClientHello for CertificateVerify")
	for _, o := range c.opening.all {
		if o.first != m.seq-2 || o.hs.v13 != nil {
			continue
		}
		o.hs.transcript.messages = append(o.hs.transcript.messages, c.hs.transcript.messages[c.hs.begun:]...)
		if why = c.verifySignature(scheme, o.hs.transcript.messages, signature); why != nil {
			continue
		}
		premaster, err := agree(o.hs.own, c.hs.peerPoint)
		if err != nil {
			return refuse(AlertIllegalParameter, err)
		}
		o.hs.peerChain, o.hs.peerKey, o.hs.peerKind = c.hs.peerChain, c.hs.peerKey, c.hs.peerKind
		c.hs = o.hs
		c.agreeOn(premaster)
		c.hs.transcript.add(m.raw)
		c.hs.expect = typeFinished
		return nil
	}
	return why
}

// sendFinalFlight makes flight 6, which nothing answers: it is sent again when the client's Finished, message seq, comes again.
func (c *Conn) sendFinalFlight(now time.Time, seq uint16) {
	c.flight.begin(now)
	c.flight.items, c.flight.room = make([]flightItem, 0, 2), make([]byte, 0, messageHeaderLen+verifyDataLen) // it is kept for good
	c.flight.answers, c.flight.isAnswer = seq, true
	c.addFinished()
}
