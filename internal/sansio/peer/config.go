package peer

import (
	"cmp"
	"io"
	"math"
	"time"

	"github.com/sansrtc/rtc/internal/sansio/channel"
	"github.com/sansrtc/rtc/internal/sansio/dtls"
	"github.com/sansrtc/rtc/internal/sansio/ice"
	"github.com/sansrtc/rtc/internal/sansio/jsep"
	"github.com/sansrtc/rtc/internal/sansio/media"
	"github.com/sansrtc/rtc/internal/sansio/sctp"
)

// What the owner of a Core needs of the machines' vocabularies.
type (
	Certificate     = dtls.Certificate
	Description     = jsep.Description
	DescriptionType = jsep.Type
	SignalingState  = jsep.SignalingState
	DTLSRole        = jsep.DTLSRole
	RemoteCandidate = jsep.RemoteCandidate
	ICEState        = ice.State
	Candidate       = ice.Candidate
	Handle          = channel.Handle
	Message         = channel.Message
	Params          = channel.Params
	ChannelState    = channel.State

	MediaKind       = jsep.MediaKind
	Codec           = jsep.Codec
	Feedback        = jsep.Feedback
	Direction       = jsep.Direction
	HeaderExtension = jsep.HeaderExtension
	Extension       = jsep.Extension
	Encoding        = jsep.Encoding
	TransceiverID   = jsep.TransceiverID
	TransceiverInit = jsep.TransceiverInit
	Transceiver     = jsep.Transceiver
	MediaSection    = jsep.MediaSection
	Formats         = jsep.Formats
	StreamID        = media.StreamID
	StreamCounts    = media.StreamCounts
	SenderCounts    = media.SenderCounts
	ReceptionReport = media.ReceptionReport
)

// The machines' enumerations, likewise.
const (
	Offer    = jsep.Offer
	PrAnswer = jsep.PrAnswer
	Answer   = jsep.Answer
	Rollback = jsep.Rollback

	Stable = jsep.Stable

	RoleUnknown = jsep.RoleUnknown
	RoleClient  = jsep.RoleClient
	RoleServer  = jsep.RoleServer

	ChannelConnecting = channel.Connecting
	ChannelOpen       = channel.Open
	ChannelClosing    = channel.Closing
	ChannelClosed     = channel.Closed

	Audio = jsep.Audio
	Video = jsep.Video

	Inactive = jsep.Inactive
	SendOnly = jsep.SendOnly
	RecvOnly = jsep.RecvOnly
	SendRecv = jsep.SendRecv
	Stopped  = jsep.Stopped
)

// GenerateCertificate makes a self-signed certificate out of rand's bytes.
func GenerateCertificate(rand io.Reader, now, notAfter time.Time) (Certificate, error) {
	return dtls.GenerateCertificate(rand, now, notAfter)
}

// NewFormats makes [MediaConfig].Formats of tables that nobody changes from now on: codecs by MediaKind, in order of preference, and header extensions.
func NewFormats(codecs [3][]Codec, extensions []HeaderExtension) (Formats, error) {
	return jsep.NewFormats(codecs, extensions)
}

// Config is what a Core is made of. Rand and Certificate are required; a zero value elsewhere means the default of the machine it is for.
type Config struct {
	Rand        io.Reader
	Certificate Certificate

	AnsweringRole    DTLSRole // taken when an offer leaves the choice; RoleUnknown: the server's with SPED, else the client's
	DTLS12           bool     // offer and accept no newer version of DTLS
	PostQuantum      bool     // offer X25519MLKEM768 as the DTLS client
	HandshakeTimeout time.Duration
	KeyLog           io.Writer
	keyLife          uint64 // of DTLS 1.3, in records. Tests shorten it

	MaxMessageSize    int // offered to the peer, and enforced
	ReceiveBuffer     int
	SendBuffer        int
	MaxPacketSize     int // of the datagrams that are tried; 1200 and less: none are tried
	HeartbeatInterval time.Duration
	AlwaysData        bool // offer a data section even without a channel
	DisableSNAP       bool // neither offer nor answer a=sctp-init

	// Recycle, if it is set, is given the data of a message that Send took, when it is needed no more.
	Recycle func(data []byte)

	DisableSPED                                         bool // the handshake of DTLS is not in connectivity checks
	DisconnectedTimeout, FailedTimeout, ConsentInterval time.Duration
	MaxRemoteCandidates                                 int

	Media MediaConfig
}

// MediaConfig is about RTP. A zero value means the default.
type MediaConfig struct {
	Formats Formats // that are offered and accepted
	CNAME   string  // of all sources (RFC 3550 section 6.5.1)

	HistoryTime    time.Duration // how long a packet can be asked for again
	HistoryPackets int           // and of how many of a source
	MaxStreams     int           // that are received at a time
	ReportInterval time.Duration // between RTCP reports, on the average
	ReceiveQueue   int           // packets that wait for the application, of all streams; then the oldest are dropped. 1024

	StartBitrate, MinBitrate, MaxBitrate float64 // of the estimate, bit/s
	Pacing                               bool    // nothing but audio leaves faster than the estimate allows

	WantRTCP bool // EventRTCP is wanted
	// KeepTransportCC: packets that come with a transport-wide number keep it, since whoever wrote it reads the feedback.
	KeepTransportCC bool

	// NewBuffer gives memory for a packet that was received, with that length, and FreeBuffer takes it back. Without them it is made, and left to
	// the garbage collector.
	NewBuffer  func(size int) []byte
	FreeBuffer func(b []byte)
}

func (c *Config) sctp() sctp.Config {
	return sctp.Config{
		Rand:                  c.Rand,
		ReceiveBuffer:         c.ReceiveBuffer,
		MaxSendMessageSize:    maxSend,
		MaxReceiveMessageSize: c.MaxMessageSize,
		Recycle:               c.Recycle,
		ZeroChecksum:          true,
		Interleaving:          true,
		HeartbeatInterval:     cmp.Or(c.HeartbeatInterval, -1), // ICE's consent checks prove the path
		// Whether the peer is there is for ICE to find out. An association that gave up by itself would be gone when a long outage ends, and
		// after the ICE restart of a connection that has failed.
		MaxRetransmits:     never,
		MaxInitRetransmits: never,
	}
}

const never = math.MaxInt32

// GatheringState is W3C's RTCIceGatheringState.
type GatheringState uint8

// The gathering states.
const (
	GatheringNew GatheringState = iota
	Gathering
	GatheringComplete
)

// ConnectionState is W3C's RTCPeerConnectionState.
type ConnectionState uint8

// The connection states.
const (
	ConnectionNew ConnectionState = iota
	Connecting
	Connected
	Disconnected
	Failed
	Closed
)
