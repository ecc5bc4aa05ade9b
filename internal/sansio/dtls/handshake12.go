package dtls

import (
	"crypto/hmac"
	"time"
)

// handleMessage12 takes the message of a DTLS 1.2 handshake that is due.
//
//	client                                   server
//	ClientHello                    1 ->
//	                               <- 2      HelloVerifyRequest    (not sent by us)
//	ClientHello with cookie        3 ->
//	                               <- 4      ServerHello, Certificate, ServerKeyExchange, CertificateRequest, ServerHelloDone
//	Certificate, ClientKeyExchange, CertificateVerify, ChangeCipherSpec, Finished
//	                               5 ->
//	                               <- 6      ChangeCipherSpec, Finished
func (c *Conn) handleMessage12(now time.Time, m message) *HandshakeError {
	var why *HandshakeError
	switch m.typ {
	case typeServerHello:
		why = c.handleServerHello(m)
	case typeCertificate:
		why = c.handleCertificate(m)
	case typeServerKeyExchange:
		why = c.handleServerKeyExchange(m)
	case typeCertificateRequest:
		why = c.handleCertificateRequest(m)
	case typeServerHelloDone:
		why = c.handleServerHelloDone(now, m)
	case typeClientKeyExchange:
		why = c.handleClientKeyExchange(m)
	case typeCertificateVerify:
		why = c.handleCertificateVerify(m)
	case typeFinished:
		why = c.handleFinished(now, m)
	}
	return why
}

// handleCertificate takes the peer's chain, in both roles. Whether it is the right one is seen in verifyPeer.
func (c *Conn) handleCertificate(m message) *HandshakeError {
	chain, ok := parseCertificate(m.body())
	if !ok {
		return refusef(AlertDecodeError, "malformed Certificate")
	}
	if len(chain) == 0 {
		return refuse(AlertHandshakeFailure, ErrNoCertificate)
	}
	key, kind, err := publicKeyOf(chain[0])
	if err != nil {
		return refuse(AlertUnsupportedCertificate, err)
	}
	if c.cfg.Client && c.hs.suite.rsa != (kind == keyRSA) {
		return refusef(AlertUnsupportedCertificate, "server's certificate does not go with cipher suite %#04x", c.hs.suite.id)
	}
	c.hs.peerChain, c.hs.peerKey, c.hs.peerKind = chain, key, kind
	c.hs.transcript.add(m.raw)
	if c.cfg.Client {
		c.hs.expect = typeServerKeyExchange
	} else {
		c.hs.expect = typeClientKeyExchange
	}
	return nil
}

// agreeOn derives all secrets. The transcript must end with ClientKeyExchange.
func (c *Conn) agreeOn(premaster []byte) {
	hs := &c.hs
	// RFC 7627 section 4: master_secret = PRF(pre_master_secret, "extended master secret", session_hash)[0..47]
	hs.secret = prf12(newMAC(hs.suite, premaster), "extended master secret", masterSecretLen, hs.transcript.sum(hs.suite.hash))
	hs.mac = newMAC(hs.suite, hs.secret)
	client, server := keyBlock(hs.suite, hs.mac, hs.clientRandom[:], hs.serverRandom[:])
	if !c.cfg.Client {
		client, server = server, client
	}
	c.write = &writeEpoch{epoch: uint64(epochProtected), v12: client}
	c.read = &readEpoch{epoch: uint64(epochProtected), v12: server}
	c.logSecret(hs, "CLIENT_RANDOM", hs.secret)
}

// verifyData is the content of a Finished message (RFC 5246 section 7.4.9) behind the transcript as it is.
func (hs *handshake) verifyData(client bool) []byte {
	label := "server finished"
	if client {
		label = "client finished"
	}
	return prf12(hs.mac, label, verifyDataLen, hs.transcript.sum(hs.suite.hash))
}

// handleFinished takes the peer's Finished, in both roles.
func (c *Conn) handleFinished(now time.Time, m message) *HandshakeError {
	if !hmac.Equal(m.body(), c.hs.verifyData(!c.cfg.Client)) {
		return refusef(AlertDecryptError, "peer's Finished does not verify")
	}
	c.hs.transcript.add(m.raw)
	if c.cfg.Client {
		c.flight.begin(now) // the server has all of flight 5
	} else {
		c.sendFinalFlight(now, m.seq)
	}
	c.completed()
	return nil
}

// addMessage appends a message to the transcript and to our flight. body appends what is behind the header.
func (c *Conn) addMessage(out *writeEpoch, typ uint8, body func(b []byte) []byte) {
	c.hs.transcript.add(c.flight.build(out, typ, c.hs.sendSeq, body))
	c.hs.sendSeq++
}

func (c *Conn) addFinished() {
	c.flight.add(&c.plain, nil)
	verifyData := c.hs.verifyData(c.cfg.Client)
	c.addMessage(c.write, typeFinished, func(b []byte) []byte { return append(b, verifyData...) })
}

// export12 is the exporter of RFC 5705.
func (hs *handshake) export12(label string, context []byte, length int) []byte {
	seed := [][]byte{hs.clientRandom[:], hs.serverRandom[:]}
	if context != nil {
		seed = append(seed, []byte{byte(len(context) >> 8), byte(len(context))}, context)
	}
	return prf12(newMAC(hs.suite, hs.secret), label, length, seed...)
}
