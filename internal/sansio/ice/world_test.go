package ice

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v4"

	"github.com/sansrtc/rtc/internal/simnet"
)

var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// seeded is a reader of reproducible bytes.
type seeded struct{ r *rand.ChaCha8 }

func newSeeded(seed uint64) seeded {
	var s [32]byte
	for i := range s {
		s[i] = byte(seed >> (i % 8 * 8))
	}
	return seeded{rand.NewChaCha8(s)}
}

func (s seeded) Read(b []byte) (int, error) { return s.r.Read(b) }

func addr(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// world is two agents, the paths between their addresses, and a clock that jumps.
type world struct {
	t      testing.TB
	seed   uint64
	now    time.Time
	rand   seeded
	agents [2]*Agent
	bases  [2][]netip.AddrPort
	nat    map[netip.AddrPort]netip.AddrPort // base to what the other side sees
	paths  []*path
	events [2][]Event
	sent   [2]int // packets
	lite   *lite  // takes the place of agent 1
	// see is called with each packet that is sent, before the path has its say.
	see func(from int, local, remote netip.AddrPort, b []byte)
	// data is called with each other datagram that arrives, and whether it is from where it may come from.
	data func(to int, accepted bool)
	// embedded is called with each embedded datagram that arrives.
	embedded func(to int, b []byte)
	// hear is called with each event.
	hear func(who int, e Event)
}

// path is what joins a public address of side 0 with one of side 1.
type path struct {
	addr [2]netip.AddrPort
	wire *simnet.Wire
}

func newWorld(t testing.TB, seed uint64, cfg0, cfg1 Config) *world {
	w := &world{t: t, seed: seed, now: epoch, rand: newSeeded(seed), nat: map[netip.AddrPort]netip.AddrPort{}}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	})
	cfg0.Controlling = true
	for i, cfg := range []Config{cfg0, cfg1} {
		cfg.Rand = w.rand
		if cfg.Local == (Credentials{}) {
			cfg.Local = w.credentials()
		}
		w.agents[i] = New(cfg)
	}
	return w
}

func (w *world) credentials() Credentials {
	c, err := NewCredentials(w.rand)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// base gives a side an address.
func (w *world) base(who int, s string) netip.AddrPort {
	b := addr(s)
	w.bases[who] = append(w.bases[who], b)
	return b
}

func (w *world) public(b netip.AddrPort) netip.AddrPort {
	if p, ok := w.nat[b]; ok {
		return p
	}
	return b
}

// join makes a path between all public addresses of the same family.
func (w *world) join(cfg simnet.Config) {
	for _, b0 := range w.bases[0] {
		for _, b1 := range w.bases[1] {
			p0, p1 := w.public(b0), w.public(b1)
			if p0.Addr().Is4() == p1.Addr().Is4() {
				w.paths = append(w.paths, &path{[2]netip.AddrPort{p0, p1}, simnet.NewWire(w.seed+uint64(len(w.paths))<<32, cfg)})
			}
		}
	}
}

func (w *world) path(from int, src, dst netip.AddrPort) *path {
	for _, p := range w.paths {
		if p.addr[from] == src && p.addr[1-from] == dst {
			return p
		}
	}
	return nil
}

// addLocals feeds a side its own addresses.
func (w *world) addLocals(who int) (added []Candidate) {
	for i, b := range w.bases[who] {
		c := HostCandidate(b, w.agents[who].LocalCredentials().Ufrag, uint16(65535-i))
		if !w.agents[who].AddLocalCandidate(w.now, c) {
			w.t.Fatalf("local candidate %v refused", c)
		}
		added = append(added, c)
	}
	w.agents[who].EndOfLocalCandidates(w.now)
	w.checkAll()
	return added
}

// signal gives a side the other's credentials and candidates.
func (w *world) signal(to int, candidates []Candidate) {
	a := w.agents[to]
	a.SetRemote(w.now, w.agents[1-to].LocalCredentials(), false)
	for _, c := range candidates {
		parsed, err := ParseCandidate(c.String())
		if err != nil {
			w.t.Fatal(err)
		}
		if err := a.AddRemoteCandidate(w.now, parsed); err != nil {
			w.t.Fatal(err)
		}
	}
	a.EndOfRemoteCandidates(w.now)
	w.checkAll()
}

// introduce tells both everything at once.
func (w *world) introduce() {
	c0, c1 := w.addLocals(0), w.addLocals(1)
	w.signal(1, c0)
	w.signal(0, c1)
}

func (w *world) checkAll() {
	for _, a := range w.agents {
		a.check(w.now)
	}
}

// flush sends what the agents want to send and takes their events.
func (w *world) flush() {
	for i, a := range w.agents {
		if i == 1 && w.lite != nil {
			continue
		}
		for n := 0; ; n++ {
			b, local, remote, ok := a.PollWrite(w.now, []byte("xx"))
			if !ok {
				break
			}
			if string(b[:2]) != "xx" {
				w.t.Fatal("PollWrite does not append")
			}
			if n > 1000 {
				w.t.Fatal("an agent sends without end")
			}
			w.send(i, local, remote, b[2:])
		}
		for {
			e, ok := a.PollEvent()
			if !ok {
				break
			}
			w.events[i] = append(w.events[i], e)
			if w.hear != nil {
				w.hear(i, e)
			}
		}
	}
}

func (w *world) send(from int, local, remote netip.AddrPort, b []byte) {
	w.sent[from]++
	if w.see != nil {
		w.see(from, local, remote, b)
	}
	if p := w.path(from, w.public(local), remote); p != nil {
		p.wire.Send(w.now, from, b)
	}
}

// step lets time jump to the next thing that happens, if that is not after end, and reports whether it did.
func (w *world) step(end time.Time) bool {
	w.flush()
	var next time.Time
	for _, p := range w.paths {
		next = simnet.Earliest(next, p.wire.Next())
	}
	for i, a := range w.agents {
		if i == 1 && w.lite != nil {
			continue
		}
		t := a.PollTimeout()
		if !t.IsZero() && !t.After(w.now) {
			w.t.Fatalf("agent %d: deadline %v is not after %v", i, t.Sub(epoch), w.now.Sub(epoch))
		}
		next = simnet.Earliest(next, t)
	}
	if next.IsZero() || next.After(end) {
		w.now = end
		return false
	}
	w.now = next
	for _, p := range w.paths {
		for to, b, ok := p.wire.Receive(w.now); ok; to, b, ok = p.wire.Receive(w.now) {
			w.deliver(to, p, b)
		}
	}
	for i, a := range w.agents {
		if t := a.PollTimeout(); !t.IsZero() && !t.After(w.now) && (i == 0 || w.lite == nil) {
			a.HandleTimeout(w.now)
		}
	}
	w.checkAll()
	return true
}

func (w *world) deliver(to int, p *path, b []byte) {
	for _, base := range w.bases[to] {
		if w.public(base) != p.addr[to] {
			continue
		}
		if to == 1 && w.lite != nil {
			w.lite.handle(w, base, p.addr[0], b)
			continue
		}
		if b[0] > 3 {
			ok := w.agents[to].Accepts(base, p.addr[1-to])
			if ok {
				w.agents[to].HandleData(w.now, base, p.addr[1-to])
				w.agents[to].HandleUse(w.now)
			}
			if w.data != nil {
				w.data(to, ok)
			}
			continue
		}
		if d := w.agents[to].HandlePacket(w.now, base, p.addr[1-to], b); d != nil && w.embedded != nil {
			w.embedded(to, d)
		}
		for i := range b {
			b[i] = 0xee // the agent may not keep it
		}
	}
	w.checkAll()
}

// run goes on for d.
func (w *world) run(d time.Duration) {
	end := w.now.Add(d)
	for n := 0; w.step(end); n++ {
		if n > 200000 {
			w.t.Fatal("the world does not come to rest")
		}
	}
	w.flush()
}

// runUntil goes on until cond holds, for d at most, and reports how long that took.
func (w *world) runUntil(what string, d time.Duration, cond func() bool) time.Duration {
	w.t.Helper()
	begin := w.now
	for end := w.now.Add(d); ; {
		w.flush()
		if cond() {
			return w.now.Sub(begin)
		}
		if !w.step(end) {
			w.t.Fatalf("%s: not within %v; states %v %v", what, d, w.agents[0].State(), w.agents[1].State())
		}
	}
}

// joined says whether both send to each other on the same pair.
func (w *world) joined() bool {
	l0, r0, ok0 := w.agents[0].Route()
	l1, r1, ok1 := w.agents[1].Route()
	return ok0 && ok1 && w.public(l0) == r1 && w.public(l1) == r0
}

// agreed says whether both have selected that pair too.
func (w *world) agreed() bool {
	s0, s1 := w.agents[0].cur.selected, w.agents[1].cur.selected
	return w.joined() && s0 != nil && s0 == w.agents[0].route && s1 != nil && s1 == w.agents[1].route
}

// lite answers checks, as a lite agent does, and selects what is nominated.
type lite struct {
	creds    Credentials
	selected []netip.AddrPort // remote addresses in the order of their nomination
	unworthy int              // requests that nominated a pair before it worked
	answered map[netip.AddrPort]bool
}

func (l *lite) handle(w *world, local, remote netip.AddrPort, b []byte) {
	var m stun.Message
	if err := stun.Decode(b, &m); err != nil || m.Type != stun.BindingRequest {
		w.t.Fatalf("lite agent got %v %v", m.Type, err)
	}
	if err := stun.NewShortTermIntegrity(l.creds.Pwd).Check(&m); err != nil {
		w.t.Fatal(err)
	}
	if !m.Contains(stun.AttrICEControlling) {
		w.t.Fatal("the full agent is not controlling")
	}
	if m.Contains(stun.AttrUseCandidate) {
		if !l.answered[remote] {
			l.unworthy++
		}
		if n := len(l.selected); n == 0 || l.selected[n-1] != remote {
			l.selected = append(l.selected, remote)
		}
	}
	l.answered[remote] = true
	answer := stun.MustBuild(stun.NewTransactionIDSetter(m.TransactionID), stun.BindingSuccess,
		&stun.XORMappedAddress{IP: remote.Addr().AsSlice(), Port: int(remote.Port())},
		stun.NewShortTermIntegrity(l.creds.Pwd), stun.Fingerprint)
	w.send(1, local, remote, answer.Raw)
}

// describe says in one line what a STUN packet is.
func describe(b []byte) string {
	var m stun.Message
	if err := stun.Decode(b, &m); err != nil {
		return "not STUN"
	}
	var s strings.Builder
	switch m.Type {
	case stun.BindingRequest:
		s.WriteString("request")
	case stun.BindingSuccess:
		s.WriteString("success")
	case stun.BindingError:
		var code stun.ErrorCodeAttribute
		if err := code.GetFrom(&m); err != nil {
			return err.Error()
		}
		fmt.Fprintf(&s, "error %d", code.Code)
	default:
		s.WriteString(m.Type.String())
	}
	for _, attr := range m.Attributes {
		switch attr.Type {
		case stun.AttrICEControlling:
			s.WriteString(" controlling")
		case stun.AttrICEControlled:
			s.WriteString(" controlled")
		case stun.AttrUseCandidate:
			s.WriteString(" use-candidate")
		case stun.AttrXORMappedAddress:
			var x stun.XORMappedAddress
			if err := x.GetFrom(&m); err == nil {
				fmt.Fprintf(&s, " mapped %v", x)
			}
		}
	}
	return s.String()
}

func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}
