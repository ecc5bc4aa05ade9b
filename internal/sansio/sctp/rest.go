package sctp

// Rest gives back the memory that is kept only to be used again. It is called when nothing was sent or received for a while, and changes
// nothing else: what is needed later is made again.
func (a *Association) Rest() {
	q := &a.sent
	if q.len() == 0 {
		q.ring = nil
	}
	q.acked.rest()
	a.received.rest()
	a.pool = messagePool{} // those in use come back to it
	if a.events.n == 0 {
		a.events = eventQueue{}
	}
	a.asm.rest()
}

func (s *tsnSet) rest() {
	if s.n == 0 && s.high == s.base {
		s.bits = nil
	}
}

func (r *reassembly) rest() {
	r.spare, r.unused, r.hint = nil, nil, 0
	if len(r.parts) == 0 {
		r.parts = nil
	}
	if len(r.fragments) == 0 {
		r.fragments = nil
	}
}
