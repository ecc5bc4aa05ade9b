package media

import "slices"

// Kind of media.
type Kind uint8

// Audio and Video.
const (
	Audio Kind = iota + 1
	Video
)

// Section is what the descriptions have agreed on for one m-line, as far as what is received depends on it.
type Section struct {
	MID  string
	Kind Kind
	// Receiving says that the other side may send. Packets of a section that does not receive are dropped.
	Receiving   bool
	ReducedSize bool    // a=rtcp-rsize, RFC 5506
	Codecs      []Codec // by the payload types of our own description
	Extensions  Extensions
	Signalled   []Signalled
	RIDs        []string // of a=rid:… send in the remote description; empty without simulcast
}

// Codec is a payload type that the section receives.
type Codec struct {
	PayloadType uint8
	ClockRate   uint32
	// RTX: the payload type is a retransmission format (RFC 4588) for the payload type Of.
	RTX bool
	Of  uint8
	// What the peer understands about this payload type (RFC 4585, RFC 5104).
	NACK, PLI, FIR bool
}

// Extensions are the identifiers of the header extensions (RFC 8285) that the machine itself reads or writes; zero: not negotiated.
type Extensions struct {
	MID, RID, RepairedRID uint8 // RFC 8843 section 15.2, RFC 8852
	TransportCC           uint8 // draft-holmer-rmcat-transport-wide-cc-extensions-01
	AbsSendTime           uint8
}

// Signalled is a source of the remote description's a=ssrc and a=ssrc-group:FID lines.
type Signalled struct {
	SSRC uint32
	RTX  uint32 // zero: none
}

// section is a Section and the tables made of it.
type section struct {
	Section
	codecs [128]int8 // index in Codecs plus one
}

func newSection(s Section) *section {
	n := &section{Section: s}
	for i, c := range s.Codecs {
		n.codecs[c.PayloadType&127] = int8(i + 1)
	}
	return n
}

func (s *section) codec(payloadType uint8) *Codec {
	if i := s.codecs[payloadType&127]; i > 0 {
		return &s.Codecs[i-1]
	}
	return nil
}

// repaired is the source that the retransmissions with ssrc belong to.
func (s *section) repaired(ssrc uint32) (uint32, bool) {
	for _, g := range s.Signalled {
		if g.RTX == ssrc && ssrc != 0 {
			return g.SSRC, true
		}
	}
	return 0, false
}

func (s *section) knowsRID(rid []byte) bool {
	return slices.ContainsFunc(s.RIDs, func(r string) bool { return r == string(rid) })
}

// SetSections tells what was negotiated: all sections, each time. Streams of a section that is gone end, those of one that does not receive now
// are muted.
func (m *Machine) SetSections(sections []Section) {
	m.sections = m.sections[:0:0]
	m.transportCC, m.reducedSize = 0, len(sections) > 0
	for _, s := range sections {
		m.sections = append(m.sections, newSection(s))
		// Both are of the transport, which all sections share (RFC 8843 section 9).
		m.transportCC = max(m.transportCC, s.Extensions.TransportCC)
		m.reducedSize = m.reducedSize && s.ReducedSize
	}
	for _, s := range slices.Clone(m.streams) {
		sec := m.section(s.mid)
		if sec == nil {
			m.endStream(s)
			continue
		}
		if s.section = sec; !sec.Receiving {
			m.mute(s)
		}
	}
}

func (m *Machine) section(mid string) *section {
	for _, s := range m.sections {
		if s.MID == mid {
			return s
		}
	}
	return nil
}
