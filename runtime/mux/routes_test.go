package mux

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/sansrtc/rtc/runtime"
)

// bare is a mux without a port, to learn routes in.
func bare() *Runtime {
	r := new(Runtime)
	r.routes.init()
	r.claims.init()
	r.lobby.init(r, nil)
	r.locals = []netip.AddrPort{netip.MustParseAddrPort("[::]:1")}
	return r
}

func remote(n int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, byte(n >> 8), byte(n)}), 9)
}

// ownerOf is who gets what comes from an address.
func (r *Runtime) ownerOf(from netip.AddrPort, local netip.Addr, now time.Duration) *socket {
	if path := r.routes.lookup(from, netip.AddrPortFrom(local, 1), now); path != nil {
		return path.owner
	}
	return nil
}

// asked lets a request for s come from an address, as find does.
func (r *Runtime) asked(s *socket, from netip.AddrPort, now time.Duration) {
	s.heed(&runtime.Datagrams{Local: r.locals[0], Remote: from})
	switch path := r.routes.lookup(from, r.locals[0], now); {
	case path == nil:
	case path.owner == s:
		touch(&path.heard, now)
	default:
		path.rival.Store(s)
	}
}

// "An address is owned … until the socket has not sent there for a minute".
func TestRouteExpires(t *testing.T) {
	r := bare()
	a, b := &socket{mux: r}, &socket{mux: r}
	a.learn(netip.Addr{}, remote(1), 0)
	for now := time.Duration(0); now < 5*routeLife; now += routeLife / 2 {
		a.learn(netip.Addr{}, remote(1), now)
		if r.ownerOf(remote(1), netip.Addr{}, now+routeLife) != a {
			t.Fatalf("at %v the address is not owned, but it is in use", now)
		}
	}
	late := 5*routeLife + routeLife
	if r.ownerOf(remote(1), netip.Addr{}, late) != nil {
		t.Fatal("the route does not expire")
	}
	b.learn(netip.Addr{}, remote(1), late)
	if r.ownerOf(remote(1), netip.Addr{}, late) != b || r.routes.len() != 1 {
		t.Fatal("who sends to an address that nobody owns any more owns it")
	}
	a.learn(netip.Addr{}, remote(2), late) // and a's list is tidied
	if len(a.owned.routes) != 1 {
		t.Errorf("%d routes are kept", len(a.owned.routes))
	}
}

// "Another socket becomes the owner when it answers …, and the owner has heard nothing for 20 seconds."
func TestRouteIsDefended(t *testing.T) {
	type step struct {
		at   time.Duration
		what string // who does what: "+a" sends, "?a" is asked, "!a" is answered, "=a" gets data
		want string
	}
	s := time.Second
	for name, steps := range map[string][]step{
		"sending is not enough":         {{0, "+a", "a"}, {1 * s, "+b", "a"}, {30 * s, "+b", "a"}, {30 * s, "+a", "a"}},
		"asked before the owner":        {{0, "+a", "a"}, {1 * s, "?b", "a"}, {1 * s, "+b", "b"}, {2 * s, "+a", "b"}, {3 * s, "?b", "b"}},
		"the owner is there":            {{0, "+a", "a"}, {1 * s, "?a", "a"}, {6 * s, "?b", "a"}, {6 * s, "+b", "a"}, {12 * s, "+b", "a"}},
		"the owner was there":           {{0, "+a", "a"}, {1 * s, "?a", "a"}, {6 * s, "?b", "a"}, {22 * s, "+b", "b"}, {23 * s, "+a", "b"}},
		"it comes back":                 {{0, "+a", "a"}, {1 * s, "?b", "a"}, {1 * s, "+b", "b"}, {9 * s, "?a", "b"}, {9 * s, "+a", "b"}, {22 * s, "+a", "a"}},
		"the last rival counts":         {{0, "+a", "a"}, {1 * s, "?b", "a"}, {2 * s, "?c", "a"}, {2 * s, "+b", "a"}, {2 * s, "+c", "c"}},
		"nobody is there any more":      {{0, "+a", "a"}, {70 * s, "+b", "b"}},
		"asked before it sends":         {{0, "?a", ""}, {0, "+a", "a"}, {1 * s, "?b", "a"}, {1 * s, "+b", "a"}, {22 * s, "+b", "b"}},
		"an owner that was answered":    {{0, "+a", "a"}, {1 * s, "!a", "a"}, {1 * s, "?b", "a"}, {1 * s, "+b", "a"}, {22 * s, "+b", "b"}},
		"who was answered nothing":      {{0, "+a", "a"}, {1 * s, "=a", "a"}, {1 * s, "?b", "a"}, {1 * s, "+b", "b"}},
		"an owner that comes to expire": {{0, "+a", "a"}, {1 * s, "?a", "a"}, {61 * s, "", ""}, {61 * s, "+b", "b"}},
	} {
		r := bare()
		sockets := map[byte]*socket{'a': {mux: r}, 'b': {mux: r}, 'c': {mux: r}}
		for n, o := range sockets {
			if err := r.claims.claim(o, "ufrag"+string(n)); err != nil {
				t.Fatal(err)
			}
		}
		for i, st := range steps {
			if st.what != "" {
				o := sockets[st.what[1]]
				d := &runtime.Datagrams{Local: r.locals[0], Remote: remote(1), Data: []byte("data")}
				switch st.what[0] {
				case '+':
					o.learn(netip.Addr{}, remote(1), st.at)
				case '?':
					r.asked(o, remote(1), st.at)
				case '!':
					d.Data = append([]byte{1, 1}, make([]byte, 18)...) // a success response
					fallthrough
				case '=':
					if r.find(d, st.at) != o {
						t.Errorf("%s, step %d: what is for the owner goes elsewhere", name, i)
					}
				}
			}
			got := ""
			for n, o := range sockets {
				if r.ownerOf(remote(1), netip.Addr{}, st.at) == o {
					got = string(n)
				}
			}
			if got != st.want {
				t.Errorf("%s, step %d (%v %s): %q is the owner, want %q", name, i, st.at, st.what, got, st.want)
			}
		}
	}
}

// A socket that is given many candidates takes no more than its part of the table, and keeps those it uses.
func TestRoutesAreBounded(t *testing.T) {
	r := bare()
	s := &socket{mux: r}
	now := time.Duration(0)
	for n := range 2000 {
		now += 10 * time.Millisecond
		s.learn(netip.Addr{}, remote(n), now)
		if n%50 == 0 {
			s.learn(netip.Addr{}, remote(0), now)
		}
	}
	if n := r.routes.len(); n != maxRoutes {
		t.Errorf("%d routes", n)
	}
	if r.ownerOf(remote(0), netip.Addr{}, now) != s || r.ownerOf(remote(1999), netip.Addr{}, now) != s || r.ownerOf(remote(1000), netip.Addr{}, now) != nil {
		t.Error("the oldest should go first")
	}
	s.owned.close(&r.routes)
	s.learn(netip.Addr{}, remote(7), now)
	if n := r.routes.len(); n != 0 {
		t.Errorf("%d routes of a closed socket", n)
	}
}

// Paths to several local addresses are told apart, where the sender says which one it uses.
func TestLocalAddressIsPartOfThePath(t *testing.T) {
	r := bare()
	a, b, c := &socket{mux: r}, &socket{mux: r}, &socket{mux: r}
	one, two, three := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.3")
	a.learn(one, remote(1), 0)
	b.learn(two, remote(1), 0)
	for local, want := range map[netip.Addr]*socket{one: a, two: b, three: nil} {
		if r.ownerOf(remote(1), local, 0) != want {
			t.Errorf("wrong owner for %v", local)
		}
	}
	c.learn(netip.IPv6Unspecified(), remote(1), 0) // the system chooses
	for local, want := range map[netip.Addr]*socket{one: a, two: b, three: c} {
		if r.ownerOf(remote(1), local, 0) != want {
			t.Errorf("wrong owner for %v, with one for all", local)
		}
	}
	r.locals = []netip.AddrPort{netip.AddrPortFrom(one, 1)} // a port on one address
	d := &socket{mux: r}
	d.learn(netip.IPv4Unspecified(), remote(2), 0)
	if r.ownerOf(remote(2), one, 0) != d {
		t.Error("on a port of one address the system has no choice")
	}
}

// check compares the table with the lists of its owners.
func (r *Runtime) check(sockets []*socket) {
	bug := func(format string, args ...any) { panic("BUG: mux: " + fmt.Sprintf(format, args...)) }
	listed := map[*route]bool{}
	for _, s := range sockets {
		if len(s.owned.routes) > maxRoutes {
			bug("a socket has %d routes", len(s.owned.routes))
		}
		for _, p := range s.owned.routes {
			if p.owner != s {
				bug("a route of another socket is listed")
			}
			listed[p] = true
		}
		for _, u := range s.ufrags {
			if r.claims.owner[u] != s {
				bug("%q is not claimed by who has it", u)
			}
		}
	}
	anyway, claimed := 0, 0
	for i := range r.routes.parts {
		for k, p := range r.routes.parts[i].routes {
			switch {
			case p.key != k || r.routes.part(&k) != &r.routes.parts[i]:
				bug("a route is at the wrong place")
			case p.gone.Load():
				bug("a route that is gone is in the table")
			case !listed[p]:
				bug("a route is not in its owner's list")
			}
			if !k.local.IsValid() {
				anyway++
			}
			delete(listed, p)
		}
	}
	for p := range listed {
		if !p.gone.Load() {
			bug("a route that is not in the table is not gone")
		}
	}
	if n := r.routes.anyway.Load(); n != int64(anyway) {
		bug("%d routes without a local address are counted as %d", anyway, n)
	}
	for _, s := range sockets {
		claimed += len(s.ufrags)
	}
	if claimed != r.claims.len() {
		bug("%d claims are counted as %d", claimed, r.claims.len())
	}
}

// FuzzRoutes does anything with sockets and addresses. The check at the end of each step compares all tables.
func FuzzRoutes(f *testing.F) {
	for seed := range uint64(150) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 0))
		r := bare()
		for n := range rng.IntN(3) {
			r.locals = append(r.locals, netip.AddrPortFrom(netip.IPv6Unspecified(), uint16(2+n)))
		}
		sockets := make([]*socket, 5)
		for i := range sockets {
			sockets[i] = &socket{mux: r, port: rng.IntN(len(r.locals))}
		}
		locals := []netip.Addr{{}, netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("::")}
		now := time.Duration(0)
		for range 200 {
			now += time.Duration(rng.IntN(4000)) * time.Millisecond
			i := rng.IntN(len(sockets))
			s, from, local := sockets[i], remote(rng.IntN(4)), locals[rng.IntN(3)]
			switch rng.IntN(40) {
			case 0, 11, 12:
				s.owned.close(&r.routes)
				r.claims.drop(s)
				sockets[i] = &socket{mux: r, port: rng.IntN(len(r.locals))}
			case 1, 2, 13, 14:
				_ = r.claims.claim(s, fmt.Sprintf("ufrag%d", rng.IntN(12)))
			case 3, 4, 5, 15, 16, 17, 18, 19:
				r.asked(s, from, now)
			case 20, 21:
				d := &runtime.Datagrams{Local: r.locals[rng.IntN(len(r.locals))], Remote: from, Data: append([]byte{1, 1}, make([]byte, 18)...)}
				r.find(d, now)
			case 6:
				for n := range maxRoutes + 10 {
					s.learn(local, remote(100+n), now)
				}
			default:
				before := r.ownerOf(from, local, now)
				s.learn(local, from, now)
				if after := r.ownerOf(from, local, now); after != before && after != s && before != nil {
					t.Fatalf("a send by one made another one the owner")
				}
			}
			r.check(sockets)
		}
	})
}

func BenchmarkLearn(b *testing.B) {
	r := bare()
	s := &socket{mux: r}
	b.Run("again", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			s.learn(netip.Addr{}, remote(1), time.Duration(i))
		}
	})
	b.Run("alternating", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			s.learn(netip.Addr{}, remote(i%2), time.Duration(i))
		}
	})
}

func BenchmarkLookup(b *testing.B) {
	r := bare()
	for n := range 10000 {
		(&socket{mux: r}).learn(netip.MustParseAddr("10.0.0.1"), remote(n), 0)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for n := 0; pb.Next(); n++ {
			if r.ownerOf(remote(n%10000), netip.MustParseAddr("10.0.0.1"), 0) == nil {
				b.Fatal("not found")
			}
		}
	})
}

// "Without that it is the socket's own port, or if that has another owner for the address […], any other".
func TestPortsTellConnectionsApart(t *testing.T) {
	r := bare()
	for port := range 2 {
		r.locals = append(r.locals, netip.MustParseAddrPort(fmt.Sprintf("[::]:%d", 2+port)))
	}
	var sockets [4]*socket
	for i := range sockets {
		sockets[i] = &socket{mux: r, port: 1}
	}
	for i, want := range []int{1, 2, 0} {
		for range 2 {
			if port := sockets[i].learn(netip.Addr{}, remote(1), 0); port != want {
				t.Errorf("connection %d sends from port %d, want %d", i, port, want)
			}
		}
		if port := sockets[i].learn(netip.Addr{}, remote(2+i), 0); port != 1 {
			t.Errorf("connection %d sends from port %d to an address of its own", i, port)
		}
		if port := sockets[i].learn(netip.Addr{}, remote(1), 0); port != want {
			t.Errorf("connection %d goes on from port %d, want %d", i, port, want)
		}
	}
	if port := sockets[3].learn(netip.Addr{}, remote(1), 0); port != 1 || r.contested.Load() != 1 {
		t.Errorf("when all ports have an owner it sends from port %d, counted %d times", port, r.contested.Load())
	}
	r.check(sockets[:])

	// "It is the port on which the address has sent its last request".
	sockets[0].owned.close(&r.routes)
	ask := func(port int) {
		sockets[1].heed(&runtime.Datagrams{Local: r.locals[port], Remote: remote(1)})
	}
	if port := sockets[1].learn(netip.Addr{}, remote(1), 0); port != 2 {
		t.Errorf("a connection moves to port %d without being asked", port)
	}
	ask(1)
	if port := sockets[1].learn(netip.Addr{}, remote(1), 0); port != 1 {
		t.Errorf("what was asked on port 1 is answered on port %d", port)
	}
	ask(2)
	if port := sockets[1].learn(netip.Addr{}, remote(1), 0); port != 2 {
		t.Errorf("what was asked on port 2 is answered on port %d", port)
	}
	ask(0)
	if port := sockets[1].learn(netip.Addr{}, remote(1), 0); port != 2 {
		t.Errorf("what another connection owns is sent from, port %d", port)
	}
	r.check(sockets[:])
}

// "While another port is free, an owner that has heard nothing yet is left its address for a second": the same race as between the ends of
// two muxes, seen from one of them.
func TestNobodyGivesWayWhereAnotherPortIsFree(t *testing.T) {
	r := bare()
	r.locals = append(r.locals, netip.MustParseAddrPort("[::]:2"))
	var sockets [3]*socket
	for i := range sockets {
		sockets[i] = &socket{mux: r}
		if err := r.claims.claim(sockets[i], fmt.Sprintf("ufrag%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	old, young, third := sockets[0], sockets[1], sockets[2]
	asks := func(s *socket, port int, now time.Duration) {
		t.Helper()
		if r.find(&runtime.Datagrams{Local: r.locals[port], Remote: remote(1), Data: request(s.ufrags[0] + ":peer")}, now) != s {
			t.Error("a request goes elsewhere")
		}
	}
	sends := func(why string, s *socket, now time.Duration, want int) {
		t.Helper()
		if port := s.learn(netip.Addr{}, remote(1), now); port != want {
			t.Errorf("%s: sent from port %d, want %d", why, port, want)
		}
		r.check(sockets[:])
	}
	sends("nobody is there", old, 0, 0)
	asks(young, 0, 0)
	sends("who is asked there answers from the other port", young, 0, 1)
	sends("and the owner is not disturbed", old, 0, 0)
	sends("what nothing was heard on is taken when nothing else is left", third, 0, 0)
	asks(young, 0, patience)
	sends("it has a port to go to still", young, patience, 1)
	asks(young, 0, patience+1)
	sends("nothing was heard for a second", young, patience+1, 0)
	sends("both ports have owners, one of which was heard of", old, patience+1, 1)
	if n := r.contested.Load(); n != 0 {
		t.Errorf("%d sends found no port", n)
	}
	asks(old, 1, patience+1)
	sends("both were heard of", third, patience+1, 0)
	if n := r.contested.Load(); n != 1 {
		t.Errorf("%d sends found no port, want 1", n)
	}

	quiet := &socket{mux: r}
	for i, s := range []*socket{quiet, old, third} {
		if port, want := s.learn(netip.Addr{}, remote(2), 0), min(i, 1); port != want {
			t.Errorf("who claims nothing is not heard of, and keeps its address: %d sends from port %d, want %d", i, port, want)
		}
	}
}
