package rtc

import (
	"crypto/tls"
	"fmt"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/sansrtc/rtc/internal/sansio/peer"
)

// GetStats is W3C's getStats: the records of what is sent by the sender, and those that they refer to.
// https://w3c.github.io/webrtc-pc/#dom-rtcrtpsender-getstats
func (s *RTPSender) GetStats() StatsReport {
	return s.transceiver.loop.pc.stats().selected(func(o *outbound) bool { return o.transceiver == s.transceiver }, nil)
}

// GetStats is W3C's getStats: the records of what the receiver receives, and those that they refer to.
// https://w3c.github.io/webrtc-pc/#dom-rtcrtpreceiver-getstats
func (r *RTPReceiver) GetStats() StatsReport {
	return r.transceiver.loop.pc.stats().selected(nil, func(i *inbound) bool { return i.track.receiver == r })
}

// outbound is what is known of an encoding that is sent.
type outbound struct {
	transceiver *RTPTransceiver
	track       TrackLocal // nil: none
	codec       RTPCodecParameters
	active      bool
	counts      peer.SenderCounts
}

// inbound is what is known of a source that is received.
type inbound struct {
	track     *TrackRemote
	codec     RTPCodecParameters
	mid       string
	discarded uint32
	counts    peer.StreamCounts
}

// mediaStats collects them. It is called with mu held.
func (l *loop) mediaStats(c *peer.Core) (sent []outbound, received []inbound) {
	for _, id := range c.Transceivers() {
		t := l.transceivers[id]
		if t == nil || t.sender.section == nil {
			continue
		}
		state, _ := c.Transceiver(id)
		for i, e := range t.sender.encodings {
			counts, ok := c.SenderCounts(id, i)
			if !ok {
				continue
			}
			o := outbound{transceiver: t, track: e.track, counts: counts}
			o.active = t.sender.section.Sending && i < len(state.Encodings) && !state.Encodings[i].Inactive
			if e.bound != nil {
				o.codec = e.bound.codec
			}
			sent = append(sent, o)
		}
	}
	for _, t := range l.live {
		if counts, ok := c.StreamCounts(t.stream); ok {
			i := inbound{track: t, codec: t.codec, mid: counts.MID, counts: counts, discarded: uint32(counts.Discarded + t.inbox.dropped)}
			if t.chain != nil {
				i.discarded += t.chain.stopped.Load()
			}
			received = append(received, i)
		}
	}
	return sent, received
}

func (o *outbound) id() string { return fmt.Sprintf("outbound-rtp-%d", o.counts.SSRC) }
func (i *inbound) id() string  { return fmt.Sprintf("inbound-rtp-%d", i.counts.SSRC) }

func (s *statsReport) sent(o *outbound) {
	c, kind := &o.counts, o.transceiver.kind.String()
	out := webrtc.OutboundRTPStreamStats{
		Type: webrtc.StatsTypeOutboundRTP, Timestamp: s.at, ID: o.id(), TransportID: "transport",
		Mid: c.MID, Rid: c.RID, SSRC: SSRC(c.SSRC), Kind: kind, CodecID: s.codec("send", &o.codec),
		PacketsSent: uint32(c.Packets), BytesSent: c.Bytes, HeaderBytesSent: c.HeaderBytes,
		RetransmittedPacketsSent: c.RetransmittedPackets, RetransmittedBytesSent: c.RetransmittedBytes,
		NACKCount: uint32(c.NACKMessages), PLICount: uint32(c.PLIs), FIRCount: uint32(c.FIRs),
		PacketsDiscardedOnSend: uint32(c.Dropped), TotalPacketSendDelay: c.QueueDelay.Seconds(), Active: o.active,
	}
	if o.track != nil {
		out.MediaSourceID = s.source(o, kind)
	}
	if r := &c.Remote; !r.At.IsZero() {
		out.RemoteID = fmt.Sprintf("remote-inbound-rtp-%d", c.SSRC)
		s.add(out.RemoteID, webrtc.RemoteInboundRTPStreamStats{
			Type: webrtc.StatsTypeRemoteInboundRTP, Timestamp: statsTime(r.At), ID: out.RemoteID, TransportID: "transport",
			SSRC: SSRC(c.SSRC), Kind: kind, CodecID: out.CodecID, LocalID: out.ID,
			PacketsLost: r.Lost, Jitter: r.Jitter.Seconds(), FractionLost: r.FractionLost,
			RoundTripTime: r.RoundTrip.Seconds(), TotalRoundTripTime: r.TotalRTT.Seconds(), RoundTripTimeMeasurements: r.RoundTrips,
		})
	}
	s.add(out.ID, out)
}

// source is the record of the track that is sent. What is known of its pictures and sound is its name.
func (s *statsReport) source(o *outbound, kind string) (id string) {
	id = fmt.Sprintf("media-source-%d", o.transceiver.id)
	if o.transceiver.kind == peer.Audio {
		s.add(id, webrtc.AudioSourceStats{Type: webrtc.StatsTypeMediaSource, Timestamp: s.at, ID: id, TrackIdentifier: o.track.ID(), Kind: kind})
	} else {
		s.add(id, webrtc.VideoSourceStats{Type: webrtc.StatsTypeMediaSource, Timestamp: s.at, ID: id, TrackIdentifier: o.track.ID(), Kind: kind})
	}
	return id
}

func (s *statsReport) received(i *inbound) {
	c, kind := &i.counts, i.track.receiver.transceiver.kind.String()
	in := webrtc.InboundRTPStreamStats{
		Type: webrtc.StatsTypeInboundRTP, Timestamp: s.at, ID: i.id(), TransportID: "transport",
		Mid: i.mid, Rid: c.RID, SSRC: SSRC(c.SSRC), Kind: kind, CodecID: s.codec("receive", &i.codec),
		PacketsReceived: uint32(c.Packets), BytesReceived: c.Bytes, HeaderBytesReceived: c.HeaderBytes,
		PacketsLost: int32(c.Lost), PacketsRepaired: uint32(c.Repaired), PacketsDuplicated: uint32(c.Duplicates), PacketsDiscarded: i.discarded,
		Jitter: c.Jitter.Seconds(), LastPacketReceivedTimestamp: statsTime(c.LastPacket),
		NACKCount: uint32(c.NACKMessages), PLICount: uint32(c.PLIs), FIRCount: uint32(c.FIRs),
	}
	if c.RemoteReports > 0 {
		in.RemoteID = fmt.Sprintf("remote-outbound-rtp-%d", c.SSRC)
		s.add(in.RemoteID, webrtc.RemoteOutboundRTPStreamStats{
			Type: webrtc.StatsTypeRemoteOutboundRTP, Timestamp: statsTime(c.RemoteReportedAt), ID: in.RemoteID, TransportID: "transport",
			SSRC: SSRC(c.SSRC), Kind: kind, CodecID: in.CodecID, LocalID: in.ID,
			PacketsSent: uint32(c.RemotePackets), BytesSent: c.RemoteBytes, RemoteTimestamp: statsTime(c.RemoteTimestamp), ReportsSent: c.RemoteReports,
		})
	}
	s.add(in.ID, in)
}

// codec is the record of a codec that is in use.
func (s *statsReport) codec(direction string, c *RTPCodecParameters) (id string) {
	if c.MimeType == "" {
		return ""
	}
	id = fmt.Sprintf("codec-%s-%d", direction, c.PayloadType)
	s.add(id, webrtc.CodecStats{
		Type: webrtc.StatsTypeCodec, Timestamp: s.at, ID: id, TransportID: "transport", PayloadType: c.PayloadType,
		MimeType: c.MimeType, ClockRate: c.ClockRate, Channels: uint8(c.Channels), SDPFmtpLine: c.SDPFmtpLine,
	})
	return id
}

func statsTime(t time.Time) webrtc.StatsTimestamp {
	if t.IsZero() {
		return 0
	}
	return webrtc.StatsTimestamp(float64(t.UnixNano()) / float64(time.Millisecond))
}

// Of IANA's DTLS-SRTP protection profiles and TLS cipher suites.
func srtpCipher(profile uint16) string {
	return map[uint16]string{
		0x0001: "SRTP_AES128_CM_HMAC_SHA1_80", 0x0002: "SRTP_AES128_CM_HMAC_SHA1_32",
		0x0007: "SRTP_AEAD_AES_128_GCM", 0x0008: "SRTP_AEAD_AES_256_GCM",
	}[profile]
}

func dtlsCipher(suite uint16) string {
	if suite == 0 {
		return ""
	}
	return tls.CipherSuiteName(suite)
}

// selected is W3C's stats selection algorithm: the records of the streams that are asked for, and "all stats objects referenced directly or
// indirectly" by them. https://w3c.github.io/webrtc-pc/#the-stats-selection-algorithm
func (s *statsReport) selected(sends func(*outbound) bool, receives func(*inbound) bool) StatsReport {
	out := StatsReport{}
	var take func(id string)
	take = func(id string) {
		record, ok := s.report[id]
		if _, taken := out[id]; taken || !ok {
			return
		}
		out[id] = record
		for _, other := range references(record) {
			take(other)
		}
	}
	for i := range s.outbounds {
		if sends != nil && sends(&s.outbounds[i]) {
			take(s.outbounds[i].id())
		}
	}
	for i := range s.inbounds {
		if receives != nil && receives(&s.inbounds[i]) {
			take(s.inbounds[i].id())
		}
	}
	return out
}

// references are the ids of the records that one refers to; those that are empty are of none.
func references(record webrtc.Stats) []string {
	switch r := record.(type) {
	case webrtc.OutboundRTPStreamStats:
		return []string{r.TransportID, r.CodecID, r.MediaSourceID, r.RemoteID}
	case webrtc.InboundRTPStreamStats:
		return []string{r.TransportID, r.CodecID, r.RemoteID}
	case webrtc.RemoteInboundRTPStreamStats:
		return []string{r.TransportID, r.CodecID, r.LocalID}
	case webrtc.RemoteOutboundRTPStreamStats:
		return []string{r.TransportID, r.CodecID, r.LocalID}
	case webrtc.CodecStats:
		return []string{r.TransportID}
	case webrtc.TransportStats:
		return []string{r.SelectedCandidatePairID, r.LocalCertificateID, r.RemoteCertificateID}
	case webrtc.ICECandidatePairStats:
		return []string{r.TransportID, r.LocalCandidateID, r.RemoteCandidateID}
	case webrtc.ICECandidateStats:
		return []string{r.TransportID}
	}
	return nil
}
