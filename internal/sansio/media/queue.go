package media

import "time"

// queued is a packet that waits to be sent: the place in its sender's history.
type queued struct {
	s     *sender
	seq   uint64
	class uint8
	rtx   bool
}

// packet is what is queued; nil: it had to make room, or has left.
func (q *queued) packet() *packet {
	if p := q.s.history.find(q.seq); p != nil && (q.rtx || p.sent == 0) {
		return p
	}
	return nil
}

// maxWait is how long a packet may wait. What comes later helps nobody: when there was no way for it, its place is for what is new.
const maxWait = 2 * time.Second

// Classes of packets, the most urgent first.
const (
	classAudio uint8 = iota // is small, and late audio is heard
	classRepair
	classVideo
	numClasses
)

func priority(k Kind) uint8 {
	if k == Audio {
		return classAudio
	}
	return classVideo
}

// fifo is a ring of queued packets.
type fifo struct {
	ring    []queued // len is a power of two
	head, n int
}

func (q *fifo) push(p queued) {
	if q.n == len(q.ring) {
		q.makeRoom()
	}
	q.ring[(q.head+q.n)&(len(q.ring)-1)] = p
	q.n++
}

// makeRoom takes out what has lost its place in the history, so that there is never much more here than there, and makes the ring larger when
// that is not enough.
func (q *fifo) makeRoom() {
	for range q.n {
		p := q.front()
		q.pop()
		if p.packet() != nil {
			q.ring[(q.head+q.n)&(len(q.ring)-1)] = p
			q.n++
		}
	}
	if q.n > len(q.ring)/2 || q.n == 0 {
		ring := make([]queued, max(8, 2*len(q.ring)))
		for i := range q.n {
			ring[i] = q.ring[(q.head+i)&(len(q.ring)-1)]
		}
		q.ring, q.head = ring, 0
	}
}

func (q *fifo) front() queued { return q.ring[q.head] }

func (q *fifo) pop() {
	q.ring[q.head] = queued{}
	q.head = (q.head + 1) & (len(q.ring) - 1)
	q.n--
}

// remove takes out what is of s.
func (q *fifo) remove(s *sender) {
	for range q.n {
		p := q.front()
		q.pop()
		if p.s != s {
			q.push(p)
		}
	}
}
