package sim

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sansrtc/rtc/runtime"
)

// RFC 4787 §4.1 and §5: what a mapping is shared by, and from whom it accepts.
func TestNATKinds(t *testing.T) {
	all := []Dependence{EndpointIndependent, AddressDependent, AddressPortDependent}
	for _, mapping := range all {
		for _, filtering := range all {
			w := testWorld(t, Config{})
			n := w.NAT("nat", NATKind{Mapping: mapping, Filtering: filtering}, netip.MustParseAddr("203.0.113.1"))
			p := on(t, n.Host("inside"))
			h := w.Host("server")
			server, port, other := on(t, h), on(t, h), on(t, w.Host("other"))
			seen := func(at *peer) netip.AddrPort {
				t.Helper()
				if err := p.send(at.addr(), "out"); err != nil {
					t.Fatal(err)
				}
				w.Run(0)
				return at.last.Remote
			}
			public := seen(server)
			if public.Addr() != n.public || public == p.addr() {
				t.Fatalf("the server sees %v", public)
			}

			// §5, before anything is sent to the others.
			admits := func(from *peer) bool {
				p.got = nil
				from.send(public, "in")
				w.Run(0)
				return len(p.got) == 1 && p.last.Remote == from.addr() && p.last.Local == p.addr()
			}
			if !admits(server) {
				t.Errorf("mapping %v, filtering %v: the answer should be let in", mapping, filtering)
			}
			if got, want := admits(port), filtering <= AddressDependent; got != want {
				t.Errorf("filtering %v: from another port of the server: let in %v, want %v", filtering, got, want)
			}
			if got, want := admits(other), filtering == EndpointIndependent; got != want {
				t.Errorf("filtering %v: from another address: let in %v, want %v", filtering, got, want)
			}

			// §4.1
			if got, want := seen(port) == public, mapping <= AddressDependent; got != want {
				t.Errorf("mapping %v: another port of the server sees the same endpoint: %v, want %v", mapping, got, want)
			}
			if got, want := seen(other) == public, mapping == EndpointIndependent; got != want {
				t.Errorf("mapping %v: another address sees the same endpoint: %v, want %v", mapping, got, want)
			}
			if seen(server) != public {
				t.Errorf("mapping %v: a mapping should not change", mapping)
			}
		}
	}
}

// RFC 4787 §4.3: a mapping lives for the timeout after the last outbound datagram; inbound ones do not refresh it.
func TestNATTimeout(t *testing.T) {
	for timeout, want := range map[time.Duration]time.Duration{0: 2 * time.Minute, 30 * time.Second: 30 * time.Second} {
		w := testWorld(t, Config{})
		n := w.NAT("nat", NATKind{Timeout: timeout}, netip.MustParseAddr("203.0.113.1"))
		p, q := on(t, n.Host("inside")), on(t, w.Host("server"))
		p.send(q.addr(), "out")
		w.Run(want - ms)
		p.send(q.addr(), "out") // refreshes
		w.Run(want - ms)
		public := q.last.Remote
		q.send(public, "in")
		w.Run(0)
		if len(p.got) != 1 {
			t.Fatalf("timeout %v: the mapping is gone early", want)
		}
		w.Run(ms)
		q.send(public, "in")
		w.Run(0)
		if len(p.got) != 1 {
			t.Errorf("timeout %v: the mapping is not gone", want)
		}
		p.send(q.addr(), "out")
		w.Run(0)
		again := q.last.Remote
		if again == public {
			t.Errorf("a new mapping should have a new port")
		}
		n.Forget()
		q.send(again, "in")
		w.Run(0)
		if len(p.got) != 1 {
			t.Error("a NAT that restarted should know nothing")
		}
	}
}

// RFC 4787 §6: with hairpinning, inner hosts reach each other by their public endpoints, and see each other's public ones.
func TestNATHairpin(t *testing.T) {
	for _, hairpin := range []bool{false, true} {
		w := testWorld(t, Config{})
		n := w.NAT("nat", NATKind{Hairpin: hairpin}, netip.MustParseAddr("203.0.113.1"))
		p, q, server := on(t, n.Host("a")), on(t, n.Host("b")), on(t, w.Host("server"))
		q.send(server.addr(), "out")
		w.Run(0)
		p.send(server.last.Remote, "over the hairpin")
		w.Run(0)
		if got := len(q.got) == 1; got != hairpin {
			t.Errorf("hairpin %v: arrives %v", hairpin, got)
		}
		if hairpin && q.last.Remote.Addr() != n.public {
			t.Errorf("the source is %v, want the public one", q.last.Remote)
		}
		p.send(q.addr(), "directly")
		w.Run(0)
		if q.last.Remote != p.addr() {
			t.Errorf("inner hosts should reach each other directly, but the source is %v", q.last.Remote)
		}
	}
}

// NATs behind NATs: a host behind two is seen with the address of the outer one, and two private networks may use the same addresses.
func TestNATNested(t *testing.T) {
	w := testWorld(t, Config{Link: Link{Delay: ms}})
	carrier := w.NAT("carrier", PortRestricted, netip.MustParseAddr("203.0.113.1"))
	home := carrier.NAT("home", Symmetric, netip.MustParseAddr("100.64.0.1"))
	same := netip.MustParseAddr("192.168.0.2")
	a, b := home.Host("a", same), w.NAT("elsewhere", FullCone, netip.MustParseAddr("203.0.113.2")).Host("b", same)
	p, q, server := on(t, a), on(t, b), on(t, w.Host("server"))
	server.onReceive = func(d *runtime.Datagrams) { server.send(d.Remote, "answer") }
	p.send(server.addr(), "out")
	q.send(server.addr(), "out")
	w.Run(2 * ms)
	if len(p.got) != 1 || len(q.got) != 1 || len(server.got) != 2 {
		t.Fatalf("received %q, %q, %q", p.got, q.got, server.got)
	}
	if !strings.Contains(server.got[0], "203.0.113.1:") || !strings.Contains(server.got[1], "203.0.113.2:") {
		t.Errorf("the server sees %q", server.got)
	}
	w.SetLink(a, b, Link{Delay: 50 * ms})
	start := w.Now()
	p.send(server.last.Remote, "to the other one's public endpoint")
	w.RunUntil(func() bool { return len(q.got) == 2 }, time.Second)
	if took := w.Now().Sub(start); took != 50*ms {
		t.Errorf("the path between two hosts behind NATs is set by SetLink of the hosts, but it takes %v", took)
	}
}

// A NAT translates one family; in the other its hosts are on the network around it.
func TestNATOtherFamily(t *testing.T) {
	w := testWorld(t, Config{})
	n := w.NAT("nat", Symmetric, netip.MustParseAddr("203.0.113.1"))
	v6 := netip.MustParseAddr("2001:db8::7")
	h := n.Host("dual", netip.MustParseAddr("192.168.0.2"), v6)
	p, server := newPeer(t, h, netip.IPv6Unspecified()), newPeer(t, w.Host("server"), netip.IPv6Unspecified())
	addrs := server.host.Addrs()
	for i, to := range addrs {
		if err := p.send(netip.AddrPortFrom(to, server.addr().Port()), "x"); err != nil {
			t.Fatal(err)
		}
		w.Run(0)
		if want := []netip.Addr{n.public, v6}[i]; server.last.Remote.Addr() != want {
			t.Errorf("sent to %v from %v, want %v", to, server.last.Remote, want)
		}
	}
	server.send(netip.AddrPortFrom(v6, p.addr().Port()), "in")
	w.Run(0)
	if len(p.got) != 1 {
		t.Error("IPv6 should reach the host without a mapping")
	}
}

// A NAT whose ports are all taken lets nothing new out, and frees those that have expired.
func TestNATExhausted(t *testing.T) {
	w := testWorld(t, Config{})
	n := w.NAT("nat", Symmetric, netip.MustParseAddr("203.0.113.1"))
	p := on(t, n.Host("inside"))
	var fates []Fate
	w.Capture(func(p Packet) { fates = append(fates, p.Fate) })
	const ports = 1<<16 - 1024
	for i := range ports + 3 {
		p.send(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), uint16(1+i>>16)), "")
	}
	if len(n.byPort) > ports || !slices.Contains(fates, Filtered) {
		t.Errorf("%d mappings are alive", len(n.byPort))
	}
	w.check()
	w.Run(2 * time.Minute)
	fates = nil
	for i := range 100 {
		p.send(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, 0, byte(i)}), 1), "")
	}
	if slices.Contains(fates, Filtered) {
		t.Error("expired mappings should make room")
	}
	w.check()
}
