package media

import "fmt"

// check walks the whole machine and compares what it counts and points to with what is there. Tests call it after each step.
func (m *Machine) check() {
	must := func(ok bool, format string, args ...any) {
		if !ok {
			panic("BUG: " + fmt.Sprintf(format, args...))
		}
	}
	bound := 0
	for _, s := range m.streams {
		b, ok := m.bindings[s.ssrc]
		must(ok && b.stream == s && !b.rtx, "stream %d is not bound to %d", s.id, s.ssrc)
		bound++
		if s.rtx != 0 {
			b, ok := m.bindings[s.rtx]
			must(ok && b.stream == s && b.rtx, "retransmissions of stream %d are not bound to %d", s.id, s.rtx)
			bound++
		}
		must(m.section(s.mid) == s.section, "stream %d of a section that is gone", s.id)
		must(s.seq.begun == s.window.begun && (!s.seq.begun || s.seq.last == s.window.highest && s.base <= s.seq.last), "numbers of stream %d", s.id)
		must(s.counts.Packets <= s.expected(), "stream %d has %d packets of %d", s.id, s.counts.Packets, s.expected())
		s.nack.check(must, s.seq.last, s.window.has)
	}
	must(bound == len(m.bindings), "%d bindings, and %d are used", len(m.bindings), bound)
	must(len(m.streams) <= m.cfg.MaxStreams, "%d streams", len(m.streams))

	waiting, repairs := 0, 0
	for _, s := range m.senders {
		must(s.seq.begun == s.window.begun && (!s.seq.begun || s.seq.last == s.window.highest), "numbers of sender %d", s.id)
		must(len(s.history.ring) <= max(m.cfg.HistoryPackets, minHistory), "a history of %d", len(s.history.ring))
		for i := range s.history.ring {
			p := &s.history.ring[i]
			if p.seq == 0 {
				continue
			}
			must(s.history.at(p.seq) == p, "packet %d at place %d", p.seq, i)
			must(s.window.old(p.seq) || s.window.has(p.seq), "packet %d was never added", p.seq)
			must(p.header >= 12 && p.header <= len(p.b), "packet %d with a header of %d", p.seq, p.header)
			if p.sent == 0 {
				waiting++
			}
			if p.queued {
				repairs++
			}
		}
	}
	queued := m.queues[classAudio].n + m.queues[classVideo].n
	must(waiting <= queued, "%d packets wait, and %d are queued", waiting, queued)
	must(repairs <= m.queues[classRepair].n, "%d packets are to be repaired, and %d are queued", repairs, m.queues[classRepair].n)
	must(len(m.rtcp) <= maxRTCP, "%d RTCP packets", len(m.rtcp))
	must(m.sentLog.n <= len(m.sentLog.ring) && len(m.sentLog.ring) <= sentWindow, "a log of %d", len(m.sentLog.ring))
	must(m.arrivals == 0 || m.ccNext != 0, "arrivals that are never told")
}

func (l *missing) check(must func(bool, string, ...any), highest uint64, has func(uint64) bool) {
	must(len(l.list) <= maxMissing, "%d missing", len(l.list))
	var next instant
	for i, p := range l.list {
		must(i == 0 || l.list[i-1].seq < p.seq, "missing packets out of order")
		must(p.seq < highest && (p.seq+windowSpan <= highest || !has(p.seq)), "packet %d is missing, and is there", p.seq)
		next = sooner(next, p.due)
	}
	must(next == l.next, "next request at %d, not %d", l.next, next)
}
