package rtc

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4/pkg/rtcerr"

	"github.com/sansrtc/rtc/internal/sansio/peer"
)

// AddTrack is W3C's addTrack: it sends track by a transceiver of its kind that has never sent, or by a new one, when it is negotiated. Its
// StreamID is the media stream that the peer sees it in. Errors: InvalidStateError on a closed connection, InvalidAccessError when the track
// has a sender already. https://w3c.github.io/webrtc-pc/#dom-rtcpeerconnection-addtrack
func (pc *PeerConnection) AddTrack(track TrackLocal) (*RTPSender, error) {
	if track == nil {
		return nil, errTrackNil
	}
	kind, id, rid, streams := mediaKind(track.Kind()), track.ID(), track.RID(), streamsOf(track)
	var t *RTPTransceiver
	err := pc.loop.update(func(c *peer.Core, now time.Time) error {
		for _, id := range c.Transceivers() {
			if s := &pc.loop.transceiver(id).sender; sameTrack(s.track(), track) {
				return errTrackTwice
			}
		}
		id, err := c.AddTrack(now, kind, id, streams)
		if err != nil {
			return err
		}
		t = pc.loop.transceiver(id)
		e := t.sender.encodings[0]
		if rid != "" && e.rid == "" && len(t.sender.encodings) == 1 {
			if err := c.SetEncodings(now, t.id, []peer.Encoding{{RID: rid}}); err == nil {
				e.rid = rid
			}
		} else if found := t.sender.encodingOf(rid); found != nil {
			e = found
		}
		e.setTrack(track)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &t.sender, nil
}

func streamsOf(track TrackLocal) []string {
	if id := track.StreamID(); id != "" {
		return []string{id}
	}
	return nil
}

// RemoveTrack is W3C's removeTrack: the track is not sent any more, and the next negotiation tells the peer. The sender stays, for ReplaceTrack
// or another AddTrack. Errors: InvalidStateError on a closed connection, InvalidAccessError for a sender of another one.
// https://w3c.github.io/webrtc-pc/#dom-rtcpeerconnection-removetrack
func (pc *PeerConnection) RemoveTrack(sender *RTPSender) error {
	if sender == nil || sender.transceiver.loop != &pc.loop {
		return errForeign
	}
	err := pc.loop.update(func(c *peer.Core, now time.Time) error { return c.RemoveTrack(now, sender.transceiver.id) })
	if err == nil {
		sender.remove()
	}
	return err
}

// AddTransceiverFromKind is W3C's addTransceiver with a kind: an m-line without a track, which by default wants to send and receive. At most
// one init may be given. https://w3c.github.io/webrtc-pc/#dom-rtcpeerconnection-addtransceiver
func (pc *PeerConnection) AddTransceiverFromKind(kind RTPCodecType, init ...RTPTransceiverInit) (*RTPTransceiver, error) {
	return pc.addTransceiver(peer.TransceiverInit{Kind: mediaKind(kind)}, nil, init)
}

// AddTransceiverFromTrack is W3C's addTransceiver with a track: an m-line of its own for track. With SendEncodings that have RIDs the track is the
// encoding with its RID, and [RTPSender.ReplaceTrack] sets the others. The SSRCs of SendEncodings that are not zero are used; two that are the same are a
// TypeError. https://w3c.github.io/webrtc-pc/#dom-rtcpeerconnection-addtransceiver
func (pc *PeerConnection) AddTransceiverFromTrack(track TrackLocal, init ...RTPTransceiverInit) (*RTPTransceiver, error) {
	if track == nil {
		return nil, errTrackNil
	}
	return pc.addTransceiver(peer.TransceiverInit{
		Kind: mediaKind(track.Kind()), HasTrack: true, Track: track.ID(), Streams: streamsOf(track),
	}, track, init)
}

func (pc *PeerConnection) addTransceiver(want peer.TransceiverInit, track TrackLocal, init []RTPTransceiverInit) (t *RTPTransceiver, err error) {
	want.Direction = peer.SendRecv
	rid := ""
	if track != nil {
		rid = track.RID()
	}
	switch {
	case want.Kind == 0:
		return nil, &rtcerr.TypeError{Err: fmt.Errorf("rtc: a transceiver is of audio or video")}
	case len(init) > 1:
		return nil, &rtcerr.TypeError{Err: fmt.Errorf("rtc: %d RTPTransceiverInit; there may be one", len(init))}
	case len(init) == 1:
		if init[0].Direction != 0 {
			if want.Direction, err = coreDirection(init[0].Direction); err != nil {
				return nil, err
			}
		}
		for _, e := range init[0].SendEncodings {
			want.Encodings = append(want.Encodings, peer.Encoding{RID: e.RID, SSRC: uint32(e.SSRC), RTX: uint32(e.RTX.SSRC)})
		}
	}
	switch {
	case len(want.Encodings) == 0:
		want.Encodings = []peer.Encoding{{RID: rid}}
	case len(want.Encodings) == 1 && want.Encodings[0].RID == "":
		want.Encodings[0].RID = rid
	case track != nil && !slices.ContainsFunc(want.Encodings, func(e peer.Encoding) bool { return e.RID == rid }):
		return nil, &rtcerr.TypeError{Err: fmt.Errorf("rtc: no encoding has the track's RID %q", rid)}
	}
	err = pc.loop.update(func(c *peer.Core, now time.Time) error {
		id, err := c.AddTransceiver(now, want)
		if err != nil {
			return err
		}
		t = pc.loop.transceiver(id)
		if track != nil {
			t.sender.encodingOf(rid).setTrack(track)
		}
		return nil
	})
	return t, err
}

// GetTransceivers lists the transceivers that have not stopped, in the order in which they were made, by us or by the peer's offers: those of
// an offer are there when SetRemoteDescription returns. https://w3c.github.io/webrtc-pc/#dom-rtcpeerconnection-gettransceivers
func (pc *PeerConnection) GetTransceivers() (list []*RTPTransceiver) {
	l := &pc.loop
	l.view(func(c *peer.Core) {
		if l.closed {
			return
		}
		for _, id := range c.Transceivers() {
			list = append(list, l.transceiver(id))
		}
	})
	return list
}

// GetSenders lists the senders of GetTransceivers.
func (pc *PeerConnection) GetSenders() (list []*RTPSender) {
	for _, t := range pc.GetTransceivers() {
		list = append(list, &t.sender)
	}
	return list
}

// GetReceivers lists the receivers of GetTransceivers.
func (pc *PeerConnection) GetReceivers() (list []*RTPReceiver) {
	for _, t := range pc.GetTransceivers() {
		list = append(list, &t.receiver)
	}
	return list
}

// WriteRTCP sends packets to the peer, as one compound. No program needs it for what a connection does by itself: reports, NACKs, keyframe requests
// by [TrackRemote.RequestKeyframe], transport-wide feedback. Errors: InvalidStateError on a closed connection, TypeError for packets that
// cannot be sent.
func (pc *PeerConnection) WriteRTCP(packets []rtcp.Packet) error {
	if icp := pc.loop.icp; icp != nil {
		return icp.writeRTCP(packets)
	}
	return pc.loop.writeRTCP(packets)
}

// Tracks gives the tracks that OnTrack tells of, also those that have begun before the call and have not ended, and ends when the connection
// closes or ctx ends.
func (pc *PeerConnection) Tracks(ctx context.Context) iter.Seq[*TrackRemote] {
	l := &pc.loop
	return func(yield func(*TrackRemote) bool) {
		s := l.subscribe(func() (past []Event) {
			for _, t := range l.live {
				past = append(past, Event{Kind: EventTrack, Track: t})
			}
			return past
		})
		l.events(ctx, s, func(ev Event) bool {
			return ev.Kind != EventTrack || yield(ev.Track)
		})
	}
}

// wantedCodecs is what will be offered.
func (t *RTPTransceiver) wantedCodecs(c *peer.Core) []RTPCodecParameters {
	state, _ := c.Transceiver(t.id)
	if len(state.Preferences) > 0 {
		return codecsParameters(t.kind, state.Preferences)
	}
	engine, _ := t.loop.pc.builder.mediaEngine() // Build has found no error
	return codecsParameters(t.kind, engine.codecs[t.kind])
}
