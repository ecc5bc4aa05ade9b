package dtls

// Stats counts what happened to records and datagrams. A dropped record is counted once, under the reason for which it was dropped.
type Stats struct {
	DatagramsIn, DatagramsOut uint64 // DatagramsOut leaves out application data
	RecordsIn, RecordsOut     uint64
	DataIn, DataOut           uint64 // application data records that were delivered or sealed
	Retransmissions           uint64 // flights sent again
	KeyUpdatesIn              uint64 // keys of the peer's after the first
	KeyUpdatesOut             uint64 // and of ours
	MessagesRefused           uint64 // complete handshake messages, not authenticated, that could not be accepted
	FragmentsDuplicate        uint64 // fragments of handshake messages that were complete already
	FragmentsConflicting      uint64 // fragments that contradicted an earlier fragment of the same message

	DroppedMalformed      uint64 // header, version, length or content that cannot be
	DroppedEpoch          uint64 // an epoch that has ended or will never come
	DroppedReplay         uint64
	DroppedBadMAC         uint64
	DroppedOverflow       uint64 // records and fragments over what may be held for later
	DroppedPlaintextAlert uint64
	DroppedPlaintextData  uint64
	DroppedUnexpected     uint64 // authenticated, but of no use in this state
	DroppedInactive       uint64 // datagrams, or their ends, before a client's start and after the end of the connection
	DroppedUnread         uint64 // application data that was not polled in time
}
