package rtc

import "github.com/sansrtc/rtc/internal/sansio/peer"

// ReportOf gives tests the figures of the machines, more than GetStats has.
func ReportOf(pc *PeerConnection) (r peer.Report) {
	pc.loop.view(func(c *peer.Core) { r = c.Report() })
	return r
}

// Lend and Recycle are the memory of messages on their way.
var Lend, Recycle = lend, recycle

// Received is how many RTP packets a connection has got.
func Received(pc *PeerConnection) (n uint64) {
	pc.loop.view(func(c *peer.Core) { n = c.MediaStats().RTPReceived })
	return n
}
