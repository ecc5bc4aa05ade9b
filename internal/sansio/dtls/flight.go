package dtls

import "time"

// Bounds of the retransmission timeout that SetRTT sets. The lower one is what browsers use, far under RFC 6347 section 4.2.4.1's second. That
// of DTLS 1.3, RFC 9147 section 5.8.2, lets those who know the path's round-trip time do so, "for instance, from an ICE [RFC8445] handshake".
const (
	minRTO        = 50 * time.Millisecond
	defaultMaxRTO = 3 * time.Second
)

// smallMTU is what passes any path (RFC 1122 section 3.3.2, less IP and UDP headers), and sendsBeforeSmall the number of transmissions of
// a flight after which it is tried. RFC 6347 section 4.1.1.1: "If repeated retransmissions do not result in a response, and the PMTU is
// unknown, subsequent retransmissions SHOULD back off to a smaller record size".
const (
	smallMTU         = 548
	sendsBeforeSmall = 3
)

// minFragment is the least of a message that is worth a fragment of its own at the end of a datagram.
const minFragment = 32

// flight is what we said last (RFC 6347 section 4.2.4): it is sent again until the peer has answered.
type flight struct {
	items []flightItem
	// Where PollWrite is: items[item] from offset on. Invariant: item <= len(items), and offset < len(items[item].message) or 0.
	item, offset int
	sends        int       // transmissions begun
	sentAt       time.Time // when the last one began
	// answers is the last message of the peer's flight that this one answers. When it comes again, the peer has not got this flight.
	answers     uint16
	isAnswer    bool
	wantsAnswer bool // the timer runs
	initialRTO  time.Duration
	maxRTO      time.Duration
}

// flightItem is a handshake message, or ChangeCipherSpec when message is nil.
type flightItem struct {
	epoch   uint16
	message []byte // as in message.raw
}

// begin replaces the flight by an empty one.
func (f *flight) begin(now time.Time) {
	*f = flight{sends: 1, sentAt: now, initialRTO: f.initialRTO, maxRTO: f.maxRTO}
}

func (f *flight) add(epoch uint16, message []byte) {
	f.items = append(f.items, flightItem{epoch, message})
}

// pending says whether PollWrite has something to send.
func (f *flight) pending() bool { return f.item < len(f.items) }

// rewind makes PollWrite send the whole flight again.
func (f *flight) rewind(now time.Time) {
	f.item, f.offset = 0, 0
	f.sends++
	f.sentAt = now
}

// rto is the timeout of the current transmission.
func (f *flight) rto() time.Duration {
	d := f.initialRTO
	for range f.sends - 1 {
		if d *= 2; d >= f.maxRTO {
			return f.maxRTO
		}
	}
	return min(d, f.maxRTO)
}

// deadline is when the flight is sent again, zero for never.
func (f *flight) deadline() time.Time {
	if !f.wantsAnswer {
		return time.Time{}
	}
	return f.sentAt.Add(f.rto())
}

// mayRepeat says whether a message that comes again is a reason to send the flight again now. Half the timeout is a round trip if SetRTT
// knows it: what comes faster left before the peer can have had our flight, or is the network's duplicate. As the timeout doubles with each
// transmission, nobody can make us send much by repeating somebody else's message.
func (f *flight) mayRepeat(now time.Time) bool {
	return len(f.items) > 0 && !f.pending() && now.Sub(f.sentAt) >= f.rto()/2
}

// mtu is the size of the datagrams of the current transmission.
func (f *flight) mtu(configured int) int {
	if f.sends > sendsBeforeSmall {
		return min(configured, smallMTU)
	}
	return configured
}
