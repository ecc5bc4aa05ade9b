package mux

import (
	"bytes"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/sansrtc/rtc/runtime"
)

const (
	// lobbySize is how many requests wait for UnknownUfrag.
	lobbySize = 64
	// lobbyRate is how many are told to it in a second, after a burst of lobbySize.
	lobbyRate = 500
	// maxRequest is the largest request that waits: what fits any path. Requests of ICE are about a hundred bytes.
	maxRequest = 1280
)

// lobby is where requests wait for a connection that is to be made for them.
type lobby struct {
	mux  *Runtime
	hook func(ufrag string, from netip.AddrPort)

	mu      sync.Mutex
	waiting []guest
	running bool // a goroutine calls the hook
	tokens  float64
	last    time.Duration // when tokens was right
}

// guest is a request that waits.
type guest struct {
	ufrag         string
	local, remote netip.AddrPort
	data          []byte
}

func (l *lobby) init(r *Runtime, hook func(ufrag string, from netip.AddrPort)) {
	l.mux, l.hook, l.tokens = r, hook, lobbySize
}

// admit lets a request wait for UnknownUfrag. It reports false if nobody is to be asked about it.
func (l *lobby) admit(d *runtime.Datagrams, ufrag string, now time.Duration) bool {
	if l.hook == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	// A peer repeats its request. The first one is the one that is answered.
	if slices.ContainsFunc(l.waiting, func(g guest) bool { return g.ufrag == ufrag && g.remote == d.Remote }) {
		return true
	}
	l.tokens = min(lobbySize, l.tokens+(now-l.last).Seconds()*lobbyRate)
	l.last = now
	if l.tokens < 1 || len(l.waiting) == lobbySize || len(d.Data) > maxRequest {
		l.mux.overload.Add(1)
		return true
	}
	l.tokens--
	l.waiting = append(l.waiting, guest{ufrag, d.Local, d.Remote, bytes.Clone(d.Data)})
	if !l.running {
		l.running = true
		go l.run()
	}
	return true
}

// run is the life of the goroutine that calls the hook. It ends when no request waits.
func (l *lobby) run() {
	for {
		l.mu.Lock()
		if len(l.waiting) == 0 {
			l.running, l.waiting = false, nil
			l.mu.Unlock()
			return
		}
		g := l.waiting[0]
		l.mu.Unlock()
		l.hook(g.ufrag, g.remote)
		s := l.mux.claims.lookup([]byte(g.ufrag))
		l.mu.Lock()
		l.waiting = slices.Delete(l.waiting, 0, 1) // until here its repetitions are known
		l.mu.Unlock()
		if s == nil {
			l.mux.unknownUfrag.Add(1)
			continue
		}
		d := &runtime.Datagrams{Local: g.local, Remote: g.remote, Data: g.data}
		s.heed(d)
		l.mux.hand(nil, s, d)
	}
}
