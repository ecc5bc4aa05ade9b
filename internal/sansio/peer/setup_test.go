package peer

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v4"

	"github.com/sansrtc/rtc/internal/golden"
	"github.com/sansrtc/rtc/internal/simnet"
)

// setup is how a connection is made.
type setup struct {
	sped, dtls13, snap bool
	active             bool // the answerer is the DTLS client
}

func (s setup) config() Config {
	cfg := Config{DisableSPED: !s.sped, DTLS12: !s.dtls13, DisableSNAP: !s.snap, AnsweringRole: RoleServer}
	if s.active {
		cfg.AnsweringRole = RoleClient
	}
	return cfg
}

func (s setup) String() string {
	text := "DTLS 1.2"
	if s.dtls13 {
		text = "DTLS 1.3"
	}
	if s.sped {
		text += " in checks"
	}
	if s.snap {
		text += ", INIT told"
	}
	if s.active {
		return text + ", answerer is client"
	}
	return text + ", answerer is server"
}

// milestones are when things happen at A and B, from the moment at which both have each other's description.
type milestones struct {
	dtls, open, first [2]time.Duration // first: a message that was sent when the other end's channel opened
	sent              [2]int           // datagrams, until the channel was open
}

// measure makes a connection with a channel that both ends know of.
func (w *world) measure(limit time.Duration) (m milestones) {
	for i, h := range w.ear {
		at := func(d *time.Duration) {
			if *d == 0 {
				*d = w.now.Sub(epoch)
			}
		}
		h.on = func(e Event) {
			switch {
			case e.Kind == EventConnectionState && ConnectionState(e.State) == Connected:
				at(&m.dtls[i])
			case e.Kind == EventChannelOpen:
				at(&m.open[i])
				m.sent[i] = w.sent[i]
				w.send(i, e.Channel, []byte("first"))
			case e.Kind == EventMessage:
				at(&m.first[i])
			}
		}
	}
	for i := range w.core {
		p := reliable("chat")
		p.Negotiated, p.HasID = true, true
		w.open(i, p)
	}
	w.negotiate(0)
	for end := w.now.Add(limit); (m.first[0] == 0 || m.first[1] == 0) && w.step(end); {
	}
	return m
}

// From the moment at which both sides have each other's description, with DTLS 1.3 in the checks and SCTP's INIT in the descriptions a channel is open after
// one round trip at the DTLS client, and after one and a half at the server, where the first byte arrives at the same time. Without the one or the other it
// takes as many more as they save, in both roles, whatever a round trip takes. To the microsecond: nothing waits for anything but the path.
func TestSetupInRoundTrips(t *testing.T) {
	var table strings.Builder
	fmt.Fprintf(&table, "%-55s %9s %9s %9s %9s %9s %9s\n", "", "dtls C", "dtls S", "open C", "open S", "1st byte", "packets")
	for _, c := range []struct {
		setup
		client, server, first int // half round trips until the channel is open at the client, at the server, and the first byte is there
	}{
		{setup{sped: true, dtls13: true, snap: true}, 2, 3, 3},
		{setup{sped: true, snap: true}, 4, 3, 4},
		{setup{dtls13: true, snap: true}, 4, 5, 5},
		{setup{snap: true}, 6, 5, 6},
		{setup{sped: true, dtls13: true}, 6, 5, 6},
		{setup{sped: true}, 6, 7, 7},
		{setup{dtls13: true}, 8, 7, 8},
		{setup{}, 8, 9, 9},
	} {
		for _, c.active = range []bool{false, true} {
			for _, rtt := range []time.Duration{10 * time.Millisecond, 100 * time.Millisecond, 240 * time.Millisecond} {
				w := newWorld(t, 1, simnet.Config{Delay: rtt / 2}, c.config())
				m := w.measure(10 * rtt)
				client, server := 0, 1
				if c.active {
					client, server = 1, 0
				}
				half := rtt / 2
				first := min(m.first[0], m.first[1])
				for _, v := range []struct {
					what      string
					got, want time.Duration
				}{{"open at the client", m.open[client], half * time.Duration(c.client)}, {"open at the server", m.open[server], half * time.Duration(c.server)},
					{"the first byte", first, half * time.Duration(c.first)}} {
					if v.got != v.want {
						t.Errorf("%v, %v: %s after %v, want %v", c.setup, rtt, v.what, v.got, v.want)
					}
				}
				if rtt == 100*time.Millisecond {
					trips := func(d time.Duration) float64 { return float64(d) / float64(rtt) }
					fmt.Fprintf(&table, "%-55s %9.2f %9.2f %9.2f %9.2f %9.2f %9s\n", c.setup, trips(m.dtls[client]), trips(m.dtls[server]), trips(m.open[client]),
						trips(m.open[server]), trips(first), fmt.Sprintf("%d + %d", m.sent[client], m.sent[server]))
				}
			}
		}
	}
	golden.Check(t, "testdata/setup.golden", table.String())
}

// A peer without SPED costs nothing: the connection is there as soon as without it at both ends, in both roles, whoever offers.
func TestSetupWithAPeerWithoutSPED(t *testing.T) {
	for _, dtls13 := range []bool{false, true} {
		for _, role := range []DTLSRole{RoleUnknown, RoleClient, RoleServer} {
			var times []milestones
			for _, without := range [][2]bool{{true, true}, {true, false}, {false, true}} {
				a, b := Config{DisableSPED: without[0], DTLS12: !dtls13, AnsweringRole: role}, Config{DisableSPED: without[1], DTLS12: !dtls13, AnsweringRole: role}
				w := newWorld(t, 1, simnet.Config{Delay: 50 * time.Millisecond}, a, b)
				times = append(times, w.measure(2*time.Second))
				for i, c := range w.core {
					if s := c.Report().ICE.Embedding; s.Sent > 0 || s.Received > 0 {
						t.Errorf("%v: %c: %+v", without, 'A'+i, s)
					}
				}
			}
			if times[0] != times[1] || times[0] != times[2] || times[0].first[0] == 0 {
				t.Errorf("1.3 %v, role %v: %+v", dtls13, role, times)
			}
		}
	}
}

// strip takes the attributes of SPED out of what from sends, as no middlebox can that does not know the passwords.
func (w *world) strip(directions ...int) {
	w.alter = func(from int, b []byte) []byte {
		if !slices.Contains(directions, from) || b[0] > 3 {
			return b
		}
		m := stun.Message{Raw: slices.Clone(b)}
		if err := m.Decode(); err != nil {
			w.fatalf("%v", err)
		}
		signer := w.core[from]
		if m.Type.Class == stun.ClassRequest {
			signer = w.core[1-from]
		}
		out := stun.Message{Type: m.Type, TransactionID: m.TransactionID}
		out.WriteHeader()
		for _, a := range m.Attributes {
			switch a.Type {
			case stun.AttrDtlsInStun, stun.AttrDtlsInStunAck, stun.AttrMessageIntegrity, stun.AttrFingerprint:
			default:
				out.Add(a.Type, a.Value)
			}
		}
		w.must(stun.NewShortTermIntegrity(signer.ice.LocalCredentials().Pwd).AddTo(&out))
		w.must(stun.Fingerprint.AddTo(&out))
		return out.Raw
	}
}

// Where both have agreed on SPED and it does not pass, in one direction or both, the handshake leaves the checks with the first message that lacks it: the
// connection is there no more than a round trip later than without.
func TestSetupWhereSPEDDoesNotPass(t *testing.T) {
	const rtt = 100 * time.Millisecond
	for _, s := range []setup{{sped: true, dtls13: true, snap: true}, {sped: true, snap: true}, {sped: true, dtls13: true, snap: true, active: true}, {sped: true, snap: true, active: true}} {
		without := s
		without.sped = false
		plain := newWorld(t, 1, simnet.Config{Delay: rtt / 2}, without.config()).measure(time.Second)
		for _, directions := range [][]int{{0}, {1}, {0, 1}} {
			w := newWorld(t, 1, simnet.Config{Delay: rtt / 2}, s.config())
			w.strip(directions...)
			m := w.measure(5 * time.Second)
			for i := range m.open {
				if m.open[i] == 0 || m.open[i] > plain.open[i]+rtt {
					t.Errorf("%v, stripped %v: %c is open after %v, %v without SPED", s, directions, 'A'+i, m.open[i], plain.open[i])
				}
			}
			if got := w.core[1-directions[0]].Report().ICE.Embedding.State.String(); got != "off" {
				t.Errorf("%v, stripped %v: embedding is %s", s, directions, got)
			}
		}
	}
}
