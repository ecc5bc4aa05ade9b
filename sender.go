package rtc

// RTPSender is W3C's RTCRtpSender.
type RTPSender struct{}
