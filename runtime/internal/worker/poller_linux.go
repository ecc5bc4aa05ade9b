//go:build !portable

package worker

import (
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// poller is an epoll that is itself watched by the poller of the Go runtime.
type poller struct {
	fd   int
	file *os.File
	raw  syscall.RawConn
	look func(fd uintptr) bool

	// Guarded by Worker.mu.
	watched []watch
	free    []int32

	// Owned by the driver.
	events [readsAtOnce]unix.EpollEvent
	n      int // of them filled
	next   int // the first that is not worked off
}

// readsAtOnce is how many descriptors are read between two looks at the queue. It is more than turnsAtOnce: a host that is late does better
// when it hears first what has arrived for it, which may be the answer that it would otherwise ask for again.
const readsAtOnce = 256

// watch is a descriptor that is watched. Its number may come again for another one; generation tells them apart.
type watch struct {
	source     Source
	fd         int
	generation int32
}

// Source is a descriptor that a worker watches.
type Source interface {
	// Ready is called on the worker's driver when the descriptor can be read, again and again until it cannot. It hands to w.Receive
	// what it reads, and does not read for long.
	Ready(w *Worker)
}

// Watch is a place among the descriptors that a worker watches.
type Watch struct {
	w     *Worker
	index int32
}

// Watch makes w call s.Ready when fd can be read. fd stays open until Unwatch of t, which is empty before.
func (w *Worker) Watch(t *Watch, fd int, s Source) error {
	if err := w.join(); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	p := &w.poller
	if len(p.free) == 0 {
		p.watched = append(p.watched, watch{})
		p.free = append(p.free, int32(len(p.watched)-1))
	}
	i := p.free[len(p.free)-1]
	e := &p.watched[i]
	t.w, t.index = w, i // Ready may be called at once
	err := unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: i, Pad: e.generation})
	if err != nil {
		t.w = nil
		w.leave()
		return os.NewSyscallError("epoll_ctl", err)
	}
	p.free = p.free[:len(p.free)-1]
	e.source, e.fd = s, fd
	return nil
}

// Unwatch ends the watch, if it has begun. It is called once, before the descriptor is closed.
func (t *Watch) Unwatch() {
	w := t.w
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	p := &w.poller
	e := &p.watched[t.index]
	_ = unix.EpollCtl(p.fd, unix.EPOLL_CTL_DEL, e.fd, nil)
	*e = watch{generation: e.generation + 1}
	p.free = append(p.free, t.index)
	w.leave()
}

func (p *poller) open() error {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // or os.NewFile would not let the runtime poll it
		unix.Close(fd)
		return os.NewSyscallError("fcntl", err)
	}
	p.fd, p.file = fd, os.NewFile(uintptr(fd), "epoll")
	if p.raw, err = p.file.SyscallConn(); err != nil {
		p.file.Close()
		return err
	}
	if p.look == nil {
		p.look = func(uintptr) bool { return p.fill() }
	}
	p.n, p.next = 0, 0
	return nil
}

func (p *poller) close() {
	p.file.Close()
	p.file, p.raw = nil, nil
	p.watched, p.free = nil, nil
}

func (p *poller) arm(t time.Time) { _ = p.file.SetReadDeadline(t) }

// wait fills the events. If park is true it waits for the first, until the deadline.
func (p *poller) wait(_ *Worker, park bool) {
	p.n, p.next = 0, 0
	if park {
		_ = p.raw.Read(p.look) // an error is the deadline
	} else {
		p.fill()
	}
}

func (p *poller) fill() bool {
	// It does not wait, so the scheduler need not be told of it, as in package udp.
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events[0])), uintptr(len(p.events)), 0, 0, 0)
	if errno != 0 {
		n = 0 // EINTR
	}
	p.n = int(n)
	return n > 0
}

// ready lets the next descriptor that has something be read, and reports whether there was one.
func (p *poller) ready(w *Worker) bool {
	if p.next == p.n {
		return false
	}
	e := &p.events[p.next]
	p.next++
	w.mu.Lock()
	var s Source
	if int(e.Fd) < len(p.watched) && p.watched[e.Fd].generation == e.Pad {
		s = p.watched[e.Fd].source
	}
	w.mu.Unlock()
	if s != nil {
		s.Ready(w)
	}
	return true
}
