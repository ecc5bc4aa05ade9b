package std

import (
	"crypto/rand"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sansrtc/rtc/runtime"
	"github.com/sansrtc/rtc/runtime/internal/udp"
)

// Config tunes a Runtime. The zero value is the default.
type Config struct {
	// ReceiveBuffer and SendBuffer are the bytes that each socket asks the system to buffer for it. The system may silently give less.
	// 0 means 4 MiB, negative leaves the system's default.
	ReceiveBuffer, SendBuffer int
	// DisableGSO and DisableGRO keep Linux from carrying several datagrams in one system call, in a send and in a receive.
	DisableGSO, DisableGRO bool
	// HandoffAfter is how long a Dispatch may run until another goroutine takes over the loop's sockets and timers; 0 means 5 ms.
	HandoffAfter time.Duration
}

const (
	defaultHandoff = 5 * time.Millisecond
	// sendPatience is how long a Send waits for room in the system's buffer. A buffer that has not moved for so long belongs to an
	// interface that is stuck, and other sockets of the loop must go on.
	sendPatience = 50 * time.Millisecond
)

// Stats counts what a Runtime has done since it was made.
type Stats struct {
	Hosts         int64  // loops spawned and not yet released
	Handoffs      uint64 // dispatches that overstayed, so that another goroutine took over the loop
	Truncated     uint64 // datagrams dropped because they did not fit or came without their address
	ReceiveErrors uint64 // errors of the network that a receive reported and that were ignored
	GSOFallbacks  uint64 // sockets that gave up segmentation offload
}

// Runtime is the default runtime. It may be shared by any number of connections.
type Runtime struct {
	epoch        time.Time
	handoffAfter time.Duration
	net          *udp.Net
	stats        counters
}

type counters struct {
	hosts    atomic.Int64
	handoffs atomic.Uint64
}

// New makes a Runtime. It needs no closing: what it holds belongs to its loops and goes with them.
func New(cfg Config) *Runtime {
	if cfg.HandoffAfter <= 0 {
		cfg.HandoffAfter = defaultHandoff
	}
	return &Runtime{
		epoch:        time.Now(),
		handoffAfter: cfg.HandoffAfter,
		net: udp.New(udp.Config{
			ReceiveBuffer: cfg.ReceiveBuffer, SendBuffer: cfg.SendBuffer,
			DisableGSO: cfg.DisableGSO, DisableGRO: cfg.DisableGRO,
			Patience: sendPatience,
		}),
	}
}

var shared = sync.OnceValue(func() *Runtime { return New(Config{}) })

// Default returns the Runtime that connections share when none is chosen.
func Default() *Runtime { return shared() }

// Now implements [runtime.Runtime].
func (r *Runtime) Now() time.Time { return time.Now() }

// Rand implements [runtime.Runtime] by crypto/rand.
func (r *Runtime) Rand() io.Reader { return rand.Reader }

// Interfaces implements [runtime.Runtime]. The answer may be up to a second old.
func (r *Runtime) Interfaces() ([]runtime.Interface, error) { return r.net.Interfaces.List() }

// Spawn implements [runtime.Runtime].
func (r *Runtime) Spawn(loop runtime.Loop) (runtime.Host, error) { return spawn(r, loop), nil }

// Stats returns a snapshot of the counters.
func (r *Runtime) Stats() Stats {
	return Stats{
		Hosts:         r.stats.hosts.Load(),
		Handoffs:      r.stats.handoffs.Load(),
		Truncated:     r.net.Truncated.Load(),
		ReceiveErrors: r.net.ReceiveErrors.Load(),
		GSOFallbacks:  r.net.GSOFallbacks.Load(),
	}
}
