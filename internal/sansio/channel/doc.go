// Package channel is the data channels of one SCTP association: their opening
// (DCEP), their messages and their closing, as a machine without I/O.
//
// It follows RFC 8832 (DCEP), RFC 8831 §6 (channels over SCTP streams) and the
// RTCDataChannel part of W3C webrtc-pc. Left out are the deprecated partial
// messages (PPID 52 and 54), which are dropped and counted, and the priority of a
// channel, which is carried to the other side and not acted upon.
//
// # Driving it
//
// A Machine knows nothing of SCTP. Its caller hands it what an association tells
// and hands the association what the machine wants, after each call:
//
//	m.HandleMessage(now, stream, ppid, data) // or any other call
//	for id, ok := m.PollRelease(); ok; id, ok = m.PollRelease() {
//		sctp.Release(id)
//	}
//	for out, ok := m.PollSend(); ok; out, ok = m.PollSend() {
//		sctp.Send(now, out.Stream, out.PPID, out.Data, …)
//	}
//	for id, ok := m.PollReset(); ok; id, ok = m.PollReset() {
//		sctp.ResetStream(now, id)
//	}
//	for n, ok := m.PollCredit(); ok; n, ok = m.PollCredit() {
//		sctp.Consume(now, n)
//	}
//	for e, ok := m.PollEvent(); ok; e, ok = m.PollEvent() {
//		queue = append(queue, e) // and sctp.Consume(now, e.Charge) when e was taken
//	}
//
// What Send returns goes to SCTP at once, and what Deliver returns to the
// application: neither waits here.
//
// The order is that of the doors: a stream is forgotten before its next user
// sends, and what was sent goes before the reset.
//
// Nothing here waits for time; now is taken like everywhere in the core and not
// looked at.
//
// # The life of a channel
//
// A channel made here has no id until SetRole says which parity is ours. Its
// DATA_CHANNEL_OPEN can leave at once, to ride with SCTP's handshake; the channel
// is open when the association is, without waiting for the DATA_CHANNEL_ACK. A
// channel of the remote is open with its EventIncoming.
//
// Close resets our direction of the stream behind the last message; the remote
// resets the other one, and only then the channel is Closed and its id free. When
// the remote begins, EventClosing says so.
//
// # Ids that are used again
//
// The two ends are not done with a stream at the same moment: each misses the
// answer to its own reset for a while. The remote may therefore begin to use an
// id again while a channel is still closing on it here. What arrives between the
// remote's reset and the answer to ours is held and played into the next use. The
// same place holds what arrives for a channel that the applications negotiated and
// that is not made here yet. It is bounded; a stream that exceeds the bound is
// refused by a reset, so that no channel ever starts with a part of its messages.
//
// # Promises
//
//   - The events of a channel come in the order Incoming or Open, messages,
//     Closing, Error, Closed, and Closed comes exactly once.
//   - What SCTP delivers on a reliable channel reaches its events once and in
//     order, until the channel is closed here.
//   - Every byte that HandleMessage takes is given back once: by PollCredit, or by
//     the Charge of an event.
//   - The remote can make no call panic. What it can make this side keep is bounded
//     by Config, except for events nobody takes: those are charged to its window.
//   - A message costs no allocation here, in either direction.
package channel
