package rtc

import (
	"sync"
	"sync/atomic"
	"time"
)

// burst is what the handler of a connection forwards of packets that have arrived together: which connections it writes them to. What is written
// to one of these leaves when the handler has been told the last packet, in one run for each connection. A burst knows its packets
// by their memory: a payload that is written as it was received is forwarded, all else leaves at once.
type burst struct {
	owner   *loop
	payload atomic.Pointer[byte] // of the packet that the handler is being told, while others wait behind it
	slot    *atomic.Pointer[burst]
	told    int           // packets since the last flush
	packets atomic.Uint64 // that were told

	mu    sync.Mutex // may be taken holding the mu of any loop
	loops []*loop    // have something to flush
	seen  uint64     // what packets was at the last look
}

// forwarding has the bursts that are under way: no more than dispatches run at a time, and it does no harm when a slot is not free.
var forwarding struct {
	open  atomic.Int32
	slots [32]atomic.Pointer[burst]
}

// maxBurst is how many packets a connection is kept waiting for: about what one send carries.
const maxBurst = 32

// forwarded finds the burst that payload is forwarded of; nil: there is none.
func forwarded(payload []byte) *burst {
	if len(payload) == 0 || forwarding.open.Load() == 0 {
		return nil
	}
	for i := range forwarding.slots {
		if b := forwarding.slots[i].Load(); b != nil && b.payload.Load() == &payload[0] {
			return b
		}
	}
	return nil
}

// tell takes note of the packet that the handler is about to be told, and whether others follow it.
func (b *burst) tell(payload []byte, more bool) {
	if more && len(payload) > 0 && (b.slot != nil || b.begin()) {
		b.payload.Store(&payload[0])
		b.told++
		b.packets.Add(1)
	}
}

func (b *burst) begin() bool {
	for i := range forwarding.slots {
		if s := &forwarding.slots[i]; s.Load() == nil && s.CompareAndSwap(nil, b) {
			b.slot = s
			forwarding.open.Add(1)
			return true
		}
	}
	return false
}

// end flushes, and nothing is forwarded of b until there is another packet.
func (b *burst) end() {
	b.slot.Store(nil)
	b.slot, b.told = nil, 0
	forwarding.open.Add(-1)
	b.flush()
}

// add has l flushed with the burst. It is called with l.mu held.
func (b *burst) add(l *loop) {
	b.mu.Lock()
	first := len(b.loops) == 0
	b.loops = append(b.loops, l)
	b.mu.Unlock()
	if first {
		b.owner.host.Wake() // so that there is a Turn, and a look, when the handler overstays
	}
}

// look flushes when the handler is still at the packet at which it was at the last look. It reports whether another look is needed.
func (b *burst) look() bool {
	b.mu.Lock()
	packets, waiting := b.packets.Load(), len(b.loops) > 0
	stays := packets == b.seen
	b.seen = packets
	b.mu.Unlock()
	if waiting && stays {
		b.flush()
	}
	return waiting && !stays
}

// lookAgain is between looks at a handler that overstays.
const lookAgain = time.Millisecond

// flush sends what was written so far. It is called without the mu of any loop.
func (b *burst) flush() {
	b.mu.Lock()
	loops := b.loops
	b.loops = nil
	b.mu.Unlock()
	if len(loops) == 0 {
		return
	}
	for _, l := range loops {
		l.flushBurst(b)
	}
	clear(loops)
	b.mu.Lock()
	if b.loops == nil {
		b.loops = loops[:0]
	}
	b.mu.Unlock()
}

// endBurst ends what the handler forwards. It is called with mu held and lets go of it, since connections may forward to each other.
func (l *loop) endBurst() {
	if l.forward.slot == nil {
		return
	}
	l.mu.Unlock()
	defer l.mu.Lock()
	l.forward.end()
}

// flushBurst sends what was written as part of b, unless it has left already.
func (l *loop) flushBurst(b *burst) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.burst == b {
		l.burst = nil
		l.flush(l.tick())
		l.rearm()
	}
}
