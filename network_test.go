package rtc_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime/sim"
)

// opened is r's channel with this label, or nil.
func (r *recorder) opened(label string) *rtc.DataChannel {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := slices.IndexFunc(r.channels, func(dc *rtc.DataChannel) bool { return dc.Label() == label }); i >= 0 {
		return r.channels[i]
	}
	return nil
}

// talk makes a reliable and an unreliable channel over p, sends on both from both sides, and holds that reliable messages arrive in order and
// complete, and unreliable ones at most once. It returns how long the channels took to open.
func (p *pair) talk(offerer int) time.Duration {
	p.t.Helper()
	start := p.world.Now()
	_, err := p.pc[0].CreateDataChannel("data", nil)
	p.must(err)
	_, err = p.pc[1].CreateDataChannel("loose", &rtc.DataChannelInit{Ordered: new(false), MaxRetransmits: new(uint16(1))})
	p.must(err)
	p.negotiate(offerer)
	p.until("open", func() bool {
		return p.rec[0].opened("data") != nil && p.rec[0].opened("loose") != nil && p.rec[1].opened("data") != nil && p.rec[1].opened("loose") != nil
	})
	took := p.world.Now().Sub(start)

	const n = 40
	message := func(i int) []byte { return bytes.Repeat(fmt.Appendf(nil, "%08d", i), 1+i*i/2) }
	got, loose := [2]int{}, map[string]int{}
	for i, r := range p.rec {
		r.on = func(kind string, _ *rtc.PeerConnection, dc *rtc.DataChannel, msg rtc.DataChannelMessage) {
			switch {
			case kind != "message":
			case dc.Label() == "loose":
				loose[r.name+string(msg.Data)]++
			case !bytes.Equal(msg.Data, message(got[i])):
				p.t.Errorf("%s got %.20q as message %d", r.name, msg.Data, got[i])
			default:
				got[i]++
			}
		}
	}
	for i := range n {
		for _, r := range p.rec {
			p.must(r.opened("data").Send(message(i)))
			p.must(r.opened("loose").Send(message(i)[:8]))
		}
		p.world.Run(3 * time.Millisecond)
	}
	p.until("reliable messages", func() bool { return got == [2]int{n, n} })
	p.world.Run(10 * time.Second)
	for key, times := range loose {
		if times > 1 {
			p.t.Errorf("%s: came %d times", key, times)
		}
	}
	if len(loose) < n/2 {
		p.t.Errorf("only %d of %d unreliable messages came", len(loose), 2*n)
	}
	for _, r := range p.rec {
		if r.state() != rtc.PeerConnectionStateConnected || r.has("connection disconnected") {
			p.t.Errorf("%s is %v and heard %q", r.name, r.state(), r.heard())
		}
	}
	return took
}

// Whatever the path does to datagrams: the connection is made, in bounded time, stays, and carries what it shall.
func TestNetworks(t *testing.T) {
	const ms = time.Millisecond
	seeds := 12
	if testing.Short() {
		seeds = 3
	}
	for _, c := range []struct {
		name  string
		link  sim.Link
		limit time.Duration // for the channels to open, of the worst seed
	}{
		{"perfect", sim.Link{}, 5 * ms},
		{"near", sim.Link{Delay: ms}, 20 * ms},
		{"continent", sim.Link{Delay: 40 * ms, Jitter: 5 * ms, Loss: 0.001}, time.Second},
		{"satellite", sim.Link{Delay: 300 * ms, Jitter: 20 * ms, Loss: 0.01}, 6 * time.Second},
		{"another world", sim.Link{Delay: 2 * time.Second}, 25 * time.Second},
		{"loss 5 %", sim.Link{Delay: 20 * ms, Loss: 0.05}, 3 * time.Second},
		{"loss 10 %", sim.Link{Delay: 20 * ms, Loss: 0.1}, 4 * time.Second},
		{"loss 30 %", sim.Link{Delay: 20 * ms, Loss: 0.3}, 15 * time.Second},
		{"loss in bursts", sim.Link{Delay: 20 * ms, Burst: sim.Burst{Enter: 0.01, Leave: 0.1, Loss: 0.8}}, 5 * time.Second},
		{"reordering", sim.Link{Delay: 20 * ms, Reorder: 0.3}, time.Second},
		{"strong reordering", sim.Link{Delay: 20 * ms, Jitter: 5 * ms, Reorder: 0.2, ReorderDelay: 200 * ms}, 3 * time.Second},
		{"duplicates", sim.Link{Delay: 20 * ms, Duplicate: 0.5}, time.Second},
		{"jitter", sim.Link{Delay: 5 * ms, Jitter: 200 * ms}, 3 * time.Second},
		{"MTU 1280", sim.Link{Delay: 20 * ms, MTU: 1280}, time.Second},
		{"MTU 1280 and loss", sim.Link{Delay: 20 * ms, MTU: 1280, Loss: 0.05}, 3 * time.Second},
		{"1 Mbit/s", sim.Link{Delay: 20 * ms, Rate: 1e6}, time.Second},
		{"256 kbit/s", sim.Link{Delay: 20 * ms, Rate: 256e3}, 2 * time.Second},
		{"shallow queue", sim.Link{Delay: 20 * ms, Rate: 2e6, Queue: 5000}, 3 * time.Second},
		{"all at once", sim.Link{Delay: 30 * ms, Jitter: 20 * ms, Loss: 0.08, Reorder: 0.1, Duplicate: 0.1, Rate: 2e6, MTU: 1280}, 5 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			var worst time.Duration
			for seed := range uint64(seeds) {
				t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
					// A third of them is behind cards that join what a path has spread.
					cfg := sim.Config{Seed: seed, Link: c.link, Handoff: -1, Moderation: time.Duration(seed%3/2) * 200 * time.Microsecond}
					worst = max(worst, newPair(t, cfg, nil).talk(int(seed%2)))
				})
			}
			t.Logf("open after %v at most", worst)
			if worst > c.limit {
				t.Errorf("channels took %v to open, want at most %v", worst, c.limit)
			}
		})
	}
}

// A host without IPv4, one without IPv6, and one with more addresses than one: all connect with a peer that has what they need, and those that
// share nothing fail.
func TestAddressFamilies(t *testing.T) {
	four, six := netip.MustParseAddr("10.7.0.1"), netip.MustParseAddr("fd07::1")
	for name, c := range map[string]struct {
		addrs []netip.Addr
		route string // an address of it; "": none
	}{
		"IPv6 only":   {[]netip.Addr{six}, six.String()},
		"IPv4 only":   {[]netip.Addr{four}, four.String()},
		"dual stack":  {[]netip.Addr{four, six}, six.String()},
		"link-local":  {[]netip.Addr{netip.MustParseAddr("fe80::7")}, "fe80::7"},
		"two of four": {[]netip.Addr{four, netip.MustParseAddr("10.7.0.2")}, four.String()},
	} {
		t.Run(name, func(t *testing.T) {
			p := pairOf(t, sim.Config{Link: sim.Link{Delay: 10 * time.Millisecond}}, func(w *sim.World, i int) *sim.Host {
				if i == 0 {
					return w.Host("a", c.addrs...)
				}
				return w.Host("b", netip.MustParseAddr("10.8.0.1"), netip.MustParseAddr("fd08::1"), netip.MustParseAddr("fe80::8"))
			})
			p.talk(0)
			if r := route(p.pc[0]); !strings.Contains(r, c.route) {
				t.Errorf("the route is %q, want one over %s", r, c.route)
			}
		})
	}
	p := pairOf(t, sim.Config{}, func(w *sim.World, i int) *sim.Host { return w.Host([]string{"a", "b"}[i], []netip.Addr{four, six}[i]) })
	_, err := p.pc[0].CreateDataChannel("data", nil)
	p.must(err)
	p.negotiate(0)
	p.until("failed", func() bool {
		return p.rec[0].state() == rtc.PeerConnectionStateFailed && p.rec[1].state() == rtc.PeerConnectionStateFailed
	})
}

// pairOf is newPair on hosts that the test makes.
func pairOf(t testing.TB, cfg sim.Config, host func(w *sim.World, i int) *sim.Host) *pair {
	t.Helper()
	p := &pair{t: t, world: sim.New(cfg)}
	for i, name := range []string{"a", "b"} {
		p.hosts[i] = host(p.world, i)
		p.rec[i] = &recorder{name: name}
		pc, err := rtc.NewBuilder().Runtime(p.hosts[i]).Handler(p.rec[i]).Build(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		p.pc[i] = pc
	}
	t.Cleanup(func() {
		for _, pc := range p.pc {
			pc.Close()
		}
		p.end()
	})
	return p
}

// One family's path does not work: the other's carries the connection.
func TestBrokenFamily(t *testing.T) {
	for name, family := range map[string]func(netip.Addr) bool{"IPv4": isIPv4, "IPv6": isIPv6} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t, sim.Config{Link: sim.Link{Delay: 10 * time.Millisecond}}, nil)
			for _, x := range p.hosts[0].Addrs() {
				for _, y := range p.hosts[1].Addrs() {
					if family(x) && family(y) {
						p.world.SetPath(x, y, sim.Link{Down: true})
						p.world.SetPath(y, x, sim.Link{Down: true})
					}
				}
			}
			if took := p.talk(0); took > 2*time.Second {
				t.Errorf("the channels took %v", took)
			}
		})
	}
}

// A path that works in one direction only is no path.
func TestOneWayPath(t *testing.T) {
	p := newPair(t, sim.Config{}, nil)
	p.world.SetLink(p.hosts[0], p.hosts[1], sim.Link{Down: true})
	_, err := p.pc[0].CreateDataChannel("data", nil)
	p.must(err)
	p.negotiate(0)
	p.until("failed", func() bool {
		return p.rec[0].state() == rtc.PeerConnectionStateFailed && p.rec[1].state() == rtc.PeerConnectionStateFailed
	})
	if p.rec[0].has("ice connected") || p.rec[1].has("ice connected") || p.rec[0].has("connection connected") {
		t.Errorf("a heard %q, b heard %q", p.rec[0].heard(), p.rec[1].heard())
	}
}

// One side may be behind any kind of NAT, or two of them, whoever offers; the mapping is kept alive while nothing is sent.
func TestNAT(t *testing.T) {
	public := netip.MustParseAddr("192.0.2.1")
	for name, kind := range map[string]sim.NATKind{
		"full cone": sim.FullCone, "restricted": sim.RestrictedCone, "port restricted": sim.PortRestricted, "symmetric": sim.Symmetric,
	} {
		for _, depth := range []int{1, 2} {
			for _, inside := range []int{0, 1} {
				t.Run(fmt.Sprint(name, "/depth=", depth, "/inside=", inside), func(t *testing.T) {
					kind.Timeout = 20 * time.Second // RFC 4787 says two minutes; there are worse
					p := pairOf(t, sim.Config{Link: sim.Link{Delay: 10 * time.Millisecond}}, func(w *sim.World, i int) *sim.Host {
						name := []string{"a", "b"}[i]
						if i != inside {
							return w.Host(name, netip.MustParseAddr("198.51.100.1"))
						}
						nat := w.NAT("outer", kind, public)
						if depth == 2 {
							nat = nat.NAT("inner", kind, netip.MustParseAddr("10.99.0.1"))
						}
						return nat.Host(name)
					})
					p.talk(0)
					if r := route(p.pc[1-inside]); !strings.Contains(r, public.String()+":") {
						t.Errorf("the outer one's route is %q", r)
					}
					p.world.Run(10 * time.Minute)
					p.rec[inside].on = nil
					p.must(p.rec[1-inside].opened("data").SendText("still"))
					p.until("a message", func() bool { return p.rec[inside].has("message data still") })
					if p.rec[0].has("connection disconnected") || p.rec[1].has("connection disconnected") {
						t.Error("the mapping was lost")
					}
				})
			}
		}
	}
}

// Two sides behind NATs have no address that the other can reach, as there is no server to ask: they fail, in bounded time, with an event; but those
// behind the same NAT connect.
func TestNATOnBothSides(t *testing.T) {
	for name, kind := range map[string]sim.NATKind{"full cone": sim.FullCone, "symmetric": sim.Symmetric} {
		for _, same := range []bool{false, true} {
			t.Run(fmt.Sprint(name, "/same=", same), func(t *testing.T) {
				var nat *sim.NAT
				p := pairOf(t, sim.Config{Link: sim.Link{Delay: 10 * time.Millisecond}}, func(w *sim.World, i int) *sim.Host {
					if nat == nil || !same {
						nat = w.NAT(fmt.Sprint("NAT ", i), kind, netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + i)}))
					}
					return nat.Host([]string{"a", "b"}[i])
				})
				if same {
					p.talk(0)
					return
				}
				_, err := p.pc[0].CreateDataChannel("data", nil)
				p.must(err)
				p.negotiate(0)
				start := p.world.Now()
				p.until("failed", func() bool {
					return p.rec[0].state() == rtc.PeerConnectionStateFailed && p.rec[1].state() == rtc.PeerConnectionStateFailed
				})
				took := p.world.Now().Sub(start)
				t.Logf("failed after %v", took)
				if took > 40*time.Second || !p.rec[0].has("ice failed") || p.rec[0].has("ice connected") {
					t.Errorf("after %v a has heard %q", took, p.rec[0].heard())
				}
			})
		}
	}
}

// A partition is told as disconnected after five seconds. One that heals before it failed is told as connected again, without a call of the
// application, and what was sent meanwhile arrives; one that does not heal fails after thirty.
func TestPartition(t *testing.T) {
	for _, length := range []time.Duration{2, 8, 20, 24} {
		t.Run(fmt.Sprint(length*time.Second), func(t *testing.T) {
			p, a, b := connected(t, sim.Config{Link: sim.Link{Delay: 10 * time.Millisecond}}, nil, nil)
			p.world.Run(5 * time.Second)
			c := p.chats(a, b)
			p.world.Run(2 * time.Second)
			p.world.Partition(p.hosts[0], p.hosts[1], true)
			p.world.Run(length * time.Second)
			p.world.Partition(p.hosts[0], p.hosts[1], false)
			healed := p.world.Now()
			p.until("data", func() bool {
				return c.last[0].After(healed) && c.last[1].After(healed) && p.pc[0].ConnectionState() == rtc.PeerConnectionStateConnected && p.pc[1].ConnectionState() == rtc.PeerConnectionStateConnected
			})
			t.Logf("data again after %v", p.world.Now().Sub(healed))
			if p.world.Now().Sub(healed) > 7*time.Second {
				t.Errorf("data came %v after the path was back", p.world.Now().Sub(healed))
			}
			c.end()
			for _, r := range p.rec {
				want := []string{"connection connecting", "connection connected"}
				if length > 5 {
					want = append(want, "connection disconnected", "connection connected")
				}
				got := slices.DeleteFunc(r.heard(), func(l string) bool { return !strings.HasPrefix(l, "connection") })
				if !slices.Equal(got, want) {
					t.Errorf("%s heard %q, want %q", r.name, got, want)
				}
			}
		})
	}
}

// The times of disconnected and failed are those of ICEOptions; five and thirty seconds by default. An idle connection notices with the next
// consent check, so up to four seconds later.
func TestDisconnectedAndFailed(t *testing.T) {
	for name, c := range map[string]struct {
		options              rtc.ICEOptions
		disconnected, failed time.Duration
	}{
		"default": {rtc.ICEOptions{}, 5 * time.Second, 30 * time.Second},
		"short":   {rtc.ICEOptions{DisconnectedTimeout: 2 * time.Second, FailedTimeout: 3 * time.Second, ConsentInterval: 500 * time.Millisecond}, 2 * time.Second, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			p, a, b := connected(t, sim.Config{Link: sim.Link{Delay: 10 * time.Millisecond}}, nil, func(_ int, b rtc.Builder) rtc.Builder { return b.ICE(c.options) })
			c0 := p.chats(a, b)
			p.world.Run(10 * time.Second)
			c0.done = true
			p.world.Run(100 * time.Millisecond)
			p.world.Partition(p.hosts[0], p.hosts[1], true)
			start := p.world.Now()
			for i, r := range p.rec {
				for _, s := range []struct {
					state rtc.PeerConnectionState
					after time.Duration
				}{{rtc.PeerConnectionStateDisconnected, c.disconnected}, {rtc.PeerConnectionStateFailed, c.failed}} {
					if i == 0 {
						p.until(s.state.String(), func() bool { return p.rec[0].state() == s.state && p.rec[1].state() == s.state })
						if took := p.world.Now().Sub(start); took < s.after-2*time.Second || took > s.after+4*time.Second {
							t.Errorf("%v after %v, want %v", s.state, took, s.after)
						}
					}
					if !r.has("ice "+s.state.String()) || !r.has("connection "+s.state.String()) {
						t.Errorf("%s heard %q", r.name, r.heard())
					}
				}
			}
			p.world.Partition(p.hosts[0], p.hosts[1], false)
			p.world.Run(time.Minute)
			if p.rec[0].state() != rtc.PeerConnectionStateFailed {
				t.Errorf("a connection that has failed is %v without a restart", p.rec[0].state())
			}
		})
	}
}

// An idle connection sends little: consent checks and their answers.
func TestIdleTraffic(t *testing.T) {
	p, _, _ := connected(t, sim.Config{Link: sim.Link{Delay: 10 * time.Millisecond}}, nil, nil)
	p.world.Run(time.Minute)
	datagrams, size := 0, 0
	p.world.Capture(func(pk sim.Packet) {
		if pk.Fate == sim.Sent {
			datagrams++
			size += len(pk.Data)
		}
	})
	p.world.Run(10 * time.Minute)
	t.Logf("%d datagrams, %d bytes a minute, both sides", datagrams/10, size/10)
	// Each side asks every twelve to eighteen seconds, and is answered: four datagrams. One reserve costs as much.
	if perMinute := datagrams / 10; perMinute < 26 || perMinute > 40 || size/10 > 3_400 {
		t.Errorf("an idle minute takes %d datagrams with %d bytes", perMinute, size/10)
	}
}

// Bulk data is complete and unchanged over a path that loses, in slabs of many datagrams and one by one, and takes a good part of what the path
// can carry.
func TestBulkTransfer(t *testing.T) {
	const size = 5 << 20
	for _, loss := range []float64{0, 0.02} {
		for _, segments := range []int{64, 1} {
			t.Run(fmt.Sprint("loss=", loss, "/segments=", segments), func(t *testing.T) {
				link := sim.Link{Delay: 10 * time.Millisecond, Loss: loss, Rate: 50e6, Queue: 256 << 10}
				cfg := sim.Config{Link: link, Handoff: -1, MaxSegments: 1, Coalesce: -1}
				if segments > 1 { // the path spreads them, and they are joined again
					cfg.MaxSegments, cfg.Coalesce, cfg.Moderation = segments, segments, time.Millisecond
				}
				p, a, _ := connected(t, cfg, nil, nil)
				in, out := sha256.New(), sha256.New()
				b := newBulk(7, 0)
				got := 0
				p.rec[1].on = func(kind string, _ *rtc.PeerConnection, _ *rtc.DataChannel, msg rtc.DataChannelMessage) {
					out.Write(msg.Data)
					got += len(msg.Data)
				}
				start := p.world.Now()
				for b.sent < size {
					m := b.next()
					in.Write(m)
					b.took(m)
					p.must(a.Send(m))
				}
				p.until("all", func() bool { return got == b.sent })
				took := p.world.Now().Sub(start)
				if !bytes.Equal(in.Sum(nil), out.Sum(nil)) {
					t.Error("other bytes arrived")
				}
				rate := float64(got) * 8 / took.Seconds()
				t.Logf("%.1f Mbit/s", rate/1e6)
				if want := map[float64]float64{0: 35e6, 0.02: 3e6}[loss]; rate < want {
					t.Errorf("%.1f Mbit/s, want %.1f", rate/1e6, want/1e6)
				}
			})
		}
	}
}

// A NAT that forgets its mappings, as one that restarts does, gives the connection another address: data goes on without a call of the
// application.
func TestNATForgets(t *testing.T) {
	for _, inside := range []int{0, 1} {
		t.Run(fmt.Sprint("inside=", inside), func(t *testing.T) {
			var nat *sim.NAT
			p := pairOf(t, sim.Config{Link: sim.Link{Delay: 10 * time.Millisecond}}, func(w *sim.World, i int) *sim.Host {
				name := []string{"a", "b"}[i]
				if i != inside {
					return w.Host(name, netip.MustParseAddr("198.51.100.1"))
				}
				nat = w.NAT("NAT", sim.PortRestricted, netip.MustParseAddr("192.0.2.1"))
				return nat.Host(name)
			})
			_, err := p.pc[0].CreateDataChannel("data", nil)
			p.must(err)
			p.negotiate(0)
			p.until("open", func() bool { return p.rec[0].channel(0) != nil && p.rec[1].channel(0) != nil })
			c := p.chats(p.rec[0].channel(0), p.rec[1].channel(0))
			p.world.Run(5 * time.Second)
			nat.Forget()
			forgot := p.world.Now()
			p.world.Run(20 * time.Second)
			for i, r := range p.rec {
				if s := r.state(); s != rtc.PeerConnectionStateConnected || p.world.Now().Sub(c.last[i]) > time.Second {
					t.Errorf("%s is %v, and heard the last message %v after", r.name, s, c.last[i].Sub(forgot))
				}
			}
			t.Logf("longest silence %v", c.gap)
			c.done = true
		})
	}
}
