package rtc

import (
	"maps"
	"slices"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"github.com/sansrtc/rtc/internal/sansio/peer"
)

// dispatchMedia tells one event about media. It is called with mu held and lets go of it for the handler.
func (l *loop) dispatchMedia(ev *peer.Event) {
	pc, m := l.pc, ev.Media
	switch ev.Kind {
	case peer.EventTransceiver:
		// Those that a description has made are made into objects when somebody asks for them. The others end.
		if t := l.transceivers[m.Transceiver]; t != nil && m.Change != peer.TransceiverCreated {
			delete(l.transceivers, m.Transceiver)
			t.sender.section = nil
			l.bind(&t.sender)
		}
	case peer.EventSender:
		if t := l.transceiver(m.Section.Transceiver); t != nil {
			t.sender.negotiated(m.Section)
			l.bind(&t.sender)
		}
	case peer.EventTrack:
		l.beginTrack(ev)
	case peer.EventKeyframe:
		t := l.transceiver(m.Transceiver)
		if t == nil || m.Encoding >= len(t.sender.encodings) {
			break // it was stopped
		}
		rid := t.sender.encodings[m.Encoding].rid
		if b := t.sender.encodings[m.Encoding].bound; b != nil {
			b.ask()
		}
		l.publish(Event{Kind: EventKeyframeRequest, Sender: &t.sender, RID: rid})
		if h := l.optional().keyframe; h != nil {
			l.tell(func(EventHandler) { h.OnKeyframeRequest(pc, &t.sender, rid) })
		}
	case peer.EventBandwidth:
		estimate := int(l.core.Bandwidth())
		l.publish(Event{Kind: EventBandwidthEstimate, BitsPerSecond: estimate})
		if h := l.optional().bandwidth; h != nil {
			l.tell(func(EventHandler) { h.OnBandwidthEstimate(pc, estimate) })
		}
	case peer.EventRTCP:
		l.dispatchRTCP(ev.Data)
	default:
		l.dispatchTrack(l.tracks[m.Stream], ev)
	}
}

// dispatchRTCP gives a compound packet to the interceptors and the handler.
func (l *loop) dispatchRTCP(b []byte) {
	h := l.optional().rtcp
	_ = l.outside(func() error {
		packets, err := l.readRTCP(b)
		if err == nil && len(packets) > 0 && h != nil {
			h.OnRTCP(l.pc, packets)
		}
		return err
	})
}

func (l *loop) readRTCP(b []byte) ([]rtcp.Packet, error) {
	if l.icp != nil {
		return l.icp.readRTCP(b)
	}
	return rtcp.Unmarshal(b)
}

// optional is what the handler hears besides packets.
func (l *loop) optional() optional { return optionalOf(l.pc.builder.handler) }

// bind lets the tracks of a sender follow what was negotiated.
func (l *loop) bind(s *RTPSender) {
	if err := s.rebind(); err != nil {
		l.pc.log.Warnf("%v", err)
	}
}

// bindAll does so for all senders: when media can flow, and when it cannot any more.
func (l *loop) bindAll() {
	if len(l.transceivers) == 0 {
		return
	}
	for _, id := range slices.Sorted(maps.Keys(l.transceivers)) {
		l.bind(&l.transceivers[id].sender)
	}
}

func (l *loop) beginTrack(ev *peer.Event) {
	m := ev.Media
	owner := l.transceiver(m.Transceiver)
	if owner == nil {
		return // it was stopped, by a description that was set since
	}
	t := &TrackRemote{
		receiver: &owner.receiver, stream: m.Stream, id: m.MID, rid: m.RID,
		ssrc: SSRC(m.SSRC), codec: codecParameters(owner.kind, &m.Codec), levels: audioLevelsOf(m.Section),
	}
	for _, id := range m.Section.MSIDs {
		if id.Track != "" {
			t.id = id.Track
		}
		if id.Stream != "-" { // RFC 8830 section 2: "no MediaStream"
			t.streams = append(t.streams, id.Stream)
		}
	}
	// Nobody hears the packets of a connection whose handler does not take them: they wait until they are read.
	t.pulled = l.rtp == nil
	if l.tracks == nil {
		l.tracks = make(map[peer.StreamID]*TrackRemote)
	}
	l.tracks[t.stream] = t
	l.live = append(l.live, t)
	owner.receiver.tracks = append(owner.receiver.tracks, t)
	if l.icp != nil {
		l.intercept(t, m.Section)
	}
	l.publish(Event{Kind: EventTrack, Track: t})
	l.tell(func(h EventHandler) { h.OnTrack(l.pc, t, &owner.receiver) })
}

func (l *loop) dispatchTrack(t *TrackRemote, ev *peer.Event) {
	if t == nil {
		return // of a transceiver that was stopped before the track was told of
	}
	switch ev.Kind {
	case peer.EventTrackCodec:
		t.codec, t.levels = codecParameters(t.receiver.transceiver.kind, &ev.Media.Codec), audioLevelsOf(ev.Media.Section)
	case peer.EventTrackMuted:
		l.muteTrack(t, true)
	case peer.EventTrackUnmuted:
		l.muteTrack(t, false)
	case peer.EventTrackEnded:
		t.ended = true
		if t.chain != nil {
			_ = l.outside(t.chain.unbind)
		}
		t.inbox.arrived.broadcast()
		delete(l.tracks, t.stream)
		is := func(o *TrackRemote) bool { return o == t }
		l.live = slices.DeleteFunc(l.live, is)
		t.receiver.tracks = slices.DeleteFunc(t.receiver.tracks, is)
		l.publish(Event{Kind: EventTrackEnded, Track: t})
		l.tell(func(h EventHandler) { h.OnTrackEnded(l.pc, t) })
	}
}

func (l *loop) muteTrack(t *TrackRemote, muted bool) {
	t.muted = muted
	l.publish(Event{Kind: EventTrackMute, Track: t, Muted: muted})
	if h := optionalOf(l.pc.builder.handler).mute; h != nil {
		l.tell(func(EventHandler) { h.OnTrackMute(l.pc, t, muted) })
	}
}

// dispatchRTP gives a packet to the handler, or to who reads the track.
func (l *loop) dispatchRTP(ev *peer.Event) {
	t := l.tracks[ev.Stream]
	if t != nil && t.chain != nil && !l.intercepted(t, ev) {
		t = nil
	}
	switch {
	case t == nil:
		l.core.FreeRTP(ev)
	case t.pulled:
		if oldest := t.inbox.push(ev.Data, l.pc.builder.media.ReceiveQueue); oldest != nil {
			l.freeRTP(oldest)
		}
	default:
		l.tellRTP(t, ev)
	}
}

func (l *loop) tellRTP(t *TrackRemote, ev *peer.Event) {
	if l.packet == nil {
		l.packet = new(rtp.Packet)
	}
	if err := l.packet.Unmarshal(ev.Data); err != nil {
		panic("BUG: rtc: a packet that was received: " + err.Error())
	}
	t.receiver.heard.record(l.latest, ev.Data, t.levels)
	l.forward.tell(l.packet.Payload, l.core.HasEvents())
	l.mu.Unlock()
	defer func() {
		l.forward.payload.Store(nil)
		l.mu.Lock()
		l.core.FreeRTP(ev)
	}()
	l.rtp.OnRTP(l.pc, t, l.packet)
}

// freeRTP gives the memory of a packet back. It is called with mu held.
func (l *loop) freeRTP(b []byte) { l.core.FreeRTP(&peer.Event{Kind: peer.EventRTP, Data: b}) }
