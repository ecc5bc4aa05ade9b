//go:build (unix && !linux) || (linux && portable)

package udp

import (
	"errors"
	"syscall"
)

func portTaken(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }
