package dtls

import "time"

// Bounds of the retransmission timeout that SetRTT sets. The lower one is what browsers use, far under RFC 6347 section 4.2.4.1's second. That
// of DTLS 1.3, RFC 9147 section 5.8.2, lets those who know the path's round-trip time do so, "for instance, from an ICE [RFC8445] handshake".
const (
	minRTO        = 50 * time.Millisecond
	defaultMaxRTO = 3 * time.Second
)

// steadySends is the number of transmissions of a flight, where the round-trip time is known, before the timeout doubles. RFC 9147 section 5.8.2 would
// have it do so from the first on, and says that "the effect on congestion of shorter timeouts is smaller than in generic protocols": a few datagrams to
// a peer who is there are lost by chance. Linux repeats a SYN as often at one interval (tcp_syn_linear_timeouts).
const steadySends = 4

// smallMTU is what passes any path (RFC 1122 section 3.3.2, less IP and UDP headers), and sendsBeforeSmall the number of transmissions of
// a flight after which it is tried. RFC 6347 section 4.1.1.1: "If repeated retransmissions do not result in a response, and the PMTU is
// unknown, subsequent retransmissions SHOULD back off to a smaller record size".
const (
	smallMTU         = 548
	sendsBeforeSmall = 3
)

// minFragment is the least of a message that is worth a fragment of its own at the end of a datagram.
const minFragment = 32

// maxSent bounds the records of a flight that are remembered for the peer to acknowledge: several transmissions of a chain of certificates. What
// is forgotten is sent again.
const maxSent = 256

// flight is what we said last (RFC 6347 section 4.2.4, RFC 9147 section 5.8): it is sent again until the peer has answered or acknowledged it.
type flight struct {
	items []flightItem
	room  []byte // of the messages that build has made
	// Where PollWrite is: items[item] from offset on. Invariant: item <= len(items), offset < len(items[item].message) or 0, and the byte there
	// is not acknowledged.
	item, offset int
	sends        int       // transmissions begun
	sentAt       time.Time // when the last one began
	again        bool      // it is not the first
	// answers is the last message of the peer's flight that this one answers. When it comes again, the peer has not got this flight.
	answers     uint16
	isAnswer    bool
	wantsAnswer bool // the timer runs
	updatesKeys bool // it is a KeyUpdate of ours
	initialRTO  time.Duration
	maxRTO      time.Duration
	steady      bool // initialRTO is the path's own

	// The bodies of all items behind each other are the flight's bytes. 1.3 acknowledges them by the records that had them.
	size    int
	acked   bitset       // nil when none is acknowledged
	missing int          // Invariant: the number of bytes without one, if acked is not nil
	sent    []sentRecord // in the order in which they were sent, at most maxSent
}

// flightItem is a handshake message, or ChangeCipherSpec when message is nil.
type flightItem struct {
	out     *writeEpoch
	message []byte // as in message.raw
	start   int    // of its body in the flight's bytes
}

// sentRecord is a record of 1.3 and which of the flight's bytes it had.
type sentRecord struct {
	number   recordNumber
	from, to int
}

// begin replaces the flight by an empty one.
func (f *flight) begin(now time.Time) {
	*f = flight{sends: 1, sentAt: now, initialRTO: f.initialRTO, maxRTO: f.maxRTO, steady: f.steady}
}

// What is enough for the longest of our flights with a certificate of P-256.
const (
	flightItems = 6
	flightRoom  = 768
)

// build adds a message, of which body appends what is behind the header, and returns it.
func (f *flight) build(out *writeEpoch, typ uint8, seq uint16, body func(b []byte) []byte) []byte {
	if f.room == nil {
		f.room = make([]byte, 0, flightRoom)
	}
	at := len(f.room)
	f.room = body(append(f.room, make([]byte, messageHeaderLen)...))
	raw := f.room[at:len(f.room):len(f.room)]
	n := len(raw) - messageHeaderLen
	h := messageHeader{typ: typ, length: n, seq: seq, fragmentLength: n}
	h.put(raw)
	f.add(out, raw)
	return raw
}

func (f *flight) add(out *writeEpoch, message []byte) {
	if f.items == nil {
		f.items = make([]flightItem, 0, flightItems)
	}
	f.items = append(f.items, flightItem{out, message, f.size})
	f.size += f.items[len(f.items)-1].length()
}

// pending says whether PollWrite has something to send.
func (f *flight) pending() bool { return f.item < len(f.items) }

// length is that of the item's body.
func (i *flightItem) length() int { return max(0, len(i.message)-messageHeaderLen) }

// run is how many bytes from where PollWrite is on are one piece of a message, and not acknowledged.
func (f *flight) run() int {
	item := &f.items[f.item]
	end := item.start + item.length()
	at := item.start + f.offset
	if f.acked == nil {
		return end - at
	}
	n := 0
	for at+n < end && !f.acked.has(at+n) {
		n++
	}
	return n
}

// advance goes n bytes on, to the next that is to be sent.
func (f *flight) advance(n int) {
	f.offset += n
	if f.offset == f.items[f.item].length() {
		f.item, f.offset = f.item+1, 0
	}
	f.skipAcked()
}

func (f *flight) skipAcked() {
	for f.acked != nil && f.pending() {
		item := &f.items[f.item]
		for f.offset < item.length() && f.acked.has(item.start+f.offset) {
			f.offset++
		}
		if f.offset < item.length() {
			return
		}
		f.item, f.offset = f.item+1, 0
	}
}

// position is where PollWrite is in the flight's bytes.
func (f *flight) position() int {
	if !f.pending() {
		return f.size
	}
	return f.items[f.item].start + f.offset
}

// note remembers which bytes a record has.
func (f *flight) note(n recordNumber, from, to int) {
	if len(f.sent) == maxSent {
		f.sent = append(f.sent[:0], f.sent[maxSent/2:]...)
	}
	f.sent = append(f.sent, sentRecord{n, from, to})
}

// acknowledge takes note that the peer has a record, and says whether that is news.
func (f *flight) acknowledge(n recordNumber) (news bool) {
	for _, s := range f.sent {
		if s.number != n {
			continue
		}
		if f.acked == nil {
			f.acked, f.missing = newBitset(f.size), f.size
			for _, item := range f.items { // who can acknowledge has what was in the clear: it gave the keys
				if item.out.v13 == nil {
					f.mark(item.start, item.start+item.length())
				}
			}
		}
		news = f.mark(s.from, s.to) || news
	}
	f.skipAcked()
	return news
}

// mark notes that bytes are acknowledged, and says whether that is news.
func (f *flight) mark(from, to int) (news bool) {
	n := f.acked.set(from, to)
	f.missing -= n
	return n > 0
}

// isDone says whether all of the flight is acknowledged.
func (f *flight) isDone() bool { return f.acked != nil && f.missing == 0 }

// rewind makes PollWrite send again what is not acknowledged, because nothing came for too long.
func (f *flight) rewind(now time.Time) {
	f.sends++
	f.resume(now)
}

// resume does so because the peer says that it has only some.
func (f *flight) resume(now time.Time) {
	f.item, f.offset = 0, 0
	f.sentAt, f.again = now, true
	f.skipAcked()
}

// rto is the timeout of the current transmission.
func (f *flight) rto() time.Duration {
	d, doublings := f.initialRTO, f.sends-1
	if f.steady {
		doublings = f.sends - steadySends
	}
	for range doublings {
		if d *= 2; d >= f.maxRTO {
			return f.maxRTO
		}
	}
	return min(d, f.maxRTO)
}

// roundTrip is how much of a timeout a round trip takes, or may take if it is not known.
func (f *flight) roundTrip(timeout time.Duration) time.Duration {
	if f.steady {
		return timeout * 2 / 3
	}
	return timeout / 2
}

// deadline is when the flight is sent again, zero for never.
func (f *flight) deadline() time.Time {
	if !f.wantsAnswer {
		return time.Time{}
	}
	return f.sentAt.Add(f.rto())
}

// mayRepeat says whether a message that comes again is a reason to send the flight again now. What comes faster than
// a round trip left before the peer can have had our flight, or is the network's duplicate. As the timeout doubles sooner or later, nobody can make us
// send much by repeating somebody else's message.
func (f *flight) mayRepeat(now time.Time) bool {
	return len(f.items) > 0 && !f.pending() && now.Sub(f.sentAt) >= f.roundTrip(f.rto())
}

// mtu is the size of the datagrams of the current transmission.
func (f *flight) mtu(configured int) int {
	if f.sends > sendsBeforeSmall {
		return min(configured, smallMTU)
	}
	return configured
}
