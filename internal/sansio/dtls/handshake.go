package dtls

import (
	"crypto"
	"crypto/ecdh"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"time"
)

// handshake is the state of a handshake, of either role and version.
//
// There is exactly one message that may come next. Its handler first checks everything and only then changes anything, so that
// a message that is refused leaves no trace.
type handshake struct {
	expect   uint8 // type of the message that is due
	complete bool  // both Finished messages have been verified or sent; nothing says yet who the peer is
	sendSeq  uint16
	srtp     SRTPProfile
	peerKind keyKind

	hello        *clientHello // client: what we sent; server: what the client sent; nil when complete
	clientRandom [randomLen]byte
	suite        *cipherSuite // says the version too
	peerChain    [][]byte
	peerKey      crypto.PublicKey
	secret       []byte       // what is exported from: master secret of 1.2, exporter_master_secret of 1.3; nil until the former, or complete
	v13          *handshake13 // as long as it may become 1.3, or is; nil when complete

	// 1.2
	transcript   transcript // client: also of the ClientHello that may become 1.3's
	serverRandom [randomLen]byte
	own          *ecdh.PrivateKey
	begun        int                // server: length of the transcript where the client's next flight begins
	peerPoint    []byte             // of the peer's key exchange message
	request      certificateRequest // client
	mac          hash.Hash          // HMAC with the master secret; nil when complete
}

// is13 says whether the peer has made it 1.3.
func (hs *handshake) is13() bool { return hs.suite != nil && hs.suite.tls13 }

// handleMessage takes the message that is due, or says why not.
func (c *Conn) handleMessage(now time.Time, m message) *HandshakeError {
	if c.hs.complete {
		return c.handlePostHandshake(now, m)
	}
	if m.typ != c.hs.expect {
		return refusef(AlertUnexpectedMessage, "peer sent handshake message %d where %d is due", m.typ, c.hs.expect)
	}
	if c.hs.is13() {
		return c.handleMessage13(now, m)
	}
	return c.handleMessage12(now, m)
}

// verifySignature checks a signature of the peer, in both roles, against the key of the certificate that it has shown.
func (c *Conn) verifySignature(id uint16, msg, signature []byte) *HandshakeError {
	scheme := schemeByID(id)
	// RFC 5246 section 7.4.3: "the hash and signature algorithms MUST be compatible with the key in the server's end-entity certificate".
	fits := scheme != nil && scheme.kind == c.hs.peerKind
	if c.hs.is13() {
		fits = scheme != nil && schemeFits13(scheme, c.hs.peerKey)
	}
	if !fits {
		return refusef(AlertIllegalParameter, "signature scheme %#04x does not go with the certificate", id)
	}
	if err := scheme.verify(c.hs.peerKey, msg, signature); err != nil {
		return refuse(AlertDecryptError, err)
	}
	return nil
}

// completed forgets what made the handshake, and decides about the peer.
func (c *Conn) completed() {
	hs := &c.hs
	hs.complete = true
	c.giveUp = time.Time{}
	hs.transcript, hs.own, hs.peerPoint, hs.hello = transcript{}, nil, nil, nil
	hs.peerKey, hs.request, hs.mac, hs.v13 = nil, certificateRequest{}, nil, nil
	c.verifyPeer()
}

// readRandom fills b, or the connection fails.
func (c *Conn) readRandom(b []byte) bool {
	_, err := io.ReadFull(c.cfg.Rand, b)
	return err == nil
}

// logSecret appends a line to the key log (draft-ietf-tls-keylogfile).
func (c *Conn) logSecret(hs *handshake, label string, secret []byte) {
	if c.cfg.KeyLog != nil {
		// A log that cannot be written to must not end a call.
		_, _ = fmt.Fprintf(c.cfg.KeyLog, "%s %x %x\n", label, hs.clientRandom[:], secret)
	}
}

// forget drops what only a live connection needs.
func (hs *handshake) forget() {
	clear(hs.secret)
	hs.secret, hs.mac, hs.own, hs.transcript, hs.request = nil, nil, nil, transcript{}, certificateRequest{}
	hs.hello, hs.peerPoint, hs.v13 = nil, nil, nil
	hs.clientRandom = [randomLen]byte{}
}

// reservedLabels are those of the PRF's own uses (RFC 5705 section 6, RFC 7627 section 4).
var reservedLabels = [...]string{"client finished", "server finished", "master secret", "key expansion", "extended master secret"}

// Our own limits on what is exported at once: those of 1.2, and what HKDF of 1.3 can do with each of its hashes.
const (
	maxExport   = 1 << 16
	maxExport13 = 255 * 32
)

// ExportKeyingMaterial is the exporter of RFC 5705, or with DTLS 1.3 of RFC 8446 section 7.5. With DTLS 1.2 a nil context differs from an empty
// one. The error is ErrNotConnected, ErrReservedLabel or of a length that cannot be.
func (c *Conn) ExportKeyingMaterial(label string, context []byte, length int) ([]byte, error) {
	if c.state != StateConnected {
		return nil, ErrNotConnected
	}
	if slices.Contains(reservedLabels[:], label) {
		return nil, ErrReservedLabel
	}
	most := maxExport
	if c.hs.is13() {
		most = maxExport13
	}
	if length <= 0 || length > most || len(context) > 0xffff {
		return nil, fmt.Errorf("dtls: export of %d bytes with %d bytes of context", length, len(context))
	}
	if !c.hs.is13() {
		return c.hs.export12(label, context, length), nil
	}
	if len(label) > maxLabel {
		return nil, errors.New("dtls: exporter label is too long")
	}
	return export13(c.hs.suite.hash, c.hs.secret, label, context, length), nil
}
