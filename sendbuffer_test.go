package rtc_test

import (
	"testing"

	"github.com/sansrtc/rtc"
)

// The copy of a message has room for it, wastes no more than a fifth, and is lent again when it was given
// back; nothing else is.
func TestSendBuffers(t *testing.T) {
	again := 0
	for n := range 70_000 {
		b := rtc.Lend(n)
		if len(b) != 0 || b == nil || cap(b) < n || cap(b) > max(n+n/4, 1) {
			t.Fatalf("%d bytes: %d, %d", n, len(b), cap(b))
		}
		b = b[:n]
		rtc.Recycle(b)
		if n == 0 {
			continue
		}
		c := rtc.Lend(n)[:n]
		if &b[0] == &c[0] {
			again++
		}
		own := make([]byte, n, 2*n+1)
		rtc.Recycle(own)
		if d := rtc.Lend(n)[:n]; &d[0] == &own[0] {
			t.Fatalf("%d bytes that were not lent are lent", n)
		}
		rtc.Recycle(c)
	}
	if again < 20_000 { // the race detector has a pool lose some on purpose
		t.Errorf("%d were lent again", again)
	}
}
