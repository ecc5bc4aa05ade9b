// Package media is RTP and RTCP as WebRTC has them (RFC 8834): all sources of one connection, in both directions, over one transport,
// protected by SRTP with the keys of DTLS (RFC 5764). A [Machine] is told bytes, time and randomness, and gives datagrams, packets, events and
// a deadline. It has no goroutine, lock, socket or clock, and the same inputs give the same outputs.
//
// # Driving it
//
//	m, err := media.New(media.Config{Rand: rand.Reader, CNAME: cname})
//	m.SetSections(negotiated)         // after each negotiation
//	video := m.AddSender(encoding)    // for each encoding that is sent
//	m.SetKeys(keys)                   // when DTLS is connected
//	for {
//		for b, ok := m.PollWrite(now, buf[:0]); ok; b, ok = m.PollWrite(now, buf[:0]) {
//			// send b
//		}
//		for e, ok := m.PollEvent(); ok; e, ok = m.PollEvent() {
//			// EventStream: there is something to listen to
//		}
//		// wait for datagrams, for packets to send, or until m.PollTimeout()
//		if p, ok := m.HandleRTP(now, datagram); ok && p.Stream != 0 { // by RFC 5761: payload type 64 to 95 means RTCP
//			// p is for the user
//		}
//		m.HandleRTCP(now, datagram)
//		for _, r := range m.PollResults() {
//			// what became of what was sent: for a bandwidth estimate
//		}
//		m.Send(now, video, header, payload)
//		m.HandleTimeout(now)
//	}
//
// # What is in it
//
// RFC 3550: sender and receiver reports with their arithmetic, SDES CNAME, BYE. RFC 3711 and RFC 7714: protection, by pion/srtp. RFC 4585 and
// RFC 5104: NACK, PLI and FIR in both directions. RFC 4588: retransmissions on a source of their own. RFC 5506: reduced-size RTCP. RFC 8285:
// header extensions. RFC 8843 and RFC 8852: which section and encoding a packet is of, by MID, RID, source and payload type. Transport-wide
// congestion control (draft-holmer-rmcat-transport-wide-cc-extensions-01) in both directions, RFC 8888 as sender. REMB is understood. Left out:
// XR, forward error correction, translators and mixers, RTCP that is not multiplexed with RTP.
//
// # Promises
//
// A packet that was sent is kept for a time, and sent again when the peer asks; one that is missing is asked for, until a keyframe is better. What
// is received reaches the user once. What is kept is bounded: the packets of a source that may be asked for again, those that wait for the
// pacer, the sources that a peer may begin. Under one number of one source one packet is sealed, whatever the user numbers: numbers that were used
// are refused, and a source that begins anew is moved behind the last number. A packet costs no allocation in either direction.
// Nothing that is not authentic has any effect.
package media
