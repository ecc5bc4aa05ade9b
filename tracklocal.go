package rtc

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync/atomic"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4/pkg/rtcerr"

	"github.com/sansrtc/rtc/internal/sansio/peer"
)

// binding is one Bind of a track: the context that the track is given, and the writer that it has.
type binding struct {
	loop      *loop
	sender    *RTPSender
	section   *peer.MediaSection // that it is for
	index     int                // of the encoding
	id        string
	track     TrackLocal
	ssrc, rtx SSRC

	// Guarded by loop.mu.
	versions [2]uint32          // of the encoding's track and of the sender
	live     bool               // it is the encoding's: packets are sent
	ended    bool               // it was unbound
	wanted   bool               // a keyframe, and nobody has read it
	asked    signal             // wanted or ended has come
	codec    RTPCodecParameters // that Bind has chosen
	header   rtp.Header         // of what Write was given; kept so that it costs nothing

	chain atomic.Pointer[localStream] // with interceptors, from when Bind has returned
}

var (
	_ TrackLocalContext = (*binding)(nil)
	_ TrackLocalWriter  = (*binding)(nil)
)

// bindings numbers them: a track tells its bindings, of all connections, from each other by ID.
var bindings atomic.Uint64

func (l *loop) newBinding(s *RTPSender, i int, versions [2]uint32) *binding {
	section := s.section
	return &binding{
		loop: l, sender: s, section: section, index: i, id: strconv.FormatUint(bindings.Add(1), 10), track: s.encodings[i].track,
		ssrc: SSRC(section.Encodings[i].SSRC), rtx: SSRC(section.Encodings[i].RTX),
		versions: versions, live: true,
	}
}

// CodecParameters implements TrackLocalContext.
func (b *binding) CodecParameters() []RTPCodecParameters {
	return codecsParameters(b.section.Kind, b.section.Send)
}

// HeaderExtensions implements TrackLocalContext.
func (b *binding) HeaderExtensions() []RTPHeaderExtensionParameter {
	return headerExtensions(b.section.Extensions)
}

// SSRC implements TrackLocalContext.
func (b *binding) SSRC() SSRC { return b.ssrc }

// SSRCRetransmission implements TrackLocalContext.
func (b *binding) SSRCRetransmission() SSRC { return b.rtx }

// SSRCForwardErrorCorrection implements TrackLocalContext: there is none.
func (b *binding) SSRCForwardErrorCorrection() SSRC { return 0 }

// WriteStream implements TrackLocalContext.
func (b *binding) WriteStream() TrackLocalWriter { return b }

// ID implements TrackLocalContext.
func (b *binding) ID() string { return b.id }

// RTCPReader implements TrackLocalContext.
func (b *binding) RTCPReader() interceptor.RTCPReader { return keyframeRequests{b} }

// keyframeRequests gives a track what RTCP has for whoever encodes: that the peer wants a keyframe, as a PLI. All else the connection sees to.
type keyframeRequests struct{ b *binding }

// Read waits for the next request; io.EOF when the track is unbound.
func (r keyframeRequests) Read(p []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
	b, l := r.b, r.b.loop
	for {
		l.mu.Lock()
		wanted, ended := b.wanted, b.ended || l.released
		b.wanted = false
		asked := b.asked.wait()
		l.mu.Unlock()
		switch {
		case wanted:
			pli, err := rtcp.PictureLossIndication{MediaSSRC: uint32(b.ssrc)}.Marshal()
			if err == nil && len(p) < len(pli) {
				err = io.ErrShortBuffer
			}
			return copy(p, pli), a, err
		case ended:
			return 0, a, io.EOF
		}
		<-asked
	}
}

// ask tells the track that a keyframe is wanted. It is called with mu held.
func (b *binding) ask() {
	b.wanted = true
	b.asked.broadcast()
}

// end says that the track was unbound. It is called with mu held.
func (b *binding) end() {
	b.live, b.ended = false, true
	b.asked.broadcast()
}

// closedWriter is what a writer returns after the connection has closed; pion's users look for io.ErrClosedPipe.
type closedWriter struct{}

func (closedWriter) Error() string   { return ErrConnectionClosed.Error() }
func (closedWriter) Unwrap() []error { return []error{ErrConnectionClosed, io.ErrClosedPipe} }

var (
	errWriterClosed error = &rtcerr.InvalidStateError{Err: closedWriter{}}
	errUnbound      error = &rtcerr.InvalidStateError{Err: fmt.Errorf("rtc: the track is not bound any more: %w", io.ErrClosedPipe)}
)

// WriteRTP implements TrackLocalWriter: it copies the packet and sends it, with the encoding's source. It waits for nothing, and allocates
// nothing.
func (b *binding) WriteRTP(header *rtp.Header, payload []byte) (int, error) {
	if b.loop.icp != nil {
		return b.intercept(header, payload)
	}
	return b.send(header, payload)
}

// send is WriteRTP behind the interceptors.
func (b *binding) send(header *rtp.Header, payload []byte) (int, error) {
	l := b.loop
	l.mu.Lock()
	n, err := b.write(header, payload)
	l.mu.Unlock()
	return n, err
}

// intercept is WriteRTP in front of the interceptors. As in pion what a track writes before Bind has returned goes nowhere.
func (b *binding) intercept(header *rtp.Header, payload []byte) (int, error) {
	chain := b.chain.Load()
	if chain == nil {
		return 0, nil
	}
	return chain.WriteRTP(header, payload)
}

// Write implements TrackLocalWriter.
func (b *binding) Write(packet []byte) (int, error) {
	l := b.loop
	if l.icp != nil {
		var h rtp.Header
		payload, err := unmarshal(&h, packet)
		if err != nil {
			return 0, err
		}
		return b.intercept(&h, payload)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	payload, err := unmarshal(&b.header, packet)
	if err != nil {
		return 0, err
	}
	return b.write(&b.header, payload)
}

// unmarshal reads a packet and returns its payload.
func unmarshal(h *rtp.Header, packet []byte) (payload []byte, err error) {
	n, err := h.Unmarshal(packet)
	if err != nil {
		return nil, &rtcerr.TypeError{Err: err}
	}
	payload = packet[n:]
	if h.PaddingSize = 0; h.Padding && len(payload) > 0 {
		h.PaddingSize = payload[len(payload)-1]
		payload = payload[:len(payload)-min(int(h.PaddingSize), len(payload))]
	}
	return payload, nil
}

// bind calls Bind. It is called without mu.
func (b *binding) bind() (RTPCodecParameters, error) {
	codec, err := b.track.Bind(b)
	if err == nil && b.loop.icp != nil {
		b.chain.Store(b.loop.icp.bindLocal(b.streamInfo(codec), b.send))
	}
	return codec, err
}

// unbind calls Unbind. It is called without mu.
func (b *binding) unbind() error {
	err := b.track.Unbind(b)
	if chain := b.chain.Load(); chain != nil {
		chain.unbind()
	}
	return err
}

// write is called with mu held.
func (b *binding) write(header *rtp.Header, payload []byte) (int, error) {
	l := b.loop
	switch {
	case l.closed:
		return 0, errWriterClosed
	case b.ended:
		return 0, errUnbound
	}
	n := header.MarshalSize() + len(payload)
	if !b.live {
		return n, nil // about to be unbound
	}
	now := l.tick()
	switch err := l.core.SendRTP(now, b.sender.transceiver.id, b.index, header, payload); {
	case err == nil:
		l.written(now, payload)
	case errors.Is(err, peer.ErrNotSending) || errors.Is(err, peer.ErrPayloadType) && l.core.HasEvents():
		// A description has changed what may be sent, and the track is to hear of it, in the order of events: who writes has done nothing wrong.
	default:
		return 0, w3cError(err)
	}
	return n, nil
}
