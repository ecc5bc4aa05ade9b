package mux

import (
	"net/netip"
	"time"

	"github.com/sansrtc/rtc/runtime"
	"github.com/sansrtc/rtc/runtime/internal/worker"
)

// clock is the time since the Runtime's epoch.
func (r *Runtime) clock() time.Duration { return time.Since(r.epoch) }

// deliver hands d, which was read by w's driver, or by a goroutine of its own if w is nil, to the sockets that it is for.
func (r *Runtime) deliver(w *worker.Worker, d *runtime.Datagrams) {
	now := r.clock()
	if !holdsSTUN(d) {
		r.hand(w, r.byAddress(d, now), d)
		return
	}
	// STUN may be for another socket than the data beside it.
	data, size := d.Data, d.SegmentSize
	for d.SegmentSize = 0; size > 0 && len(data) > size; data = data[size:] {
		d.Data = data[:size:size]
		r.hand(w, r.find(d, now), d)
	}
	d.Data = data
	r.hand(w, r.find(d, now), d)
}

// hand gives d to s, to which all ports are its own.
func (r *Runtime) hand(w *worker.Worker, s *socket, d *runtime.Datagrams) {
	if s == nil {
		return
	}
	at := d.Local
	d.Local = netip.AddrPortFrom(at.Addr(), r.locals[s.port].Port())
	if w != nil {
		w.Receive(s.host, s, d)
	} else {
		s.host.Receive(s, d)
	}
	d.Local = at
}

// holdsSTUN tells whether one of the datagrams begins like STUN.
func holdsSTUN(d *runtime.Datagrams) bool {
	if d.SegmentSize <= 0 {
		return beginsLikeSTUN(d.Data)
	}
	for i := 0; i < len(d.Data); i += d.SegmentSize {
		if beginsLikeSTUN(d.Data[i:]) {
			return true
		}
	}
	return false
}

// find finds the socket that one datagram is for.
func (r *Runtime) find(d *runtime.Datagrams, now time.Duration) *socket {
	ufrag := requestUfrag(d.Data)
	if ufrag == nil {
		return r.byAddress(d, now)
	}
	path := r.routes.lookup(d.Remote, d.Local, now)
	s := r.claims.lookup(ufrag)
	switch {
	case s != nil:
		s.heed(d)
		if path != nil && path.owner == s {
			touch(&path.heard, now)
		} else if path != nil {
			path.rival.Store(s)
		}
		return s
	case path != nil && !r.claims.has(path.owner):
		return path.owner // it claims nothing, so its requests are known by their address only
	case r.sole.Load() != nil:
		return r.sole.Load()
	}
	if !r.lobby.admit(d, string(ufrag), now) {
		r.unknownUfrag.Add(1)
	}
	return nil
}

// byAddress finds the socket that owns the address that d came from.
func (r *Runtime) byAddress(d *runtime.Datagrams, now time.Duration) *socket {
	if path := r.routes.lookup(d.Remote, d.Local, now); path != nil {
		if isResponse(d.Data) {
			touch(&path.heard, now)
		}
		return path.owner
	}
	if s := r.sole.Load(); s != nil {
		return s
	}
	if beginsLikeSTUN(d.Data) {
		r.unknownSTUN.Add(1)
	} else {
		r.unknownAddress.Add(uint64(d.Segments()))
	}
	return nil
}
