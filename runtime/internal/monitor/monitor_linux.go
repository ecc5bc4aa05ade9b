// Package monitor wakes the thread of the Go runtime that interrupts goroutines which keep their processor for long.
package monitor

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// Wake wakes the monitor if there is one processor. It sleeps when all processors are idle, until the scheduler is told of a system call, and the calls
// that send and receive packets spare themselves that. With one processor nobody else could run the timer of a Dispatch that computes.
func Wake() {
	if runtime.GOMAXPROCS(0) == 1 {
		_, _, _ = unix.Syscall(unix.SYS_GETPID, 0, 0, 0)
	}
}
