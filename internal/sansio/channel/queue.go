package channel

// queue is a first-in first-out ring that keeps its storage.
type queue[T any] struct {
	ring []T // len is zero or a power of two
	head int
	n    int
}

func (q *queue[T]) len() int { return q.n }

// at gives the i-th oldest entry.
func (q *queue[T]) at(i int) *T { return &q.ring[(q.head+i)&(len(q.ring)-1)] }

func (q *queue[T]) push(v T) {
	if q.n == len(q.ring) {
		grown := make([]T, max(2, 2*len(q.ring)))
		for i := range q.n {
			grown[i] = *q.at(i)
		}
		q.ring, q.head = grown, 0
	}
	q.n++
	*q.at(q.n - 1) = v
}

func (q *queue[T]) pop() (v T, ok bool) {
	if q.n == 0 {
		return v, false
	}
	first := q.at(0)
	v, *first = *first, v // the ring must not keep a message alive
	q.head = (q.head + 1) & (len(q.ring) - 1)
	q.n--
	return v, true
}

// rest gives the storage of an empty queue back.
func (q *queue[T]) rest() {
	if q.n == 0 {
		*q = queue[T]{}
	}
}

// Rest gives back the memory that is kept only to be used again. It is called when nothing was sent or received for a while.
func (m *Machine) Rest() {
	m.sends.rest()
	m.resets.rest()
	m.releases.rest()
	m.events.rest()
	m.credits.rest()
}
