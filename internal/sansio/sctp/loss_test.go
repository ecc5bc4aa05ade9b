package sctp

import (
	"slices"
	"testing"
	"time"
)

// The reordering window is a quarter of the shortest round trip, as often as it was wrong and once more, but at least a millisecond and no more than the
// smoothed round trip; it follows the longer of that and the latest.
func TestReorderingWindow(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		srtt, latest, shortest time.Duration
		factor                 int
		want                   time.Duration
	}{
		{100 * ms, 80 * ms, 40 * ms, 0, 110 * ms},
		{100 * ms, 150 * ms, 40 * ms, 0, 160 * ms},
		{100 * ms, 80 * ms, 40 * ms, 3, 140 * ms},
		{100 * ms, 80 * ms, 40 * ms, 20, 200 * ms},
		{2 * ms, 2 * ms, 2 * ms, 0, 3 * ms},
	} {
		k, r := rack{factor: c.factor}, rto{srtt: c.srtt, latest: c.latest, shortest: c.shortest}
		if got := k.delay(&r); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// The window grows once in a round trip, and is forgotten after sixteen congestion events without another mistake.
func TestReorderingWindowGrowsAndIsForgotten(t *testing.T) {
	var k rack
	events := func(n int) {
		for range n {
			k.onEvent()
		}
	}
	want := func(what string, factor int) {
		t.Helper()
		if k.factor != factor || k.seen != (what != "begin") {
			t.Errorf("%s: %+v", what, k)
		}
	}
	events(5)
	want("begin", 0)
	k.onSpurious(5, 10)
	want("first", 1)
	k.onSpurious(9, 12)
	want("the same round trip", 1)
	k.onSpurious(10, 20)
	want("the next", 2)
	events(15)
	want("15 events", 2)
	k.onSpurious(15, 25)
	events(15)
	want("15 after another mistake", 2)
	events(1)
	want("16", 0)
	events(20)
	k.onSpurious(30, 40)
	want("once more", 1)
}

// flying is an association with a round trip of 100 ms that has sent n messages of a size at once, 100 ms ago.
func flying(t *testing.T, n, size int) (*Association, wireEnd, TSN) {
	t.Helper()
	p, w := connected(t)
	a := p.end[0]
	a.rto.sample(100 * time.Millisecond)
	a.rto.srtt = 0
	a.rto.measure(100 * time.Millisecond)
	a.rttFrom = 1 << 40
	a.cwnd.size, a.peerWindow = 1<<20, 1<<20
	for i := range n {
		p.send(0, 0, body(uint64(i), size), reliable)
	}
	w.take()
	if a.sent.inFlight != n {
		t.Fatalf("%d of %d are in flight", a.sent.inFlight, n)
	}
	p.now = p.now.Add(100 * time.Millisecond)
	return a, w, a.sent.cum
}

// resent are the numbers, from cum on, of the DATA chunks among others.
func resent(chunks []wireChunk, cum TSN) (list []int) {
	for _, c := range chunks {
		if c.typ == chunkData {
			list = append(list, int(TSN(be32(c.body))-cum))
		}
	}
	return list
}

// pass lets time pass and returns what is sent then.
func (w wireEnd) pass(d time.Duration) []wireChunk {
	w.p.now = w.p.now.Add(d)
	w.p.end[w.end].HandleTimeout(w.p.now)
	return w.take()
}

// A chunk that three packets have overtaken is lost; one that fewer have, or any number where reordering was seen, when a round trip and the reordering
// window have passed since it was sent. One that comes until then is not sent again, and nobody wakes up for it.
func TestOvertakenChunksAreLost(t *testing.T) {
	const window = 25 * time.Millisecond
	for _, c := range []struct {
		to   uint16
		seen bool
		want []int
	}{{2, false, nil}, {3, false, nil}, {4, false, []int{1}}, {8, false, []int{1}}, {8, true, nil}} {
		for _, comes := range []bool{false, true} {
			a, w, cum := flying(t, 8, 1100)
			a.rack.seen = c.seen
			if got := resent(w.deliver(chunkSack, 0, sackBody(cum, 1<<20, 2, c.to)), cum); !slices.Equal(got, c.want) {
				t.Errorf("%+v: sends %v", c, got)
			}
			if c.want != nil {
				continue
			}
			if got := w.pass(window - 1); len(got) > 0 {
				t.Errorf("%+v: sends %v too early", c, got)
			}
			if comes {
				w.deliver(chunkSack, 0, sackBody(cum+TSN(c.to), 1<<20))
				if a.timers.running(timerLoss) || a.sent.lost > 0 || a.stats.Spurious > 0 {
					t.Errorf("%+v: waits for what has come", c)
				}
				continue
			}
			if got := resent(w.pass(1), cum); !slices.Equal(got, []int{1}) {
				t.Errorf("%+v: sends %v when the time has come", c, got)
			}
		}
	}
}

// What was in the same packet as the last that has arrived was not overtaken.
func TestNeighboursAreNotOvertaken(t *testing.T) {
	a, w, cum := flying(t, 3, 20)
	if a.sent.at(cum+1).packet != a.sent.at(cum+3).packet {
		t.Fatal("they are in several packets")
	}
	w.deliver(chunkSack, 0, sackBody(cum, 1<<20, 2, 2))
	if a.sent.lost > 0 || a.timers.running(timerLoss) {
		t.Errorf("%d are lost, or will be at %v", a.sent.lost, a.timers[timerLoss])
	}
}

// A SACK without room for more gap blocks says nothing of what is behind them, whatever was sent later and has arrived.
func TestWhatASackHasNoRoomForIsNotLost(t *testing.T) {
	for _, full := range []bool{true, false} {
		a, w, cum := flying(t, 150, 100)
		var gaps []uint16
		for i := range uint16(64) {
			gaps = append(gaps, 2+2*i, 2+2*i)
		}
		// Those between the blocks are sent again, behind all others.
		if again := resent(w.deliver(chunkSack, 0, sackBody(cum, 1<<20, gaps...)), cum); len(again) == 0 || again[0] != 1 {
			t.Fatalf("sends %v", again)
		}
		w.p.now = w.p.now.Add(100 * time.Millisecond)
		// The first of them has arrived: by then the others have had time.
		if !full {
			gaps = gaps[:len(gaps)-2]
		}
		w.deliver(chunkSack, 0, sackBody(cum+2, 1<<20, gaps...))
		for n := TSN(131); n <= 150; n++ {
			if c := a.sent.at(cum + n); (c.state == sentInFlight && c.rtx == 0) != full {
				t.Errorf("with %d blocks: chunk %d is in state %d, sent again %d times", len(gaps)/2, n, c.state, c.rtx)
			}
		}
	}
}
