package peer

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sansrtc/rtc/internal/simnet"
)

var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// seeded is a reader of reproducible bytes.
func seeded(seed, stream uint64) *rand.ChaCha8 {
	var key [32]byte
	for i := range 8 {
		key[i], key[8+i] = byte(seed>>(8*i)), byte(stream>>(8*i))
	}
	return rand.NewChaCha8(key)
}

// certificates are made once for all tests: the first two are those of the sides, the third is a stranger's.
var certificates = sync.OnceValue(func() (certs [3]Certificate) {
	for i := range certs {
		c, err := GenerateCertificate(seeded(7, uint64(i)), epoch, epoch.AddDate(1, 0, 0))
		if err != nil {
			panic(err)
		}
		certs[i] = c
	}
	return certs
})

// world is two cores, A and B, that are the ends of a wire, and a clock that jumps.
type world struct {
	t    testing.TB
	seed uint64
	now  time.Time
	core [2]*Core
	addr [2]netip.AddrPort
	wire *simnet.Wire
	ear  [2]*ear
	rng  *rand.Rand

	segments  int  // how long a run of datagrams may be
	unread    bool // events stay in the cores
	unchecked bool
	// see is called with each datagram that is sent, and says whether it goes on the wire.
	see func(from int, b []byte) bool
	// alter, if it is set, is what the path makes of a datagram.
	alter func(from int, b []byte) []byte
	sent  [2]int // datagrams
	steps int
	slab  [64 << 10]byte
	slot  [2][]byte // what arrived together
}

// answering is the role of an answerer.
func answering(passive bool) DTLSRole {
	if passive {
		return RoleServer
	}
	return RoleClient
}

func newWorld(t testing.TB, seed uint64, path simnet.Config, configs ...Config) *world {
	w := &world{
		t: t, seed: seed, now: epoch, wire: simnet.NewWire(seed, path), segments: 64, rng: rand.New(rand.NewPCG(seed, 3)),
		addr: [2]netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:1001"), netip.MustParseAddrPort("192.0.2.2:2002")},
	}
	for i := range w.core {
		var cfg Config
		if len(configs) > 0 {
			cfg = configs[min(i, len(configs)-1)]
		}
		if cfg.Rand == nil {
			cfg.Rand = seeded(seed, uint64(i))
		}
		if cfg.Certificate.PrivateKey == nil {
			cfg.Certificate = certificates()[i]
		}
		c, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		w.core[i] = c
		w.ear[i] = &ear{w: w, who: i, state: map[Handle]EventKind{}, tracks: map[StreamID]*heardTrack{}, sends: map[TransceiverID]*MediaSection{}}
	}
	return w
}

func (w *world) fatalf(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf("seed %d, %v: %s", w.seed, w.now.Sub(epoch), fmt.Sprintf(format, args...))
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.fatalf("%v", err)
	}
}

// ear hears a core's events, and holds their grammar against them.
type ear struct {
	w      *world
	who    int
	log    []string
	states []ConnectionState
	ice    ICEState
	opened []Handle // in order
	got    []Event  // messages
	errs   []error
	state  map[Handle]EventKind // the last of each channel's life
	events []Event              // that have a charge which is not given back
	tracks map[StreamID]*heardTrack
	sends  map[TransceiverID]*MediaSection // what may be sent
	// keep leaves messages untaken; on is called with each event.
	keep bool
	on   func(e Event)
}

var eventNames = [...]string{
	EventNegotiationNeeded: "negotiation needed", EventSignalingState: "signaling", EventGatheringState: "gathering",
	EventCandidate: "candidate", EventServerUnused: "server unused", EventICEState: "ice", EventConnectionState: "connection",
	EventChannelIncoming: "incoming", EventChannelOpen: "open", EventMessage: "message", EventBufferedAmountLow: "low",
	EventChannelClosing: "closing", EventChannelError: "error", EventChannelClosed: "closed",
	EventTransceiver: "transceiver", EventSender: "sender", EventTrack: "track", EventTrackCodec: "track codec", EventTrackMuted: "track muted",
	EventTrackUnmuted: "track unmuted", EventTrackEnded: "track ended", EventRTP: "RTP", EventRTCP: "RTCP", EventKeyframe: "keyframe",
	EventBandwidth: "bandwidth",
}

var connectionNames = [...]string{"new", "connecting", "connected", "disconnected", "failed", "closed"}

func (s ConnectionState) name() string { return connectionNames[s] }

func describeEvent(e Event) string {
	s := eventNames[e.Kind]
	switch e.Kind {
	case EventSignalingState:
		s += " " + SignalingState(e.State).String()
	case EventGatheringState:
		s += " " + [...]string{"new", "gathering", "complete"}[e.State]
	case EventICEState:
		s += " " + ICEState(e.State).String()
	case EventConnectionState:
		s += " " + ConnectionState(e.State).name()
	case EventCandidate:
		if e.Candidate == nil {
			return s + " end"
		}
		s += " " + e.Candidate.Addr.String()
	case EventServerUnused:
		s += " " + e.Server
	case EventChannelIncoming, EventChannelOpen:
		s += fmt.Sprintf(" %q on %d", e.Params.Label, e.Params.ID)
	case EventMessage:
		s += fmt.Sprintf(" of %d bytes", len(e.Data))
	case EventChannelError:
		s += " " + e.Err.Error()
	case EventTransceiver:
		s += fmt.Sprintf(" %d %s", e.Media.Transceiver, [...]string{"", "created", "removed", "stopped"}[e.Media.Change])
	case EventSender:
		s += fmt.Sprintf(" %d sends %t", e.Media.Transceiver, e.Media.Section.Sending)
	case EventTrack, EventTrackCodec:
		s += fmt.Sprintf(" %d of %q %q: payload type %d, %s", e.Stream, e.Media.MID, e.Media.RID, e.Media.PayloadType, e.Media.Codec.Name)
	case EventTrackMuted, EventTrackUnmuted, EventTrackEnded:
		s += fmt.Sprintf(" %d", e.Stream)
	case EventKeyframe:
		s += fmt.Sprintf(" of %d, encoding %d", e.Media.Transceiver, e.Media.Encoding)
	case EventRTP:
		s += fmt.Sprintf(" of %d, number %d, %d bytes", e.Stream, binary.BigEndian.Uint16(e.Data[2:]), len(e.Data))
	}
	return s
}

// hear takes one event. What comes in an order that cannot be fails the test.
func (h *ear) hear(e Event) {
	w := h.w
	if e.Kind != EventRTP {
		h.log = append(h.log, describeEvent(e))
	}
	if n := len(h.states); n > 0 && h.states[n-1] == Closed {
		w.fatalf("%c hears %q after closed", 'A'+h.who, describeEvent(e))
	}
	last := h.state[e.Channel]
	allowed := func(ok bool) {
		if !ok {
			w.fatalf("%c hears %q of channel %d after %q", 'A'+h.who, describeEvent(e), e.Channel, eventNames[last])
		}
	}
	switch e.Kind {
	case EventConnectionState:
		h.states = append(h.states, ConnectionState(e.State))
	case EventICEState:
		h.ice = ICEState(e.State)
	case EventChannelIncoming, EventChannelOpen:
		allowed(last == 0)
		h.state[e.Channel] = EventChannelOpen
		h.opened = append(h.opened, e.Channel)
	case EventMessage:
		allowed(last == EventChannelOpen)
		if !slices.Contains(h.states, Connected) {
			w.fatalf("%c gets data before it is connected", 'A'+h.who)
		}
		h.got = append(h.got, e)
	case EventBufferedAmountLow:
		allowed(last == EventChannelOpen)
	case EventChannelClosing:
		allowed(last == EventChannelOpen || last == 0)
		h.state[e.Channel] = e.Kind
	case EventChannelError:
		allowed(last != EventChannelClosed && last != EventChannelError)
		h.errs = append(h.errs, e.Err)
		h.state[e.Channel] = e.Kind
	case EventChannelClosed:
		allowed(last != EventChannelClosed)
		h.state[e.Channel] = e.Kind
	}
	h.hearMedia(e)
	if e.Charge > 0 && h.keep {
		h.events = append(h.events, e)
	} else {
		w.core[h.who].Taken(w.now, e.Charge)
	}
	if h.on != nil {
		h.on(e)
	}
}

// take gives back the oldest n charges that are owed.
func (h *ear) take(n int) {
	n = min(n, len(h.events))
	for _, e := range h.events[:n] {
		h.w.core[h.who].Taken(h.w.now, e.Charge)
	}
	h.events = h.events[n:]
}

func (h *ear) connection() ConnectionState {
	if len(h.states) == 0 {
		return ConnectionNew
	}
	return h.states[len(h.states)-1]
}

func (w *world) check() {
	if w.unchecked {
		return
	}
	for i, c := range w.core {
		c.check(w.ear[i])
	}
}

// flush sends what wants to leave and takes the events, until both cores are quiet.
func (w *world) flush() {
	for again := true; again; {
		again = false
		for i, c := range w.core {
			n := 0
			for t, ok := c.PollWrite(w.now, w.slab[:0], w.segments); ok; t, ok = c.PollWrite(w.now, w.slab[:0], w.segments) {
				if n++; n > 10_000 {
					w.fatalf("%c sends without end", 'A'+i)
				}
				w.transmit(i, t)
			}
			for !w.unread {
				e, ok := c.PollEvent()
				if !ok {
					break
				}
				again = true
				w.ear[i].hear(e)
			}
		}
	}
	w.check()
}

// transmit puts a run of datagrams on the wire, after it has been held against what a Transmit promises.
func (w *world) transmit(from int, t Transmit) {
	switch c := w.core[from]; {
	case len(t.Data) == 0 || t.SegmentSize < 1 || t.SegmentSize > largerMTUs[len(largerMTUs)-1] || t.SegmentSize > mtu && !c.whole:
		w.fatalf("%c sends %d bytes in segments of %d", 'A'+from, len(t.Data), t.SegmentSize)
	case &t.Data[0] != &w.slab[0]:
		w.fatalf("%c sends what is not in the slab", 'A'+from)
	case len(t.Data) > t.SegmentSize*w.segments:
		w.fatalf("%c sends more than %d segments", 'A'+from, w.segments)
	case !t.Local.IsValid() || !t.Remote.IsValid():
		w.fatalf("%c sends from %v to %v", 'A'+from, t.Local, t.Remote)
	}
	for b := range slices.Chunk(t.Data, t.SegmentSize) {
		w.sent[from]++
		if t.Local != w.addr[from] || t.Remote != w.addr[1-from] {
			continue // there is nobody
		}
		if w.alter != nil {
			b = w.alter(from, b)
		}
		if w.see == nil || w.see(from, b) {
			w.wire.Send(w.now, from, b)
		}
	}
}

// step lets time jump to the next thing that happens, if that is not after end, and reports whether it did.
func (w *world) step(end time.Time) bool {
	w.flush()
	next := simnet.Earliest(w.wire.Next(), w.core[0].PollTimeout(), w.core[1].PollTimeout())
	if next.IsZero() || next.After(end) {
		w.now = end
		return false
	}
	if next.After(w.now) {
		w.now = next
	}
	if w.steps++; w.steps > 1_000_000 {
		w.fatalf("the world does not come to rest")
	}
	w.arrive()
	for i, c := range w.core {
		if t := c.PollTimeout(); !t.IsZero() && !t.After(w.now) {
			c.HandleTimeout(w.now)
			if t := c.PollTimeout(); !t.IsZero() && !t.After(w.now) {
				w.fatalf("%c: deadline %v is not after now", 'A'+i, t.Sub(epoch))
			}
		}
	}
	w.check()
	return true
}

// arrive hands over what has arrived, neighbours of equal size as one slab, and ends the burst.
func (w *world) arrive() {
	var pending [2]struct {
		data []byte
		size int
		any  bool
	}
	hand := func(to int) {
		p := &pending[to]
		if len(p.data) > 0 {
			w.core[to].HandleRead(w.now, w.addr[to], w.addr[1-to], p.data, p.size)
			for i := range p.data {
				p.data[i] = 0xee // it may not be kept
			}
		}
		p.data, p.size = p.data[:0], 0
	}
	for i := range pending {
		pending[i].data = w.slot[i][:0]
	}
	for to, b, ok := w.wire.Receive(w.now); ok; to, b, ok = w.wire.Receive(w.now) {
		p := &pending[to]
		if len(p.data) > 0 && (len(b) > p.size || len(p.data)%p.size != 0) {
			hand(to)
		}
		if len(p.data) == 0 {
			p.size = len(b)
		}
		p.data, p.any = append(p.data, b...), true
	}
	for i := range pending {
		hand(i)
		w.slot[i] = pending[i].data
		if pending[i].any {
			w.core[i].EndBurst(w.now)
		}
	}
}

// deliver gives a core a datagram that no wire has carried.
func (w *world) deliver(to int, remote netip.AddrPort, b []byte) {
	w.core[to].HandleRead(w.now, w.addr[to], remote, slices.Clone(b), 0)
	w.core[to].EndBurst(w.now)
	w.flush()
}

// run lets d pass.
func (w *world) run(d time.Duration) {
	for end := w.now.Add(d); w.step(end); {
	}
	w.flush()
}

// runUntil lets time pass until cond holds, at most d.
func (w *world) runUntil(what string, d time.Duration, cond func() bool) {
	w.t.Helper()
	for end := w.now.Add(d); ; {
		w.flush()
		if cond() {
			return
		}
		if !w.step(end) {
			w.flush()
			if !cond() {
				w.fatalf("%s: not within %v; A %s, B %s\nA: %q\nB: %q", what, d, w.ear[0].connection().name(), w.ear[1].connection().name(),
					w.ear[0].log, w.ear[1].log)
			}
			return
		}
	}
}

// gather gives a core its address, when it asks for it.
func (w *world) gather(who int) {
	c := w.core[who]
	if c.TakeGather() {
		c.AddLocalCandidate(w.now, w.addr[who], 65535)
		c.EndOfLocalCandidates(w.now)
	}
}

// offer makes and applies an offer, with all candidates.
func (w *world) offer(from int) Description {
	w.t.Helper()
	c := w.core[from]
	d, err := c.CreateOffer(false)
	w.must(err)
	w.must(c.SetLocal(w.now, d))
	w.gather(from)
	d, _ = c.Descriptions().Local()
	w.flush()
	return d
}

// answer applies an offer, and makes and applies the answer.
func (w *world) answer(from int, offer Description) Description {
	w.t.Helper()
	c := w.core[from]
	w.must(c.SetRemote(w.now, offer))
	d, err := c.CreateAnswer()
	w.must(err)
	w.must(c.SetLocal(w.now, d))
	w.gather(from)
	d, _ = c.Descriptions().Local()
	w.flush()
	return d
}

func (w *world) accept(to int, answer Description) {
	w.t.Helper()
	w.must(w.core[to].SetRemote(w.now, answer))
	w.flush()
}

// negotiate does all of it at once.
func (w *world) negotiate(from int) {
	w.t.Helper()
	w.accept(from, w.answer(1-from, w.offer(from)))
}

func reliable(label string) Params {
	return Params{Label: label, Ordered: true, MaxRetransmits: -1, MaxLifetime: -1}
}

func (w *world) open(who int, p Params) Handle {
	w.t.Helper()
	h, err := w.core[who].OpenChannel(w.now, p)
	w.must(err)
	return h
}

// connect opens a channel from A, negotiates, and waits for it at both ends.
func (w *world) connect() (a, b Handle) {
	w.t.Helper()
	a = w.open(0, reliable("chat"))
	w.negotiate(0)
	w.runUntil("channel open at both ends", time.Minute, func() bool { return len(w.ear[0].opened) == 1 && len(w.ear[1].opened) == 1 })
	return a, w.ear[1].opened[0]
}

// settle lets the last acknowledgements pass.
func (w *world) settle() { w.run(2 * time.Second) }

func (w *world) send(who int, h Handle, data []byte) {
	w.t.Helper()
	if len(data) > 500 {
		w.must(w.core[who].Send(w.now, h, data, false))
		return
	}
	lent := bytes.Clone(data)
	w.must(w.core[who].SendCopy(w.now, h, lent, false))
	clear(lent)
}

// body is a message of n bytes that knows its number.
func body(number, n int) []byte {
	b := make([]byte, max(n, 4))
	for i := range b {
		b[i] = byte(number>>(8*(i&3))) + byte(i>>2)
	}
	return b
}

func bodyNumber(b []byte) (number int, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	number = int(b[0]) | int(b[1])<<8 | int(b[2])<<16 | int(b[3])<<24
	return number, slices.Equal(b, body(number, len(b)))
}
