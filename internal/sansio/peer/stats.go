package peer

import (
	"github.com/sansrtc/rtc/internal/sansio/channel"
	"github.com/sansrtc/rtc/internal/sansio/dtls"
	"github.com/sansrtc/rtc/internal/sansio/ice"
	"github.com/sansrtc/rtc/internal/sansio/jsep"
	"github.com/sansrtc/rtc/internal/sansio/media"
	"github.com/sansrtc/rtc/internal/sansio/sctp"
)

// Stats counts what the core itself sees; the machines' own figures are in Report.
type Stats struct {
	PacketsSent, PacketsReceived uint64
	BytesSent, BytesReceived     uint64 // UDP payload

	DroppedUnknown         uint64 // the first byte is no protocol's
	DroppedUnauthenticated uint64 // DTLS from where no authenticated check has come from
	DroppedEarly           uint64 // before there was anybody to take it
	DroppedMedia           uint64 // RTP packets that waited for the application when too many others did
	DroppedRTCP            uint64 // RTCP packets for which there was no room behind others that wait for it; the core has heeded them
	IgnoredCandidates      uint64 // remote candidates that cannot be used
	SendErrors             uint64
	DTLSError              error // why DTLS has failed
}

// Report is everything that is known in figures.
type Report struct {
	Stats
	ICE      ice.Stats
	DTLS     dtls.Stats
	SCTP     sctp.Stats
	Channels []ChannelReport // oldest first

	Media MediaReport

	HasICE, HasDTLS, HasSCTP bool
	DTLSState                dtls.State
	DTLSClient               bool
	CipherSuite              uint16
	DTLSVersion              uint16
	PeerCertificates         [][]byte
}

// MediaReport are the figures of media as a whole; those of sources and encodings are StreamCounts and SenderCounts.
type MediaReport struct {
	media.Stats
	Has         bool    // a media section was negotiated
	SRTPProfile uint16  // as IANA numbers them; zero: none yet
	Bandwidth   float64 // bit/s; zero: not known
	LossRate    float64 // of what was sent lately, as feedback tells
}

// MediaStats collects them.
func (c *Core) MediaStats() (r MediaReport) {
	m := c.media
	if m == nil {
		return r
	}
	r.Has, r.Stats, r.Bandwidth = true, m.machine.Stats(), m.band.rate()
	if m.band.estimator != nil {
		r.LossRate = m.band.estimator.LossRate()
	}
	if m.keyed {
		profile, _ := c.dtls.SRTPProfile()
		r.SRTPProfile = uint16(profile)
	}
	return r
}

// ChannelReport is one channel's part of a Report.
type ChannelReport struct {
	channel.Info
	Handle Handle
}

// Report collects the figures.
func (c *Core) Report() (r Report) {
	r.Stats = c.stats
	if c.ice != nil {
		r.HasICE, r.ICE = true, c.ice.Stats()
	}
	if c.dtls != nil {
		r.HasDTLS, r.DTLS = true, c.dtls.Stats()
		r.DTLSState, r.CipherSuite, r.DTLSVersion = c.dtls.State(), c.dtls.CipherSuite(), c.dtls.Version()
		r.PeerCertificates = c.dtls.PeerCertificates()
		r.DTLSClient = c.transport.role == jsep.RoleClient
	}
	if c.sctp != nil {
		r.HasSCTP, r.SCTP = true, c.sctp.Stats()
	}
	r.Media = c.MediaStats()
	for _, h := range c.channels.Handles() {
		if info, ok := c.channels.Info(h); ok {
			r.Channels = append(r.Channels, ChannelReport{Info: info, Handle: h})
		}
	}
	return r
}
