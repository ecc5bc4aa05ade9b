package rtc_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime/sim"
)

// life is one end of a channel: what its handler has heard, and what its Send has taken.
type life struct {
	dc        *rtc.DataChannel
	made      bool // here, by CreateDataChannel
	kinds     []string
	got, sent []string
	ended     bool // Close was called here
}

// crowd is one connection of a test in which channels come and go: all ends of channels that it has seen, oldest first. Actors and handlers
// of a simulation run one at a time, so it needs no lock.
type crowd struct {
	t     testing.TB
	p     *pair
	rec   *recorder
	pc    *rtc.PeerConnection
	peer  *rtc.PeerConnection
	rng   *rand.Rand
	list  []*life
	next  int // number of the next message
	after []string
	over  bool
}

func (c *crowd) life(dc *rtc.DataChannel) *life {
	for _, l := range c.list {
		if l.dc == dc {
			return l
		}
	}
	l := &life{dc: dc}
	c.list = append(c.list, l)
	return l
}

// hear is a recorder's on: it writes down and, now and then, acts within the handler.
func (c *crowd) hear(kind string, pc *rtc.PeerConnection, dc *rtc.DataChannel, msg rtc.DataChannelMessage) {
	if c.over {
		c.after = append(c.after, kind)
	}
	c.over = c.over || kind == "connection" && c.rec.state() == rtc.PeerConnectionStateClosed
	if dc == nil {
		return
	}
	l := c.life(dc)
	l.kinds = append(l.kinds, kind)
	switch s := dc.ReadyState(); {
	case kind == "message":
		l.got = append(l.got, string(msg.Data))
	case kind == "open" && s != rtc.DataChannelStateOpen && !l.ended && pc.ConnectionState() != rtc.PeerConnectionStateClosed,
		kind == "closing" && s != rtc.DataChannelStateClosing,
		kind == "close" && s != rtc.DataChannelStateClosed:
		c.t.Errorf("channel %s is %v in its %s", dc.Label(), s, kind)
	}
	switch {
	case kind == "close":
	case c.rng.IntN(12) == 0:
		c.send(l)
	case c.rng.IntN(60) == 0:
		c.end(l)
	case c.rng.IntN(20) == 0: // events queue up
		c.p.sleep(time.Duration(c.rng.IntN(100)) * time.Millisecond)
	}
}

func (c *crowd) create(label string, init *rtc.DataChannelInit) {
	dc, err := c.pc.CreateDataChannel(label, init)
	switch {
	case err == nil:
		c.life(dc).made = true
	case c.peer.ConnectionState() != rtc.PeerConnectionStateClosed: // then the association may have ended, and the close_notify be lost
		c.t.Errorf("CreateDataChannel: %v", err)
	}
}

func (c *crowd) send(l *life) {
	c.next++
	text := fmt.Sprintf("%s/%d/", l.dc.Label(), c.next)
	if c.rng.IntN(4) == 0 {
		text += strings.Repeat("x", c.rng.IntN(20_000))
	}
	if l.dc.SendText(text) == nil {
		l.sent = append(l.sent, text)
	}
}

func (c *crowd) end(l *life) {
	l.ended = true
	l.dc.Close()
}

// act is an actor: it makes channels, sends on them and closes them.
func (c *crowd) act(name string) {
	yes, no := true, false
	for i := range 4 + c.rng.IntN(24) {
		c.p.sleep(time.Duration(c.rng.IntN(40)) * time.Millisecond)
		if c.pc.ConnectionState() == rtc.PeerConnectionStateClosed {
			return
		}
		if len(c.list) == 0 || c.rng.IntN(5) == 0 {
			init := &rtc.DataChannelInit{Ordered: &yes}
			switch c.rng.IntN(6) {
			case 0:
				init.Ordered = &no
			case 1:
				few := uint16(c.rng.IntN(3))
				init.MaxRetransmits = &few
			}
			c.create(fmt.Sprint(name, i), init)
			continue
		}
		l := c.list[c.rng.IntN(len(c.list))]
		for range c.rng.IntN(8) {
			c.send(l)
		}
		if c.rng.IntN(6) == 0 {
			c.end(l)
		}
	}
}

func (l *life) heard(kind string) bool { return slices.Contains(l.kinds, kind) }

func (l *life) reliable() bool { return l.dc.MaxRetransmits() == nil }

// wantOrder checks the order of what one end of a channel has told, after the connection has closed.
func (l *life) wantOrder(t testing.TB) {
	rank := map[string]int{"channel": 0, "open": 1, "message": 2, "low": 2, "closing": 3, "error": 4, "close": 5}
	last, count := -1, map[string]int{}
	for _, k := range l.kinds {
		count[k]++
		if rank[k] < last || k != "message" && k != "low" && count[k] > 1 {
			t.Errorf("channel %s tells %q", l.dc.Label(), l.kinds)
			return
		}
		last = rank[k]
	}
	switch {
	case count["close"] != 1:
		t.Errorf("channel %s has %d closes: %q", l.dc.Label(), count["close"], l.kinds)
	case count["open"] == 0 && count["message"] > 0:
		t.Errorf("channel %s has messages and no open: %q", l.dc.Label(), l.kinds)
	case l.made == (count["channel"] > 0):
		t.Errorf("channel %s, made here: %v, tells %q", l.dc.Label(), l.made, l.kinds)
	}
}

// wantMessages compares what one end has got with what the other's Send has taken.
func (l *life) wantMessages(t testing.TB, peer *life) {
	sent, got := peer.sent, l.got
	// The peer's close comes behind all its messages; without it the connection may have ended before they were there.
	complete := l.reliable() && l.heard("closing") && !l.ended
	if !l.dc.Ordered() {
		sent, got = slices.Sorted(slices.Values(sent)), slices.Sorted(slices.Values(got))
	}
	switch {
	case complete && !slices.Equal(got, sent),
		l.reliable() && l.dc.Ordered() && (len(got) > len(sent) || !slices.Equal(got, sent[:len(got)])):
		t.Errorf("channel %s: %d messages of %d, or in another order", l.dc.Label(), len(got), len(sent))
	case len(slices.Compact(slices.Clone(got))) != len(got):
		t.Errorf("channel %s: a message twice", l.dc.Label())
	}
	at := 0
	for _, m := range got { // a subsequence of what was sent
		i := slices.Index(sent[at:], m)
		if i < 0 {
			t.Errorf("channel %s: a message that was not sent there and then", l.dc.Label())
			return
		}
		at += i + 1
	}
}

// settled tells whether all that was begun has come to its end: messages have arrived, closed channels are closed at both ends.
func settled(c [2]*crowd, byLabel [2]map[string]*life) bool {
	for i := range c {
		for _, l := range c[i].list {
			peer := byLabel[1-i][l.dc.Label()]
			switch {
			case peer == nil && !l.ended, l.ended && !l.heard("close"), l.ended && peer != nil && !peer.heard("close"):
				return false
			case l.ended || peer == nil || peer.ended || !l.reliable():
			case len(l.got) < len(peer.sent):
				return false
			}
		}
	}
	return true
}

// Promise 3, one handler, one order: over paths that lose, repeat and reorder, with channels made and closed by both sides at any time,
// inside handlers and outside, each channel tells open before its messages, these in order and complete, its closing behind them and its
// close last; and the connection's closed is the last event of all.
func TestEventOrder(t *testing.T) { everywhere(t, testEventOrder) }

func testEventOrder(t *testing.T, w *world) {
	seeds := 250
	if testing.Short() {
		seeds = 50
	}
	for seed := range uint64(w.some(seeds)) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) { testOrder(t, w, seed) })
	}
}

func testOrder(t *testing.T, w *world, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 3))
	p := w.newPair(t, sim.Config{Seed: seed, Handoff: -1, Link: sim.Link{
		Delay: time.Duration(1+rng.IntN(40)) * time.Millisecond, Jitter: time.Duration(rng.IntN(10)) * time.Millisecond,
		Loss: 0.15 * rng.Float64(), Duplicate: 0.1 * rng.Float64(), Reorder: 0.1 * rng.Float64(),
	}}, nil)
	var c [2]*crowd
	for i, pc := range p.pc {
		c[i] = &crowd{t: t, p: p, rec: p.rec[i], pc: pc, peer: p.pc[1-i], rng: rand.New(rand.NewPCG(seed, uint64(i)))}
		p.rec[i].on = c[i].hear
	}
	c[0].create("first", nil)
	if rng.IntN(2) == 0 {
		c[1].create("second", nil)
	}
	p.negotiate(0)
	acting := 2
	for i, r := range p.rec {
		p.act(r.name, func() {
			c[i].act(r.name)
			acting--
		})
	}
	byLabel := func() (m [2]map[string]*life) {
		for i := range m {
			m[i] = map[string]*life{}
			for _, l := range c[i].list {
				m[i][l.dc.Label()] = l
			}
		}
		return m
	}
	if rng.IntN(2) == 0 {
		p.until("all has arrived and closed", func() bool { return acting == 0 && settled(c, byLabel()) })
	} else {
		p.pass(time.Duration(rng.IntN(1500)) * time.Millisecond)
	}
	switch rng.IntN(3) {
	case 0:
		p.pc[0].Close()
	case 1:
		p.pc[1].Close()
	default:
		p.pc[0].Close()
		p.pc[1].Close()
	}
	p.pass(5 * time.Second)
	for _, pc := range p.pc {
		pc.Close() // the other's close may have been lost
	}
	p.until("the end of both and of their actors", func() bool { return done(p.pc[0]) && done(p.pc[1]) && acting == 0 })

	both := byLabel()
	for i := range c {
		if !c[i].over || len(c[i].after) > 0 {
			t.Errorf("%s: connection closed was heard: %v; after it came %q", p.rec[i].name, c[i].over, c[i].after)
		}
		for _, l := range c[i].list {
			l.wantOrder(t)
			if peer := both[1-i][l.dc.Label()]; peer != nil {
				l.wantMessages(t, peer)
			} else if len(l.got) > 0 || !l.made {
				t.Errorf("channel %s was made by nobody", l.dc.Label())
			}
		}
	}
	if t.Failed() {
		t.Logf("a heard %q\nb heard %q", p.rec[0].heard(), p.rec[1].heard())
	}
}

// Promise 3: a channel's last message comes before its close, also when its sender closes it in the same breath.
func TestCloseComesBehindTheLastMessage(t *testing.T) {
	everywhere(t, testCloseComesBehindTheLastMessage)
}

func testCloseComesBehindTheLastMessage(t *testing.T, w *world) {
	for seed := range uint64(w.some(50)) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			p, a, b := w.connected(t, sim.Config{Seed: seed, Handoff: -1, Link: sim.Link{Delay: 10 * time.Millisecond, Loss: 0.1, Reorder: 0.1, Duplicate: 0.1}}, nil, nil)
			const n = 40
			for i := range n {
				p.must(a.SendText(fmt.Sprint(i, strings.Repeat(".", 100*i))))
			}
			p.must(a.Close())
			p.until("close at both ends", func() bool { return p.rec[0].has("close data") && p.rec[1].has("close data") })
			if got := p.rec[1].received(); got != n {
				t.Errorf("%d messages of %d came before the close", got, n)
			}
			for i, m := range p.rec[1].messages {
				if !strings.HasPrefix(string(m.Data), fmt.Sprint(i, ".")) && i > 0 {
					t.Errorf("message %d is %.10q", i, m.Data)
				}
			}
			heard := slices.DeleteFunc(p.rec[1].heard(), func(l string) bool { return !strings.HasSuffix(l, " data") })
			if tail := heard[len(heard)-2:]; !slices.Equal(tail, []string{"closing data", "close data"}) {
				t.Errorf("the channel ends by %q", tail)
			}
			if s := []rtc.DataChannelState{a.ReadyState(), b.ReadyState()}; s[0] != rtc.DataChannelStateClosed || s[1] != s[0] {
				t.Errorf("the channel is %v at its ends", s)
			}
		})
	}
}

// Promise 3: the events of a plain connection, all of them, from the first to the last, at both ends.
func TestEventsOfAPlainConnection(t *testing.T) { everywhere(t, testEventsOfAPlainConnection) }

func testEventsOfAPlainConnection(t *testing.T, w *world) {
	p := w.newPair(t, sim.Config{Handoff: -1, Link: sim.Link{Delay: 10 * time.Millisecond}}, nil)
	dc, err := p.pc[0].CreateDataChannel("data", nil)
	p.must(err)
	p.until("the need to negotiate", func() bool { return p.rec[0].has("negotiationneeded") })
	p.negotiate(0)
	p.until("open", func() bool { return p.rec[0].channel(0) != nil && p.rec[1].channel(0) != nil })
	p.pass(time.Second)
	p.must(dc.SendText("hello"))
	p.until("hello", func() bool { return p.rec[1].received() == 1 && p.rec[0].has("low data") })
	p.must(p.rec[1].channel(0).SendText("hi"))
	p.until("hi", func() bool { return p.rec[0].received() == 1 && p.rec[1].has("low data") })
	p.must(p.rec[1].channel(0).Close())
	p.until("channel closed", func() bool { return p.rec[0].has("close data") && p.rec[1].has("close data") })
	dc, err = p.pc[1].CreateDataChannel("more", nil)
	p.must(err)
	p.until("open", func() bool { return p.rec[0].channel(1) != nil })
	p.must(p.pc[0].Close())
	p.until("the end", func() bool { return done(p.pc[0]) && done(p.pc[1]) })
	if _, err = p.pc[1].CreateDataChannel("late", nil); err == nil || dc.SendText("late") == nil {
		t.Error("a closed connection takes something")
	}
	for i, want := range plainEvents {
		heard := p.rec[i].heard()
		if !w.simulated() { // they have one address, and with one pair the first that works completes
			want = slices.DeleteFunc(slices.Clone(want), func(l string) bool { return strings.HasPrefix(l, "candidate fd00::") || l == "ice completed" })
			for j, l := range want {
				if strings.HasPrefix(l, "candidate 10.") {
					want[j] = "candidate 127.0.0.1"
				} else if l == "ice connected" {
					want[j] = "ice completed"
				}
			}
		}
		if diff := cmp.Diff(want, heard); diff != "" {
			t.Errorf("%s heard, against what is written here (-), else (+):\n%s", p.rec[i].name, diff)
		}
	}
}

var plainEvents = [2][]string{
	{
		"negotiationneeded",
		"signaling have-local-offer",
		"gathering gathering", "candidate fd00::1", "candidate 10.0.0.1", "gathering complete", "candidate end",
		"signaling stable",
		"ice checking", "connection connecting", "ice connected", "connection connected",
		"open data", "ice completed", "low data", "message data hi", "closing data", "close data",
		"channel more", "open more", "close more",
		"ice closed", "signaling closed", "connection closed",
	}, {
		"signaling have-remote-offer", "signaling stable",
		"gathering gathering", "ice checking", "connection connecting",
		"candidate fd00::2", "candidate 10.0.0.2", "gathering complete", "candidate end",
		"ice connected", "ice completed", "connection connected",
		"channel data", "open data", "message data hello", "low data", "close data",
		"open more", "close more",
		"ice closed", "signaling closed", "connection closed",
	},
}
