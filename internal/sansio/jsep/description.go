package jsep

import "strings"

// description is one that was applied, with the candidates that came after it.
type description struct {
	typ     Type
	*parsed                  // nil while it rests
	resting string           // its text then
	role    DTLSRole         // ours, by an answer with a live section
	taken   acceptance       // of a remote offer
	added   []addedCandidate // to a remote description, by AddRemoteCandidate
}

// addedCandidate is a line that belongs at the end of a section.
type addedCandidate struct {
	section int
	line    string // without "a="; endOfCandidates too
}

const endOfCandidates = "end-of-candidates"

// adoptMids gives the sections without a=mid the mid of the section at their place in base, or a new one: to us each section has one.
//
// RFC 9429, section 5.10: "If the "m=" section does not include a MID […], generate a value", for which a counter is as good as a random one
// (section 5.2.1).
func (s *Session) adoptMids(p *parsed, base *parsed) {
	for i := range p.sections {
		m := &p.sections[i]
		if m.hasMid {
			continue
		}
		if base != nil && i < len(base.sections) && p.byMid(base.sections[i].mid) < 0 {
			m.mid = base.sections[i].mid
		} else {
			m.mid = s.newMid(p)
		}
	}
}

// insert returns text with the candidate lines of each section at its end. lines is asked once for each section, in order.
func (p *parsed) insert(lines func(i int) []string) string {
	var b strings.Builder
	at := 0
	for i := range p.sections {
		for k, l := range lines(i) {
			if b.Len() == 0 {
				b.Grow(len(p.text) + someCandidates)
			}
			if k == 0 {
				b.WriteString(p.text[at:p.sections[i].end])
				at = p.sections[i].end
			}
			b.WriteString("a=")
			b.WriteString(l)
			b.WriteString("\r\n")
		}
	}
	if at == 0 {
		return p.text // most descriptions are asked for when there is nothing to insert
	}
	b.WriteString(p.text[at:])
	return b.String()
}

// someCandidates is the room for those of a host with few addresses.
const someCandidates = 512

// canonical returns text with CRLF after each line and without candidates, which may have been added to it since it was created.
func canonical(text string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimRight(line, " \t\r")
		if line == "" || strings.HasPrefix(line, "a=candidate:") || line == "a="+endOfCandidates {
			continue
		}
		b.WriteString(line)
		b.WriteString("\r\n")
	}
	return b.String()
}

// local and remote are the descriptions that W3C calls localDescription and remoteDescription; nil when there is none.
func (s *Session) local() *description {
	if s.pendingLocal != nil {
		return s.pendingLocal
	}
	return s.currentLocal
}

func (s *Session) remote() *description {
	if s.pendingRemote != nil {
		return s.pendingRemote
	}
	return s.currentRemote
}

// Local is the pending local description, or else the current one, with the candidates gathered so far.
func (s *Session) Local() (Description, bool) { return s.export(s.local(), true) }

// CurrentLocal is the local description of the last completed negotiation.
func (s *Session) CurrentLocal() (Description, bool) { return s.export(s.currentLocal, true) }

// PendingLocal is the local description being negotiated.
func (s *Session) PendingLocal() (Description, bool) { return s.export(s.pendingLocal, true) }

// Remote is the pending remote description, or else the current one, with the candidates added so far.
func (s *Session) Remote() (Description, bool) { return s.export(s.remote(), false) }

// CurrentRemote is the remote description of the last completed negotiation.
func (s *Session) CurrentRemote() (Description, bool) { return s.export(s.currentRemote, false) }

// PendingRemote is the remote description being negotiated.
func (s *Session) PendingRemote() (Description, bool) { return s.export(s.pendingRemote, false) }

func (s *Session) export(d *description, local bool) (Description, bool) {
	if d == nil {
		return Description{}, false
	}
	defer s.wake()()
	if local {
		return Description{d.typ, s.withGathered(d.parsed)}, true
	}
	return Description{d.typ, d.insert(func(i int) (lines []string) {
		for _, a := range d.added {
			if a.section == i {
				lines = append(lines, a.line)
			}
		}
		return lines
	})}, true
}
