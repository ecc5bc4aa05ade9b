package rtc_test

import (
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/logging"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime/sim"
)

// The promises here are about addresses and paths that a test chooses, as only a simulation lets it.

// The filters choose what is gathered, and loopback addresses are gathered only when that is asked for or there is nothing else.
func TestGatheringFilters(t *testing.T) {
	for name, c := range map[string]struct {
		options rtc.ICEOptions
		want    []string
	}{
		"none":          {rtc.ICEOptions{}, []string{"fd00::1", "10.0.0.1"}},
		"loopback":      {rtc.ICEOptions{IncludeLoopback: true}, []string{"fd00::1", "10.0.0.1", "127.0.0.1", "::1"}},
		"interface":     {rtc.ICEOptions{InterfaceFilter: func(n string) bool { return n != "eth0" }}, []string{"127.0.0.1", "::1"}},
		"no interface":  {rtc.ICEOptions{InterfaceFilter: func(string) bool { return false }}, nil},
		"IPv4 only":     {rtc.ICEOptions{IPFilter: isIPv4}, []string{"10.0.0.1"}},
		"IPv6 only":     {rtc.ICEOptions{IPFilter: isIPv6}, []string{"fd00::1"}},
		"IPv4 loopback": {rtc.ICEOptions{IncludeLoopback: true, IPFilter: isIPv4}, []string{"10.0.0.1", "127.0.0.1"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := sim.New(sim.Config{})
			pc := build(t, w, rtc.NewBuilder().Runtime(w.Host("a")).ICE(c.options))
			if err := pc.SetLocalDescription(offerOf(t, pc)); err != nil {
				t.Fatal(err)
			}
			w.Run(time.Second)
			var got []string
			for c := range pc.ICECandidates(t.Context()) {
				got = append(got, c.Address)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("gathered %q, want %q", got, c.want)
			}
		})
	}
}

// ListenAddrs chooses the sockets: candidates have these addresses and ports and no others, and the connection works over them.
func TestListenAddrs(t *testing.T) {
	for name, c := range map[string]struct {
		listen []string
		want   []string
	}{
		"one address":     {[]string{"10.0.0.1:7000"}, []string{"10.0.0.1:7000"}},
		"one, any port":   {[]string{"10.0.0.1:0"}, []string{"10.0.0.1:49152"}},
		"two":             {[]string{"10.0.0.1:7000", "[fd00::1]:7001"}, []string{"10.0.0.1:7000", "[fd00::1]:7001"}},
		"mapped":          {[]string{"[::ffff:10.0.0.1]:7000"}, []string{"10.0.0.1:7000"}},
		"all of IPv4":     {[]string{"0.0.0.0:7000"}, []string{"10.0.0.1:7000"}},
		"all":             {[]string{"[::]:7000"}, []string{"[fd00::1]:7000", "10.0.0.1:7000"}},
		"default":         {nil, []string{"[fd00::1]:49152", "10.0.0.1:49152"}},
		"one is not ours": {[]string{"192.0.2.1:1", "10.0.0.1:7000"}, []string{"10.0.0.1:7000"}},
		"same port":       {[]string{"10.0.0.1:7000", "[fd00::1]:7000"}, []string{"10.0.0.1:7000", "[fd00::1]:7000"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			p, a, _ := connected(t, sim.Config{}, nil, func(i int, b rtc.Builder) rtc.Builder {
				if i == 0 {
					b = b.ListenAddrs(c.listen...)
				}
				return b
			})
			for c := range p.pc[0].ICECandidates(t.Context()) {
				if strings.Contains(c.Address, ":") {
					c.Address = "[" + c.Address + "]"
				}
				got = append(got, c.Address+":"+fmt.Sprint(c.Port))
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("gathered %q, want %q", got, c.want)
			}
			p.must(a.SendText("hello"))
			p.until("a message", func() bool { return p.rec[1].received() == 1 })
		})
	}
}

// What is given to a Builder may be changed afterwards, and so may what a connection gives out: neither changes the connection.
func TestBuilderKeepsNothingOfItsArguments(t *testing.T) {
	w := sim.New(sim.Config{})
	servers := []rtc.ICEServer{{URLs: []string{"stun:192.0.2.1"}}}
	addrs := []string{"10.0.0.1:9000"}
	rec := &recorder{}
	b := rtc.NewBuilder().Runtime(w.Host("a")).Handler(rec).ICEServers(servers...).ListenAddrs(addrs...)
	c := rtc.Configuration{ICEServers: servers}
	withConfiguration := rtc.NewBuilder().Runtime(w.Host("b")).Configuration(c)
	servers[0] = rtc.ICEServer{}
	addrs[0] = "nonsense"
	pc := build(t, w, b)
	build(t, w, withConfiguration)
	if err := pc.SetLocalDescription(offerOf(t, pc)); err != nil {
		t.Fatal(err)
	}
	w.Run(time.Second)
	if !rec.has("candidate 10.0.0.1") || !rec.has("candidateerror 701 stun:192.0.2.1") {
		t.Errorf("heard %q", rec.heard())
	}
	pc.GetConfiguration().ICEServers[0] = rtc.ICEServer{}
	if len(pc.GetConfiguration().ICEServers[0].URLs) != 1 {
		t.Error("a change of what GetConfiguration has returned has changed the connection")
	}
}

// A candidate's Address is what the peer is told, W3C's "the address of the candidate": a link-local address has no zone there, which
// means something on its own machine only.
func TestICECandidateHasNoZone(t *testing.T) {
	p := newPair(t, sim.Config{}, nil)
	p.hosts[0].AddAddr(netip.MustParseAddr("fe80::1"))
	_, err := p.pc[0].CreateDataChannel("data", nil)
	p.must(err)
	p.must(p.pc[0].SetLocalDescription(rtc.SessionDescription{}))
	p.until("the end of candidates", func() bool { return p.rec[0].has("candidate end") })
	found := false
	for c := range p.pc[0].ICECandidates(t.Context()) {
		found = found || c.Address == "fe80::1"
		if words := strings.Fields(c.String()); words[4] != c.Address {
			t.Errorf("Address is %q in %q", c.Address, c)
		}
	}
	if !found {
		t.Error("no candidate for the link-local address")
	}
}

// With all candidates known and none of them working, a connection fails without waiting for ever.
func TestNoCandidateWorks(t *testing.T) {
	p := newPair(t, sim.Config{Link: sim.Link{Down: true}}, nil)
	_, err := p.pc[0].CreateDataChannel("data", nil)
	p.must(err)
	p.negotiate(0)
	start := p.world.Now()
	p.until("failed at both ends", func() bool {
		return p.rec[0].state() == rtc.PeerConnectionStateFailed && p.rec[1].state() == rtc.PeerConnectionStateFailed
	})
	t.Logf("failed after %v", p.world.Now().Sub(start))
	if p.rec[0].has("connection disconnected") || !p.rec[0].has("ice failed") {
		t.Errorf("a heard %q", p.rec[0].heard())
	}
	// A restart begins anew.
	p.world.SetDefault(sim.Link{})
	p.must(p.pc[0].RestartICE())
	p.negotiate(0)
	p.until("open", func() bool { return p.rec[0].has("open data") && p.rec[1].has("open data") })
}

// A restart that is rolled back, at one side or at both, changes nothing of the connection: data goes on, on the same route, and consent too.
func TestRestartIsRolledBack(t *testing.T) {
	rollback := rtc.SessionDescription{Type: rtc.SDPTypeRollback}
	for _, by := range []int{0, 1} {
		for _, seen := range []bool{false, true} {
			t.Run(fmt.Sprint("by=", by, "/seen=", seen), func(t *testing.T) {
				p, a, b := connected(t, sim.Config{Link: sim.Link{Delay: 10 * time.Millisecond}}, nil, nil)
				c := p.chats(a, b)
				p.world.Run(time.Second)
				before, candidates := [2]string{route(p.pc[0]), route(p.pc[1])}, [2][]string{candidateIDs(p.pc[0]), candidateIDs(p.pc[1])}
				ufrag := attribute(p.pc[by].LocalDescription(), "ice-ufrag")
				p.must(p.pc[by].RestartICE())
				p.must(p.pc[by].SetLocalDescription(rtc.SessionDescription{}))
				if attribute(p.pc[by].LocalDescription(), "ice-ufrag") == ufrag {
					t.Error("the offer does not restart")
				}
				if seen {
					p.must(p.pc[1-by].SetRemoteDescription(*p.pc[by].LocalDescription()))
				}
				p.world.Run(3 * time.Second)
				if seen {
					p.must(p.pc[1-by].SetRemoteDescription(rollback))
				}
				p.must(p.pc[by].SetLocalDescription(rollback))
				if got := attribute(p.pc[by].LocalDescription(), "ice-ufrag"); got != ufrag {
					t.Errorf("the ufrag is %q, was %q", got, ufrag)
				}
				p.world.Run(40 * time.Second) // longer than consent lives
				if after := [2]string{route(p.pc[0]), route(p.pc[1])}; after != before {
					t.Errorf("the routes are %q, were %q", after, before)
				}
				for i, pc := range p.pc {
					if after := candidateIDs(pc); len(after) < 4 || !slices.Equal(after, candidates[i]) {
						t.Errorf("%s has the candidates %q, had %q", p.rec[i].name, after, candidates[i])
					}
				}
				wantUndisturbed(t, p, c)
				// What RestartICE has asked for is still asked for.
				p.negotiate(by)
				if attribute(p.pc[by].LocalDescription(), "ice-ufrag") == ufrag {
					t.Error("the next offer does not restart")
				}
				p.world.Run(40 * time.Second) // longer than consent lives
				wantUndisturbed(t, p, c)
				c.end()
			})
		}
	}
}

// An ICE restart by either side, of which neither or one has moved to another address, keeps the data channel: nothing is lost, and the route
// is over the addresses of now.
func TestICERestart(t *testing.T) {
	for _, by := range []int{0, 1} {
		for name, moved := range map[string]int{"nobody": -1, "a": 0, "b": 1} {
			for _, outage := range []time.Duration{0, 2 * time.Second, 10 * time.Second, 45 * time.Second} {
				if moved < 0 && outage > 0 {
					continue
				}
				t.Run(fmt.Sprint("by=", by, "/moved=", name, "/outage=", outage), func(t *testing.T) {
					p, a, b := connected(t, sim.Config{Link: sim.Link{Delay: 10 * time.Millisecond}}, nil, func(i int, b rtc.Builder) rtc.Builder {
						return b.ICE(rtc.ICEOptions{IPFilter: isIPv4})
					})
					c := p.chats(a, b)
					p.world.Run(time.Second)
					fresh := netip.MustParseAddr("10.9.9.9")
					if moved >= 0 {
						h := p.hosts[moved]
						for _, ip := range h.Addrs() {
							h.RemoveAddr(ip)
						}
						h.AddAddr(fresh)
					}
					p.world.Run(outage)
					if outage > 30*time.Second && p.rec[0].state() != rtc.PeerConnectionStateFailed {
						t.Errorf("after %v a is %v", outage, p.rec[0].state())
					}
					before := attribute(p.pc[0].LocalDescription(), "ice-ufrag")
					p.must(p.pc[by].RestartICE())
					p.negotiate(by)
					if attribute(p.pc[0].LocalDescription(), "ice-ufrag") == before {
						t.Error("the credentials are the old ones")
					}
					p.until("data", func() bool {
						return p.rec[0].state() == rtc.PeerConnectionStateConnected && p.rec[1].state() == rtc.PeerConnectionStateConnected &&
							p.world.Now().Sub(c.last[0]) < 100*time.Millisecond && p.world.Now().Sub(c.last[1]) < 100*time.Millisecond
					})
					p.world.Run(35 * time.Second) // longer than consent lives
					if moved < 0 {
						wantUndisturbed(t, p, c)
					} else {
						for i, pc := range p.pc {
							if r := route(pc); strings.Contains(r, fresh.String()) != true {
								t.Errorf("the route of %s is %q", p.rec[i].name, r)
							}
						}
					}
					c.end()
				})
			}
		}
	}
}

// A connection logs its states to the factory that it was built with, and warnings where something is wrong; one without a factory logs nothing.
func TestLogging(t *testing.T) {
	var out [2]lines
	p := newPair(t, sim.Config{}, func(i int, b rtc.Builder) rtc.Builder {
		level := []slog.Level{slog.LevelDebug, slog.LevelInfo}[i]
		return b.LoggerFactory(rtc.SlogLoggerFactory(slog.New(slog.NewTextHandler(&out[i], &slog.HandlerOptions{Level: level}))))
	})
	_, err := p.pc[0].CreateDataChannel("data", nil)
	p.must(err)
	p.negotiate(0)
	p.until("open", func() bool { return p.rec[0].channel(0) != nil })
	p.hosts[0].FailSockets(fmt.Errorf("the network is gone"))
	p.world.Run(time.Second)
	p.must(p.pc[0].Close())
	p.world.Run(time.Second)
	for _, want := range []string{
		"level=INFO msg=\"connection state: connecting\" scope=rtc", "level=INFO msg=\"connection state: connected\" scope=rtc",
		"level=INFO msg=\"connection state: closed\" scope=rtc", "level=DEBUG msg=\"signaling state: stable\" scope=rtc",
		"level=DEBUG msg=\"ICE connection state: checking\"", "level=WARN", "the network is gone",
	} {
		if !strings.Contains(out[0].String(), want) {
			t.Errorf("not logged: %s\n%s", want, out[0].String())
		}
	}
	if strings.Contains(out[1].String(), "DEBUG") || !strings.Contains(out[1].String(), "connection state: connected") {
		t.Errorf("at the level INFO there is\n%s", out[1].String())
	}
	secret := attribute(p.pc[0].LocalDescription(), "ice-pwd")
	if secret == "" || strings.Contains(out[0].String()+out[1].String(), secret) {
		t.Error("the log has a secret")
	}
}

// pion's own factory serves too.
func TestPionLoggerFactory(t *testing.T) {
	var out lines
	f := &logging.DefaultLoggerFactory{Writer: &out, DefaultLogLevel: logging.LogLevelWarn}
	w := sim.New(sim.Config{})
	pc := build(t, w, rtc.NewBuilder().Runtime(w.Host("a")).LoggerFactory(f).ListenAddrs("192.0.2.99:1"))
	if err := pc.SetLocalDescription(offerOf(t, pc)); err != nil {
		t.Fatal(err)
	}
	w.Run(time.Second)
	if text := out.String(); !strings.Contains(text, "rtc WARNING") || !strings.Contains(text, "192.0.2.99:1") || strings.Count(text, "\n") != 1 {
		t.Errorf("logged %q", text)
	}
}
