package media

import "errors"

// What a caller may do wrong.
var (
	ErrNoSender    = errors.New("media: no such sender")
	ErrPayloadType = errors.New("media: payload type was not negotiated")
	ErrTooLarge    = errors.New("media: packet is too large")
	ErrQueueFull   = errors.New("media: too much RTCP waits to be sent")
	ErrProfile     = errors.New("media: unknown SRTP protection profile")
	ErrRTCP        = errors.New("media: not RTCP")
)
