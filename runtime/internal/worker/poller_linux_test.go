//go:build !portable

package worker

import (
	"os"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sansrtc/rtc/runtime"
)

// reader is a pipe that is watched for a host.
type reader struct {
	host  *Host
	watch Watch
	r, w  *os.File
	count func() int64
	got   chan int64 // what count says at each read
	stub
}

func newReader(t *testing.T, h *Host, count func() int64) *reader {
	t.Helper()
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	p := &reader{host: h, r: os.NewFile(uintptr(fds[0]), "r"), w: os.NewFile(uintptr(fds[1]), "w"), count: count, got: make(chan int64, 100)}
	if err := h.Home().Watch(&p.watch, fds[0], p); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.r.Close(); p.w.Close() })
	return p
}

func (p *reader) Ready(w *Worker) {
	var b [1]byte
	if n, _ := p.r.Read(b[:]); n > 0 {
		w.Receive(p.host, p, &runtime.Datagrams{})
		p.got <- p.count()
	}
}

// A worker whose hosts are all late still reads: what arrives is what stops them from sending again.
func TestLateHostsLeaveTimeToRead(t *testing.T) {
	p := New(Config{Workers: 1})
	var turns atomic.Int64
	late := func(now time.Time) runtime.Next {
		turns.Add(1)
		return runtime.Next{At: now} // late again
	}
	l := spawn(t, p, new(toy))
	r := newReader(t, l.host, func() int64 { return turns.Load() })
	var all []*toy
	for range 2000 {
		all = append(all, spawn(t, p, &toy{turn: late}))
		all[len(all)-1].host.Wake()
	}
	for range 50 {
		if _, err := r.w.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
		before := turns.Load()                                  // or later than the read: then there is nothing to see
		if n := receive(t, "a read", r.got) - before; n > 500 { // a part of the 2000
			t.Errorf("%d Turns before the read", n)
		}
	}
	r.watch.Unwatch()
	for _, l := range all {
		l.quit.Store(true)
	}
	for _, l := range append(all, l) {
		l.end(t)
	}
}

// "Its number may come again for another one": an event that was fetched before Unwatch is not for who has the place now.
func TestPlaceOfAWatchIsUsedAgain(t *testing.T) {
	p := New(Config{Workers: 1})
	l := spawn(t, p, new(toy))
	none := func() int64 { return 0 }
	keep := newReader(t, l.host, none)
	for range 20 {
		old := newReader(t, l.host, none)
		old.watch.Unwatch()
		next := newReader(t, l.host, none)
		if next.watch.index != old.watch.index {
			t.Fatalf("place %d after %d", next.watch.index, old.watch.index)
		}
		if _, err := next.w.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
		receive(t, "a read", next.got)
		next.watch.Unwatch()
	}
	w := l.host.Home()
	w.mu.Lock()
	if n := len(w.poller.watched); n != 2 {
		t.Errorf("%d places for two descriptors at a time", n)
	}
	w.mu.Unlock()
	keep.watch.Unwatch()
	l.end(t)
	stale := &Worker{pool: p}
	stale.poller.watched = []watch{{source: keep, generation: 1}}
	stale.poller.events[0].Fd, stale.poller.events[0].Pad, stale.poller.n = 0, 0, 1
	if _, err := keep.w.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	if !stale.poller.ready(stale) || len(keep.got) != 0 {
		t.Error("an event of the generation before should be passed over")
	}
	(&Watch{}).Unwatch() // one that never began
	if err := p.workers[0].Watch(new(Watch), -1, keep); err == nil {
		t.Error("a descriptor that is none can be watched")
	}
	eventually(t, "the worker ends", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return !w.running && w.users == 0
	})
}
