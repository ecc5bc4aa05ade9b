package jsep

import (
	"slices"
	"strconv"
)

// NegotiationNeeded implements W3C "check if negotiation is needed". In other states than stable it is false: the question comes up again
// when the session is stable.
func (s *Session) NegotiationNeeded() bool {
	s.wake()
	if s.state != Stable {
		return false
	}
	return len(s.toReplace) > 0 || s.wantData && agreedData(s.currentLocal, s.currentRemote) < 0 || s.toReject() ||
		slices.ContainsFunc(s.transceivers, s.unsettled)
}

// toReject tells whether the remote side uses sections that we do not, for want of a second transport: we reject them when we offer.
func (s *Session) toReject() bool {
	return s.currentRemote != nil && slices.ContainsFunc(s.currentRemote.sections, func(m section) bool { return m.unbundled })
}

// unsettled is what W3C checks about a transceiver. The quotes are from there.
func (s *Session) unsettled(t *transceiver) bool {
	// "If transceiver.[[Stopping]] is true and transceiver.[[Stopped]] is false, return true."
	if t.stopping && !t.stopped {
		return true
	}
	i := -1
	if s.currentLocal != nil && t.mid != "" {
		i = s.currentLocal.byMid(t.mid)
	}
	if t.stopped {
		// "If transceiver is stopped and is associated with an m= section, but the associated m= section is not yet rejected in
		// connection.[[CurrentLocalDescription]] or connection.[[CurrentRemoteDescription]], return true."
		return i >= 0 && both(s.currentLocal, s.currentRemote, i)
	}
	// "If transceiver isn't stopped and isn't yet associated with an m= section in description, return true."
	if i < 0 || s.currentLocal.sections[i].media == nil {
		return true
	}
	local, remote := s.currentLocal.sections[i].media, s.currentRemote.sections[i].media
	// "If transceiver.[[Direction]] is "sendrecv" or "sendonly", and the associated m= section in description either doesn't contain a single
	// "a=msid" line, or the number of MSIDs from the "a=msid" lines in this m= section, or the MSID values themselves, differ from what is in
	// transceiver.sender.[[AssociatedMediaStreamIds]], return true."
	if t.direction.Sends() && !t.tells(local.msids) {
		return true
	}
	offered := Inactive
	if remote != nil {
		offered = remote.direction.Reversed()
	}
	if s.currentLocal.typ == Offer {
		// "If description is of type "offer", and the direction of the associated m= section in neither
		// connection.[[CurrentLocalDescription]] nor connection.[[CurrentRemoteDescription]] matches transceiver.[[Direction]], return true."
		return local.direction != t.direction && offered != t.direction
	}
	// "If description is of type "answer", and the direction of the associated m= section in the description does not match
	// transceiver.[[Direction]] intersected with the offered direction […], return true."
	return local.direction != t.direction&offered
}

// tells tells whether lines have the streams of t.
func (t *transceiver) tells(lines []MSID) bool {
	return slices.EqualFunc(lines, t.msids(), func(a, b MSID) bool { return a.Stream == b.Stream })
}

// msids are the a=msid lines of t.
//
// RFC 9429, section 5.2.1: a line for each stream; and RFC 8830, section 2: "-" is for a track without a stream. The second half, the track, may
// be left out; implementations exist that miss it, so it is always there.
func (t *transceiver) msids() (lines []MSID) {
	track := t.label
	if track == "" {
		track = "track" + strconv.FormatUint(uint64(t.encodings[0].SSRC), 16)
	}
	for _, stream := range t.streams {
		lines = append(lines, MSID{stream, track})
	}
	if lines == nil {
		lines = []MSID{{"-", track}}
	}
	return lines
}
