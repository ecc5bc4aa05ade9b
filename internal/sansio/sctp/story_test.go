package sctp

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sansrtc/rtc/internal/golden"
	"github.com/sansrtc/rtc/internal/simnet"
)

// Stories are scripts of commands, each followed by all packets and events that it led to. The files in testdata say what they show.
func TestStories(t *testing.T) { golden.Stories(t, tell) }

// story runs one script. Ends are called A and B.
type story struct {
	*pair
	out   strings.Builder
	lose  [2]int // packets that are let through before one is lost; negative: none is
	state [2]State
}

func tell(t *testing.T, script string) string {
	s := &story{pair: newPair(t, 1, simnet.Config{Delay: 50 * time.Millisecond}, Config{ReceiveBuffer: 32 << 10, MaxReceiveMessageSize: 16 << 10}),
		lose: [2]int{-1, -1}}
	s.onPacket = s.packet
	s.onEvent = s.event
	for line := range strings.Lines(script) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "|") {
			continue // recorded
		}
		fmt.Fprintln(&s.out, line)
		if line != "" && !strings.HasPrefix(line, "#") {
			s.command(strings.Fields(line))
		}
	}
	return s.out.String()
}

func (s *story) command(f []string) {
	end := 0
	if len(f) > 1 && f[1] == "B" {
		end = 1
	}
	number := func(i int) int {
		if i >= len(f) {
			s.fatalf("%v: too short", f)
		}
		n, err := strconv.Atoi(f[i])
		if err != nil {
			s.fatalf("%v: %v", f, err)
		}
		return n
	}
	switch f[0] {
	case "start":
		s.end[end].Start(s.now, 100*time.Millisecond)
	case "send": // end stream size [unordered] [rtx n] [life ms]
		sp := reliable
		for i := 4; i < len(f); i++ {
			switch f[i] {
			case "unordered":
				sp.Unordered = true
			case "rtx":
				i++
				sp.MaxRetransmits = int32(number(i))
			case "life":
				i++
				sp.Lifetime = time.Duration(number(i)) * time.Millisecond
			}
		}
		s.send(end, StreamID(number(2)), body(0, number(3)), sp)
	case "lose": // end n: lets n packets of it through and loses the next
		s.lose[end] = number(2)
	case "keep":
		s.consume = false
	case "take": // end n messages of 1000 bytes
		for range number(2) {
			s.end[end].Consume(s.now, 1000)
		}
	case "path": // up, down, or mtu n
		c := simnet.Config{Delay: 50 * time.Millisecond, Down: f[1] == "down"}
		if f[1] == "mtu" {
			c.MTU = number(2)
		}
		for _, p := range s.wire.Pipes {
			p.SetConfig(c)
		}
	case "interleaving":
		for _, a := range s.end {
			a.cfg.Interleaving = true
		}
	case "larger": // sizes of packets that are probed
		for _, a := range s.end {
			a.cfg.LargerMTUs = []int{number(1), number(2)}
			a.path = newPathMTU(a.mtu, a.cfg.LargerMTUs)
		}
	case "reset":
		s.end[end].ResetStream(s.now, StreamID(number(2)))
	case "release":
		s.end[end].Release(StreamID(number(2)))
	case "shutdown":
		s.end[end].Shutdown(s.now)
	case "abort":
		s.end[end].Abort(s.now, "told to")
	case "run": // ms
		s.run(time.Duration(number(1)) * time.Millisecond)
	default:
		s.fatalf("unknown command %v", f)
	}
	s.states()
}

func (s *story) print(format string, args ...any) {
	fmt.Fprintf(&s.out, "| %5d ", s.now.Sub(testEpoch).Milliseconds())
	fmt.Fprintf(&s.out, format+"\n", args...)
}

func (s *story) states() {
	for i, a := range s.end {
		if a.State() != s.state[i] {
			s.state[i] = a.State()
			s.print("%c is %v", 'A'+i, a.State())
		}
	}
}

func (s *story) event(end int, e Event) {
	s.states()
	switch e.Kind {
	case EventConnected:
		s.print("%c connected", 'A'+end)
	case EventMessage:
		s.print("%c gets %d bytes on stream %d", 'A'+end, len(e.Data), e.Stream)
	case EventIncomingReset:
		s.print("%c: peer has reset %v", 'A'+end, e.Streams)
	case EventOutgoingReset:
		s.print("%c has reset %v, error %v", 'A'+end, e.Streams, e.Err)
	case EventAborted:
		s.print("%c: %v", 'A'+end, e.Err)
	case EventClosed:
		s.print("%c closed", 'A'+end)
	}
}

func (s *story) packet(from int, b []byte) bool {
	s.states()
	a, peer := s.end[from], s.end[1-from]
	own := func(t uint32) int { return a.initialTSN.Distance(TSN(t)) + 1 }
	theirs := func(t uint32) int { return peer.initialTSN.Distance(TSN(t)) + 1 }
	var list []string
	for rest := b[headerSize:]; len(rest) > 0; {
		head, v, next, _ := splitTLV(rest)
		rest = next
		typ, flags := byte(head>>8), byte(head)
		text := map[byte]string{chunkInit: "INIT", chunkInitAck: "INIT ACK", chunkHeartbeat: "HEARTBEAT", chunkHeartbeatAck: "HEARTBEAT ACK",
			chunkAbort: "ABORT", chunkShutdownAck: "SHUTDOWN ACK", chunkError: "ERROR", chunkCookieEcho: "COOKIE ECHO",
			chunkCookieAck: "COOKIE ACK", chunkPad: "PAD", chunkShutdownComplete: "SHUTDOWN COMPLETE"}[typ]
		switch typ {
		case chunkData:
			text = fmt.Sprintf("DATA %d s%d", own(be32(v)), be16(v[4:]))
			for i, name := range "EBUI" {
				if flags>>i&1 != 0 {
					text += string(name)
				}
			}
		case chunkIData:
			text = fmt.Sprintf("I-DATA %d s%d:%d", own(be32(v)), be16(v[4:]), be32(v[8:]))
			if flags&flagB == 0 {
				text += fmt.Sprintf(".%d", be32(v[12:]))
			}
			for i, name := range "EBUI" {
				if flags>>i&1 != 0 {
					text += string(name)
				}
			}
		case chunkIForwardTSN:
			text = fmt.Sprintf("I-FORWARD TSN %d", own(be32(v)))
			for v := v[4:]; len(v) > 0; v = v[8:] {
				text += fmt.Sprintf(" s%d:%d", be16(v), be32(v[4:])) + strings.Repeat("U", int(v[3]))
			}
		case chunkSack:
			text = fmt.Sprintf("SACK %d", theirs(be32(v)))
			for i := range int(be16(v[8:])) {
				cum := be32(v)
				text += fmt.Sprintf(" [%d-%d]", theirs(cum+uint32(be16(v[12+4*i:]))), theirs(cum+uint32(be16(v[14+4*i:]))))
			}
			if n := be16(v[10:]); n > 0 {
				text += fmt.Sprintf(" %d dups", n)
			}
			text += fmt.Sprintf(" window %d", be32(v[4:]))
		case chunkShutdown:
			text = fmt.Sprintf("SHUTDOWN %d", theirs(be32(v)))
		case chunkForwardTSN:
			text = fmt.Sprintf("FORWARD TSN %d", own(be32(v)))
			for v := v[4:]; len(v) > 0; v = v[4:] {
				text += fmt.Sprintf(" s%d:%d", be16(v), be16(v[2:]))
			}
		case chunkReconfig:
			param, v, _, _ := splitTLV(v)
			if param == paramOutgoingReset {
				text = fmt.Sprintf("RESET %d after %d:", own(be32(v)), own(be32(v[8:])))
				for v := v[12:]; len(v) > 0; v = v[2:] {
					text += fmt.Sprintf(" s%d", be16(v))
				}
			} else {
				text = fmt.Sprintf("RESET ANSWER %d: %d", theirs(be32(v)), be32(v[4:]))
			}
		}
		list = append(list, text)
	}
	note := ""
	if s.lose[from] >= 0 {
		if s.lose[from]--; s.lose[from] < 0 {
			note = "  (lost)"
		}
	}
	if len(b) > a.mtu {
		note = fmt.Sprintf("  (%d bytes)", len(b)) + note
	}
	s.print("%c: %s%s", 'A'+from, strings.Join(list, ", "), note)
	return !strings.HasSuffix(note, "(lost)")
}
