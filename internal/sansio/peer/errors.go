package peer

import (
	"errors"

	"github.com/sansrtc/rtc/internal/sansio/channel"
	"github.com/sansrtc/rtc/internal/sansio/jsep"
	"github.com/sansrtc/rtc/internal/sansio/media"
)

// Kind is the W3C category of an error.
type Kind uint8

// The categories.
const (
	KindOperation Kind = iota
	KindInvalidState
	KindInvalidAccess
	KindInvalidModification
	KindSyntax
	KindType
)

// Errors of Open and Send.
var (
	ErrNotOpen    error = channel.ErrNotOpen
	ErrTooLarge   error = channel.ErrTooLarge
	ErrBufferFull error = channel.ErrBufferFull
)

// Errors of SendRTP and WriteRTCP.
var (
	ErrNotSending     = errors.New("peer: the encoding may not send now")
	ErrPayloadType    = media.ErrPayloadType
	ErrPacketTooLarge = media.ErrTooLarge
	ErrRTCP           = media.ErrRTCP
	ErrRTCPQueueFull  = media.ErrQueueFull
)

// KindOf gives the category of an error that a Core returned.
func KindOf(err error) Kind {
	var c *channel.Error
	if errors.As(err, &c) {
		switch c.Category {
		case channel.TypeError:
			return KindType
		case channel.InvalidStateError:
			return KindInvalidState
		}
		return KindOperation
	}
	var k jsep.Kind
	if errors.As(err, &k) {
		switch k {
		case jsep.InvalidState:
			return KindInvalidState
		case jsep.InvalidAccess:
			return KindInvalidAccess
		case jsep.InvalidModification:
			return KindInvalidModification
		case jsep.Syntax:
			return KindSyntax
		case jsep.TypeError:
			return KindType
		}
	}
	return KindOperation
}
