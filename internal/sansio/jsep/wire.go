package jsep

import (
	"slices"
	"sort"
	"strings"

	"github.com/pion/sdp/v3"
)

// Our limits for a description. A call of a hundred video tracks has about 600 KiB in 6000 lines.
const (
	maxSize     = 1 << 20
	maxLines    = 1 << 14
	maxSections = 512
)

// parsed is a description as the rules look at it.
type parsed struct {
	text     string // lines end in CRLF; no blank lines
	sections []section
	bundle   [][]string // the BUNDLE groups, each a list of mids of this description
	lite     bool
	trickles bool // the session level announces trickle ICE
}

// section is one m= section. The transport attributes are those of the section itself or else those of the session level.
type section struct {
	kind, proto string
	formats     []string
	port        int
	mid         string // never empty after adoptMids
	hasMid      bool   // the text has it
	bundleOnly  bool
	group       int                  // number of its BUNDLE group from 1; 0: none
	transport   transportAttributes  // its own
	applies     *transportAttributes // those that apply to it: its own, or those of the section that its group is tagged by
	candidates  []string
	ended       bool // a=end-of-candidates
	data        dataAttributes
	media       *mediaAttributes // nil: the section is not for RTP over DTLS-SRTP
	unbundled   bool             // of a remote answer: it asks for a transport of its own, which it does not get
	end         int              // where the section ends in text
}

// rejected tells that the section is not to be used. RFC 8841, section 10.3: an SCTP port of zero closes the association.
func (s *section) rejected() bool {
	return s.port == 0 && !s.bundleOnly || s.data.is && s.data.port == 0 || s.unbundled
}

// live tells that the section is there to be used, by data channels or by RTP.
func (s *section) live() bool { return (s.data.is || s.media != nil) && !s.rejected() }

func (s *section) liveData() bool { return s.data.is && !s.rejected() }

// document is the text of a description split into lines, for the parser's use.
type document struct {
	lines      []line
	attributes []sdp.Attribute // of each line: parts of text, so that a description is kept once; zero for a line that is none
	first      []int           // the index of the m= line of each section
	text       string
	outline    string // text with the first only of attributes that follow each other
}

type line struct {
	number int // in what was given, from 1
	end    int // in the document's text
}

// split tolerates what hand-made signaling does to descriptions: bare LF, blank lines, blanks at the end of lines.
func split(text string) (d document, bad *Error) {
	if len(text) > maxSize {
		return d, errorf(Syntax, "a description of %d bytes is larger than %d", len(text), maxSize)
	}
	room := min(strings.Count(text, "\n")+1, maxLines)
	d.lines, d.attributes = make([]line, 0, room), make([]sdp.Attribute, 0, room)
	var out strings.Builder
	out.Grow(len(text) + room + 1) // each LF may become CRLF: nothing is moved, of which there are parts already
	outline, attribute := make([]byte, 0, 512), false
	n := 0
	for l := range strings.SplitSeq(text, "\n") {
		n++
		l = strings.TrimSuffix(l, "\r")
		if at := len(l) - 1; at >= 0 && l[at] <= ' ' && !strings.HasPrefix(l, "s=") { // a session name of one blank is how RFC 4566 wrote "no name"
			l = strings.TrimRight(l, " \t\r")
		}
		if l == "" {
			continue
		}
		if len(d.lines) == maxLines {
			return d, &Error{Kind: Syntax, Line: n, Detail: "too many lines"}
		}
		if len(l) < 2 || l[1] != '=' || hasControl(l) {
			return d, &Error{Kind: Syntax, Line: n, Detail: "not of the form <type>=<value>"}
		}
		if l[0] == 'm' {
			if len(d.first) == maxSections {
				return d, &Error{Kind: Syntax, Line: n, Detail: "too many m= sections"}
			}
			d.first = append(d.first, len(d.lines))
		}
		if l[0] != 'a' || !attribute {
			outline = append(append(outline, l...), "\r\n"...)
		}
		attribute = l[0] == 'a'
		out.WriteString(l)
		l = out.String()[out.Len()-len(l):]
		out.WriteString("\r\n")
		d.lines = append(d.lines, line{n, out.Len()})
		var a sdp.Attribute
		if l, ok := strings.CutPrefix(l, "a="); ok {
			a.Key, a.Value, _ = strings.Cut(l, ":")
		}
		d.attributes = append(d.attributes, a)
	}
	d.text, d.outline = out.String(), string(outline)
	for i, want := range [...]string{"v=0", "o=", "s="} {
		if i >= len(d.lines) || !strings.HasPrefix(d.line(i), want) {
			return d, &Error{Kind: Syntax, Line: i + 1, Detail: "missing " + want}
		}
	}
	return d, nil
}

// hasControl looks for control characters, which all are of one byte, but for tabs.
func hasControl(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return true
		}
	}
	return false
}

// span is the range of lines of section i, or of the session level for -1.
func (d *document) span(i int) (from, to int) {
	if i >= 0 {
		from = d.first[i]
	}
	to = len(d.lines)
	if i+1 < len(d.first) {
		to = d.first[i+1]
	}
	return from, to
}

// line is the text of a line, a part of the document's.
func (d *document) line(i int) string {
	start := 0
	if i > 0 {
		start = d.lines[i-1].end
	}
	return d.text[start : d.lines[i].end-len("\r\n")]
}

// attributesOf are those of section i, or of the session level for -1, among zeros.
func (d *document) attributesOf(i int) []sdp.Attribute {
	from, to := d.span(i)
	return d.attributes[from:to]
}

// wrong is the error of what read has found in section i, or in the session level for -1.
func (d *document) wrong(i int, a *sdp.Attribute) *Error {
	from, _ := d.span(i)
	if a.Key == "" {
		return &Error{Kind: Syntax, Line: d.lines[from].number, Detail: "malformed application section"}
	}
	at := from + slices.Index(d.attributesOf(i), *a)
	return &Error{Kind: Syntax, Line: d.lines[at].number, Detail: "malformed a=" + a.Key}
}

// firstBadLine finds what the decoder stumbled over: a prefix of whole lines fails exactly when it has the bad line.
func (d *document) firstBadLine() int {
	n := sort.Search(len(d.lines)-1, func(n int) bool {
		var s sdp.SessionDescription
		return s.UnmarshalString(d.text[:d.lines[n].end]) != nil
	})
	return d.lines[n].number
}

// parse reads a description of the given type.
func parse(text string, typ Type) (*parsed, *Error) {
	d, bad := split(text)
	if bad != nil {
		return nil, bad
	}
	// The decoder takes each attribute, and all that it asks of the next line after one it asks after several: the outline is right when the text is.
	var in sdp.SessionDescription
	if in.UnmarshalString(d.outline) != nil {
		in = sdp.SessionDescription{}
		if err := in.UnmarshalString(d.text); err != nil {
			return nil, &Error{Kind: Syntax, Line: d.firstBadLine(), Detail: err.Error()}
		}
	}
	if len(in.TimeDescriptions) == 0 {
		return nil, &Error{Kind: Syntax, Line: d.lines[len(d.lines)-1].number, Detail: "missing t="}
	}
	p := &parsed{text: d.text, sections: make([]section, len(d.first))}
	for i := range p.sections {
		_, to := d.span(i)
		name := &in.MediaDescriptions[i].MediaName
		p.sections[i] = section{
			kind: name.Media, proto: strings.Join(name.Protos, "/"), formats: name.Formats, port: name.Port.Value, end: d.lines[to-1].end,
		}
	}
	if i, bad := p.read(d.attributesOf, typ); bad != nil {
		return nil, d.wrong(i, bad)
	}
	return p, nil
}

// read takes the attributes of each section, and of the session level for -1. It returns where one is malformed, and which: a zero one for
// what a data section says as a whole.
func (p *parsed) read(attributesOf func(i int) []sdp.Attribute, typ Type) (int, *sdp.Attribute) {
	var inherited transportAttributes
	ended, bundled := false, 0
	session := attributesOf(-1)
	for i := range session {
		switch a := &session[i]; a.Key {
		case "ice-lite":
			p.lite = true
		case "end-of-candidates":
			ended = true
		case "group":
			mids := strings.Fields(a.Value)
			if bundled += len(mids); bundled > 2*maxSections {
				return -1, a
			}
			if len(mids) > 1 && mids[0] == "BUNDLE" {
				p.bundle = append(p.bundle, mids[1:])
			}
		default:
			if !inherited.read(a) {
				return -1, a
			}
		}
	}
	p.trickles = inherited.trickle
	for i := range p.sections {
		s, attributes := &p.sections[i], attributesOf(i)
		s.ended = ended
		for k := range attributes {
			if a := &attributes[k]; !s.read(a) {
				return i, a
			}
		}
		s.transport.inherit(&inherited)
		if !s.readData(attributes) {
			return i, &sdp.Attribute{}
		}
		if bad, above := s.readMedia(session, attributes); above {
			return -1, bad
		} else if bad != nil {
			return i, bad
		}
	}
	p.bind()
	for i := range p.sections {
		// RFC 9143, section 6: "bundle-only" has a meaning in an offer, on a section with port zero in a BUNDLE group.
		s := &p.sections[i]
		s.bundleOnly = s.bundleOnly && typ == Offer && s.port == 0 && s.group > 0
	}
	return 0, nil
}

// bind finds which transport attributes apply to each section. RFC 9143, section 7: in a group those of the tagged section, the first,
// are those of all, so that others may go without.
func (p *parsed) bind() {
	index := make(map[string]int, len(p.sections))
	for i := range p.sections {
		s := &p.sections[i]
		s.applies = &s.transport
		if _, twice := index[s.mid]; s.hasMid && !twice {
			index[s.mid] = i
		}
	}
	for g, mids := range p.bundle {
		var tag *transportAttributes
		for _, mid := range mids {
			if i, ok := index[mid]; ok {
				p.sections[i].group = g + 1
				if tag == nil && !p.sections[i].transport.absent() {
					tag = &p.sections[i].transport
				}
			}
		}
		for _, mid := range mids {
			if i, ok := index[mid]; ok && tag != nil && p.sections[i].transport.absent() {
				p.sections[i].applies = tag
			}
		}
	}
}

// read takes an attribute of the section; false: it is malformed. Unknown attributes are skipped, and nothing of them is ever echoed.
func (s *section) read(a *sdp.Attribute) bool {
	switch a.Key {
	case "mid":
		s.mid, s.hasMid = a.Value, true
		return a.Value != "" && !strings.ContainsAny(a.Value, " \t")
	case "bundle-only":
		s.bundleOnly = true
	case "candidate":
		// RFC 8839, section 5.1: candidates that are not understood are ignored.
		if line := "candidate:" + a.Value; validCandidate(line) && len(s.candidates) < maxCandidates {
			s.candidates = append(s.candidates, line)
		}
	case "end-of-candidates":
		s.ended = true
	default:
		return s.transport.read(a)
	}
	return true
}

// bundled tells whether sections i and j are in one BUNDLE group.
func (p *parsed) bundled(i, j int) bool {
	return p.sections[i].group > 0 && p.sections[i].group == p.sections[j].group
}

// liveData is the index of the first section that carries data channels, or -1.
func (p *parsed) liveData() int {
	return p.find((*section).liveData)
}

// tagged is the index of the section that one of our own descriptions is tagged by, or -1 if nothing lives in it.
func (p *parsed) tagged() int {
	i := p.find((*section).live)
	if i < 0 {
		return -1
	}
	return p.tag(i, func(k int) bool { return p.sections[k].live() })
}

// byMid is the index of the section with that mid, or -1.
func (p *parsed) byMid(mid string) int {
	return p.find(func(s *section) bool { return s.mid == mid })
}

func (p *parsed) find(is func(s *section) bool) int {
	for i := range p.sections {
		if is(&p.sections[i]) {
			return i
		}
	}
	return -1
}

// shared tells whether what is said about the transport of section j, its candidates above all, is about that of section i too.
// Browsers write and trickle the candidates of a bundle under its first section, which may be one that we reject.
func (p *parsed) shared(i, j int) bool {
	return i == j || p.bundled(i, j) && p.sections[j].applies.credentials == p.sections[i].applies.credentials
}
