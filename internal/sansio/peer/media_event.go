package peer

// MediaEvent is what the rarer events of media tell.
type MediaEvent struct {
	Transceiver TransceiverID
	Change      TransceiverChange // of EventTransceiver
	Encoding    int               // of EventKeyframe: index in the section's Encodings

	// Section is that of the m-line at that time, and is not changed afterwards.
	Section *MediaSection

	// Of the events about tracks.
	Stream      StreamID
	MID, RID    string
	SSRC        uint32
	PayloadType uint8
	Codec       Codec // zero when the section has none of that payload type
}

// TransceiverChange is what a description has done to a transceiver.
type TransceiverChange uint8

// The changes.
const (
	TransceiverCreated TransceiverChange = iota + 1 // by a remote description
	TransceiverRemoved                              // by a rollback
	TransceiverStopped
)
