//go:build !race

// The race detector makes pools forgetful.

package ice

import "testing"

// What is asked for each datagram costs nothing; a check that is answered costs little.
func TestAllocations(t *testing.T) {
	p := newConnectedPeer(t, Config{})
	if n := testing.AllocsPerRun(100, func() {
		p.a.Accepts(p.base, p.addr)
		p.a.Accepts(p.base, p.base)
		p.a.Route()
		p.a.HandleData(p.now, p.base, p.addr)
		p.a.PollTimeout()
		p.a.RTT()
		p.a.State()
	}); n != 0 {
		t.Errorf("%v allocations per datagram", n)
	}
	check := p.request()
	buf := make([]byte, 0, 1500)
	if n := testing.AllocsPerRun(100, func() {
		p.a.HandlePacket(p.now, p.base, p.addr, check)
		p.a.PollWrite(p.now, buf)
	}); n > 6 { // four of them pion/stun's list of attributes as it grows
		t.Errorf("%v allocations per check", n)
	}
}
