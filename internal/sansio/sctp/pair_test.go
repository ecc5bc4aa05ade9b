package sctp

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sansrtc/rtc/internal/simnet"
)

// pair is two associations over a simulated wire, in virtual time.
type pair struct {
	t    testing.TB
	seed uint64
	end  [2]*Association
	wire *simnet.Wire
	now  time.Time
	rng  *rand.Rand

	checks   bool
	consume  bool                          // take messages at once
	got      [2][]Event                    // what each end has polled
	onEvent  func(end int, e Event)        // instead of got
	onPacket func(from int, b []byte) bool // false: lost
	steps    int
	buf      []byte
}

// testRand is a seeded source of secrets.
func testRand(seed, stream uint64) *rand.ChaCha8 {
	var key [32]byte
	for i := range 8 {
		key[i], key[8+i] = byte(seed>>(8*i)), byte(stream>>(8*i))
	}
	return rand.NewChaCha8(key)
}

// simnetIdeal neither delays nor loses.
var simnetIdeal = simnet.Config{}

var testEpoch = time.Unix(1_000_000_000, 0)

func newPair(t testing.TB, seed uint64, path simnet.Config, cfg ...Config) *pair {
	p := &pair{t: t, seed: seed, wire: simnet.NewWire(seed, path), now: testEpoch, rng: rand.New(rand.NewPCG(seed, 3)),
		checks: true, consume: true}
	for i := range p.end {
		var c Config
		if len(cfg) > 0 {
			c = cfg[min(i, len(cfg)-1)]
		}
		c.Rand = testRand(seed, uint64(i))
		a, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		p.end[i] = a
	}
	return p
}

func (p *pair) fatalf(format string, args ...any) {
	p.t.Helper()
	p.t.Fatalf("seed %d, %v: %s", p.seed, p.now.Sub(testEpoch), fmt.Sprintf(format, args...))
}

// flush sends all that wants to leave and polls all events, until quiet.
func (p *pair) flush() {
	for again := true; again; {
		again = false
		for i, a := range p.end {
			for {
				most := a.MaxPacket()
				b, ok := a.AppendPacket(p.now, p.buf[:0])
				if !ok {
					break
				}
				p.buf = b
				if len(b) > most {
					p.fatalf("packet of %d bytes", len(b))
				}
				if p.onPacket == nil || p.onPacket(i, b) {
					p.wire.Send(p.now, i, b)
				}
			}
			for e, ok := a.PollEvent(); ok; e, ok = a.PollEvent() {
				again = true
				if e.Kind == EventMessage && p.consume {
					a.Consume(p.now, len(e.Data))
				}
				if p.onEvent != nil {
					p.onEvent(i, e)
				} else {
					p.got[i] = append(p.got[i], e)
				}
			}
		}
	}
	if p.checks {
		p.end[0].check()
		p.end[1].check()
	}
}

// step lets time pass to the next thing that happens, at the latest until. It says whether something did.
func (p *pair) step(until time.Time) bool {
	p.flush()
	next := simnet.Earliest(p.wire.Next(), p.end[0].PollTimeout(), p.end[1].PollTimeout())
	if next.IsZero() || next.After(until) {
		p.now = until
		return false
	}
	if next.After(p.now) {
		p.now = next
	}
	if p.steps++; p.steps > 5_000_000 {
		p.fatalf("no end")
	}
	var got [2]bool
	for to, b, ok := p.wire.Receive(p.now); ok; to, b, ok = p.wire.Receive(p.now) {
		p.end[to].HandlePacket(p.now, b)
		for i := range b {
			b[i] = 0xee // it may not be kept
		}
		got[to] = true
	}
	for i, a := range p.end {
		if got[i] {
			a.HandleBurstEnd(p.now)
		}
		if at := a.PollTimeout(); !at.IsZero() && !at.After(p.now) {
			a.HandleTimeout(p.now)
		}
		if p.checks {
			a.check()
		}
	}
	return true
}

// run lets d pass.
func (p *pair) run(d time.Duration) {
	for until := p.now.Add(d); p.step(until); {
	}
	p.flush()
}

// runUntil lets time pass until done, at most d.
func (p *pair) runUntil(d time.Duration, what string, done func() bool) {
	p.t.Helper()
	for until := p.now.Add(d); !done(); {
		if !p.step(until) {
			if p.flush(); !done() {
				p.fatalf("%s: not within %v; states %v %v, stats %+v %+v", what, d, p.end[0].State(), p.end[1].State(), p.end[0].Stats(), p.end[1].Stats())
			}
		}
	}
}

// connect establishes the association; end 0 starts.
func (p *pair) connect() {
	p.t.Helper()
	p.end[0].Start(p.now, 0)
	p.runUntil(time.Minute, "connect", p.connected)
	p.flush()
	p.got = [2][]Event{}
}

func (p *pair) connected() bool {
	return p.end[0].State() == StateEstablished && p.end[1].State() == StateEstablished
}

func (p *pair) send(end int, id StreamID, data []byte, params SendParams) {
	p.t.Helper()
	a, own := p.end[end], data
	send := a.Send
	if len(data) < 500 {
		own, send = bytes.Clone(data), a.SendCopy
		defer clear(own)
	}
	if err := send(p.now, id, 53, own, params); err != nil {
		p.fatalf("Send: %v", err)
	}
}

var reliable = SendParams{MaxRetransmits: -1}

// body is a message of n bytes, at least 8, that knows its number.
func body(number uint64, n int) []byte {
	b := make([]byte, max(n, 8))
	for i := range b {
		b[i] = byte(number>>(8*(i&7))) + byte(i>>3)
	}
	return b
}

func checkBody(b []byte) (number uint64, ok bool) {
	if len(b) < 8 {
		return 0, false
	}
	for i := range 8 {
		number |= uint64(b[i]) << (8 * i)
	}
	for i := range b {
		if b[i] != byte(number>>(8*(i&7)))+byte(i>>3) {
			return number, false
		}
	}
	return number, true
}
