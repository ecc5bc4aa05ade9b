package sctp

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"
)

// Two ends that exchange their INIT chunks ahead, in SDP, know all that the handshake would tell them: draft-hancke-tsvwg-snap. The cookie, which
// protects who answers an INIT of anybody, protects nothing here, since a packet comes through DTLS, from the peer.

// NewInit makes the INIT chunk that a Config like this one has as its LocalInit. Each association needs its own.
func (c Config) NewInit() ([]byte, error) {
	c.LocalInit, c.RemoteInit = nil, nil
	if err := c.setDefaults(); err != nil {
		return nil, err
	}
	var secrets [8]byte
	if _, err := io.ReadFull(c.Rand, secrets[:]); err != nil {
		return nil, fmt.Errorf("sctp: reading Config.Rand: %w", err)
	}
	tag := max(binary.BigEndian.Uint32(secrets[:]), 1)
	return c.appendInit(make([]byte, 0, 48), chunkInit, tag, c.initialWindow(), uint16(c.MaxStreams), TSN(binary.BigEndian.Uint32(secrets[4:])), nil), nil
}

// CheckInit says what makes an INIT chunk one that cannot be a RemoteInit: it is damaged, or refused by RFC 9260 section 3.3.2. The error wraps
// ErrConfig.
func CheckInit(chunk []byte) error {
	_, err := parseInitChunk(chunk)
	return err
}

// parseInitChunk parses a whole INIT chunk, with its padding or without.
func parseInitChunk(b []byte) (v initView, err error) {
	head, body, rest, ok := splitTLV(b)
	if !ok || head>>8 != chunkInit || len(rest) > 0 {
		return v, fmt.Errorf("%w: %d bytes are no INIT chunk", ErrConfig, len(b))
	}
	v, ok = parseInit(body)
	switch {
	case !ok:
		return v, fmt.Errorf("%w: INIT chunk is damaged", ErrConfig)
	case v.tag == 0 || v.outgoing == 0 || v.incoming == 0 || v.window < minInitWindow || v.hostName:
		return v, fmt.Errorf("%w: INIT with tag %d, %d and %d streams, a window of %d", ErrConfig, v.tag, v.outgoing, v.incoming, v.window)
	}
	return v, nil
}

// establishAhead enters the association that LocalInit and RemoteInit agree on. rtt is the path's, which no handshake has measured.
func (a *Association) establishAhead(rtt time.Duration) {
	v, err := parseInitChunk(a.cfg.RemoteInit)
	if err != nil {
		panic("BUG: " + err.Error()) // New has seen that it is none
	}
	a.cfg.LocalInit, a.cfg.RemoteInit = nil, nil
	if rtt > 0 {
		a.rto.measure(rtt)
	}
	c := a.agreement(&v)
	a.agree(&c)
	a.becomeEstablished()
}
