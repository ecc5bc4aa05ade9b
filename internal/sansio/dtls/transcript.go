package dtls

import (
	"crypto"
)

// transcript is all handshake messages so far, as they were on the wire but unfragmented (RFC 6347 section 4.2.6). They are kept, not
// only hashed: CertificateVerify may use another hash than the PRF does.
type transcript struct {
	messages []byte
}

// transcriptRoom holds a handshake with ECDSA certificates.
const transcriptRoom = 1536

func (t *transcript) add(raw []byte) { t.messages = append(t.begun(), raw...) }

// build adds a message of which body appends what is behind the header, and returns all of it. The header is the caller's to fill in, now.
func (t *transcript) build(body func(b []byte) []byte) []byte {
	at := len(t.messages)
	t.messages = body(append(t.begun(), make([]byte, messageHeaderLen)...))
	return t.messages[at:len(t.messages):len(t.messages)]
}

func (t *transcript) begun() []byte {
	if t.messages == nil {
		return make([]byte, 0, transcriptRoom)
	}
	return t.messages
}

func (t *transcript) sum(h crypto.Hash) []byte {
	d := h.New()
	d.Write(t.messages)
	return d.Sum(nil)
}
