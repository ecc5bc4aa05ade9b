//go:build !linux || portable

package mux_test

// eachAddress tells that a socket of package std for all addresses has a goroutine for each.
const eachAddress = true
