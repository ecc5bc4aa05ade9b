// Package jsep is offer/answer as a machine: RFC 9429 and the signaling half of W3C webrtc-pc.
package jsep
