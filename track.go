package rtc

// TrackRemote is one source of media that the peer sends: W3C's MediaStreamTrack of a receiver, or one encoding of it with simulcast.
type TrackRemote struct{}
