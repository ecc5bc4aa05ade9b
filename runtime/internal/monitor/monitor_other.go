//go:build !linux

package monitor

// Wake has nothing to do: whatever reads packets here has told the scheduler.
func Wake() {}
