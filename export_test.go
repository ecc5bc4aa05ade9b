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

// EngineOf gives tests what a builder's connections negotiate.
func EngineOf(b Builder) (codecs [3][]peer.Codec, extensions []peer.HeaderExtension, err error) {
	e, err := b.mediaEngine()
	if err != nil {
		return codecs, nil, err
	}
	return e.codecs, e.extensions, nil
}

// Interceptors counts what they have stopped and what of theirs was dropped; false: the connection has none.
func Interceptors(pc *PeerConnection) (failed, suppressed uint64, has bool) {
	icp := pc.loop.icp
	if icp == nil {
		return 0, 0, false
	}
	return icp.failed.Load(), icp.suppressed.Load(), true
}
