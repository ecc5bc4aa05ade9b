package sctp

import "time"

// Stats are the association's numbers.
type Stats struct {
	Cwnd, SSThresh    int
	ReceiveWindow     int // what would be advertised now
	Held              int // what is charged: for the application, or until more arrives
	PeerReceiveWindow int // what the peer takes beyond what is in flight
	InFlight          int // bytes of chunks sent and neither acknowledged nor taken for lost
	Buffered          int // bytes of messages that have not been sent
	MTU               int // the largest packet that is sent
	RTT, RTTVar, RTO  time.Duration

	ZeroChecksum bool // packets leave without checksum
	Interleaving bool // I-DATA was agreed

	Counters
}

// Counters are the part of Stats that only grows.
type Counters struct {
	PacketsSent, PacketsReceived         uint64
	BytesSent, BytesReceived             uint64 // of SCTP packets
	DataPacketsSent, ChunksReceived      uint64 // with DATA; DATA chunks
	MessagesSent, MessagesReceived       uint64 // sent: all chunks for the first time
	MessagesAbandoned                    uint64 // by the limits of partial reliability
	Retransmissions                      uint64 // DATA chunks sent again
	SacksSent, SacksReceived             uint64
	FastRecoveries, Timeouts, Probes     uint64
	Spurious                             uint64 // chunks that were taken for lost and had arrived
	ForwardTSNs, Reneged, ErrorsReceived uint64
	PathProbes, BlackHoles               uint64 // larger packets that were tried; how often what had passed no longer did

	Drops Drops
}

// Drops count what arrived and had no effect.
type Drops struct {
	Malformed, Checksum, Port uint64 // packets, or the rest of them
	Tag                       uint64 // wrong verification tag, or bundled where it must not be
	State                     uint64 // not expected now
	Cookie                    uint64 // forged, stale, or of another association
	Unknown                   uint64 // chunk types
	Duplicate                 uint64 // DATA that had arrived already
	Window, BeyondWindow      uint64 // DATA that there was no room for; with a TSN too far ahead
	Orphan                    uint64 // DATA that continues nothing, or was not continued
	Stream                    uint64 // a stream that there is not
	BadSack, StaleSack        uint64
	Control                   uint64 // answers that there was no room for
}

// InFlight is Stats.InFlight.
func (a *Association) InFlight() int { return a.sent.flight }

// Moved are numbers that grow whenever user data is sent, and received.
func (a *Association) Moved() (out, in uint64) {
	return a.stats.DataPacketsSent, a.stats.ChunksReceived
}

// Stats returns the numbers of now.
func (a *Association) Stats() Stats {
	s := Stats{Counters: a.stats}
	s.MessagesReceived = a.asm.messages
	s.Cwnd, s.SSThresh = a.cwnd.size, a.cwnd.ssthresh
	s.ReceiveWindow, s.Held = a.window(), a.asm.charged
	s.PeerReceiveWindow = max(0, a.peerWindow-a.sent.charged)
	s.InFlight, s.Buffered = a.sent.flight, a.sched.buffered
	s.MTU, s.ZeroChecksum, s.Interleaving = a.path.size, a.zeroChecksum, a.interleaving
	s.RTT, s.RTTVar, s.RTO = a.rto.srtt, a.rto.rttvar, a.rto.current()
	return s
}
