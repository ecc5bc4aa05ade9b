package jsep

import "github.com/pion/sdp/v3"

// rejectedSection writes a section with port zero. RFC 3264, section 6: it still has the formats of the offer, "at least one MUST be
// present"; nothing else of it is repeated.
func rejectedSection(l *mline) *sdp.MediaDescription {
	m := newSection(l, 0)
	if l.kind == "audio" || l.kind == "video" {
		m.WithPropertyAttribute("inactive")
	}
	return m
}
