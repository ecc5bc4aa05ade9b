package jsep

import "github.com/pion/sdp/v3"

// rejectedSection writes a section with port zero; nothing else of what was offered is repeated.
//
// RFC 3264, section 6: of the formats "At least one MUST be present", and they mean nothing. For RTP it is one that needs no rtpmap,
// because there are stacks that look the formats of rejected sections up.
func rejectedSection(l *mline) *sdp.MediaDescription {
	if l.kind != "audio" && l.kind != "video" {
		return newSection(l, 0)
	}
	l.formats = []string{"0"}
	return newSection(l, 0).WithPropertyAttribute("inactive")
}
