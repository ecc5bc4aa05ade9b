package std

import (
	"time"

	"github.com/sansrtc/rtc/runtime/internal/udp"
)

// burst is how many slabs are received between two Turns. It bounds how long a flood keeps the loop from its timers.
const burst = 16

// loneSize is what a read has to have for another one to follow before the Turn. Small datagrams are checks, acknowledgements and single
// messages, and mostly nothing is behind them.
const loneSize = 200

// littleEarly is how much too early a deadline may be. To wake up for nothing costs an idle process as much as some hundred moves.
const littleEarly = 100 * time.Millisecond

// past is a read deadline that ends a read at once.
var past = time.Unix(1, 0)

// Wake implements [runtime.Host].
func (h *host) Wake() {
	// The Turn that will clear the flag comes after this load, so it sees all that the caller did before.
	if h.woken.Load() {
		return
	}
	h.mu.Lock()
	h.woken.Store(true)
	h.poke()
	h.mu.Unlock()
}

// WakeAt implements [runtime.Host].
func (h *host) WakeAt(t time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t.IsZero() || (!h.at.IsZero() && !t.Before(h.at)) {
		return
	}
	h.at = t
	h.advance()
}

// poke ends the driver's wait, if it waits, or begins its life. Called with mu held.
func (h *host) poke() {
	if !h.parked {
		return
	}
	// From here the driver counts as running. A deadline set before it has noticed would undo the poke, so none is: see advance.
	h.parked = false
	switch {
	case !h.begun:
		h.begun = true
		go h.begin()
	case h.parkedOn != nil:
		h.parkedOn.arm(past)
	default:
		select {
		case h.bell <- struct{}{}:
		default:
		}
	}
}

// advance makes a waiting driver wait no longer than until at. Called with mu held.
func (h *host) advance() {
	if !h.parked || h.at.IsZero() {
		return
	}
	if c := h.parkedOn; c == nil {
		h.poke()
	} else if c.armed.IsZero() || h.at.Before(c.armed) {
		c.arm(h.at)
	}
}

// wait hands to the loop what arrives, and returns when a Turn is due, or false for no reason.
func (h *host) wait() (now time.Time, due bool) {
	now = time.Now()
	h.mu.Lock()
	c := h.primary
	if h.dueLocked(now) {
		h.mu.Unlock()
		if c != nil {
			// Wakes that never end, as from a sender in a tight loop, must not keep the loop from what arrives.
			_, now = h.receive(c, false)
		}
		return now, true
	}
	h.parked, h.parkedOn = true, c
	if c == nil {
		return h.waitForBell(now)
	}
	// A deadline that is a little too early is left as it is: it ends one wait for nothing, which is cheaper than moving it for each packet.
	if !c.armed.After(now) || (!h.at.IsZero() && (h.at.Before(c.armed) || h.at.Sub(c.armed) > littleEarly)) {
		if !c.armed.IsZero() || !h.at.IsZero() {
			c.arm(h.at)
		}
	}
	h.mu.Unlock()
	n, now := h.receive(c, true)
	h.mu.Lock()
	h.parked = false
	due = n > 0 || h.dueLocked(now)
	h.mu.Unlock()
	return now, due
}

// waitForBell is wait while the loop has no socket. Called with mu held.
func (h *host) waitForBell(now time.Time) (time.Time, bool) {
	if h.bell == nil {
		h.bell = make(chan struct{}, 1)
	}
	bell, at := h.bell, h.at
	h.mu.Unlock()
	if at.IsZero() {
		<-bell
	} else {
		timer := time.NewTimer(at.Sub(now))
		select {
		case <-bell:
		case <-timer.C:
		}
		timer.Stop()
	}
	now = time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.parked = false
	return now, h.dueLocked(now)
}

// dueLocked tells whether the driver has a reason not to wait. Called with mu held.
func (h *host) dueLocked(now time.Time) bool {
	return h.woken.Load() || h.events || h.done || (!h.at.IsZero() && !now.Before(h.at))
}

// receive hands to the loop what c has got, at most burst slabs, and returns how many there were and the time. If block is true
// it waits for the first, until c's deadline.
func (h *host) receive(c *conn, block bool) (n int, now time.Time) {
	for n < burst {
		b, err := c.read(block && n == 0)
		if err != nil {
			if err != udp.ErrNothing && h.fail(c, err) {
				n++
			}
			break
		}
		h.turning.Lock()
		if !h.done && !c.socket.closed.Load() {
			h.loop.Receive(h.tick(time.Now()), c.socket, &b.Datagrams)
		}
		h.turning.Unlock()
		lone := len(b.Data) < loneSize
		b.Free()
		n++
		if lone {
			break
		}
	}
	return n, time.Now()
}

// fail tells the loop that c is broken, unless it was closed.
func (h *host) fail(c *conn, err error) bool {
	h.turning.Lock()
	defer h.turning.Unlock()
	if !c.socket.close() || h.done {
		return false
	}
	h.loop.SocketFailed(h.tick(time.Now()), c.socket, err)
	return true
}

// readConn is the life of the goroutine that reads a conn beside the primary one. It ends when the conn is closed or becomes the primary.
func (h *host) readConn(c *conn) {
	defer h.release()
	for {
		n, now := h.receive(c, true)
		if n > 0 {
			h.turning.Lock()
			h.answer(now)
			if h.events || h.done {
				h.poke()
			} else {
				h.advance()
			}
			h.mu.Unlock()
			h.turning.Unlock()
		}
		if h.readerEnds(c) {
			return
		}
	}
}

func (h *host) readerEnds(c *conn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.socket.closed.Load() {
		return true
	}
	if !c.promoted || h.primary != nil { // a new socket may have been quicker
		c.promoted = false
		if !c.armed.IsZero() {
			c.arm(time.Time{})
		}
		return false
	}
	c.promoted = false
	h.primary = c
	h.poke()
	return true
}
