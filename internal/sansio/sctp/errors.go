package sctp

import (
	"errors"
	"fmt"
)

// Mistakes of the caller.
var (
	ErrConfig          = errors.New("sctp: bad config")
	ErrClosed          = errors.New("sctp: association is closed or closing")
	ErrEmptyMessage    = errors.New("sctp: empty message")
	ErrMessageTooLarge = errors.New("sctp: message is too large")
	ErrStreamID        = errors.New("sctp: no such stream")
	ErrStreamResetting = errors.New("sctp: stream is being reset")
)

// ErrResetDenied is in EventOutgoingReset when the peer refused the reset.
var ErrResetDenied = errors.New("sctp: peer refused the stream reset")

// CauseCode is an error cause (RFC 9260 section 3.3.10).
type CauseCode uint16

// AbortError says why an association ended other than gracefully.
type AbortError struct {
	Remote bool      // the peer aborted; otherwise this end did
	Cause  CauseCode // 0: none was given
	Reason string
}

func (e *AbortError) Error() string {
	who := "aborted"
	if e.Remote {
		who = "aborted by the peer"
	}
	return fmt.Sprintf("sctp: %s: cause %d: %s", who, e.Cause, e.Reason)
}

const (
	causeInvalidStream          CauseCode = 1
	causeMissingParameter       CauseCode = 2
	causeStaleCookie            CauseCode = 3
	causeOutOfResource          CauseCode = 4
	causeUnresolvable           CauseCode = 5
	causeUnrecognizedChunk      CauseCode = 6
	causeInvalidParameter       CauseCode = 7
	causeUnrecognizedParameters CauseCode = 8
	causeNoUserData             CauseCode = 9
	causeUserInitiated          CauseCode = 12
	causeProtocolViolation      CauseCode = 13
)
