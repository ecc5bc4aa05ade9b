package ice

import (
	"fmt"
	"hash/crc32"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// CandidateType is where a candidate's address comes from.
type CandidateType uint8

// The candidate types of RFC 8445 section 5.1.1.
const (
	Host CandidateType = iota
	ServerReflexive
	PeerReflexive
	Relay
)

var candidateTypes = [...]string{"host", "srflx", "prflx", "relay"}

func (t CandidateType) String() string {
	if int(t) < len(candidateTypes) {
		return candidateTypes[t]
	}
	return "CandidateType(" + strconv.Itoa(int(t)) + ")"
}

// The type preferences recommended in RFC 8445 section 5.1.2.2.
const (
	hostPreference          = 126
	peerReflexivePreference = 110
)

// Candidate is a transport address that one side may be reached at. Addresses are never IPv4-mapped IPv6 ones.
type Candidate struct {
	Foundation string
	Component  uint16
	Priority   uint32
	Addr       netip.AddrPort
	Type       CandidateType
	Related    netip.AddrPort // as signalled, for diagnosis
	Base       netip.AddrPort // of a local candidate: the address that it is sent from
	Ufrag      string
	TCPType    string
	Protocol   string // "udp", or as signalled
}

// HostCandidate returns the candidate of a UDP socket's address. localPreference orders the addresses of a host with several; it should
// be 65535 for a host with one.
func HostCandidate(addr netip.AddrPort, ufrag string, localPreference uint16) Candidate {
	addr = unmap(addr)
	return Candidate{
		Foundation: foundation(Host, addr.Addr()),
		Component:  1,
		Priority:   hostPreference<<24 | uint32(localPreference)<<8 | (256 - 1),
		Addr:       addr,
		Type:       Host,
		Base:       addr,
		Ufrag:      ufrag,
		Protocol:   "udp",
	}
}

// foundation is the same for candidates that are of the same type, have bases with the same IP address, and use the same transport
// protocol, RFC 8445 section 5.1.1.3, and likely different for others.
func foundation(t CandidateType, base netip.Addr) string {
	var name [64]byte
	return strconv.FormatUint(uint64(crc32.ChecksumIEEE(base.AppendTo(append(name[:0], t.String()...)))), 10)
}

// peerReflexivePriority is the priority of a candidate that is learned by a check from the base of c: the same but for the type
// preference, RFC 8445 section 7.1.1.
func (c *Candidate) peerReflexivePriority() uint32 {
	return peerReflexivePreference<<24 | c.Priority&0x00ffffff
}

// ParseCandidate reads a candidate attribute's value, with or without its "candidate:" and "a=". A candidate that is well-formed but of
// no use to an Agent comes with an error that is ErrUnsupportedCandidate.
//
// RFC 8839 section 5.1: "candidate:" foundation SP component-id SP transport SP priority SP connection-address SP port SP "typ" SP candidate-types
// [SP "raddr" SP address] [SP "rport" SP port] *(SP name SP value). A foundation and values that are empty have been seen.
func ParseCandidate(s string) (Candidate, error) {
	rest := strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(s), "a="), "candidate:")
	bad := func(what string) (Candidate, error) {
		return Candidate{}, fmt.Errorf("%w: %s in %q", ErrInvalidCandidate, what, s)
	}
	if strings.ContainsFunc(rest, unicode.IsControl) {
		return bad("control character")
	}
	next := func() (field string) {
		field, rest, _ = strings.Cut(rest, " ")
		return field
	}
	c := Candidate{Foundation: next()}
	if len(c.Foundation) > 32 || strings.ContainsFunc(c.Foundation, notICEChar) {
		return bad("foundation")
	}
	component, err := strconv.ParseUint(next(), 10, 16)
	if err != nil {
		return bad("component")
	}
	if c.Protocol = strings.ToLower(next()); c.Protocol == "" {
		return bad("transport")
	}
	priority, err := strconv.ParseUint(next(), 10, 32)
	if err != nil {
		return bad("priority")
	}
	c.Component, c.Priority = uint16(component), uint32(priority)
	address := next()
	port, err := strconv.ParseUint(next(), 10, 16)
	if err != nil {
		return bad("port")
	}
	if next() != "typ" {
		return bad("no typ")
	}
	if c.Type = CandidateType(slices.Index(candidateTypes[:], next())); c.Type > Relay {
		return bad("type")
	}
	if name, after, _ := strings.Cut(rest, " "); name == "raddr" {
		rest = after
		related := next()
		if next() != "rport" {
			return bad("no rport")
		}
		port, err := strconv.ParseUint(next(), 10, 16)
		if err != nil {
			return bad("rport")
		}
		if addr, err := netip.ParseAddr(related); err == nil && c.Type != Host { // it may be hidden by a name
			c.Related = unmap(netip.AddrPortFrom(addr, uint16(port)))
		}
	}
	if strings.HasPrefix(rest, " ") {
		return bad("no name")
	}
	for rest != "" {
		switch name, value := next(), next(); {
		case name == "ufrag" && c.Ufrag == "":
			c.Ufrag = value
		case name == "tcptype":
			if c.TCPType = strings.ToLower(value); c.TCPType != "active" && c.TCPType != "passive" && c.TCPType != "so" {
				return bad("tcptype")
			}
		}
	}
	if strings.HasSuffix(address, ".local") {
		return c, fmt.Errorf("%w: host name %s", ErrUnsupportedCandidate, address)
	}
	addr, err := netip.ParseAddr(address)
	if err != nil {
		return bad("address")
	}
	c.Addr = unmap(netip.AddrPortFrom(addr.WithZone(""), uint16(port)))
	return c, c.supported()
}

// notICEChar says that r is none of RFC 8839's: "ice-char = ALPHA / DIGIT / "+" / "/"".
func notICEChar(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '+' || r == '/')
}

// supported is nil if checks can be sent to c.
func (c *Candidate) supported() error {
	addr := c.Addr.Addr()
	switch {
	case !strings.EqualFold(c.Protocol, "udp") && c.Protocol != "":
		return fmt.Errorf("%w: protocol %s", ErrUnsupportedCandidate, c.Protocol)
	case c.Component != 1:
		return fmt.Errorf("%w: component %d", ErrUnsupportedCandidate, c.Component)
	case c.Type > Relay:
		return fmt.Errorf("%w: %v", ErrUnsupportedCandidate, c.Type)
	case !addr.IsValid(), addr.IsUnspecified(), addr.IsMulticast(), addr.Is4() && addr.As4() == [4]byte{255, 255, 255, 255}, c.Addr.Port() == 0:
		return fmt.Errorf("%w: address %v", ErrUnsupportedCandidate, c.Addr)
	}
	return nil
}

// String returns the attribute's value, from "candidate:" on.
func (c Candidate) String() string {
	b := make([]byte, 0, 160)
	b = append(append(append(b, "candidate:"...), c.Foundation...), ' ')
	b = append(strconv.AppendUint(b, uint64(c.Component), 10), ' ')
	b = append(append(b, c.protocol()...), ' ')
	b = append(strconv.AppendUint(b, uint64(c.Priority), 10), ' ')
	b = append(c.Addr.Addr().WithZone("").AppendTo(b), ' ')
	b = append(strconv.AppendUint(b, uint64(c.Addr.Port()), 10), " typ "...)
	b = append(b, c.Type.String()...)
	if c.Type != Host {
		// All candidates but host ones have a related address, RFC 8839 section 5.1, which may be hidden.
		related := c.Related
		if !related.IsValid() {
			related = netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
		}
		b = related.Addr().WithZone("").AppendTo(append(b, " raddr "...))
		b = strconv.AppendUint(append(b, " rport "...), uint64(related.Port()), 10)
	}
	if c.TCPType != "" {
		b = append(append(b, " tcptype "...), c.TCPType...)
	}
	if c.Ufrag != "" {
		b = append(append(b, " ufrag "...), c.Ufrag...)
	}
	return string(b)
}

func (c *Candidate) protocol() string {
	if c.Protocol == "" {
		return "udp"
	}
	return c.Protocol
}

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

func zoneless(a netip.AddrPort) netip.AddrPort {
	if a.Addr().Zone() == "" {
		return a
	}
	return netip.AddrPortFrom(a.Addr().WithZone(""), a.Port())
}

// canReach says whether a datagram from base can arrive at remote at all.
func canReach(base, remote netip.Addr) bool {
	// A pair has one address family, and IPv6 link-local addresses MUST NOT be paired with others, RFC 8445 section 6.1.2.2. A remote
	// candidate that is a loopback address names something on our own host.
	return base.Is4() == remote.Is4() &&
		base.IsLinkLocalUnicast() == remote.IsLinkLocalUnicast() &&
		base.IsLoopback() == remote.IsLoopback()
}
