package dtls

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sansrtc/rtc/internal/golden"
	"github.com/sansrtc/rtc/internal/simnet"
)

// story plays a script: commands, one a line, then "----", then everything that happened, recorded. Lines that begin with # are comments.
//
//	new [version=1.3] [delay=D] [mtu=N] [fingerprints=none] [pq] [groups=P-384]   makes both ends; of 1.2 unless told, any=both; groups: the server's
//	lose|double END N                           what becomes of the N-th datagram of an end, counted from 1
//	hold END N D                                delays it
//	start [END]                                 starts both ends or one
//	run [D]                                     until nothing will happen, or for D
//	send END TEXT                               application data
//	forge END alert|data|hello|good-hello|request                  somebody else's datagram to END
//	fingerprints END right|wrong                what the signalling says of the other end
//	close END
//	update END                                  END asks for new keys, and announces its own
type story struct {
	t    *testing.T
	p    *pair
	out  strings.Builder
	seen [2]struct{ events, data int }
	n    [2]int
	fate [2]map[int]string
}

var ends = [2]string{"client", "server"}

func TestStories(t *testing.T) { golden.Stories(t, playStory) }

// playStory returns the script with what happened as its output.
func playStory(t *testing.T, script string) string {
	s := &story{t: t}
	var b strings.Builder
	skip := false
	for line := range strings.Lines(script) {
		text := strings.TrimSuffix(line, "\n")
		switch {
		case text == "----":
			skip = true
			b.WriteString("----\n" + s.out.String())
			s.out.Reset()
		case text == "":
			skip = false
			b.WriteByte('\n')
		case skip:
		default:
			b.WriteString(text + "\n")
			if !strings.HasPrefix(text, "#") {
				s.do(strings.Fields(text))
			}
		}
	}
	return b.String()
}

func (s *story) do(f []string) {
	duration := func(text string) time.Duration {
		d, err := time.ParseDuration(text)
		if err != nil {
			s.t.Fatal(err)
		}
		return d
	}
	end := func(text string) int {
		if text == ends[0] {
			return 0
		} else if text == ends[1] {
			return 1
		}
		s.t.Fatalf("which end is %q?", text)
		return 0
	}
	switch f[0] {
	case "new":
		pc := pairConfig{}
		var changes [2][]func(cfg *Config)
		for _, option := range f[1:] {
			name, value, _ := strings.Cut(option, "=")
			switch name {
			case "delay":
				pc.net.Delay = duration(value)
			case "mtu":
				mtu, _ := strconv.Atoi(value)
				for i := range changes {
					changes[i] = append(changes[i], func(cfg *Config) { cfg.MTU = mtu })
				}
			case "version":
				pc.version = map[string]uint16{"1.2": Version12, "1.3": Version13, "any": anyVersion}[value]
			case "pq":
				changes[0] = append(changes[0], func(cfg *Config) { cfg.PostQuantum = true })
			case "groups":
				changes[1] = append(changes[1], func(cfg *Config) {
					cfg.groups = []uint16{map[string]uint16{"P-384": groupP384, "X25519": groupX25519}[value]}
				})
			case "fingerprints":
				pc.noFingerprints = true
			}
		}
		pc.client = func(cfg *Config) { apply(cfg, changes[0]) }
		pc.server = func(cfg *Config) { apply(cfg, changes[1]) }
		*s = story{t: s.t, p: newPair(s.t, pc), fate: [2]map[int]string{{}, {}}}
		s.p.filter = s.sending
	case "lose", "double", "hold":
		n, _ := strconv.Atoi(f[2])
		s.fate[end(f[1])][n] = strings.Join(append(f[:1:1], f[3:]...), " ")
	case "start":
		for i, c := range s.p.ends {
			if len(f) == 1 || end(f[1]) == i {
				c.Start(s.p.now)
			}
		}
		s.drain()
	case "run":
		limit := s.p.now.Add(time.Hour)
		if len(f) > 1 {
			limit = s.p.now.Add(duration(f[1]))
		}
		for {
			next := simnet.Earliest(s.p.wire.Next(), s.p.ends[0].PollTimeout(), s.p.ends[1].PollTimeout())
			if next.IsZero() || next.After(limit) {
				break
			}
			s.p.step()
			s.drain()
		}
		if len(f) > 1 {
			s.p.now = limit
		}
	case "send":
		s.p.send(end(f[1]), strings.Join(f[2:], " "))
	case "forge":
		b := map[string][]byte{
			"alert":      plainRecord(contentAlert, 0, []byte{alertFatal, byte(AlertHandshakeFailure)}),
			"data":       plainRecord(contentApplicationData, 0, []byte("forged")),
			"good-hello": handshakeRecord(typeClientHello, 0, acceptableHello(nil)),
			"request":    handshakeRecord(typeHelloVerifyRequest, 0, []byte{0xfe, 0xff, 1, 'c'}),
			"hello":      handshakeRecord(typeClientHello, 0, acceptableHello(func(h *clientHello) { h.suites = []uint16{0} })),
		}[f[2]]
		s.p.ends[end(f[1])].HandleDatagram(s.p.now, b)
		s.drain()
	case "fingerprints":
		i := end(f[1])
		cert := [2]Certificate{serverCert, clientCert}[i]
		if f[2] == "wrong" {
			cert = mustGenerate(3)
		}
		s.p.ends[i].SetFingerprints(mustFingerprint(cert))
		s.drain()
	case "close":
		s.p.ends[end(f[1])].Close(s.p.now)
		s.drain()
	case "update":
		c := s.p.ends[end(f[1])]
		c.flight.begin(s.p.now)
		c.flight.wantsAnswer, c.flight.updatesKeys = true, true
		c.addMessage13(c.write, typeKeyUpdate, func(b []byte) []byte { return appendKeyUpdate(b, updateRequested) })
		s.drain()
	default:
		s.t.Fatalf("what is %q?", f)
	}
}

func apply(cfg *Config, changes []func(*Config)) {
	for _, change := range changes {
		change(cfg)
	}
}

func (s *story) tell(format string, args ...any) {
	fmt.Fprintf(&s.out, "%6v ", s.p.now.Sub(epochStart))
	fmt.Fprintf(&s.out, format+"\n", args...)
}

func (s *story) drain() {
	s.p.drain()
	for i := range s.p.ends {
		for ; s.seen[i].events < len(s.p.events[i]); s.seen[i].events++ {
			e := s.p.events[i][s.seen[i].events]
			if e.Err != nil {
				s.tell("%s is %v: %v", ends[i], e.Type, e.Err)
			} else {
				s.tell("%s is %v", ends[i], e.Type)
			}
		}
		for ; s.seen[i].data < len(s.p.data[i]); s.seen[i].data++ {
			s.tell("%s gets %q", ends[i], s.p.data[i][s.seen[i].data])
		}
	}
}

// sending is the pair's filter.
func (s *story) sending(from int, b []byte) []byte {
	s.n[from]++
	fate := s.fate[from][s.n[from]]
	note := ""
	if fate != "" {
		note = "  <" + fate + ">"
	}
	s.tell("%s %d:%s%s", ends[from], s.n[from], describe(s.p.ends[from], b), note)
	switch verb, d, _ := strings.Cut(fate, " "); verb {
	case "lose":
		return nil
	case "double":
		s.p.wire.Send(s.p.now, from, b)
	case "hold":
		hold, err := time.ParseDuration(d)
		if err != nil {
			s.t.Fatal(err)
		}
		pipe := s.p.wire.Pipes[from]
		cfg := pipe.Config()
		late := cfg
		late.Reorder, late.ReorderDelay = 1, hold // later datagrams overtake it
		pipe.SetConfig(late)
		s.p.wire.Send(s.p.now, from, b)
		pipe.SetConfig(cfg)
		return nil
	}
	return b
}

var messageNames = map[uint8]string{
	typeClientHello: "ClientHello", typeServerHello: "ServerHello", typeHelloVerifyRequest: "HelloVerifyRequest",
	typeCertificate: "Certificate", typeServerKeyExchange: "ServerKeyExchange", typeCertificateRequest: "CertificateRequest",
	typeEncryptedExtensions: "EncryptedExtensions", typeFinished: "Finished", typeKeyUpdate: "KeyUpdate",
	typeServerHelloDone: "ServerHelloDone", typeCertificateVerify: "CertificateVerify", typeClientKeyExchange: "ClientKeyExchange",
}

// describe names what is in a datagram that c sends. With 1.2 what is sealed is not looked into.
func describe(c *Conn, b []byte) string {
	var s strings.Builder
	for len(b) > 0 {
		if isUnified(b[0]) {
			r, rest, ok := parseRecord13(b)
			if !ok {
				return s.String() + " ?"
			}
			b = rest
			s.WriteString(describeSealed(c, r))
			continue
		}
		r, rest, ok := parseRecord(b)
		if !ok {
			return s.String() + " ?"
		}
		b = rest
		if r.epoch == epochProtected {
			fmt.Fprintf(&s, " 1/%d(type %d, %d bytes)", r.seq, r.typ, len(r.payload()))
			continue
		}
		fmt.Fprintf(&s, " 0/%d%s", r.seq, describeContent(r.typ, r.payload()))
	}
	return s.String()
}

// describeSealed looks into a record with the sender's own keys.
func describeSealed(c *Conn, r record13) string {
	for _, w := range []*writeEpoch{c.unacked, c.write} {
		if w == nil || w.v13 == nil || r.epochBits != uint8(w.epoch&unifiedEpoch) {
			continue
		}
		if plain, typ, seq, ok := w.v13.openTrial(r, w.next); ok {
			return fmt.Sprintf(" %d/%d%s", w.epoch, seq, describeContent(typ, plain))
		}
	}
	return fmt.Sprintf(" ?(%d bytes)", len(r.raw))
}

func describeContent(typ uint8, b []byte) string {
	var s strings.Builder
	switch typ {
	case contentChangeCipherSpec:
		return "(ChangeCipherSpec)"
	case contentAlert:
		return fmt.Sprintf("(%v)", Alert(b[1]))
	case contentACK:
		numbers, _ := parseACK(b)
		s.WriteString("(ACK")
		for _, n := range numbers {
			fmt.Fprintf(&s, " %d/%d", n.epoch, n.seq)
		}
		s.WriteString(")")
	case contentHandshake:
		for len(b) > 0 {
			h, body, next, _ := parseMessageHeader(b)
			b = next
			part := ""
			if h.fragmentLength != h.length {
				part = fmt.Sprintf(" %d+%d of %d", h.fragmentOffset, h.fragmentLength, h.length)
			}
			name := messageNames[h.typ]
			if hello, ok := parseServerHello(body); ok && h.typ == typeServerHello && hello.isRetry() {
				name = "HelloRetryRequest"
			}
			fmt.Fprintf(&s, "(%s #%d%s)", name, h.seq, part)
		}
	}
	return s.String()
}
