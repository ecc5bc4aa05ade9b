// Package sansio is the protocol core: WebRTC without a socket, a goroutine or a
// clock. It has no code of its own; its machines are the packages below it.
//
//	ice      finds a path and keeps it alive      RFC 8445, 8838, 7675
//	dtls     authenticates and encrypts it        RFC 6347, 8827
//	sctp     streams of messages over it          RFC 9260, 3758, 6525, 8261
//	channel  data channels over those streams     RFC 8831, 8832
//	jsep     what the two ends agree on in SDP    RFC 9429, 3264, 9143
//	peer     one connection made of them          RFC 7983
//
// # Rules
//
// The core is told, never asking. A machine gets bytes, the time and randomness as
// arguments and gives bytes, events and a deadline:
//
//   - no socket, file, goroutine, channel or lock, and no look at a clock;
//   - randomness is an io.Reader of the configuration;
//   - no state outside the machine: two of them never meet.
//
// So the same calls give the same results, a test can play an hour of a call in
// milliseconds, and a machine can be driven by whatever world there is.
//
// Machines are siblings that do not know each other; each speaks in its own plain
// types. Only peer knows them and carries work from one to the next. Package lint
// holds the source against these rules.
//
// # Shape
//
// The methods of a machine are of four kinds: getters; HandleX(now, …) for what
// arrived; the commands of the user; and PollX or AppendX for what leaves. A caller
// mutates, then polls until nothing is left.
//
// Bytes from the network never panic: what is wrong is dropped and counted. What
// the caller did wrong is a typed error, told before anything changes. When a
// machine finds its own state broken, it panics with a message that starts with
// BUG.
package sansio
