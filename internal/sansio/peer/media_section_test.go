package peer

import "testing"

// What was negotiated for a section is what the machine is told: reduced-size RTCP only where both have a=rtcp-rsize (RFC 5506 section 5), and nothing is
// received that is not.
func TestSectionOfTheMachine(t *testing.T) {
	for _, is := range []bool{false, true} {
		s := sectionOf(&MediaSection{Mid: "m", Kind: Video, ReducedSize: is, Receiving: !is})
		if s.MID != "m" || s.ReducedSize != is || s.Receiving != !is {
			t.Errorf("reduced size %t, receiving %t: %+v", is, !is, s)
		}
	}
}
