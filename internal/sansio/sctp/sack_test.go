package sctp

import "testing"

// RFC 9260 section 6.2: "an acknowledgement SHOULD be generated for at least every second packet (not every second DATA chunk) received". One alone is
// acknowledged after sackDelay; what says that it is urgent, or shows that something is missing, at once.
func TestEverySecondPacketIsAcknowledged(t *testing.T) {
	p, w := connected(t)
	a := p.end[0]
	w.deliver(chunkData, flagB|flagE, dataBody(a.received.base+1, 0, 0, "first"))
	p.run(sackDelay)
	ssn := uint16(0)
	sacks := func(flags byte, ahead TSN) (n int) {
		ssn++
		for _, c := range w.deliver(chunkData, flagB|flagE|flags, dataBody(a.received.base+1+ahead, 0, ssn, "more")) {
			if c.typ == chunkSack {
				n++
			}
		}
		return n
	}
	for i := range 6 {
		if n := sacks(0, 0); n != i%2 {
			t.Errorf("%d SACKs after packet %d", n, i)
		}
	}
	if n := sacks(0, 0); n > 0 {
		t.Errorf("%d SACKs for one packet", n)
	}
	w.pass(sackDelay / 2)
	a.HandleBurstEnd(p.now) // of what is no data
	if chunks := w.pass(sackDelay/2 - 1); len(chunks) > 0 {
		t.Errorf("too early: %v", chunks)
	}
	if chunks := w.pass(1); len(chunks) != 1 || chunks[0].typ != chunkSack {
		t.Errorf("after the delay: %v", chunks)
	}
	if n := sacks(flagI, 0); n != 1 {
		t.Errorf("%d SACKs for what is urgent", n)
	}
	if n := sacks(0, 1); n != 1 {
		t.Errorf("%d SACKs for what comes too early", n)
	}
}
