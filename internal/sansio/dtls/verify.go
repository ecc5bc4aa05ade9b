package dtls

import (
	"crypto/sha512"
	"crypto/subtle"
	"fmt"
)

// FingerprintError is the end of a connection whose peer proved to own another certificate than the signalling had announced.
type FingerprintError struct {
	Got  Fingerprint // SHA-256 of the peer's certificate
	Want []Fingerprint
}

func (e *FingerprintError) Error() string {
	return fmt.Sprintf("dtls: peer's certificate has fingerprint %s %v, which is none of the %d expected", e.Got.Algorithm, e.Got, len(e.Want))
}

// verifyPeer decides whether the peer is who the signalling says. It is the one place from which a connection becomes connected, in
// both roles: the handshake has proved that the peer owns the key of its certificate, the fingerprint that the certificate is the right one.
func (c *Conn) verifyPeer() {
	if !c.hs.complete {
		panic("BUG: dtls: verifyPeer before the handshake is complete")
	}
	if c.fingerprints == nil {
		return // the signalling is slower than the handshake
	}
	leaf := c.hs.peerChain[0]
	if !matches(leaf, c.fingerprints) {
		c.fail(AlertBadCertificate, &FingerprintError{Got: fingerprintSHA256(leaf), Want: c.fingerprints})
		return
	}
	c.become(StateConnected)
	c.events = append(c.events, Event{Type: EventConnected})
	c.data = append(c.data, c.held.take()...)
	c.stats.DataIn += uint64(len(c.data) - c.dataAt)
}

func matches(der []byte, fps []Fingerprint) bool {
	for _, want := range fps {
		var got [sha512.Size]byte
		h := fingerprintHash(want.Algorithm)
		if h != 0 && subtle.ConstantTimeCompare(appendSum(got[:0], h, der), want.Value) == 1 {
			return true
		}
	}
	return false
}
