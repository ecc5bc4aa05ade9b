// Package together lets loops that may be turned a little early be turned at the same moments: a process that has nothing else to do pays
// more for waking up than for what it does then.
package together

import (
	"math/bits"
	"time"

	"github.com/sansrtc/rtc/runtime"
)

// few is how many loops may use all of the time that they leave. When there are more the moments come closer to each other, because a long
// burst would keep those loops waiting that have something urgent to do.
const few = 2048

// At is when a loop that has asked for next is to be turned, in a runtime that has that many loops and began at epoch. Moments are counted
// from there so that processes do not agree on them, as they would on those of the calendar.
func At(next runtime.Next, loops int64, epoch time.Time) time.Time {
	since := next.At.Sub(epoch)
	step := next.Early >> bits.Len64(uint64(loops/few))
	if next.At.IsZero() || since <= 0 || step <= 0 {
		return next.At
	}
	return next.At.Add(-(since % step))
}
