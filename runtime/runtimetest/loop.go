package runtimetest

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/sansrtc/rtc/runtime"
)

// loop is a small [runtime.Loop]. Its hooks are called with mu held, but for onDispatch, which runs without it as a handler does.
type loop struct {
	b    *bench
	rt   runtime.Runtime
	host runtime.Host

	mu         sync.Mutex
	onReceive  func(s runtime.UDPSocket, d *runtime.Datagrams)
	onTurn     func(now time.Time) runtime.Next
	onDispatch func(event int)

	got      []datagram
	receives int
	unturned bool // a Receive without a Turn after it
	turns    int
	lastTurn time.Time
	failures int

	events      int  // produced
	dispatched  int  // handed to onDispatch
	dispatching bool // a Dispatch is running
	calls       int  // of Dispatch

	ending   bool
	done     bool
	released int
}

// datagram is one that was received.
type datagram struct {
	s             runtime.UDPSocket
	local, remote netip.AddrPort
	data          string
}

// loop spawns a loop on rt.
func (b *bench) loop(rt runtime.Runtime) *loop {
	b.Helper()
	l := &loop{b: b, rt: rt}
	l.mu.Lock()
	defer l.mu.Unlock()
	host, err := rt.Spawn(l)
	if err != nil {
		b.Fatalf("Spawn: %v", err)
	}
	l.host = host
	b.loops = append(b.loops, l)
	return l
}

// listen opens a socket, or ends the test.
func (l *loop) listen(addr netip.Addr, port uint16) runtime.UDPSocket {
	l.b.Helper()
	s, err := l.host.ListenUDP(context.Background(), netip.AddrPortFrom(addr, port))
	if err != nil {
		l.b.Fatalf("ListenUDP(%v, %d): %v", addr, port, err)
	}
	return s
}

// echo makes the loop answer each datagram from where it was sent to.
func (l *loop) echo() {
	l.with(func() {
		l.onReceive = func(s runtime.UDPSocket, d *runtime.Datagrams) {
			if err := s.Send(&runtime.Datagrams{Local: d.Local, Remote: d.Remote, Data: d.Data, SegmentSize: d.SegmentSize}); err != nil {
				l.b.Errorf("answering from the Local of what was received: %v", err)
			}
		}
	})
}

// with runs f while no call of the runtime is in the loop.
func (l *loop) with(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

// holds is a condition over the loop's fields.
func (l *loop) holds(cond func() bool) func() bool {
	return func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return cond()
	}
}

// data lists the contents of what was received.
func (l *loop) data() (all []string) {
	l.with(func() {
		for _, d := range l.got {
			all = append(all, d.data)
		}
	})
	return all
}

func (l *loop) hasData(n int) func() bool { return l.holds(func() bool { return len(l.got) >= n }) }

// post makes events for the next Dispatch.
func (l *loop) post(n int) {
	l.with(func() { l.events += n })
	l.host.Wake()
}

func (l *loop) end() {
	l.with(func() { l.ending = true })
	l.host.Wake()
}

func (l *loop) isReleased() bool { return l.holds(func() bool { return l.released > 0 })() }

// called is first in each call of the runtime.
func (l *loop) called(what string) {
	if l.released > 0 {
		l.b.Errorf("%s is called after Released", what)
	}
}

func (l *loop) Receive(now time.Time, s runtime.UDPSocket, d *runtime.Datagrams) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.called("Receive")
	l.receives++
	l.unturned = true
	if d.Local.Addr().Is4In6() || d.Remote.Addr().Is4In6() {
		l.b.Errorf("addresses are never in their IPv4-mapped form, but Local is %v and Remote %v", d.Local, d.Remote)
	}
	for _, data := range split(d) {
		l.got = append(l.got, datagram{s, d.Local, d.Remote, data})
	}
	if l.onReceive != nil {
		l.onReceive(s, d)
	}
	for i := range d.Data { // "it may overwrite Data"
		d.Data[i] = '!'
	}
}

func (l *loop) SocketFailed(now time.Time, s runtime.UDPSocket, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.called("SocketFailed")
	l.failures++
}

func (l *loop) Turn(now time.Time) (next runtime.Next) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.called("Turn")
	l.turns++
	l.unturned = false
	l.lastTurn = now
	if l.ending {
		l.done = true
		return runtime.Next{Done: true}
	}
	if l.onTurn != nil {
		next = l.onTurn(now)
	}
	next.Events = l.events > l.dispatched
	return next
}

// Dispatch keeps the rule for loops: a call while another runs returns at once, and the running one takes over its work.
func (l *loop) Dispatch() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.called("Dispatch")
	l.calls++
	if l.dispatching {
		return
	}
	l.dispatching = true
	defer func() { l.dispatching = false }()
	for l.dispatched < l.events {
		event, f := l.dispatched, l.onDispatch
		if f != nil {
			l.mu.Unlock()
			f(event)
			l.mu.Lock()
		}
		l.dispatched++
	}
}

func (l *loop) Released() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.called("Released")
	l.released++
	if !l.done {
		l.b.Error("Released is called before a Turn returned Done")
	}
	if l.dispatching {
		l.b.Error("Released is called while a Dispatch is running")
	}
}

// split copies the datagrams out of d.
func split(d *runtime.Datagrams) (all []string) {
	size := d.SegmentSize
	if size <= 0 {
		return []string{string(d.Data)}
	}
	for chunk := range slices.Chunk(d.Data, size) {
		all = append(all, string(chunk))
	}
	return all
}
