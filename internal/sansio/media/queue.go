package media

// queued is a packet that waits to be sent: the place in its sender's history.
type queued struct {
	s     *sender
	seq   uint64
	class uint8
	rtx   bool
}

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
		ring := make([]queued, max(8, 2*len(q.ring)))
		for i := range q.n {
			ring[i] = q.ring[(q.head+i)&(len(q.ring)-1)]
		}
		q.ring, q.head = ring, 0
	}
	q.ring[(q.head+q.n)&(len(q.ring)-1)] = p
	q.n++
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
