package dtls

import (
	"bytes"
	"slices"
	"time"
)

// maxCookies bounds how often a server may ask for another cookie: once is usual, twice happens when its secret changes.
const maxCookies = 3

// startClient makes flight 1.
func (c *Conn) startClient(now time.Time) {
	hs := &c.hs
	h := &clientHello{version: version12, suites: make([]uint16, 0, len(c.cfg.CipherSuites)), compressions: []byte{compressionNull}}
	if !c.readRandom(h.random[:]) {
		c.failRandomness()
		return
	}
	hs.hello, hs.clientRandom = h, h.random
	e := &h.extensions
	e.present = append(make([]uint16, 0, maxExtensions), extSupportedGroups, extSignatureAlgorithms)
	e.groups = groups[:]
	if c.cfg.does(Version13) {
		if !c.offer13(h) {
			c.failRandomness()
			return
		}
		h.suites = c.cfg.appendSuites(h.suites, true)
	}
	if c.cfg.does(Version12) {
		h.suites = c.cfg.appendSuites(h.suites, false)
		e.present = append(e.present, extExtendedMasterSecret, extRenegotiationInfo, extECPointFormats)
		e.pointFormats = []byte{pointUncompressed}
	}
	e.schemes = schemeIDs[:]
	if len(c.cfg.SRTPProfiles) > 0 {
		e.present = append(e.present, extUseSRTP)
		e.srtpProfiles = make([]uint16, len(c.cfg.SRTPProfiles))
		for i, p := range c.cfg.SRTPProfiles {
			e.srtpProfiles[i] = uint16(p)
		}
	}
	c.sendClientHello(now, nil, 0)
}

// sendClientHello makes flight 1 or 3. The server's answer begins with message_seq first.
func (c *Conn) sendClientHello(now time.Time, key []byte, first uint16) {
	c.setAside()
	c.flight.begin(now)
	c.flight.wantsAnswer = true
	// RFC 6347 section 4.2.1: "When responding to a HelloVerifyRequest, the client MUST use the same parameter values (version, random,
	// session_id, cipher_suites, compression_method) as it did in the original ClientHello."
	c.hs.transcript = transcript{}
	c.addMessage(&c.plain, typeClientHello, c.hs.hello.append)
	c.open(key, first)
}

// handleHelloVerifyRequest follows a server that wants its cookie back, a bounded number of times.
func (c *Conn) handleHelloVerifyRequest(now time.Time, h messageHeader, fragment []byte) {
	hs := &c.hs
	cookie, ok := parseHelloVerifyRequest(fragment)
	if !ok || h.fragmentLength != h.length {
		c.stats.DroppedMalformed++
		return
	}
	if c.opening == nil || int(h.seq) >= len(c.opening.all) {
		c.stats.DroppedUnexpected++
		return
	}
	if c.reopen(now, cookie) {
		return
	}
	if len(c.opening.all) > maxCookies {
		c.stats.DroppedUnexpected++
		return
	}
	// RFC 6347 section 4.2.6: the first ClientHello and the HelloVerifyRequest are not in the handshake hashes. They count in
	// message_seq. A ServerHello that answers an earlier ClientHello counts as well: the request may be anybody's.
	again := *hs.hello
	again.cookie = bytes.Clone(cookie)
	hs.hello = &again
	c.refused = nil
	c.sendClientHello(now, again.cookie, h.seq+1)
}

func (c *Conn) handleServerHello(m message) *HandshakeError {
	hs := &c.hs
	h, ok := parseServerHello(m.body())
	if !ok {
		return refusef(AlertDecodeError, "malformed ServerHello")
	}
	if h.version != version12 {
		return refuse(AlertProtocolVersion, ErrVersion)
	}
	if c.cfg.does(Version13) && h.isDowngrade() {
		// RFC 8446 section 4.1.3: the client "MUST abort the handshake with an "illegal_parameter" alert". We have offered what the server could do.
		return refuse(AlertIllegalParameter, ErrDowngrade)
	}
	suite := suiteByID(h.suite)
	if suite == nil || suite.tls13 || !slices.Contains(hs.hello.suites, h.suite) || h.compression != compressionNull {
		return refusef(AlertIllegalParameter, "server chose cipher suite %#04x and compression %d", h.suite, h.compression)
	}
	e := &h.extensions
	for _, typ := range e.present {
		// RFC 5246 section 7.4.1.4: "If a client receives an extension type in ServerHello that it did not request in the associated
		// ClientHello, it MUST abort the handshake with an unsupported_extension fatal alert."
		if !hs.hello.extensions.has(typ) || typ == extKeyShare {
			return refusef(AlertUnsupportedExtension, "server answered extension %d", typ)
		}
	}
	if !e.extendedMaster {
		return refuse(AlertHandshakeFailure, ErrNoExtendedMasterSecret)
	}
	if len(e.renegotiated) != 0 {
		// RFC 5746 section 3.4: the client must verify that its length is zero, "and if it is not, MUST abort the handshake".
		return refuse(AlertHandshakeFailure, ErrRenegotiation)
	}
	if e.has(extECPointFormats) && !slices.Contains(e.pointFormats, pointUncompressed) {
		return refusef(AlertIllegalParameter, "server takes no uncompressed points")
	}
	profile, why := c.checkSRTP(e)
	if why != nil {
		return why
	}
	hs.serverRandom, hs.suite, hs.srtp, hs.v13 = h.random, suite, profile, nil
	hs.transcript.add(m.raw)
	hs.expect = typeCertificate
	return nil
}

// checkSRTP takes the server's choice of a profile.
func (c *Conn) checkSRTP(e *helloExtensions) (SRTPProfile, *HandshakeError) {
	if !e.has(extUseSRTP) {
		return 0, nil
	}
	// RFC 5764 section 4.1.1: one profile, of those offered; and section 4.1.3: no MKI, as none was offered.
	if len(e.srtpProfiles) != 1 || len(e.srtpMKI) != 0 || !slices.Contains(c.cfg.SRTPProfiles, SRTPProfile(e.srtpProfiles[0])) {
		return 0, refusef(AlertIllegalParameter, "server chose SRTP profiles %#04x", e.srtpProfiles)
	}
	return SRTPProfile(e.srtpProfiles[0]), nil
}

func (c *Conn) handleServerKeyExchange(m message) *HandshakeError {
	hs := &c.hs
	k, ok := parseServerKeyExchange(m.body())
	if !ok {
		return refusef(AlertDecodeError, "malformed ServerKeyExchange")
	}
	if !slices.Contains(groups[:], k.group) {
		return refusef(AlertIllegalParameter, "server chose group %#04x", k.group)
	}
	signed := slices.Concat(hs.clientRandom[:], hs.serverRandom[:], k.params)
	if why := c.verifySignature(k.scheme, signed, k.signature); why != nil {
		return why
	}
	if _, err := curveByID(k.group).NewPublicKey(k.point); err != nil {
		return refuse(AlertIllegalParameter, err)
	}
	own, err := newShare(c.cfg.Rand, k.group)
	if err != nil {
		return refuse(AlertInternalError, err)
	}
	hs.own, hs.peerPoint = own, k.point
	hs.transcript.add(m.raw)
	hs.expect = typeCertificateRequest
	return nil
}

func (c *Conn) handleCertificateRequest(m message) *HandshakeError {
	r, ok := parseCertificateRequest(m.body())
	if !ok {
		return refusef(AlertDecodeError, "malformed CertificateRequest")
	}
	wanted := byte(certificateTypeECDSA)
	key := c.cfg.Certificate.PrivateKey.Public()
	if kindOf(key) == keyRSA {
		wanted = certificateTypeRSA
	}
	if !slices.Contains(r.types, wanted) || pickScheme(key, r.schemes) == nil {
		return refuse(AlertHandshakeFailure, ErrNoCertificate)
	}
	c.hs.request = r
	c.hs.transcript.add(m.raw)
	c.hs.expect = typeServerHelloDone
	return nil
}

// handleServerHelloDone makes flight 5.
func (c *Conn) handleServerHelloDone(now time.Time, m message) *HandshakeError {
	hs := &c.hs
	if len(m.body()) != 0 {
		return refusef(AlertDecodeError, "malformed ServerHelloDone")
	}
	premaster, err := agree(hs.own, hs.peerPoint)
	if err != nil {
		return refuse(AlertIllegalParameter, err)
	}
	key := c.cfg.Certificate.PrivateKey
	scheme := pickScheme(key.Public(), hs.request.schemes)

	hs.transcript.add(m.raw)
	c.flight.begin(now)
	c.flight.wantsAnswer = true
	c.flight.answers, c.flight.isAnswer = m.seq, true
	c.addMessage(&c.plain, typeCertificate, c.cfg.Certificate.append)
	c.addMessage(&c.plain, typeClientKeyExchange, func(b []byte) []byte {
		return appendClientKeyExchange(b, hs.own.PublicKey().Bytes())
	})
	c.agreeOn(premaster)
	signature, err := scheme.sign(key, c.cfg.Rand, hs.transcript.messages)
	if err != nil {
		c.fail(AlertInternalError, err)
		return nil
	}
	c.addMessage(&c.plain, typeCertificateVerify, func(b []byte) []byte { return appendSignature(b, scheme.id, signature) })
	c.addFinished()
	hs.expect = typeFinished
	return nil
}
