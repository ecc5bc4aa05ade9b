// Package loop is a [runtime.Runtime] for programs with many connections: a few workers host thousands of loops, each with sockets of its
// own. A loop has no goroutine and no timer.
//
//	rt := loop.New(loop.Config{})    // GOMAXPROCS workers
//	pc, err := rtc.NewBuilder().Runtime(rt).Handler(h).Build(ctx)
//
// # Workers
//
// A worker is one goroutine that waits for the sockets, the deadlines and the wakes of all its loops at once. It runs while it has loops, so
// a Runtime needs no closing. Dispatch runs on the worker; one that lasts longer than Config.HandoffAfter loses it to a fresh goroutine, so
// a handler that stays delays the others of its worker by that much, once. A program whose handlers often wait for something serves its
// connections better by package std, where they have goroutines to wait on.
//
// # Sockets
//
// Sockets are like those of package std, but not in the poller of the Go runtime: on Linux each is one descriptor in the epoll of a worker,
// that learns each datagram's local address, and sends and receives whole slabs by one system call where the kernel can. A Send waits at most
// 5 ms for room in the system's buffer, since others wait behind it.
//
// Each connection takes a descriptor: the limit of open files (ulimit -n) is what a server meets first. Package mux has one port for all.
//
// On other systems than Linux each socket has a goroutine that reads it, one for each local address, as with package std; deadlines, wakes and
// handlers stay on the workers. The build tag "portable" chooses this way on Linux, to test it there.
package loop
