// Package peer composes the machines into the core of one connection: everything of WebRTC that is not I/O.
//
// A [Core] demultiplexes what arrives by its first byte (RFC 7983), lets ICE decide what is accepted and where it goes, starts DTLS when the role
// is known and ICE has a route, or carries it in its checks, SCTP when DTLS is verified and a data section is negotiated, and channels on SCTP. Media begins with the first
// media section, and flows with the keys that DTLS exports (RFC 5764). After each mutation
// it pumps what one machine has for another until all are quiet, so that nothing waits for a later call.
//
// It is driven like each of its machines:
//
//	core.HandleRead(now, local, remote, datagrams, segmentSize) // for everything that arrived together,
//	core.EndBurst(now)                                          // then once
//	core.HandleTimeout(now)                                     // when PollTimeout has come
//	core.SetRemote(now, offer), core.Send(now, ch, b, false) …  // commands of the user
//
//	for t, ok := core.PollWrite(now, slab, 64); ok; t, ok = core.PollWrite(now, slab, 64) {
//		send(t)
//	}
//	for e, ok := core.PollEvent(); ok; e, ok = core.PollEvent() {
//		handle(e)
//		core.Taken(now, e.Charge)
//		core.FreeRTP(&e) // if it is a packet
//	}
//	wait(core.PollTimeout())
//
// RTP that the application does not take is bounded: the oldest packets go, and are counted.
//
// Promises: the events come in the order in which their causes were processed, data and states in one queue; what was received counts against
// SCTP's receive window until Taken, so an owner that stops polling events stops the peer; nothing above DTLS is delivered before the peer's
// certificate matches the description's fingerprint, in both roles; DTLS, RTP and RTCP are accepted only from addresses with an authenticated check.
// A track comes before its first packet, its end after the last. A packet costs no allocation, received or sent.
//
// The core keeps no reference to what HandleRead is given, which it may overwrite, and none to the slab of PollWrite.
package peer
