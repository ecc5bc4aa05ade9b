package jsep

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sansrtc/rtc/internal/golden"
)

// A story is a text file with a command per block and, below it, what happened. Commands:
//
//	need S                    createDataChannel was called
//	restart S                 restartIce
//	offer S [restart]         CreateOffer, and show it
//	answer S                  CreateAnswer, and show it
//	local S [TYPE]            SetLocal with what was created last, or implicit
//	remote S TYPE from R      SetRemote with R's local description as TYPE
//	remote S rollback
//	gather S UFRAG LINE       AddLocalCandidate
//	end S UFRAG               EndOfLocalCandidates
//	trickle S MID UFRAG LINE  AddRemoteCandidate; "-" leaves a field out, no line is the end of candidates
//	show S local|remote
//	state S
type story struct {
	t        *testing.T
	sessions map[string]*Session
}

func (st *story) session(name string) *Session {
	s := st.sessions[name]
	if s == nil {
		s = newTestSession(st.t, name)
		st.sessions[name] = s
	}
	return s
}

var typeNames = map[string]Type{"offer": Offer, "pranswer": PrAnswer, "answer": Answer, "rollback": Rollback}

// run executes a command and returns its output.
func (st *story) run(line string) string {
	f := strings.Fields(line)
	arg := func(i int) string {
		if i < len(f) {
			return f[i]
		}
		return ""
	}
	s := st.session(arg(1))
	defer s.check()
	text := func(d Description, err error) string {
		if err != nil {
			return err.Error() + "\n"
		}
		return strings.ReplaceAll(d.SDP, "\r\n", "\n")
	}
	change := func(c Change, err error) string {
		if err != nil {
			return err.Error() + "\n"
		}
		return c.format()
	}
	switch f[0] {
	case "need":
		s.NeedDataChannel()
	case "restart":
		s.RestartICE()
	case "offer":
		return text(s.CreateOffer(OfferOptions{ICERestart: arg(2) == "restart"}))
	case "answer":
		return text(s.CreateAnswer())
	case "local":
		return change(s.SetLocal(Description{Type: typeNames[arg(2)]}))
	case "remote":
		d := Description{Type: typeNames[arg(2)]}
		if arg(3) == "from" {
			from, _ := st.session(arg(4)).Local()
			d.SDP = from.SDP
		}
		return change(s.SetRemote(d))
	case "gather":
		s.AddLocalCandidate(arg(2), strings.Join(f[3:], " "))
	case "end":
		s.EndOfLocalCandidates(arg(2))
	case "trickle":
		c := RemoteCandidate{Candidate: strings.Join(f[4:], " ")}
		if arg(2) != "-" {
			c.SDPMid = &f[2]
		}
		if arg(3) != "-" {
			c.UsernameFragment = &f[3]
		}
		got, err := s.AddRemoteCandidate(c)
		if err != nil {
			return err.Error() + "\n"
		}
		return fmt.Sprintf("%+v\n", got)
	case "show":
		d, _ := s.Local()
		if arg(2) == "remote" {
			d, _ = s.Remote()
		}
		return text(d, nil)
	case "state":
		return fmt.Sprintf("%v, negotiation needed: %v\n", s.SignalingState(), s.NegotiationNeeded())
	default:
		st.t.Fatalf("unknown command %q", line)
	}
	return ""
}

func TestStories(t *testing.T) { golden.Stories(t, play) }

func play(t *testing.T, in string) string {
	st := &story{t, map[string]*Session{}}
	var out strings.Builder
	for line := range strings.SplitSeq(strings.TrimSuffix(in, "\n"), "\n") {
		switch {
		case strings.HasPrefix(line, "    "): // what was recorded
		case line == "" || line[0] == '#':
			out.WriteString(line + "\n")
		default:
			out.WriteString(line + "\n")
			for l := range strings.SplitSeq(strings.TrimSuffix(st.run(line), "\n"), "\n") {
				if l != "" {
					out.WriteString("    " + l + "\n")
				}
			}
		}
	}
	return out.String()
}
