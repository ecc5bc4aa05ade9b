package channel

import (
	"cmp"
	"time"
)

// Handle names a channel inside one Machine. It is valid from Open or
// EventIncoming until Forget and is not given to another channel meanwhile.
type Handle uint32

// State is W3C's RTCDataChannelState.
type State uint8

const (
	Connecting State = iota
	Open
	Closing
	Closed
)

func (s State) String() string {
	return [...]string{"connecting", "open", "closing", "closed"}[s]
}

// Params are the properties of a channel that both ends agree on.
type Params struct {
	Label, Protocol string
	Ordered         bool
	MaxRetransmits  int32         // -1: no limit
	MaxLifetime     time.Duration // < 0: no limit; whole milliseconds, at most 65535 of them
	Negotiated      bool          // agreed by the application: no DCEP on this channel
	ID              uint16        // the SCTP stream; Open reads it from negotiated channels only
	HasID           bool
	Priority        uint16 // RFC 8831 §6.4; 0: normal (256)
}

// Info is what a Machine knows about a channel.
type Info struct {
	Params
	State            State
	MessagesSent     uint64
	MessagesReceived uint64
	BytesSent        uint64
	BytesReceived    uint64
}

// Config holds the limits of a Machine. Zero is the default.
type Config struct {
	MaxChannels        int // channels alive at a time, of both sides; 65535
	MaxSendMessageSize int // the remote's a=max-message-size; 65536, negative: no limit
	SendBuffer         int // bytes that a channel may have waiting; 16 MiB, negative: no limit
	MaxHeldMessages    int // messages on streams that carry no channel yet; 256, negative: none are held
	MaxHeldBytes       int // their bytes; 256 KiB
	MaxNameBytes       int // labels and protocols of the remote's channels together; 16 MiB, negative: no limit
}

func (c Config) withDefaults() Config {
	c.MaxChannels = cmp.Or(c.MaxChannels, maxID+1)
	// RFC 8841 §6.1: 64K is the size where SDP has no a=max-message-size.
	c.MaxSendMessageSize = cmp.Or(c.MaxSendMessageSize, 65536)
	c.SendBuffer = cmp.Or(c.SendBuffer, 16<<20)
	c.MaxHeldMessages = cmp.Or(c.MaxHeldMessages, 256)
	c.MaxHeldBytes = cmp.Or(c.MaxHeldBytes, 256<<10)
	c.MaxNameBytes = cmp.Or(c.MaxNameBytes, 16<<20)
	return c
}

const (
	maxID          = 65534 // RFC 8832 §3 reserves 65535
	maxNameLength  = 65535
	maxReliability = 65535 // W3C: maxRetransmits and maxPacketLifeTime are unsigned short
	priorityNormal = 256   // RFC 8831 §6.4
)

// validate is W3C's createDataChannel up to the choice of an id; it returns
// the parameters with one spelling for each meaning.
func (p Params) validate() (Params, error) {
	p.MaxRetransmits = max(p.MaxRetransmits, -1)
	if p.MaxLifetime < 0 {
		p.MaxLifetime = -1
	} else {
		p.MaxLifetime = p.MaxLifetime.Truncate(time.Millisecond)
	}
	p.Priority = cmp.Or(p.Priority, priorityNormal)
	switch {
	case len(p.Label) > maxNameLength:
		return p, ErrLabelTooLong
	case len(p.Protocol) > maxNameLength:
		return p, ErrProtocolTooLong
	case p.MaxRetransmits >= 0 && p.MaxLifetime >= 0:
		return p, ErrTwoLimits
	case p.MaxRetransmits > maxReliability, p.MaxLifetime > maxReliability*time.Millisecond:
		return p, ErrLimitRange
	case p.Negotiated && !p.HasID:
		return p, ErrNoNegotiatedID
	case p.Negotiated && p.ID > maxID:
		return p, ErrIDRange
	}
	if !p.Negotiated {
		// W3C: the id is only read when negotiated is true.
		p.ID, p.HasID = 0, false
	}
	return p, nil
}
