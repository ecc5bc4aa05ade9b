// Package std is the default [runtime.Runtime]: the operating system's clock, randomness and UDP sockets, and one goroutine for each loop.
//
//	rt := std.New(std.Config{})      // or std.Default(), which connections share
//	host, err := rt.Spawn(loop)      // its goroutine will call loop.Turn, loop.Dispatch and, last of all, loop.Released
//	socket, err := host.ListenUDP(ctx, netip.MustParseAddrPort("[::]:0"))
//	host.Wake()                      // and the loop's first Turn comes
//
// # Goroutines
//
// A loop's goroutine begins with the first Wake, time or socket that it is given. It waits inside the read of the loop's first socket, with
// the time of the next Turn as the read's deadline; a Wake moves that deadline into the past. So a loop that has one socket holds one
// goroutine, no matter what happens to it, and what arrives is worked off where it was read. The socket for all addresses, [::], is enough
// for a connection. Each further socket has a goroutine that reads it and calls Turn; when sockets are closed, the last one left is read
// by the loop's own goroutine again.
//
// A Dispatch that takes longer than Config.HandoffAfter is left behind: another goroutine reads, waits and calls Turn from then on, and
// the one that was left behind ends when its Dispatch returns. A Dispatch that ends its goroutine, as t.FailNow does, is replaced too.
//
// A waiting loop holds no memory to receive into. With its socket it costs about 1 KiB and a stack of 2 KiB: when a long wait begins, a new
// goroutine takes the place of one whose stack has grown.
//
// # Sockets
//
// On Linux a socket for all addresses is one system socket that learns each datagram's local address and sends from the one it is told
// to. A slab of up to 64 datagrams is sent by one system call (UDP_SEGMENT) and what the kernel has gathered is received by one (UDP_GRO). A
// socket whose device turns out not to do that sends one by one from then on.
//
// On other systems a socket for all addresses is a system socket for each address that the machine has when ListenUDP is called, on the
// same port, each with a goroutine but the first; a loop that wants one goroutine listens on one address. A waiting goroutine holds
// a receive buffer of 64 KiB, and a deadline that passes costs an allocation. Datagrams travel one for each system call. The build tag
// "portable" chooses this way on Linux, to test it there.
//
// The errors that the network reports on a receive (ICMP) are counted and otherwise ignored: ICE finds out which paths work. A Send
// waits up to 50 ms for room in the system's buffer, and then loses its datagrams.
package std
