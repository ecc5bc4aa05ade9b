package mux

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxRoutes is how many addresses a socket owns at most: as many as there are pairs of 64 remote candidates and four local addresses.
	maxRoutes = 256
	// routeLife is how long an address is owned after the last send to it. A pair in use is sent to every few seconds.
	routeLife = time.Minute
	// heardLife is how long what was heard for the owner protects its address against others. RFC 7675 section 5.1 lets consent checks be 6
	// seconds apart; our own are up to 18 on an idle path.
	heardLife = 20 * time.Second
	// patience is how long an owner that has heard nothing yet is left its address, when who is asked there has another port to answer from.
	patience = time.Second
	// freshness is how exactly the times of a route are kept, so that a packet seldom writes them.
	freshness = time.Second
)

// pathKey is what a received datagram is told apart by. local has the zero Addr for an owner that lets the system choose it.
type pathKey struct{ remote, local netip.AddrPort }

// route says that owner owns an address. When an address gets another owner, it gets another route.
type route struct {
	key   pathKey
	port  int // the index of the local port
	owner *socket
	// Times since the Runtime's epoch.
	made  time.Duration
	used  atomic.Int64           // the owner's last send
	heard atomic.Int64           // the last request for one of the owner's username fragments, or response; 0: none
	rival atomic.Pointer[socket] // whose username fragment another request from there was for
	gone  atomic.Bool            // the table does not have it any more
}

// touch notes a time, roughly.
func touch(at *atomic.Int64, now time.Duration) {
	if old := at.Load(); old == 0 || int64(now)-old >= int64(freshness) {
		at.Store(max(int64(now), 1))
	}
}

func (r *route) expired(now time.Duration) bool { return int64(now)-r.used.Load() > int64(routeLife) }

// defended tells whether the owner keeps the address although s sends there. pressing: there is no port that s could have more easily.
func (r *route) defended(s *socket, pressing bool, now time.Duration) bool {
	if r.rival.Load() != s {
		// Who claims nothing is never heard of.
		return !pressing || len(s.mux.locals) == 1 || r.heard.Load() != 0 || !s.mux.claims.has(r.owner)
	}
	if heard := r.heard.Load(); heard != 0 {
		return int64(now)-heard <= int64(heardLife)
	}
	// The answer to the owner may be on its way. And if the other end is a mux too, another connection's owner may have met s's there: would
	// both give way, they were only exchanged, and each end would hear the data of the other connection.
	return !pressing && now-r.made <= patience
}

// table has the routes, in parts that are locked one by one.
type table struct {
	parts  [64]tablePart
	anyway atomic.Int64 // routes whose local is the zero Addr
}

type tablePart struct {
	mu     sync.RWMutex
	routes map[pathKey]*route
}

func (t *table) init() {
	for i := range t.parts {
		t.parts[i].routes = map[pathKey]*route{}
	}
}

func (t *table) len() (n int) {
	for i := range t.parts {
		p := &t.parts[i]
		p.mu.RLock()
		n += len(p.routes)
		p.mu.RUnlock()
	}
	return n
}

// part spreads the routes. Who chooses addresses so that all fall into one part makes that part's lock a little busier.
func (t *table) part(k *pathKey) *tablePart {
	a := k.remote.Addr().As16()
	h := binary.LittleEndian.Uint64(a[:8])*31 + binary.LittleEndian.Uint64(a[8:])*17 + uint64(k.remote.Port())
	return &t.parts[h*0x9E3779B97F4A7C15>>58]
}

// lookup finds the route of what came from remote to local.
func (t *table) lookup(remote, local netip.AddrPort, now time.Duration) *route {
	k := pathKey{remote, local}
	p := t.part(&k) // the same for all local addresses
	p.mu.RLock()
	r := p.routes[k]
	if r == nil && t.anyway.Load() > 0 {
		k.local = netip.AddrPortFrom(netip.Addr{}, local.Port())
		r = p.routes[k]
	}
	p.mu.RUnlock()
	if r != nil && r.expired(now) {
		return nil // it is taken away when its owner or another socket sends there, or its owner is closed
	}
	return r
}

// learn makes s, which sends to it, the owner of an address, if it can be. It returns the route if s is the owner, and whether it is a new one.
func (t *table) learn(s *socket, k pathKey, port int, pressing bool, now time.Duration) (r *route, fresh bool) {
	p := t.part(&k)
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.routes[k]
	if old != nil {
		if old.owner == s {
			old.used.Store(int64(now))
			return old, false
		}
		if !old.expired(now) && old.defended(s, pressing, now) {
			return nil, false
		}
		t.forget(p, old)
	}
	r = &route{key: k, port: port, owner: s, made: now}
	r.used.Store(int64(now))
	if old != nil && old.rival.Load() == s {
		touch(&r.heard, now)
	}
	p.routes[k] = r
	if !k.local.IsValid() {
		t.anyway.Add(1)
	}
	return r, true
}

// remove takes r away, if it is still there.
func (t *table) remove(r *route) {
	p := t.part(&r.key)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.routes[r.key] == r {
		t.forget(p, r)
	}
}

// forget is remove, with p's mu held and r there.
func (t *table) forget(p *tablePart, r *route) {
	delete(p.routes, r.key)
	r.gone.Store(true)
	if !r.key.local.IsValid() {
		t.anyway.Add(-1)
	}
}

// owned is a socket's list of its routes. Those that are gone are left in it until it is tidied.
type owned struct {
	mu     sync.Mutex
	routes []*route
	closed bool
}

// add notes that r, a new one, is the socket's.
func (o *owned) add(t *table, r *route, now time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		t.remove(r)
		return
	}
	o.routes = slices.DeleteFunc(o.routes, func(r *route) bool {
		if !r.gone.Load() && r.expired(now) {
			t.remove(r)
		}
		return r.gone.Load()
	})
	if len(o.routes) == maxRoutes {
		least := slices.MinFunc(o.routes, func(a, b *route) int { return int(a.used.Load() - b.used.Load()) })
		t.remove(least)
		o.routes = slices.DeleteFunc(o.routes, func(r *route) bool { return r == least })
	}
	o.routes = append(o.routes, r)
}

// prefer makes r the one that find finds.
func (o *owned) prefer(r *route) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if i := slices.Index(o.routes, r); i >= 0 {
		o.routes = append(slices.Delete(o.routes, i, i+1), r)
	}
}

// find finds a route to remote, of several ports' the one that was added or preferred last.
func (o *owned) find(remote netip.AddrPort, local netip.Addr, now time.Duration) *route {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range slices.Backward(o.routes) {
		if r.key.remote == remote && r.key.local.Addr() == local && !r.gone.Load() && !r.expired(now) {
			return r
		}
	}
	return nil
}

// close takes all routes away.
func (o *owned) close(t *table) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	for _, r := range o.routes {
		t.remove(r)
	}
	o.routes = nil
}
