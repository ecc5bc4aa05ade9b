// Package worker hosts loops on a few goroutines, for the runtimes that serve many connections: loop and mux.
//
//	pool := worker.New(worker.Config{})
//	host, err := pool.Spawn(loop, listen) // listen opens the host's sockets and lets a worker watch them
//	host.Wake()                           // and the loop's first Turn comes
//
// # Workers
//
// A [Worker] is one goroutine, its driver. It waits for the descriptors that it watches, for the earliest deadline of its hosts and for
// Wake, all in one place, works off what has become due, and waits again. A host belongs to one worker, its home, which keeps its
// deadline and its place in the queue; there is no goroutine, no timer and no channel of a host's own. A worker runs while it has a host or
// a descriptor to watch, so a pool needs no closing.
//
// On Linux a worker waits in an epoll of its own, whose descriptor lies in the poller of the Go runtime: a waiting worker holds no thread.
// Elsewhere it waits on a channel, and sockets have goroutines that read them.
//
// What arrives may be read by another worker than its host's home, where loops share a port. Then that worker calls Receive, Turn and
// Dispatch itself; the loop orders the calls. A host moves its home to the worker that keeps reading for it.
//
// # The lease
//
// Dispatch runs on the driver. A handler that stays must not keep the worker's other hosts waiting, so the driver is replaced then.
// Worker.lease says who drives. Even: the goroutine that drives is not in Dispatch. Odd: it is, and has armed the handoff timer. It ends
// its Dispatch, or the timer's goroutine takes over, by adding one with a compare-and-swap; lease only grows, so exactly one of them
// succeeds, however late the other comes. The one that succeeds is the driver from then on; the other ends. A timer that fires late, in
// the middle of the next Dispatch, takes that one over too early, which costs a goroutine and breaks nothing.
//
// All that a driver needs to go on lies in the Worker, never on its stack, so that it may be replaced in any Dispatch.
//
// # Locks
//
// Host.turning is held during Receive, SocketFailed and Turn and while the answer is noted. Worker.mu guards the queue and the deadlines
// of its hosts; it is taken after turning, held for moments only, and never while a loop or the system is called.
package worker
