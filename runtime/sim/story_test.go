package sim

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sansrtc/rtc/internal/golden"
)

// The stories in testdata: a line is a command, the indented lines below it are what was captured.
func TestStories(t *testing.T) { golden.Stories(t, tell) }

// tell plays the commands of a story and returns it with what happens.
func tell(t *testing.T, story string) string {
	w := testWorld(t, Config{Seed: 1})
	nats, peers, public := map[string]*NAT{}, map[string]*peer{}, map[string]netip.AddrPort{}
	kinds := map[string]NATKind{
		"full-cone": FullCone, "restricted": RestrictedCone, "port-restricted": PortRestricted, "symmetric": Symmetric,
	}
	var out strings.Builder
	w.Capture(func(p Packet) {
		fmt.Fprintf(&out, "  %v %v > %v %s: %v\n", p.At.Sub(w.cfg.Start), p.From, p.To, p.Data, p.Fate)
		// A datagram's text is the name of its sender; what the server sees is the sender's public endpoint.
		if s := peers["server"]; p.Fate == Received && s != nil && p.To == s.addr() {
			public[string(p.Data)] = p.From
		}
	})
	for line := range strings.Lines(story) {
		if strings.HasPrefix(line, "  ") {
			continue
		}
		out.WriteString(line)
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(line, "#") {
			continue
		}
		arg := func(i int) string {
			if i >= len(words) {
				t.Fatalf("%q is too short", line)
			}
			return words[i]
		}
		span := func(i int) time.Duration {
			d, err := time.ParseDuration(arg(i))
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		switch words[0] {
		case "nat":
			nats[arg(1)] = w.NAT(arg(1), kinds[arg(2)], netip.MustParseAddr(arg(3)))
		case "host":
			peers[arg(1)] = on(t, w.Host(arg(1), netip.MustParseAddr(arg(2))))
		case "inside":
			peers[arg(2)] = on(t, nats[arg(1)].Host(arg(2), netip.MustParseAddr(arg(3))))
		case "link":
			w.SetDefault(Link{Delay: span(1)})
		case "send": // to the public endpoint that the server has seen
			to, ok := public[arg(2)]
			if !ok {
				to = peers[arg(2)].addr()
			}
			if err := peers[arg(1)].send(to, arg(1)); err != nil {
				t.Fatal(err)
			}
		case "answer": // whom the last datagram came from
			if err := peers[arg(1)].send(peers[arg(1)].last.Remote, arg(1)); err != nil {
				t.Fatal(err)
			}
		case "run":
			w.Run(span(1))
		default:
			t.Fatalf("unknown command %q", line)
		}
		w.check()
	}
	return out.String()
}
