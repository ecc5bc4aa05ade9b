package channel

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// epoch is the time of all tests: nothing in the package depends on it.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// line stands in for SCTP between two machines. It keeps the order of ordered
// messages of one stream and of resets behind all that came before them, and
// nothing else: streams, unordered messages and answers to resets overtake each
// other as the seed says. It also watches what a machine may ask of SCTP.
type line struct {
	t        testing.TB
	rng      *rand.Rand
	ends     [2]*end
	maxSteps int
	lossy    bool // messages of limited reliability may be lost
	direct   bool // messages go to the application without a queue, where they can
	note     func(format string, args ...any)
}

// end is a machine with its SCTP and its application's record.
type end struct {
	name    string
	m       *Machine
	streams map[uint16]*direction // what this end sends
	window  int                   // bytes the SCTP here delivered and did not get back
	took    []string              // events, as text
	order   map[Handle]EventKind  // the last event of each channel
	onEvent func(Event)
}

// direction is one stream from one end to the other.
type direction struct {
	flight    []packet
	nextSSN   int // of ordered messages, at the sender
	wantSSN   int // at the receiver
	resetting bool
	answered  bool // the reset is done: the sender may send again when it has released the stream
}

type packet struct {
	kind packetKind
	out  Outgoing
	ssn  int
}

type packetKind uint8

const (
	packetData packetKind = iota
	packetReset
	packetAnswer // travels against the direction
)

func newLine(t testing.TB, seed uint64, a, b Config) *line {
	l := &line{t: t, rng: rand.New(rand.NewPCG(seed, 0)), maxSteps: 100_000, direct: seed%2 == 0, note: func(string, ...any) {}}
	for i, cfg := range []Config{a, b} {
		l.ends[i] = &end{
			name:    string(rune('A' + i)),
			m:       New(cfg),
			streams: map[uint16]*direction{},
			order:   map[Handle]EventKind{},
		}
	}
	return l
}

// connected is a line whose association is up; A is the DTLS client.
func connected(t testing.TB, seed uint64, a, b Config) *line {
	l := newLine(t, seed, a, b)
	l.connect(65535)
	return l
}

func (l *line) connect(maxStreams int) {
	for i, e := range l.ends {
		e.m.SetRole(i == 0)
		e.m.HandleConnected(epoch, maxStreams)
		l.pump(e)
	}
}

func (e *end) direction(id uint16) *direction {
	d := e.streams[id]
	if d == nil {
		d = &direction{}
		e.streams[id] = d
	}
	return d
}

func (l *line) other(e *end) *end {
	if e == l.ends[0] {
		return l.ends[1]
	}
	return l.ends[0]
}

// pump moves all that a machine wants to SCTP.
func (l *line) pump(e *end) {
	l.t.Helper()
	e.m.check()
	for {
		id, ok := e.m.PollRelease()
		if !ok {
			break
		}
		l.note("%s: stream %d is free", e.name, id)
		out := e.direction(id)
		if out.nextSSN != 0 || !out.answered || len(out.flight) != 0 {
			l.t.Fatalf("%s releases stream %d that it still sends on", e.name, id)
		}
		out.resetting, out.answered = false, false
	}
	for out, ok := e.m.PollSend(); ok; out, ok = e.m.PollSend() {
		l.launch(e, out)
	}
	for {
		id, ok := e.m.PollReset()
		if !ok {
			break
		}
		d := e.direction(id)
		if d.resetting {
			l.t.Fatalf("%s resets stream %d twice", e.name, id)
		}
		l.note("%s: stream %d, reset", e.name, id)
		d.resetting = true
		d.flight = append(d.flight, packet{kind: packetReset})
	}
	for {
		n, ok := e.m.PollCredit()
		if !ok {
			break
		}
		l.note("%s: credit %d", e.name, n)
		e.window -= n
	}
	e.m.check()
}

// launch sends a message.
func (l *line) launch(e *end, out Outgoing) {
	l.t.Helper()
	d := e.direction(out.Stream)
	if d.resetting {
		l.t.Fatalf("%s sends on stream %d while it is being reset", e.name, out.Stream)
	}
	if len(out.Data) == 0 {
		l.t.Fatalf("%s sends an empty message, which SCTP does not have", e.name)
	}
	l.note("%s: stream %d, send %s", e.name, out.Stream, outgoingText(out))
	p := packet{kind: packetData, out: out}
	if !out.Unordered {
		p.ssn = d.nextSSN
		d.nextSSN++
	}
	d.flight = append(d.flight, p)
}

// candidate is a packet that may arrive next.
type candidate struct {
	from *end
	id   uint16
	i    int
}

func (l *line) candidates() []candidate {
	var all []candidate
	for _, e := range l.ends {
		ids := make([]uint16, 0, len(e.streams))
		for id := range e.streams {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		for _, id := range ids {
			ordered := false
			for i, p := range e.streams[id].flight {
				switch {
				case p.kind == packetReset && i > 0: // waits for all before it
				case p.kind == packetData && !p.out.Unordered && ordered: // waits for its turn
				default:
					all = append(all, candidate{e, id, i})
				}
				ordered = ordered || p.kind == packetData && !p.out.Unordered
			}
		}
	}
	return all
}

// step lets one packet arrive; false: nothing is on its way.
func (l *line) step() bool {
	l.t.Helper()
	all := l.candidates()
	if len(all) == 0 {
		return false
	}
	l.arrive(all[l.rng.IntN(len(all))])
	return true
}

func (l *line) arrive(c candidate) {
	l.t.Helper()
	d := c.from.streams[c.id]
	p := d.flight[c.i]
	d.flight = slices.Delete(d.flight, c.i, c.i+1)
	to := l.other(c.from)
	switch p.kind {
	case packetData:
		l.note("%s: stream %d, got %s", to.name, c.id, outgoingText(p.out))
		if !p.out.Unordered {
			if p.ssn != d.wantSSN {
				l.t.Fatalf("stream %d from %s: message %d where %d is next", c.id, c.from.name, p.ssn, d.wantSSN)
			}
			d.wantSSN++
		}
		if l.lossy && (p.out.MaxRetransmits >= 0 || p.out.Lifetime >= 0) && l.rng.IntN(3) == 0 {
			return
		}
		to.window += len(p.out.Data)
		data := slices.Clone(p.out.Data)
		var ev Event
		ok := false
		if l.direct {
			var m Message
			m, ok = to.m.Deliver(epoch, c.id, p.out.PPID, data)
			ev = m.event()
		}
		if ok {
			l.hear(to, ev)
		} else {
			to.m.HandleMessage(epoch, c.id, p.out.PPID, data)
		}
		l.pump(to)
	case packetReset:
		l.note("%s: stream %d, got reset", to.name, c.id)
		d.wantSSN = 0
		to.m.HandleIncomingReset(epoch, c.id)
		d.flight = append(d.flight, packet{kind: packetAnswer})
		l.pump(to)
	case packetAnswer:
		l.note("%s: stream %d, got answer to reset", c.from.name, c.id)
		d.nextSSN, d.answered = 0, true
		c.from.m.HandleOutgoingReset(epoch, c.id)
		l.pump(c.from)
	}
}

// take gives the oldest event to the application.
func (l *line) take(e *end) bool {
	l.t.Helper()
	ev, ok := e.m.PollEvent()
	if !ok {
		return false
	}
	l.hear(e, ev)
	return true
}

func (l *line) hear(e *end, ev Event) {
	l.t.Helper()
	e.window -= ev.Charge
	if e.window < 0 {
		l.t.Fatalf("%s gives SCTP more window back than it had lent", e.name)
	}
	if last, begun := e.order[ev.Channel]; !mayFollow(last, begun, ev.Kind) {
		l.t.Fatalf("%s, channel %d: %v after %v", e.name, ev.Channel, ev.Kind, last)
	}
	if ev.Kind != EventBufferedAmountLow {
		e.order[ev.Channel] = ev.Kind
	}
	e.took = append(e.took, eventText(ev))
	l.note("%s: %s", e.name, eventText(ev))
	if e.onEvent != nil {
		e.onEvent(ev)
	}
	e.m.check()
}

// mayFollow is the order of the events of a channel.
func mayFollow(last EventKind, begun bool, next EventKind) bool {
	switch next {
	case EventIncoming, EventOpen:
		return !begun
	case EventMessage, EventClosing, EventBufferedAmountLow:
		return last == EventIncoming || last == EventOpen || last == EventMessage
	case EventError:
		return last != EventError && last != EventClosed
	case EventClosed:
		return last != EventClosed
	}
	return false
}

func outgoingText(out Outgoing) string {
	s, ok := map[uint32]string{ppidDCEP: "DCEP", ppidString: "string", ppidBinary: "binary", ppidStringEmpty: "empty string", ppidBinaryEmpty: "empty binary"}[out.PPID]
	if !ok {
		s = fmt.Sprintf("PPID %d", out.PPID)
	}
	s += fmt.Sprintf(" %q", out.Data)
	if out.Unordered {
		s += " unordered"
	}
	if out.MaxRetransmits >= 0 {
		s += fmt.Sprintf(" retransmits=%d", out.MaxRetransmits)
	}
	return s
}

func eventText(ev Event) string {
	s := fmt.Sprintf("channel %d %v", ev.Channel, ev.Kind)
	switch ev.Kind {
	case EventIncoming, EventOpen:
		s += fmt.Sprintf(" %q on stream %d", ev.Params.Label, ev.Params.ID)
	case EventMessage:
		kind := "binary"
		if ev.IsString {
			kind = "string"
		}
		s += fmt.Sprintf(" %s %.20q", kind, ev.Data)
	case EventError:
		s += ": " + ev.Err.Error()
	}
	return s
}

// settle lets everything arrive and everything be taken.
func (l *line) settle() {
	l.t.Helper()
	for range l.maxSteps {
		if l.step() {
			continue
		}
		busy := false
		for _, e := range l.ends {
			l.pump(e)
			for l.take(e) {
				l.pump(e)
				busy = true
			}
		}
		if !busy && len(l.candidates()) == 0 {
			return
		}
	}
	l.t.Fatal("the line does not come to rest")
}

// wantEvents compares what the application of e saw since the last call.
func (l *line) wantEvents(e *end, want ...string) {
	l.t.Helper()
	if !slices.Equal(e.took, want) {
		l.t.Errorf("%s saw\n\t%q\nwant\n\t%q", e.name, e.took, want)
	}
	e.took = nil
}

// wantRest expects that nothing of any channel is left but the channels named.
func (l *line) wantRest(e *end, channels int) {
	l.t.Helper()
	if n := len(e.m.streams); n != channels {
		l.t.Errorf("%s keeps %d streams, want %d", e.name, n, channels)
	}
	if e.m.live != channels {
		l.t.Errorf("%s has %d channels, want %d", e.name, e.m.live, channels)
	}
	if e.window != e.m.held.bytes {
		l.t.Errorf("%s owes SCTP %d bytes of window", e.name, e.window-e.m.held.bytes)
	}
}

func (l *line) open(e *end, p Params) Handle {
	l.t.Helper()
	h, err := e.m.Open(epoch, p)
	if err != nil {
		l.t.Fatalf("%s opens %q: %v", e.name, p.Label, err)
	}
	l.pump(e)
	return h
}

func (l *line) send(e *end, h Handle, text string) {
	l.t.Helper()
	if err := l.sendData(e, h, []byte(text), true); err != nil {
		l.t.Fatalf("%s sends %q: %v", e.name, text, err)
	}
}

func (l *line) sendData(e *end, h Handle, data []byte, isString bool) error {
	l.t.Helper()
	l.pump(e)
	out, err := e.m.Send(epoch, h, len(data), isString, 0)
	if err == nil {
		if out.Data == nil {
			out.Data = data
		}
		l.launch(e, out)
	}
	l.pump(e)
	return err
}

func (l *line) close(e *end, h Handle) {
	l.t.Helper()
	e.m.Close(epoch, h)
	l.pump(e)
}

func reliable(label string) Params {
	return Params{Label: label, Ordered: true, MaxRetransmits: -1, MaxLifetime: -1}
}

func negotiated(label string, id uint16) Params {
	p := reliable(label)
	p.Negotiated, p.HasID, p.ID = true, true, id
	return p
}
