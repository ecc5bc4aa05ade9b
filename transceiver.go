package rtc

import (
	"time"

	"github.com/sansrtc/rtc/internal/sansio/peer"
)

// RTPTransceiver is W3C's RTCRtpTransceiver: a sender and a receiver that share an m-line. There is one for each m-line of audio or video, and
// it is the same pointer whoever returns it. Its methods may be called from any goroutine and inside every handler, and wait for nothing.
// https://w3c.github.io/webrtc-pc/#rtcrtptransceiver-interface
type RTPTransceiver struct {
	loop     *loop
	id       peer.TransceiverID
	kind     peer.MediaKind
	sender   RTPSender
	receiver RTPReceiver
}

// transceiver is the object of id; nil: there is none any more. It is called with mu held.
func (l *loop) transceiver(id peer.TransceiverID) *RTPTransceiver {
	if t := l.transceivers[id]; t != nil {
		return t
	}
	state, ok := l.core.Transceiver(id)
	if !ok {
		return nil
	}
	t := &RTPTransceiver{loop: l, id: id, kind: state.Kind}
	t.sender.transceiver, t.receiver.transceiver = t, t
	for _, e := range state.Encodings {
		t.sender.encodings = append(t.sender.encodings, &encoding{rid: e.RID})
	}
	if l.transceivers == nil {
		l.transceivers = make(map[peer.TransceiverID]*RTPTransceiver)
	}
	l.transceivers[id] = t
	return t
}

// state is what the core knows; a transceiver that it has forgotten is stopped.
func (t *RTPTransceiver) state() (s peer.Transceiver) {
	t.loop.view(func(c *peer.Core) {
		var ok bool
		if s, ok = c.Transceiver(t.id); !ok || t.loop.closed {
			s = peer.Transceiver{ID: t.id, Kind: t.kind, Direction: peer.Stopped, Stopping: true, Stopped: true}
		}
	})
	return s
}

// Mid is the a=mid of the m-line, or empty before there is one, and after the transceiver has stopped.
func (t *RTPTransceiver) Mid() string { return t.state().Mid }

// Kind is audio or video.
func (t *RTPTransceiver) Kind() RTPCodecType { return codecType(t.kind) }

// Direction is what is wanted: what the next description will ask for, or offer. It is inactive when the transceiver is stopping.
func (t *RTPTransceiver) Direction() RTPTransceiverDirection { return direction(t.state().Direction) }

// CurrentDirection is what was negotiated last; [webrtc.RTPTransceiverDirectionUnknown], which is W3C's null, before anything was, and when
// the transceiver has stopped.
func (t *RTPTransceiver) CurrentDirection() RTPTransceiverDirection {
	s := t.state()
	if !s.HasCurrent || s.Stopped {
		return 0
	}
	return direction(s.Current)
}

// Stopped tells that the transceiver has ended: by Stop and a negotiation, or because the peer has rejected its m-line, or with the connection.
func (t *RTPTransceiver) Stopped() bool { return t.state().Stopped }

// SetDirection sets what is wanted; it takes a negotiation to become so. It returns an InvalidStateError when the transceiver is stopping or
// stopped. https://w3c.github.io/webrtc-pc/#dom-rtcrtptransceiver-direction
func (t *RTPTransceiver) SetDirection(d RTPTransceiverDirection) error {
	want, err := coreDirection(d)
	if err != nil {
		return err
	}
	return t.loop.update(func(c *peer.Core, now time.Time) error { return c.SetDirection(now, t.id, want) })
}

// Sender is the sending half.
func (t *RTPTransceiver) Sender() *RTPSender { return &t.sender }

// Receiver is the receiving half.
func (t *RTPTransceiver) Receiver() *RTPReceiver { return &t.receiver }

// Stop ends both halves for good: nothing is sent from here on, and the next negotiation rejects the m-line, which another transceiver may
// use again. It returns an InvalidStateError on a closed connection. https://w3c.github.io/webrtc-pc/#dom-rtcrtptransceiver-stop
func (t *RTPTransceiver) Stop() error {
	err := t.loop.update(func(c *peer.Core, now time.Time) error { return c.StopTransceiver(now, t.id) })
	if err == nil {
		t.sender.remove()
	}
	return err
}

// SetCodecPreferences chooses which codecs are negotiated, and in which order; none means the defaults. They are matched with those of the
// media engine, whose payload types are used. It returns an InvalidModificationError for a codec that is not among them.
// https://w3c.github.io/webrtc-pc/#dom-rtcrtptransceiver-setcodecpreferences
func (t *RTPTransceiver) SetCodecPreferences(codecs []RTPCodecParameters) error {
	var want []peer.Codec
	for _, p := range codecs {
		_, c, err := coreCodec(p)
		if err != nil {
			return err
		}
		want = append(want, c)
	}
	return t.loop.update(func(c *peer.Core, _ time.Time) error { return c.SetCodecPreferences(t.id, want) })
}
