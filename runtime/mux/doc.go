// Package mux is a [runtime.Runtime] whose connections share one UDP port: what a server behind a firewall, or in front of many clients,
// wants.
//
//	rt, err := mux.New(mux.Config{Addr: netip.MustParseAddrPort("[::]:3478")})
//	base := rtc.NewBuilder().Runtime(rt)
//	pc, err := base.Handler(h).Build(ctx) // ten thousand of them: one descriptor for each worker, no goroutine, no timer
//	...
//	rt.Close()                            // after the connections
//
// # Which loop a datagram is for
//
// Each loop gets a virtual socket on the port, or on one of them. A datagram that arrives goes
//
//   - if it is a STUN Binding request whose USERNAME begins with a username fragment that a socket has claimed
//     ([runtime.UfragClaimer]): to that socket, from whatever address it comes. So a peer that roams is followed;
//   - else to the socket that owns the remote address on that port. A socket comes to own an address by sending to it;
//   - else nowhere: it is counted in [Stats]. [Config].UnknownUfrag is told of Binding requests for fragments that nobody has claimed.
//
// Only the first byte of a datagram and that one attribute are looked at. Nothing that arrives makes an entry of any table.
//
// # Who owns an address
//
// The first socket that sends to it, until it is closed, has not sent there for a minute, or has sent to 256 others since. While there is
// an owner, sending is not enough: everybody can name another client's address as a candidate, and ICE will send checks to it. Another
// socket becomes the owner when it answers an address from which requests with its fragment have come, and the owner has heard nothing, no
// such request and no response, for 20 seconds: an ICE peer checks its consent at least each 6 seconds (RFC 7675 section 5.1), or each 18
// on an idle connection of this module. So a client that is there keeps its address, and one that got a port which another client has left
// becomes its owner soon.
//
// # Several connections to one address
//
// Data does not say which connection it is for; its two addresses do. So with one port there is one connection to each address of a peer.
// That is no limit for clients, which have an address each, but for connections to another mux, or between two of the same.
//
// With [Config].Ports each connection is on one of several ports, chosen at random, and its peers are told of that one only. When it sends to an
// address that another connection owns on that port, the mux sends from another port, on which nobody owns it. The peer sees a
// connection behind a NAT, and its ICE answers there. So between two muxes there may be as many connections as the product of their
// numbers of ports, less those paths that ICE tried and did not choose, which are free again after a minute: count on a third of it. Towards a
// mux of one port there are as many as this one has ports. A send that finds no port is counted in Stats.Contested.
//
// Two connections may each come first at one end of a path. So while another port is free, an owner that has heard nothing yet is left its
// address for a second, also by who is asked there: that one answers from the other port, and both have a path at once. Only
// when no port is left is an address taken from an owner that has heard nothing on it.
//
// # Workers
//
// Loops are hosted as by package loop: a few workers, deadlines in a heap, and a handler that stays loses its worker to a fresh goroutine. On
// Linux each worker has a system socket of its own on the port (SO_REUSEPORT): the kernel always gives it the same clients. A loop moves
// to the worker that receives for it. On other systems the port is one socket for each local address, with a goroutine that reads it.
package mux
