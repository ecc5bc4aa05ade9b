package rtc

import (
	"errors"

	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/rtcerr"

	"github.com/sansrtc/rtc/internal/sansio/peer"
)

// Errors that methods return, or wrap in one of the categories below.
var (
	// ErrConnectionClosed is returned by every operation on a closed connection, in an InvalidStateError.
	ErrConnectionClosed = webrtc.ErrConnectionClosed
	// ErrDataChannelNotOpen is returned by Send on a channel whose state is not open, in an InvalidStateError.
	ErrDataChannelNotOpen = webrtc.ErrDataChannelNotOpen
	// ErrBufferFull is returned by Send when the message does not fit into the channel's send buffer, in an OperationError.
	// Nothing of the message was taken.
	ErrBufferFull = errors.New("rtc: data channel send buffer is full")
	// ErrMessageTooLarge is returned by Send for a message that is larger than the peer takes, in a TypeError.
	ErrMessageTooLarge = errors.New("rtc: message is larger than the peer's max-message-size")
	// ErrNoRemoteDescription is returned by AddICECandidate before SetRemoteDescription, in an InvalidStateError.
	ErrNoRemoteDescription = webrtc.ErrNoRemoteDescription
)

// W3C's categories of errors, for errors.As. They are pion's.
type (
	// InvalidStateError is W3C's InvalidStateError: not now.
	InvalidStateError = rtcerr.InvalidStateError
	// InvalidAccessError is W3C's InvalidAccessError: an object or parameter that does not fit.
	InvalidAccessError = rtcerr.InvalidAccessError
	// InvalidModificationError is W3C's InvalidModificationError: something was changed that may not be.
	InvalidModificationError = rtcerr.InvalidModificationError
	// NotSupportedError is W3C's NotSupportedError.
	NotSupportedError = rtcerr.NotSupportedError
	// OperationError is W3C's OperationError: it failed for a reason of its own.
	OperationError = rtcerr.OperationError
	// RangeError is ECMAScript's RangeError: a number out of range.
	RangeError = rtcerr.RangeError
	// SyntaxError is W3C's SyntaxError, and stands for RTCError with sdp-syntax-error: its text names the line.
	SyntaxError = rtcerr.SyntaxError
	// TypeError is ECMAScript's TypeError: an argument out of range.
	TypeError = rtcerr.TypeError
)

func errClosed() error { return &rtcerr.InvalidStateError{Err: ErrConnectionClosed} }

// w3cError gives an error of the core its W3C category.
func w3cError(err error) error {
	switch err.(type) {
	case nil, *rtcerr.InvalidStateError, *rtcerr.InvalidModificationError, interface{ Unwrap() []error }:
		return err // has its category
	}
	switch peer.KindOf(err) {
	case peer.KindInvalidState:
		return &rtcerr.InvalidStateError{Err: err}
	case peer.KindInvalidAccess:
		return &rtcerr.InvalidAccessError{Err: err}
	case peer.KindInvalidModification:
		return &rtcerr.InvalidModificationError{Err: err}
	case peer.KindSyntax:
		return &rtcerr.SyntaxError{Err: err}
	case peer.KindType:
		return &rtcerr.TypeError{Err: err}
	default:
		return &rtcerr.OperationError{Err: err}
	}
}
