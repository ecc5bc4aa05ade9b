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
	}); n > 2 { // the list of attributes, and that of packets: what rests keeps neither
		t.Errorf("%v allocations per check", n)
	}
}

// Between the checks of a path that is quiet an agent keeps nothing for the next one.
func TestRest(t *testing.T) {
	for _, embedding := range []bool{false, true} {
		p := newConnectedPeer(t, Config{Embedding: embedding})
		for _, ok := p.a.PollEvent(); ok; _, ok = p.a.PollEvent() {
		}
		p.a.EndEmbedding(p.now)
		p.a.Rest()
		small := func(after string) {
			t.Helper()
			if n := cap(p.a.out) + cap(p.a.attributes) + cap(p.a.events); n != 0 {
				t.Errorf("embedding %v: room for %d packets, attributes and events after %s", embedding, n, after)
			}
		}
		small("Rest")
		p.send(p.request())
		p.packets()
		small("an answer")
		for p.a.polled == len(p.a.out) {
			p.now = p.a.PollTimeout()
			p.a.HandleTimeout(p.now)
		}
		p.send(p.success(p.wantRequest("a consent check")))
		small("a question")
	}
}
