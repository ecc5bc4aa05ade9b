// Package simnet is a model of a network path that is told the time: what enters a [Pipe] leaves it later, twice, or never, as its
// [Config] and its seed say. It holds no clock, no goroutine and no lock, so whoever drives it decides how time passes and the same
// seed gives the same arrivals.
//
// A [Wire] is two Pipes and what is in flight between them. Machine tests drive two machines over a Wire:
//
//	for {
//		for b, ok := a.PollWrite(now, nil); ok; b, ok = a.PollWrite(now, nil) {
//			wire.Send(now, 0, b)
//		}
//		// ... the same for the other end
//		now = simnet.Earliest(wire.Next(), a.PollTimeout(), b.PollTimeout())
//		for to, b, ok := wire.Receive(now); ok; to, b, ok = wire.Receive(now) {
//			ends[to].Handle(now, b)
//		}
//	}
package simnet
