// Package udp is the part of the runtimes over the operating system's UDP sockets that they share: opening a socket, the local address of
// each datagram, segmentation offload in both directions, the network interfaces, and the memory to receive into.
//
// A [Net] is what the sockets of one runtime have in common. It opens
//
//   - a [Conn], which waits in the poller of the Go runtime: for a goroutine that reads one socket. There is one on each system;
//   - a [Bare] socket, on Linux, which never waits: for a worker that watches many descriptors by an epoll of its own.
//
// On Linux one Conn is enough for all addresses. Elsewhere [Net.Listen] gives one for each address, all on one port, and [Send] chooses
// the one that sends. The build tag "portable" chooses that way on Linux, to test it there.
package udp

import (
	"errors"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sansrtc/rtc/runtime"
)

// ErrNothing is a read's answer when nothing has arrived, also when its deadline has passed.
var ErrNothing = errors.New("udp: nothing received")

// Config is how the sockets of a Net are.
type Config struct {
	// ReceiveBuffer and SendBuffer are the bytes that each socket asks the system to buffer for it. The system may silently give less.
	// 0 means [DefaultBuffer], negative leaves the system's default.
	ReceiveBuffer, SendBuffer int
	// DisableGSO and DisableGRO keep Linux from carrying several datagrams in one system call, in a send and in a receive.
	DisableGSO, DisableGRO bool
	// Patience is how long a Send waits for room in the system's buffer. A buffer that has not moved for so long belongs to an interface
	// that is stuck, and other sockets of whoever sends must go on.
	Patience time.Duration
}

// DefaultBuffer is what each socket asks the system to buffer for it.
const DefaultBuffer = 4 << 20

// Net is what the sockets of one runtime share.
type Net struct {
	cfg        Config
	Interfaces Interfaces

	Truncated     atomic.Uint64 // datagrams dropped because they did not fit or came without their address
	ReceiveErrors atomic.Uint64 // errors of the network that a receive reported and that were ignored
	GSOFallbacks  atomic.Uint64 // sockets that gave up segmentation offload

	// Fault is set by tests: what the system is to answer to a send.
	Fault func(bytes, segment int) syscall.Errno
}

// New makes a Net.
func New(cfg Config) *Net {
	if cfg.ReceiveBuffer == 0 {
		cfg.ReceiveBuffer = DefaultBuffer
	}
	if cfg.SendBuffer == 0 {
		cfg.SendBuffer = DefaultBuffer
	}
	return &Net{cfg: cfg}
}

// Slab is a received run of datagrams and the memory it lies in. It is taken only when something has arrived: a waiting socket holds none.
type Slab struct {
	runtime.Datagrams
	message
	buf [64 << 10]byte
}

var slabs = sync.Pool{New: func() any { return new(Slab) }}

// Free gives the memory back.
func (b *Slab) Free() { slabs.Put(b) }
