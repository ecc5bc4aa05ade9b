package sctp

// sentState is what is known of a chunk that has a TSN and that the cumulative TSN has not reached.
type sentState uint8

const (
	sentInFlight  sentState = iota // on its way, as far as is known
	sentLost                       // to be sent again
	sentAcked                      // by a gap block
	sentAbandoned                  // never to be sent (again)
)

// sentChunk is one chunk after the cumulative TSN.
type sentChunk struct {
	msg        *message
	sentAt     instant
	packet     uint64 // the number of the packet that carried it last
	prev, next TSN    // in the list of those in flight
	before     TSN    // the chunk of the message that this one follows, if it is not the first
	index      uint32 // among the chunks of the message: FSN
	off        uint32 // of its bytes in the message
	n          uint16
	rtx        uint16 // how often it was sent again
	state      sentState
	large      bool // it lay beyond the base of a larger packet
}

// charge is what the chunk takes of the peer's window. Peers count messages with their bookkeeping, as we do, or only bytes.
func (c *sentChunk) charge() int {
	if c.off == 0 {
		return int(c.n) + messageOverhead
	}
	return int(c.n)
}

// sentQueue holds the chunks from the cumulative TSN to the last TSN that was given, in a ring indexed by TSN. Those in flight are also
// in a list, in the order in which they were sent, so that finding what is lost costs what is lost.
type sentQueue struct {
	ring  []sentChunk // len is a power of two
	cum   TSN         // the cumulative TSN ack point
	next  TSN         // the next TSN to be given; Invariant: cum < next
	acked tsnSet      // by gap blocks; its base is cum

	head, tail TSN // of the list, while inFlight > 0
	inFlight   int // chunks
	flight     int // their sizes
	charged    int // their charges

	quiet TSN // next when nothing was outstanding last

	lost     int // chunks
	lostFrom TSN // none before is lost

	header  int    // of a chunk: dataHeader or iDataHeader
	packets uint64 // number of the next packet, from 1
	largest uint64 // largest number of a packet of which something was acknowledged

	reported TSN  // the last that the latest SACK told of
	partial  bool // it had so many gap blocks that it may have told of no more for want of room
}

func (q *sentQueue) reset(initial TSN) {
	q.cum, q.next, q.quiet, q.lostFrom, q.packets = initial-1, initial, initial, initial, 1
	q.acked.reset(q.cum)
}

// size is what a chunk takes in a packet, and of the congestion window.
func (q *sentQueue) size(c *sentChunk) int { return q.header + padded(int(c.n)) }

func (q *sentQueue) at(t TSN) *sentChunk { return &q.ring[int(t)&(len(q.ring)-1)] }

// len is how many TSNs are outstanding in any state.
func (q *sentQueue) len() int { return int(q.next - q.cum - 1) }

// add gives the next TSN to n bytes of m from off on.
func (q *sentQueue) add(m *message, off, n int, state sentState) TSN {
	if q.len() == len(q.ring) {
		old := *q
		q.ring = make([]sentChunk, max(16, 2*len(q.ring)))
		for t := old.cum + 1; t != old.next; t++ {
			*q.at(t) = *old.at(t)
		}
	}
	t := q.next
	q.next++
	*q.at(t) = sentChunk{msg: m, off: uint32(off), n: uint16(n), state: state, before: m.last, index: m.chunks}
	m.last = t
	m.chunks++
	m.held++
	m.unacked++
	m.sent += uint32(n)
	return t
}

// launch puts t, sent in the packet that is being built, at the end of the list.
func (q *sentQueue) launch(t TSN, now instant, large bool) {
	c := q.at(t)
	c.state, c.sentAt, c.packet, c.large = sentInFlight, now, q.packets, large
	if q.inFlight == 0 {
		q.head = t
	} else {
		q.at(q.tail).next = t
		c.prev = q.tail
	}
	q.tail = t
	q.inFlight++
	q.flight += q.size(c)
	q.charged += c.charge()
}

// land takes t out of the list and gives it its new state.
func (q *sentQueue) land(t TSN, state sentState) {
	c := q.at(t)
	if t == q.head {
		q.head = c.next
	} else {
		q.at(c.prev).next = c.next
	}
	if t == q.tail {
		q.tail = c.prev
	} else {
		q.at(c.next).prev = c.prev
	}
	q.inFlight--
	q.flight -= q.size(c)
	q.charged -= c.charge()
	q.change(c, t, state)
}

func (q *sentQueue) change(c *sentChunk, t TSN, state sentState) {
	if c.state == sentLost {
		q.lost--
	}
	c.state = state
	if state == sentLost {
		if q.lost == 0 || t.Less(q.lostFrom) {
			q.lostFrom = t
		}
		q.lost++
	}
}

// leave is land for a chunk in any state.
func (q *sentQueue) leave(t TSN, state sentState) {
	if c := q.at(t); c.state == sentInFlight {
		q.land(t, state)
	} else {
		q.change(c, t, state)
	}
}

// firstLost is the first of the lost; there is one.
func (q *sentQueue) firstLost() TSN {
	for q.at(q.lostFrom).state != sentLost {
		q.lostFrom++
	}
	return q.lostFrom
}

// little is how many chunks may be sent between two moments without any outstanding, when what a lot of them has needed is given back. A sender that
// only pauses would make it again each time.
const little = 256

// lull is called when nothing is outstanding, and says whether little was since that was so last.
func (q *sentQueue) lull() bool {
	n := q.quiet.Distance(q.next)
	q.quiet = q.next
	return n > 0 && n <= little
}

// trim gives memory back when nothing is outstanding.
func (q *sentQueue) trim() {
	if len(q.ring) > 1024 {
		q.ring = nil
	}
	if len(q.acked.bits) > 64 {
		q.acked.bits = nil
	}
}
