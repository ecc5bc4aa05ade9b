package channel

import "fmt"

// check compares every counter with what it counts, for tests.
func (m *Machine) check() {
	must := func(ok bool, format string, args ...any) {
		if !ok {
			panic("BUG: channel: " + fmt.Sprintf(format, args...))
		}
	}
	live, names := 0, 0
	for h, ch := range m.channels {
		must(ch.handle == h && h != 0, "handle %d under %d", ch.handle, h)
		must(m.phase == phaseConnected || ch.state != Open, "open without an association")
		must(m.phase != phaseShut || ch.state == Closed, "%v without an association", ch.state)
		if ch.state == Closed {
			continue
		}
		live++
		if ch.remote {
			names += len(ch.params.Label) + len(ch.params.Protocol)
		}
		must(ch.params.HasID || m.phase == phaseNew, "no id after the role is known")
		if !ch.params.HasID {
			must(ch.state == Connecting && !ch.announced, "%v without an id", ch.state)
			continue
		}
		s := m.streams[ch.params.ID]
		must(s != nil && s.ch == ch, "channel %d is not on its stream %d", h, ch.params.ID)
		must(s.state == streamUsed && ch.state < Closing || s.state == streamClosing && ch.state == Closing,
			"%v on stream in state %d", ch.state, s.state)
		must(ch.announced || ch.params.Negotiated || ch.remote, "remote will not hear of channel %d", h)
	}
	must(live == m.live, "%d channels live, counted %d", live, m.live)
	must(m.recent == nil || m.channels[m.recent.handle] == m.recent, "a channel was found that is forgotten")
	must(m.carrier == nil || m.carrier.state != streamUsed || m.streams[m.carrier.id] == m.carrier, "a stream was found that is gone")
	must(names == m.names, "%d bytes of names, counted %d", names, m.names)
	must(m.live <= m.cfg.MaxChannels || m.live == 0, "more channels than allowed")

	for i := range m.sends.len() {
		must(m.sends.at(i).PPID == ppidDCEP, "a message of an application waits")
	}

	resets, releases := map[*stream]int{}, map[*stream]int{}
	for i := range m.resets.len() {
		resets[*m.resets.at(i)]++
	}
	for i := range m.releases.len() {
		releases[*m.releases.at(i)]++
	}
	held, heldBytes := 0, 0
	for id, s := range m.streams {
		must(s.id == id && int(id) <= maxID, "stream %d under %d", s.id, id)
		must(m.phase != phaseShut, "stream %d without an association", id)
		must((s.ch != nil) == (s.state == streamUsed) || s.state == streamClosing, "stream %d in state %d", id, s.state)
		waiting := 0
		if s.state == streamClosing && !s.asked {
			waiting = 1
		}
		must(resets[s] == waiting, "stream %d waits %d times for its reset", id, resets[s])
		must((releases[s] == 1) == (s.state == streamReset), "stream %d waits %d times for release", id, releases[s])
		must(s.state == streamClosing || s.state == streamReset || !s.asked && !s.inDone && !s.outDone, "reset of stream %d in state %d", id, s.state)
		must(s.state != streamClosing || !s.inDone || !s.outDone, "stream %d is closing after both resets", id)
		must(!s.outDone || s.asked, "stream %d was reset by nobody", id)
		e := s.early
		must(s.state == streamIdle || s.state == streamClosing && s.inDone || len(e.messages) == 0, "stream %d holds messages in state %d", id, s.state)
		must(s.state == streamClosing && s.inDone || !e.overflow && !e.reset, "stream %d waits for a next use", id)
		must(!e.overflow || len(e.messages) == 0, "stream %d holds a part", id)
		must(s.state != streamIdle || len(e.messages) > 0, "stream %d is kept for nothing", id)
		for _, msg := range e.messages {
			held++
			heldBytes += len(msg.data)
		}
	}
	must(held == m.held.messages && heldBytes == m.held.bytes, "%d messages of %d bytes held, counted %v", held, heldBytes, m.held)
	must(held == 0 || held <= m.cfg.MaxHeldMessages && heldBytes <= m.cfg.MaxHeldBytes, "%v is too much to hold", m.held)

	charges, credits := 0, 0
	for i := range m.events.len() {
		charges += m.events.at(i).Charge
	}
	for i := range m.credits.len() {
		credits += *m.credits.at(i)
	}
	must(m.ledger.received == m.ledger.credited+m.ledger.charged+uint64(heldBytes+charges),
		"window: %+v, %d held, %d in events", m.ledger, heldBytes, charges)
	must(uint64(credits) <= m.ledger.credited, "more credit waits than was given")

	if m.phase == phaseRole || m.phase == phaseConnected {
		must(m.ours(uint16(m.nextID)), "search for ids starts at %d", m.nextID)
	}
}
