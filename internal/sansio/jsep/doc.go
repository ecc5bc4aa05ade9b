// Package jsep is offer/answer as a machine: what RFC 9429 and the signaling half of W3C webrtc-pc say, without the transport that the
// descriptions are about. It is given descriptions and candidates and gives back descriptions and, as a [Change], what the transport has
// to do. It knows no time, and its only randomness is the session id, read once from [Config].Rand; ICE credentials come from
// [Config].NewCredentials.
//
// # How to drive it
//
// Each method is one step and returns when it is done; there is nothing to poll. The caller hands each Change to its transport:
//
//	s, err := jsep.New(jsep.Config{Rand: secret, NewCredentials: agentCredentials, Fingerprints: fingerprints})
//	s.NeedDataChannel()
//	for needed := false; ; {
//		switch m := next().(type) { // from the application, the signaling channel or the ICE agent, one at a time
//		case createOffer:
//			m.reply(s.CreateOffer(m.options))
//		case setLocal:
//			c, err := s.SetLocal(m.description)
//			if err == nil {
//				apply(c)
//			}
//			m.reply(err)
//		case setRemote:
//			// the same with s.SetRemote
//		case remoteCandidate:
//			if c, err := s.AddRemoteCandidate(m.init); err == nil && !c.Ignored {
//				agent.AddRemote(c.Ufrag, c.Line, c.End)
//			}
//		case gathered:
//			s.AddLocalCandidate(m.ufrag, m.line)
//		}
//		before := needed
//		if needed = s.NegotiationNeeded(); needed && !before {
//			tell(negotiationNeeded)
//		}
//	}
//
// apply looks at c.Transport: no Transport means that nothing is to be connected (what there was is to be closed); LocalUfrag says which
// generation gathers, RemoteUfrag which one checks; Answered that DTLS may start, with DTLSRole and RemoteFingerprints. A change of
// credentials is flagged as a restart, also when a rollback brings those of before back into use.
//
// # What it promises
//
//   - A method that returns an [*Error] has changed nothing. The Kind of the error is the exception that W3C prescribes.
//   - What CreateOffer and CreateAnswer return depends on nothing but what was applied before and what was asked for: called twice they
//     return the same.
//   - Sections keep their places and mids for the whole session; a place is used again, with a new mid, only after its section was rejected.
//   - Nothing of a remote description is repeated but kind, protocol, formats and mid of its sections.
//   - Work and memory are bounded by the caps in wire.go and wire_attributes.go.
//
// # What is in it
//
// RFC 9429 (JSEP), RFC 8866 (SDP, read and written by pion/sdp), RFC 3264 (offer/answer), RFC 8839 and 8840 (ICE and trickle ICE in SDP),
// RFC 8841 (SCTP), RFC 8842 (DTLS), RFC 8122 (fingerprints), RFC 9143 (BUNDLE), RFC 5888 (mid).
//
// Left out, on purpose:
//
//   - Media: sections for audio and video are rejected and keep their places. Each kind of section is a row of type mline and a function in
//     a section_*.go file; a kind that lives joins the switch in build.
//   - More than one transport: with one live section there is one.
//   - A second DTLS association within a session (RFC 8842, section 3.1). Descriptions that ask for one, by other fingerprints, another
//     tls-id or an offered role against the one in use, are refused with an OperationError. So are answers from a second endpoint
//     after a provisional answer from a first one (forking). With data channels alone nothing would go over to the new association: the
//     SCTP association ends with the old one, and all channels with that. libwebrtc makes one, for media that is moved to another server;
//     pion goes on with the old one, which the new endpoint does not have.
//   - Writing a=tls-id, which RFC 9429 asks for and no browser writes.
//   - Default candidates in m= and c= lines: they stay 9 and 0.0.0.0, which each ICE endpoint ignores.
//   - The ICE option "ice2", because of what it promises about nomination.
//   - Identity assertions, RTCP, LS groups.
package jsep
