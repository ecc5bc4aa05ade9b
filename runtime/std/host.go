package std

import (
	"context"
	"net/netip"
	"time"

	"github.com/sansrtc/rtc/runtime"
)

type host struct {
	rt   *Runtime
	loop runtime.Loop
}

func spawn(rt *Runtime, loop runtime.Loop) *host { return &host{rt: rt, loop: loop} }

func (h *host) ListenUDP(ctx context.Context, local netip.AddrPort) (runtime.UDPSocket, error) {
	return nil, runtime.ErrClosed
}

func (h *host) Wake()              {}
func (h *host) WakeAt(t time.Time) {}
