package dtls

import (
	"crypto"
	"slices"
)

// transcript is all handshake messages so far, as they were on the wire but unfragmented (RFC 6347 section 4.2.6). They are kept, not
// only hashed: CertificateVerify may use another hash than the PRF does.
type transcript struct {
	messages []byte
}

// transcriptRoom holds a handshake with ECDSA certificates.
const transcriptRoom = 1536

func (t *transcript) add(raw []byte) {
	if t.messages != nil { // a ClientHello may be all that there ever is: with 1.3
		t.messages = slices.Grow(t.messages, max(len(raw), transcriptRoom-len(t.messages)))
	}
	t.messages = append(t.messages, raw...)
}

func (t *transcript) sum(h crypto.Hash) []byte {
	d := h.New()
	d.Write(t.messages)
	return d.Sum(nil)
}
