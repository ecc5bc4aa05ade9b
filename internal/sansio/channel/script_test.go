package channel

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/sansrtc/rtc/internal/golden"
)

// TestScripts plays testdata/*.txt. A line is a command or a comment; the
// indented lines below a command are all that it made the machines send or tell.
//
//	role A              A learns that it is the DTLS client, or B that it is the server
//	connect N           the association is up with N streams
//	open A LABEL [unordered] [retransmits=N] [id=N]
//	send A LABEL TEXT
//	close A LABEL
//	forge A STREAM PPID TEXT   A's SCTP sends what its machine would not
//	arrive A STREAM [I] the oldest (or I-th) packet of A on the stream arrives
//	settle              everything arrives, stream by stream
//	lose A              A's association is gone
func TestScripts(t *testing.T) { golden.Stories(t, play) }

type script struct {
	*line
	out strings.Builder
}

func play(t *testing.T, text string) string {
	s := &script{line: newLine(t, 1, Config{}, Config{})}
	s.note = func(format string, args ...any) { fmt.Fprintf(&s.out, "\t"+format+"\n", args...) }
	for text := range strings.Lines(text) {
		if strings.HasPrefix(text, "\t") {
			continue
		}
		s.out.WriteString(text)
		if f := strings.Fields(text); len(f) > 0 && f[0] != "#" {
			s.command(f)
		}
	}
	return s.out.String()
}

func (s *script) command(f []string) {
	s.t.Helper()
	end := func() *end {
		if f[1] == "A" {
			return s.ends[0]
		}
		return s.ends[1]
	}
	number := func(i int) int {
		n, err := strconv.Atoi(f[i])
		if err != nil {
			s.t.Fatalf("%v: %v", f, err)
		}
		return n
	}
	switch f[0] {
	case "role":
		end().m.SetRole(f[1] == "A")
	case "connect":
		for _, e := range s.ends {
			e.m.HandleConnected(epoch, number(1))
		}
	case "open":
		p := reliable(f[2])
		for _, arg := range f[3:] {
			name, value, _ := strings.Cut(arg, "=")
			n, _ := strconv.Atoi(value)
			switch name {
			case "unordered":
				p.Ordered = false
			case "retransmits":
				p.MaxRetransmits = int32(n)
			case "id":
				p.Negotiated, p.HasID, p.ID = true, true, uint16(n)
			}
		}
		if _, err := end().m.Open(epoch, p); err != nil {
			fmt.Fprintf(&s.out, "\t%v\n", err)
		}
	case "send":
		if err := s.sendData(end(), s.find(end(), f[2]), []byte(f[3]), true); err != nil {
			fmt.Fprintf(&s.out, "\t%v\n", err)
		}
	case "close":
		end().m.Close(epoch, s.find(end(), f[2]))
	case "forge":
		d := end().direction(uint16(number(2)))
		p := packet{out: Outgoing{Stream: uint16(number(2)), PPID: uint32(number(3)), Data: []byte(f[4]), MaxRetransmits: -1, Lifetime: -1}, ssn: d.nextSSN}
		if p.out.PPID == ppidDCEP {
			p.out.Data = appendOpen(nil, reliable(f[4]))
		}
		d.nextSSN++
		d.flight = append(d.flight, p)
	case "arrive":
		i := 0
		if len(f) > 3 {
			i = number(3)
		}
		s.arrive(candidate{end(), uint16(number(2)), i})
	case "settle":
		for {
			all := s.candidates()
			if len(all) == 0 {
				break
			}
			s.arrive(all[0])
			s.report()
		}
	case "lose":
		end().m.HandleClosed(epoch, fmt.Errorf("association lost"))
	default:
		s.t.Fatalf("command %q", f)
	}
	s.report()
}

// report lets the machines have what they want and tell what they know.
func (s *script) report() {
	s.t.Helper()
	for _, e := range s.ends {
		s.pump(e)
		for s.take(e) {
		}
	}
}

func (s *script) find(e *end, label string) Handle {
	s.t.Helper()
	hs := e.m.Handles()
	for i := len(hs) - 1; i >= 0; i-- {
		if info, _ := e.m.Info(hs[i]); info.Label == label {
			return hs[i]
		}
	}
	s.t.Fatalf("%s has no channel %q", e.name, label)
	return 0
}
