package lease

import "golang.org/x/sys/unix"

// wakeMonitor wakes the thread of the Go runtime that interrupts goroutines which keep their processor for long. It sleeps when all processors are
// idle, until the scheduler is told of a system call, and the calls that read packets spare themselves that. With one processor nobody else could run the
// timer of a Dispatch that computes. Once awake the monitor sleeps at most until the next timer, which while Dispatches follow each other is theirs.
func wakeMonitor() { _, _, _ = unix.Syscall(unix.SYS_GETPID, 0, 0, 0) }
