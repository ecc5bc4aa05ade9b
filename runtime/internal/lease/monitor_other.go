//go:build !linux

package lease

// wakeMonitor has nothing to do: whatever reads packets here has told the scheduler.
func wakeMonitor() {}
