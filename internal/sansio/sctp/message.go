package sctp

// message is what Send took, until nothing of it can be needed again.
type message struct {
	data     []byte
	own      []byte   // what stays with the memory of the message, for SendCopy
	next     *message // in its stream's queue, or among the free
	deadline instant  // of its lifetime; 0: none
	maxRtx   int32    // retransmissions of each chunk; negative: no limit
	ppid     PPID
	last     TSN    // of its latest chunk, once there is one; chunks know the one before
	sent     uint32 // bytes that were given to chunks
	chunks   uint32 // TSNs that it was given
	unacked  uint32 // chunks that neither the cumulative TSN nor a gap block acknowledged
	held     uint32 // chunks after the cumulative TSN
	stream   StreamID
	mid      uint32 // its number in the order of its stream; SSN is the lower half

	unordered, abandoned bool
	recycle              bool // data goes to Config.Recycle
	begun                bool // it counts in schedule.begun
}

func (m *message) limited() bool { return m.maxRtx >= 0 || m.deadline != 0 }

func (m *message) expired(now instant) bool { return m.deadline != 0 && m.deadline <= now }

func (m *message) allSent() bool { return int(m.sent) == len(m.data) }

// messagePool keeps messages for reuse.
type messagePool struct {
	free *message
	n    int
	slab int // how many were made together last
}

const (
	poolSlab = 32   // how many are made together, at most: a connection may have few
	poolKeep = 1024 // what stays when little is sent
	maxOwn   = 256  // what stays with each, at most
)

func (p *messagePool) get() *message {
	if p.free == nil {
		p.slab = min(2*p.slab+1, poolSlab)
		slab := make([]message, p.slab)
		for i := range slab {
			p.put(&slab[i])
		}
	}
	m := p.free
	p.free = m.next
	p.n--
	m.next = nil
	return m
}

func (p *messagePool) put(m *message) {
	*m = message{own: m.own, next: p.free}
	p.free = m
	p.n++
}

func (p *messagePool) trim() {
	if p.n > poolKeep {
		*p = messagePool{}
	}
}
