package sctp

import "time"

// recvWindow is how much the peer may send before the application takes it. It begins small and grows with what the path needs, as
// dynamic right-sizing does in TCP: what the application takes in a round trip is measured, and several times as much may be on the way. A
// round trip is that of a HEARTBEAT, so that an end which only receives knows it too, and is measured only while enough is taken.
type recvWindow struct {
	limit  int     // what may wait for the application
	taken  int     // bytes since the round trip began, or the last one ended
	nonce  uint64  // of the HEARTBEAT on its way; 0: there is none
	due    bool    // it is to go with the next packet
	needed instant // when a limit of this size was last needed
}

const (
	// initialWindow is what may wait at first, if Config.ReceiveBuffer allows it and two messages are not more.
	initialWindow = 1 << 20
	// windowGrowth is how many times as much as was taken in a round trip may be sent: the peer's slow start doubles its window in the round
	// trip that was measured and again until it hears of ours.
	windowGrowth = 4
	// heldShare is how many times the limit may be held in all: what came after a gap, and parts of messages, wait for the network and not
	// for the application, and more of them must come before they go.
	heldShare = 4
	// windowDecay is how long a limit that is not needed lasts; then it is halved.
	windowDecay = 10 * time.Second
)

func (c *Config) initialWindow() int {
	return min(c.ReceiveBuffer, max(initialWindow, 2*c.MaxReceiveMessageSize))
}

// heldLimit bounds all that is held, when the peer keeps to the window.
func (a *Association) heldLimit() int { return min(heldShare*a.recv.limit, a.cfg.ReceiveBuffer) }

// window is what may be sent to us: less than a packet is nothing, "to avoid receiver silly window syndrome" (RFC 9260 section 6.2).
func (a *Association) window() int {
	if w := min(a.recv.limit-a.asm.delivered, a.heldLimit()-a.asm.charged); w >= a.cfg.MTU {
		return w
	}
	return 0
}

// Consume tells that the application took a message of n bytes: its room is free again. When little was advertised the peer hears of it
// as soon as a quarter of the window is free that it does not know of; tell says that this has just come about: there is a SACK to be sent.
func (a *Association) Consume(now time.Time, n int) (tell bool) {
	a.enter(now)
	a.asm.consume(n)
	if !a.open() {
		return false
	}
	a.tuneWindow(n + messageOverhead)
	if w := a.window(); a.sack.window < a.recv.limit/2 && w-a.sack.window >= a.recv.limit/4 {
		a.sack.due, tell = true, !a.sack.due
	}
	return tell
}

// tuneWindow is called when the application has taken n bytes.
func (a *Association) tuneWindow(n int) {
	w := &a.recv
	w.taken += n
	switch {
	case w.nonce != 0 && w.taken > 2*w.limit:
		w.nonce, w.due = 0, false // no round trip holds so much: the HEARTBEAT or its answer was lost
	case w.nonce == 0 && w.taken >= w.limit/2/windowGrowth && a.cfg.initialWindow() < a.cfg.ReceiveBuffer:
		a.heartbeat.nonce++
		w.nonce, w.taken, w.due = a.heartbeat.nonce, 0, true
	}
	for a.asm.charged == 0 && a.now.since(w.needed) > windowDecay && w.limit > a.cfg.initialWindow() {
		w.limit = max(w.limit/2, a.cfg.initialWindow())
		w.needed = w.needed.add(windowDecay)
	}
}

// handleWindowAck says whether nonce ends a round trip.
func (a *Association) handleWindowAck(nonce uint64) bool {
	w := &a.recv
	if w.nonce == 0 || nonce != w.nonce {
		return false
	}
	need := min(windowGrowth*w.taken, a.cfg.ReceiveBuffer)
	if w.limit = max(w.limit, need); need > w.limit/2 {
		w.needed = a.now
	}
	w.nonce, w.taken = 0, 0
	return true
}
