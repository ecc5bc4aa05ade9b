package main

import (
	"encoding/json"
	"sync/atomic"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/sansrtc/rtc"
)

// signalChannel has the ID of the channel that both sides make by themselves, and that carries messages.
const signalChannel = 999

// message goes over the signal channel, both ways.
type message struct {
	Description *rtc.SessionDescription `json:"description,omitempty"`
	Candidate   *rtc.ICECandidateInit   `json:"candidate,omitempty"`
	You         string                  `json:"you,omitempty"`
	Names       map[string]string       `json:"names,omitempty"` // of all participants, by id, which is the id of their stream
}

// participant is somebody in a room, and the handler of that connection's events.
type participant struct {
	rtc.BaseHandler
	house              *house
	pc                 *rtc.PeerConnection
	id, name, roomName string

	// What this participant sends, as everybody else gets it.
	audio, video *webrtc.TrackLocalStaticRTP
	camera       atomic.Pointer[rtc.TrackRemote]

	signal atomic.Pointer[rtc.DataChannel] // once it is open

	received map[string][]*rtc.RTPTransceiver // by participant; guarded by house.mu
}

func (p *participant) makeTracks() (err error) {
	if p.audio, err = webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, "audio", p.id); err != nil {
		return err
	}
	p.video, err = webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8}, "video", p.id)
	p.received = map[string][]*rtc.RTPTransceiver{}
	return err
}

// receive begins to send what other sends. The negotiation follows from it, by OnNegotiationNeeded. house.mu is held.
func (p *participant) receive(other *participant) {
	for _, track := range []webrtc.TrackLocal{other.audio, other.video} {
		t, err := p.pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		if err != nil {
			return // closed by now
		}
		p.received[other.id] = append(p.received[other.id], t)
	}
}

// forget stops it. The places of stopped transceivers are taken by the next ones. house.mu is held.
func (p *participant) forget(other *participant) {
	for _, t := range p.received[other.id] {
		t.Stop()
	}
	delete(p.received, other.id)
}

func (p *participant) send(m message) {
	dc := p.signal.Load()
	if dc == nil {
		return
	}
	b, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	if dc.SendText(string(b)) != nil {
		p.pc.Close() // it takes nothing any more
	}
}

// OnNegotiationNeeded offers. Before the signal channel is open there is nothing to offer: nobody is received.
func (p *participant) OnNegotiationNeeded(pc *rtc.PeerConnection) {
	if p.signal.Load() == nil || pc.SetLocalDescription(rtc.SessionDescription{}) != nil {
		return
	}
	p.send(message{Description: pc.LocalDescription()})
}

func (p *participant) OnICECandidate(_ *rtc.PeerConnection, candidate *rtc.ICECandidate) {
	if candidate != nil {
		init := candidate.ToJSON()
		p.send(message{Candidate: &init})
	}
}

func (p *participant) OnDataChannelOpen(pc *rtc.PeerConnection, dc *rtc.DataChannel) {
	if dc.Label() != "signal" {
		return
	}
	p.signal.Store(dc)
	if p.house.enter(p) != nil {
		pc.Close()
	}
}

// OnDataChannelMessage is perfect negotiation (https://w3c.github.io/webrtc-pc/#perfect-negotiation-example), in its impolite half: an offer that
// meets one of ours is ignored, because the page takes its own back. The flags of W3C's example are about what may happen between the steps of an
// asynchronous call; here each step is one call, and nothing comes between.
func (p *participant) OnDataChannelMessage(pc *rtc.PeerConnection, dc *rtc.DataChannel, msg rtc.DataChannelMessage) {
	var m message
	if dc.Label() != "signal" || json.Unmarshal(msg.Data, &m) != nil {
		return
	}
	var err error
	switch {
	case m.Candidate != nil:
		err = pc.AddICECandidate(*m.Candidate)
	case m.Description == nil:
	case m.Description.Type == rtc.SDPTypeOffer:
		if pc.SignalingState() != rtc.SignalingStateStable {
			return
		}
		if err = pc.SetRemoteDescription(*m.Description); err == nil {
			err = pc.SetLocalDescription(rtc.SessionDescription{})
		}
		if err == nil {
			p.send(message{Description: pc.LocalDescription()})
		}
	default:
		err = pc.SetRemoteDescription(*m.Description)
	}
	if err != nil && m.Description != nil {
		pc.Close() // the sides do not understand each other
	}
}

func (p *participant) OnTrack(_ *rtc.PeerConnection, track *rtc.TrackRemote, _ *rtc.RTPReceiver) {
	if track.Kind() == webrtc.RTPCodecTypeVideo {
		p.camera.Store(track)
		track.RequestKeyframe()
	}
}

// OnRTP sends a packet to everybody who receives this participant.
func (p *participant) OnRTP(_ *rtc.PeerConnection, track *rtc.TrackRemote, packet *rtp.Packet) {
	if track.Kind() == webrtc.RTPCodecTypeVideo {
		p.video.WriteRTP(packet)
	} else {
		p.audio.WriteRTP(packet)
	}
}

// OnKeyframeRequest asks the camera that a sender of this connection shows.
func (p *participant) OnKeyframeRequest(_ *rtc.PeerConnection, sender *rtc.RTPSender, _ string) {
	track := sender.Track()
	if track == nil {
		return
	}
	if other := p.house.find(p.roomName, track.StreamID()); other != nil {
		if camera := other.camera.Load(); camera != nil {
			camera.RequestKeyframe()
		}
	}
}

func (p *participant) OnConnectionStateChange(_ *rtc.PeerConnection, s rtc.PeerConnectionState) {
	if s == rtc.PeerConnectionStateClosed {
		p.house.leave(p)
	}
}
