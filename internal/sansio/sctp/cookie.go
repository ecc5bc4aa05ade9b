package sctp

import (
	"crypto/hmac"
	"crypto/sha256"
	"time"
)

// cookie is what the state cookie holds (RFC 9260 section 5.1.3): what an INIT and our answer to it agreed on. It names no address and no
// memory of ours, and nobody else can make one.
type cookie struct {
	made               instant
	localTag, peerTag  uint32
	localTie, peerTie  uint32 // the tags of the association that existed already, or zero
	localTSN, peerTSN  TSN
	peerWindow         uint32
	outgoing, incoming uint16
	forward, reconfig  bool
	zeroChecksum       bool
	interleaving       bool
	pad                bool
}

// cookieLifetime is Valid.Cookie.Life (section 16).
const cookieLifetime = 60 * time.Second

const (
	cookieSize   = sha256.Size + 8 + 7*4 + 2*2 + 1
	cookieFlagFT = 1
	cookieFlagRC = 2
	cookieFlagZC = 4
	cookieFlagIL = 8
	cookieFlagPD = 16
)

// sealCookie writes c behind its MAC.
func (a *Association) sealCookie(c *cookie) []byte {
	b := make([]byte, sha256.Size, cookieSize)
	b = put32(put32(b, uint32(c.made>>32)), uint32(c.made))
	for _, v := range [...]uint32{c.localTag, c.peerTag, c.localTie, c.peerTie, uint32(c.localTSN), uint32(c.peerTSN), c.peerWindow} {
		b = put32(b, v)
	}
	b = put16(put16(b, c.outgoing), c.incoming)
	flags := byte(0)
	if c.forward {
		flags |= cookieFlagFT
	}
	if c.reconfig {
		flags |= cookieFlagRC
	}
	if c.zeroChecksum {
		flags |= cookieFlagZC
	}
	if c.interleaving {
		flags |= cookieFlagIL
	}
	if c.pad {
		flags |= cookieFlagPD
	}
	b = append(b, flags)
	mac := hmac.New(sha256.New, a.secret[:])
	mac.Write(b[sha256.Size:])
	mac.Sum(b[:0])
	return b
}

// openCookie reads a cookie of ours.
func (a *Association) openCookie(b []byte) (c cookie, ok bool) {
	if len(b) != cookieSize {
		return c, false
	}
	mac := hmac.New(sha256.New, a.secret[:])
	mac.Write(b[sha256.Size:])
	if !hmac.Equal(mac.Sum(nil), b[:sha256.Size]) {
		return c, false
	}
	b = b[sha256.Size:]
	return cookie{
		made:     instant(be32(b))<<32 | instant(be32(b[4:])),
		localTag: be32(b[8:]), peerTag: be32(b[12:]), localTie: be32(b[16:]), peerTie: be32(b[20:]),
		localTSN: TSN(be32(b[24:])), peerTSN: TSN(be32(b[28:])), peerWindow: be32(b[32:]),
		outgoing: be16(b[36:]), incoming: be16(b[38:]),
		forward: b[40]&cookieFlagFT != 0, reconfig: b[40]&cookieFlagRC != 0, zeroChecksum: b[40]&cookieFlagZC != 0, interleaving: b[40]&cookieFlagIL != 0,
		pad: b[40]&cookieFlagPD != 0,
	}, true
}
