package jsep

import (
	"strings"
	"unicode"
)

// Formats are what may be negotiated about media. They are checked once, by [NewFormats], and shared by many sessions. A kind without codecs is not
// supported: its sections are rejected.
type Formats struct {
	codecs     [3][]Codec        // by MediaKind: in order of preference, with the payload types that we offer
	extensions []HeaderExtension // those that we offer and accept
}

// NewFormats makes them of tables that nobody changes from now on: codecs by [MediaKind], in order of preference, with the payload types to offer, and
// extensions that are offered and accepted. It returns an error for what cannot be written into a description.
func NewFormats(codecs [3][]Codec, extensions []HeaderExtension) (Formats, error) {
	var taken [128]bool
	for kind, codecs := range codecs {
		for i := range codecs {
			c := &codecs[i]
			// RFC 5761, section 4: what would look like RTCP, 64 to 95, is no payload type.
			switch pt := c.PayloadType; {
			case kind == 0, pt > 127, pt >= 64 && pt < 96, taken[pt&127]:
				return Formats{}, errorf(TypeError, "the codec %s has the payload type %d, which it cannot have", c.Name, pt)
			case !isWord(c.Name) || strings.Contains(c.Name, "/") || c.ClockRate == 0 || hasControl(c.Fmtp):
				return Formats{}, errorf(TypeError, "the codec %q of payload type %d cannot be written", c.Name, pt)
			}
			taken[c.PayloadType] = true
			for _, fb := range c.Feedback {
				if !isWord(fb.Type) || hasControl(fb.Parameter) {
					return Formats{}, errorf(TypeError, "the feedback %q of %s cannot be written", fb.Type, c.Name)
				}
			}
		}
	}
	for i := range extensions {
		if e := &extensions[i]; !isWord(e.URI) || e.Direction > SendRecv || e.Kind > Video {
			return Formats{}, errorf(TypeError, "the header extension %q cannot be offered", e.URI)
		}
	}
	return Formats{codecs, extensions}, nil
}

// isWord tells whether s can stand in a line as one of its fields.
func isWord(s string) bool {
	return s != "" && !hasControl(s) && !strings.ContainsFunc(s, unicode.IsSpace)
}
