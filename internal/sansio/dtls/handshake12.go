package dtls

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/hmac"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"slices"
	"time"
)

// handshake12 is the state of a DTLS 1.2 handshake, of either role.
//
//	client                                   server
//	ClientHello                    1 ->
//	                               <- 2      HelloVerifyRequest    (not sent by us)
//	ClientHello with cookie        3 ->
//	                               <- 4      ServerHello, Certificate, ServerKeyExchange, CertificateRequest, ServerHelloDone
//	Certificate, ClientKeyExchange, CertificateVerify, ChangeCipherSpec, Finished
//	                               5 ->
//	                               <- 6      ChangeCipherSpec, Finished
//
// There is exactly one message that may come next. Its handler first checks everything and only then changes anything, so that
// a message that is refused leaves no trace.
type handshake12 struct {
	expect     uint8 // type of the message that is due
	complete   bool  // both Finished messages have been verified or sent; nothing says yet who the peer is
	sendSeq    uint16
	srtp       SRTPProfile
	peerKind   keyKind
	transcript transcript

	hello        *clientHello // client: what we sent; server: what the client sent; nil when complete
	clientRandom [randomLen]byte
	serverRandom [randomLen]byte
	suite        *cipherSuite
	own          *ecdh.PrivateKey
	begun        int                // server: length of the transcript where the client's next flight begins
	peerPoint    []byte             // of the peer's key exchange message
	request      certificateRequest // client
	peerChain    [][]byte
	peerKey      crypto.PublicKey
	master       []byte
	mac          hash.Hash // HMAC with master; nil when complete
}

// handleMessage takes the message that is due, or says why not.
func (c *Conn) handleMessage(now time.Time, m message) *HandshakeError {
	if m.typ != c.hs.expect {
		return refusef(AlertUnexpectedMessage, "peer sent handshake message %d where %d is due", m.typ, c.hs.expect)
	}
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

// verifySignature checks a signature of the peer, in both roles, against the key of the certificate that it has shown.
func (c *Conn) verifySignature(id uint16, msg, signature []byte) *HandshakeError {
	scheme := schemeByID(id)
	// RFC 5246 section 7.4.3: "the hash and signature algorithms MUST be compatible with the key in the server's end-entity certificate".
	if scheme == nil || scheme.kind != c.hs.peerKind {
		return refusef(AlertIllegalParameter, "signature scheme %#04x does not go with the certificate", id)
	}
	if err := scheme.verify(c.hs.peerKey, msg, signature); err != nil {
		return refuse(AlertDecryptError, err)
	}
	return nil
}

// agreeOn derives all secrets. The transcript must end with ClientKeyExchange.
func (c *Conn) agreeOn(premaster []byte) {
	hs := &c.hs
	// RFC 7627 section 4: master_secret = PRF(pre_master_secret, "extended master secret", session_hash)[0..47]
	hs.master = prf12(newMAC(hs.suite, premaster), "extended master secret", masterSecretLen, hs.transcript.sum(hs.suite.hash))
	hs.mac = newMAC(hs.suite, hs.master)
	client, server := keyBlock(hs.suite, hs.mac, hs.clientRandom[:], hs.serverRandom[:])
	c.sealer, c.opener = client, server
	if !c.cfg.Client {
		c.sealer, c.opener = server, client
	}
	if c.cfg.KeyLog != nil {
		// A log that cannot be written to must not end a call.
		_, _ = fmt.Fprintf(c.cfg.KeyLog, "CLIENT_RANDOM %s %s\n", hex.EncodeToString(hs.clientRandom[:]), hex.EncodeToString(hs.master))
	}
}

// verifyData is the content of a Finished message (RFC 5246 section 7.4.9) behind the transcript as it is.
func (hs *handshake12) verifyData(client bool) []byte {
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
	c.hs.complete = true
	c.giveUp = time.Time{}
	c.flight.wantsAnswer = false
	if c.cfg.Client {
		c.flight.begin(now) // the server has all of flight 5
	} else {
		c.sendFinalFlight(now, m.seq)
	}
	c.hs.transcript, c.hs.own, c.hs.peerPoint, c.hs.hello = transcript{}, nil, nil, nil
	c.hs.peerKey, c.hs.request, c.hs.mac = nil, certificateRequest{}, nil
	c.verifyPeer()
	return nil
}

// addMessage appends a message to the transcript and to our flight, which share its memory. body appends what is behind the header.
func (c *Conn) addMessage(epoch uint16, typ uint8, body func(b []byte) []byte) {
	raw := c.hs.transcript.build(body)
	n := len(raw) - messageHeaderLen
	h := messageHeader{typ: typ, length: n, seq: c.hs.sendSeq, fragmentLength: n}
	h.put(raw)
	c.hs.sendSeq++
	if epoch == epochProtected {
		raw = bytes.Clone(raw) // a server sends it again whenever it is asked to, when the transcript is gone
	}
	c.flight.add(epoch, raw)
}

func (c *Conn) addFinished() {
	c.flight.add(epochPlain, nil)
	verifyData := c.hs.verifyData(c.cfg.Client)
	c.addMessage(epochProtected, typeFinished, func(b []byte) []byte { return append(b, verifyData...) })
}

func (c *Conn) readRandom(b []byte) bool {
	_, err := io.ReadFull(c.cfg.Rand, b)
	return err == nil
}

// forget drops what only a live connection needs.
func (hs *handshake12) forget() {
	clear(hs.master)
	hs.master, hs.mac, hs.own, hs.transcript, hs.request = nil, nil, nil, transcript{}, certificateRequest{}
	hs.hello, hs.peerPoint = nil, nil
	hs.clientRandom = [randomLen]byte{}
}

// reservedLabels are those of the PRF's own uses (RFC 5705 section 6, RFC 7627 section 4).
var reservedLabels = [...]string{"client finished", "server finished", "master secret", "key expansion", "extended master secret"}

// maxExport is our own limit on what is exported at once.
const maxExport = 1 << 16

// ExportKeyingMaterial is the exporter of RFC 5705. A nil context differs from an empty one. The error is ErrNotConnected, ErrReservedLabel
// or of a length that cannot be.
func (c *Conn) ExportKeyingMaterial(label string, context []byte, length int) ([]byte, error) {
	if c.state != StateConnected {
		return nil, ErrNotConnected
	}
	if slices.Contains(reservedLabels[:], label) {
		return nil, ErrReservedLabel
	}
	if length <= 0 || length > maxExport || len(context) > 0xffff {
		return nil, fmt.Errorf("dtls: export of %d bytes with %d bytes of context", length, len(context))
	}
	seed := [][]byte{c.hs.clientRandom[:], c.hs.serverRandom[:]}
	if context != nil {
		seed = append(seed, []byte{byte(len(context) >> 8), byte(len(context))}, context)
	}
	return prf12(newMAC(c.hs.suite, c.hs.master), label, length, seed...), nil
}
