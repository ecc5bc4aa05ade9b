package rtc

import (
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/rtcerr"

	"github.com/sansrtc/rtc/internal/sansio/peer"
)

// RTPSender is W3C's RTCRtpSender: what is sent to the peer by one m-line. Its methods may be called from any goroutine and inside every
// handler, and wait for nothing. https://w3c.github.io/webrtc-pc/#rtcrtpsender-interface
//
// Its track is bound, [TrackLocal].Bind, when it is negotiated and the connection is connected, on the event loop, before
// OnConnectionStateChange tells so; it is unbound when it may not be sent any more, and before OnConnectionStateChange tells of closed. A new
// negotiation that changes the codecs or header extensions binds it anew. ReplaceTrack, RemoveTrack and Stop do it before they return. No
// two of these calls run at the same time for one sender, and each may use all of the API.
type RTPSender struct {
	transceiver *RTPTransceiver

	// Guarded by loop.mu.
	encodings []*encoding        // as many as the core has
	section   *peer.MediaSection // what was negotiated; nil: nothing
	version   uint32             // of what tracks are bound with
	binding   bool               // somebody is in rebind
}

// encoding is one of the streams that a sender sends, and the track that its packets are of. It is guarded by loop.mu.
type encoding struct {
	rid     string
	track   TrackLocal // nil: none
	version uint32     // of track
	bound   *binding   // nil: none
	refused [2]uint32  // the versions that Bind has failed with
}

var (
	errTrackNil    = &rtcerr.TypeError{Err: errors.New("rtc: the track is nil")}
	errTrackTwice  = &rtcerr.InvalidAccessError{Err: errors.New("rtc: the track has a sender already")}
	errForeign     = &rtcerr.InvalidAccessError{Err: webrtc.ErrSenderNotCreatedByConnection}
	errTrackKind   = &rtcerr.TypeError{Err: webrtc.ErrRTPSenderNewTrackHasIncorrectKind}
	errTrackRID    = &rtcerr.InvalidModificationError{Err: webrtc.ErrRTPSenderNewTrackHasIncorrectEnvelope}
	errNoEncoding  = &rtcerr.TypeError{Err: errors.New("rtc: encodings are added to one with a RID, by a track of the same ID, StreamID and kind with another RID")}
	errNotLikeThis = &rtcerr.InvalidModificationError{Err: errors.New("rtc: of send parameters only Active may be changed")}
)

// Track is the track that is sent, or nil: with simulcast that of the first encoding which has one.
func (s *RTPSender) Track() TrackLocal {
	l := s.transceiver.loop
	l.mu.Lock()
	defer l.mu.Unlock()
	return s.track()
}

func (s *RTPSender) track() TrackLocal {
	for _, e := range s.encodings {
		if e.track != nil {
			return e.track
		}
	}
	return nil
}

// RTPTransceiver is the transceiver whose half this is.
func (s *RTPSender) RTPTransceiver() *RTPTransceiver { return s.transceiver }

// ReplaceTrack is W3C's replaceTrack: it sends another track, or with nil none, from now on, without a negotiation. The receiver sees the source
// carry on: sequence numbers and timestamps continue where the last track's were. With simulcast it replaces the encoding that has the track's
// RID. Errors: TypeError with [webrtc.ErrRTPSenderNewTrackHasIncorrectKind], InvalidModificationError with
// [webrtc.ErrRTPSenderNewTrackHasIncorrectEnvelope] when there is no such encoding, InvalidStateError when the transceiver is stopped, and
// what the track's Bind returns, as when its codec was not negotiated; the track of before is bound again then.
// https://w3c.github.io/webrtc-pc/#dom-rtcrtpsender-replacetrack
func (s *RTPSender) ReplaceTrack(track TrackLocal) error {
	if track == nil {
		if err := s.setTrack("", false); err != nil {
			return err
		}
		s.remove()
		return nil
	}
	if mediaKind(track.Kind()) != s.transceiver.kind {
		return errTrackKind
	}
	rid := track.RID()
	l := s.transceiver.loop
	l.mu.Lock()
	e := s.encodingOf(rid)
	l.mu.Unlock()
	if e == nil {
		return errTrackRID
	}
	if err := s.setTrack(track.ID(), true); err != nil {
		return err
	}
	return s.replace(e, track)
}

func (s *RTPSender) setTrack(id string, has bool) error {
	t := s.transceiver
	return t.loop.update(func(c *peer.Core, _ time.Time) error { return c.SetTrack(t.id, id, has) })
}

// encodingOf finds the encoding for a track with this RID: without simulcast any.
func (s *RTPSender) encodingOf(rid string) *encoding {
	if len(s.encodings) == 1 && (rid == "" || s.encodings[0].rid == "") {
		return s.encodings[0]
	}
	for _, e := range s.encodings {
		if e.rid == rid {
			return e
		}
	}
	return nil
}

// replace gives an encoding another track, and if it cannot be bound, the old one.
func (s *RTPSender) replace(e *encoding, track TrackLocal) error {
	l := s.transceiver.loop
	l.mu.Lock()
	defer l.mu.Unlock()
	old := e.track
	e.setTrack(track)
	err := s.rebind()
	if err != nil && e.refused == [2]uint32{e.version, s.version} { // it is still what was wanted
		e.setTrack(old)
		if again := s.rebind(); again != nil {
			l.pc.log.Warnf("bind the track of before again: %v", again)
		}
	}
	return err
}

func (e *encoding) setTrack(track TrackLocal) {
	e.track = track
	e.version++
}

// remove takes all tracks away. What their Unbind says changes nothing, and rebind logs it.
func (s *RTPSender) remove() {
	l := s.transceiver.loop
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range s.encodings {
		e.setTrack(nil)
	}
	_ = s.rebind()
}

// AddEncoding adds another encoding of the same track, for simulcast: track has a RID of its own, and the ID, StreamID and kind of the sender's
// first one, which has a RID too. It is possible until the sender is negotiated. Errors: TypeError, InvalidModificationError when it was.
func (s *RTPSender) AddEncoding(track TrackLocal) error {
	if track == nil {
		return errTrackNil
	}
	t := s.transceiver
	first, rid := s.Track(), track.RID()
	if rid == "" || first == nil || first.RID() == "" || first.ID() != track.ID() || first.StreamID() != track.StreamID() || first.Kind() != track.Kind() {
		return errNoEncoding
	}
	return t.loop.update(func(c *peer.Core, now time.Time) error {
		if e := s.encodingOf(rid); e != nil && e.track != nil {
			return errNoEncoding
		} else if e != nil {
			e.setTrack(track)
			return nil
		}
		state, _ := c.Transceiver(t.id)
		if err := c.SetEncodings(now, t.id, append(state.Encodings, peer.Encoding{RID: rid})); err != nil {
			return err
		}
		s.encodings = append(s.encodings, &encoding{rid: rid, track: track})
		return nil
	})
}

// GetParameters is W3C's getParameters: the encodings with their sources, and the codecs and header extensions that were negotiated, by the
// peer's numbers; before that, what will be offered. https://w3c.github.io/webrtc-pc/#dom-rtcrtpsender-getparameters
func (s *RTPSender) GetParameters() (p RTPSendParameters) {
	t := s.transceiver
	t.loop.view(func(c *peer.Core) {
		p = s.parameters(c)
	})
	return p
}

func (s *RTPSender) parameters(c *peer.Core) (p RTPSendParameters) {
	t := s.transceiver
	state, _ := c.Transceiver(t.id)
	if section, ok := c.Section(t.id); ok {
		p.Codecs, p.HeaderExtensions = codecsParameters(t.kind, section.Send), headerExtensions(section.Extensions)
	} else {
		p.Codecs = t.wantedCodecs(c)
	}
	for i, e := range state.Encodings {
		x := RTPSendEncoding{Active: !e.Inactive}
		x.RID, x.SSRC, x.RTX.SSRC = e.RID, SSRC(e.SSRC), SSRC(e.RTX)
		if i < len(s.encodings) && s.encodings[i].bound != nil {
			x.PayloadType = s.encodings[i].bound.codec.PayloadType
		}
		p.Encodings = append(p.Encodings, x)
	}
	return p
}

// SetParameters is W3C's setParameters, as far as it makes sense for one who does not encode: it starts and stops encodings by their Active.
// p is what GetParameters has returned, changed. It returns an InvalidModificationError for other changes, and an InvalidStateError when the
// transceiver is stopped. https://w3c.github.io/webrtc-pc/#dom-rtcrtpsender-setparameters
func (s *RTPSender) SetParameters(p RTPSendParameters) error {
	t := s.transceiver
	return t.loop.update(func(c *peer.Core, now time.Time) error {
		state, _ := c.Transceiver(t.id)
		is := s.parameters(c)
		if len(p.Encodings) != len(is.Encodings) {
			return errNotLikeThis
		}
		for i := range p.Encodings {
			state.Encodings[i].Inactive = !p.Encodings[i].Active
			is.Encodings[i].Active = p.Encodings[i].Active
			// Which payload type is used may have changed since, with the track.
			is.Encodings[i].PayloadType = p.Encodings[i].PayloadType
		}
		if !reflect.DeepEqual(p.Encodings, is.Encodings) {
			return errNotLikeThis
		}
		return c.SetEncodings(now, t.id, state.Encodings)
	})
}

// SetStreams is W3C's setStreams: it names the media streams that the track is in for the peer, from the next negotiation on.
// https://w3c.github.io/webrtc-pc/#dom-rtcrtpsender-setstreams
func (s *RTPSender) SetStreams(streamIDs ...string) error {
	t := s.transceiver
	return t.loop.update(func(c *peer.Core, _ time.Time) error { return c.SetStreams(t.id, streamIDs) })
}

// negotiated takes what a negotiation has made of the sender. It is called with mu held.
func (s *RTPSender) negotiated(section *peer.MediaSection) {
	s.section = section
	s.version++
	for i := len(s.encodings); i < len(section.Encodings); i++ { // the peer has asked for simulcast
		s.encodings = append(s.encodings, &encoding{rid: section.Encodings[i].RID})
	}
}

// rebind binds the tracks that are to be sent and unbinds others, until what is bound is what is wanted; the last error of a Bind is returned. It is
// called with mu held and lets go of it for the tracks. While somebody is at it already it does nothing: who is will see what has changed.
func (s *RTPSender) rebind() (err error) {
	if s.binding {
		return nil
	}
	s.binding = true
	defer func() { s.binding = false }()
	for i := 0; i < len(s.encodings); {
		called, failed := s.bring(i)
		if failed != nil {
			err = failed
		}
		if i++; called {
			i = 0
		}
	}
	return err
}

// bring does the next step for encoding i, and tells whether the track was called: anything may have changed then.
func (s *RTPSender) bring(i int) (called bool, err error) {
	l, e := s.transceiver.loop, s.encodings[i]
	want := [2]uint32{e.version, s.version}
	sends := s.sends(i)
	switch b := e.bound; {
	case b != nil && (!sends || b.versions != want):
		e.bound = nil
		b.live = false
		if err := l.outside(b.unbind); err != nil {
			l.pc.log.Warnf("unbind track: %v", err)
		}
		b.end()
		return true, nil
	case b == nil && sends && e.track != nil && e.refused != want:
		b = l.newBinding(s, i, want)
		e.bound = b
		l.core.NewSource(s.transceiver.id, i)
		var codec RTPCodecParameters
		err := l.outside(func() (err error) {
			codec, err = b.bind()
			return err
		})
		if err != nil {
			b.end()
			if e.bound == b {
				e.bound = nil
			}
			e.refused = want
			return true, fmt.Errorf("rtc: bind track: %w", err)
		}
		b.codec = codec
		return true, nil
	}
	return false, nil
}

// sends tells whether encoding i may be sent now.
func (s *RTPSender) sends(i int) bool {
	l := s.transceiver.loop
	if !l.carriesMedia || l.closed || s.section == nil || !s.section.Sending || i >= len(s.section.Encodings) {
		return false
	}
	// An encoding that the peer has refused has no RID any more; when it has refused simulcast, the first is what is left.
	return i == 0 || s.section.Encodings[i].RID != ""
}

// outside runs f, which is user code, without mu.
func (l *loop) outside(f func() error) error {
	l.mu.Unlock()
	defer l.mu.Lock()
	return f()
}

// sameTrack compares tracks of which nothing is known, not even whether they can be compared.
func sameTrack(a, b TrackLocal) bool {
	return a != nil && b != nil && reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}
