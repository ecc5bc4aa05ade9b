package sctp

import "time"

// sackDelay is how long a SACK waits for data to ride on. RFC 9260 section 6.2 allows 200 ms; so much shorter, it adds little to the round
// trips that the peer measures, and still leaves an application the time to answer.
const sackDelay = 20 * time.Millisecond

// maxDups bounds the duplicate TSNs that one SACK reports.
const maxDups = 16

// sack decides when the peer hears what has arrived: at most once for each burst.
type sack struct {
	due     bool // with the next packet
	soon    bool // at the end of this burst: something is missing, came twice, or asked for it
	waiting int  // packets with DATA since the last
	window  int  // what the last one advertised
	dups    []TSN
}

// sackBurst decides at the end of a burst. "an acknowledgement SHOULD be generated for at least every second packet (not every second DATA
// chunk) received and SHOULD be generated within 200 ms" (section 6.2).
func (a *Association) sackBurst() {
	s := &a.sack
	switch {
	case s.soon || s.waiting >= 2:
		s.due = true
	case s.waiting == 1 && !s.due && !a.timers.running(timerSack):
		a.timers.set(timerSack, a.now.add(sackDelay))
	}
}

// appendSack appends a SACK of at most room bytes.
func (a *Association) appendSack(dst []byte, room int) []byte {
	s := &a.sack
	set := &a.received
	s.window = a.window()
	at := len(dst)
	dst = put16(dst, chunkHead(chunkSack, 0))
	dst = put16(dst, 0)
	dst = put32(dst, uint32(set.base))
	dst = put32(dst, uint32(s.window))
	dst = put32(dst, 0)
	dups := s.dups[:min(len(s.dups), max(0, (room-sackHeader)/8))]
	gaps := 0
	if set.n > 0 {
		left := (room - sackHeader - 4*len(dups)) / 4
		for t := set.nextMember(set.base + 1); gaps < left && !set.high.Less(t); {
			end := set.nextMissing(t)
			if set.base.Distance(t) > maxGap {
				break
			}
			dst = put16(dst, uint16(t-set.base))
			dst = put16(dst, uint16(min(set.base.Distance(end)-1, maxGap)))
			gaps++
			t = set.nextMember(end)
		}
	}
	for _, t := range dups {
		dst = put32(dst, uint32(t))
	}
	n := len(dst) - at
	dst[at+2], dst[at+3] = byte(n>>8), byte(n)
	dst[at+12], dst[at+13] = byte(gaps>>8), byte(gaps)
	dst[at+14], dst[at+15] = byte(len(dups)>>8), byte(len(dups))
	s.due, s.soon, s.waiting, s.dups = false, false, 0, s.dups[:0]
	a.timers.stop(timerSack)
	a.stats.SacksSent++
	return dst
}
