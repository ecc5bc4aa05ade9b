package jsep

import "fmt"

// Kind is the category of an [Error]: the W3C exception that it becomes. A Kind is itself an error, so that
// errors.Is(err, jsep.InvalidState) asks for the category.
type Kind uint8

// The categories that webrtc-pc prescribes.
const (
	InvalidState        Kind = iota + 1 // the operation is not allowed in this signaling state
	InvalidAccess                       // the content of a description breaks the rules
	InvalidModification                 // a local description is not what CreateOffer or CreateAnswer returned
	Operation                           // it is right but cannot be done
	Syntax                              // it is not SDP: RTCError "sdp-syntax-error", Error.Line says where
	TypeError                           // an argument is missing or has the wrong form
)

// Error returns W3C's name of the exception.
func (k Kind) Error() string {
	switch k {
	case InvalidState:
		return "InvalidStateError"
	case InvalidAccess:
		return "InvalidAccessError"
	case InvalidModification:
		return "InvalidModificationError"
	case Operation:
		return "OperationError"
	case Syntax:
		return "sdp-syntax-error"
	}
	return "TypeError"
}

// Error is the only error type that a [Session] returns. Nothing has changed when a method returned one.
type Error struct {
	Kind   Kind
	Detail string
	Line   int // of the SDP, counted from 1; 0 when no line is to blame
}

// Error implements error.
func (e *Error) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("jsep: %v: line %d: %s", e.Kind, e.Line, e.Detail)
	}
	return fmt.Sprintf("jsep: %v: %s", e.Kind, e.Detail)
}

// Unwrap returns the Kind.
func (e *Error) Unwrap() error { return e.Kind }

func errorf(k Kind, format string, args ...any) *Error {
	return &Error{Kind: k, Detail: fmt.Sprintf(format, args...)}
}
