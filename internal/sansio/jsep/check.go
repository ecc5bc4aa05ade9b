package jsep

import (
	"fmt"
	"reflect"
	"slices"
)

// check walks the whole session and panics where something is not as it has to be. Tests call it after each step, so that the next one finds the
// session at rest.
func (s *Session) check() {
	s.wake()
	defer s.Rest()
	for _, slot := range []struct {
		name           string
		d              *description
		local, current bool
	}{
		{name: "current local", d: s.currentLocal, local: true, current: true},
		{name: "current remote", d: s.currentRemote, current: true},
		{name: "pending local", d: s.pendingLocal, local: true},
		{name: "pending remote", d: s.pendingRemote},
	} {
		if d := slot.d; d != nil {
			s.checkDescription(slot.name, d, slot.local)
			must(!slot.current || d.typ == Offer || d.typ == Answer, "%s is %v", slot.name, d.typ)
		}
	}
	must((s.currentLocal == nil) == (s.currentRemote == nil), "one current description")
	if s.currentLocal != nil {
		checkPair(s.currentLocal, s.currentRemote)
	}
	switch s.state {
	case Stable:
		must(s.pendingLocal == nil && s.pendingRemote == nil, "pending in stable")
	case HaveLocalOffer:
		must(s.pendingLocal != nil && s.pendingLocal.typ == Offer && s.pendingRemote == nil, "have-local-offer")
	case HaveRemoteOffer:
		must(s.pendingRemote != nil && s.pendingRemote.typ == Offer && s.pendingLocal == nil, "have-remote-offer")
	case HaveLocalPrAnswer:
		must(s.pendingLocal != nil && s.pendingLocal.typ == PrAnswer, "have-local-pranswer")
		checkPair(s.pendingLocal, s.pendingRemote)
	case HaveRemotePrAnswer:
		must(s.pendingRemote != nil && s.pendingRemote.typ == PrAnswer, "have-remote-pranswer")
		checkPair(s.pendingLocal, s.pendingRemote)
	}
	if s.state != Closed {
		must((agreed(s.currentLocal, s.currentRemote) >= 0) == (s.offered != nobody), "offered is %d", s.offered)
	}
	checkCreated("the last offer", &s.lastOffer, Offer)
	checkCreated("the last answer", &s.lastAnswer, Answer)
	s.checkTransceivers()
	for i, g := range s.gathered {
		for j := range i {
			must(s.gathered[j].ufrag != g.ufrag, "two gatherings for %q", g.ufrag)
		}
	}
}

// checkCreated checks that what was made beside a text is what parsing it would make.
func checkCreated(name string, c *created, typ Type) {
	if c.parsed != nil {
		must(reflect.DeepEqual(c.parsed, mustParse(c.text, typ)), "%s is not its own text", name)
	}
}

// checkDescription checks one that is applied, against its own text above all.
func (s *Session) checkDescription(name string, d *description, local bool) {
	again, err := parse(d.text, d.typ)
	must(err == nil, "%s is not readable: %v", name, err)
	must(len(again.sections) == len(d.sections), "%s has other sections than its text", name)
	mids := make(map[string]bool)
	live, data := 0, 0
	for i := range d.sections {
		m := &d.sections[i]
		must(m.mid != "" && !mids[m.mid], "%s: mid %q", name, m.mid)
		mids[m.mid] = true
		must(!m.hasMid || again.sections[i].mid == m.mid, "%s: mid %q of %q", name, m.mid, again.sections[i].mid)
		must(i == 0 || d.sections[i-1].end < m.end, "%s: section %d ends early", name, i)
		if local && !m.rejected() {
			must(m.live(), "%s: section %d is not rejected and nothing", name, i)
			must(m.transport.credentials == localCredentials(d), "%s: section %d has other credentials", name, i)
			must(m.group > 0 || live == 0, "%s: section %d is not bundled", name, i)
			live++
			if m.data.is {
				data++
				must(m.data.sctpInit == "" || m.data.sctpInit == s.sctpInit, "%s: section %d has a=sctp-init:%s", name, i, m.data.sctpInit)
			}
		}
		must(len(m.candidates) <= maxCandidates, "%s: %d candidates", name, len(m.candidates))
	}
	for i := range d.sections { // what its text does not say
		again.sections[i].mid, again.sections[i].unbundled = d.sections[i].mid, d.sections[i].unbundled
	}
	must(reflect.DeepEqual(again, d.parsed), "%s is not its own text", name)
	must(data <= 1, "%s: %d data sections", name, data)
	must(len(d.added) <= maxCandidates && (!local || d.added == nil), "%s: %d candidates added", name, len(d.added))
	for _, a := range d.added {
		must(a.section < len(d.sections), "%s: candidate for section %d", name, a.section)
	}
	if local {
		for i := range d.sections {
			must(d.sections[i].group == 0 || d.sections[i].live(), "%s: section %d is bundled and rejected", name, i)
		}
		checkNumbers(name, d)
		must(s.nextMid >= 1 || len(d.sections) == 0 || !mids["0"], "%s: mid 0 may be given again", name)
	}
}

// checkNumbers checks that a payload type or an identifier of a header extension means one thing in all sections.
func checkNumbers(name string, d *description) {
	var formats [128]*Codec
	var extensions [256]string
	for i := range d.sections {
		m := &d.sections[i]
		if m.media == nil || m.rejected() {
			continue
		}
		for k := range m.media.codecs {
			c := &m.media.codecs[k]
			old := formats[c.PayloadType]
			must(old == nil || sameNumber(old, c), "%s: payload type %d has two meanings", name, c.PayloadType)
			formats[c.PayloadType] = c
			of, repairs := c.RepairOf()
			must(!repairs || m.media.codec(of) != nil, "%s: section %d retransmits %d, which it does not have", name, i, of)
		}
		must(hasCommon(m.media.codecs, m.media.codecs), "%s: section %d has no media", name, i)
		for _, e := range m.media.extensions {
			old := extensions[e.ID]
			must(e.ID != 15 || d.typ != Offer, "%s: section %d has the reserved extension 15", name, i)
			must(old == "" || old == e.URI, "%s: extension %d is %s and %s", name, e.ID, e.URI, old)
			extensions[e.ID] = e.URI
		}
	}
}

// checkTransceivers checks the transceivers against the descriptions.
func (s *Session) checkTransceivers() {
	sources := make(map[uint32]bool)
	var last TransceiverID
	pending := s.state == HaveRemoteOffer || s.state == HaveLocalPrAnswer
	for _, t := range s.transceivers {
		must(t.id > last && t.id <= s.lastTransceiver, "transceiver %d after %d of %d", t.id, last, s.lastTransceiver)
		last = t.id
		must(!t.stopped || t.stopping, "transceiver %d is stopped and not stopping", t.id)
		must(t.direction <= SendRecv && t.current <= SendRecv && (t.hasCurrent || t.current == Inactive), "transceiver %d: directions", t.id)
		must(len(t.encodings) > 0 && len(t.encodings) <= maxEncodings, "transceiver %d: %d encodings", t.id, len(t.encodings))
		for _, e := range t.encodings {
			must(e.SSRC != 0 && e.RTX != 0 && !sources[e.SSRC] && !sources[e.RTX] && e.SSRC != e.RTX, "transceiver %d: sources %v", t.id, e)
			sources[e.SSRC], sources[e.RTX] = true, true
			must(e.RID != "" || len(t.encodings) == 1, "transceiver %d: an encoding without RID", t.id)
		}
		must((t.mid == "") == (t.line < 0) && (t.stableMid == "") == (t.stableLine < 0), "transceiver %d: mid %q, line %d", t.id, t.mid, t.line)
		must(!t.byRemote && t.ridless == nil || pending || s.state == Closed, "transceiver %d: remains of an offer in %v", t.id, s.state)
		if s.state == Stable {
			must(t.mid == t.stableMid && t.line == t.stableLine, "transceiver %d: pending in stable", t.id)
		}
		if t.mid == "" {
			continue
		}
		must(s.byMid(t.mid) == t, "two transceivers have the mid %q", t.mid)
		d := s.local()
		if pending {
			d = s.pendingRemote
		}
		must(t.line < len(d.sections) && d.sections[t.line].mid == t.mid && d.sections[t.line].kind == t.kind.String(),
			"transceiver %d: section %d is not its own", t.id, t.line)
	}
	if s.currentLocal == nil {
		return
	}
	for i := range s.currentLocal.sections {
		owned := slices.ContainsFunc(s.transceivers, func(t *transceiver) bool {
			return t.stableLine == i && t.stableMid == s.currentLocal.sections[i].mid
		})
		used := both(s.currentLocal, s.currentRemote, i) && s.currentLocal.sections[i].media != nil
		must(owned || !used, "section %d has no transceiver", i)
	}
}

// checkPair checks an offer and its answer.
func checkPair(local, remote *description) {
	must(local != nil && remote != nil, "half a pair")
	must((local.typ == Offer) != (remote.typ == Offer), "%v and %v are no pair", local.typ, remote.typ)
	must(len(local.sections) == len(remote.sections), "%d and %d sections", len(local.sections), len(remote.sections))
	offer, answer := local, remote
	if remote.typ == Offer {
		offer, answer = remote, local
	}
	for i := range offer.sections {
		o, a := &offer.sections[i], &answer.sections[i]
		must(o.mid == a.mid && o.kind == a.kind && o.proto == a.proto, "section %d: %q and %q", i, o.mid, a.mid)
		must(!o.rejected() || a.rejected(), "section %d was revived by the answer", i)
	}
	if i := agreed(local, remote); i >= 0 {
		t := answer.sections[i].applies
		must(t.setup == setupActive || t.setup == setupPassive, "section %d: setup %d in the answer", i, t.setup)
		must(answer.role != RoleUnknown && offer.role == RoleUnknown, "section %d: role %v in the answer", i, answer.role)
		must(local.sections[i].transport.ufrag != "" && remote.sections[i].applies.ufrag != "", "section %d: no credentials", i)
	}
}

func must(ok bool, format string, args ...any) {
	if !ok {
		panic("BUG: " + fmt.Sprintf(format, args...))
	}
}
