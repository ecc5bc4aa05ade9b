//go:build !portable

package rtc_test

import (
	"testing"

	"github.com/sansrtc/rtc"
)

// Promise: bulk data on a path inside one machine goes in datagrams of 16 KiB.
func TestLoopbackCarriesLargeDatagrams(t *testing.T) {
	overSockets(t, testLoopbackCarriesLargeDatagrams)
}

func testLoopbackCarriesLargeDatagrams(t *testing.T, w *world) {
	pc, rec := w.realPair(t, w.runtimes(t), nil)
	defer pc[0].Close()
	defer pc[1].Close()
	sent := 0
	eventually(t, "packets have their size", func() bool {
		for range 64 {
			if err := rec[0].channel(0).SendContext(t.Context(), make([]byte, 16<<10)); err != nil {
				t.Fatal(err)
			}
			sent++
		}
		return rtc.ReportOf(pc[0]).SCTP.MTU == 16352
	})
	eventually(t, "all messages arrive", func() bool { return rec[1].received() == sent })
}
