package sctp

import "time"

// rack is what is known of reordering on the path: RFC 8985 section 6.2. Until some is seen, packetThreshold packets that overtake a chunk
// tell that it is lost; from then on only time does, and the more of it the more often that was wrong.
//
// RFC 8985 learns that it was wrong from DSACKs. Here it is seen a round trip earlier, without asking the peer: a chunk that is acknowledged
// before it was sent again, or sooner after that than any round trip took, had arrived.
type rack struct {
	seen   bool
	factor int    // of the reordering window: reo_wnd_mult - 1
	events int    // congestion events until factor is forgotten: reo_wnd_persist
	round  uint64 // factor grows once for all packets before this
}

// reorderEvents is how many congestion events a wider window lasts: RFC 8985 section 6.2, step 4.
const reorderEvents = 16

// packetThreshold is how many packets that were sent later must have arrived before a chunk is taken for lost. It is the "three missing
// reports" of RFC 9260 section 7.2.4, counted in packets and not in SACKs, of which there is one for a whole burst (RFC 9002 section 6.1.1).
const packetThreshold = 3

// overtaken says whether a chunk sent in packet is lost because of what was sent up to the packet largest, and has arrived.
func (k *rack) overtaken(packet, largest uint64) bool {
	return !k.seen && packet+packetThreshold <= largest
}

// delay is how long after it was sent a chunk is taken for lost, if something sent later has arrived: a round trip and the reordering window,
// "RACK.reo_wnd_mult * RACK.min_RTT / 4, and […] bounded by SRTT".
func (k *rack) delay(r *rto) time.Duration {
	window := min(time.Duration(1+k.factor)*r.shortest/4, r.srtt)
	return max(r.srtt, r.latest) + max(window, time.Millisecond)
}

// onSpurious is told that a chunk of packet was taken for lost and had arrived, when next is the number of the next packet to be sent.
func (k *rack) onSpurious(packet, next uint64) {
	k.seen = true
	k.events = reorderEvents
	if packet >= k.round {
		k.round = next
		k.factor++
	}
}

func (k *rack) onEvent() {
	if k.events--; k.events <= 0 {
		k.factor = 0
	}
}
