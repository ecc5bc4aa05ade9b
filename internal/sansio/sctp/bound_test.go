package sctp

import (
	"strings"
	"testing"
	"time"

	"github.com/sansrtc/rtc/internal/simnet"
)

// Promise: a TSN further ahead than the buffer could fill is dropped, and answered at once.
func TestTSNFarAheadIsDropped(t *testing.T) {
	p, w := connected(t)
	a := p.end[0]
	base := a.received.base
	answers := w.deliver(chunkData, flagB|flagE, dataBody(base+TSN(a.maxAhead)+1, 0, 0, "x"))
	if a.stats.Drops.BeyondWindow != 1 || a.received.n != 0 || len(answers) != 1 {
		t.Errorf("%+v, %d kept, answers %+v", a.stats.Drops, a.received.n, answers)
	}
	w.deliver(chunkData, flagB|flagE, dataBody(base+TSN(a.maxAhead), 0, 0, "x"))
	if a.received.n != 1 {
		t.Error("the last TSN in the window was dropped")
	}
}

// Promise: new chunks may overdraw the window by half of the buffer, what fills gaps by as much again, and nothing goes beyond.
func TestOverdraftIsBounded(t *testing.T) {
	const buffer = 64 << 10
	p, w := connected(t, Config{ReceiveBuffer: buffer, MaxReceiveMessageSize: 32 << 10})
	a := p.end[0]
	base := a.received.base
	payload := strings.Repeat("x", 1000)
	fill := func(first TSN) int {
		for i := range TSN(200) {
			w.deliver(chunkData, flagB|flagE|flagU, dataBody(base+first+2*i, 0, 0, payload))
		}
		return a.asm.charged
	}
	if n := fill(2); n > buffer*3/2 || n < buffer*3/2-1064 {
		t.Errorf("%d bytes kept of new chunks", n)
	}
	if n := fill(3); n > buffer*2 || n < buffer*2-1064 {
		t.Errorf("%d bytes kept with filled gaps", n)
	}
}

// Promise: what was dropped at a closed window is sent as soon as the window is told to be open, not when T3 comes.
func TestOpenedWindowIsUsedAtOnce(t *testing.T) {
	p := newPair(t, 1, simnet.Config{Delay: 5 * time.Millisecond}, Config{ReceiveBuffer: 64 << 10, MaxReceiveMessageSize: 32 << 10})
	p.connect()
	p.consume = false
	p.end[0].cwnd.size, p.end[0].peerWindow = 1<<20, 1<<20
	for i := range 110 {
		p.send(0, 0, body(uint64(i), 1000), reliable)
	}
	p.run(150 * time.Millisecond) // T3 has not come
	n := messages(p.got[1])
	if p.end[0].sent.inFlight == 0 || n == 110 {
		t.Fatalf("nothing was dropped: %d messages", n)
	}
	p.consume = true
	for range n {
		p.end[1].Consume(p.now, 1000)
	}
	p.run(25 * time.Millisecond) // two and a half round trips
	if messages(p.got[1]) == n {
		t.Error("nothing came")
	}
}

// A cookie of ours whose peer tag is another changes nothing once the association is established. (RFC 9260 section 5.2.4 B would take the
// new tag over; a peer whose tag is in use has no reason for one.)
func TestCookieOfAnotherPeerIsDropped(t *testing.T) {
	p, w := connected(t)
	a := p.end[0]
	c := cookie{made: a.now, localTag: a.tag, peerTag: a.peerTag ^ 1}
	if got := w.deliver(chunkCookieEcho, 0, a.sealCookie(&c)); len(got) > 0 || a.stats.Drops.Cookie != 1 {
		t.Errorf("answers %+v", got)
	}
}
