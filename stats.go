package rtc

import (
	"crypto/x509"
	"encoding/base64"
	"fmt"

	"github.com/pion/webrtc/v4"

	"github.com/sansrtc/rtc/internal/sansio/peer"
)

// GetStats is W3C's getStats without a selector: the records of the connection, its transport and association, candidates, pairs,
// certificates, data channels, and of what is sent and received. Those that need an encoder or a decoder, as frames, are zero.
// https://w3c.github.io/webrtc-stats/
func (pc *PeerConnection) GetStats() StatsReport { return pc.stats().report }

func (pc *PeerConnection) stats() *statsReport {
	var r peer.Report
	var opened, closed uint32
	var own []byte
	l := &pc.loop
	s := &statsReport{report: StatsReport{}, at: statsTime(l.now())}
	l.view(func(c *peer.Core) {
		r, own = c.Report(), c.Certificate().Chain[0]
		opened, closed = l.channelsOpened, l.channelsClosed
		s.outbounds, s.inbounds = l.mediaStats(c)
	})
	s.add("peer-connection", webrtc.PeerConnectionStats{
		Type: webrtc.StatsTypePeerConnection, Timestamp: s.at, ID: "peer-connection",
		DataChannelsOpened: opened, DataChannelsClosed: closed,
	})
	s.channels(r.Channels)
	for i := range s.outbounds {
		s.sent(&s.outbounds[i])
	}
	for i := range s.inbounds {
		s.received(&s.inbounds[i])
	}
	if !r.HasICE {
		return s
	}
	s.candidates(r)
	s.transport(r, own)
	if r.HasSCTP {
		s.association(r)
	}
	return s
}

type statsReport struct {
	report    StatsReport
	at        webrtc.StatsTimestamp
	outbounds []outbound
	inbounds  []inbound
}

func (s *statsReport) add(id string, stats webrtc.Stats) { s.report[id] = stats }

func (s *statsReport) channels(reports []peer.ChannelReport) {
	for _, c := range reports {
		id := fmt.Sprintf("data-channel-%d", c.Handle)
		s.add(id, webrtc.DataChannelStats{
			Type: webrtc.StatsTypeDataChannel, Timestamp: s.at, ID: id,
			Label: c.Label, Protocol: c.Protocol, DataChannelIdentifier: int32(c.ID), TransportID: "transport",
			State:        channelState(c.State),
			MessagesSent: uint32(c.MessagesSent), BytesSent: c.BytesSent,
			MessagesReceived: uint32(c.MessagesReceived), BytesReceived: c.BytesReceived,
		})
	}
}

func candidateID(side string, c *peer.Candidate) string {
	return side + "-candidate-" + c.Addr.String()
}

func (s *statsReport) candidates(r peer.Report) {
	for _, side := range []struct {
		name string
		kind webrtc.StatsType
		list []peer.Candidate
	}{
		{"local", webrtc.StatsTypeLocalCandidate, r.ICE.Local},
		{"remote", webrtc.StatsTypeRemoteCandidate, r.ICE.Remote},
	} {
		for i := range side.list {
			c := &side.list[i]
			id := candidateID(side.name, c)
			typ, _ := webrtc.NewICECandidateType(c.Type.String())
			s.add(id, webrtc.ICECandidateStats{
				Type: side.kind, Timestamp: s.at, ID: id, TransportID: "transport",
				IP: c.Addr.Addr().String(), Port: int32(c.Addr.Port()), Protocol: "udp", CandidateType: typ, Priority: int32(c.Priority),
			})
		}
	}
	for _, p := range r.ICE.Pairs {
		id := pairID(&p.Local, &p.Remote)
		pair := webrtc.ICECandidatePairStats{
			Type: webrtc.StatsTypeCandidatePair, Timestamp: s.at, ID: id, TransportID: "transport",
			LocalCandidateID: candidateID("local", &p.Local), RemoteCandidateID: candidateID("remote", &p.Remote),
			State: webrtc.StatsICECandidatePairState(p.State.String()), Nominated: p.Nominated,
			RequestsSent: p.RequestsSent, RequestsReceived: p.RequestsReceived,
			ResponsesSent: p.ResponsesSent, ResponsesReceived: p.ResponsesReceived,
			ConsentRequestsSent: p.ConsentRequestsSent,
			TotalRoundTripTime:  p.TotalRoundTripTime.Seconds(), CurrentRoundTripTime: p.CurrentRoundTripTime.Seconds(),
		}
		if p.Selected {
			pair.AvailableOutgoingBitrate = r.Media.Bandwidth
		}
		s.add(id, pair)
	}
}

func pairID(local, remote *peer.Candidate) string {
	return "candidate-pair-" + local.Addr.String() + "-" + remote.Addr.String()
}

func (s *statsReport) transport(r peer.Report, own []byte) {
	t := webrtc.TransportStats{
		Type: webrtc.StatsTypeTransport, Timestamp: s.at, ID: "transport",
		PacketsSent: uint32(r.PacketsSent), PacketsReceived: uint32(r.PacketsReceived),
		BytesSent: r.BytesSent, BytesReceived: r.BytesReceived,
		ICERole: webrtc.ICERoleControlled, DTLSState: dtlsState(r),
		DTLSCipher: dtlsCipher(r.CipherSuite), SRTPCipher: srtpCipher(r.Media.SRTPProfile),
	}
	if r.ICE.Controlling {
		t.ICERole = webrtc.ICERoleControlling
	}
	for _, p := range r.ICE.Pairs {
		if p.Selected {
			t.SelectedCandidatePairID = pairID(&p.Local, &p.Remote)
		}
	}
	t.LocalCertificateID = "certificate-local"
	s.certificate(t.LocalCertificateID, own)
	if len(r.PeerCertificates) > 0 {
		t.RemoteCertificateID = "certificate-remote"
		s.certificate(t.RemoteCertificateID, r.PeerCertificates[0])
	}
	s.add(t.ID, t)
}

func (s *statsReport) association(r peer.Report) {
	const id = "sctp-transport"
	s.add(id, webrtc.SCTPTransportStats{
		Type: webrtc.StatsTypeSCTPTransport, Timestamp: s.at, ID: id, TransportID: "transport",
		SmoothedRoundTripTime: r.SCTP.RTT.Seconds(),
		CongestionWindow:      uint32(r.SCTP.Cwnd), ReceiverWindow: uint32(r.SCTP.PeerReceiveWindow), MTU: uint32(r.SCTP.MTU),
		BytesSent: r.SCTP.BytesSent, BytesReceived: r.SCTP.BytesReceived,
	})
}

func dtlsState(r peer.Report) webrtc.DTLSTransportState {
	switch r.DTLSState.String() {
	case "connecting":
		return webrtc.DTLSTransportStateConnecting
	case "connected":
		return webrtc.DTLSTransportStateConnected
	case "closed":
		return webrtc.DTLSTransportStateClosed
	case "failed":
		return webrtc.DTLSTransportStateFailed
	}
	return webrtc.DTLSTransportStateNew
}

func (s *statsReport) certificate(id string, der []byte) {
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return
	}
	c := webrtc.CertificateFromX509(nil, leaf)
	fingerprints, err := c.GetFingerprints()
	if err != nil || len(fingerprints) == 0 {
		return
	}
	s.add(id, webrtc.CertificateStats{
		Type: webrtc.StatsTypeCertificate, Timestamp: s.at, ID: id,
		Fingerprint: fingerprints[0].Value, FingerprintAlgorithm: fingerprints[0].Algorithm,
		Base64Certificate: base64.RawURLEncoding.EncodeToString(der),
	})
}
