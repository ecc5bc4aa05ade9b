// Package std is the default [runtime.Runtime]: the operating system's clock, randomness and UDP sockets, and one goroutine for each loop.
package std
