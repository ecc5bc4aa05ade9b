package rtc

import (
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/sansrtc/rtc/runtime"
)

// slabSize fits the largest run of datagrams that one send takes.
const slabSize = 64 << 10

// slab is what a flush sends from.
type slab struct {
	bytes *[slabSize]byte
	out   runtime.Datagrams // here because what is given to a socket escapes
}

var slabs = sync.Pool{New: func() any { return &slab{bytes: new([slabSize]byte)} }}

// flush sends all that the core has to send. It is called with mu held.
func (l *loop) flush(now time.Time) {
	l.dirty = false
	if l.closed {
		return
	}
	slab := slabs.Get().(*slab)
	for {
		segments := 1
		if len(l.sockets) > 0 {
			segments = l.sockets[0].MaxSegments()
		}
		t, ok := l.core.PollWrite(now, slab.bytes[:0], segments)
		if !ok {
			break
		}
		s := l.socket(t.Local)
		if s == nil {
			continue // the socket has failed: its datagrams are lost like others
		}
		slab.out = runtime.Datagrams{Local: t.Local, Remote: t.Remote, Data: t.Data, SegmentSize: t.SegmentSize}
		if err := s.Send(&slab.out); err != nil && errors.Is(err, runtime.ErrClosed) {
			l.dropSocket(now, s)
		}
	}
	slabs.Put(slab)
	if l.core.IsClosed() {
		l.end()
		return
	}
	if len(l.waiting) > 0 {
		l.wakeWaiting()
	}
}

// socket finds what sends from local.
func (l *loop) socket(local netip.AddrPort) runtime.UDPSocket {
	if len(l.sockets) == 1 {
		return l.sockets[0]
	}
	for _, s := range l.sockets {
		a := s.LocalAddr()
		if a.Port() == local.Port() && (a.Addr() == local.Addr() || a.Addr().IsUnspecified() && (a.Addr().Is6() || local.Addr().Is4())) {
			return s
		}
	}
	return nil
}
