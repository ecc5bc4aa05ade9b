// Package dtls is a client and server of DTLS 1.3 and 1.2 for WebRTC, without I/O: it is told the time and the datagrams, and gives datagrams,
// application data, events and a deadline.
//
// # What it is
//
// DTLS 1.3 is RFC 9147 and RFC 8446, with key shares of P-256, X25519, P-384 and X25519MLKEM768 (draft-ietf-tls-ecdhe-mlkem), AES-GCM and
// ChaCha20-Poly1305, use_srtp in EncryptedExtensions, the exporter (RFC 8446 section 7.5), HelloRetryRequest, ACK and KeyUpdate. A client offers both
// versions in one ClientHello, with a share of P-256, before it X25519MLKEM768 if it is to be offered; a server takes 1.3 if it is offered.
//
// DTLS 1.2 is RFC 6347 and RFC 5246, with ECDHE (RFC 8422) over X25519, P-256 and P-384, AES-GCM (RFC 5288, RFC 5289) and ChaCha20-Poly1305
// (RFC 7905), extended_master_secret (RFC 7627), use_srtp (RFC 5764), the exporter (RFC 5705) and renegotiation_info (RFC 5746).
//
// Both ends show a certificate, ECDSA, Ed25519 or RSA, prove that they own its key, and are verified by nothing but the fingerprint that
// the signalling gave (RFC 8122, RFC 8827 section 6.5).
//
// Left out: renegotiation (refused), session resumption (not offered), handshakes without extended_master_secret (refused), MKI (never
// used), everything older than an AEAD suite, and cookies as a server, in HelloVerifyRequest or HelloRetryRequest: they cost a round trip, and the ICE
// check before has proved the peer's address already. As a client they are answered. Of 1.3 there is no early data, no data of a server before the
// client is verified, no PSK, no connection ID, no post-handshake authentication; tickets are acknowledged and forgotten.
//
// # How to drive it
//
//	conn, err := dtls.New(dtls.Config{Rand: rand, Client: true, Certificate: cert})
//	conn.SetFingerprints(fingerprints) // here or whenever the signalling brings them
//	conn.Start(now)
//	for {
//		for {
//			b, ok := conn.PollWrite(now, buf[:0])
//			if !ok {
//				break
//			}
//			send(b)
//		}
//		for e, ok := conn.PollEvent(); ok; e, ok = conn.PollEvent() {
//			// EventConnected: Seal, ExportKeyingMaterial and SRTPProfile may be used from here on
//		}
//		b, now := receive(conn.PollTimeout())
//		if b == nil {
//			conn.HandleTimeout(now)
//			continue
//		}
//		conn.HandleDatagram(now, b)
//		for data, ok := conn.PollData(); ok; data, ok = conn.PollData() {
//			// data is part of b
//		}
//	}
//
// # What it promises
//
//   - Nothing is delivered, sealed or exported before the handshake is complete and the certificate matches a fingerprint, in either role.
//     There is one place that decides it (verify.go).
//   - What comes without authentication ends no connection that is complete, and no handshake that makes progress. Records that cannot be
//     are dropped and counted. A flight of handshake messages that cannot be accepted leaves no trace: the handshake waits for a better
//     one, a server until the handshake's timeout, a client for [refusalGrace]. Alerts in the clear have no effect but to be named in the
//     timeout's error: a peer that meant one also stops answering.
//   - Whoever can send from the peer's address but does not see the handshake neither ends nor delays it by a few datagrams: each ClientHello
//     is answered, a bounded number of them, and each ServerHello and HelloRetryRequest of 1.3 considered. The peer's signature says which of them was
//     its own, or with 1.3 its first record that the keys of one of them open (opening.go). An ACK in the clear counts for nothing.
//   - What is authenticated and wrong ends it at once: a Finished that does not verify, a message out of order or malformed in a protected epoch, a
//     fatal alert, another certificate than the announced one.
//   - With 1.3 a client is connected after the server's flight. Its own is repeated until it is acknowledged, whatever else happens, and
//     acknowledged by a server for four minutes. Only what was not acknowledged is sent again. Keys are changed before they wear out.
//   - What a peer can make us hold is bounded, before and after it is known: see reassembly.go and hold.go.
//   - The same inputs give the same outputs. All randomness comes from Config.Rand, except what the standard library draws itself: the salt
//     of an RSA-PSS signature, which is made with an RSA certificate in 1.3 and for a peer that takes no other signature of it in 1.2, and a
//     server's part of ML-KEM.
//   - A record of application data costs no allocation in either direction.
//
// What it cannot promise: whoever sees the handshake as well can race the peer and make it fail, and so can who sends more forged hellos
// or requests than are answered, or CertificateRequest and ServerHelloDone ahead of a server's flight that takes several datagrams.
// So only datagrams from addresses that passed an authenticated ICE check should be given to it.
//
// # Layout
//
// What the versions share is apart from what is their own: record.go (framing), epoch.go (keys and sequence numbers), replay.go, reassembly.go
// (handshake messages from fragments), bitset.go, opening.go (which hello counts), handshake.go, flight.go (retransmission), hold.go (what came too early),
// signature.go, keyexchange.go, verify.go; then cipher.go, prf.go, transcript.go, handshake12.go, client12.go and server12.go; and record13.go, keyschedule.go,
// handshake13.go, client13.go, server13.go, acks.go and conn_recv13.go.
// conn_recv.go, conn_send.go and conn_close.go are the ways of a datagram in, a datagram out, and the end.
package dtls
