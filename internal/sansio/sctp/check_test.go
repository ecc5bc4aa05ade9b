package sctp

import "fmt"

// check walks the whole machine, compares every counter with what it counts, and panics when one is wrong.
func (a *Association) check() {
	ensure := func(ok bool, format string, args ...any) {
		if !ok {
			panic("BUG: " + fmt.Sprintf(format, args...))
		}
	}
	q := &a.sent
	ensure(q.cum.Less(q.next), "cum %d, next %d", q.cum, q.next)
	ensure(q.len() <= len(q.ring) || q.len() == 0, "%d outstanding in a ring of %d", q.len(), len(q.ring))
	ensure(q.acked.base == q.cum, "acked base %d, cum %d", q.acked.base, q.cum)
	var inFlight, flight, charged, lost int
	unacked, held := map[*message]uint32{}, map[*message]uint32{}
	for t := q.cum + 1; t != q.next; t++ {
		c := q.at(t)
		ensure(c.msg != nil, "chunk %d has no message", t)
		held[c.msg]++
		ensure((c.state == sentAcked) == q.acked.has(t), "chunk %d: state %d, acked %v", t, c.state, q.acked.has(t))
		ensure(c.msg.last == t || !c.msg.last.Less(t), "chunk %d is after the last of its message", t)
		ensure(a.interleaving || c.index == 0 || c.before == t-1, "chunk %d does not follow its message", t)
		ensure(!c.msg.abandoned || c.state == sentAcked || c.state == sentAbandoned, "chunk %d of an abandoned message: %d", t, c.state)
		switch c.state {
		case sentInFlight:
			inFlight++
			flight += q.size(c)
			charged += c.charge()
		case sentLost:
			lost++
			ensure(!t.Less(q.lostFrom), "lost %d before %d", t, q.lostFrom)
		}
		if c.state != sentAcked {
			unacked[c.msg]++
		}
	}
	ensure(inFlight == q.inFlight && flight == q.flight && charged == q.charged && lost == q.lost,
		"in flight %d/%d, bytes %d/%d, charged %d/%d, lost %d/%d", inFlight, q.inFlight, flight, q.flight, charged, q.charged, lost, q.lost)
	if inFlight > 0 {
		n, packet := 1, q.at(q.head).packet
		for t := q.head; t != q.tail; n++ {
			u := q.at(t).next
			ensure(q.at(u).prev == t, "list: %d, %d", t, u)
			ensure(q.at(u).packet >= packet, "list is out of order at %d", u)
			t, packet = u, q.at(u).packet
		}
		ensure(n == inFlight, "list of %d, in flight %d", n, inFlight)
	}
	for m, n := range held {
		ensure(m.held == n && m.unacked == unacked[m], "message: held %d/%d, unacked %d/%d", n, m.held, unacked[m], m.unacked)
	}
	f := &a.forward
	ensure(!f.point.Less(q.cum) && !f.scanned.Less(f.point) && f.scanned.Less(q.next), "cum %d point %d scanned %d next %d", q.cum, f.point, f.scanned, q.next)
	for t := q.cum + 1; t != f.scanned+1; t++ {
		ensure(q.at(t).state != sentInFlight && q.at(t).state != sentLost || q.at(t).msg.limited(), "%d was passed", t)
	}

	pending := map[StreamID]int32{}
	for m := range held {
		pending[m.stream]++
	}
	buffered := 0
	scheduled := map[*outStream]bool{}
	begun := 0
	for m := range held {
		if m.begun {
			begun += len(m.data)
		}
	}
	for st := a.sched.waiting.head; st != nil; st = st.next {
		ensure(a.sched.begun > 0 && st.head.sent == 0, "stream %d waits for nothing", st.id)
		scheduled[st] = true
	}
	for st := a.sched.head; st != nil; st = st.next {
		ensure(!scheduled[st], "stream %d is scheduled twice", st.id)
		scheduled[st] = true
		ensure(st.next != nil || st == a.sched.tail, "schedule tail")
		ensure(st.next == nil || st.next.prev == st, "schedule list")
	}
	skipping := 0
	a.out.each(func(id StreamID, st *outStream) {
		n := 0
		for m := st.head; m != nil; m = m.next {
			n += len(m.data) - int(m.sent)
			if m.begun && held[m] == 0 {
				begun += len(m.data)
			}
			ensure(m.stream == id && !m.allSent() && !m.abandoned, "message in queue of %d", id)
			ensure(m.sent == 0 || (a.interleaving || a.sched.head == st) && st.head == m, "message was begun out of turn")
			if held[m] == 0 {
				pending[id]++
			}
			ensure(m.next != nil || m == st.tail, "tail of %d", id)
		}
		ensure(n == st.buffered, "stream %d buffers %d/%d", id, n, st.buffered)
		ensure(pending[id] == st.pending, "stream %d pending %d/%d", id, pending[id], st.pending)
		ensure(st.scheduled == (st.head != nil) && st.scheduled == scheduled[st], "stream %d scheduled %v", id, st.scheduled)
		buffered += n
		for i, at := range st.skip {
			if at > 0 {
				skipping++
				ensure(f.skips[at-1].stream == id && index(f.skips[at-1].unordered) == i, "skip of %d", id)
			}
		}
	})
	ensure(begun == a.sched.begun, "begun %d/%d", begun, a.sched.begun)
	ensure(buffered == a.sched.buffered, "buffered %d/%d", buffered, a.sched.buffered)
	ensure(skipping == len(f.skips), "skips %d/%d", skipping, len(f.skips))

	set, n := &a.received, 0
	for t := set.base + 1; !set.high.Less(t) && set.n > 0; t++ {
		if set.has(t) {
			n++
		}
	}
	ensure(n == set.n, "received %d/%d", n, set.n)
	ensure(set.n == 0 || set.has(set.high), "highest %d is missing", set.high)
	ensure(!set.has(set.base+1), "cum %d lags", set.base)
	ensure(set.base.Distance(set.high) <= a.maxAhead, "received too far ahead")
	ensure(a.recv.limit <= a.cfg.ReceiveBuffer && a.recv.limit >= a.cfg.initialWindow(), "a window of %d", a.recv.limit)
	ensure(!a.recv.due || a.recv.nonce != 0, "a HEARTBEAT without a number")
	r := &a.asm
	charge := r.delivered
	if len(r.partial) > 0 {
		charge += len(r.partial) + messageOverhead
	}
	for t, f := range r.fragments {
		charge += len(f.payload) + messageOverhead
		ensure(f.tsn == t && set.has(t), "fragment %d", t)
	}
	for id, p := range r.parts {
		size := len(p.data)
		for fsn, f := range p.early {
			size += len(f)
			ensure(fsn > p.next, "early fragment %d, next %d", fsn, p.next)
		}
		charge += size + partOverhead + messageOverhead*len(p.early)
		if p.early != nil {
			charge += earlyOverhead
		}
		ensure(size > 0, "an empty part")
		ensure(p.id == id && p.size == size, "part of %d/%d bytes", size, p.size)
	}
	r.streams.each(func(id StreamID, st *inStream) {
		for i, m := range st.held {
			charge += len(m.data) + messageOverhead
			ensure(i == 0 || m.mid-st.next >= st.held[(i-1)/2].mid-st.next, "heap of %d", id)
			ensure(m.mid != st.next, "message %d of %d is not delivered", m.mid, id)
		}
	})
	ensure(charge == r.charged, "charged %d/%d", charge, r.charged)
	ensure(r.charged <= 2*a.heldLimit(), "%d bytes kept", r.charged)
	ensure(len(a.sack.dups) <= maxDups, "%d duplicates", len(a.sack.dups))
	ensure(len(r.spare) <= maxSpare, "%d spare fragments", len(r.spare))

	ev := 0
	for i := range a.events.n {
		if a.events.ring[(a.events.head+i)&(len(a.events.ring)-1)].kind.rare() {
			ev++
		}
	}
	ensure(ev == len(a.events.rare), "rare events %d/%d", ev, len(a.events.rare))
	w := &a.path
	ensure(w.size == a.mtu && w.found == 0 || w.found > 0 && w.size == w.sizes[w.found-1], "%d sizes pass, packets of %d", w.found, w.size)
	ensure(a.cwnd.mtu == w.size-headerSize, "cwnd goes by %d, packets of %d", a.cwnd.mtu, w.size)
	ensure((w.nonce != 0 || w.wait) == a.timers.running(timerPathMTU), "path: probe %v, pause %v", w.nonce != 0, w.wait)
	ensure(!(w.due && w.nonce != 0) && w.tries <= maxPathProbes, "path: %d tries", w.tries)
	// Whoever waits has a deadline.
	if a.open() && (q.inFlight > 0 || q.lost > 0 || q.cum.Less(f.point)) {
		ensure(a.timers.running(timerT3) || a.sackSeen, "no T3 for %d in flight, %d lost", q.inFlight, q.lost)
	}
	if len(a.reset.asked) > 0 && a.state == StateEstablished {
		ensure(a.reset.send || a.timers.running(timerReconfig), "no timer for a reset")
	}
	if a.state == StateCookieWait || a.state == StateCookieEchoed {
		ensure(a.timers.running(timerHandshake), "no timer for the handshake")
	}
}
