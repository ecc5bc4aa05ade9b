package sctp

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"
)

// StreamID names a stream; each direction has its own.
type StreamID uint16

// PPID is the payload protocol identifier, handed through.
type PPID uint32

// State is the state of an Association (RFC 9260 section 4).
type State uint8

// The states of an Association, in the order in which it goes through them.
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

var stateNames = [...]string{"closed", "cookie-wait", "cookie-echoed", "established", "shutdown-pending", "shutdown-sent",
	"shutdown-received", "shutdown-ack-sent"}

func (s State) String() string { return stateNames[s] }

// Association is one SCTP association. The package comment says how it is driven.
type Association struct {
	cfg   Config
	mtu   int       // MTU, rounded down to what chunks can fill; larger packets have only DATA beyond it
	epoch time.Time // of instants
	now   instant   // of the current call
	state State
	ended bool // there has been an association, and it is gone

	tag, peerTag          uint32
	initialTSN            TSN
	secret                [32]byte // of cookies
	cookie                []byte   // the peer's, while it may have to be echoed
	attempts              int      // repetitions of INIT or COOKIE ECHO
	handshakeAt           instant  // when the one under way was first sent
	outStreams, inStreams int
	sendInit, sendCookie  bool
	sendCookieAck         bool
	sendShutdown          byte   // SHUTDOWN or SHUTDOWN ACK, when due
	zeroChecksum          bool   // the peer takes packets without checksum
	interleaving          bool   // I-DATA instead of DATA
	peerBuffer            int    // the first window that the peer advertised
	control               []byte // whole chunks that go first into the next packet
	direct                packets
	timers                timers
	events                eventQueue
	early                 []queuedEvent // what became of data that went with COOKIE ECHO: comes after EventConnected
	errors                int           // timeouts in a row without an answer
	heartbeat             heartbeat
	reset                 resets
	stats                 Counters

	// What is sent.
	out         table[outStream]
	sched       schedule
	pool        messagePool
	sent        sentQueue
	forward     forward
	cwnd        cwnd
	rack        rack
	pacing      pacing
	rto         rto
	path        pathMTU
	rttFrom     uint64 // packets before this number measure no round trip
	peerWindow  int    // as last advertised
	windowProbe bool   // one chunk may leave that the peer's window has no room for
	credit      int    // 1: a packet may leave that cwnd has no room for
	asked       bool   // the last packet with DATA asked for a SACK at once
	probed      bool   // the tail was probed, and nothing was acknowledged since
	acksSeen    bool   // in this burst
	sackSeen    bool

	// What is received.
	recv     recvWindow
	received tsnSet // after the cumulative TSN, which is its base
	maxAhead int    // how far after it a TSN may be
	asm      reassembly
	sack     sack
}

// New returns an association that waits for Start or for the peer's INIT. The error wraps ErrConfig, or is that of Config.Rand.
func New(cfg Config) (*Association, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	var seed [32 + 4 + 4 + 8]byte
	if _, err := io.ReadFull(cfg.Rand, seed[:]); err != nil {
		return nil, fmt.Errorf("sctp: reading Config.Rand: %w", err)
	}
	a := &Association{
		cfg: cfg, mtu: cfg.MTU &^ 3,
		tag:        max(binary.BigEndian.Uint32(seed[32:]), 1),
		initialTSN: TSN(binary.BigEndian.Uint32(seed[36:])),
		outStreams: cfg.MaxStreams, inStreams: cfg.MaxStreams,
		rto: newRTO(&cfg),
		// What fills the window with the smallest messages is charged no less.
		maxAhead: max(cfg.ReceiveBuffer/messageOverhead, 1024),
		recv:     recvWindow{limit: cfg.initialWindow()},
	}
	if cfg.LocalInit != nil {
		v, _ := parseInitChunk(cfg.LocalInit) // setDefaults has seen that it is one
		a.tag, a.initialTSN = v.tag, v.tsn
	}
	copy(a.secret[:], seed[:])
	a.heartbeat.nonce = binary.BigEndian.Uint64(seed[40:])
	a.cwnd = newCwnd(a.mtu-headerSize, cfg.InitialCwnd)
	a.path = newPathMTU(a.mtu, cfg.LargerMTUs)
	a.sent.reset(a.initialTSN)
	a.forward.point, a.forward.scanned = a.sent.cum, a.sent.cum
	a.agreeInterleaving(false)
	a.reset.next = uint32(a.initialTSN)
	a.asm.limit = cfg.MaxReceiveMessageSize
	return a, nil
}

// random32 draws from Config.Rand after the start: a source that fails then has lost its last secret to somebody else.
func (a *Association) random32() uint32 {
	var b [4]byte
	if _, err := io.ReadFull(a.cfg.Rand, b[:]); err != nil {
		return 1
	}
	return max(binary.BigEndian.Uint32(b[:]), 1)
}

// State is the association's state.
func (a *Association) State() State { return a.state }

// MaxStreams is how many outgoing streams there are: those of the Config until the association is established, then what both have.
func (a *Association) MaxStreams() int { return a.outStreams }

// SetRTT tells what ICE measured; the handshake goes by it until SCTP has measured itself.
func (a *Association) SetRTT(rtt time.Duration) { a.rto.hint(rtt) }

// open says whether the association carries data or acknowledgements.
func (a *Association) open() bool { return a.state >= StateEstablished }

// closing says whether Send is refused.
func (a *Association) closing() bool { return a.state >= StateShutdownPending }

// transitions lists where each state may lead; StateClosed may follow any.
var transitions = [...][]State{
	StateClosed:           {StateCookieWait, StateEstablished},
	StateCookieWait:       {StateCookieEchoed, StateEstablished},
	StateCookieEchoed:     {StateEstablished, StateCookieWait},
	StateEstablished:      {StateShutdownPending, StateShutdownReceived},
	StateShutdownPending:  {StateShutdownSent, StateShutdownReceived},
	StateShutdownSent:     {StateShutdownAckSent},
	StateShutdownReceived: {StateShutdownAckSent},
	StateShutdownAckSent:  {},
}

func (a *Association) become(s State) {
	if s != StateClosed {
		ok := false
		for _, t := range transitions[a.state] {
			ok = ok || t == s
		}
		if !ok || a.ended {
			panic("BUG: " + a.state.String() + " to " + s.String())
		}
	}
	a.state = s
}

// end lets go of everything but the events that wait.
func (a *Association) end() {
	a.become(StateClosed)
	a.ended = true
	a.timers = timers{}
	a.toBase()
	a.sendInit, a.sendCookie, a.sendCookieAck, a.sendShutdown, a.control, a.cookie = false, false, false, 0, nil, nil
	a.out, a.sched, a.pool, a.sent = table[outStream]{}, schedule{}, messagePool{}, sentQueue{packets: a.sent.packets, header: a.sent.header}
	a.sent.reset(a.initialTSN)
	a.forward = forward{point: a.sent.cum, scanned: a.sent.cum}
	a.received.reset(a.received.base)
	a.asm = reassembly{delivered: a.asm.delivered, charged: a.asm.delivered, messages: a.asm.messages}
	a.sack, a.reset = sack{}, resets{}
	a.acksSeen, a.sackSeen = false, false
}

// fail ends the association without telling the peer.
func (a *Association) fail(err *AbortError) {
	if a.ended {
		return
	}
	a.end()
	a.events.pushRare(EventAborted, nil, err)
}

// abort ends the association and tells the peer, with value as what its cause carries.
func (a *Association) abort(err *AbortError, value []byte) {
	if a.peerTag != 0 {
		a.refuse(a.peerTag, err.Cause, value)
	}
	a.fail(err)
}

// refuse sends ABORT.
func (a *Association) refuse(tag uint32, cause CauseCode, value []byte) {
	p := appendHeader(make([]byte, 0, 32), a.cfg.LocalPort, a.cfg.RemotePort, tag)
	p = appendTLV(p, chunkHead(chunkAbort, 0), appendTLV(nil, uint16(cause), value))
	seal(p)
	a.direct.push(p)
}

// maxReason bounds the text that goes into ABORT.
const maxReason = 128

// Abort ends the association at once; ABORT is the last packet.
func (a *Association) Abort(now time.Time, reason string) {
	a.enter(now)
	a.abort(&AbortError{Cause: causeUserInitiated, Reason: reason}, []byte(reason[:min(len(reason), maxReason)]))
}

func (a *Association) handleAbort(body []byte) {
	err := &AbortError{Remote: true}
	if cause, value, _, ok := splitTLV(body); ok {
		err.Cause = CauseCode(cause)
		if err.Cause == causeUserInitiated || err.Cause == causeProtocolViolation {
			err.Reason = string(value[:min(len(value), maxReason)])
		}
	}
	a.fail(err)
}

// queueControl appends a chunk to those that go first into the next packet, as long as they leave room for a SACK.
func (a *Association) queueControl(head uint16, value []byte) {
	const others = headerSize + chunkHeader + sackHeader // COOKIE ACK and SACK
	if others+len(a.control)+4+padded(len(value)) > a.mtu || !a.open() && a.state != StateCookieEchoed {
		a.stats.Drops.Control++
		return
	}
	a.control = appendTLV(a.control, head, value)
}

func (a *Association) queueError(cause CauseCode, value []byte) {
	a.queueControl(chunkHead(chunkError, 0), appendTLV(nil, uint16(cause), value))
}

// packets are whole packets that wait to be sent: answers to what came from outside of the association, and ABORT.
type packets [][]byte

// maxPackets is how many wait.
const maxPackets = 4

// push drops p when there are too many; the peer asks again.
func (q *packets) push(p []byte) {
	if len(*q) < maxPackets {
		*q = append(*q, p)
	}
}

func (q *packets) pop() []byte {
	p := (*q)[0]
	if *q = (*q)[1:]; len(*q) == 0 {
		*q = nil
	}
	return p
}
