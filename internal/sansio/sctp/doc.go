// Package sctp is SCTP as WebRTC's data channels need it (RFC 8831): one association over one path, below it DTLS (RFC 8261), above it
// whole messages on up to 65 535 streams. An [Association] is told bytes, time and randomness, and gives packets, events and a deadline. It
// has no goroutine, lock, socket or clock, and the same inputs give the same outputs.
//
// # Driving it
//
//	a, err := sctp.New(sctp.Config{Rand: rand.Reader})
//	a.Start(now, rtt) // both ends may
//	for {
//		for b, ok := a.AppendPacket(now, buf[:0]); ok; b, ok = a.AppendPacket(now, buf[:0]) {
//			// seal and send b
//		}
//		for e, ok := a.PollEvent(); ok; e, ok = a.PollEvent() {
//			// EventMessage: when the application has taken e.Data, a.Consume(now, len(e.Data))
//		}
//		// wait for datagrams, or until a.PollTimeout()
//		for _, b := range opened {
//			a.HandlePacket(now, b)
//		}
//		a.HandleBurstEnd(now) // once for all that arrived together
//		a.HandleTimeout(now)  // when it was due; calling it early does nothing
//	}
//
// After any call, AppendPacket and PollEvent are called until they have nothing more; then PollTimeout tells how long to wait. Send,
// ResetStream, Shutdown and the other commands may come at any time between, also before Start.
//
// # What is in it
//
// RFC 9260: the four-way handshake with its collisions, DATA with COOKIE ECHO, SACK, retransmission, congestion and flow control, HEARTBEAT,
// SHUTDOWN, ABORT. RFC 3758: partial reliability by retransmissions and by lifetime. RFC 6525: outgoing stream resets, and the answers to
// the peer's. RFC 8899: packets become as large as the path carries, found out by probes of HEARTBEAT and PAD (RFC 4820) while there is bulk
// to send. RFC 9653: no checksum where DTLS makes it needless, when both ends say so. draft-hancke-tsvwg-snap: no handshake where
// both ends have told each other their INIT chunks in SDP ([Config].NewInit, LocalInit, RemoteInit). Left out: several addresses and their path management,
// AUTH and ASCONF, ECN, the renewal of an association whose peer has restarted (it ends), stream reset requests for incoming streams, for
// TSNs and for more streams (they are refused).
//
// RFC 8260: with user message interleaving streams take turns fragment by fragment, so that a small message overtakes the rest of large ones
// on other streams. A large message is begun only when the peer's buffer, as first advertised, holds twice the rest of what was begun:
// messages are delivered whole, and a window full of parts would never open again. A peer that begins more than our buffer holds is stuck.
// Without it the fragments of a message have TSNs in a row, so streams take turns message by message, and a small one waits for at most one
// large one of each stream that has something to send.
//
// # Where it departs from the letter
//
//   - A SACK answers a burst, not every second packet, when the caller hands in several packets before HandleBurstEnd; a single packet is
//     answered after at most 20 ms. The last packet of a flight has the I bit.
//   - Losses are found as in RFC 8985: by three later packets that arrived, until some were reordered, or one and some time. A chunk that
//     was sent again and lost again is found the same way. The tail of a flight is probed before T3. Duplicate TSNs that a SACK reports
//     are not looked at.
//   - The window starts at 10 packets, slow start counts all bytes that were acknowledged and ends when round trips grow (RFC 9406), then
//     the window grows as CUBIC's (RFC 9438), and recovery sends in proportion to what arrives (RFC 6937). Packets are paced instead of
//     sent in bursts of a limited size, on paths of 1 ms and more.
//   - A loss makes the window smaller when round trips show a queue, or when more than 2 % are lost. Others are the path's own.
//   - a_rwnd begins with 1 MiB and grows with what the application takes in a round trip, which HEARTBEATs measure; what waits for the
//     network and not for the application takes three times as much more.
//   - Larger packets hold more chunks, not larger ones: a chunk always fits into Config.MTU, so that it can be sent again on a path that has
//     become narrower without IP fragmentation, which RFC 9260 section 6.9 asks for then.
//   - RTO.Min is 400 ms and RTO.Max 3 s.
//
// # Promises
//
// Reliable messages arrive once, unchanged, and in order on their stream unless unordered. Others arrive at most once and hold up nothing.
// What the application has not consumed closes the peer's window and is never dropped. What a peer can make the association keep is bounded
// by twice Config.ReceiveBuffer and one message, whatever it sends. Bytes that are not understood have no effect and are counted in
// [Stats].Drops: no SACK is applied in part. Sending, receiving and acknowledging allocate nothing but the messages that are received.
package sctp
