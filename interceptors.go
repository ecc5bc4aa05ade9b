package rtc

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4/pkg/rtcerr"

	"github.com/sansrtc/rtc/internal/sansio/peer"
)

// Interceptors sets pion interceptors that see, change, hold back or add what a connection sends and receives. Each connection builds its own chain
// from the registry, whose factories are given [PeerConnection.ID]; an interceptor's goroutines have ended when Done is closed.
//
// Packets that are sent pass the chain on the goroutine that writes them, those that are received before the handler, on the event loop.
// What connections do by themselves needs no interceptor: reports, NACK and retransmission, transport-wide congestion control. What pion's
// interceptors for these send besides is dropped: see docs/interceptors.md.
func (b Builder) Interceptors(r *interceptor.Registry) Builder {
	b.registry = r
	return b
}

// interceptors is a connection's chain; nil is that of a connection without any. All of it is user code: it is called without loop.mu, which its
// terminals take.
type interceptors struct {
	l     *loop
	chain interceptor.Interceptor
	rtcp  interceptor.RTCPWriter
	read  interceptor.RTCPReader

	reading sync.Mutex // guards the three below: who reads a track inside a handler may be another goroutine than the one that dispatches
	current []byte     // what the readers at the bottom give
	scratch []byte     // what the chain reads into
	parsed  rtp.Packet // and what it is then

	failed     atomic.Uint64 // packets that came and an interceptor's error has stopped
	suppressed atomic.Uint64 // packets of interceptors that do what the connection does
}

// newInterceptors builds the chain; bind completes it.
func newInterceptors(l *loop, r *interceptor.Registry) (*interceptors, error) {
	if r == nil {
		return nil, nil
	}
	chain, err := r.Build(l.pc.ID())
	if err != nil {
		return nil, &rtcerr.OperationError{Err: err}
	}
	if _, empty := chain.(*interceptor.NoOp); empty {
		return nil, nil
	}
	return &interceptors{l: l, chain: chain}, nil
}

// bind gives the chain its ends for RTCP, when they can be used: interceptors begin to write.
func (c *interceptors) bind() {
	c.read = c.chain.BindRTCPReader(interceptor.RTCPReaderFunc(c.readCurrent))
	c.rtcp = c.chain.BindRTCPWriter(interceptor.RTCPWriterFunc(c.sendRTCP))
}

func (c *interceptors) close() {
	if err := c.chain.Close(); err != nil {
		c.l.pc.log.Warnf("interceptors: %v", err)
	}
}

// readCurrent is the bottom of all readers.
func (c *interceptors) readCurrent(b []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
	return copy(b, c.current), a, nil
}

// room is how much longer than it came an interceptor may make a packet.
const room = 512

// pass reads packet through the chain. What it returns is in the memory of scratch.
func (c *interceptors) pass(read func([]byte, interceptor.Attributes) (int, interceptor.Attributes, error), packet []byte) ([]byte, interceptor.Attributes, error) {
	c.current = packet
	c.scratch = slices.Grow(c.scratch[:0], len(packet)+room)
	b := c.scratch[:cap(c.scratch)]
	n, a, err := read(b, interceptor.Attributes{})
	if err != nil {
		c.failed.Add(1)
		c.l.pc.log.Debugf("interceptors: a packet was stopped: %v", err)
		return nil, nil, err
	}
	return b[:n], a, nil
}

// readRTCP is what the chain leaves of a compound packet that came.
func (c *interceptors) readRTCP(compound []byte) ([]rtcp.Packet, error) {
	c.reading.Lock()
	defer c.reading.Unlock()
	b, a, err := c.pass(c.read.Read, compound)
	if err != nil {
		return nil, err
	}
	return a.GetRTCPPackets(b)
}

// byUser marks, among the attributes, what the user writes himself.
type byUser struct{}

// writeRTCP is WriteRTCP through the chain.
func (c *interceptors) writeRTCP(packets []rtcp.Packet) error {
	_, err := c.rtcp.Write(packets, interceptor.Attributes{byUser{}: true})
	return err
}

// sendRTCP is the top of all RTCP writers.
func (c *interceptors) sendRTCP(packets []rtcp.Packet, a interceptor.Attributes) (int, error) {
	if a.Get(byUser{}) == nil {
		if packets = c.others(packets); len(packets) == 0 {
			return 0, nil
		}
	}
	return len(packets), c.l.writeRTCP(packets)
}

// others is packets without those kinds that the connection makes itself. With both the peer would get each packet twice that it asks for once,
// and two accounts of one stream, of which the interceptor's knows neither when packets left nor what was numbered anew.
func (c *interceptors) others(packets []rtcp.Packet) []rtcp.Packet {
	own := func(p rtcp.Packet) bool {
		switch p.(type) {
		case *rtcp.SenderReport, *rtcp.ReceiverReport, *rtcp.TransportLayerNack, *rtcp.TransportLayerCC:
			return true
		}
		return false
	}
	if !slices.ContainsFunc(packets, own) {
		return packets
	}
	rest := slices.DeleteFunc(slices.Clone(packets), own)
	c.suppressed.Add(uint64(len(packets) - len(rest)))
	return rest
}

// localStream is an encoding's way through the chain.
type localStream struct {
	c           *interceptors
	info        *interceptor.StreamInfo
	writer      interceptor.RTPWriter
	transportCC uint8
}

// bindLocal begins a stream whose packets leave by send.
func (c *interceptors) bindLocal(info *interceptor.StreamInfo, send func(*rtp.Header, []byte) (int, error)) *localStream {
	s := &localStream{c: c, info: info}
	for _, x := range info.RTPHeaderExtensions {
		if x.URI == transportCCURI {
			s.transportCC = uint8(x.ID)
		}
	}
	s.writer = c.chain.BindLocalStream(info, interceptor.RTPWriterFunc(
		func(h *rtp.Header, payload []byte, _ interceptor.Attributes) (int, error) {
			if h.SSRC != info.SSRC {
				c.suppressed.Add(1) // a retransmission: the connection sends its own
				return len(payload), nil
			}
			return send(h, payload)
		}))
	return s
}

func (s *localStream) unbind() { s.c.chain.UnbindLocalStream(s.info) }

// WriteRTP sends a packet through the chain, which gets a header of its own: interceptors change it.
func (s *localStream) WriteRTP(h *rtp.Header, payload []byte) (int, error) {
	own := *h
	own.SSRC = s.info.SSRC
	own.Extensions = slices.Clone(h.Extensions)
	if s.transportCC != 0 && own.GetExtension(s.transportCC) != nil {
		// Of the connection that the packet came by. A number that is there when the packet has passed the chain is an interceptor's.
		_ = own.DelExtension(s.transportCC)
	}
	return s.writer.Write(&own, payload, nil)
}

// remoteStream is a received source's way through the chain.
type remoteStream struct {
	c       *interceptors
	info    *interceptor.StreamInfo
	reader  interceptor.RTPReader
	stopped atomic.Uint32 // packets
}

func (c *interceptors) bindRemote(info *interceptor.StreamInfo) *remoteStream {
	return &remoteStream{c: c, info: info, reader: c.chain.BindRemoteStream(info, interceptor.RTPReaderFunc(c.readCurrent))}
}

func (s *remoteStream) unbind() error {
	s.c.chain.UnbindRemoteStream(s.info)
	return nil
}

// readRTP is what the chain makes of packet, in its memory if that has room; false: nothing is left of it.
func (s *remoteStream) readRTP(packet []byte) ([]byte, bool) {
	s.c.reading.Lock()
	defer s.c.reading.Unlock()
	b, _, err := s.c.pass(s.reader.Read, packet)
	if err == nil {
		err = s.c.parsed.Unmarshal(b) // nobody else looks whether it is a packet still
	}
	if err != nil {
		s.stopped.Add(1)
		return nil, false
	}
	return append(packet[:0], b...), true
}

// intercept puts the chain in front of a track that has begun. It lets go of mu.
func (l *loop) intercept(t *TrackRemote, section *peer.MediaSection) {
	info := streamInfo("", t.ssrc, 0, t.codec, nil, headerExtensions(section.Extensions))
	_ = l.outside(func() error {
		t.chain = l.icp.bindRemote(info)
		return nil
	})
}

// intercepted makes ev what the chain makes of its packet; false: nothing is left of it. It lets go of mu.
func (l *loop) intercepted(t *TrackRemote, ev *peer.Event) (ok bool) {
	_ = l.outside(func() error {
		var data []byte
		if data, ok = t.chain.readRTP(ev.Data); ok {
			ev.Data = data
		}
		return nil
	})
	return ok
}

// streamInfo is what interceptors are told of what is sent.
func (b *binding) streamInfo(codec RTPCodecParameters) *interceptor.StreamInfo {
	return streamInfo(b.id, b.ssrc, b.rtx, codec, b.CodecParameters(), b.HeaderExtensions())
}

// streamInfo fills what interceptors are told of a stream as pion does.
func streamInfo(id string, ssrc, rtx SSRC, codec RTPCodecParameters, codecs []RTPCodecParameters, extensions []RTPHeaderExtensionParameter) *interceptor.StreamInfo {
	info := &interceptor.StreamInfo{
		ID: id, Attributes: interceptor.Attributes{},
		SSRC: uint32(ssrc), SSRCRetransmission: uint32(rtx), PayloadType: uint8(codec.PayloadType),
		MimeType: codec.MimeType, ClockRate: codec.ClockRate, Channels: codec.Channels, SDPFmtpLine: codec.SDPFmtpLine,
		RTPHeaderExtensions: make([]interceptor.RTPHeaderExtension, 0, len(extensions)),
		RTCPFeedback:        make([]interceptor.RTCPFeedback, 0, len(codec.RTCPFeedback)),
	}
	for _, c := range codecs {
		if strings.EqualFold(c.MimeType, MimeTypeRTX) && c.SDPFmtpLine == fmt.Sprintf("apt=%d", codec.PayloadType) {
			info.PayloadTypeRetransmission = uint8(c.PayloadType)
		}
	}
	for _, x := range extensions {
		info.RTPHeaderExtensions = append(info.RTPHeaderExtensions, interceptor.RTPHeaderExtension{URI: x.URI, ID: x.ID})
	}
	for _, f := range codec.RTCPFeedback {
		info.RTCPFeedback = append(info.RTCPFeedback, interceptor.RTCPFeedback{Type: f.Type, Parameter: f.Parameter})
	}
	return info
}

// writeRTCP sends a compound packet.
func (l *loop) writeRTCP(packets []rtcp.Packet) error {
	b, err := rtcp.Marshal(packets)
	if err != nil {
		return &rtcerr.TypeError{Err: err}
	}
	return l.update(func(c *peer.Core, now time.Time) error { return c.WriteRTCP(now, b) })
}

// ids are the numbers of the program's connections. They are used again: what factories keep by a connection's ID, as pion's
// ConfigureStatsInterceptor does for good, is then bounded by how many connections there are at a time.
var ids struct {
	sync.Mutex
	free []uint32
	last uint32
}

func newID() (id uint32) {
	ids.Lock()
	defer ids.Unlock()
	if n := len(ids.free); n > 0 {
		id, ids.free = ids.free[n-1], ids.free[:n-1]
		return id
	}
	ids.last++
	return ids.last
}

func freeID(id uint32) {
	ids.Lock()
	defer ids.Unlock()
	ids.free = append(ids.free, id)
}

// ID names the connection among those of the program that live, as pion's ID does; the factories of interceptors are given it. When Done is
// closed another connection may have it.
func (pc *PeerConnection) ID() string {
	return "PeerConnection-" + strconv.FormatUint(uint64(pc.id), 10)
}
