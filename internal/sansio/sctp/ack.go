package sctp

import "time"

// sackView is a SACK that was checked whole: section 3.3.4.
type sackView struct {
	cum    TSN
	window uint32
	gaps   []byte // 4 bytes each: start and end, as offsets from cum
	dups   int
}

// parseSack checks everything that does not depend on the association: lengths, and blocks in order that don't touch cum or each other's
// inside.
func parseSack(b []byte) (s sackView, ok bool) {
	if len(b) < sackHeader-chunkHeader {
		return s, false
	}
	gaps, dups := int(be16(b[8:])), int(be16(b[10:]))
	if len(b) != 12+4*gaps+4*dups {
		return s, false
	}
	s = sackView{cum: TSN(be32(b)), window: be32(b[4:]), gaps: b[12 : 12+4*gaps], dups: dups}
	last := 1 // cum+1 is missing, or cum would be more
	for g := s.gaps; len(g) > 0; g = g[4:] {
		start, end := int(be16(g)), int(be16(g[2:]))
		if start <= last || end < start {
			return s, false
		}
		last = end
	}
	return s, true
}

// handleSack applies a SACK: nothing of it if any of it is wrong.
func (a *Association) handleSack(body []byte) {
	q := &a.sent
	s, ok := parseSack(body)
	highest := s.cum
	if ok && len(s.gaps) > 0 {
		highest += TSN(be16(s.gaps[len(s.gaps)-2:]))
	}
	if !ok || !highest.Less(q.next) {
		a.stats.Drops.BadSack++
		return
	}
	// "If Cumulative TSN Ack is less than the Cumulative TSN Ack Point, then drop the SACK chunk." (section 6.2.1 D i).
	if s.cum.Less(q.cum) {
		a.stats.Drops.StaleSack++
		return
	}
	a.stats.SacksReceived++
	q.reported, q.partial = highest, len(s.gaps) >= 4*manyBlocks || s.cum.Distance(highest) == maxGap
	a.errors = 0
	ack := acked{}
	advanced := s.cum != q.cum
	a.ackUntil(s.cum, &ack)
	told := 0 // TSNs in gap blocks
	for g := s.gaps; len(g) > 0; g = g[4:] {
		end := s.cum + TSN(be16(g[2:]))
		told += 1 + int(be16(g[2:])) - int(be16(g))
		for t := q.acked.nextMissing(s.cum + TSN(be16(g))); !end.Less(t); t = q.acked.nextMissing(t + 1) {
			a.ackGap(t, &ack)
		}
	}
	if t := q.cum + 1; q.acked.has(t) {
		// The peer has taken back what its gap blocks said: with this TSN its cum would be more (section 6.2.1 D iii).
		end := q.acked.nextMissing(t)
		for ; t != end; t++ {
			q.acked.remove(t)
			q.at(t).msg.unacked++
			if m := q.at(t).msg; m.abandoned {
				q.change(q.at(t), t, sentAbandoned)
			} else {
				q.change(q.at(t), t, sentLost)
			}
		}
		a.stats.Reneged++
	}
	if ack.bytes > 0 || advanced {
		a.probed = false
		if int(s.window) >= a.mtu {
			a.rto.backoff = 0 // otherwise probes of the window become rarer
		}
	}
	if ack.spurious > 0 {
		a.rack.onSpurious(ack.spuriousPacket, q.packets)
		a.cwnd.onSpurious(ack.spurious)
		a.stats.Spurious += uint64(ack.spurious)
	}
	if ack.bytes > 0 {
		q.largest = max(q.largest, ack.packet)
		a.path.hole.onAck(ack.large)
		// "new RTT measurements SHOULD be made no more than once per round trip" (section 6.3.1, rule C4), and by Karn's algorithm (C5)
		// only of chunks that were sent once.
		rtt := time.Duration(0)
		if ack.rttPacket > 0 {
			rtt = max(a.now.since(ack.rttAt), 1)
			a.rto.sample(rtt)
			if ack.rttPacket >= a.rttFrom {
				a.rto.measure(rtt)
				a.rttFrom = q.packets
			}
		}
		a.cwnd.onAck(a.now, ack.bytes, ack.packet, q.packets, rtt, &a.rto)
		a.acksSeen = true
	}
	if advanced {
		a.timers.stop(timerT3) // settle starts it again if something is outstanding (section 6.3.2, rules R2 and R3)
		if len(a.forward.skips) > 0 {
			a.forgetSkips()
		}
	}
	// A SACK that lacks what another of the same cum acknowledged was overtaken by that one: its window is of when less had arrived.
	if advanced || q.partial || told >= q.acked.n {
		a.openWindow(int(min(s.window, 1<<30)))
	}
	a.sackSeen = true
}

// openWindow takes what a SACK says of the peer's receive window.
func (a *Association) openWindow(n int) {
	opened := a.peerWindow < a.mtu && n >= a.mtu
	a.peerWindow = n
	if opened {
		a.rto.backoff = 0
		// What was sent into the closed window a while ago was dropped there; no timer has to find that out.
		a.loseAll(a.now - instant(a.rack.delay(&a.rto)))
	}
}

// manyBlocks is how many gap blocks a SACK must have before it may lack some: peers bound them (dcsctp to 100), or a packet does.
const manyBlocks = 64

// maxGap is how far after the cumulative TSN a gap block may reach.
const maxGap = 1<<16 - 1

// acked sums up what a SACK newly acknowledged.
type acked struct {
	bytes     int    // in flight until now
	packet    uint64 // the largest number of a packet that carried some of it
	large     uint64 // the same among those that were larger than the base
	rttPacket uint64 // the same among those that were sent once
	rttAt     instant

	spurious       int    // chunks that were taken for lost, and had arrived
	spuriousPacket uint64 // that carried the last of them
}

func (a *Association) noteAcked(c *sentChunk, k *acked) {
	if c.state == sentLost || c.state == sentInFlight && c.rtx > 0 && a.now.since(c.sentAt) < a.rto.shortest {
		k.spurious++
		k.spuriousPacket = max(k.spuriousPacket, c.packet)
	}
	if c.state != sentInFlight {
		return
	}
	if c.packet < a.sent.largest && c.rtx == 0 && !a.sent.partial {
		a.rack.seen = true
	}
	k.bytes += a.sent.size(c)
	k.packet = max(k.packet, c.packet)
	if c.large {
		k.large = max(k.large, c.packet)
	}
	if c.rtx == 0 && c.packet > k.rttPacket {
		k.rttPacket, k.rttAt = c.packet, c.sentAt
	}
}

// ackUntil moves the cumulative TSN ack point to cum.
func (a *Association) ackUntil(cum TSN, ack *acked) {
	q := &a.sent
	for t := q.cum + 1; t != cum+1; t++ {
		c := q.at(t)
		m := c.msg
		if c.state != sentAcked {
			m.unacked--
			a.noteAcked(c, ack)
			q.leave(t, sentAcked)
		}
		c.msg = nil
		q.cum = t
		if m.held--; m.held == 0 && m.allSent() {
			a.forget(a.out.get(m.stream), m)
		}
	}
	q.acked.advance(cum)
	if a.forward.point.Less(cum) {
		a.forward.point = cum
	}
	if a.forward.scanned.Less(cum) {
		a.forward.scanned = cum
	}
	if q.lostFrom.Less(cum + 1) {
		q.lostFrom = cum + 1
	}
}

// ackGap notes that a gap block newly acknowledged t.
func (a *Association) ackGap(t TSN, ack *acked) {
	q := &a.sent
	c := q.at(t)
	a.noteAcked(c, ack)
	q.leave(t, sentAcked)
	q.acked.add(t)
	c.msg.unacked--
}

// HandleBurstEnd ends what was received together: what is done once for all of it is done now.
func (a *Association) HandleBurstEnd(now time.Time) {
	a.enter(now)
	if a.sackSeen {
		a.sackSeen = false
		if a.acksSeen {
			a.acksSeen = false
			a.detectLosses()
		}
		a.settle()
		a.armProbe()
		a.maybeProbePath()
	}
	a.sackBurst()
}
