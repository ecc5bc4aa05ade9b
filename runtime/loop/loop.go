package loop

import (
	"crypto/rand"
	"io"
	"time"

	"github.com/sansrtc/rtc/runtime"
	"github.com/sansrtc/rtc/runtime/internal/udp"
	"github.com/sansrtc/rtc/runtime/internal/worker"
)

// Config tunes a Runtime. The zero value is the default.
type Config struct {
	// Workers is the number of goroutines that host the loops; 0 means GOMAXPROCS.
	Workers int
	// HandoffAfter is how long a Dispatch may keep its worker until another goroutine takes over the worker's other loops; 0 means 5 ms.
	HandoffAfter time.Duration
	// ReceiveBuffer and SendBuffer are the bytes that each socket asks the system to buffer for it. The system may silently give less.
	// 0 means 4 MiB, negative leaves the system's default.
	ReceiveBuffer, SendBuffer int
	// DisableGSO and DisableGRO keep Linux from carrying several datagrams in one system call, in a send and in a receive.
	DisableGSO, DisableGRO bool
}

// Stats counts what a Runtime has done since it was made.
type Stats struct {
	Hosts         int64  // loops spawned and not yet released
	Handoffs      uint64 // dispatches that overstayed, so that another goroutine took over the worker
	Truncated     uint64 // datagrams dropped because they did not fit or came without their address
	ReceiveErrors uint64 // errors of the network that a receive reported and that were ignored
	GSOFallbacks  uint64 // sockets that gave up segmentation offload
}

// sendPatience is how long a Send waits for room in the system's buffer.
const sendPatience = 5 * time.Millisecond

// Runtime hosts loops on a few workers. It may be shared by any number of connections.
type Runtime struct {
	pool *worker.Pool
	net  *udp.Net
}

var _ runtime.Runtime = (*Runtime)(nil)

// New makes a Runtime. It needs no closing: what it holds belongs to its loops and goes with them.
func New(cfg Config) *Runtime {
	return &Runtime{
		pool: worker.New(worker.Config{Workers: cfg.Workers, HandoffAfter: cfg.HandoffAfter}),
		net: udp.New(udp.Config{
			ReceiveBuffer: cfg.ReceiveBuffer, SendBuffer: cfg.SendBuffer,
			DisableGSO: cfg.DisableGSO, DisableGRO: cfg.DisableGRO,
			Patience: sendPatience,
		}),
	}
}

// Now implements [runtime.Runtime].
func (r *Runtime) Now() time.Time { return time.Now() }

// Rand implements [runtime.Runtime] by crypto/rand.
func (r *Runtime) Rand() io.Reader { return rand.Reader }

// Interfaces implements [runtime.Runtime]. The answer may be up to a second old.
func (r *Runtime) Interfaces() ([]runtime.Interface, error) { return r.net.Interfaces.List() }

// Spawn implements [runtime.Runtime].
func (r *Runtime) Spawn(loop runtime.Loop) (runtime.Host, error) {
	h, err := r.pool.Spawn(loop, r.listen)
	if err != nil {
		return nil, err
	}
	return h, nil
}

// Stats returns a snapshot of the counters.
func (r *Runtime) Stats() Stats {
	return Stats{
		Hosts:         r.pool.Hosts(),
		Handoffs:      r.pool.Handoffs(),
		Truncated:     r.net.Truncated.Load(),
		ReceiveErrors: r.net.ReceiveErrors.Load(),
		GSOFallbacks:  r.net.GSOFallbacks.Load(),
	}
}
