// Package sctp is SCTP over DTLS for WebRTC data channels, as a machine that is told bytes, time and randomness.
package sctp
