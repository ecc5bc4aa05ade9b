package dtls

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"hash"
	"time"
)

// handshake13 is what only 1.3 has of a handshake.
//
//	client                                   server
//	ClientHello                    ->
//	                               <-        HelloRetryRequest     (if it wants another key share)
//	ClientHello                    ->
//	                               <-        ServerHello, {EncryptedExtensions, CertificateRequest, Certificate, CertificateVerify, Finished}
//	{Certificate, CertificateVerify, Finished}
//	                               ->
//	                               <-        [ACK]
//
// {} is epoch 2, [] epoch 3.
type handshake13 struct {
	shares []share13 // client: what it has offered
	retry  *retry13  // of an opening that begins with a HelloRetryRequest, or on a server's side, is answered by one

	// From ServerHello on. Nothing but the transcript changes before it is settled which ServerHello counts.
	transcript     transcript13
	schedule       schedule13
	client, server secret13 // handshake traffic secrets
	read           *readEpoch
	write          *writeEpoch
	// From the server's Finished on.
	dataRead, dataWrite, exporter secret13
	schemes                       []uint16 // client: of CertificateRequest
}

// retry13 is a HelloRetryRequest.
type retry13 struct {
	suite *cipherSuite
	group uint16 // 0: the one whose share was sent
	// prefix is the transcript before the second ClientHello: message_hash of the first, and the request (RFC 8446 section 4.4.1).
	prefix []byte
}

func newRetry13(s *cipherSuite, group uint16, hello, request []byte) *retry13 {
	var t transcript13
	t.begin(s.hash, nil)
	t.add(hello)
	prefix := append([]byte{typeMessageHash, 0, 0, byte(s.hash.Size())}, t.sum()...)
	prefix = append(prefix, request[:tlsHeaderLen]...)
	return &retry13{s, group, append(prefix, request[messageHeaderLen:]...)}
}

// handshakeKeys is epoch 2 to write in; nil when there is none.
func (hs *handshake) handshakeKeys() *writeEpoch {
	if hs.v13 == nil {
		return nil
	}
	return hs.v13.write
}

// isRetried says whether its ClientHello is the second one, behind a HelloRetryRequest.
func (hs *handshake) isRetried() bool { return hs.v13 != nil && hs.v13.retry != nil }

// open is cipher13.openTrial for a record that may be of its epoch 2.
func (x *handshake13) open(r record13) (plain []byte, typ uint8, seq uint64, ok bool) {
	if r.epochBits != epochHandshake {
		return nil, 0, 0, false
	}
	return x.read.v13.openTrial(r, x.read.replay.top)
}

const tlsHeaderLen = 4

// transcript13 hashes all handshake messages so far. RFC 9147 section 5.2: "the message transcript is computed over the original TLS 1.3-style
// Handshake messages without the message_seq, fragment_offset, and fragment_length values."
type transcript13 struct {
	hash hash.Hash
	room [maxHashLen]byte // of sum
}

func (t *transcript13) begin(h crypto.Hash, prefix []byte) {
	t.hash = h.New()
	t.hash.Write(prefix)
}

func (t *transcript13) add(raw []byte) {
	t.hash.Write(raw[:tlsHeaderLen])
	t.hash.Write(raw[messageHeaderLen:])
}

// sum is the hash so far. It is valid until the next one.
func (t *transcript13) sum() []byte { return t.hash.Sum(t.room[:0]) }

// prefix is the transcript before our ClientHello, or the client's.
func (x *handshake13) prefix() []byte {
	if x.retry == nil {
		return nil
	}
	return x.retry.prefix
}

// agreed13 derives epoch 2. The transcript ends with ServerHello.
func (c *Conn) agreed13(hs *handshake, shared []byte) {
	s, x := hs.suite, hs.v13
	x.schedule = newSchedule13(s.hash)
	x.client, x.server = x.schedule.handshake(shared, x.transcript.sum())
	read, write := x.server, x.client
	if !c.cfg.Client {
		read, write = write, read
	}
	x.read, x.write = newReadEpoch(s, read, epochHandshake), newWriteEpoch(s, write, epochHandshake)
	c.logSecret(hs, "CLIENT_HANDSHAKE_TRAFFIC_SECRET", x.client.bytes())
	c.logSecret(hs, "SERVER_HANDSHAKE_TRAFFIC_SECRET", x.server.bytes())
}

// agreedOnData derives the secrets of epoch 3. The transcript ends with the server's Finished.
func (x *handshake13) agreedOnData(client bool) {
	x.dataWrite, x.dataRead, x.exporter = x.schedule.application(x.transcript.sum())
	x.schedule = schedule13{}
	if !client {
		x.dataRead, x.dataWrite = x.dataWrite, x.dataRead
	}
}

// addMessage13 appends a message to the transcript and to our flight. body appends what is behind the header.
func (c *Conn) addMessage13(out *writeEpoch, typ uint8, body func(b []byte) []byte) {
	raw := c.flight.build(out, typ, c.hs.sendSeq, body)
	c.hs.sendSeq++
	if c.hs.v13 != nil {
		c.hs.v13.transcript.add(raw)
	}
}

// addAuthentication appends Certificate, CertificateVerify and Finished (RFC 8446 section 4.4); not ok: the connection has failed.
func (c *Conn) addAuthentication(scheme *signatureScheme) (ok bool) {
	x := c.hs.v13
	c.addMessage13(x.write, typeCertificate, c.cfg.Certificate.append13)
	signature, err := scheme.sign(c.cfg.Certificate.PrivateKey, c.cfg.Rand, signedContent13(c.cfg.Client, x.transcript.sum()))
	if err != nil {
		c.fail(AlertInternalError, err)
		return false
	}
	c.addMessage13(x.write, typeCertificateVerify, func(b []byte) []byte { return appendSignature(b, scheme.id, signature) })
	secret := &x.server
	if c.cfg.Client {
		secret = &x.client
	}
	c.addMessage13(x.write, typeFinished, func(b []byte) []byte {
		return appendFinished(b, c.hs.suite.hash, secret.bytes(), x.transcript.sum())
	})
	return true
}

// handleMessage13 takes the message that is due. All of them are authenticated: what is wrong is the peer's own fault, and ends the connection.
func (c *Conn) handleMessage13(now time.Time, m message) (why *HandshakeError) {
	if m.epoch != epochHandshake {
		return refusef(AlertUnexpectedMessage, "peer sent handshake message %d in epoch %d", m.typ, m.epoch)
	}
	switch m.typ {
	case typeEncryptedExtensions:
		why = c.handleEncryptedExtensions(m)
	case typeCertificateRequest:
		why = c.handleCertificateRequest13(m)
	case typeCertificate:
		why = c.handleCertificate13(m)
	case typeCertificateVerify:
		why = c.handleCertificateVerify13(m)
	case typeFinished:
		why = c.handleFinished13(now, m)
	}
	return why
}

// handleCertificate13 takes the peer's chain, in both roles. Whether it is the right one is seen in verifyPeer.
func (c *Conn) handleCertificate13(m message) *HandshakeError {
	cert, ok := parseCertificate13(m.body())
	switch {
	case !ok:
		return refusef(AlertDecodeError, "malformed Certificate")
	case len(cert.context) != 0:
		return refusef(AlertIllegalParameter, "Certificate of a request that was not made")
	case cert.extended:
		return refusef(AlertUnsupportedExtension, "Certificate with an extension")
	case len(cert.chain) == 0 && c.cfg.Client:
		return refuse(AlertDecodeError, ErrNoCertificate)
	case len(cert.chain) == 0:
		return refuse(AlertCertificateRequired, ErrNoCertificate)
	}
	key, kind, err := publicKeyOf(cert.chain[0])
	if err != nil {
		return refuse(AlertUnsupportedCertificate, err)
	}
	c.hs.peerChain, c.hs.peerKey, c.hs.peerKind = cert.chain, key, kind
	c.hs.v13.transcript.add(m.raw)
	c.hs.expect = typeCertificateVerify
	return nil
}

// handleCertificateVerify13 takes the proof that the peer owns the key of its certificate, in both roles. Nothing else is due behind Certificate.
func (c *Conn) handleCertificateVerify13(m message) *HandshakeError {
	scheme, signature, ok := parseSignature(m.body())
	if !ok {
		return refusef(AlertDecodeError, "malformed CertificateVerify")
	}
	x := c.hs.v13
	if why := c.verifySignature(scheme, signedContent13(!c.cfg.Client, x.transcript.sum()), signature); why != nil {
		return why
	}
	x.transcript.add(m.raw)
	c.hs.expect = typeFinished
	return nil
}

// handleFinished13 takes the peer's Finished, in both roles. A client answers it with its own flight; a server acknowledges it.
func (c *Conn) handleFinished13(now time.Time, m message) *HandshakeError {
	x := c.hs.v13
	secret := &x.client
	if c.cfg.Client {
		secret = &x.server
	}
	var verifyData [maxHashLen]byte
	if !hmac.Equal(m.body(), appendFinished(verifyData[:0], c.hs.suite.hash, secret.bytes(), x.transcript.sum())) {
		return refusef(AlertDecryptError, "peer's Finished does not verify")
	}
	x.transcript.add(m.raw)
	if c.cfg.Client {
		x.agreedOnData(true)
		if !c.sendClientFlight(now, m.seq) {
			return nil
		}
		c.acks = acks{}
	} else {
		c.unacked = nil // the client has all that we said in it
		c.acks.due, c.acks.at = true, time.Time{}
	}
	client, server := &x.dataWrite, &x.dataRead
	if !c.cfg.Client {
		client, server = server, client
	}
	c.logSecret(&c.hs, "CLIENT_TRAFFIC_SECRET_0", client.bytes())
	c.logSecret(&c.hs, "SERVER_TRAFFIC_SECRET_0", server.bytes())
	c.logSecret(&c.hs, "EXPORTER_SECRET", x.exporter.bytes())
	c.hs.secret = bytes.Clone(x.exporter.bytes())
	c.readHandshake, c.handshakeUntil = c.read, now.Add(keepHandshakeEpoch)
	c.read = newReadEpoch(c.hs.suite, x.dataRead, epochData)
	c.write = newWriteEpoch(c.hs.suite, x.dataWrite, epochData)
	c.completed()
	return nil
}

// handlePostHandshake takes a message of a connection of 1.3 (RFC 8446 section 4.6).
func (c *Conn) handlePostHandshake(now time.Time, m message) *HandshakeError {
	switch {
	case m.epoch < epochData:
	case m.typ == typeKeyUpdate:
		return c.handleKeyUpdate(m)
	case m.typ == typeNewSessionTicket && c.cfg.Client:
		if !parseNewSessionTicket(m.body()) {
			return refusef(AlertDecodeError, "malformed NewSessionTicket")
		}
		return nil // nothing is resumed
	}
	// Such as CertificateRequest: RFC 8446 section 4.6.2, a client that "receives a post-handshake CertificateRequest message without having sent the
	// "post_handshake_auth" extension MUST send an "unexpected_message" fatal alert."
	return refusef(AlertUnexpectedMessage, "peer sent handshake message %d after the handshake", m.typ)
}

// handleKeyUpdate goes on to the peer's next epoch.
func (c *Conn) handleKeyUpdate(m message) *HandshakeError {
	request, ok := parseKeyUpdate(m.body())
	if !ok {
		return refusef(AlertDecodeError, "malformed KeyUpdate")
	}
	if request > updateRequested {
		return refusef(AlertIllegalParameter, "KeyUpdate asks for %d", request)
	}
	c.updateDue = c.updateDue || request == updateRequested
	k := c.read
	c.old = k
	c.read = newReadEpoch(c.hs.suite, nextSecret(c.hs.suite.hash, k.secret), k.epoch+1)
	k.secret = secret13{}
	c.stats.KeyUpdatesIn++
	return nil
}

// sendKeyUpdate makes the flight that announces our next epoch, which begins when the peer has it.
func (c *Conn) sendKeyUpdate(now time.Time) {
	c.updateDue = false
	c.flight.begin(now)
	c.flight.wantsAnswer, c.flight.updatesKeys = true, true
	c.addMessage13(c.write, typeKeyUpdate, func(b []byte) []byte { return appendKeyUpdate(b, updateNotRequested) })
}
