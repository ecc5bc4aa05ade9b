package runtime

import "errors"

// ErrClosed is what a socket's Send returns after Close, and a Host's ListenUDP after its loop has ended.
var ErrClosed = errors.New("runtime: closed")
