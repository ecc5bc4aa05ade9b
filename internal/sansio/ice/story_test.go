package ice

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sansrtc/rtc/internal/golden"
	"github.com/sansrtc/rtc/internal/simnet"
)

// Each file of testdata tells a story: a command, then ---- and all that was sent and every event that it led to.
func TestStories(t *testing.T) { golden.Stories(t, tell) }

func tell(t *testing.T, want string) string {
	s := &story{w: newWorld(t, 1, Config{}, Config{})}
	s.w.see = func(from int, local, remote netip.AddrPort, b []byte) {
		if s.quiet {
			return
		}
		if b[0] <= 3 {
			s.say("%d  %v -> %v %s", from, local, remote, describe(b))
		} else {
			s.say("%d  %v -> %v data", from, local, remote)
		}
	}
	s.w.data = func(to int, accepted bool) { s.say("%d  data accepted: %v", to, accepted) }
	s.w.hear = func(who int, e Event) {
		if e.Kind == EventStateChange {
			s.say("%d  state %v", who, e.State)
		} else {
			s.say("%d  %v %v %v - %v %v", who, e.Kind, e.Local.Type, e.Local.Addr, e.Remote.Type, e.Remote.Addr)
		}
	}
	var got strings.Builder
	for block := range strings.SplitSeq(strings.TrimSpace(want), "\n\n") {
		command, _, isCommand := strings.Cut(block, "\n----")
		if !isCommand {
			got.WriteString(block + "\n\n")
			continue
		}
		s.out.Reset()
		for line := range strings.SplitSeq(command, "\n") {
			s.do(t, strings.Fields(line))
		}
		s.w.flush()
		fmt.Fprintf(&got, "%s\n----\n%s\n", command, s.out.String())
	}
	return strings.TrimSpace(got.String()) + "\n"
}

type story struct {
	w          *world
	out        strings.Builder
	candidates [2][]Candidate
	quiet      bool
}

func (s *story) say(format string, args ...any) {
	fmt.Fprintf(&s.out, "%6s  %s\n", s.w.now.Sub(epoch).Round(time.Millisecond/10), fmt.Sprintf(format, args...))
}

func (s *story) do(t *testing.T, f []string) {
	w := s.w
	who := 0
	if len(f) > 1 {
		who, _ = strconv.Atoi(f[1])
	}
	switch f[0] {
	case "base": // base WHO ADDR [NAT]
		b := w.base(who, f[2])
		if len(f) > 3 {
			w.nat[b] = addr(f[3])
		}
	case "join": // join DELAY
		w.paths = nil
		w.join(simnet.Config{Delay: duration(t, f[1])})
	case "down", "up": // down PATH
		for i := range w.paths[who].wire.Pipes {
			cfg := w.paths[who].wire.Pipes[i].Config()
			cfg.Down = f[0] == "down"
			w.paths[who].wire.Pipes[i].SetConfig(cfg)
		}
	case "controlling": // controlling WHO BOOL
		w.agents[who].SetControlling(w.now, f[2] == "true")
	case "lite":
		w.lite = &lite{creds: w.credentials(), answered: map[netip.AddrPort]bool{}}
	case "locals":
		s.candidates[who] = w.addLocals(who)
	case "answer": // answer WHO: it gets the credentials of the other one
		if w.lite != nil {
			w.agents[who].SetRemote(w.now, w.lite.creds, true)
		} else {
			w.agents[who].SetRemote(w.now, w.agents[1-who].LocalCredentials(), false)
		}
	case "candidate": // candidate WHO N: it gets the other one's Nth
		var c Candidate
		n, _ := strconv.Atoi(f[2])
		if w.lite != nil {
			c = HostCandidate(w.bases[1-who][n], "", uint16(65535-n))
		} else {
			c = s.candidates[1-who][n]
		}
		if err := w.agents[who].AddRemoteCandidate(w.now, c); err != nil {
			t.Fatal(err)
		}
	case "end":
		w.agents[who].EndOfRemoteCandidates(w.now)
	case "restart":
		w.agents[who].Restart(w.now, w.credentials())
	case "rollback":
		w.agents[who].Rollback(w.now)
	case "remove": // remove WHO BASE
		w.bases[who] = slices.DeleteFunc(w.bases[who], func(b netip.AddrPort) bool { return b == addr(f[2]) })
		w.agents[who].RemoveLocalCandidate(w.now, addr(f[2]))
	case "quiet": // tell events only
		s.quiet = true
	case "data":
		if local, remote, ok := w.agents[who].Route(); ok {
			w.agents[who].HandleSent(w.now)
			w.agents[who].HandleUse(w.now)
			w.send(who, local, remote, []byte{0x80})
		} else {
			s.say("%d  no route", who)
		}
	case "close":
		w.agents[who].Close(w.now)
	case "run":
		w.run(duration(t, f[1]))
	default:
		t.Fatalf("command %q", f)
	}
	w.checkAll()
}

func duration(t *testing.T, s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
