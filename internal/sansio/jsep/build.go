package jsep

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
)

// mline is an m= section to be written: the table that CreateOffer and CreateAnswer fill, a row for each section in order.
type mline struct {
	kind, proto string
	formats     []string
	mid         string // "" in an answer to a section without a=mid
	rejected    bool

	// For a section that lives:
	bundled bool // it is listed in the BUNDLE group
	tag     bool // it is the first one there
	setup   setup
	credentials
	oldData  bool   // in the form with a=sctpmap
	sctpInit string // the value of a=sctp-init; "": without

	// For a section that lives and has RTP:
	media       *mediaAttributes
	transceiver TransceiverID
	bundleOnly  bool
}

// origin is the o= line.
//
// RFC 9429, section 5.2.2: "The fields of the "o=" line MUST stay the same except for the <session-version> field, which MUST increment
// by one on each call to createOffer if the offer might differ from the output of the previous call".
type origin struct {
	id, version uint64
	below       string   // what was written below the o= line last: a part of a description's text, or of one that was created
	candidates  []string // that it was returned with
}

// created is what CreateOffer or CreateAnswer has returned, without candidates.
type created struct {
	text   string          // "": none
	parsed *parsed         // of text, for who applies it first: it is changed then
	owners []TransceiverID // of its sections, zero where there is none; nil without media
}

// take gives what was created for being applied.
func (c *created) take(typ Type) *parsed {
	p := c.parsed
	c.parsed = nil
	if p == nil {
		p = mustParse(c.text, typ)
	}
	return p
}

// build writes a description. full has the candidates that were gathered. What is larger than what we would take of others is an error.
func (s *Session) build(lines []mline, typ Type) (c created, full string, err error) {
	d := sdp.SessionDescription{
		// RFC 9429, section 5.2.1: the address of the o= line "SHOULD be set to a non-meaningful address […] to prevent leaking a local
		// IP address".
		Origin: sdp.Origin{
			Username: "-", SessionID: s.origin.id, SessionVersion: s.origin.version + 1,
			NetworkType: "IN", AddressType: "IP4", UnicastAddress: "0.0.0.0",
		},
		SessionName:       "-",
		TimeDescriptions:  noTime,
		MediaDescriptions: make([]*sdp.MediaDescription, len(lines)),
		Attributes:        make([]sdp.Attribute, 0, 3),
	}
	bundled := make([]string, 0, len(lines))
	media, mixed := false, true
	for i := range lines {
		l := &lines[i]
		var m *sdp.MediaDescription
		switch {
		case l.rejected:
			m = rejectedSection(l)
		case l.media != nil:
			m = s.mediaSection(l)
			media, mixed = true, mixed && l.media.mixed
		default:
			m = s.dataSection(l)
		}
		d.MediaDescriptions[i] = m
		if l.rejected || !l.bundled {
			continue
		}
		if bundled = append(bundled, l.mid); l.tag {
			bundled[0], bundled[len(bundled)-1] = l.mid, bundled[0]
		}
	}
	if len(bundled) > 0 {
		d.Attributes = append(d.Attributes, sdp.Attribute{Key: "group", Value: "BUNDLE " + strings.Join(bundled, " ")})
	}
	if media && mixed {
		d.Attributes = append(d.Attributes, sdp.Attribute{Key: "extmap-allow-mixed"})
	}
	d.Attributes = append(d.Attributes, sdp.Attribute{Key: "ice-options", Value: s.iceOptions(typ)})

	text := marshal(&d)
	if n := bytes.Count(text, []byte("\n")); len(lines) > maxSections || n > maxLines || len(text)+32 > maxSize { // its version may grow
		return c, "", errorf(Operation, "%d sections make a description of %d lines", len(lines), n)
	}
	var candidates []string
	if i := slices.IndexFunc(lines, func(l mline) bool { return !l.rejected }); i >= 0 {
		candidates = s.gatheredFor(lines[i].ufrag) // the others have the same
	}
	_, below, _ := bytes.Cut(text, []byte("\r\ns="))
	if string(below) != s.origin.below || !slices.Equal(candidates, s.origin.candidates) {
		s.origin.version++
	} else {
		d.Origin.SessionVersion = s.origin.version
		text = marshal(&d)
	}
	c.text = roomy(text)
	s.origin.below, s.origin.candidates = c.text[len(c.text)-len(below):], candidates
	c.parsed = readOwn(c.text, lines, &d, typ)
	if media {
		c.owners = make([]TransceiverID, len(lines))
		for i := range lines {
			c.owners[i] = lines[i].transceiver
		}
	}
	return c, s.withGathered(c.parsed), nil
}

func marshal(d *sdp.SessionDescription) []byte {
	b, err := d.Marshal()
	if err != nil {
		panic("BUG: our description cannot be written: " + err.Error())
	}
	return b
}

// roomy is the text in a little more memory than it needs. A description of data alone would be as large as an expanded AES key, of which each
// handshake leaves 16 behind, and keep spans that have nothing else: 2 KiB for each of a thousand connections.
func roomy(text []byte) string {
	var b strings.Builder
	b.Grow(len(text) + 64)
	b.Write(text)
	return b.String()
}

// readOwn is what parse would make of the text that lines and d were written as.
func readOwn(text string, lines []mline, d *sdp.SessionDescription, typ Type) *parsed {
	p := &parsed{text: text, sections: make([]section, len(lines))}
	end := len(text)
	for i := len(lines) - 1; i >= 0; i-- {
		l := &lines[i]
		p.sections[i] = section{kind: l.kind, proto: l.proto, formats: l.formats, port: d.MediaDescriptions[i].MediaName.Port.Value, end: end}
		if i > 0 {
			end = strings.LastIndex(text[:end], "\r\nm=") + len("\r\n")
		}
	}
	_, bad := p.read(func(i int) []sdp.Attribute {
		if i < 0 {
			return d.Attributes
		}
		return d.MediaDescriptions[i].Attributes
	}, typ)
	if bad != nil {
		panic("BUG: our description cannot be read: malformed a=" + bad.Key)
	}
	return p
}

// mustParse parses what we wrote.
func mustParse(text string, typ Type) *parsed {
	p, err := parse(text, typ)
	if err != nil {
		panic("BUG: our description cannot be read: " + err.Error())
	}
	return p
}

// newSection has what sections of all kinds have. RFC 9429, section 5.2.1: the port of the m= line and the address of the c= line are
// 9 and 0.0.0.0 while no candidates are known; we leave them so, because whoever does ICE ignores them.
func newSection(l *mline, port int) *sdp.MediaDescription {
	m := &sdp.MediaDescription{
		// The protocol is written as it is read: in one piece.
		MediaName:             sdp.MediaName{Media: l.kind, Port: sdp.RangedPort{Value: port}, Protos: []string{l.proto}, Formats: l.formats},
		ConnectionInformation: &noConnection,
		Attributes:            make([]sdp.Attribute, 0, 8), // a data section's
	}
	if l.mid != "" {
		m.WithValueAttribute("mid", l.mid)
	}
	return m
}

// noConnection is the c= line of each section, noTime the t= line; nobody changes them.
var (
	noConnection = sdp.ConnectionInformation{NetworkType: "IN", AddressType: "IP4", Address: &sdp.Address{Address: "0.0.0.0"}}
	noTime       = []sdp.TimeDescription{{}}
)

// appendTransport adds the attributes of the transport to a section.
func (s *Session) appendTransport(m *sdp.MediaDescription, l *mline) {
	m.WithValueAttribute("ice-ufrag", l.ufrag)
	m.WithValueAttribute("ice-pwd", l.pwd)
	m.Attributes = append(m.Attributes, s.fingerprints...)
	m.WithValueAttribute("setup", setupNames[l.setup])
}

// newMid returns a mid that no applied description has and none in p.
func (s *Session) newMid(p *parsed) string {
	for n := s.nextMid; ; n++ {
		if mid := strconv.FormatUint(uint64(n), 10); p.byMid(mid) < 0 {
			return mid
		}
	}
}

// useMids keeps the mids of an applied description from being given to other sections.
func (s *Session) useMids(p *parsed) {
	for i := range p.sections {
		if n, err := strconv.ParseUint(p.sections[i].mid, 10, 31); err == nil {
			s.nextMid = max(s.nextMid, uint(n)+1)
		}
	}
}
