package rtc

// RTPReceiver is W3C's RTCRtpReceiver.
type RTPReceiver struct{}
