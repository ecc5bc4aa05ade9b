package jsep

import (
	"strconv"

	"github.com/pion/sdp/v3"
)

// newData is the row of a data section in an offer (RFC 9429, section 5.2.1).
func newData(mid string) mline {
	return mline{
		kind: "application", proto: "UDP/DTLS/SCTP", formats: []string{dataFormat}, mid: mid,
		// RFC 9429, section 5.2.1: an offer has actpass, a re-offer too (RFC 8842, section 5.5).
		bundled: true, setup: setupActPass,
	}
}

// dataSection writes a section for data channels.
func (s *Session) dataSection(l *mline) *sdp.MediaDescription {
	port := strconv.Itoa(int(s.cfg.SCTPPort))
	if l.oldData {
		l.formats = []string{port}
	}
	m := newSection(l, 9)
	s.appendTransport(m, l)
	if l.oldData {
		m.WithValueAttribute("sctpmap", port+" "+dataFormat+" 65535")
	} else {
		m.WithValueAttribute("sctp-port", port)
	}
	m.WithValueAttribute("max-message-size", strconv.Itoa(s.cfg.MaxMessageSize))
	if l.sctpInit != "" {
		m.WithValueAttribute("sctp-init", l.sctpInit)
	}
	return m
}
