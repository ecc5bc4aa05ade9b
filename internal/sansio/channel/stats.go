package channel

// Stats counts what a Machine did and what it dropped.
type Stats struct {
	Opened   uint64 // channels that became open, of both sides
	Accepted uint64 // those of them that the remote made
	Closed   uint64 // channels that ended, opened or not
	Refused  uint64 // streams that were reset without a channel

	// Messages that were dropped.
	DroppedDCEP     uint64 // malformed, unexpected or against RFC 8832
	DroppedPPID     uint64 // payload protocol identifier that is none of ours
	DroppedNoStream uint64 // beyond the streams of the association
	DroppedEarly    uint64 // for no channel yet, and not held
	DroppedLate     uint64 // for a channel that is closing here
}
