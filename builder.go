package rtc

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/stun/v4"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/rtcerr"

	"github.com/sansrtc/rtc/internal/sansio/peer"
	"github.com/sansrtc/rtc/runtime"
	"github.com/sansrtc/rtc/runtime/std"
)

// Builder says how a PeerConnection is to be made. It is a value: each method returns a changed copy, so that a base can be kept and
// used for many connections.
//
//	base := rtc.NewBuilder().Runtime(rt).ICEServers(servers...)
//	pc, err := base.Handler(&call{}).Build(ctx)
type Builder struct {
	configuration Configuration
	key           func() (peer.Certificate, error) // of the first certificate, once for all that share the base; nil: make one
	handler       EventHandler
	runtime       runtime.Runtime
	logger        logging.LoggerFactory
	listen        []string
	ice           ICEOptions
	dtls          DTLSOptions
	sctp          SCTPOptions
	media         MediaOptions
	engine        func() (*mediaEngine, error) // once for all that share the base; nil: the default
	registry      *interceptor.Registry
}

// NewBuilder returns the defaults: no servers, no handler, the operating system's sockets.
func NewBuilder() Builder { return Builder{} }

// Configuration sets W3C's RTCConfiguration, replacing what ICEServers and Certificates have set.
func (b Builder) Configuration(c Configuration) Builder {
	b.configuration = cloneConfiguration(c)
	return b.useCertificates()
}

// ICEServers sets the configuration's iceServers.
func (b Builder) ICEServers(servers ...ICEServer) Builder {
	b.configuration.ICEServers = slices.Clone(servers)
	return b
}

// Certificates sets the configuration's certificates; the first is used. Without one each connection makes its own.
func (b Builder) Certificates(certificates ...Certificate) Builder {
	b.configuration.Certificates = slices.Clone(certificates)
	return b.useCertificates()
}

func (b Builder) useCertificates() Builder {
	b.key = nil
	if c := b.configuration.Certificates; len(c) > 0 {
		b.key = sync.OnceValues(func() (peer.Certificate, error) { return coreCertificate(&c[0]) })
	}
	return b
}

// Handler sets who hears the connection's events. A connection without a handler is used by its iterators, and all its channels' messages
// wait to be pulled.
func (b Builder) Handler(h EventHandler) Builder {
	b.handler = h
	return b
}

// Runtime sets the world that the connection lives in; default is package std.
func (b Builder) Runtime(rt runtime.Runtime) Builder {
	b.runtime = rt
	return b
}

// LoggerFactory sets where the connection logs to; default is nowhere. See [SlogLoggerFactory].
func (b Builder) LoggerFactory(f logging.LoggerFactory) Builder {
	b.logger = f
	return b
}

// ListenAddrs sets the UDP addresses, "ip:port", that sockets are opened on; default is all addresses and a free port.
func (b Builder) ListenAddrs(addrs ...string) Builder {
	b.listen = slices.Clone(addrs)
	return b
}

// ICE sets the knobs of ICE.
func (b Builder) ICE(o ICEOptions) Builder {
	b.ice = o
	return b
}

// DTLS sets the knobs of DTLS.
func (b Builder) DTLS(o DTLSOptions) Builder {
	b.dtls = o
	return b
}

// SCTP sets the knobs of data channels.
func (b Builder) SCTP(o SCTPOptions) Builder {
	b.sctp = o
	return b
}

// Media sets the knobs of audio and video.
func (b Builder) Media(o MediaOptions) Builder {
	b.media = o
	return b
}

const (
	maxMessageSizeLimit   = 16 << 20
	defaultMaxMessageSize = 256 << 10
	defaultReceiveBuffer  = 32 << 20
	defaultSendBuffer     = 16 << 20
	minPacketSize         = 1200
	defaultReceiveQueue   = 1024
)

// Build makes the connection. All mistakes are reported at once, joined; each has its W3C category. ctx bounds Build only: a connection
// ends by Close.
func (b Builder) Build(ctx context.Context) (*PeerConnection, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if b.runtime == nil {
		b.runtime = std.Default()
	}
	listen, err := b.check()
	if err != nil {
		return nil, err
	}
	var key peer.Certificate
	if b.key == nil {
		key, err = generateKey(b.runtime)
	} else if key, err = b.key(); err != nil {
		err = &rtcerr.InvalidAccessError{Err: err}
	}
	if err != nil {
		return nil, err
	}
	return newPeerConnection(b, listen, key)
}

// check finds every mistake.
func (b *Builder) check() (listen []netip.AddrPort, err error) {
	var errs []error
	add := func(err error) { errs = append(errs, err) }

	errs = append(errs, checkConfiguration(&b.configuration, b.runtime.Now())...)
	for _, s := range b.listen {
		a, err := netip.ParseAddrPort(s)
		if err != nil {
			add(&rtcerr.SyntaxError{Err: fmt.Errorf("rtc: ListenAddrs: %w", err)})
			continue
		}
		listen = append(listen, netip.AddrPortFrom(a.Addr().Unmap(), a.Port()))
	}
	if m := b.sctp.MaxMessageSize; m < 0 || m > maxMessageSizeLimit {
		add(&rtcerr.RangeError{Err: fmt.Errorf("rtc: SCTPOptions.MaxMessageSize %d is not in 0..%d", m, maxMessageSizeLimit)})
	}
	b.sctp.MaxMessageSize = orDefault(b.sctp.MaxMessageSize, defaultMaxMessageSize)
	b.sctp.SendBuffer = orDefault(b.sctp.SendBuffer, defaultSendBuffer)
	b.sctp.ReceiveBuffer = orDefault(b.sctp.ReceiveBuffer, max(defaultReceiveBuffer, 2*b.sctp.MaxMessageSize))
	if b.sctp.ReceiveBuffer < 2*b.sctp.MaxMessageSize {
		add(&rtcerr.RangeError{Err: errors.New("rtc: SCTPOptions.ReceiveBuffer is smaller than two messages")})
	}
	if b.sctp.SendBuffer < 0 {
		add(&rtcerr.RangeError{Err: errors.New("rtc: SCTPOptions.SendBuffer is negative")})
	}
	if p := b.sctp.MaxPacketSize; p != 0 && p < minPacketSize {
		add(&rtcerr.RangeError{Err: fmt.Errorf("rtc: SCTPOptions.MaxPacketSize %d is less than %d", p, minPacketSize)})
	}
	for _, d := range []struct {
		name string
		d    time.Duration
	}{
		{"ICEOptions.DisconnectedTimeout", b.ice.DisconnectedTimeout},
		{"ICEOptions.FailedTimeout", b.ice.FailedTimeout},
		{"ICEOptions.ConsentInterval", b.ice.ConsentInterval},
		{"DTLSOptions.HandshakeTimeout", b.dtls.HandshakeTimeout},
		{"MediaOptions.HistoryTime", b.media.HistoryTime},
		{"MediaOptions.ReportInterval", b.media.ReportInterval},
	} {
		if d.d < 0 {
			add(&rtcerr.RangeError{Err: fmt.Errorf("rtc: %s is negative", d.name)})
		}
	}
	for _, n := range []struct {
		name string
		n    int
	}{
		{"ICEOptions.MaxRemoteCandidates", b.ice.MaxRemoteCandidates},
		{"MediaOptions.ReceiveQueue", b.media.ReceiveQueue},
		{"MediaOptions.HistoryPackets", b.media.HistoryPackets},
		{"MediaOptions.MaxTracks", b.media.MaxTracks},
		{"MediaOptions.StartBitrate", b.media.StartBitrate},
		{"MediaOptions.MinBitrate", b.media.MinBitrate},
		{"MediaOptions.MaxBitrate", b.media.MaxBitrate},
	} {
		if n.n < 0 {
			add(&rtcerr.RangeError{Err: fmt.Errorf("rtc: %s is negative", n.name)})
		}
	}
	b.media.ReceiveQueue = orDefault(b.media.ReceiveQueue, defaultReceiveQueue)
	if r := b.dtls.AnsweringRole; r > DTLSRoleServer {
		add(&rtcerr.TypeError{Err: fmt.Errorf("rtc: DTLSOptions.AnsweringRole %d is no role", r)})
	}
	if _, err := b.mediaEngine(); err != nil {
		add(err)
	}
	return listen, errors.Join(errs...)
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// checkConfiguration follows "set a configuration" and the constructor's steps. https://w3c.github.io/webrtc-pc/#set-the-configuration
func checkConfiguration(c *Configuration, now time.Time) (errs []error) {
	for i := range c.Certificates {
		// "If the value of certificate.expires is less than the current time, throw an InvalidAccessError."
		switch e := c.Certificates[i].Expires(); {
		case e.IsZero():
			errs = append(errs, &rtcerr.InvalidAccessError{Err: errors.New("rtc: certificate is empty")})
		case e.Before(now):
			errs = append(errs, &rtcerr.InvalidAccessError{Err: webrtc.ErrCertificateExpired})
		}
	}
	for _, s := range c.ICEServers {
		errs = append(errs, checkICEServer(s)...)
	}
	if c.PeerIdentity != "" {
		errs = append(errs, &rtcerr.NotSupportedError{Err: errors.New("rtc: Configuration.PeerIdentity: there are no identity providers")})
	}
	if c.RTCPMuxPolicy == webrtc.RTCPMuxPolicyNegotiate {
		errs = append(errs, &rtcerr.NotSupportedError{Err: errors.New("rtc: Configuration.RTCPMuxPolicy: RTCP is always multiplexed")})
	}
	if c.SDPSemantics != webrtc.SDPSemanticsUnifiedPlan {
		errs = append(errs, &rtcerr.NotSupportedError{Err: errors.New("rtc: Configuration.SDPSemantics: there is only Unified Plan")})
	}
	return errs
}

// checkICEServer follows W3C's "validate an ICE server URL".
func checkICEServer(s ICEServer) (errs []error) {
	if len(s.URLs) == 0 {
		return []error{&rtcerr.SyntaxError{Err: errors.New("rtc: ICEServer has no URLs")}}
	}
	for _, raw := range s.URLs {
		u, err := stun.ParseURI(raw)
		if err != nil {
			errs = append(errs, &rtcerr.SyntaxError{Err: fmt.Errorf("rtc: ICEServer %q: %w", raw, err)})
			continue
		}
		// If the scheme "is "turn" or "turns", and either of server.username or server.credential are missing […], then throw an
		// InvalidAccessError."
		if (u.Scheme == stun.SchemeTypeTURN || u.Scheme == stun.SchemeTypeTURNS) && (s.Username == "" || s.Credential == nil) {
			errs = append(errs, &rtcerr.InvalidAccessError{Err: fmt.Errorf("rtc: ICEServer %q: %w", raw, webrtc.ErrNoTurnCredentials)})
		}
	}
	return errs
}

func cloneConfiguration(c Configuration) Configuration {
	c.ICEServers = slices.Clone(c.ICEServers)
	c.Certificates = slices.Clone(c.Certificates)
	return c
}

// answeringRoles is indexed by DTLSRole.
var answeringRoles = [...]peer.DTLSRole{DTLSRoleClient: peer.RoleClient, DTLSRoleServer: peer.RoleServer}

// coreConfig is what the core is told of the builder.
func (b *Builder) coreConfig(key peer.Certificate, intercepted bool) peer.Config {
	engine, _ := b.mediaEngine() // check has found no error
	return peer.Config{
		Rand:                b.runtime.Rand(),
		Certificate:         key,
		AnsweringRole:       answeringRoles[b.dtls.AnsweringRole],
		DTLS12:              b.dtls.Disable13,
		PostQuantum:         b.dtls.PostQuantum,
		HandshakeTimeout:    b.dtls.HandshakeTimeout,
		KeyLog:              b.dtls.KeyLogWriter,
		MaxMessageSize:      b.sctp.MaxMessageSize,
		ReceiveBuffer:       b.sctp.ReceiveBuffer,
		SendBuffer:          b.sctp.SendBuffer,
		MaxPacketSize:       b.sctp.MaxPacketSize,
		HeartbeatInterval:   b.sctp.HeartbeatInterval,
		DisableSNAP:         b.sctp.DisableSNAP,
		AlwaysData:          b.configuration.AlwaysNegotiateDataChannels,
		Recycle:             recycle,
		DisableSPED:         b.ice.DisableSPED,
		DisconnectedTimeout: b.ice.DisconnectedTimeout,
		FailedTimeout:       b.ice.FailedTimeout,
		ConsentInterval:     b.ice.ConsentInterval,
		MaxRemoteCandidates: b.ice.MaxRemoteCandidates,
		Media: peer.MediaConfig{
			Formats:         engine.formats,
			CNAME:           b.media.CNAME,
			HistoryTime:     b.media.HistoryTime,
			HistoryPackets:  b.media.HistoryPackets,
			MaxStreams:      b.media.MaxTracks,
			ReportInterval:  b.media.ReportInterval,
			ReceiveQueue:    b.media.ReceiveQueue,
			StartBitrate:    float64(b.media.StartBitrate),
			MinBitrate:      float64(b.media.MinBitrate),
			MaxBitrate:      float64(b.media.MaxBitrate),
			Pacing:          b.media.Pacing,
			WantRTCP:        intercepted || optionalOf(b.handler).rtcp != nil,
			KeepTransportCC: intercepted,
			NewBuffer:       lendPacket,
			FreeBuffer:      recyclePacket,
		},
	}
}
