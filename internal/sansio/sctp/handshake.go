package sctp

import "time"

// Parameters of INIT and INIT ACK (RFC 9260 section 3.3.2.1, RFC 3758 section 3.1, RFC 5061 section 4.2.7,
// RFC 9653 section 4).
const (
	paramHeartbeatInfo       = 1
	paramIPv4                = 5
	paramIPv6                = 6
	paramCookie              = 7
	paramUnrecognized        = 8
	paramCookiePreservative  = 9
	paramHostName            = 11
	paramAddressTypes        = 12
	paramECN                 = 0x8000
	paramZeroChecksum        = 0x8001
	paramSupportedExtensions = 0x8008
	paramForwardTSN          = 0xc000
)

// edmidDTLS is the Error Detection Method Identifier of SCTP over DTLS (RFC 9653 section 6).
const edmidDTLS = 1

// initView is an INIT or INIT ACK that was checked: section 3.3.2.
type initView struct {
	tag, window        uint32
	outgoing, incoming uint16
	tsn                TSN
	cookie             []byte
	forward, reconfig  bool
	zeroChecksum       bool
	interleaving       bool
	pad                bool // it knows PAD, which probes of the path are made of
	hostName           bool
	unknown            []byte // the parameters to be reported, as they were
}

// maxReported bounds the unknown parameters that are sent back.
const maxReported = 128

// minInitWindow is the least a_rwnd that an INIT may have (RFC 9260 section 3.3.2).
const minInitWindow = 1500

// parseInit parses the body of either. Lengths are checked in one place, splitTLV, and what it returns is all that is looked at.
func parseInit(b []byte) (v initView, ok bool) {
	if len(b) < initHeader-chunkHeader {
		return v, false
	}
	v = initView{tag: be32(b), window: be32(b[4:]), outgoing: be16(b[8:]), incoming: be16(b[10:]), tsn: TSN(be32(b[12:]))}
	var iData, iForward bool
	for rest := b[16:]; len(rest) > 0; {
		typ, value, next, ok := splitTLV(rest)
		if !ok {
			return v, false
		}
		switch typ {
		case paramCookie:
			v.cookie = value
		case paramForwardTSN:
			v.forward = true
		case paramSupportedExtensions:
			for _, t := range value {
				v.forward = v.forward || t == chunkForwardTSN
				v.reconfig = v.reconfig || t == chunkReconfig
				iData, iForward = iData || t == chunkIData, iForward || t == chunkIForwardTSN
				v.pad = v.pad || t == chunkPad
			}
			v.interleaving = iData && iForward
		case paramZeroChecksum:
			v.zeroChecksum = len(value) == 4 && be32(value) == edmidDTLS
		case paramHostName:
			v.hostName = true
		case paramIPv4, paramIPv6, paramUnrecognized, paramCookiePreservative, paramAddressTypes, paramECN:
		default:
			// "The Parameter Types are encoded such that the highest-order 2 bits specify the action" (section 3.2.1): 01 and 11 are reported,
			// 00 and 01 end the walk.
			if typ&0x4000 != 0 && len(v.unknown)+padded(4+len(value)) <= maxReported {
				v.unknown = appendTLV(v.unknown, typ, value)
			}
			if typ&0x8000 == 0 {
				return v, true
			}
		}
		rest = next
	}
	return v, true
}

// appendInit appends INIT or INIT ACK.
func (c *Config) appendInit(dst []byte, typ byte, tag uint32, window int, outgoing uint16, tsn TSN, params []byte) []byte {
	extensions := []byte{chunkReconfig, chunkForwardTSN, chunkPad, chunkIData, chunkIForwardTSN}
	if !c.Interleaving {
		extensions = extensions[:3]
	}
	own := chunkHeader + padded(chunkHeader+len(extensions))
	if c.ZeroChecksum {
		own += 8
	}
	dst = put16(dst, chunkHead(typ, 0))
	dst = put16(dst, uint16(initHeader+own+len(params)))
	dst = put32(dst, tag)
	dst = put32(dst, uint32(window))
	dst = put16(dst, outgoing)
	dst = put16(dst, uint16(c.MaxStreams))
	dst = put32(dst, uint32(tsn))
	dst = append(dst, params...)
	dst = appendTLV(dst, paramSupportedExtensions, extensions)
	// The chunk's length has the padding of all parameters but the last (section 3.2), so the last are some that need none.
	dst = appendTLV(dst, paramForwardTSN, nil)
	if c.ZeroChecksum {
		dst = append(dst, paramZeroChecksum>>8, paramZeroChecksum&0xff, 0, 8, 0, 0, 0, edmidDTLS)
	}
	return dst
}

// Start sends INIT, or establishes the association if the peer's INIT is in the Config. rtt is the round trip that ICE measured; 0 when unknown.
// Both ends may start; when the peer was first, or the association has ended, nothing happens.
func (a *Association) Start(now time.Time, rtt time.Duration) {
	a.enter(now)
	a.rto.hint(rtt)
	switch {
	case a.state != StateClosed || a.ended:
	case a.cfg.RemoteInit != nil:
		a.establishAhead(rtt)
	default:
		a.become(StateCookieWait)
		a.beginHandshake()
	}
}

// beginHandshake sends INIT or COOKIE ECHO for the first time.
func (a *Association) beginHandshake() {
	a.attempts, a.handshakeAt = 0, a.now
	a.repeatHandshake()
}

func (a *Association) repeatHandshake() {
	a.sendInit = a.state == StateCookieWait
	a.sendCookie = a.state == StateCookieEchoed
	a.timers.set(timerHandshake, a.now.add(a.rto.after(uint(a.attempts))))
}

// handshakeTimeout is T1-init or T1-cookie (section 5.1).
func (a *Association) handshakeTimeout() {
	if a.attempts++; a.attempts > a.cfg.MaxInitRetransmits {
		a.fail(&AbortError{Reason: "peer does not answer"})
		return
	}
	if a.state == StateCookieEchoed {
		a.loseAll(a.now + 1) // what went along goes along again
	}
	a.repeatHandshake()
}

// handleInit answers an INIT: section 5.1 B, and 5.2.1, 5.2.2 when there is an association already.
func (a *Association) handleInit(body []byte) {
	v, ok := parseInit(body)
	if !ok || v.tag == 0 {
		a.stats.Drops.Malformed++
		return
	}
	switch {
	case v.outgoing == 0 || v.incoming == 0 || v.window < minInitWindow:
		// "A receiver of an INIT chunk with the OS value set to 0 MUST discard the packet, SHOULD send a packet in response containing an
		// ABORT chunk […], and MUST NOT change the state of any existing association." (section 3.3.2); so for MIS and for a_rwnd below 1500.
		a.stats.Drops.Malformed++
		a.refuse(v.tag, causeInvalidParameter, nil)
		return
	case v.hostName:
		a.stats.Drops.Malformed++
		a.refuse(v.tag, causeUnresolvable, nil)
		return
	case a.state == StateShutdownAckSent:
		// "it SHOULD discard the INIT chunk and retransmit the SHUTDOWN ACK chunk" (section 9.2).
		a.sendShutdown = chunkShutdownAck
		return
	}
	c := a.agreement(&v)
	c.made, c.localTag, c.localTSN = a.now, a.tag, a.initialTSN
	switch a.state {
	case StateClosed, StateCookieWait:
		// "using the same parameters it sent in its original INIT chunk (including its Initiate Tag, unchanged)" (section 5.2.1). One that
		// has not left would only cross the peer's; it leaves when the peer's has come to nothing until T1-init expires.
		a.sendInit = false
	case StateCookieEchoed:
		c.localTie, c.peerTie = a.tag, a.peerTag
	default:
		// "the endpoint MUST copy its current Tie-Tags to a reserved place within the State Cookie", "the INIT ACK chunk MUST contain a new
		// Initiate Tag" (section 5.2.2).
		c.localTie, c.peerTie = a.tag, a.peerTag
		c.localTag, c.localTSN = a.random32(), TSN(a.random32())
	}
	params := appendTLV(nil, paramCookie, a.sealCookie(&c))
	for rest := v.unknown; len(rest) > 0; {
		// One for each of them: the value is "the unrecognized parameter", with its type and length (section 3.3.3.1.2).
		_, value, next, _ := splitTLV(rest)
		params = appendTLV(params, paramUnrecognized, rest[:4+len(value)])
		rest = next
	}
	p := appendHeader(nil, a.cfg.LocalPort, a.cfg.RemotePort, v.tag)
	// "If the peer's MIS is less than the endpoint's OS, […] the endpoint MUST use MIS outbound streams" (section 5.1.1).
	p = a.cfg.appendInit(p, chunkInitAck, c.localTag, a.recv.limit, c.outgoing, c.localTSN, params)
	seal(p)
	a.direct.push(p)
}

// handleInitAck goes on with COOKIE ECHO (section 5.1 C); in any other state it is discarded (5.2.3).
func (a *Association) handleInitAck(body []byte) {
	if a.state != StateCookieWait {
		a.stats.Drops.State++
		return
	}
	v, ok := parseInit(body)
	switch {
	case !ok:
		a.stats.Drops.Malformed++
		return
	case v.tag == 0 || v.outgoing == 0 || v.incoming == 0:
		// "If an endpoint in the COOKIE-WAIT state receives an INIT ACK chunk with the Initiate Tag set to 0, it MUST destroy the TCB"; so for
		// OS and MIS (section 3.3.3).
		a.fail(&AbortError{Cause: causeProtocolViolation, Reason: "INIT ACK with a zero tag or no streams"})
		return
	case v.window < minInitWindow:
		// So for a_rwnd below 1500, as erratum 7148 to section 3.3.3 has it; there is a tag by which the peer hears of it.
		a.peerTag = v.tag
		a.abort(&AbortError{Cause: causeInvalidParameter, Reason: "INIT ACK with a window below 1500 bytes"}, nil)
		return
	case v.hostName:
		// "The receiver of an INIT chunk or an INIT ACK containing a Host Name Address parameter MUST send an ABORT chunk" (section 3.3.2.1.4).
		a.peerTag = v.tag
		a.abort(&AbortError{Cause: causeUnresolvable, Reason: "INIT ACK with a host name"}, nil)
		return
	case v.cookie == nil:
		a.peerTag = v.tag
		a.abort(&AbortError{Cause: causeMissingParameter, Reason: "INIT ACK without a cookie"}, []byte{0, 0, 0, 1, 0, paramCookie})
		return
	case headerSize+chunkHeader+len(v.cookie) > a.mtu:
		a.peerTag = v.tag
		a.abort(&AbortError{Cause: causeOutOfResource, Reason: "cookie does not fit into a packet"}, nil)
		return
	}
	if a.attempts == 0 {
		a.rto.measure(a.now.since(a.handshakeAt))
		a.rto.base = max(minHandshakeRTO, a.rto.srtt+4*a.rto.rttvar) // T1-cookie needs no allowance for delayed SACKs
	}
	c := a.agreement(&v)
	a.agree(&c)
	a.cookie = append([]byte(nil), v.cookie...)
	a.become(StateCookieEchoed)
	if len(v.unknown) > 0 {
		a.queueError(causeUnrecognizedParameters, v.unknown)
	}
	a.beginHandshake()
}

// agreement is what the peer's INIT or INIT ACK and our Config make together.
func (a *Association) agreement(v *initView) cookie {
	return cookie{peerTag: v.tag, peerTSN: v.tsn, peerWindow: v.window,
		outgoing: uint16(min(int(v.incoming), a.cfg.MaxStreams)), incoming: uint16(min(int(v.outgoing), a.cfg.MaxStreams)),
		forward: v.forward, reconfig: v.reconfig, zeroChecksum: v.zeroChecksum, interleaving: v.interleaving, pad: v.pad}
}

// agree takes over what the peer's INIT or INIT ACK said.
func (a *Association) agree(c *cookie) {
	a.peerTag = c.peerTag
	a.peerWindow = int(min(c.peerWindow, 1<<30))
	a.peerBuffer = a.peerWindow
	a.outStreams, a.inStreams = int(c.outgoing), int(c.incoming)
	a.forward.supported = c.forward
	a.reset.supported = c.reconfig
	a.agreeInterleaving(c.interleaving && a.cfg.Interleaving)
	a.forward.supported = a.forward.supported || a.interleaving
	a.zeroChecksum = c.zeroChecksum && a.cfg.ZeroChecksum
	if !c.pad {
		// A peer that does not know PAD should skip it; Chromium's ends the association instead, and pion drops the packet.
		a.path.sizes = nil
	}
	a.received.reset(c.peerTSN - 1)
	a.reset.expected = uint32(c.peerTSN)
}

// handleCookieEcho is section 5.1 D and, when there is an association already, the table of section 5.2.4.
func (a *Association) handleCookieEcho(tag uint32, body []byte) bool {
	c, ok := a.openCookie(body)
	if !ok || tag != c.localTag {
		a.stats.Drops.Cookie++
		return false
	}
	sameLocal, samePeer := c.localTag == a.tag, c.peerTag == a.peerTag
	established := a.state > StateCookieEchoed
	if late := a.now.since(c.made) - cookieLifetime; late > 0 && !(established && sameLocal && samePeer) {
		// The Measure of Staleness is "the difference, rounded up in microseconds, between the current time and the time the State Cookie
		// expired" (section 3.3.10.3).
		a.stats.Drops.Cookie++
		us := uint32(late.Microseconds())
		p := appendHeader(nil, a.cfg.LocalPort, a.cfg.RemotePort, c.peerTag)
		cause := appendTLV(nil, uint16(causeStaleCookie), []byte{byte(us >> 24), byte(us >> 16), byte(us >> 8), byte(us)})
		p = appendTLV(p, chunkHead(chunkError, 0), cause)
		seal(p)
		a.direct.push(p)
		return false
	}
	switch {
	case sameLocal && (!established || samePeer):
		// B before it is established, D, and the plain case: the tags are those of our INIT or INIT ACK. "The endpoint SHOULD stay in or
		// enter the ESTABLISHED state".
		if !established {
			a.agree(&c)
			a.becomeEstablished()
		}
		a.sendCookieAck = true
		return true
	case established && !sameLocal && !samePeer && c.localTie == a.tag && c.peerTie == a.peerTag:
		// A: the peer has started anew, and with it all data channels are gone.
		a.tag, a.peerTag = c.localTag, c.peerTag
		const reason = "peer has restarted"
		a.abort(&AbortError{Remote: true, Cause: causeUserInitiated, Reason: reason}, []byte(reason))
		return false
	}
	a.stats.Drops.Cookie++ // C, a late B, and what the table does not have
	return false
}

// becomeEstablished ends the handshake.
func (a *Association) becomeEstablished() {
	a.become(StateEstablished)
	a.timers.stop(timerHandshake)
	a.sendInit, a.sendCookie, a.cookie = false, false, nil
	a.rto.settle()
	a.events.push(queuedEvent{kind: EventConnected})
	for _, e := range a.early {
		a.events.push(e)
	}
	a.early = nil
	a.sack.window = a.recv.limit
	a.dropStreamsBeyond()
	a.heard(true)
	a.maybeAskReset()
	a.settle()
	a.armProbe()
}

// dropStreamsBeyond drops what was queued on streams that the peer turned out not to have.
func (a *Association) dropStreamsBeyond() {
	if a.outStreams == a.cfg.MaxStreams {
		return
	}
	for _, list := range [...]*outStream{a.sched.head, a.sched.waiting.head} {
		for st := list; st != nil; st = st.next {
			for m := st.head; m != nil && int(st.id) >= a.outStreams; m = m.next {
				if m.sent == 0 {
					m.deadline = a.now
				}
			}
		}
	}
	a.nextMessage()
}

// handleError takes an ERROR chunk. Only one cause matters: the cookie came too late, so that the handshake begins again
// (section 5.2.6).
func (a *Association) handleError(body []byte) {
	a.stats.ErrorsReceived++
	cause, _, _, ok := splitTLV(body)
	if ok && CauseCode(cause) == causeStaleCookie && a.state == StateCookieEchoed {
		a.become(StateCookieWait)
		a.peerTag = 0
		a.loseAll(a.now + 1)
		a.repeatHandshake()
	}
}
