package mux

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/sansrtc/rtc/internal/sansio/peer"
	"github.com/sansrtc/rtc/internal/simnet"
	"github.com/sansrtc/rtc/runtime"
)

var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// crowd is many connections between two muxes, in virtual time: real cores and real tables, and a wire for the ports.
type crowd struct {
	t     testing.TB
	now   time.Duration
	rng   *rand.Rand
	rand  *rand.ChaCha8
	cert  peer.Certificate
	muxes [2]*Runtime
	wire  *simnet.Wire
	ends  []*end
	of    map[*socket]*end
}

// end is one of the two connections of a pair.
type end struct {
	mux         int
	core        *peer.Core
	socket      *socket
	begun, open time.Duration // open: its channel is since then; 0: not yet

	answer   peer.Description // that is on its way
	answered time.Duration    // when it comes; 0: there is none
}

func newCrowd(t testing.TB, seed uint64, ports int) *crowd {
	key := [32]byte{byte(seed)}
	c := &crowd{t: t, now: time.Second, rng: rand.New(rand.NewPCG(seed, 0)), rand: rand.NewChaCha8(key), of: map[*socket]*end{}}
	c.wire = simnet.NewWire(seed, simnet.Config{
		Delay: 100 * time.Microsecond, Jitter: 3 * time.Millisecond, Reorder: 0.3, ReorderDelay: 2 * time.Millisecond,
	})
	for i := range c.muxes {
		r := bare()
		r.locals = nil
		for n := range ports {
			r.locals = append(r.locals, netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), uint16(1000*(i+1)+n)))
		}
		c.muxes[i] = r
	}
	var err error
	c.cert, err = peer.GenerateCertificate(c.rand, epoch, epoch.AddDate(1, 0, 0))
	c.must(err)
	return c
}

func (c *crowd) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *crowd) clock() time.Time { return epoch.Add(c.now) }

// join adds a pair, each end on one of the first ports, and exchanges its descriptions.
func (c *crowd) join(ports int) {
	var pair [2]*end
	for i, r := range c.muxes {
		core, err := peer.New(peer.Config{Rand: c.rand, Certificate: c.cert})
		c.must(err)
		pair[i] = &end{mux: i, core: core, socket: &socket{mux: r, port: c.rng.IntN(ports)}, begun: c.now}
		c.of[pair[i].socket] = pair[i]
		c.ends = append(c.ends, pair[i])
	}
	a, b := pair[0], pair[1]
	_, err := a.core.OpenChannel(c.clock(), peer.Params{Ordered: true, MaxRetransmits: -1, MaxLifetime: -1})
	c.must(err)
	offer, err := a.core.CreateOffer(false)
	c.must(err)
	offer = c.setLocal(a, offer)
	c.must(b.core.SetRemote(c.clock(), offer))
	answer, err := b.core.CreateAnswer()
	c.must(err)
	answer = c.setLocal(b, answer)
	a.answer, a.answered = answer, c.now+time.Duration(c.rng.Int64N(int64(3*time.Millisecond)))
	c.flush(b)
}

// setLocal applies a description, and returns it with the candidate.
func (c *crowd) setLocal(e *end, d peer.Description) peer.Description {
	c.must(e.core.SetLocal(c.clock(), d))
	if e.core.TakeGather() {
		c.must(e.socket.ClaimUfrag(e.core.LocalUfrag()))
		e.core.AddLocalCandidate(c.clock(), e.socket.LocalAddr(), 65535)
		e.core.EndOfLocalCandidates(c.clock())
	}
	d, _ = e.core.Descriptions().Local()
	return d
}

// flush sends what wants to leave, each datagram behind its two ports.
func (c *crowd) flush(e *end) {
	var slab [2048]byte
	for t, ok := e.core.PollWrite(c.clock(), slab[:0], 1); ok; t, ok = e.core.PollWrite(c.clock(), slab[:0], 1) {
		port := e.socket.learn(t.Local.Addr(), t.Remote, c.now)
		b := binary.BigEndian.AppendUint16(nil, c.muxes[e.mux].locals[port].Port())
		b = binary.BigEndian.AppendUint16(b, t.Remote.Port())
		c.wire.Send(c.clock(), e.mux, append(b, t.Data...))
	}
	for ev, ok := e.core.PollEvent(); ok; ev, ok = e.core.PollEvent() {
		if ev.Kind == peer.EventChannelOpen || ev.Kind == peer.EventChannelIncoming {
			e.open = c.now
		}
		e.core.Taken(c.clock(), ev.Charge)
	}
}

// run lets time jump from one event to the next, until limit.
func (c *crowd) run(limit time.Duration) {
	for {
		next := c.wire.Next()
		for _, e := range c.ends {
			next = simnet.Earliest(next, e.core.PollTimeout())
			if e.answered != 0 {
				next = simnet.Earliest(next, epoch.Add(e.answered))
			}
		}
		if next.IsZero() || next.Sub(epoch) > limit {
			c.now = limit
			return
		}
		c.now = max(c.now, next.Sub(epoch))
		for to, b, ok := c.wire.Receive(c.clock()); ok; to, b, ok = c.wire.Receive(c.clock()) {
			c.arrive(c.muxes[to], &runtime.Datagrams{
				Remote: netip.AddrPortFrom(c.muxes[1-to].locals[0].Addr(), binary.BigEndian.Uint16(b)),
				Local:  netip.AddrPortFrom(c.muxes[to].locals[0].Addr(), binary.BigEndian.Uint16(b[2:])),
				Data:   b[4:],
			})
		}
		for _, e := range c.ends {
			if e.answered != 0 && e.answered <= c.now {
				e.answered = 0
				c.must(e.core.SetRemote(c.clock(), e.answer))
				c.flush(e)
			}
			if t := e.core.PollTimeout(); !t.IsZero() && !t.After(c.clock()) {
				e.core.HandleTimeout(c.clock())
				c.flush(e)
			}
		}
	}
}

func (c *crowd) arrive(r *Runtime, d *runtime.Datagrams) {
	s := r.find(d, c.now)
	if s == nil {
		return
	}
	e := c.of[s]
	e.core.HandleRead(c.clock(), s.LocalAddr(), d.Remote, d.Data, 0)
	e.core.EndBurst(c.clock())
	c.flush(e)
}

// Connections that are made at once, and many of which meet on one pair of ports, all open within a few round trips: none waits for a
// retransmission, since nothing is lost, and what is sent to one never goes to another for long.
func TestConnectionsThatMeetOnOnePath(t *testing.T) {
	const patience = 100 * time.Millisecond // a round trip takes up to 10, the first retransmissions of ICE come after 250
	for _, at := range []struct {
		ports, chosen, pairs, seeds int
		gap                         time.Duration // between two that begin
	}{
		{18, 18, 100, 2, 500 * time.Microsecond},
		{8, 8, 20, 10, 100 * time.Microsecond},
		{4, 4, 5, 40, 100 * time.Microsecond},
		{4, 1, 2, 100, 500 * time.Microsecond},
	} {
		t.Run(fmt.Sprintf("%d of %d ports, %d pairs", at.chosen, at.ports, at.pairs), func(t *testing.T) {
			for seed := range uint64(at.seeds) {
				c := newCrowd(t, seed, at.ports)
				for range at.pairs {
					c.join(at.chosen)
					c.run(c.now + time.Duration(c.rng.Int64N(int64(2*at.gap))))
				}
				c.run(c.now + patience)
				var sockets [2][]*socket
				for i, e := range c.ends {
					if e.open == 0 || e.open-e.begun > patience {
						t.Errorf("seed %d: connection %d has no channel after %v", seed, i, patience)
					}
					sockets[e.mux] = append(sockets[e.mux], e.socket)
				}
				for i, r := range c.muxes {
					r.check(sockets[i])
					if n := r.contested.Load(); n > 0 {
						t.Errorf("seed %d: %d sends found no port", seed, n)
					}
				}
			}
		})
	}
}
