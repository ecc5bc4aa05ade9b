package peer

import (
	"fmt"
	"testing"
	"time"

	"github.com/sansrtc/rtc/internal/simnet"
)

// Promise: where datagrams are not fragmented they become as large as the path carries, at most a quarter of what one send call takes; a path
// that becomes narrower loses no message. Whatever is sent together has one size, and a probe leaves alone.
func TestDatagramsBecomeAsLargeAsThePath(t *testing.T) {
	for _, c := range []struct{ mtu, want, narrow, then int }{
		{0, 16352, 1500, 1448}, {9000, 8928, 1280, 1176}, {1500, 1448, 9000, 8928}, {1280, 1176, 1280, 1176},
	} {
		w := newWorld(t, 1, simnet.Config{Delay: time.Millisecond, MTU: c.mtu})
		for _, core := range w.core {
			core.SetWholeDatagrams(true)
		}
		a, b := w.connect()
		largest, sent, got := 0, 0, 0
		w.see = func(from int, datagram []byte) bool {
			largest = max(largest, len(datagram))
			return true
		}
		w.ear[1].on = func(e Event) {
			if e.Kind != EventMessage {
				return
			}
			if n, ok := bodyNumber(e.Data); e.Channel != b || !ok || n != got {
				w.fatalf("message %d comes as %d, unchanged %v", got, n, ok)
			}
			got++
		}
		bulk := func(n int) {
			t.Helper()
			w.runUntil("bulk", time.Minute, func() bool {
				for ; sent < n && w.core[0].BufferedAmount(a) < 256<<10; sent++ {
					w.send(0, a, body(sent, 16<<10))
				}
				return got == n
			})
			w.run(5 * time.Second)
		}
		mtu := func() int { return w.core[0].sctp.Stats().MTU }
		bulk(300)
		if mtu() != c.want || largest < c.want {
			t.Errorf("MTU %d: packets of %d bytes, datagrams of %d", c.mtu, mtu(), largest)
		}
		for i := range w.wire.Pipes {
			w.wire.Pipes[i].SetConfig(simnet.Config{Delay: time.Millisecond, MTU: c.narrow})
		}
		bulk(400)
		bulk(500)
		if mtu() != c.then {
			t.Errorf("MTU %d, then %d: packets of %d bytes", c.mtu, c.narrow, mtu())
		}
	}
}

// Promise: on an IPv4 path narrower than the smallest datagrams, where those are fragmented, a connection comes about and carries everything, also
// when the path becomes that narrow while data flows, and when fragments are lost.
func TestPathNarrowerThanTheSmallest(t *testing.T) {
	for _, mtu := range []int{900, 600, 300} {
		path := simnet.Config{Delay: 5 * time.Millisecond, MTU: mtu, Fragment: 1200, Loss: 0.01}
		w := newWorld(t, uint64(mtu), path)
		for _, core := range w.core {
			core.SetWholeDatagrams(true)
		}
		a, _ := w.connect()
		sent := 0
		bulk := func() {
			t.Helper()
			for range 20 {
				w.send(0, a, body(sent, 16<<10))
				sent++
			}
			w.runUntil(fmt.Sprintf("%d messages over %d bytes", sent, mtu), time.Minute, func() bool { return len(w.ear[1].got) == sent })
		}
		bulk()
		if n := w.core[0].sctp.Stats().MTU; n != 1176 {
			t.Errorf("packets of %d bytes on a path of %d", n, mtu)
		}
		wide := path
		wide.MTU = 9000
		for _, cfg := range []simnet.Config{wide, path} {
			for i := range w.wire.Pipes {
				w.wire.Pipes[i].SetConfig(cfg)
			}
			bulk()
		}
	}
}

// Promise: where datagrams may be fragmented none is larger than 1200 bytes.
func TestFragmentedDatagramsStaySmall(t *testing.T) {
	w := newWorld(t, 1, simnet.Config{Delay: time.Millisecond})
	a, _ := w.connect()
	for i := range 100 {
		w.send(0, a, body(i, 16<<10))
	}
	w.run(10 * time.Second) // the world holds each datagram against the size
	if n := len(w.ear[1].got); n != 100 {
		t.Errorf("%d messages", n)
	}
}
