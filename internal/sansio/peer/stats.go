package peer

import (
	"github.com/sansrtc/rtc/internal/sansio/channel"
	"github.com/sansrtc/rtc/internal/sansio/dtls"
	"github.com/sansrtc/rtc/internal/sansio/ice"
	"github.com/sansrtc/rtc/internal/sansio/jsep"
	"github.com/sansrtc/rtc/internal/sansio/sctp"
)

// Stats counts what the core itself sees; the machines' own figures are in Report.
type Stats struct {
	PacketsSent, PacketsReceived uint64
	BytesSent, BytesReceived     uint64 // UDP payload

	DroppedUnknown         uint64 // the first byte is no protocol's
	DroppedUnauthenticated uint64 // DTLS from where no authenticated check has come from
	DroppedEarly           uint64 // before there was anybody to take it
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

	HasICE, HasDTLS, HasSCTP bool
	DTLSState                dtls.State
	DTLSClient               bool
	CipherSuite              uint16
	DTLSVersion              uint16
	PeerCertificates         [][]byte
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
	for _, h := range c.channels.Handles() {
		if info, ok := c.channels.Info(h); ok {
			r.Channels = append(r.Channels, ChannelReport{Info: info, Handle: h})
		}
	}
	return r
}
