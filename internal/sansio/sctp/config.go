package sctp

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// Config is what an Association is made with. Zero means default.
type Config struct {
	// Rand is the source of secrets: verification tags, initial TSNs and the key of the state cookie. It must be cryptographically
	// secure wherever real data is sent.
	Rand io.Reader
	// LocalPort and RemotePort go into the SCTP header; both are 5000 by default, as SDP's sctp-port is.
	LocalPort, RemotePort uint16
	// MTU is the largest SCTP packet. The default 1163 fits a DTLS 1.2 record into 1200 bytes of UDP payload.
	MTU int
	// LargerMTUs are the sizes of larger packets that the path may carry, ascending, at most 16 KiB. Each is tried when there is bulk data
	// to send (RFC 8899); whoever sends the packets must not let them be fragmented on the way. Default none.
	LargerMTUs []int
	// ZeroChecksum says that what is below detects damage, as DTLS does: the checksum is left out when the peer says so too (RFC 9653).
	ZeroChecksum bool
	// Interleaving has streams take turns fragment by fragment, so that a small message waits for no large one of another stream, if the
	// peer can do it too (RFC 8260).
	Interleaving bool
	// ReceiveBuffer bounds what is held for the application, counting each message and fragment with its bookkeeping. What is advertised
	// as a_rwnd begins with 1 MiB, or two messages, and grows up to it as the path needs; default 32 MiB.
	ReceiveBuffer int
	// MaxSendMessageSize is the largest message Send takes, MaxReceiveMessageSize the largest that is reassembled: a peer that sends
	// a larger one is aborted. Default 256 KiB.
	MaxSendMessageSize, MaxReceiveMessageSize int
	// InitialCwnd is the initial congestion window in packets; default 10 (RFC 6928 and dcsctp).
	InitialCwnd int
	// RTOInitial (500 ms) is used until a round trip is known, RTOMin (400 ms: twice the largest delay of a SACK) is the least that is
	// computed then, and RTOMax (3 s) bounds what backing off makes of it.
	RTOInitial, RTOMin, RTOMax time.Duration
	// MaxInitRetransmits (8) bounds INIT and COOKIE-ECHO each; MaxRetransmits (10) is how many timeouts in a row without an answer
	// end an established association.
	MaxInitRetransmits, MaxRetransmits int
	// HeartbeatInterval is how long an idle association waits before it asks whether the peer is there; default 30 s, negative never.
	HeartbeatInterval time.Duration
	// Recycle, if it is set, is given the data of each message that was sent with SendParams.Recycle when it is needed no more.
	Recycle func(data []byte)
	// LocalInit and RemoteInit are INIT chunks that the ends have told each other ahead, by a way that nobody else can change: then Start
	// establishes the association without a handshake. LocalInit was made by NewInit, RemoteInit has passed CheckInit. Default none.
	LocalInit, RemoteInit []byte
	// RemoteLate tells that with these the peer may have the association later than our first packets come to it, and so answer them late.
	RemoteLate bool
	// MaxStreams is how many streams are offered and accepted in each direction; default 65535.
	MaxStreams int
}

// Check says what New would find wrong with the Config. The error wraps ErrConfig.
func (c Config) Check() error { return c.setDefaults() }

func (c *Config) setDefaults() error {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	defTime := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	if c.LocalPort == 0 {
		c.LocalPort = 5000
	}
	if c.RemotePort == 0 {
		c.RemotePort = 5000
	}
	def(&c.MTU, 1163)
	def(&c.ReceiveBuffer, 32<<20)
	def(&c.MaxSendMessageSize, 256<<10)
	def(&c.MaxReceiveMessageSize, 256<<10)
	def(&c.InitialCwnd, 10)
	def(&c.MaxInitRetransmits, 8)
	def(&c.MaxRetransmits, 10)
	def(&c.MaxStreams, 65535)
	defTime(&c.RTOInitial, 500*time.Millisecond)
	defTime(&c.RTOMin, 400*time.Millisecond)
	defTime(&c.RTOMax, 3*time.Second)
	defTime(&c.HeartbeatInterval, 30*time.Second)
	switch {
	case c.Rand == nil:
		return fmt.Errorf("%w: Rand is nil", ErrConfig)
	case c.MTU < minMTU || c.MTU > maxMTU:
		return fmt.Errorf("%w: MTU %d is not in [%d, %d]", ErrConfig, c.MTU, minMTU, maxMTU)
	case !slices.IsSorted(c.LargerMTUs) || len(c.LargerMTUs) > 0 && (c.LargerMTUs[0] <= c.MTU || c.LargerMTUs[len(c.LargerMTUs)-1] > maxMTU):
		return fmt.Errorf("%w: LargerMTUs %v are not ascending in (%d, %d]", ErrConfig, c.LargerMTUs, c.MTU, maxMTU)
	case c.MaxStreams < 1 || c.MaxStreams > 65535:
		return fmt.Errorf("%w: MaxStreams %d is not in [1, 65535]", ErrConfig, c.MaxStreams)
	case c.MaxSendMessageSize < 1 || c.MaxReceiveMessageSize < 1:
		return fmt.Errorf("%w: message sizes must be positive", ErrConfig)
	case c.ReceiveBuffer < c.MaxReceiveMessageSize+minReceiveBuffer:
		// The rest of a message that closes the window by itself would never come.
		return fmt.Errorf("%w: ReceiveBuffer %d is less than MaxReceiveMessageSize and %d", ErrConfig, c.ReceiveBuffer, minReceiveBuffer)
	case c.InitialCwnd < 1 || c.MaxInitRetransmits < 0 || c.MaxRetransmits < 0:
		return fmt.Errorf("%w: negative count", ErrConfig)
	case (c.LocalInit == nil) != (c.RemoteInit == nil):
		return fmt.Errorf("%w: one of LocalInit and RemoteInit", ErrConfig)
	case c.RTOInitial < 0 || c.RTOMin < 0 || c.RTOMax < c.RTOMin:
		return fmt.Errorf("%w: RTO bounds", ErrConfig)
	case c.RemoteInit != nil:
		return errors.Join(CheckInit(c.LocalInit), CheckInit(c.RemoteInit))
	}
	return nil
}

const (
	minMTU           = 256
	maxMTU           = 16 << 10
	minReceiveBuffer = 8 << 10
)
