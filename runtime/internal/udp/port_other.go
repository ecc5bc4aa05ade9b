//go:build !unix

package udp

import (
	"errors"
	"syscall"
)

// portTaken also knows Windows' codes: 10048 is WSAEADDRINUSE, 10013 WSAEACCES, for a port in an excluded range.
func portTaken(err error) bool {
	return errors.Is(err, syscall.Errno(10048)) || errors.Is(err, syscall.Errno(10013))
}
