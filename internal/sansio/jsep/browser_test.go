package jsep

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sansrtc/rtc/internal/golden"
)

// format writes a Change for recorded output.
func (c Change) format() string {
	var b strings.Builder
	side := "remote"
	if c.Local {
		side = "local"
	}
	fmt.Fprintf(&b, "%s %v", side, c.Type)
	if c.StateChanged {
		fmt.Fprintf(&b, ": %v", c.From)
		for _, s := range c.To {
			fmt.Fprintf(&b, " -> %v", s)
		}
	}
	if c.RolledBack {
		b.WriteString(", rolled back")
	}
	if c.DataRejected {
		b.WriteString(", data rejected")
	}
	b.WriteByte('\n')
	for _, n := range []struct {
		what string
		ids  []TransceiverID
	}{{"created", c.Created}, {"removed", c.Removed}, {"stopped", c.Stopped}} {
		if n.ids != nil {
			fmt.Fprintf(&b, "  %s %v\n", n.what, n.ids)
		}
	}
	t := c.Transport
	if t == nil {
		b.WriteString("  no transport\n")
		return b.String()
	}
	fmt.Fprintf(&b, "  mid %q line %d answered=%v role=%v controlling=%v\n", t.Mid, t.MLineIndex, t.Answered, t.DTLSRole, t.ICEControlling)
	fmt.Fprintf(&b, "  local %q restart=%v\n", t.LocalUfrag, t.LocalRestart)
	fmt.Fprintf(&b, "  remote %q restart=%v lite=%v trickle=%v fingerprints=%d\n", t.RemoteUfrag, t.RemoteRestart, t.RemoteLite, t.RemoteTrickle, len(t.RemoteFingerprints))
	fmt.Fprintf(&b, "  data=%v port=%d max=%d\n", t.HasData, t.RemoteSCTPPort, t.RemoteMaxMessageSize)
	for _, l := range t.RemoteCandidates {
		fmt.Fprintf(&b, "  %s\n", l)
	}
	if t.RemoteEndOfCandidates {
		b.WriteString("  end-of-candidates\n")
	}
	for _, m := range c.Media {
		b.WriteString(m.format())
	}
	return b.String()
}

// What we answer to the offers of browsers and servers is recorded beside them. Each answer has the sections of the offer in their order,
// all media rejected, and the data section accepted.
func TestOffersOfOthers(t *testing.T) {
	files, _ := filepath.Glob("testdata/offers/*.sdp")
	if len(files) < 9 {
		t.Fatalf("only %d fixtures", len(files))
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".sdp"), func(t *testing.T) {
			offer, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := newTestSession(t, "bobby")
			var out strings.Builder
			out.WriteString(setRemote(t, s, Description{Offer, string(offer)}).format())
			out.WriteString(setLocal(t, s, Description{}).format())
			answer, _ := s.Local()
			out.WriteString(answer.SDP)
			golden.Check(t, strings.TrimSuffix(file, ".sdp")+".answer", out.String())

			if got, _ := s.Remote(); got.SDP != string(offer) {
				t.Errorf("the remote description should be what was set, got\n%s", got.SDP)
			}
			// The same offer again changes nothing.
			setRemote(t, s, Description{Offer, string(offer)})
			setLocal(t, s, Description{})
			if again, _ := s.Local(); again.SDP != answer.SDP {
				t.Errorf("the answer to the same offer should be the same:\n%s\nwas\n%s", again.SDP, answer.SDP)
			}
			// And when we offer next, the sections keep their places.
			c := setLocal(t, s, Description{Type: Offer})
			if c.Transport.DTLSRole == RoleUnknown || c.Transport.LocalRestart || c.Transport.Answered {
				t.Errorf("a re-offer should keep the association: %+v", c.Transport)
			}
		})
	}
}
