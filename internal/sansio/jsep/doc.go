// Package jsep is offer/answer as a machine: what RFC 9429 and the signaling half of W3C webrtc-pc say, without the transport that the
// descriptions are about. It is given descriptions and candidates and gives back descriptions and, as a [Change], what the transport has
// to do. It knows no time; from [Config].Rand come the session id and the SSRCs of what is sent, and ICE credentials come from
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
// # Media
//
// A Session owns what W3C's RTCRtpTransceivers and their senders have to do with signaling: mid, direction, current direction, stop, streams,
// encodings, preferred codecs. [Session.AddTrack] and its like are the W3C methods of that name; a [Change] tells which transceivers a description
// made, removed or stopped, and [Session.Media] what was negotiated for each: formats and header extensions with their numbers, for each
// direction, sources and layers. Stop and SetEncodings have their effect at once: ask Media after them.
//
// Who offers gives the numbers, and they stay: a format or extension that has one in the bundle keeps it in each later description, of
// either side. RTCP is multiplexed always. Sections of a kind without codecs in [Config] are rejected and make no transceivers.
//
// # What it promises
//
//   - A method that returns an [*Error] has changed nothing. The Kind of the error is the exception that W3C prescribes.
//   - What CreateOffer and CreateAnswer return depends on nothing but what was applied before and what was asked for: called twice they
//     return the same.
//   - Sections keep their places and mids for the whole session; a place is used again, with a new mid, only after its section was rejected.
//   - Nothing of a remote description is repeated but what an answer has to repeat: kind, protocol, formats and mid of a section, numbers of
//     payload types and extensions, the level of H.264, and RIDs.
//   - Work and memory are bounded by the caps in wire.go and wire_attributes.go.
//
// # What is in it
//
// RFC 9429 (JSEP), RFC 8866 (SDP, read and written by pion/sdp), RFC 3264 (offer/answer), RFC 8839 and 8840 (ICE and trickle ICE in SDP),
// RFC 8841 (SCTP), RFC 8842 (DTLS), RFC 8122 (fingerprints), RFC 9143 (BUNDLE), RFC 5888 (mid). For media RFC 8830 (msid), RFC 8851 and
// 8853 (rid, simulcast), RFC 5576 (ssrc), RFC 4588 (rtx), RFC 8285 (extmap), RFC 5761 and 5506 (rtcp-mux, rtcp-rsize), and the parameters
// by which H.264, H.265, VP9 and AV1 are one format or another.
//
// Left out, on purpose:
//
//   - More than one transport: all policies end in one bundle. In an offer sections outside of the bundle of the first one that we take, or of
//     the one in use, are rejected; so are those that an answer leaves outside, by our next offer.
//   - RTCP that is not multiplexed, and a=rtcp-mux-only, which no browser writes.
//   - Restrictions of a=rid, alternatives in a=simulcast (the first counts), and the "~" of layers that are not active, which are for the
//     sender to know.
//   - A provisional answer that rejects a section makes it inactive; W3C would stop its transceiver before the final answer has come.
//   - A second DTLS association within a session (RFC 8842, section 3.1). Descriptions that ask for one, by other fingerprints, another
//     tls-id or an offered role against the one in use, are refused with an OperationError. So are answers from a second endpoint
//     after a provisional answer from a first one (forking). With data channels alone nothing would go over to the new association: the
//     SCTP association ends with the old one, and all channels with that. libwebrtc makes one, for media that is moved to another server;
//     pion goes on with the old one, which the new endpoint does not have.
//   - Writing a=tls-id, which RFC 9429 asks for and no browser writes.
//   - Default candidates in m= and c= lines: they stay 9 and 0.0.0.0, which each ICE endpoint ignores.
//   - The ICE option "ice2", because of what it promises about nomination.
//   - Identity assertions, LS groups.
package jsep
