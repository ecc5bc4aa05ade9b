package rtc

import (
	"slices"

	"github.com/sansrtc/rtc/internal/sansio/peer"
)

// RTPReceiver is W3C's RTCRtpReceiver: what comes from the peer by one m-line. Its methods may be called from any goroutine and inside every
// handler, and wait for nothing. https://w3c.github.io/webrtc-pc/#rtcrtpreceiver-interface
type RTPReceiver struct {
	transceiver *RTPTransceiver

	// Guarded by loop.mu.
	tracks []*TrackRemote // that have begun and not ended
	heard  heard
}

// Track is the first of Tracks, or nil.
func (r *RTPReceiver) Track() *TrackRemote {
	r.transceiver.loop.mu.Lock()
	defer r.transceiver.loop.mu.Unlock()
	if len(r.tracks) == 0 {
		return nil
	}
	return r.tracks[0]
}

// Tracks are the sources that OnTrack has told of and that have not ended: one, or with simulcast one for each encoding.
func (r *RTPReceiver) Tracks() []*TrackRemote {
	r.transceiver.loop.mu.Lock()
	defer r.transceiver.loop.mu.Unlock()
	return slices.Clone(r.tracks)
}

// RTPTransceiver is the transceiver whose half this is.
func (r *RTPReceiver) RTPTransceiver() *RTPTransceiver { return r.transceiver }

// GetParameters is W3C's getParameters: the codecs that may come, by the payload types of our own description, and the header extensions. Before
// anything is negotiated they are what will be offered. https://w3c.github.io/webrtc-pc/#dom-rtcrtpreceiver-getparameters
func (r *RTPReceiver) GetParameters() (p RTPParameters) {
	t := r.transceiver
	t.loop.view(func(c *peer.Core) {
		if s, ok := c.Section(t.id); ok {
			p.Codecs, p.HeaderExtensions = codecsParameters(t.kind, s.Receive), headerExtensions(s.Extensions)
			return
		}
		p.Codecs = t.wantedCodecs(c)
	})
	return p
}
