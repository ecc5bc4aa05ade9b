package jsep

import (
	"encoding/binary"
	"io"
	"slices"
	"strings"
)

// transceiver is W3C's RTCRtpTransceiver with its internal slots, and those of its sender.
type transceiver struct {
	id   TransceiverID
	kind MediaKind

	mid  string // [[Mid]]; "" is null
	line int    // of the section with that mid; -1 without
	// The association of the last stable state, which a rollback brings back.
	stableMid  string
	stableLine int

	direction         Direction // [[Direction]]
	current           Direction // [[CurrentDirection]], if hasCurrent
	hasCurrent        bool
	stopping, stopped bool
	preferences       []Codec // [[PreferredCodecs]]: entries of Config.Formats

	hasTrack  bool
	label     string // track id for a=msid; it stays when something was sent under it
	streams   []string
	encodings []Encoding // Invariant: never empty, and each has its sources
	everSent  bool       // [[CurrentDirection]] has sent once
	// The encodings before a pending remote offer asked for simulcast: W3C [[LastStableStateRidlessSendEncodings]].
	ridless []Encoding

	addTrack bool // made by AddTrack
	attached bool // AddTrack was used on it since it was made
	byRemote bool // made by a remote offer that is pending
}

// maxEncodings bounds the encodings of a sender. Nobody sends more layers.
const maxEncodings = 8

// AddTransceiver implements W3C addTransceiver.
func (s *Session) AddTransceiver(init TransceiverInit) (TransceiverID, error) {
	if s.state == Closed {
		return 0, errorf(InvalidState, "AddTransceiver in %v", s.state)
	}
	if init.Kind != Audio && init.Kind != Video {
		return 0, errorf(TypeError, "a transceiver is of audio or video")
	}
	if init.Direction > SendRecv {
		return 0, errorf(TypeError, "a transceiver cannot begin as %v", init.Direction)
	}
	if err := checkNames(init.Track, init.Streams); err != nil {
		return 0, err
	}
	t, err := s.newTransceiver(init)
	if err != nil {
		return 0, err
	}
	s.add(t)
	return t.id, nil
}

// AddTrack implements W3C addTrack: a transceiver whose sender has no track and has never sent is used, or else one is made. That a track is
// added once is for the caller to see to.
func (s *Session) AddTrack(kind MediaKind, track string, streams []string) (TransceiverID, error) {
	i := -1
	if s.state != Closed {
		i = slices.IndexFunc(s.transceivers, func(t *transceiver) bool {
			return t.kind == kind && !t.hasTrack && !t.stopping && !t.stopped && !t.everSent
		})
	}
	if i < 0 {
		id, err := s.AddTransceiver(TransceiverInit{Kind: kind, Direction: SendRecv, HasTrack: true, Track: track, Streams: streams})
		if err == nil {
			t := s.find(id)
			t.addTrack, t.attached = true, true
		}
		return id, err
	}
	if err := checkNames(track, streams); err != nil {
		return 0, err
	}
	t := s.transceivers[i]
	t.hasTrack, t.label, t.streams, t.attached = true, track, distinct(streams), true
	t.direction |= SendOnly
	s.distinguish(t)
	s.touch()
	return t.id, nil
}

// distinguish sees to it that the a=msid lines of t are its own: a track may be sent by two senders, and comes back by another one after RemoveTrack.
//
// "Multiple media descriptions with the same value for msid-id and msid-appdata are not permitted." RFC 8830, section 2
func (s *Session) distinguish(t *transceiver) {
	for _, o := range s.transceivers {
		if o != t && !o.stopped && o.label == t.label && (len(o.streams)+len(t.streams) == 0 ||
			slices.ContainsFunc(o.streams, func(stream string) bool { return slices.Contains(t.streams, stream) })) {
			t.label = "" // msids finds another
		}
	}
}

// RemoveTrack implements W3C removeTrack.
func (s *Session) RemoveTrack(id TransceiverID) error {
	t, err := s.alive(id, "RemoveTrack")
	if t == nil || !t.hasTrack {
		return err
	}
	t.hasTrack = false
	t.direction &^= SendOnly
	s.touch()
	return nil
}

// SetTrack tells that a sender has another track, or none: W3C replaceTrack, which needs no negotiation.
func (s *Session) SetTrack(id TransceiverID, track string, has bool) error {
	t, err := s.alive(id, "SetTrack")
	if err != nil {
		return err
	}
	if err := checkNames(track, nil); err != nil {
		return err
	}
	t.hasTrack = has
	if has && t.label == "" && !t.everSent {
		t.label = track
		s.distinguish(t)
		s.touch()
	}
	return nil
}

// SetStreams implements W3C RTCRtpSender.setStreams.
func (s *Session) SetStreams(id TransceiverID, streams []string) error {
	t, err := s.alive(id, "SetStreams")
	if err != nil {
		return err
	}
	if err := checkNames("", streams); err != nil {
		return err
	}
	t.streams = distinct(streams)
	s.distinguish(t)
	s.touch()
	return nil
}

// SetDirection implements the setter of W3C RTCRtpTransceiver.direction.
func (s *Session) SetDirection(id TransceiverID, d Direction) error {
	if d > SendRecv {
		return errorf(TypeError, "a direction cannot be set to %v", d)
	}
	t, err := s.alive(id, "SetDirection")
	if err != nil {
		return err
	}
	t.direction = d
	s.touch()
	return nil
}

// Stop implements W3C RTCRtpTransceiver.stop. Nothing is sent or received from now on; that the peer hears of it is for the next negotiation,
// which stops the transceiver.
func (s *Session) Stop(id TransceiverID) error {
	if s.state == Closed {
		return errorf(InvalidState, "Stop in %v", s.state)
	}
	if t := s.find(id); t != nil && !t.stopping {
		t.stopping = true
		t.direction = Inactive
		s.touch()
	}
	return nil
}

// SetEncodings replaces what a sender sends, before it is negotiated. Later on only Inactive may change. Encodings keep their sources by
// their places.
func (s *Session) SetEncodings(id TransceiverID, encodings []Encoding) error {
	s.wake()
	t, err := s.alive(id, "SetEncodings")
	if err != nil {
		return err
	}
	if t.everSent || s.sends(t) {
		same := func(a, b Encoding) bool { return a.RID == b.RID }
		if !slices.EqualFunc(t.encodings, encodings, same) {
			return errorf(InvalidModification, "encodings that were negotiated cannot be added, removed or renamed")
		}
		for i := range t.encodings {
			t.encodings[i].Inactive = encodings[i].Inactive
		}
		return nil
	}
	next, err := s.newEncodings(encodings, t.encodings)
	if err != nil {
		return err
	}
	t.encodings, t.ridless = next, nil
	s.touch()
	return nil
}

// Transceivers lists those that are not stopped for good, in the order in which they were made.
func (s *Session) Transceivers() []TransceiverID {
	if len(s.transceivers) == 0 {
		return nil
	}
	ids := make([]TransceiverID, len(s.transceivers))
	for i, t := range s.transceivers {
		ids[i] = t.id
	}
	return ids
}

// Transceiver shows one of them; false: it never was or is no more.
func (s *Session) Transceiver(id TransceiverID) (Transceiver, bool) {
	t := s.find(id)
	if t == nil {
		return Transceiver{}, false
	}
	c := Transceiver{
		ID: t.id, Kind: t.kind, Mid: t.mid, MLineIndex: t.line,
		Direction: t.direction, Current: t.current, HasCurrent: t.hasCurrent, Stopping: t.stopping, Stopped: t.stopped,
		HasTrack: t.hasTrack, Encodings: slices.Clone(t.encodings), Streams: slices.Clone(t.streams), Preferences: slices.Clone(t.preferences),
	}
	if t.stopping || t.stopped {
		c.Direction = Stopped // W3C: what stop() has been called on shows it at once
	}
	return c, true
}

// newTransceiver makes one that is not yet in the session.
func (s *Session) newTransceiver(init TransceiverInit) (*transceiver, error) {
	if len(init.Encodings) == 0 {
		init.Encodings = []Encoding{{}}
	}
	encodings, err := s.newEncodings(init.Encodings, nil)
	if err != nil {
		return nil, err
	}
	return &transceiver{
		kind: init.Kind, line: -1, stableLine: -1, direction: init.Direction,
		hasTrack: init.HasTrack, label: init.Track, streams: distinct(init.Streams), encodings: encodings,
	}, nil
}

func (s *Session) add(t *transceiver) {
	s.lastTransceiver++
	t.id = s.lastTransceiver
	s.transceivers = append(s.transceivers, t)
	s.distinguish(t)
	s.touch()
}

// newEncodings checks encodings and gives each its sources: those of old where there are some, those that it asks for, or others.
func (s *Session) newEncodings(encodings, old []Encoding) ([]Encoding, error) {
	if len(encodings) == 0 || len(encodings) > maxEncodings {
		return nil, errorf(TypeError, "%d encodings; there may be 1 to %d", len(encodings), maxEncodings)
	}
	next := slices.Clone(encodings)
	for i := range next {
		e := &next[i]
		if e.RID == "" && len(next) > 1 {
			return nil, errorf(TypeError, "encoding %d has no RID", i)
		}
		if e.RID != "" && !validRID(e.RID) {
			return nil, errorf(TypeError, "the RID %q is malformed", e.RID)
		}
		if e.RID != "" && slices.ContainsFunc(next[:i], func(o Encoding) bool { return o.RID == e.RID }) {
			return nil, errorf(TypeError, "two encodings have the RID %q", e.RID)
		}
		if i < len(old) {
			e.SSRC, e.RTX = old[i].SSRC, old[i].RTX
			continue
		}
		for _, ssrc := range []*uint32{&e.SSRC, &e.RTX} {
			var err error
			if wanted := *ssrc; wanted == 0 {
				*ssrc, err = s.newSource(next)
			} else if *ssrc = 0; s.hasSource(next, wanted) {
				err = errorf(TypeError, "two encodings have the source %d", wanted)
			} else {
				*ssrc = wanted
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return next, nil
}

// hasSource tells whether an encoding of ours, or one of besides, has an SSRC.
func (s *Session) hasSource(besides []Encoding, ssrc uint32) bool {
	has := func(e Encoding) bool { return e.SSRC == ssrc || e.RTX == ssrc }
	return slices.ContainsFunc(besides, has) ||
		slices.ContainsFunc(s.transceivers, func(t *transceiver) bool { return slices.ContainsFunc(t.encodings, has) })
}

// newSource draws an SSRC that none of ours has.
//
// RFC 3550, section 8: "The SSRC identifier […] is a random 32-bit number that is required to be globally unique within an RTP session."
func (s *Session) newSource(besides []Encoding) (uint32, error) {
	for {
		var b [4]byte
		if _, err := io.ReadFull(s.cfg.Rand, b[:]); err != nil {
			return 0, errorf(Operation, "a source: %v", err)
		}
		if ssrc := binary.BigEndian.Uint32(b[:]); ssrc != 0 && !s.hasSource(besides, ssrc) {
			return ssrc, nil
		}
	}
}

// touch tells that descriptions that were created no longer say what is wanted.
func (s *Session) touch() { s.offerStale, s.answerStale = true, true }

// find is the transceiver with that id, or nil.
func (s *Session) find(id TransceiverID) *transceiver {
	i := slices.IndexFunc(s.transceivers, func(t *transceiver) bool { return t.id == id })
	if i < 0 {
		return nil
	}
	return s.transceivers[i]
}

// alive finds a transceiver that may be changed.
func (s *Session) alive(id TransceiverID, what string) (*transceiver, error) {
	t := s.find(id)
	if s.state == Closed || t == nil || t.stopping || t.stopped {
		return nil, errorf(InvalidState, "%s of a transceiver that is stopped", what)
	}
	return t, nil
}

// checkNames checks ids that go into a=msid. RFC 8830, section 2 has tokens of up to 64 characters; applications have longer ones, and other
// characters, which nobody minds as long as the line can be read.
func checkNames(track string, streams []string) error {
	bad := func(id string) bool {
		return len(id) > 256 || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r == 0x7f })
	}
	if bad(track) || slices.ContainsFunc(streams, bad) {
		return errorf(TypeError, "a track or stream id is longer than 256 bytes or has blanks")
	}
	return nil
}

// distinct copies a list of stream ids without those that come again, or are empty.
func distinct(ids []string) (list []string) {
	for _, id := range ids {
		if id != "" && !slices.Contains(list, id) {
			list = append(list, id)
		}
	}
	return list
}
