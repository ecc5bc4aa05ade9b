package dtls

import (
	"crypto"
)

// transcript is all handshake messages so far, as they were on the wire but unfragmented (RFC 6347 section 4.2.6). They are kept, not
// only hashed: CertificateVerify may use another hash than the PRF does.
type transcript struct {
	messages []byte
}

func (t *transcript) add(raw []byte) { t.messages = append(t.messages, raw...) }

func (t *transcript) sum(h crypto.Hash) []byte {
	d := h.New()
	d.Write(t.messages)
	return d.Sum(nil)
}
