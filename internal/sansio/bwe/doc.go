// Package bwe estimates, at the sender, how much a path carries: from when packets left and when they arrived, as transport-wide feedback
// tells (draft-holmer-rmcat-transport-wide-cc-extensions-01, RFC 8888). It is Google Congestion Control (draft-ietf-rmcat-gcc-02) in its parts
// that measure: packets are grouped as they were sent, the growth of the delay from group to group shows a queue that fills, and an adaptive
// threshold tells a queue from noise. An [Estimator] is told results and time, and has no goroutine, lock or clock.
//
//	e := bwe.New(bwe.Config{})
//	e.HandleResults(now, results) // for each feedback message
//	e.HandleTimeout(now)          // when e.PollTimeout() has come
//	rate := e.Target()            // bit/s, for the encoders and the pacer
//
// # Where it departs from the draft
//
//   - It begins like slow start: the target follows twice what arrives, until the first sign of congestion.
//   - After a decrease the target grows along a cubic curve (RFC 9438 has its shape): fast back to where congestion was, carefully around
//     it, and then ever faster, so that a path that has become wider is filled without probes.
//   - Where the curve leads back to is what arrived when the target was lowered, not the target that was, as soon as the queue has drained: a sender that
//     sends more than the target, with retransmissions say, keeps a queue full for a while, and lowers the target more often than the path asks for.
//   - Loss counts only above a tenth of the packets, as the draft's loss-based controller has it, but there is none below: radio links lose some,
//     and less sending does not help them.
package bwe
