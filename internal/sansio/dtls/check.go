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
	must(f.item >= 0 && f.item <= len(f.items), "flight at item %d of %d", f.item, len(f.items))
	if f.pending() {
		must(f.offset == 0 || f.offset < len(f.items[f.item].message)-messageHeaderLen, "flight at offset %d", f.offset)
	} else {
		must(f.offset == 0, "flight at offset %d of nothing", f.offset)
	}
	must(!f.wantsAnswer || f.sends > 0, "timer of a flight that was never sent")
	for _, item := range f.items {
		must(item.epoch == epochPlain || c.sealer != nil, "flight of epoch %d without keys", item.epoch)
	}

	hs := &c.hs
	must((c.sealer != nil) == (hs.master != nil) || c.state >= StateClosed, "ciphers without master secret, or the reverse")
	must(c.opener == nil || len(c.early.records) == 0, "early records beside their keys")
	must(c.dataAt <= len(c.data), "data polled to %d of %d", c.dataAt, len(c.data))
	must(len(c.alerts) <= maxAlerts, "%d alerts wait", len(c.alerts))
	must((c.opening == nil) == (hs.expect == typeFinished || c.state >= StateClosed), "openings %v where %d is due", c.opening, hs.expect)
	if o := c.opening; o != nil {
		o.hellos.check(must)
		bound := maxOpenings
		if c.cfg.Client {
			bound = 1 + maxCookies
		}
		must(len(o.all) <= bound && (o.live < len(o.all) || o.live == 0), "opening %d of %d", o.live, len(o.all))
		must(hs.peerChain == nil && hs.peerPoint == nil, "knows a part of a flight")
		for i := range o.all {
			must(int16(o.all[i].first-c.in.next) >= 0, "opening %d is answered by %d, %d is next", i, o.all[i].first, c.in.next)
		}
	}
	must(!hs.complete || c.giveUp.IsZero() && !f.wantsAnswer && c.refused == nil, "complete handshake with a timer")
	must(!hs.complete || hs.hello == nil && hs.own == nil && hs.peerKey == nil && hs.transcript.messages == nil && hs.mac == nil, "complete handshake keeps what made it")
	must(!hs.complete || len(hs.peerChain) > 0, "complete handshake without the peer's certificate")

	switch c.state {
	case StateNew:
		must(!hs.complete && f.sends == 0 && c.giveUp.IsZero(), "new, but has begun")
	case StateConnecting:
		must(hs.complete || !c.giveUp.IsZero(), "connecting for ever")
		must(!hs.complete || c.fingerprints == nil, "complete, told the fingerprints, not connected")
		must(c.PollTimeout().IsZero() == hs.complete, "connecting without a timer, or complete with one")
	case StateConnected:
		must(hs.complete && matches(hs.peerChain[0], c.fingerprints), "connected, not verified")
		must(c.sealer != nil && c.opener != nil, "connected without keys")
		must(len(c.held.records) == 0, "connected with %d records held", len(c.held.records))
	case StateClosed, StateFailed:
		must(c.opener == nil && hs.master == nil && hs.mac == nil && hs.own == nil && hs.transcript.messages == nil, "ended with secrets")
		must(len(c.held.records)+len(c.early.records) == 0, "ended with records held")
		must(c.PollTimeout().IsZero(), "ended with a timer")
	}
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
