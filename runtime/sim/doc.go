// Package sim is a runtime in virtual time over a simulated network.
package sim
