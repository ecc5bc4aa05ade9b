//go:build !portable

package worker

import (
	"os"
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
	got   chan time.Time
	stub
}

func newReader(t *testing.T, h *Host) *reader {
	t.Helper()
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	p := &reader{host: h, r: os.NewFile(uintptr(fds[0]), "r"), w: os.NewFile(uintptr(fds[1]), "w"), got: make(chan time.Time, 100)}
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
		p.got <- time.Now()
	}
}

// A worker whose hosts are all late still reads: what arrives is what stops them from sending again.
func TestLateHostsLeaveTimeToRead(t *testing.T) {
	p := New(Config{Workers: 1})
	const hosts, work = 1000, 100 * time.Microsecond
	var all []*toy
	late := func(now time.Time) runtime.Next {
		for start := time.Now(); time.Since(start) < work; {
		}
		return runtime.Next{At: now} // late again
	}
	l := spawn(t, p, new(toy))
	r := newReader(t, l.host)
	for range hosts {
		all = append(all, spawn(t, p, &toy{turn: late}))
		all[len(all)-1].host.Wake()
	}
	for range 5 {
		sent := time.Now()
		if _, err := r.w.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
		// All hosts together take a hundred milliseconds; a part of the queue takes six.
		if d := receive(t, "a read", r.got).Sub(sent); d > hosts*work*8/10 {
			t.Errorf("a read after %v", d)
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
	keep := newReader(t, l.host)
	for range 20 {
		old := newReader(t, l.host)
		old.watch.Unwatch()
		next := newReader(t, l.host)
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
