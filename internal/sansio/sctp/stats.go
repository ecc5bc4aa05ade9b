package sctp

import "time"

// Stats are the association's numbers.
type Stats struct {
	Cwnd, SSThresh                 int
	ReceiveWindow                  int // what we would advertise
	PeerReceiveWindow              int // what the peer can take beyond what is in flight
	InFlight                       int // payload bytes sent and neither acknowledged nor taken for lost
	Buffered                       int // payload bytes queued and not yet sent
	RTT, RTTVar, RTO               time.Duration
	PacketsSent, PacketsReceived   uint64
	BytesSent, BytesReceived       uint64 // SCTP packets, headers included
	MessagesSent, MessagesReceived uint64
}
