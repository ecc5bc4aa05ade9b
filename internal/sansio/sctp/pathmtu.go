package sctp

import (
	"encoding/binary"
	"time"
)

// pathMTU finds out how large packets may be: RFC 8899 over SCTP's own probes (section 6.2). Config.MTU is its BASE_PLPMTU, which needs no
// confirmation, and Config.LargerMTUs are tried from the smallest on. A larger packet bundles more chunks: none is larger than the base
// carries, so that all can be sent again when the path has become narrower and nothing depends on IP fragmentation.
type pathMTU struct {
	sizes []int // larger than the base, ascending
	size  int   // the largest packet that is sent
	found int   // sizes[:found] are known to pass

	tries int       // probes of sizes[found]; maxPathProbes: the search is over
	nonce uint64    // of the probe on its way; 0: there is none
	due   bool      // a probe is to be sent
	from  uint64    // the search waits until something of this packet or a later one was acknowledged
	falls int       // since the search was last over
	wait  bool      // timerPathMTU ends a pause, and not a probe
	hole  blackHole // what was lost of larger packets
}

// blackHole counts packets larger than the base that were lost after the last of them that is known to have arrived. Congestion loses large
// packets between others that arrive; a path that has become narrower loses all of them.
type blackHole struct {
	arrived uint64 // number of the last that did
	lost    uint64 // number of the last that was counted
	n       int
}

const (
	// maxPathProbes is MAX_PROBES, and pathProbeTimeout PROBE_TIMER, which "MUST NOT be smaller than 1 second" (RFC 8899 section 5.1.1).
	maxPathProbes    = 3
	pathProbeTimeout = time.Second
	// pathRaiseTime is PMTU_RAISE_TIMER: when a search that is over begins again.
	pathRaiseTime = 600 * time.Second
	// blackHoleLosses is how many large packets in a row must be lost.
	blackHoleLosses = 3
)

func newPathMTU(mtu int, larger []int) pathMTU {
	p := pathMTU{size: mtu, from: 1, sizes: make([]int, len(larger))}
	for i, n := range larger {
		p.sizes[i] = n &^ 3
	}
	return p
}

// MaxPacket is the size of the largest packet that AppendPacket may give next.
func (a *Association) MaxPacket() int {
	if a.ProbeDue() {
		return a.path.sizes[a.path.found]
	}
	return a.path.size
}

// ProbeDue tells that the next packet is larger than the path is known to carry. It should leave by a send call of its own, which may fail.
func (a *Association) ProbeDue() bool { return a.path.due && len(a.direct) == 0 && !a.ended }

// PathChanged tells that packets go another way from now on. What was found out about the path no longer holds.
func (a *Association) PathChanged(now time.Time) {
	a.enter(now)
	a.rto.shortest, a.rack = 0, rack{}
	p := &a.path
	if a.ended || len(p.sizes) == 0 {
		return
	}
	a.toBase()
	p.falls = 0
}

// toBase goes back to packets of the base, and begins the search again when they are seen to arrive.
func (a *Association) toBase() {
	p := &a.path
	*p = pathMTU{sizes: p.sizes, size: a.mtu, from: a.sent.packets, falls: p.falls, hole: blackHole{arrived: a.sent.packets - 1}}
	a.cwnd.mtu = a.mtu - headerSize
	a.timers.stop(timerPathMTU)
}

// maybeProbePath has a probe sent when there is data that the larger packets would be filled with, one at a time.
func (a *Association) maybeProbePath() {
	p := &a.path
	if p.found == len(p.sizes) || p.due || p.nonce != 0 || p.wait || p.tries == maxPathProbes || a.state != StateEstablished ||
		a.sent.largest < p.from || a.sent.lost > 0 {
		return
	}
	p.due = a.sched.buffered+a.sent.flight >= p.sizes[p.found]
}

// appendPathProbe appends a whole packet: "a HEARTBEAT chunk" and "a PAD chunk" (RFC 8899 section 6.2.1.2, RFC 4820), which a peer that does
// not know it skips. The probe carries no data, so its loss says nothing about congestion.
func (a *Association) appendPathProbe(dst []byte, start int) []byte {
	const info = chunkHeader + 4 + 8
	p := &a.path
	p.due = false
	p.tries++
	a.heartbeat.nonce++
	p.nonce = a.heartbeat.nonce
	a.timers.set(timerPathMTU, a.now.add(max(pathProbeTimeout, a.rto.current())))
	a.stats.PathProbes++
	dst = appendHeader(dst, a.cfg.LocalPort, a.cfg.RemotePort, a.peerTag)
	dst = put16(put16(dst, chunkHead(chunkHeartbeat, 0)), info)
	dst = put16(put16(dst, paramHeartbeatInfo), info-chunkHeader)
	dst = binary.BigEndian.AppendUint64(dst, p.nonce)
	n := p.sizes[p.found] - (len(dst) - start)
	dst = put16(put16(dst, chunkHead(chunkPad, 0)), uint16(n))
	return append(dst, make([]byte, n-chunkHeader)...)
}

// handlePathProbeAck says whether nonce is that of the probe. The path carries its size.
func (a *Association) handlePathProbeAck(nonce uint64) bool {
	p := &a.path
	if p.nonce == 0 || nonce != p.nonce {
		return false
	}
	p.size, p.nonce, p.tries = p.sizes[p.found], 0, 0
	p.found++
	a.cwnd.mtu = p.size - headerSize
	a.timers.stop(timerPathMTU)
	if p.found == len(p.sizes) {
		p.falls = 0
	}
	a.maybeProbePath()
	return true
}

// pathTimeout ends a probe that was not answered, or a pause.
func (a *Association) pathTimeout() {
	p := &a.path
	switch {
	case p.wait:
		p.wait, p.tries = false, 0
	case p.tries == maxPathProbes:
		p.nonce, p.wait, p.falls = 0, true, 0
		a.timers.set(timerPathMTU, a.now.add(pathRaiseTime))
	default:
		p.nonce = 0
	}
	a.maybeProbePath()
}

// note counts the loss of a packet that was larger than the base.
func (h *blackHole) note(packet uint64) {
	if packet > h.arrived && packet != h.lost {
		h.lost = packet
		h.n++
	}
}

func (h *blackHole) onAck(packet uint64) {
	if packet > h.arrived {
		h.arrived, h.n = packet, 0
	}
}

// checkBlackHole goes back to the base when enough large packets in a row were lost. The search waits before it begins again, each time
// longer: a path on which probes pass and full packets do not shall not be tried over and over.
func (a *Association) checkBlackHole(enough int) {
	p := &a.path
	if p.size == a.mtu || p.hole.n < enough {
		return
	}
	a.stats.BlackHoles++
	a.toBase()
	p.wait = true
	a.timers.set(timerPathMTU, a.now.add(min(pathProbeTimeout<<min(p.falls, 10), pathRaiseTime)))
	p.falls++
}
