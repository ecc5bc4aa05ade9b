// Package ice is an agent of Interactive Connectivity Establishment, RFC 8445, that does no I/O: it is told packets, time and randomness,
// and tells packets, events and a deadline. It finds the address pairs that two peers can reach each other on, chooses one, and watches
// over it.
//
// # Standards
//
// RFC 8445 as a full agent with one component (a bundled, multiplexed WebRTC transport); its codec is RFC 8489. RFC 8838 (trickle), RFC
// 8839 (candidate attributes), RFC 7675 (consent), RFC 8863 (patience before failure), draft-hancke-webrtc-sped (datagrams of a handshake that are
// embedded in checks). The states are those of the W3C's
// RTCIceTransportState.
//
// What is different, and why:
//
//   - No pair is frozen. Freezing saves checks of later components and streams by what the first has taught; there are none. All pairs
//     begin Waiting, and foundations are told but not used.
//   - The controlling agent nominates with its first check, as RFC 5245's aggressive nomination did, and as Chromium does: of several
//     nominated pairs the best one is selected, and a nomination that is not repeated loses to a newer one. This saves a round trip. To a
//     lite peer only a pair that works is nominated.
//   - There is no tick. A check goes out with the event that makes it possible; Ta paces only those that are possible at the same time.
//   - The first retransmission is after 250 ms, where RFC 8445 section 14.3 allows no less than 500 ms.
//   - A check that is repeated is another transaction, so that its answer tells the round-trip time and what has come of what it carried. Where the
//     peer is heard, the time between checks doubles from the fifth on.
//   - Checks continue after a nomination, as reserves: when the selected pair falls silent, another one that answers takes over.
//
// Left out: gathering (the owner has the sockets; it adds local candidates of any type with their base), TCP candidates and mDNS names
// (refused with ErrUnsupportedCandidate), being a lite agent, and MESSAGE-INTEGRITY-SHA256, which ICE has no use of.
//
// # Driving it
//
// After each call that changes something, poll until there is nothing left:
//
//	for {
//		for {
//			b, local, remote, ok := agent.PollWrite(now, buf[:0])
//			if !ok {
//				break
//			}
//			send(local, remote, b)
//		}
//		for e, ok := agent.PollEvent(); ok; e, ok = agent.PollEvent() {
//			handle(e)
//		}
//		select {
//		case p := <-packets: // local is the address it was sent to, not the wildcard that the socket is bound to
//			switch {
//			case p.data[0] <= 3:
//				if d := agent.HandlePacket(now, p.local, p.remote, p.data); d != nil {
//					handshake(d)
//				}
//			case agent.Accepts(p.local, p.remote): // else drop it: nobody there has shown our password
//				deliver(p) // and, if that was authentic:
//				agent.HandleData(now, p.local, p.remote)
//				agent.HandleUse(now) // if there is something for the application in it
//			}
//		case now = <-at(agent.PollTimeout()): // the owner's timer; a zero time never comes
//			agent.HandleTimeout(now)
//		}
//	}
//
// The handshake may begin before there is a route, while Embeds says so: each flight of it is given to Embed before PollWrite is asked, so that the
// response to a check has the answer to what that brought, and PollFlight is asked when PollWrite has nothing more. EndEmbedding tells that it is
// complete.
//
// A connection begins with New; AddLocalCandidate and EndOfLocalCandidates as sockets open; SetRemote, AddRemoteCandidate and
// EndOfRemoteCandidates as the peer signals. Checks of the peer may arrive before SetRemote: they are answered, and returned once it is
// called. Data may be sent as soon as there is a Route, before a pair is selected.
//
// A Restart begins a new generation of all these; the one before carries the data until the new one has a valid pair. Packets and Data are
// not told apart by generation, so the owner goes on as before. If the new generation fails while the old one works, the agent stays
// connected on the old one.
//
// # Promises
//
//   - With both sides' credentials known and a path open, each side has a route exactly one round trip later.
//   - A packet has no effect unless its MESSAGE-INTEGRITY is that of a living generation, and is never answered: not to be an amplifier.
//     Its drop is counted.
//   - What a peer can make the agent remember or send is bounded: remote candidates, pairs, transactions, packets that wait. Each check is
//     answered with one response and one check at most.
//   - When connected, an agent asks nothing of a path but its consent, each 4 to 6 s, and each 12 to 18 s while no data has moved for 30 s. It
//     does so together with its answer to the peer's question when both are due: an exchange for both sides is three sends, one of them of
//     two packets. It may be woken a little early for it (PollWindow), so that the owner of many agents wakes up for several of them at once.
//   - A path that dies is noticed within 9 s, within 21 s while no data has moved for 30 s, and within 5 s when data is sent that is not
//     answered. 30 s after its death at the latest the agent has failed.
//   - Nothing that is embedded has an effect before MESSAGE-INTEGRITY is verified, or is given to the owner twice; what goes to addresses that have
//     not answered is bounded. When the handshake is complete at both ends nothing of it is kept.
//   - The same calls with the same Config.Rand give the same packets and events.
package ice
