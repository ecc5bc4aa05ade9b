package sctp

import "encoding/binary"

// heartbeat asks whether a silent peer is there: RFC 9260 section 8.3.
type heartbeat struct {
	nonce   uint64 // the last that was used, also by probes of the path
	asked   uint64 // of the last HEARTBEAT that asked
	sentAt  instant
	waiting bool
}

// heard is called when something was sent or received that the peer answers or has answered; the silence begins anew.
func (a *Association) heard(received bool) {
	if received {
		a.heartbeat.waiting = false
	}
	if !a.heartbeat.waiting && a.cfg.HeartbeatInterval > 0 {
		a.timers.set(timerHeartbeat, a.now.add(a.cfg.HeartbeatInterval))
	}
}

func (a *Association) heartbeatTimeout() {
	h := &a.heartbeat
	if !a.open() || h.waiting && a.unanswered() {
		return
	}
	h.nonce++
	h.asked, h.sentAt, h.waiting = h.nonce, a.now, true
	a.queueHeartbeat(h.asked)
	a.timers.set(timerHeartbeat, a.now.add(max(a.cfg.HeartbeatInterval, a.rto.current())))
}

func (a *Association) queueHeartbeat(nonce uint64) {
	var n [8]byte
	var info [chunkHeader + len(n)]byte
	binary.BigEndian.PutUint64(n[:], nonce)
	a.queueControl(chunkHead(chunkHeartbeat, 0), appendTLV(info[:0], paramHeartbeatInfo, n[:]))
}

func (a *Association) handleHeartbeatAck(body []byte) {
	h := &a.heartbeat
	typ, info, _, ok := splitTLV(body)
	if !ok || typ != paramHeartbeatInfo || len(info) != 8 {
		a.stats.Drops.Malformed++
		return
	}
	nonce := binary.BigEndian.Uint64(info)
	if a.handlePathProbeAck(nonce) || a.handleWindowAck(nonce) {
		return
	}
	if nonce != h.asked || !h.waiting {
		a.stats.Drops.State++
		return
	}
	a.errors = 0
	a.rto.measure(a.now.since(h.sentAt))
	a.heard(true)
}
