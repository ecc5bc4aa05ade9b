package rtc

import (
	"io"
	"net/netip"
	"time"

	"github.com/pion/webrtc/v4"
)

// ICEOptions are the knobs of ICE that W3C's configuration does not have. Zero fields mean the default.
type ICEOptions struct {
	// InterfaceFilter and IPFilter, when set, choose what host candidates are gathered from; they are called on the goroutine that
	// called SetLocalDescription.
	InterfaceFilter func(name string) bool
	IPFilter        func(addr netip.Addr) bool
	// IncludeLoopback gathers loopback addresses too. Without it they are gathered only on a machine that has no others.
	IncludeLoopback bool

	// DisconnectedTimeout is how long no authenticated packet may arrive before the state becomes disconnected; default 5 s. A connection that
	// sends nothing is silent between its consent checks, so half of this time or more has to be since one that was not answered: with the
	// defaults disconnected comes 9 s after the path's death at the latest, and after 21 s if nothing had moved for 30 s.
	DisconnectedTimeout time.Duration
	// FailedTimeout is how long a connection may stay disconnected before it fails; default 25 s. Consent (RFC 7675) ends after 30 s.
	FailedTimeout time.Duration
	// ConsentInterval is the mean time between consent checks, RFC 7675 section 5.1. The default is 5 s, and 15 s while no data has moved in
	// either direction for 30 s, until some does; a time that is set here always holds.
	ConsentInterval time.Duration
	// MaxRemoteCandidates bounds what AddICECandidate and the descriptions may add per ICE generation; default 64.
	MaxRemoteCandidates int
	// DisableSPED keeps the DTLS handshake out of connectivity checks (draft-hancke-webrtc-sped), and the options that offer it out of descriptions.
	// With it, and with a peer that has it too, DTLS is a round trip further when a path is found; without, and with other peers, it begins then.
	DisableSPED bool
}

// DTLSRole is W3C's and RFC 8842's role in the DTLS handshake.
type DTLSRole = webrtc.DTLSRole

// DTLS roles.
const (
	DTLSRoleAuto   = webrtc.DTLSRoleAuto
	DTLSRoleClient = webrtc.DTLSRoleClient
	DTLSRoleServer = webrtc.DTLSRoleServer
)

// DTLSOptions are the knobs of DTLS. Zero fields mean the default.
type DTLSOptions struct {
	// AnsweringRole is the role taken when an offer leaves the choice: client (a=setup:active) or server. The default is server when the
	// handshake is in connectivity checks (see ICEOptions.DisableSPED), since the offerer then has it behind it one round trip after the answer has
	// come; and client otherwise.
	AnsweringRole DTLSRole
	// Disable13 keeps to DTLS 1.2. Without it both versions are offered and accepted, and 1.3 is taken where the peer has it.
	Disable13 bool
	// PostQuantum offers the hybrid key exchange X25519MLKEM768 (DTLS 1.3) when this end is the DTLS client, with 1.2 kB more in its first message. When it is
	// the server, it takes the offer of any client in any case.
	PostQuantum bool
	// HandshakeTimeout is how long a handshake may take before the connection fails; default 30 s.
	HandshakeTimeout time.Duration
	// KeyLogWriter gets the secrets in NSS key log format, for protocol analysers. It breaks all confidentiality. It is written to
	// on the event loop.
	KeyLogWriter io.Writer
}

// SCTPOptions are the knobs of data channels. Zero fields mean the default.
type SCTPOptions struct {
	// MaxMessageSize is the largest message that is received, told to the peer by a=max-message-size; default 256 KiB, at most 16 MiB.
	MaxMessageSize int
	// ReceiveBuffer bounds how many bytes of messages wait for the application, all channels together, before the peer is stopped by the
	// receive window; default 32 MiB, at least twice MaxMessageSize. The window begins with 1 MiB, or two messages if that is more, and
	// grows up to ReceiveBuffer when the application takes so much in a round trip that the path needs it. Memory is used for what waits,
	// not for the window.
	ReceiveBuffer int
	// SendBuffer is how many bytes wait in one channel (BufferedAmount) before Send returns ErrBufferFull; default 16 MiB. Messages
	// that wait or are on their way count as 96 bytes each if that is more.
	SendBuffer int
	// MaxPacketSize is the largest datagram that data leaves in, in bytes of UDP payload. By default the path's is found out (RFC 8899), up
	// to 16 KiB; 1200, which is the least, keeps to what every path carries.
	MaxPacketSize int
	// HeartbeatInterval is how long an idle association waits before it sends a HEARTBEAT, for peers and middleboxes that want one. By default
	// it sends none: ICE's consent checks prove the path.
	HeartbeatInterval time.Duration
	// DisableSNAP leaves a=sctp-init out of descriptions (draft-hancke-tsvwg-snap). With it, and with a peer that has it too, channels open as soon as
	// DTLS is connected, one to two round trips earlier; a peer that does not know it skips the line.
	DisableSNAP bool
}

// MediaOptions are the knobs of audio and video. Zero fields mean the default.
type MediaOptions struct {
	// CNAME names this endpoint to the peer, in all its sources (RFC 7022); default is a random name for each connection.
	CNAME string
	// ReceiveQueue bounds how many received RTP packets wait for the application, before the oldest are dropped: those of all tracks together
	// that wait for the handler, and those of each track that wait to be read; default 1024.
	ReceiveQueue int
	// HistoryTime and HistoryPackets say for how long, and how many of a source, packets are kept that the peer may ask for again; default
	// 1 s and 2048.
	HistoryTime    time.Duration
	HistoryPackets int
	// MaxTracks bounds how many sources of the peer are received at a time; default 1024.
	MaxTracks int
	// ReportInterval is the mean time between RTCP reports; default 1 s.
	ReportInterval time.Duration
	// StartBitrate, MinBitrate and MaxBitrate are of the bandwidth estimate, in bits per second.
	StartBitrate, MinBitrate, MaxBitrate int
	// Pacing spreads what is sent over time, at 1.25 times the bandwidth estimate: for encoders that heed it and make frames of many packets. What
	// does not leave within 2 s is dropped. Without it packets leave as they are written.
	Pacing bool
}
