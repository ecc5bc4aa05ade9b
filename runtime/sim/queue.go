package sim

import "net/netip"

// event is something that is due at an instant of the simulation.
type event struct {
	at  int64  // nanoseconds since the start
	seq uint64 // events of one instant are run in the order in which they were put into the queue
	pos int    // place in the queue plus one; 0: not queued

	// Exactly one of these says what is due.
	loop    *place    // its Turn, or its Released
	asleep  *sleeper  // its Sleep is over
	actor   func()    // started as a coroutine
	call    func()    // called on the simulation's goroutine
	arrival *datagram // reaches the last hop
}

// datagram is one in flight.
type datagram struct {
	event
	src, dst netip.AddrPort // as seen on the network of node
	node     node
	data     []byte
}

// queue is a heap of events, four ways wide: shallower than a binary one, and each level's children share cache lines.
type queue struct {
	heap []*event
	seq  uint64
}

func (q *queue) first() *event {
	if len(q.heap) == 0 {
		return nil
	}
	return q.heap[0]
}

// set queues e at the given time, after everything that is queued for the same time. e may be queued already.
func (q *queue) set(e *event, at int64) {
	q.seq++
	e.at, e.seq = at, q.seq
	if e.pos == 0 {
		q.heap = append(q.heap, e)
		e.pos = len(q.heap)
	}
	q.down(e, q.up(e))
}

// remove takes e out of the queue, if it is there.
func (q *queue) remove(e *event) {
	if e.pos == 0 {
		return
	}
	i, n := e.pos-1, len(q.heap)-1
	last := q.heap[n]
	q.heap[n] = nil
	q.heap = q.heap[:n]
	e.pos = 0
	if last != e {
		q.heap[i] = last
		last.pos = i + 1
		q.down(last, q.up(last))
	}
}

func (e *event) before(f *event) bool { return e.at < f.at || e.at == f.at && e.seq < f.seq }

// up moves e towards the front and returns its index.
func (q *queue) up(e *event) int {
	i := e.pos - 1
	for i > 0 {
		parent := (i - 1) / 4
		p := q.heap[parent]
		if !e.before(p) {
			break
		}
		q.heap[i], p.pos = p, i+1
		i = parent
	}
	q.heap[i], e.pos = e, i+1
	return i
}

func (q *queue) down(e *event, i int) {
	for {
		best, at := e, i
		for c := 4*i + 1; c <= 4*i+4 && c < len(q.heap); c++ {
			if q.heap[c].before(best) {
				best, at = q.heap[c], c
			}
		}
		if at == i {
			break
		}
		q.heap[i], best.pos = best, i+1
		i = at
	}
	q.heap[i], e.pos = e, i+1
}
