package sim

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sansrtc/rtc/runtime"
)

const ms = time.Millisecond

func wantPanic(t *testing.T, text string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if r := fmt.Sprint(recover()); !strings.Contains(r, text) {
			t.Errorf("should panic with %q, but: %s", text, r)
		}
	}()
	f()
}

// The clock starts at the same instant in each run, far from the wall clock, and moves only when it is told to.
func TestClock(t *testing.T) {
	w := testWorld(t, Config{})
	start := w.Now()
	if !start.Equal(time.Unix(1_000_000_000, 0)) || time.Since(start) < time.Hour {
		t.Errorf("the clock starts at %v", start)
	}
	if w.Step() {
		t.Error("an empty world should have nothing to do")
	}
	w.Run(time.Hour)
	if d := w.Now().Sub(start); d != time.Hour {
		t.Errorf("after Run(1h) %v have passed", d)
	}
	var at []time.Duration
	for _, d := range []time.Duration{3 * ms, ms, 2 * ms, -ms, 0} {
		w.After(d, func() { at = append(at, d, w.Now().Sub(start)-time.Hour) })
	}
	w.Run(2 * ms)
	if want := []time.Duration{-ms, 0, 0, 0, ms, ms, 2 * ms, 2 * ms}; !slices.Equal(at, want) {
		t.Errorf("after 2ms the calls and their times are %v, want %v", at, want)
	}
	if !w.Step() || w.Now().Sub(start) != time.Hour+3*ms {
		t.Errorf("a Step should go to the next event, but it is %v", w.Now())
	}
	if w.RunUntil(func() bool { return false }, time.Minute) || w.Now().Sub(start) != time.Hour+time.Minute+3*ms {
		t.Errorf("RunUntil should give up at its limit, but it is %v", w.Now())
	}
	w.After(time.Second, func() {})
	w.After(2*time.Second, func() {})
	before := w.Now()
	if !w.RunUntil(func() bool { return w.Now().After(before) }, math.MaxInt64) || w.Now().Sub(before) != time.Second {
		t.Errorf("RunUntil should end at the first event, but %v have passed", w.Now().Sub(before))
	}
	if custom := time.Date(2020, 1, 2, 3, 4, 5, 6, time.UTC); !New(Config{Start: custom}).Now().Equal(custom) {
		t.Error("Config.Start should be what the clock shows first")
	}
}

// A path delays, bounds and loses as its Link says.
func TestLink(t *testing.T) {
	w := testWorld(t, Config{Link: Link{Delay: 10 * ms}})
	a, b := w.Host("a"), w.Host("b")
	p, q := on(t, a), on(t, b)
	took := func(from, to *peer) time.Duration {
		t.Helper()
		n, start := len(to.got), w.Now()
		if err := from.send(to.addr(), "x"); err != nil {
			t.Fatal(err)
		}
		w.RunUntil(func() bool { return len(to.got) > n }, time.Second)
		return w.Now().Sub(start)
	}
	if d := took(p, q); d != 10*ms {
		t.Errorf("with the default path: %v", d)
	}
	w.SetLink(a, b, Link{Delay: 30 * ms})
	w.SetDefault(Link{Delay: 5 * ms})
	if d, e := took(p, q), took(q, p); d != 30*ms || e != 5*ms {
		t.Errorf("a to b should take 30ms, b to a 5ms: %v, %v", d, e)
	}
	w.SetPath(a.Addrs()[1], b.Addrs()[1], Link{Delay: 70 * ms})
	p6, q6 := newPeer(t, a, a.Addrs()[1]), newPeer(t, b, b.Addrs()[1])
	if d, e, f := took(p6, q6), took(q6, p6), took(p, q); d != 70*ms || e != 5*ms || f != 30*ms {
		t.Errorf("a6 to b6 should take 70ms, b6 to a6 5ms, a to b still 30ms: %v, %v, %v", d, e, f)
	}
	w.Partition(b, a, true)
	for _, d := range []time.Duration{took(p, q), took(q, p), took(p6, q6)} {
		if d != time.Second {
			t.Errorf("a partition should stop everything, but something took %v", d)
		}
	}
	w.SetLink(a, b, Link{Delay: 3 * ms})
	if took(p, q) != time.Second {
		t.Error("SetLink should not end a partition")
	}
	w.Partition(a, b, false)
	if d := took(p, q); d != 3*ms {
		t.Errorf("after the partition the path should be as it was set: %v", d)
	}
	if n := w.Counters(a, b); n.Sent != 7 || n.Delivered != 4 || n.Lost != 3 {
		t.Errorf("counters of a to b: %+v", n)
	}
	self := newPeer(t, a, netip.IPv6Unspecified())
	if d := took(p, &peer{t: t, s: p.s}); d != time.Second || len(p.got) == 0 {
		t.Errorf("what a host sends to itself should arrive: %v", p.got)
	}
	if d := took(self, p); d != 0 {
		t.Errorf("what a host sends to itself should take no time: %v", d)
	}
}

// An hour of rate limit: what enters faster than the bottleneck leaves at its rate.
func TestRate(t *testing.T) {
	w := testWorld(t, Config{Link: Link{Rate: 8_000_000, Delay: 5 * ms, Queue: 1 << 20}})
	a, b := w.Host("a"), w.Host("b")
	p, q := on(t, a), on(t, b)
	start := w.Now()
	d := &runtime.Datagrams{Remote: q.addr(), Data: make([]byte, 100*972), SegmentSize: 972}
	if err := p.s.Send(d); err != nil {
		t.Fatal(err)
	}
	if !w.RunUntil(func() bool { return len(q.got) == 100 }, time.Second) {
		t.Fatalf("%d datagrams arrive", len(q.got))
	}
	if took := w.Now().Sub(start); took != 105*ms { // 1000 bytes with headers: 1 ms each
		t.Errorf("100 datagrams of 1 ms each over 5 ms take %v", took)
	}
	if slices.Max(q.slabs) != 1 {
		t.Errorf("datagrams that arrive one after the other are given together: %v", q.slabs)
	}
}

// Datagrams of equal size that arrive at one instant from one peer are one slab, of which the last may be shorter.
func TestCoalesce(t *testing.T) {
	for limit, want := range map[int][]int{
		0: {4, 1, 1, 3, 1, 1}, 3: {3, 1, 1, 1, 3, 1, 1}, -1: {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
	} {
		w := testWorld(t, Config{Coalesce: limit, Link: Link{Delay: ms}})
		p, other, q := on(t, w.Host("a")), on(t, w.Host("b")), on(t, w.Host("c"))
		for _, s := range []string{"aaa", "bbb", "ccc", "d"} { // the short one ends the run
			p.send(q.addr(), s)
		}
		p.send(q.addr(), "ee")
		other.send(q.addr(), "ff")
		for _, s := range []string{"gg", "hh", "ii", "", ""} { // an empty one cannot be told from the end of a slab
			p.send(q.addr(), s)
		}
		w.Run(ms)
		if !slices.Equal(q.slabs, want) {
			t.Errorf("Coalesce %d: runs of %v, want %v", limit, q.slabs, want)
		}
		if q.turns != 1 {
			t.Errorf("what arrives together should have one Turn, has %d", q.turns)
		}
		var got string
		for _, s := range q.got {
			data, _, _ := strings.Cut(s, " from")
			got += data
		}
		if got != "aaabbbcccdeeffgghhii" {
			t.Errorf("received %q", got)
		}
	}
}

// Behind a card that moderates its interrupts what a path has spread arrives as one slab, with the first datagram's delay and no more than the
// moderation's; sizes that differ are kept apart, and in order.
func TestModeration(t *testing.T) {
	w := testWorld(t, Config{Moderation: ms, Link: Link{Delay: ms, Rate: 100e6}})
	p, q := on(t, w.Host("a")), on(t, w.Host("b"))
	p.s.Send(&runtime.Datagrams{Remote: q.addr(), Data: make([]byte, 4500), SegmentSize: 1000}) // 80 µs each
	p.send(q.addr(), "later")
	start := w.Now()
	w.RunUntil(func() bool { return len(q.got) > 0 }, time.Second)
	if took := w.Now().Sub(start); took < 2*ms || took > 2*ms+200*time.Microsecond {
		t.Errorf("the first arrives after %v", took)
	}
	if !slices.Equal(q.slabs, []int{5, 1}) || q.turns != 1 {
		t.Errorf("runs of %v in %d turns, want 5 and 1 in one", q.slabs, q.turns)
	}
}

// A loop that keeps the bytes of a Receive sees them change.
func TestScribble(t *testing.T) {
	w := testWorld(t, Config{})
	p, q := on(t, w.Host("a")), on(t, w.Host("b"))
	p.send(q.addr(), "keep")
	w.Run(0)
	if string(q.last.Data) != "\xdb\xdb\xdb\xdb" {
		t.Errorf("after Receive the bytes are %q", q.last.Data)
	}
}

// Duplicates are separate copies: a loop may overwrite the first.
func TestDuplicate(t *testing.T) {
	w := testWorld(t, Config{Link: Link{Duplicate: 1}, Coalesce: -1})
	p, q := on(t, w.Host("a")), on(t, w.Host("b"))
	q.onReceive = func(d *runtime.Datagrams) { clear(d.Data) }
	p.send(q.addr(), "twice")
	w.Run(0)
	if len(q.got) != 2 || q.got[0] != q.got[1] || !strings.HasPrefix(q.got[0], "twice ") {
		t.Errorf("received %q", q.got)
	}
}

// A host has a loopback interface, and one for each of its addresses of a family.
func TestInterfaces(t *testing.T) {
	w := testWorld(t, Config{})
	addrs := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1"),
		netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("fe80::1")}
	h := w.Host("a", addrs...)
	list, err := h.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	want := "[{lo 1 65536 true [127.0.0.1 ::1]} {eth0 2 1500 false [192.0.2.1 2001:db8::1 fe80::1%eth0]} " +
		"{eth1 3 1500 false [198.51.100.1]}]"
	if got := fmt.Sprint(list); got != want {
		t.Errorf("interfaces are\n%s, want\n%s", got, want)
	}
	wantPanic(t, "is taken", func() { w.Host("b", addrs[0]) })
	wantPanic(t, "is taken", func() { w.Host("a") })
	wantPanic(t, "cannot have", func() { w.Host("c", netip.IPv4Unspecified()) })
}

// Link-local addresses have the zone of the host that sees them.
func TestLinkLocal(t *testing.T) {
	w := testWorld(t, Config{})
	a := w.Host("a", netip.MustParseAddr("fe80::a"))
	b := w.Host("b", netip.MustParseAddr("2001:db8::b"), netip.MustParseAddr("fe80::b"))
	p := newPeer(t, a, netip.MustParseAddr("fe80::a%eth0"))
	q := newPeer(t, b, netip.IPv6Unspecified())
	if p.addr().Addr().Zone() != "eth0" {
		t.Errorf("LocalAddr is %v", p.addr())
	}
	if err := p.send(netip.AddrPortFrom(netip.MustParseAddr("fe80::b%eth0"), q.addr().Port()), "x"); err != nil {
		t.Fatal(err)
	}
	w.Run(0)
	if q.last.Remote != p.addr() || q.last.Local.Addr() != netip.MustParseAddr("fe80::b%eth0") {
		t.Errorf("received from %v on %v", q.last.Remote, q.last.Local)
	}
	if err := q.send(q.last.Remote, "answer"); err != nil {
		t.Fatal(err)
	}
	w.Run(0)
	if len(p.got) != 1 || p.last.Remote.Addr() != netip.MustParseAddr("fe80::b%eth0") {
		t.Errorf("the answer is %q", p.got)
	}
}

// A host that changes its network: what goes to the old address is lost, the new one works.
func TestAddresses(t *testing.T) {
	w := testWorld(t, Config{})
	a, b := w.Host("a"), w.Host("b")
	p, q := newPeer(t, a, netip.IPv4Unspecified()), on(t, b)
	old, port := a.Addrs()[0], p.addr().Port()
	w.SetLink(b, a, Link{Delay: 2 * ms})
	w.After(ms, func() { q.send(netip.AddrPortFrom(old, port), "old") })
	q.send(netip.AddrPortFrom(old, port), "under way")
	w.Run(0)
	a.RemoveAddr(old)
	moved := netip.MustParseAddr("203.0.113.9")
	w.Run(10 * ms)
	if err := p.send(q.addr(), "x"); err == nil || strings.Contains(err.Error(), "closed") {
		t.Errorf("a host without IPv4 should not be able to send there: %v", err)
	}
	a.AddAddr(moved)
	q.send(netip.AddrPortFrom(moved, port), "new")
	p.send(q.addr(), "x")
	w.Run(2 * ms)
	if len(p.got) != 1 || !strings.HasPrefix(p.got[0], "new") || p.last.Local.Addr() != moved {
		t.Errorf("received %q on %v", p.got, p.last.Local)
	}
	if len(q.got) != 1 || q.last.Remote.Addr() != moved {
		t.Errorf("received %q", q.got)
	}
}

// Mistakes in a Send are errors of that Send.
func TestSendErrors(t *testing.T) {
	w := testWorld(t, Config{})
	a := w.Host("a")
	p4, p6, lo := on(t, a), newPeer(t, a, a.Addrs()[1]), newPeer(t, a, netip.MustParseAddr("127.0.0.1"))
	v4, v6 := netip.MustParseAddrPort("10.0.0.9:1"), netip.MustParseAddrPort("[fd00::9]:1")
	for name, c := range map[string]struct {
		s runtime.UDPSocket
		d runtime.Datagrams
	}{
		"IPv6 from IPv4":       {p4.s, runtime.Datagrams{Remote: v6}},
		"IPv4 from IPv6":       {p6.s, runtime.Datagrams{Remote: v4}},
		"mapped":               {p4.s, runtime.Datagrams{Remote: netip.MustParseAddrPort("[::ffff:10.0.0.9]:1")}},
		"nowhere":              {p4.s, runtime.Datagrams{}},
		"another's Local":      {p4.s, runtime.Datagrams{Remote: v4, Local: netip.MustParseAddrPort("10.0.0.8:1")}},
		"too long":             {p4.s, runtime.Datagrams{Remote: v4, Data: make([]byte, maxPayload4+1)}},
		"out of loopback":      {lo.s, runtime.Datagrams{Remote: v4}},
		"too long for segment": {p6.s, runtime.Datagrams{Remote: v6, Data: make([]byte, 2*maxPayload6+2), SegmentSize: maxPayload6 + 1}},
	} {
		if err := c.s.Send(&c.d); err == nil || errors.Is(err, runtime.ErrClosed) {
			t.Errorf("%s: Send returns %v", name, err)
		}
	}
	if err := p4.send(v4, "to nobody"); err != nil {
		t.Errorf("a datagram to an address that nobody has is lost without an error: %v", err)
	}
}

// FailSockets tells each loop, and closes what it had.
func TestFailSockets(t *testing.T) {
	w := testWorld(t, Config{})
	a, b := w.Host("a"), w.Host("b")
	p, q := on(t, a), on(t, b)
	closed := on(t, a)
	closed.s.Close()
	cause := errors.New("the cable is cut")
	p.send(q.addr(), "before")
	late := on(t, a)
	a.FailSockets(cause)
	late.s.Close()
	w.Run(time.Second)
	if p.failed != cause || q.failed != nil || closed.failed != nil || late.failed != nil {
		t.Errorf("told: %v, %v, %v, %v", p.failed, q.failed, closed.failed, late.failed)
	}
	if err := p.send(q.addr(), "x"); !errors.Is(err, runtime.ErrClosed) {
		t.Errorf("Send on a failed socket returns %v", err)
	}
	if len(q.got) != 1 {
		t.Errorf("received %q", q.got)
	}
	if loops, sockets := w.Open(); loops != 4 || sockets != 1 {
		t.Errorf("%d loops and %d sockets are open", loops, sockets)
	}
}

// Drop chooses what is lost; Capture sees each datagram at both ends, with its fate.
func TestCapture(t *testing.T) {
	w := testWorld(t, Config{Link: Link{Delay: ms, MTU: 100, Rate: 1e6, Queue: 200}})
	a, b := w.Host("a"), w.Host("b")
	p, q := on(t, a), on(t, b)
	var got []string
	w.Capture(func(p Packet) {
		got = append(got, fmt.Sprintf("%v %v>%v %.8s %v", p.At.Sub(w.cfg.Start), p.From.Addr(), p.To.Addr(), p.Data, p.Fate))
	})
	trace := w.Trace()
	w.Drop(func(p Packet) bool { return string(p.Data) == "drop me" })
	p.send(q.addr(), "x")
	p.send(q.addr(), "drop me")
	p.send(q.addr(), strings.Repeat("large", 100))
	p.send(netip.MustParseAddrPort("10.9.9.9:9"), "nobody")
	p.send(netip.AddrPortFrom(q.addr().Addr(), 9), "noport")
	for range 3 {
		p.send(q.addr(), strings.Repeat("queue", 14))
	}
	w.Drop(nil)
	w.Run(time.Second)
	w.Partition(a, b, true)
	q.send(p.addr(), "cut")
	want := []string{
		"0s 10.0.0.1>10.0.0.2 x sent",
		"0s 10.0.0.1>10.0.0.2 drop me dropped",
		"0s 10.0.0.1>10.0.0.2 largelar too large",
		"0s 10.0.0.1>10.9.9.9 nobody unreachable",
		"0s 10.0.0.1>10.0.0.2 noport sent",
		"0s 10.0.0.1>10.0.0.2 queueque sent",
		"0s 10.0.0.1>10.0.0.2 queueque queue full",
		"0s 10.0.0.1>10.0.0.2 queueque queue full",
		"1.232ms 10.0.0.1>10.0.0.2 x received",
		"1.504ms 10.0.0.1>10.0.0.2 noport refused",
		"2.288ms 10.0.0.1>10.0.0.2 queueque received",
		"1s 10.0.0.2>10.0.0.1 cut lost",
	}
	if !slices.Equal(got, want) {
		t.Errorf("captured\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if n := strings.Count(trace.String(), "\n"); n != len(want) {
		t.Errorf("the trace has %d lines, want %d:\n%s", n, len(want), trace)
	}
}

// features.md's hot loop on a stale deadline: a loop that asks for a time that has passed, and does nothing then, is told so.
func TestHotLoop(t *testing.T) {
	w := testWorld(t, Config{})
	p := on(t, w.Host("a"))
	p.onTurn = func(now time.Time) runtime.Next { return runtime.Next{At: now} }
	p.Wake()
	wantPanic(t, "turns of a loop on a", func() { w.Run(time.Second) })
}

// Two loops that answer each other over a path without delay keep the clock from moving.
func TestStandstill(t *testing.T) {
	w := testWorld(t, Config{})
	w.limit = 1000
	p, q := on(t, w.Host("a")), on(t, w.Host("b"))
	p.onReceive = func(d *runtime.Datagrams) { p.send(d.Remote, "ping") }
	q.onReceive = func(d *runtime.Datagrams) { q.send(d.Remote, "pong") }
	p.send(q.addr(), "ping")
	wantPanic(t, "time stands still", func() { w.Run(time.Second) })
	w.SetDefault(Link{Delay: time.Microsecond})
	w.Run(ms) // and with any delay it does move
}

// Run cannot be called by what it runs.
func TestNestedRun(t *testing.T) {
	w := testWorld(t, Config{})
	w.After(0, func() { wantPanic(t, "while the simulation runs", func() { w.Run(time.Second) }) })
	w.Run(time.Second)
}

// An actor or loop that starts after Close does not, and nothing that is left moves.
func TestClosed(t *testing.T) {
	w := testWorld(t, Config{Link: Link{Delay: ms}})
	a := w.Host("a")
	p, q := on(t, a), on(t, w.Host("b"))
	p.send(q.addr(), "under way")
	w.Close()
	w.Close()
	w.Go("late", func() { t.Error("an actor runs after Close") })
	w.After(0, func() { t.Error("After runs after Close") })
	p.Wake()
	p.WakeAt(w.Now())
	w.Run(time.Second)
	if p.turns > 0 || len(q.got) > 0 {
		t.Error("a loop is called after Close")
	}
	if err := p.send(q.addr(), "x"); !errors.Is(err, runtime.ErrClosed) {
		t.Errorf("Send after Close returns %v", err)
	}
	if _, err := a.Spawn(p); !errors.Is(err, runtime.ErrClosed) {
		t.Errorf("Spawn after Close returns %v", err)
	}
	if loops, sockets := w.Open(); loops != 2 || sockets != 0 {
		t.Errorf("%d loops and %d sockets are open", loops, sockets)
	}
}
