package ice

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/pion/ice/v4"
)

var compareAddr = cmpopts.EquateComparable(netip.AddrPort{})

// The lines that browsers and pion put into their SDP.
func TestParseCandidate(t *testing.T) {
	for _, tt := range []struct {
		line string
		want Candidate
		err  error
	}{
		{"candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 10.0.1.1 rport 43254 generation 0 ufrag EEtu network-id 1 network-cost 10",
			Candidate{Foundation: "842163049", Component: 1, Priority: 1677729535, Addr: addr("203.0.113.7:46154"), Type: ServerReflexive,
				Related: addr("10.0.1.1:43254"), Ufrag: "EEtu", Protocol: "udp"}, nil},
		{"a=candidate:1 1 UDP 2122252543 2001:db8::7 46154 typ host",
			Candidate{Foundation: "1", Component: 1, Priority: 2122252543, Addr: addr("[2001:db8::7]:46154"), Type: Host, Protocol: "udp"}, nil},
		{"3 1 udp 7 198.51.100.9 3478 typ relay raddr 0.0.0.0 rport 0 ufrag x",
			Candidate{Foundation: "3", Component: 1, Priority: 7, Addr: addr("198.51.100.9:3478"), Type: Relay, Related: addr("0.0.0.0:0"), Ufrag: "x", Protocol: "udp"}, nil},
		{"candidate:4 1 udp 8 ::ffff:198.51.100.9 1 typ prflx raddr 192.0.2.1 rport 1",
			Candidate{Foundation: "4", Component: 1, Priority: 8, Addr: addr("198.51.100.9:1"), Type: PeerReflexive, Related: addr("192.0.2.1:1"), Protocol: "udp"}, nil},
		{"candidate:5 1 tcp 1518280447 192.0.2.3 9 typ host tcptype active",
			Candidate{Foundation: "5", Component: 1, Priority: 1518280447, Addr: addr("192.0.2.3:9"), Type: Host, TCPType: "active", Protocol: "tcp"}, ErrUnsupportedCandidate},
		{"candidate:6 1 udp 2113937151 0f6a6b3c-1f0e-4f0b-8e5c-2a3c8f8f8f8f.local 55555 typ host",
			Candidate{Foundation: "6", Component: 1, Priority: 2113937151, Type: Host, Protocol: "udp"}, ErrUnsupportedCandidate},
		{"candidate:7 2 udp 1 192.0.2.3 9 typ host", Candidate{Foundation: "7", Component: 2, Priority: 1, Addr: addr("192.0.2.3:9"), Protocol: "udp"}, ErrUnsupportedCandidate},
		{"candidate:8 1 udp 1 0.0.0.0 9 typ host", Candidate{Foundation: "8", Component: 1, Priority: 1, Addr: addr("0.0.0.0:9"), Protocol: "udp"}, ErrUnsupportedCandidate},
		{"candidate:8 1 udp 1 224.0.0.251 5353 typ host", Candidate{Foundation: "8", Component: 1, Priority: 1, Addr: addr("224.0.0.251:5353"), Protocol: "udp"}, ErrUnsupportedCandidate},
		{"candidate:8 1 udp 1 255.255.255.255 9 typ host", Candidate{Foundation: "8", Component: 1, Priority: 1, Addr: addr("255.255.255.255:9"), Protocol: "udp"}, ErrUnsupportedCandidate},
		{"candidate:8 1 udp 1 192.0.2.3 0 typ host", Candidate{Foundation: "8", Component: 1, Priority: 1, Addr: addr("192.0.2.3:0"), Protocol: "udp"}, ErrUnsupportedCandidate},
		{"candidate:9 1 udp 1 example.org 9 typ host", Candidate{}, ErrInvalidCandidate},
		{"candidate:9 1 udp 1 192.0.2.3 99999 typ host", Candidate{}, ErrInvalidCandidate},
		{"candidate:9 1 udp 1 192.0.2.3 9 typ alien", Candidate{}, ErrInvalidCandidate},
		{"candidate:9 1 udp", Candidate{}, ErrInvalidCandidate},
		{"candidate:9 1 udp 1 192.0.2.3 9 kind host", Candidate{}, ErrInvalidCandidate},
		{"candidate:9 1 udp 1 192.0.2.3 9 typ host  generation 0", Candidate{}, ErrInvalidCandidate},
		{"candidate:9 1  1 192.0.2.3 9 typ host", Candidate{}, ErrInvalidCandidate},
		{"candidate:9 1 udp 1  192.0.2.3 9 typ host", Candidate{}, ErrInvalidCandidate},
		{"candidate:9 65536 udp 1 192.0.2.3 9 typ host", Candidate{}, ErrInvalidCandidate},
		{"candidate:9 1 udp 4294967296 192.0.2.3 9 typ host", Candidate{}, ErrInvalidCandidate},
		{"candidate:9 1 udp 1 192.0.2.3 9 typ srflx raddr 192.0.2.1 rport 65536", Candidate{}, ErrInvalidCandidate},
		{"candidate:9 1 udp 1 192.0.2.3 9 typ srflx raddr 192.0.2.1", Candidate{}, ErrInvalidCandidate},
		{"candidate:9 1 tcp 1 192.0.2.3 9 typ host tcptype both", Candidate{}, ErrInvalidCandidate},
		{"candidate:9-9 1 udp 1 192.0.2.3 9 typ host", Candidate{}, ErrInvalidCandidate},
		{"candidate:" + strings.Repeat("9", 33) + " 1 udp 1 192.0.2.3 9 typ host", Candidate{}, ErrInvalidCandidate},
		{"candidate:9 1 udp 1 192.0.2.3 9 typ host ufrag a\r\na=b", Candidate{}, ErrInvalidCandidate},
		{"candidate:9 1 ssltcp 1 192.0.2.3 9 typ host", Candidate{Foundation: "9", Component: 1, Priority: 1, Addr: addr("192.0.2.3:9"), Protocol: "ssltcp"}, ErrUnsupportedCandidate},
		{"candidate: 1 udp 1 192.0.2.3 9 typ host ufrag  generation 0", Candidate{Component: 1, Priority: 1, Addr: addr("192.0.2.3:9"), Protocol: "udp"}, nil},
		{"candidate:9 1 udp 1 192.0.2.3 9 typ srflx raddr hidden.local rport 9 ufrag a", Candidate{Foundation: "9", Component: 1, Priority: 1,
			Addr: addr("192.0.2.3:9"), Type: ServerReflexive, Ufrag: "a", Protocol: "udp"}, nil},
		{"", Candidate{}, ErrInvalidCandidate},
	} {
		got, err := ParseCandidate(tt.line)
		if !errors.Is(err, tt.err) {
			t.Errorf("%s: error %v, want %v", tt.line, err, tt.err)
		}
		if diff := cmp.Diff(tt.want, got, compareAddr); diff != "" {
			t.Errorf("%s: %s", tt.line, diff)
		}
		if err != nil {
			continue
		}
		again, err := ParseCandidate(got.String())
		if got.Type != Host && !got.Related.IsValid() {
			got.Related = again.Related // it is told to be 0.0.0.0
		}
		if diff := cmp.Diff(got, again, compareAddr); err != nil || diff != "" {
			t.Errorf("%s does not come back: %v %s", got, err, diff)
		}
	}
}

// "priority = (2^24)*(type preference) + (2^8)*(local preference) + (2^0)*(256 - component ID)", RFC 8445 section 5.1.2.1.
func TestHostCandidate(t *testing.T) {
	c := HostCandidate(addr("[::ffff:192.0.2.1]:5000"), "uf", 65535)
	if c.Priority != 1<<24*126+1<<8*65535+256-1 || c.Addr != addr("192.0.2.1:5000") || c.Base != c.Addr {
		t.Errorf("candidate %+v", c)
	}
	if got, want := c.String(), "candidate:"+c.Foundation+" 1 udp 2130706431 192.0.2.1 5000 typ host ufrag uf"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if d := HostCandidate(addr("192.0.2.1:5001"), "uf", 1); d.Foundation != c.Foundation {
		t.Error("two ports of one address have different foundations")
	}
	if d := HostCandidate(addr("192.0.2.2:5000"), "uf", 1); d.Foundation == c.Foundation {
		t.Error("two addresses have one foundation")
	}
	c.Type = Relay
	if got, want := c.String(), "candidate:"+c.Foundation+" 1 udp 2130706431 192.0.2.1 5000 typ relay raddr 0.0.0.0 rport 0 ufrag uf"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// RFC 8839 section 5.4: "[RFC8445] requires the "ice-ufrag" attribute to contain at least 24 bits of randomness, and the "ice-pwd" attribute to
// contain at least 128 bits of randomness." Section 5.1: "ice-char = ALPHA / DIGIT / "+" / "/"".
func TestNewCredentials(t *testing.T) {
	seen := map[Credentials]bool{}
	for seed := range uint64(100) {
		c, err := NewCredentials(newSeeded(seed))
		if err != nil || len(c.Ufrag) != 8 || len(c.Pwd) != 24 || seen[c] {
			t.Fatal(c, err)
		}
		seen[c] = true
		for _, b := range []byte(c.Ufrag + c.Pwd) {
			if !('a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '+' || b == '/') {
				t.Fatalf("%q is not an ice-char", b)
			}
		}
	}
	if _, err := NewCredentials(bytes.NewReader(make([]byte, 5))); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v", err)
	}
}

// pionCandidate is what pion reads in a line.
func pionCandidate(line string) (Candidate, error) {
	p, err := ice.UnmarshalCandidate(strings.TrimPrefix(strings.TrimSpace(line), "a="))
	if err != nil {
		return Candidate{}, err
	}
	c := Candidate{
		Foundation: strings.TrimSpace(p.Foundation()), Component: p.Component(), Priority: p.Priority(), Protocol: p.NetworkType().NetworkShort(),
		Type: CandidateType(p.Type() - ice.CandidateTypeHost), TCPType: p.TCPType().String(),
	}
	if ext, ok := p.GetExtension("ufrag"); ok {
		c.Ufrag = ext.Value
	}
	if r := p.RelatedAddress(); r != nil {
		if addr, err := netip.ParseAddr(r.Address); err == nil {
			c.Related = unmap(netip.AddrPortFrom(addr, uint16(r.Port)))
		}
	}
	addr, err := netip.ParseAddr(p.Address())
	c.Addr = unmap(netip.AddrPortFrom(addr, uint16(p.Port())))
	return c, err
}

// pionIsElse says that pion reads a line in another way, and wrongly: it cuts numbers that are too large, has 0 for none, takes each transport that begins as one it
// knows for that, makes up a priority for 0, heeds tcptype of host candidates only, and of names only the first of each; or refuses characters that a
// value may have.
func pionIsElse(line string) bool {
	f := strings.Split(strings.TrimSpace(line), " ")
	number := func(i int, most uint64) bool {
		n, err := strconv.ParseUint(f[i], 10, 64)
		return err == nil && n > 0 && n <= most
	}
	return len(f) < 8 || f[5] == "" || strings.Contains(line+" ", "rport  ") || !number(1, 1<<16-1) || !number(3, 1<<32-1) || !slices.Contains([]string{"udp", "tcp"}, strings.ToLower(f[2])) ||
		strings.ContainsFunc(line, func(r rune) bool { return r > 0xff || unicode.IsControl(r) }) || strings.Contains(line, "tcptype") ||
		strings.Count(line, "ufrag") > 1
}

// What is read in a line is what pion reads in it, also when it is damaged.
func TestParseCandidateAsPion(t *testing.T) {
	lines := []string{
		"candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 10.0.1.1 rport 43254 generation 0 ufrag EEtu network-cost 10",
		"candidate:1 1 UDP 2122252543 2001:db8::7 46154 typ host ufrag x",
		"3 1 tcp 7 198.51.100.9 9 typ relay raddr 0.0.0.0 rport 0 generation  ufrag +/",
		"candidate:4 1 udp 8 ::ffff:198.51.100.9 1 typ prflx raddr fe80::1 rport 65535",
	}
	rng, read := rand.New(rand.NewPCG(1, 2)), 0
	for range 200_000 {
		b := []byte(lines[rng.IntN(len(lines))])
		for range rng.IntN(4) {
			from := rng.IntN(len(b))
			switch to := min(len(b), from+1+rng.IntN(4)); rng.IntN(4) {
			case 0:
				b = slices.Delete(b, from, to)
			case 1:
				b = slices.Insert(b, from, b[from:to]...)
			case 2:
				b[from] = " 059:.aufZ+-="[rng.IntN(13)]
			case 3:
				other := lines[rng.IntN(len(lines))]
				b = append(b[:from], other[min(from, len(other)):]...)
			}
			if len(b) == 0 {
				b = []byte{' '}
			}
		}
		line := string(b)
		c, err := ParseCandidate(line)
		if pionIsElse(line) || errors.Is(err, ErrUnsupportedCandidate) {
			continue
		}
		theirs, refused := pionCandidate(line)
		if diff := cmp.Diff(theirs, c, compareAddr); (err == nil) != (refused == nil) || err == nil && diff != "" {
			t.Fatalf("%q: %v, pion has %v: %s", line, err, refused, diff)
		}
		if err == nil {
			read++
		}
	}
	if read < 10_000 {
		t.Errorf("%d lines were read: the test tests little", read)
	}
}

func FuzzParseCandidate(f *testing.F) {
	f.Add("candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 10.0.1.1 rport 43254 generation 0 ufrag EEtu")
	f.Add("a=candidate:1 1 tcp 2122252543 2001:db8::7 46154 typ host tcptype passive")
	f.Fuzz(func(t *testing.T, line string) {
		c, err := ParseCandidate(line)
		if err != nil {
			return
		}
		if strings.ContainsFunc(c.String(), unicode.IsControl) {
			t.Fatalf("%q gives %q", line, c)
		}
		again, err := ParseCandidate(c.String())
		if err != nil {
			t.Fatalf("%q gives %s: %v", line, c, err)
		}
		if c.Type != Host && !c.Related.IsValid() {
			c.Related = again.Related
		}
		c.Related = zoneless(c.Related)
		if diff := cmp.Diff(c, again, compareAddr); diff != "" {
			t.Fatalf("%q: %s", line, diff)
		}
	})
}
