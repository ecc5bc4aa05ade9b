package channel

import (
	"errors"
	"fmt"
)

// Category is the W3C exception that a mistake of the caller becomes.
type Category uint8

const (
	TypeError Category = iota + 1
	InvalidStateError
	OperationError
)

// Error is a mistake of the caller, or a limit that the caller set.
// All values are the variables below: compare with errors.Is.
type Error struct {
	Category Category
	text     string
}

func (e *Error) Error() string { return "channel: " + e.text }

// Errors of Open and Send. ErrNoID and ErrTooManyChannels also come with an
// EventError, when a channel that waited for its id cannot have one.
var (
	ErrLabelTooLong    = &Error{TypeError, "label is longer than 65535 bytes"}
	ErrProtocolTooLong = &Error{TypeError, "protocol is longer than 65535 bytes"}
	ErrTwoLimits       = &Error{TypeError, "both a lifetime and a number of retransmissions are given"}
	ErrLimitRange      = &Error{TypeError, "lifetime or number of retransmissions is above 65535"}
	ErrNoNegotiatedID  = &Error{TypeError, "negotiated channel without an id"}
	ErrIDRange         = &Error{TypeError, "id 65535 is not a stream"}
	ErrTooLarge        = &Error{TypeError, "message is larger than the remote accepts"}
	ErrNotOpen         = &Error{InvalidStateError, "channel is not open"}
	ErrShut            = &Error{InvalidStateError, "association is closed"}
	ErrIDTaken         = &Error{OperationError, "id is in use"}
	ErrNoID            = &Error{OperationError, "no id is left within the streams of the association"}
	ErrTooManyChannels = &Error{OperationError, "limit of channels is reached"}
	ErrBufferFull      = &Error{OperationError, "send buffer is full"}
)

// ErrRefused comes with EventError: the remote reset a channel instead of
// acknowledging it.
var ErrRefused = errors.New("channel: remote refused the channel")

// ProtocolError is what the remote did wrong on a channel; the channel closes.
type ProtocolError struct {
	Stream uint16
	Reason string
}

func (e *ProtocolError) Error() string {
	return fmt.Sprintf("channel: remote broke the protocol on stream %d: %s", e.Stream, e.Reason)
}
