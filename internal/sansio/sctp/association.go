package sctp

import "time"

// StreamID names a stream; each direction has its own.
type StreamID uint16

// PPID is the payload protocol identifier, handed through.
type PPID uint32

// State is the state of an Association (RFC 9260 section 4).
type State uint8

// The states of an Association.
const (
	StateClosed State = iota
	StateCookieWait
	StateCookieEchoed
	StateEstablished
	StateShutdownPending
	StateShutdownSent
	StateShutdownReceived
	StateShutdownAckSent
)

// SendParams says how a message is delivered. The zero value of each field but MaxRetransmits means reliable and ordered.
type SendParams struct {
	Unordered      bool
	MaxRetransmits int32         // how often it may be sent again; negative: no limit
	Lifetime       time.Duration // how long it may be sent; 0 or negative: no limit
}

// Association is one SCTP association.
type Association struct {
	cfg Config
}

// New returns an association that waits for Start or for the peer's INIT.
func New(cfg Config) (*Association, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	return &Association{cfg: cfg}, nil
}

// Start sends INIT. rtt is what ICE measured, 0 when unknown.
func (a *Association) Start(now time.Time, rtt time.Duration) {}

// HandlePacket takes one packet; b is not kept.
func (a *Association) HandlePacket(now time.Time, b []byte) {}

// HandleBurstEnd ends what was received together.
func (a *Association) HandleBurstEnd(now time.Time) {}

// HandleTimeout does what is due.
func (a *Association) HandleTimeout(now time.Time) {}

// AppendPacket appends the next packet to dst.
func (a *Association) AppendPacket(now time.Time, dst []byte) ([]byte, bool) { return dst, false }

// PollEvent returns the next event.
func (a *Association) PollEvent() (Event, bool) { return Event{}, false }

// PollTimeout is when HandleTimeout is due; zero: never.
func (a *Association) PollTimeout() time.Time { return time.Time{} }

// Send queues a message and takes ownership of data.
func (a *Association) Send(now time.Time, id StreamID, ppid PPID, data []byte, p SendParams) error {
	return nil
}

// Consume tells that the application took a message of n bytes.
func (a *Association) Consume(now time.Time, n int) {}

// ResetStream resets the outgoing stream after everything queued on it has been sent and acknowledged.
func (a *Association) ResetStream(now time.Time, id StreamID) {}

// BufferedAmount is how many bytes of Send have not been transmitted for the first time.
func (a *Association) BufferedAmount(id StreamID) int { return 0 }

// SetBufferedAmountLowThreshold sets when EventBufferedAmountLow is due.
func (a *Association) SetBufferedAmountLowThreshold(id StreamID, n int) {}

// Release forgets a stream both directions of which were reset.
func (a *Association) Release(id StreamID) {}

// Shutdown closes gracefully.
func (a *Association) Shutdown(now time.Time) {}

// Abort sends ABORT and closes.
func (a *Association) Abort(now time.Time, reason string) {}

// SetRTT tells what ICE measured.
func (a *Association) SetRTT(rtt time.Duration) {}

// State is the association's state.
func (a *Association) State() State { return StateClosed }

// MaxStreams is how many outgoing streams there are.
func (a *Association) MaxStreams() int { return a.cfg.MaxStreams }

// Stats returns the counters.
func (a *Association) Stats() Stats { return Stats{} }
