package jsep

import (
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
)

// codecs are the formats that t, or a transceiver of that kind that is yet to be made, negotiates, in order of preference.
func (s *Session) codecs(t *transceiver, kind MediaKind) []Codec {
	if t != nil && t.preferences != nil {
		return t.preferences
	}
	return s.cfg.Formats.codecs[kind]
}

// newMedia is the row of a media section in an offer. was is the section in the local description, if it is there, theirs the one in the remote
// description if both agree on it.
//
// RFC 9429, sections 5.2.1 and 5.2.2.
func (s *Session) newMedia(t *transceiver, mid string, was, theirs *mediaAttributes, n *numbers) mline {
	var codecs []Codec
	var extensions []Extension
	if was != nil {
		codecs, extensions = was.codecs, was.extensions
	}
	m := &mediaAttributes{
		kind: t.kind, direction: t.direction, mixed: true, mux: true, reduced: true,
		codecs:     n.offer(s.codecs(t, t.kind), codecs, t.preferences != nil),
		extensions: s.offerExtensions(n, t.kind, extensions),
	}
	if t.direction.Receives() && was != nil && theirs != nil {
		// What the peer sends in several encodings goes on: an offer that does not ask for them would end that.
		for _, r := range was.rids {
			if !r.Send && slices.Contains(theirs.layers(true), r.ID) {
				m.rids = append(m.rids, RID{ID: r.ID})
			}
		}
	}
	// RFC 8851: within a section an identifier is used once. What the peer sends is in use and comes first.
	clash := slices.ContainsFunc(t.encodings, func(e Encoding) bool { return slices.Contains(m.layers(false), e.RID) })
	before := was != nil && slices.Contains(was.layers(true), t.encodings[0].RID)
	if t.direction.Sends() && !clash && (len(t.encodings) > 1 || before) {
		for _, e := range t.encodings {
			m.rids = append(m.rids, RID{ID: e.RID, Send: true})
		}
	}
	s.describeSender(m, t)
	return mline{kind: t.kind.String(), proto: "UDP/TLS/RTP/SAVPF", mid: mid, bundled: true, setup: setupActPass, media: m, transceiver: t.id}
}

// answerMedia fills the row that accepts an offered section; nil: there is nothing to accept.
//
// RFC 9429, section 5.3.1.
func (s *Session) answerMedia(t *transceiver, offer *mediaAttributes, n *numbers) *mediaAttributes {
	m := &mediaAttributes{
		kind: t.kind, direction: t.direction & offer.direction.Reversed(), mixed: offer.mixed, mux: true, reduced: offer.reduced,
		// Preferences of the application order the formats, and without them those of the offer.
		codecs:     n.answer(agreeCodecs(s.codecs(t, t.kind), offer.codecs, t.preferences != nil)),
		extensions: s.answerExtensions(n, t.kind, offer.extensions),
	}
	if m.codecs == nil {
		return nil
	}
	if m.direction.Receives() {
		for _, id := range offer.layers(true) {
			m.rids = append(m.rids, RID{ID: id})
		}
	}
	if m.direction.Sends() {
		for _, e := range t.encodings {
			if e.RID != "" && slices.Contains(offer.layers(false), e.RID) {
				m.rids = append(m.rids, RID{ID: e.RID, Send: true})
			}
		}
	}
	s.describeSender(m, t)
	n.use(m)
	return m
}

// describeSender adds what tells about the sender of t. Streams are told while it wants to send, sources when it may, and both for good once it has
// sent:
//
// "For RtpTransceivers that are not stopped, the "a=msid" line or lines MUST stay the same if they are present in the current description,
// regardless of changes to the transceiver's direction or track." RFC 9429, section 5.2.2
//
// Sources stay with them because Chromium, once they had gone, shows nothing of what comes when they are back.
func (s *Session) describeSender(m *mediaAttributes, t *transceiver) {
	m.simulcast = len(m.rids) > 0
	if t.direction.Sends() || t.everSent {
		m.msids = t.msids()
	}
	// RFC 9429, section 5.2.1: a=ssrc lines are for encodings that have no RID.
	if (m.direction.Sends() || t.everSent && t.encodings[0].RID == "") && len(m.layers(true)) == 0 {
		source := Source{SSRC: t.encodings[0].SSRC, CNAME: s.cname()}
		if hasRepair(m.codecs) {
			source.RTX = t.encodings[0].RTX
		}
		m.sources = []Source{source}
	}
}

// cname is of all our sources (RFC 3550, section 6.5.1).
func (s *Session) cname() string {
	if s.cfg.CNAME != "" {
		return s.cfg.CNAME
	}
	return strconv.FormatUint(s.origin.id, 36)
}

// layers are the RIDs of simulcast in one direction of a section.
func (m *mediaAttributes) layers(send bool) (ids []string) {
	for _, r := range m.rids {
		if r.Send == send {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// hasRepair tells whether there is a format for retransmissions.
func hasRepair(codecs []Codec) bool {
	return slices.ContainsFunc(codecs, func(c Codec) bool { return c.Is("rtx") })
}

// mediaSection writes a section for RTP.
func (s *Session) mediaSection(l *mline) *sdp.MediaDescription {
	m, port := l.media, 9
	l.formats = make([]string, len(m.codecs))
	for i := range m.codecs {
		l.formats[i] = strconv.Itoa(int(m.codecs[i].PayloadType))
	}
	if l.bundleOnly {
		port = 0
	}
	d := newSection(l, port)
	s.appendTransport(d, l)
	if l.bundleOnly {
		d.WithPropertyAttribute("bundle-only")
	}
	for _, e := range m.extensions {
		id := strconv.Itoa(int(e.ID))
		if e.Direction != SendRecv {
			id += "/" + e.Direction.String()
		}
		d.WithValueAttribute("extmap", id+" "+e.URI)
	}
	d.WithPropertyAttribute(m.direction.String())
	for _, id := range m.msids {
		d.WithValueAttribute("msid", id.Stream+" "+id.Track)
	}
	d.WithPropertyAttribute("rtcp-mux")
	if m.reduced {
		d.WithPropertyAttribute("rtcp-rsize")
	}
	for i := range m.codecs {
		m.codecs[i].write(d, l.formats[i])
	}
	for _, source := range m.sources {
		ssrc, rtx := strconv.FormatUint(uint64(source.SSRC), 10), strconv.FormatUint(uint64(source.RTX), 10)
		if source.RTX != 0 {
			d.WithValueAttribute("ssrc-group", "FID "+ssrc+" "+rtx)
		}
		d.WithValueAttribute("ssrc", ssrc+" cname:"+source.CNAME)
		if source.RTX != 0 {
			d.WithValueAttribute("ssrc", rtx+" cname:"+source.CNAME)
		}
	}
	m.writeSimulcast(d)
	return d
}

// write adds the attributes of a format.
func (c *Codec) write(d *sdp.MediaDescription, pt string) {
	format := pt + " " + c.Name + "/" + strconv.FormatUint(uint64(c.ClockRate), 10)
	if c.Channels > 1 {
		format += "/" + strconv.Itoa(int(c.Channels))
	}
	d.WithValueAttribute("rtpmap", format)
	if fmtp := strings.TrimSpace(c.Fmtp); fmtp != "" {
		d.WithValueAttribute("fmtp", pt+" "+fmtp)
	}
	for _, fb := range c.Feedback {
		d.WithValueAttribute("rtcp-fb", strings.TrimSpace(pt+" "+fb.Type+" "+fb.Parameter))
	}
}

// writeSimulcast adds a=rid and a=simulcast.
func (m *mediaAttributes) writeSimulcast(d *sdp.MediaDescription) {
	var value []string
	for _, way := range []struct {
		word string
		send bool
	}{{"send", true}, {"recv", false}} {
		ids := m.layers(way.send)
		for _, id := range ids {
			d.WithValueAttribute("rid", id+" "+way.word)
		}
		if len(ids) > 0 {
			value = append(value, way.word+" "+strings.Join(ids, ";"))
		}
	}
	if len(value) > 0 {
		d.WithValueAttribute("simulcast", strings.Join(value, " "))
	}
}
