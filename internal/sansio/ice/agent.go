package ice

import (
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"
)

// Agent is one ICE agent with one component. See the package comment for how it is driven. The time that its methods are told must not
// go back.
type Agent struct {
	cfg        Config
	jitter     rand.PCG
	tieBreaker uint64

	controlling bool
	state       State
	cur         *generation
	// old is the generation before cur: until cur has a valid pair it carries the data and a Rollback returns to it; then it still
	// answers and accepts until oldUntil, because the peer may find its first valid pair later than we do.
	old      *generation
	oldUntil time.Time // zero: cur has no valid pair

	// route is where data goes. Invariant after each step: a pair in state Succeeded of cur or old, or nil.
	route      *pair
	nominating *pair     // the valid pair of cur that we, controlling, have yet to nominate
	used       time.Time // the last time that the route had a reason to be watched closely
	relaxed    bool      // there was none for long: the route is asked at the pace of an idle one
	nextCheck  time.Time // pace: when the next connectivity check may go
	advanced   time.Time // the last time that advance was told; deadlines up to it have been dealt with

	embed     *embedding // nil: nothing is embedded, or no more
	embedding EmbeddingStats

	out    []packet
	polled int // packets of out that have been polled
	events []Event

	conflicts, moves uint64
	dropped          Dropped
	attributes       attributes
}

// New returns an agent that has nothing to do yet.
func New(cfg Config) *Agent {
	cfg.setDefaults()
	a := &Agent{cfg: cfg, controlling: cfg.Controlling, cur: newGeneration(cfg.Local), events: make([]Event, 0, 4)}
	if cfg.Embedding {
		a.embed, a.embedding.State = new(embedding), EmbeddingReady
	}
	var seed [24]byte
	a.random(seed[:])
	a.jitter.Seed(binary.BigEndian.Uint64(seed[:]), binary.BigEndian.Uint64(seed[8:]))
	a.tieBreaker = binary.BigEndian.Uint64(seed[16:])
	return a
}

func (a *Agent) random(b []byte) {
	if _, err := io.ReadFull(a.cfg.Rand, b); err != nil {
		panic("ice: Config.Rand failed: " + err.Error())
	}
}

func (a *Agent) random64() uint64 {
	var b [8]byte
	a.random(b[:])
	return binary.BigEndian.Uint64(b[:])
}

// LocalCredentials are those of the current generation.
func (a *Agent) LocalCredentials() Credentials { return a.cur.local }

// SetControlling changes the role.
func (a *Agent) SetControlling(now time.Time, controlling bool) {
	if a.state == StateClosed {
		return
	}
	a.setRole(controlling || a.cur.lite)
	a.advance(now)
}

// SetRemote gives the current generation its remote credentials, and with them the permission to send checks. Towards a lite peer the
// agent becomes controlling. Other credentials than before, as when an answer follows another fork's provisional one, forget all that
// was learned from the peer in this generation; a restarting peer is answered by Restart.
func (a *Agent) SetRemote(now time.Time, c Credentials, lite bool) {
	g := a.cur
	if a.state == StateClosed || g.failed {
		return
	}
	if g.hasRemote && g.remote != c {
		g.forgetRemote()
	}
	if !g.hasRemote {
		// "The RECOMMENDED duration for the PAC timer is equal to the agent's connectivity check transaction timeout", RFC 8863 section 4,
		// which is (2^6-1+16) times the RTO.
		g.patience = now.Add(79 * a.cfg.InitialRTO)
	}
	g.setRemote(c, lite)
	if lite {
		// The full one of two agents MUST take on the controlling role if the other is lite, RFC 8445 section 6.1.1.
		a.setRole(true)
	}
	a.advance(now)
}

// AddLocalCandidate adds an address that the agent may send from. Packets are told with its base as their local address, an IPv6 zone
// included. It reports whether the candidate is new and usable.
func (a *Agent) AddLocalCandidate(now time.Time, c Candidate) bool {
	c.Addr, c.Base = unmap(c.Addr), unmap(c.Base)
	if !c.Base.IsValid() {
		c.Base = c.Addr
	}
	if a.state == StateClosed || a.cur.failed || c.supported() != nil || a.cur.localAt(c.Addr, c.Base) != nil {
		return false
	}
	g := a.cur
	g.locals = append(g.locals, &c)
	for _, r := range g.remotes {
		// A peer-reflexive candidate is known to be reachable from the base that it was seen at, and from no other.
		if r.Type != PeerReflexive {
			a.addPair(g, &c, r, false)
		}
	}
	a.advance(now)
	return true
}

// RemoveLocalCandidate forgets the candidates with that base, whose socket has failed, in all generations.
func (a *Agent) RemoveLocalCandidate(now time.Time, base netip.AddrPort) {
	base = unmap(base)
	for _, g := range a.generations() {
		had := g.hasValid()
		g.removeLocal(base)
		if had && !g.hasValid() {
			g.lost = now
		}
	}
	a.advance(now)
}

// EndOfLocalCandidates tells that all local candidates of this generation have been added.
func (a *Agent) EndOfLocalCandidates(now time.Time) {
	a.cur.localEnded = true
	a.advance(now)
}

// AddRemoteCandidate adds a candidate that the peer has signalled. A candidate that is known already is not an error. The errors are
// ErrUnsupportedCandidate, ErrWrongGeneration, ErrTooManyCandidates and ErrClosed; an error leaves the agent as it was.
func (a *Agent) AddRemoteCandidate(now time.Time, c Candidate) error {
	if a.state == StateClosed {
		return ErrClosed
	}
	c.Addr = zoneless(unmap(c.Addr))
	if err := a.addRemote(&c); err != nil {
		a.dropped.RemoteCandidates++
		return err
	}
	a.advance(now)
	return nil
}

func (a *Agent) addRemote(c *Candidate) error {
	g := a.cur
	if err := c.supported(); err != nil {
		return err
	}
	if c.Ufrag != "" && (g.hasRemote && c.Ufrag != g.remote.Ufrag ||
		!g.hasRemote && a.old != nil && c.Ufrag == a.old.remote.Ufrag) {
		return ErrWrongGeneration
	}
	r := g.remoteAt(c.Addr)
	switch {
	case r == nil && g.learned >= a.cfg.MaxRemoteCandidates:
		return ErrTooManyCandidates
	case r == nil:
		g.learned++
		r = c
		g.remotes = append(g.remotes, r)
	case r.Type == PeerReflexive && c.Type != PeerReflexive:
		// The check overtook the signalling. Both sides have to compute the same pair priorities, so what was signalled holds.
		*r = *c
		g.prioritize(a.controlling)
	default:
		return nil
	}
	if !g.failed {
		for _, l := range g.locals {
			a.addPair(g, l, r, false)
		}
	}
	return nil
}

// EndOfRemoteCandidates tells that the peer has signalled all its candidates of this generation. A later one is used all the same.
func (a *Agent) EndOfRemoteCandidates(now time.Time) {
	a.cur.remoteEnded = true
	a.advance(now)
}

// HandleTimeout does what is due at now.
func (a *Agent) HandleTimeout(now time.Time) { a.advance(now) }

// HandleData tells that other authenticated traffic has arrived: the path lives.
func (a *Agent) HandleData(now time.Time, local, remote netip.AddrPort) {
	p := a.find(local, remote)
	if p == nil || p.state != PairSucceeded {
		return
	}
	p.hear(now)
	if a.embedding.State == EmbeddingPending && a.route != nil {
		a.becomeEmbedding(EmbeddingComplete) // only who has completed the handshake sends data
	}
	if a.state == StateDisconnected || a.state == StateChecking {
		a.advance(now)
	}
}

// Accepts says whether an authenticated check or response was seen from remote at local. What comes from elsewhere is to be dropped.
func (a *Agent) Accepts(local, remote netip.AddrPort) bool {
	p := a.find(local, remote)
	return p != nil && p.authentic
}

// Route is where data goes now: the selected pair or, before there is one, the best valid pair.
func (a *Agent) Route() (local, remote netip.AddrPort, ok bool) {
	if a.route == nil {
		return netip.AddrPort{}, netip.AddrPort{}, false
	}
	return a.route.base, a.route.addr, true
}

// RTT is the smoothed round-trip time of the route; zero: there is none.
func (a *Agent) RTT() time.Duration {
	if a.route == nil {
		return 0
	}
	return a.route.srtt
}

// State is the current state.
func (a *Agent) State() State { return a.state }

// PollEvent returns the next event.
func (a *Agent) PollEvent() (Event, bool) {
	if len(a.events) == 0 {
		return Event{}, false
	}
	e := a.events[0]
	a.events = slices.Delete(a.events, 0, 1)
	return e, true
}

// Close ends the agent: it sends nothing more and has no effect on what it is told.
func (a *Agent) Close(now time.Time) {
	if a.state == StateClosed {
		return
	}
	a.cur, a.old, a.route = newGeneration(a.cur.local), nil, nil
	a.out, a.polled, a.advanced, a.embed = nil, 0, now, nil
	if a.embedding.State < EmbeddingComplete {
		a.embedding.State = EmbeddingOff
	}
	a.setState(StateClosed)
}

// find returns the pair of a 5-tuple. It is asked for each datagram, nearly always for the route.
func (a *Agent) find(local, remote netip.AddrPort) *pair {
	if p := a.route; p != nil && p.base == local && p.addr == remote {
		return p
	}
	if p := a.cur.find(local, remote); p != nil {
		return p
	}
	if a.old != nil {
		return a.old.find(local, remote)
	}
	return nil
}

// generations are those that live, the current one first.
func (a *Agent) generations() []*generation {
	if a.old == nil {
		return []*generation{a.cur}
	}
	return []*generation{a.cur, a.old}
}
