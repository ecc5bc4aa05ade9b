package peer

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"

	"github.com/sansrtc/rtc/internal/golden"
	"github.com/sansrtc/rtc/internal/simnet"
)

// Stories are scripts of commands, each followed by all datagrams and events that it led to. The files in testdata say what they show.
func TestStories(t *testing.T) { golden.Stories(t, tell) }

// story runs one script. Ends are called A and B, channels by their labels.
type story struct {
	*world
	sniffer
	out      strings.Builder
	delay    time.Duration
	lose     [2]int // datagrams that are let through before one is lost; negative: none is
	channels [2]map[string]Handle
	tracks   map[string]TransceiverID
	desc     Description // that was made last
	quiet    bool        // datagrams are not recorded
}

func tell(t *testing.T, script string) string {
	s := &story{lose: [2]int{-1, -1}, delay: 50 * time.Millisecond, tracks: map[string]TransceiverID{}}
	for line := range strings.Lines(script) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "|") {
			continue // recorded
		}
		fmt.Fprintln(&s.out, line)
		if line != "" && !strings.HasPrefix(line, "#") {
			s.command(t, strings.Fields(line))
		}
	}
	return s.out.String()
}

// start makes the world, when the first command needs it.
func (s *story) start(t *testing.T, cfg Config) {
	s.world = newWorld(t, 1, simnet.Config{Delay: s.delay}, cfg)
	s.see = s.datagram
	for i, h := range s.ear {
		s.channels[i] = map[string]Handle{}
		h.on = func(e Event) {
			s.print("%c hears %s", 'A'+i, describeEvent(e))
			if e.Kind == EventChannelIncoming {
				s.channels[i][e.Params.Label] = e.Channel
			}
		}
	}
}

func (s *story) command(t *testing.T, f []string) {
	if f[0] == "world" { // one-way delay in ms [active: the answerer is the DTLS client] [window: the receive buffer is small] [media: there are codecs]
		// [direct: DTLS is not in the checks] [1.2: the version of DTLS] [handshake: of SCTP, since INIT is not in the descriptions]
		ms, err := strconv.Atoi(f[1])
		if err != nil {
			t.Fatal(err)
		}
		s.delay = time.Duration(ms) * time.Millisecond
		cfg := Config{KeyLog: &s.keyLog, DTLS12: slices.Contains(f, "1.2"), DisableSPED: slices.Contains(f, "direct"), DisableSNAP: slices.Contains(f, "handshake")}
		if slices.Contains(f, "active") {
			cfg.AnsweringRole = RoleClient
		}
		if slices.Contains(f, "media") {
			cfg.Media = MediaConfig{Formats: testFormats(), CNAME: "story"}
		}
		if slices.Contains(f, "window") {
			cfg.ReceiveBuffer, cfg.MaxMessageSize = 20_000, 10_000
		}
		s.start(t, cfg)
		return
	}
	end := 0
	if len(f) > 1 && f[1] == "B" {
		end = 1
	}
	number := func(i int) int {
		n, err := strconv.Atoi(f[i])
		if err != nil {
			s.fatalf("%v: %v", f, err)
		}
		return n
	}
	c := s.core[end]
	switch f[0] {
	case "open": // end label
		s.channels[end][f[2]] = s.world.open(end, reliable(f[2]))
		s.flush()
	case "negotiate": // end that offers
		s.negotiate(end)
	case "offer", "answer": // end: makes it, with all candidates, and applies it at that end
		s.desc = map[string]func() Description{
			"offer":  func() Description { return s.offer(end) },
			"answer": func() Description { return s.answer(end, s.desc) },
		}[f[0]]()
	case "accept": // end: applies the answer that was made last
		s.accept(end, s.desc)
	case "restart": // end
		c.RestartICE()
		s.flush()
	case "send": // end label size
		s.send(end, s.channels[end][f[2]], body(0, number(3)))
		s.flush()
	case "track": // end kind label
		kind := map[string]MediaKind{"audio": Audio, "video": Video}[f[2]]
		id, err := c.AddTrack(s.now, kind, f[3], []string{"camera"})
		s.must(err)
		s.tracks[f[3]] = id
		s.flush()
	case "packets": // end label first count size: they are given at once
		for n := range number(4) {
			h := rtp.Header{Version: 2, PayloadType: 96, SequenceNumber: uint16(number(3) + n), Timestamp: 3000, Marker: n == number(4)-1}
			s.must(c.SendRTP(s.now, s.tracks[f[2]], 0, &h, make([]byte, number(5))))
		}
		s.flush()
	case "direction": // end label direction
		d := map[string]Direction{"inactive": Inactive, "sendonly": SendOnly, "recvonly": RecvOnly, "sendrecv": SendRecv}[f[3]]
		s.must(c.SetDirection(s.now, s.tracks[f[2]], d))
		s.flush()
	case "halt": // end label: stops the transceiver
		s.must(c.StopTransceiver(s.now, s.tracks[f[2]]))
		s.flush()
	case "keyframe": // end stream
		c.RequestKeyframe(s.now, StreamID(number(2)))
		s.flush()
	case "keep": // end: its application takes no messages
		s.ear[end].keep = true
	case "take": // end n
		s.ear[end].take(number(2))
		s.flush()
	case "lose": // end n: lets n datagrams of it through and loses the next
		s.lose[end] = number(2)
	case "path": // up or down
		for _, p := range s.wire.Pipes {
			p.SetConfig(simnet.Config{Delay: s.delay, Down: f[1] == "down"})
		}
	case "stop": // end label: closes the channel
		c.CloseChannel(s.now, s.channels[end][f[2]])
		s.flush()
	case "close": // end
		c.Close(s.now)
		s.flush()
	case "connect": // A opens the channel chat, a second passes, and nothing of it is recorded
		before := s.out.String()
		s.channels[0]["chat"] = s.world.open(0, reliable("chat"))
		s.negotiate(0)
		s.run(time.Second)
		s.out.Reset()
		s.out.WriteString(before)
	case "run", "quiet": // ms; quiet: only events are recorded
		s.quiet = f[0] == "quiet"
		s.run(time.Duration(number(1)) * time.Millisecond)
		s.quiet = false
	default:
		s.fatalf("unknown command %v", f)
	}
}

func (s *story) print(format string, args ...any) {
	fmt.Fprintf(&s.out, "| %5d ", s.now.Sub(epoch).Milliseconds())
	fmt.Fprintf(&s.out, format+"\n", args...)
}

func (s *story) datagram(from int, b []byte) bool {
	note := ""
	if s.lose[from] >= 0 {
		if s.lose[from]--; s.lose[from] < 0 {
			note = " (lost)"
		}
	}
	if what := s.describe(from, b); !s.quiet {
		s.print("%c: %s, %d bytes%s", 'A'+from, what, len(b), note)
	}
	return note == ""
}
