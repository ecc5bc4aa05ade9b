package peer

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sansrtc/rtc/internal/golden"
	"github.com/sansrtc/rtc/internal/simnet"
)

// From the moment at which both sides have each other's description, a channel is open everywhere after three and a half round trips, in both
// DTLS roles, whatever a round trip takes: 1 of ICE, 2 of DTLS, and half of one if the channel's maker is the DTLS client, since the server has the
// association first. With SCTP's handshake it is 1.5 more. The first message is there at the same time, since one end has the channel half a round trip
// earlier. Times are in round trips, packets those that each end has sent by then.
func TestSetupInRoundTrips(t *testing.T) {
	var table strings.Builder
	fmt.Fprintf(&table, "%-9s %-8s %-7s %7s %7s %7s %7s %7s %7s %12s %12s %9s\n", "sctp", "answerer", "rtt", "ice A", "ice B", "dtls A", "dtls B", "open A", "open B",
		"B's 1st at A", "A's 1st at B", "packets")
	for _, c := range []struct {
		passive, handshake bool
		limit              float64
	}{{false, false, 3}, {true, false, 3.5}, {false, true, 4.5}, {true, true, 4.5}} {
		for _, rtt := range []time.Duration{10 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond} {
			w := newWorld(t, 1, simnet.Config{Delay: rtt / 2}, Config{AnsweringRole: answering(c.passive), DisableSPED: true, DisableSNAP: c.handshake})
			var ice, dtls, open, first [2]time.Duration
			var packets [2]int
			for i, h := range w.ear {
				at := func(d *time.Duration) {
					if *d == 0 {
						*d = w.now.Sub(epoch)
					}
				}
				h.on = func(e Event) {
					switch {
					case e.Kind == EventICEState && ICEState(e.State).String() == "completed":
						at(&ice[i])
					case e.Kind == EventConnectionState && ConnectionState(e.State) == Connected:
						at(&dtls[i])
					case e.Kind == EventChannelIncoming || e.Kind == EventChannelOpen:
						at(&open[i])
						packets[i] = w.sent[i]
						w.send(i, e.Channel, []byte("first"))
					case e.Kind == EventMessage:
						at(&first[i])
					}
				}
			}
			w.open(0, reliable("chat"))
			w.negotiate(0)
			w.run(10 * rtt)
			trips := func(d time.Duration) float64 { return float64(d) / float64(rtt) }
			fmt.Fprintf(&table, "%-9s %-8s %-7v %7.2f %7.2f %7.2f %7.2f %7.2f %7.2f %12.2f %12.2f %9s\n", map[bool]string{false: "INIT told", true: "handshake"}[c.handshake],
				map[bool]string{false: "client", true: "server"}[c.passive], rtt, trips(ice[0]), trips(ice[1]), trips(dtls[0]), trips(dtls[1]), trips(open[0]), trips(open[1]), trips(first[0]), trips(first[1]),
				fmt.Sprintf("%d + %d", packets[0], packets[1]))
			for i := range open {
				if d := trips(open[i]); d == 0 || d > c.limit {
					t.Errorf("%+v, %v: channel is open at %c after %.2f round trips", c, rtt, 'A'+i, d)
				}
			}
			if d := trips(min(first[0], first[1])); d == 0 || d > c.limit {
				t.Errorf("%+v, %v: the first byte comes after %.2f round trips", c, rtt, d)
			}
		}
	}
	golden.Check(t, "testdata/setup.golden", table.String())
}
