package std

import (
	"time"

	"github.com/sansrtc/rtc/runtime/internal/udp"
)

// conn is a system socket and what its host knows of it.
type conn struct {
	*udp.Conn
	socket *socket

	armed    time.Time // the read deadline that the poller was told last; guarded by host.mu
	promoted bool      // the reader is to make this the primary conn; guarded by host.mu

	polls int // reads that were not to wait; owned by the one goroutine that reads
}

const (
	// pollEvery is how many Turns in a row may pass without a look at the socket, and pollTime how long that look waits, on systems
	// where it is not possible to look without waiting.
	pollEvery = 8
	pollTime  = 50 * time.Microsecond
)

// arm tells the poller when a read is to end; zero: not by itself. Called with host.mu held.
func (c *conn) arm(t time.Time) {
	c.armed = t
	c.SetReadDeadline(t)
}

// read returns what has arrived, or udp.ErrNothing. If wait is true it waits until the armed deadline.
func (c *conn) read(wait bool) (*udp.Slab, error) {
	if !wait && !udp.CanLook {
		if c.polls++; c.polls%pollEvery != 0 {
			return nil, udp.ErrNothing
		}
		h := c.socket.host
		h.mu.Lock()
		c.arm(time.Now().Add(pollTime))
		h.mu.Unlock()
	}
	return c.Read(wait)
}
