package sim

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/sansrtc/rtc/runtime"
)

// place is where a loop lives: its [runtime.Host].
type place struct {
	host *Host
	loop runtime.Loop

	// Guarded by the world's lock.
	event       // its next Turn; after the end its Released
	inbox       []arrival
	spare       []arrival // the inbox of the turn before, to be used again
	failed      []failure
	sockets     []*socket
	dispatching int  // Dispatch calls that have not returned
	ended       bool // a Turn returned Done
	asked       bool // for the next Turn by something else than the last Turn's At
	last        int64
	spins       int // turns at the instant last that only At asked for
}

// arrival is a datagram that waits for its loop's Receive.
type arrival struct {
	s             *socket
	local, remote netip.AddrPort
	data          []byte
}

type failure struct {
	s   *socket
	err error
}

// maxSpins is how many turns of one loop at one instant its At alone may ask for, before the simulation takes it for a loop that asks
// for a time that has passed, again and again.
const maxSpins = 1000

// Spawn implements [runtime.Runtime].
func (h *Host) Spawn(loop runtime.Loop) (runtime.Host, error) {
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	if h.w.closed {
		return nil, runtime.ErrClosed
	}
	l := &place{host: h, loop: loop}
	l.event.loop = l
	h.w.loops++
	return l, nil
}

func (l *place) Wake() { l.wakeAt(0) }

func (l *place) WakeAt(t time.Time) { l.wakeAt(int64(t.Sub(l.host.w.cfg.Start))) }

func (l *place) wakeAt(at int64) {
	w := l.host.w
	w.mu.Lock()
	defer w.mu.Unlock()
	l.asked = true
	l.turnBy(at)
}

// turnBy makes sure that there is a Turn at the given time at the latest.
func (l *place) turnBy(at int64) {
	w := l.host.w
	at = max(at, w.now.Load())
	if !l.ended && !w.closed && (l.event.pos == 0 || at < l.event.at) {
		w.queue.set(&l.event, at)
	}
}

func (l *place) ListenUDP(ctx context.Context, local netip.AddrPort) (runtime.UDPSocket, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w := l.host.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if l.ended || w.closed {
		return nil, runtime.ErrClosed
	}
	s, err := l.host.bind(l, local)
	if err != nil {
		return nil, fmt.Errorf("sim: listen on udp %v: %w", local, err)
	}
	l.sockets = append(l.sockets, s)
	return s, nil
}

// turn gives l what arrived for it and the Turn that is due, and runs its handlers. The lock is held, and released.
func (w *World) turn(l *place) {
	if l.ended {
		w.loops--
		w.mu.Unlock()
		l.loop.Released()
		return
	}
	if l.last != w.now.Load() || l.asked || len(l.inbox) > 0 {
		l.last, l.spins = w.now.Load(), 0
	}
	if l.spins++; l.spins > maxSpins {
		w.mu.Unlock()
		panic(fmt.Sprintf("sim: %d turns of a loop on %s at %v: does it ask for a time that has passed?", maxSpins, l.host.name, w.Now()))
	}
	inbox, failed := l.inbox, l.failed
	l.inbox, l.spare, l.failed, l.asked = l.spare[:0], nil, nil, false
	w.mu.Unlock()

	now := w.Now()
	w.receive(l.loop, now, inbox)
	for _, f := range failed {
		if !f.s.closed.Load() {
			l.loop.SocketFailed(now, f.s, f.err)
		}
	}
	next := l.loop.Turn(now)

	w.mu.Lock()
	for i := range inbox {
		w.recycle(inbox[i].data)
		inbox[i] = arrival{}
	}
	l.spare = inbox[:0]
	if !next.At.IsZero() {
		l.turnBy(int64(next.At.Sub(w.cfg.Start)))
	}
	switch {
	case next.Done:
		l.end()
		w.mu.Unlock()
	case next.Events && !w.closed:
		l.dispatching++
		w.start(job{loop: l})
	default:
		w.mu.Unlock()
	}
}

// receive hands in what arrived: runs of equal size from one peer as one slab.
func (w *World) receive(loop runtime.Loop, now time.Time, inbox []arrival) {
	for len(inbox) > 0 {
		first, n, size := &inbox[0], 1, len(inbox[0].data)
		for n < len(inbox) && n < w.cfg.Coalesce && first.joins(&inbox[n]) && size+len(inbox[n].data) <= maxSlab {
			size += len(inbox[n].data)
			n++
			if len(inbox[n-1].data) < len(first.data) {
				break
			}
		}
		run := inbox[:n]
		inbox = inbox[n:]
		if first.s.closed.Load() {
			continue
		}
		d := runtime.Datagrams{Local: first.local, Remote: first.remote, Data: first.data}
		if n > 1 {
			w.slab = w.slab[:0]
			for i := range run {
				w.slab = append(w.slab, run[i].data...)
			}
			d.Data, d.SegmentSize = w.slab, len(first.data)
		}
		w.received = d
		loop.Receive(now, first.s, &w.received)
		// The loop has no right to the bytes any more: one that kept them shall see it.
		for i := range d.Data {
			d.Data[i] = 0xdb
		}
	}
}

// joins tells whether b may follow a in one slab.
func (a *arrival) joins(b *arrival) bool {
	return a.s == b.s && a.local == b.local && a.remote == b.remote && len(b.data) > 0 && len(b.data) <= len(a.data)
}

// end lets go of the loop.
func (l *place) end() {
	w := l.host.w
	l.ended = true
	w.queue.remove(&l.event)
	for _, s := range slices.Clone(l.sockets) {
		s.unbind()
	}
	for _, a := range l.inbox {
		w.recycle(a.data)
	}
	l.inbox, l.failed = nil, nil
	l.release()
}

// release queues Released once no Dispatch is running.
func (l *place) release() {
	if w := l.host.w; l.ended && l.dispatching == 0 && !w.closed {
		w.queue.set(&l.event, w.now.Load())
	}
}

// dispatched tells that a Dispatch has returned.
func (l *place) dispatched() {
	l.dispatching--
	l.release()
}

// Rand implements [runtime.Runtime]: a stream that depends on the world's seed and the host's name only.
func (h *Host) Rand() io.Reader { return h.rand }
