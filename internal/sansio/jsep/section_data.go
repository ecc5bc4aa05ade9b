package jsep

import (
	"strconv"

	"github.com/pion/sdp/v3"
)

// newData is the row of a data section in an offer (RFC 9429, section 5.2.1).
func newData(mid string, c credentials) mline {
	return mline{
		kind: "application", proto: "UDP/DTLS/SCTP", formats: []string{dataFormat}, mid: mid,
		// RFC 9429, section 5.2.1: an offer has actpass, a re-offer too (RFC 8842, section 5.5).
		bundled: true, setup: setupActPass, credentials: c,
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
	return m.WithValueAttribute("max-message-size", strconv.Itoa(s.cfg.MaxMessageSize))
}

// acceptedData is the index of the section of a remote offer that we will take for data channels, or -1.
func (s *Session) acceptedData(p *parsed) int {
	for i := range p.sections {
		// RFC 9429, section 5.3.1: a section is rejected if "The bundle policy is "must-bundle", and this is not the first "m=" section or in
		// the same bundle group as the first "m=" section."
		if p.sections[i].liveData() && (i == 0 || s.cfg.BundlePolicy != MaxBundle || p.bundled(0, i)) {
			return i
		}
	}
	return -1
}

// live is the index of the section whose transport is used or going to be used, in a remote description that was applied; or -1.
func (s *Session) live(d *description) int {
	if d.typ == Offer && d == s.pendingRemote && s.state == HaveRemoteOffer {
		return s.acceptedData(d.parsed)
	}
	other := s.currentLocal
	if d == s.pendingRemote {
		other = s.pendingLocal
	}
	return agreed(other, d)
}

// agreed is the index of the data section that lives in both descriptions, or -1.
func agreed(a, b *description) int {
	if a == nil || b == nil {
		return -1
	}
	for i := range min(len(a.sections), len(b.sections)) {
		if a.sections[i].liveData() && b.sections[i].liveData() {
			return i
		}
	}
	return -1
}
