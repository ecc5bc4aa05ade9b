package dtls

import (
	"fmt"
	"math/bits"
)

// check compares everything that is told in two places. It panics when they disagree. Tests call it after each step.
func (c *Conn) check() {
	must := func(ok bool, format string, args ...any) {
		if !ok {
			panic(fmt.Sprintf("BUG: dtls: "+format, args...))
		}
	}
	c.in.check(must)
	c.early.check(must)
	c.held.check(must)

	f := &c.flight
	f.check(must)
	c.acks.check(must)
	hs := &c.hs
	ended := c.state >= StateClosed
	is13 := hs.is13() && c.opening == nil
	must((c.write != nil) == (hs.secret != nil) || ended, "epochs without secrets, or the reverse")
	must(c.read == nil || c.read.v13 != nil && !hs.complete || len(c.early.records) == 0, "early records beside their keys")
	must(c.dataAt <= len(c.data), "data polled to %d of %d", c.dataAt, len(c.data))
	must(len(c.alerts) <= maxAlerts, "%d alerts wait", len(c.alerts))
	must((c.opening == nil) == (c.read != nil || ended), "openings %v where %d is due", c.opening, hs.expect)
	if o := c.opening; o != nil {
		o.check(must, c.cfg.Client)
		must(hs.peerChain == nil && hs.peerPoint == nil, "knows a part of a flight")
		for i := range o.all {
			must(int16(o.all[i].first-c.in.next) >= 0, "opening %d is answered by %d, %d is next", i, o.all[i].first, c.in.next)
		}
	}
	must(!hs.complete || c.giveUp.IsZero() && c.refused == nil, "complete handshake with a timer")
	must(!hs.complete || is13 || !f.wantsAnswer, "complete handshake of 1.2 waits for an answer")
	must(!hs.complete || hs.hello == nil && hs.own == nil && hs.peerKey == nil && hs.transcript.messages == nil && hs.mac == nil && hs.v13 == nil, "complete handshake keeps what made it")
	must(!hs.complete || len(hs.peerChain) > 0, "complete handshake without the peer's certificate")

	must(is13 || c.old == nil && c.readHandshake == nil && c.unacked == nil && !c.updateDue || c.opening != nil, "1.2 with what is 1.3's")
	must(is13 || len(c.acks.numbers) == 0, "acknowledges records of 1.2")
	must(!c.acks.due || hs.complete || c.unacked != nil, "acknowledges without keys")
	if k := c.read; k != nil {
		must((k.v12 != nil) != is13 && (k.v13 != nil) == is13, "keys to read with of another version")
		must(c.old == nil || c.old.epoch >= epochData && c.old.epoch+1 == k.epoch && c.old.secret == secret13{}, "former epoch of %d is %+v", k.epoch, c.old)
		must(c.readHandshake == nil || hs.complete && c.readHandshake.epoch == epochHandshake, "epoch 2 of the handshake is %+v", c.readHandshake)
		must(!is13 || !hs.complete || k.epoch == epochData+c.stats.KeyUpdatesIn, "reads epoch %d after %d updates", k.epoch, c.stats.KeyUpdatesIn)
		must(!is13 || hs.complete == (k.epoch >= epochData) && hs.complete == (k.secret != secret13{}), "reads epoch %d, complete: %v", k.epoch, hs.complete)
	}
	if w := c.write; w != nil {
		must((w.v12 != nil) != is13 && (w.v13 != nil) == is13, "keys to write with of another version")
		must(!is13 || w.epoch >= epochData && w.secret != secret13{} && w.next <= c.cfg.KeyLife+1, "writes record %d of epoch %d", w.next, w.epoch)
		must(!is13 || w.epoch == epochData+c.stats.KeyUpdatesOut, "writes epoch %d after %d updates", w.epoch, c.stats.KeyUpdatesOut)
	}
	if is13 && !ended {
		must((c.unacked != nil) == (!hs.complete || c.cfg.Client && c.readHandshake != nil), "complete: %v, epoch 2 is acknowledged: %v", hs.complete, c.unacked == nil)
	}

	switch c.state {
	case StateNew:
		must(!hs.complete && f.sends == 0 && c.giveUp.IsZero(), "new, but has begun")
	case StateConnecting:
		must(hs.complete || !c.giveUp.IsZero(), "connecting for ever")
		must(!hs.complete || c.fingerprints == nil, "complete, told the fingerprints, not connected")
		must(is13 || c.holdsTimers || c.PollTimeout().IsZero() == hs.complete, "connecting without a timer, or complete with one")
	case StateConnected:
		must(hs.complete && matches(hs.peerChain[0], c.fingerprints), "connected, not verified")
		must(c.write != nil && c.read != nil, "connected without keys")
		must(len(c.held.records) == 0, "connected with %d records held", len(c.held.records))
	case StateClosed, StateFailed:
		must(c.read == nil && c.old == nil && c.readHandshake == nil && c.unacked == nil && hs.secret == nil && hs.mac == nil && hs.own == nil && hs.v13 == nil && hs.transcript.messages == nil, "ended with secrets")
		must(len(c.held.records)+len(c.early.records)+len(c.acks.numbers) == 0, "ended with records held")
		must(c.PollTimeout().IsZero(), "ended with a timer")
	}
}

func (f *flight) check(must func(bool, string, ...any)) {
	must(f.item >= 0 && f.item <= len(f.items), "flight at item %d of %d", f.item, len(f.items))
	if f.pending() {
		must(f.offset == 0 || f.offset < f.items[f.item].length(), "flight at offset %d", f.offset)
		must(f.acked == nil || !f.acked.has(f.position()), "flight at byte %d, which is acknowledged", f.position())
	} else {
		must(f.offset == 0, "flight at offset %d of nothing", f.offset)
	}
	must(!f.wantsAnswer || f.sends > 0, "timer of a flight that was never sent")
	size := 0
	for _, item := range f.items {
		must(item.start == size, "flight's item at %d of %d", item.start, size)
		size += item.length()
	}
	must(f.size == size, "flight of %d bytes has %d", f.size, size)
	acked := 0
	for _, w := range f.acked {
		acked += bits.OnesCount64(w)
	}
	must(f.acked == nil || f.missing == f.size-acked, "%d bytes of %d acknowledged, %d missing", acked, f.size, f.missing)
	must(len(f.sent) <= maxSent, "%d records remembered", len(f.sent))
	for _, s := range f.sent {
		must(s.from < s.to && s.to <= f.size, "record with bytes %d to %d of %d", s.from, s.to, f.size)
	}
}

func (a *acks) check(must func(bool, string, ...any)) {
	must(len(a.numbers) <= maxAcks, "%d records to acknowledge", len(a.numbers))
	must(!a.due || a.at.IsZero(), "acknowledges now and later")
	must(a.at.IsZero() || len(a.numbers) > 0, "nothing to acknowledge, but a timer")
}

func (o *openings) check(must func(bool, string, ...any), client bool) {
	o.hellos.check(must)
	bound := maxOpenings
	if client {
		bound = 1 + maxCookies
	}
	must(len(o.all) <= bound && (o.live < len(o.all) || o.live == 0), "opening %d of %d", o.live, len(o.all))
	must(len(o.answers) <= min(maxAnswers, o.considered) && o.considered <= maxConsidered && (client || o.answers == nil), "%d answers", len(o.answers))
}

func (h *hold) check(must func(bool, string, ...any)) {
	n := 0
	for _, b := range h.records {
		n += len(b)
	}
	must(n == h.bytes, "%d bytes held, counted %d", n, h.bytes)
	must(n <= maxHeldBytes && len(h.records) <= maxHeldRecords, "%d records with %d bytes held", len(h.records), n)
}

func (r *reassembly) check(must func(bool, string, ...any)) {
	must(r.aheadBytes() <= maxAheadBytes, "%d bytes of messages ahead", r.aheadBytes())
	for i := range r.slots {
		s := &r.slots[i]
		if s.raw == nil {
			must(s.have == nil && s.missing == 0, "bytes of message %d without a message", i)
			continue
		}
		length := len(s.raw) - messageHeaderLen
		have := 0
		if s.have == nil {
			have = length
		}
		for _, w := range s.have {
			have += bits.OnesCount64(w)
		}
		must(have+s.missing == length, "message %d of %d bytes has %d and misses %d", i, length, have, s.missing)
		h, _, _, ok := parseMessageHeader(s.raw)
		must(ok && h.length == length && h.fragmentLength == length && h.seq == r.next+uint16(i), "message %d has header %+v", i, h)
	}
}
