package channel

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// loose is a line whose packets the test lets arrive one by one.
func loose(t *testing.T) (l *line, a, b *end) {
	t.Helper()
	l = connected(t, 1, Config{}, Config{})
	return l, l.ends[0], l.ends[1]
}

// arriveNext lets the oldest packet of a stream arrive: a message, a reset or an answer.
func (l *line) arriveNext(from *end, id uint16) {
	l.t.Helper()
	if d := from.streams[id]; d == nil || len(d.flight) == 0 {
		l.t.Fatalf("%s has nothing on its way on stream %d", from.name, id)
	}
	l.arrive(candidate{from, id, 0})
}

// takeAll gives all events that wait to the application.
func (l *line) takeAll(e *end) {
	l.t.Helper()
	for l.take(e) {
	}
}

// wantSends expects what a machine alone wants to send, as "stream/ppid data".
func wantSends(t *testing.T, m *Machine, want ...string) {
	t.Helper()
	m.check()
	got := []string{}
	for {
		out, ok := m.PollSend()
		if !ok {
			break
		}
		got = append(got, fmt.Sprintf("%d/%d %q", out.Stream, out.PPID, out.Data))
	}
	m.check()
	if !slices.Equal(got, want) {
		t.Errorf("sends %q, want %q", got, want)
	}
}

func TestOpenMistakes(t *testing.T) {
	long := strings.Repeat("x", 65536)
	for _, tc := range []struct {
		name     string
		change   func(*Params)
		want     *Error
		category Category
	}{
		{"label", func(p *Params) { p.Label = long }, ErrLabelTooLong, TypeError},
		{"protocol", func(p *Params) { p.Protocol = long }, ErrProtocolTooLong, TypeError},
		{"both limits", func(p *Params) { p.MaxLifetime, p.MaxRetransmits = 0, 0 }, ErrTwoLimits, TypeError},
		{"retransmits", func(p *Params) { p.MaxRetransmits = 65536 }, ErrLimitRange, TypeError},
		{"lifetime", func(p *Params) { p.MaxLifetime = 65536 * time.Millisecond }, ErrLimitRange, TypeError},
		{"no id", func(p *Params) { p.Negotiated = true }, ErrNoNegotiatedID, TypeError},
		{"id 65535", func(p *Params) { *p = negotiated("", 65535) }, ErrIDRange, TypeError},
		{"id taken", func(p *Params) { *p = negotiated("", 7) }, ErrIDTaken, OperationError},
		{"id beyond streams", func(p *Params) { *p = negotiated("", 100) }, ErrNoID, OperationError},
	} {
		m := New(Config{})
		m.SetRole(true)
		m.HandleConnected(epoch, 100)
		if _, err := m.Open(epoch, negotiated("first", 7)); err != nil {
			t.Fatal(err)
		}
		p := reliable("")
		tc.change(&p)
		before := len(m.Handles())
		_, err := m.Open(epoch, p)
		if err != error(tc.want) || tc.want.Category != tc.category {
			t.Errorf("%s: error %v", tc.name, err)
		}
		m.check()
		if len(m.Handles()) != before {
			t.Errorf("%s: a refused channel was made", tc.name)
		}
	}
}

// W3C reads the id of a channel only when negotiated is true.
func TestIDOfInBandChannelIsNotTheCallers(t *testing.T) {
	m := New(Config{})
	p := negotiated("", 7)
	p.Negotiated = false
	h, err := m.Open(epoch, p)
	if info, _ := m.Info(h); err != nil || info.HasID {
		t.Errorf("%v, %+v", err, info)
	}
}

// RFC 8832 §6: "If the side is acting as the DTLS client, it MUST choose an
// even stream identifier; if the side is acting as the DTLS server, it MUST
// choose an odd one."
func TestIDsFollowRole(t *testing.T) {
	for _, client := range []bool{true, false} {
		m := New(Config{})
		for _, p := range []Params{reliable("a"), negotiated("n", 2), negotiated("m", 1), reliable("b"), reliable("c")} {
			if _, err := m.Open(epoch, p); err != nil {
				t.Fatal(err)
			}
		}
		wantSends(t, m) // nobody knows the parity yet
		m.SetRole(client)
		m.check()
		var got []uint16
		for _, h := range m.Handles() {
			info, _ := m.Info(h)
			got = append(got, info.ID)
		}
		want := map[bool][]uint16{true: {0, 2, 1, 4, 6}, false: {3, 2, 1, 5, 7}}[client]
		if !slices.Equal(got, want) {
			t.Errorf("client %v: ids %v, want %v", client, got, want)
		}
		m.SetRole(!client)
		h, err := m.Open(epoch, reliable("late"))
		if info, _ := m.Info(h); err != nil || info.ID != want[4]+2 {
			t.Errorf("client %v: a late channel got id %d, %v", client, info.ID, err)
		}
	}
}

// The OPEN rides with SCTP's handshake, the event waits for its end.
func TestOpenLeavesBeforeConnected(t *testing.T) {
	m := New(Config{})
	h, err := m.Open(epoch, reliable("x"))
	if err != nil {
		t.Fatal(err)
	}
	m.SetRole(true)
	wantSends(t, m, `0/50 "\x03\x00\x01\x00\x00\x00\x00\x00\x00\x01\x00\x00x"`)
	if err := m.Send(epoch, h, nil, false, 0); err != ErrNotOpen {
		t.Errorf("Send before open: %v", err)
	}
	if e, ok := m.PollEvent(); ok {
		t.Errorf("event %v before the association", e.Kind)
	}
	m.HandleConnected(epoch, 65535)
	if e, _ := m.PollEvent(); e.Kind != EventOpen || e.Params.Label != "x" {
		t.Errorf("event %+v, want open", e)
	}
	wantSends(t, m)
}

func TestIDsRunOut(t *testing.T) {
	m := New(Config{})
	m.SetRole(true)
	m.HandleConnected(epoch, 6)
	for range 3 {
		if _, err := m.Open(epoch, reliable("")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.Open(epoch, reliable("")); err != ErrNoID {
		t.Errorf("fourth channel on ids 0, 2, 4: %v", err)
	}
	if _, err := m.Open(epoch, negotiated("", 5)); err != nil {
		t.Errorf("an odd id is left: %v", err)
	}
	m.check()
}

// All streams carry a channel; the next has none, and the first that closes
// makes room again.
func TestAllIDs(t *testing.T) {
	l, a, b := loose(t)
	for range 32768 {
		if _, err := a.m.Open(epoch, reliable("")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.m.Open(epoch, reliable("")); err != ErrNoID {
		t.Fatalf("channel 32769: %v", err)
	}
	for range 32767 {
		if _, err := b.m.Open(epoch, reliable("")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.m.Open(epoch, reliable("")); err != ErrNoID {
		t.Fatalf("channel 65536: %v", err)
	}
	h, _ := a.m.Lookup(400)
	a.m.Close(epoch, h)
	for {
		if _, ok := a.m.PollSend(); !ok {
			break
		}
	}
	if id, ok := a.m.PollReset(); !ok || id != 400 {
		t.Fatalf("reset of %d, %v", id, ok)
	}
	a.m.HandleOutgoingReset(epoch, 400)
	a.m.HandleIncomingReset(epoch, 400)
	if id, ok := a.m.PollRelease(); !ok || id != 400 {
		t.Fatalf("release of %d, %v", id, ok)
	}
	h, err := a.m.Open(epoch, reliable(""))
	if info, _ := a.m.Info(h); err != nil || info.ID != 400 {
		t.Errorf("id %d, %v, want the one that is free", info.ID, err)
	}
	a.m.check()
	_ = l
}

// Channels that waited and find no id in the association fail with an event.
func TestWaitingChannelsWithoutID(t *testing.T) {
	m := New(Config{})
	for _, p := range []Params{reliable("a"), reliable("b"), negotiated("c", 5), reliable("d")} {
		if _, err := m.Open(epoch, p); err != nil {
			t.Fatal(err)
		}
	}
	m.SetRole(true)
	m.Close(epoch, 4)
	m.check()
	m.HandleConnected(epoch, 2)
	m.check()
	var got []string
	for {
		e, ok := m.PollEvent()
		if !ok {
			break
		}
		got = append(got, eventText(e))
	}
	want := []string{
		`channel 1 open "a" on stream 0`,
		`channel 2 error: ` + ErrNoID.Error(), `channel 2 closed`,
		`channel 3 error: ` + ErrNoID.Error(), `channel 3 closed`,
		`channel 4 closed`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("events %q\nwant %q", got, want)
	}
	wantSends(t, m, `0/50 "\x03\x00\x01\x00\x00\x00\x00\x00\x00\x01\x00\x00a"`)
	if id, ok := m.PollReset(); ok {
		t.Errorf("reset of stream %d that does not exist", id)
	}
}

func TestTooManyChannels(t *testing.T) {
	m := New(Config{MaxChannels: 2})
	m.Open(epoch, reliable(""))
	h, _ := m.Open(epoch, reliable(""))
	if _, err := m.Open(epoch, reliable("")); err != ErrTooManyChannels {
		t.Errorf("third of two channels: %v", err)
	}
	m.Close(epoch, h)
	if _, err := m.Open(epoch, reliable("")); err != nil {
		t.Errorf("after a close: %v", err)
	}
	m.check()
}

func TestSendBounds(t *testing.T) {
	m := New(Config{SendBuffer: 10})
	m.SetRole(true)
	m.HandleConnected(epoch, 10)
	h, _ := m.Open(epoch, reliable(""))
	m.SetRemoteMaxMessageSize(6)
	for _, step := range []struct {
		size, buffered int
		want           error
	}{
		{7, 0, ErrTooLarge}, {6, 5, ErrBufferFull}, {6, 4, nil}, {5, 0, ErrBufferFull}, {4, 0, nil}, {1, 0, ErrBufferFull}, {0, 0, nil},
	} {
		if err := m.Send(epoch, h, make([]byte, step.size), false, step.buffered); err != step.want {
			t.Errorf("%d bytes beside %d: %v, want %v", step.size, step.buffered, err, step.want)
		}
	}
	if n := m.BufferedAmount(h); n != 11 {
		t.Errorf("BufferedAmount %d", n)
	}
	m.check()
	for range 4 {
		m.PollSend()
		m.check()
	}
	if n := m.BufferedAmount(h); n != 0 {
		t.Errorf("BufferedAmount %d after all was given to SCTP", n)
	}
	m.SetRemoteMaxMessageSize(0)
	if err := m.Send(epoch, h, make([]byte, 10), false, 0); err != nil {
		t.Errorf("no limit: %v", err)
	}
	if err := m.Send(epoch, h+1, nil, false, 0); err != ErrNotOpen {
		t.Errorf("unknown handle: %v", err)
	}
}

// RFC 8841 §6.1: without the attribute the remote takes 64K.
func TestDefaultMessageSize(t *testing.T) {
	l, a, b := loose(t)
	h := l.open(a, reliable(""))
	if err := a.m.Send(epoch, h, make([]byte, 65537), false, 0); err != ErrTooLarge {
		t.Errorf("65537 bytes: %v", err)
	}
	if err := a.m.Send(epoch, h, make([]byte, 65536), false, 0); err != nil {
		t.Errorf("65536 bytes: %v", err)
	}
	l.pump(a)
	l.settle()
	if n := len(b.took); n != 2 {
		t.Errorf("%d events", n)
	}
}

func TestMessages(t *testing.T) {
	l, a, b := loose(t)
	h := l.open(a, reliable("c"))
	for _, m := range []struct {
		data     string
		isString bool
	}{{"text", true}, {"\x00", false}, {"", true}, {"", false}} {
		if err := a.m.Send(epoch, h, []byte(m.data), m.isString, 0); err != nil {
			t.Fatal(err)
		}
	}
	l.pump(a)
	var ppids []uint32
	for _, p := range a.streams[0].flight {
		ppids = append(ppids, p.out.PPID)
	}
	if want := []uint32{50, 51, 53, 56, 57}; !slices.Equal(ppids, want) {
		t.Errorf("PPIDs %v, want %v", ppids, want)
	}
	l.settle()
	l.wantEvents(b, `channel 1 incoming "c" on stream 0`, `channel 1 message string "text"`,
		`channel 1 message binary "\x00"`, `channel 1 message string ""`, `channel 1 message binary ""`)
	l.wantRest(b, 1)
	ia, _ := a.m.Info(h)
	ib, _ := b.m.Info(1)
	if ia.MessagesSent != 4 || ia.BytesSent != 5 || ib.MessagesReceived != 4 || ib.BytesReceived != 5 {
		t.Errorf("counted %+v and %+v", ia, ib)
	}
}

// RFC 8832 §6: "before the DATA_CHANNEL_ACK message or any other message has
// been received on a data channel, all other messages containing user data and
// belonging to this data channel MUST be sent ordered, no matter whether the
// data channel is ordered or not."
func TestUnorderedWaitsForConfirmation(t *testing.T) {
	p := reliable("u")
	p.Ordered, p.MaxRetransmits = false, 2
	for _, first := range []struct {
		name string
		ppid uint32
		data []byte
	}{{"ACK", ppidDCEP, ack}, {"user data", ppidString, []byte("hi")}} {
		m := New(Config{})
		m.SetRole(true)
		m.HandleConnected(epoch, 10)
		h, _ := m.Open(epoch, p)
		m.Send(epoch, h, []byte("1"), true, 0)
		m.HandleMessage(epoch, 0, first.ppid, first.data)
		m.Send(epoch, h, []byte("2"), true, 0)
		for i, want := range []Outgoing{
			{PPID: ppidDCEP, MaxRetransmits: -1, Lifetime: -1},
			{PPID: ppidString, MaxRetransmits: 2, Lifetime: -1},
			{PPID: ppidString, MaxRetransmits: 2, Lifetime: -1, Unordered: true},
		} {
			out, ok := m.PollSend()
			if !ok || out.PPID != want.PPID || out.Unordered != want.Unordered || out.MaxRetransmits != want.MaxRetransmits || out.Lifetime != want.Lifetime {
				t.Errorf("%s: message %d is %+v, want %+v", first.name, i, out, want)
			}
		}
	}
	// Without DCEP there is no OPEN to overtake; who got an OPEN has confirmed.
	l, a, b := loose(t)
	p.Negotiated, p.HasID, p.ID = true, true, 9
	h := l.open(a, p)
	l.send(a, h, "x")
	if out := a.streams[9].flight[0].out; !out.Unordered {
		t.Error("a negotiated unordered channel sent an ordered message")
	}
	p.Negotiated = false
	l.open(a, p)
	l.arriveNext(a, 0)
	l.takeAll(b)
	hb, _ := b.m.Lookup(0)
	l.send(b, hb, "y")
	if f := b.streams[0].flight; len(f) != 2 || f[0].out.Unordered || !f[1].out.Unordered {
		t.Errorf("incoming unordered channel sent %+v", f)
	}
}

func TestLifetime(t *testing.T) {
	for _, tc := range []struct{ asked, want time.Duration }{
		{0, time.Millisecond}, // W3C allows zero, SCTP would read it as no limit
		{1500 * time.Microsecond, time.Millisecond},
		{time.Second, time.Second},
		{-1 * time.Second, -1},
	} {
		l, a, _ := loose(t)
		p := reliable("")
		p.MaxLifetime = tc.asked
		h := l.open(a, p)
		l.send(a, h, "x")
		if got := a.streams[0].flight[1].out.Lifetime; got != tc.want {
			t.Errorf("lifetime %v became %v, want %v", tc.asked, got, tc.want)
		}
	}
}

// W3C: data queued before close still goes out; RFC 8831 §6.7: both directions
// are reset, then the channel is closed on both sides and its id is free.
func TestCloseAfterQueuedData(t *testing.T) {
	l, a, b := loose(t)
	h := l.open(a, reliable("c"))
	a.m.Send(epoch, h, []byte("last words"), true, 0)
	a.m.Close(epoch, h)
	if _, ok := a.m.PollReset(); ok {
		t.Error("the reset is before the data")
	}
	if err := a.m.Send(epoch, h, nil, true, 0); err != ErrNotOpen {
		t.Errorf("Send while closing: %v", err)
	}
	l.pump(a)
	l.settle()
	l.wantEvents(a, `channel 1 open "c" on stream 0`, `channel 1 closed`)
	l.wantEvents(b, `channel 1 incoming "c" on stream 0`, `channel 1 message string "last words"`, `channel 1 closing`, `channel 1 closed`)
	l.wantRest(a, 0)
	l.wantRest(b, 0)
	if h2 := l.open(a, reliable("d")); h2 == h {
		t.Error("a handle was given twice")
	} else if info, _ := a.m.Info(h2); info.ID != 2 {
		t.Errorf("id %d, want 2: 0 has just been used", info.ID)
	}
	a.m.Forget(h)
	if _, ok := a.m.Info(h); ok || a.m.State(h) != Closed {
		t.Error("forgotten channel is still there")
	}
}

func TestCloseFromBothSides(t *testing.T) {
	l, a, b := loose(t)
	ha := l.open(a, reliable("c"))
	l.settle()
	hb, _ := b.m.Lookup(0)
	l.send(b, hb, "lost: a is closing")
	l.close(a, ha)
	l.close(b, hb)
	l.close(b, hb) // again is nothing
	l.settle()
	l.wantEvents(a, `channel 1 open "c" on stream 0`, `channel 1 closed`)
	l.wantEvents(b, `channel 1 incoming "c" on stream 0`, `channel 1 closed`)
	l.wantRest(a, 0)
	l.wantRest(b, 0)
	if n := a.m.Stats().DroppedLate; n != 1 {
		t.Errorf("DroppedLate %d", n)
	}
}

func TestCloseWhileConnecting(t *testing.T) {
	l := newLine(t, 1, Config{}, Config{})
	a, b := l.ends[0], l.ends[1]
	first := l.open(a, reliable("before the role"))
	l.close(a, first)
	second := l.open(a, negotiated("negotiated", 8))
	third := l.open(a, reliable("announced"))
	a.m.SetRole(true)
	l.pump(a) // third's OPEN is in SCTP now
	l.close(a, second)
	l.close(a, third)
	if len(a.streams[0].flight) != 1 {
		t.Errorf("%d packets on stream 0, want the OPEN alone before the association", len(a.streams[0].flight))
	}
	l.connect(65535)
	l.settle()
	l.wantEvents(a, "channel 1 closed", "channel 2 closed", "channel 3 closed")
	l.wantEvents(b, `channel 1 incoming "announced" on stream 0`, "channel 1 closing", "channel 1 closed")
	l.wantRest(a, 0)
	l.wantRest(b, 0)
}

func TestAssociationGone(t *testing.T) {
	boom := errors.New("boom")
	for _, err := range []error{nil, boom} {
		l, a, b := loose(t)
		h := l.open(a, reliable("open"))
		closing := l.open(a, reliable("closing"))
		l.settle()
		hb, _ := b.m.Lookup(0)
		l.send(b, hb, "not taken yet")
		l.arriveNext(b, 0)
		a.m.HandleMessage(epoch, 77, ppidString, []byte("held"))
		a.window += 4
		l.close(a, closing)
		a.m.Send(epoch, h, []byte("never sent"), true, 0)
		a.took = nil
		a.m.HandleClosed(epoch, err)
		a.m.HandleClosed(epoch, err)
		l.pump(a)
		l.takeAll(a)
		want := []string{`channel 1 message string "not taken yet"`, "channel 1 error: boom", "channel 1 closed", "channel 2 error: boom", "channel 2 closed"}
		if err == nil {
			want = slices.DeleteFunc(want, func(s string) bool { return strings.Contains(s, "error") })
		}
		l.wantEvents(a, want...)
		l.wantRest(a, 0)
		a.window += 4
		a.m.HandleMessage(epoch, 0, ppidString, []byte("late"))
		a.m.HandleIncomingReset(epoch, 0)
		a.m.HandleOutgoingReset(epoch, 0)
		a.m.HandleConnected(epoch, 5)
		a.m.SetRole(false)
		a.m.Close(epoch, h)
		l.pump(a)
		l.wantRest(a, 0)
		if _, err := a.m.Open(epoch, reliable("")); err != ErrShut {
			t.Errorf("Open afterwards: %v", err)
		}
		if a.m.Send(epoch, h, nil, true, 0) != ErrNotOpen || a.m.BufferedAmount(h) != 0 {
			t.Error("a closed channel takes data")
		}
	}
}

func TestAssociationGoneBeforeItCame(t *testing.T) {
	m := New(Config{})
	m.Open(epoch, reliable("a"))
	m.HandleClosed(epoch, nil)
	m.check()
	if e, ok := m.PollEvent(); !ok || e.Kind != EventClosed {
		t.Errorf("event %+v", e)
	}
}

// The remote resets a channel that it does not want instead of the ACK:
// RFC 8832 §6 calls that "the failure of the data channel setup procedure".
func TestRefusedByRemote(t *testing.T) {
	l := connected(t, 1, Config{}, Config{MaxChannels: 1, MaxNameBytes: 8})
	a, b := l.ends[0], l.ends[1]
	l.open(a, reliable("name too long"))
	l.open(a, reliable("fits"))
	l.settle()
	l.open(a, reliable(""))
	l.settle()
	l.wantEvents(a, `channel 1 open "name too long" on stream 0`, `channel 2 open "fits" on stream 2`,
		"channel 1 closing", "channel 1 error: "+ErrRefused.Error(), "channel 1 closed",
		`channel 3 open "" on stream 4`, "channel 3 closing", "channel 3 error: "+ErrRefused.Error(), "channel 3 closed")
	l.wantEvents(b, `channel 1 incoming "fits" on stream 2`)
	l.wantRest(a, 1)
	l.wantRest(b, 1)
	if st := b.m.Stats(); st.Refused != 2 || st.Accepted != 1 || st.Opened != 1 {
		t.Errorf("stats %+v", st)
	}
}

// RFC 8832 §6: "If the DATA_CHANNEL_OPEN message doesn't satisfy the conditions
// above, the receiver MUST close the corresponding data channel [...] and MUST
// NOT send a DATA_CHANNEL_ACK message in response".
func TestBadOpenIsReset(t *testing.T) {
	bad := map[string][]byte{"parity": appendOpen(nil, reliable("x"))}
	for name, wire := range malformed {
		bad[name] = wire
	}
	for name, wire := range bad {
		_, a, b := loose(t)
		id := uint16(1) // B's parity, as A is the client
		if name == "parity" {
			id = 2
		}
		a.m.HandleMessage(epoch, id, ppidDCEP, wire)
		wantSends(t, a.m)
		if got, ok := a.m.PollReset(); !ok || got != id {
			t.Errorf("%s: no reset of stream %d", name, id)
		}
		if n, ok := a.m.PollCredit(); !ok || n != len(wire) {
			t.Errorf("%s: credit of %d bytes, want %d", name, n, len(wire))
		}
		if e, ok := a.m.PollEvent(); ok {
			t.Errorf("%s: event %v", name, e.Kind)
		}
		a.m.HandleMessage(epoch, id, ppidString, []byte("follows"))
		a.m.HandleOutgoingReset(epoch, id)
		a.m.HandleIncomingReset(epoch, id)
		a.m.check()
		if got, ok := a.m.PollRelease(); !ok || got != id {
			t.Errorf("%s: stream %d is not released", name, id)
		}
		if st := a.m.Stats(); st.DroppedDCEP != 1 || st.Refused != 1 || st.DroppedLate != 1 {
			t.Errorf("%s: stats %+v", name, st)
		}
		_ = b
	}
}

// str0m#690: an OPEN on a stream that carries a channel brought the other
// stack down. Here the channel closes with an error, whoever made it.
func TestIncident_str0m690_OpenOnUsedStream(t *testing.T) {
	for _, made := range []string{"here", "there", "negotiated"} {
		l, a, b := loose(t)
		id := uint16(0)
		switch made {
		case "here":
			l.open(a, reliable("c"))
		case "there":
			l.open(b, reliable("c"))
			id = 1
		case "negotiated":
			id = 1
			l.open(a, negotiated("c", id))
		}
		l.settle()
		a.took = nil
		wire := appendOpen(nil, reliable("conflict"))
		a.window += len(wire)
		a.m.HandleMessage(epoch, id, ppidDCEP, wire)
		l.pump(a)
		l.settle()
		l.wantEvents(a, "channel 1 closing",
			fmt.Sprintf("channel 1 error: channel: remote broke the protocol on stream %d: DATA_CHANNEL_OPEN on a used stream", id), "channel 1 closed")
		l.wantRest(a, 0)
		l.wantRest(b, 0)
	}
}

// Two applications give one id to channels of different kinds.
func TestNegotiatedMeetsInBand(t *testing.T) {
	l, a, b := loose(t)
	l.open(b, negotiated("n", 0))
	l.open(a, reliable("d"))
	l.settle()
	if a.order[1] != EventClosed || b.order[1] != EventClosed {
		t.Errorf("A ends with %v, B with %v", a.order[1], b.order[1])
	}
	l.wantRest(a, 0)
	l.wantRest(b, 0)
}

func TestDroppedAndCounted(t *testing.T) {
	m := New(Config{})
	m.SetRole(true)
	m.HandleConnected(epoch, 10)
	h, _ := m.Open(epoch, reliable(""))
	for _, msg := range []struct {
		id   uint16
		ppid uint32
		data string
	}{
		{0, 52, "part"}, {0, 54, "part"}, {0, 0, "none"}, {0, ^uint32(0), "none"}, {1, 52, "part of no channel"},
		{10, 51, "beyond"}, {65535, 50, "\x03"},
		{0, 50, "\x02"}, {0, 50, "\x02"}, {1, 50, "\x02"}, {0, 50, "\x01"}, {0, 50, ""},
	} {
		m.HandleMessage(epoch, msg.id, msg.ppid, []byte(msg.data))
		m.check()
		if n, ok := m.PollCredit(); !ok || n != len(msg.data) {
			t.Errorf("%d/%d %q: credit %d, %v", msg.id, msg.ppid, msg.data, n, ok)
		}
	}
	m.HandleIncomingReset(epoch, 10)
	m.HandleOutgoingReset(epoch, 0)
	m.HandleBufferedAmountLow(epoch, 3)
	m.check()
	if e, _ := m.PollEvent(); e.Kind != EventOpen {
		t.Errorf("event %+v", e)
	}
	if e, ok := m.PollEvent(); ok || m.State(h) != Open {
		t.Errorf("event %+v, %v", e, m.State(h))
	}
	st := m.Stats()
	st.Opened = 0
	if want := (Stats{DroppedPPID: 5, DroppedNoStream: 2, DroppedDCEP: 4}); st != want {
		t.Errorf("stats %+v, want %+v", st, want)
	}
}

// The remote uses a negotiated channel before this side has made it.
func TestMessagesBeforeNegotiatedChannel(t *testing.T) {
	l, a, b := loose(t)
	ha := l.open(a, negotiated("n", 3))
	l.send(a, ha, "1")
	l.send(a, ha, "2")
	l.settle()
	l.wantEvents(b)
	l.open(b, negotiated("n", 3))
	l.settle()
	l.wantEvents(b, `channel 1 open "n" on stream 3`, `channel 1 message string "1"`, `channel 1 message string "2"`)
	l.wantRest(b, 1)
}

// User data that overtook its OPEN, from a sender that does not obey RFC 8832 §6.
func TestMessagesBeforeOpen(t *testing.T) {
	l, a, b := loose(t)
	p := reliable("u")
	p.Ordered = false
	ha := l.open(a, p)
	a.m.channels[ha].confirmed = true
	l.send(a, ha, "early")
	l.arrive(candidate{a, 0, 1})
	l.settle()
	l.wantEvents(b, `channel 1 incoming "u" on stream 0`, `channel 1 message string "early"`)
	l.wantRest(b, 1)
}

// The bound holds whoever fills it, and a stream that went over it is refused
// as a whole: no channel gets half of its messages.
func TestHeldMessagesAreBounded(t *testing.T) {
	for _, cfg := range []Config{{MaxHeldMessages: 2}, {MaxHeldBytes: 2}, {MaxHeldMessages: -1}} {
		l := connected(t, 1, Config{}, cfg)
		a, b := l.ends[0], l.ends[1]
		ha := l.open(a, negotiated("n", 3))
		for _, text := range []string{"1", "2", "3", "4"} {
			l.send(a, ha, text)
		}
		l.settle()
		l.wantEvents(a, `channel 1 open "n" on stream 3`, "channel 1 closing", "channel 1 closed")
		l.wantEvents(b)
		l.wantRest(a, 0)
		l.wantRest(b, 0)
		if st := b.m.Stats(); st.DroppedEarly+st.DroppedLate != 4 || st.Refused != 1 {
			t.Errorf("stats %+v", st)
		}
	}
}

// The remote closes a negotiated channel that never was here: it needs our
// reset to be done with it.
func TestResetOfUnknownStreamIsAnswered(t *testing.T) {
	for _, silent := range []bool{true, false} {
		l, a, b := loose(t)
		ha := l.open(a, negotiated("n", 300))
		if !silent {
			l.send(a, ha, "nobody hears it")
		}
		l.close(a, ha)
		l.settle()
		l.wantEvents(a, `channel 1 open "n" on stream 300`, "channel 1 closed")
		l.wantEvents(b)
		l.wantRest(a, 0)
		l.wantRest(b, 0)
	}
}

// webrtc-rs' rtc answers the reset that answers its own, whatever the stream
// does by then: the echoes come to an end, and no new channel stands in their way.
func TestIncident_rtcEchoOfReset(t *testing.T) {
	for _, late := range []bool{true, false} {
		m := New(Config{})
		m.SetRole(true)
		m.HandleConnected(epoch, 65535)
		h, _ := m.Open(epoch, reliable("c"))
		m.PollSend()
		m.HandleMessage(epoch, 0, ppidDCEP, ack)
		m.HandleIncomingReset(epoch, 0) // the remote closes
		resets := 0
		for range 1000 {
			if id, ok := m.PollReset(); ok {
				resets++
				if !late {
					m.HandleIncomingReset(epoch, 0) // echo, before the answer
				}
				m.HandleOutgoingReset(epoch, id)
				m.PollRelease()
				if late {
					m.HandleIncomingReset(epoch, 0) // echo, when the stream is at rest
				}
				m.check()
			}
		}
		if resets > 1+maxAnswers || len(m.streams) != 0 || m.State(h) != Closed {
			t.Errorf("%d resets, %d streams, channel %v", resets, len(m.streams), m.State(h))
		}
		h, _ = m.Open(epoch, reliable("next"))
		if info, _ := m.Info(h); info.ID == 0 {
			t.Error("the next channel stands where an echo may strike")
		}
	}
}

// nextUse brings a line to where B has reset both directions of stream 0 and A
// still misses the answer to its own reset.
func nextUse(t *testing.T, cfg Config) (l *line, a, b *end) {
	t.Helper()
	l = newLine(t, 1, Config{}, cfg)
	l.connect(2)                // so that stream 0 is used again at once
	a, b = l.ends[1], l.ends[0] // B is the client here and owns stream 0
	hb := l.open(b, reliable("first"))
	l.settle()
	l.close(b, hb)
	l.arriveNext(b, 0) // reset: A resets back
	l.arriveNext(a, 0) // A's reset: the answer is on its way, slowly
	l.arriveNext(b, 0) // the answer to B: B is done
	l.takeAll(b)
	l.wantRest(b, 0)
	a.took = nil
	return l, a, b
}

// The remote may use an id again as soon as it is done with it, and that is
// before we are when its last answer was lost on the way.
func TestIDReusedBeforeOurAnswerCame(t *testing.T) {
	l, a, b := nextUse(t, Config{})
	hb := l.open(b, reliable("second"))
	l.send(b, hb, "x")
	l.arriveNext(b, 0)
	l.arriveNext(b, 0)
	l.takeAll(a)
	l.wantEvents(a, "channel 1 closing")
	l.arriveNext(a, 0) // the answer
	l.settle()
	l.wantEvents(a, "channel 1 closed", `channel 2 incoming "second" on stream 0`, `channel 2 message string "x"`)
	l.wantRest(a, 1)
	l.wantRest(b, 1)
}

func TestIDReusedAndClosedBeforeOurAnswerCame(t *testing.T) {
	l, a, b := nextUse(t, Config{})
	hb := l.open(b, reliable("second"))
	l.send(b, hb, "x")
	l.close(b, hb)
	for range 3 {
		l.arriveNext(b, 0)
	}
	l.arriveNext(a, 0)
	l.settle()
	l.wantEvents(a, "channel 1 closing", "channel 1 closed", `channel 2 incoming "second" on stream 0`, `channel 2 message string "x"`,
		"channel 2 closing", "channel 2 closed")
	l.wantRest(a, 0)
	l.wantRest(b, 0)
}

func TestIDReusedBeyondWhatIsHeld(t *testing.T) {
	for _, closed := range []bool{false, true} {
		l, a, b := nextUse(t, Config{})
		a.m.cfg.MaxHeldMessages = 2
		hb := l.open(b, reliable("second"))
		for _, text := range []string{"1", "2", "3"} {
			l.send(b, hb, text)
		}
		if closed {
			l.close(b, hb)
		}
		for len(b.streams[0].flight) > 0 {
			l.arriveNext(b, 0)
		}
		b.took = nil
		l.settle()
		l.wantEvents(a, "channel 1 closing", "channel 1 closed")
		if b.order[hb] != EventClosed {
			t.Errorf("B's channel ends with %v", b.order[hb])
		}
		l.wantRest(a, 0)
		l.wantRest(b, 0)
	}
}

// An OPEN between the last reset and the release of its stream: SCTP must not
// forget what has begun again.
func TestOpenBeforeRelease(t *testing.T) {
	m := New(Config{})
	m.SetRole(false)
	m.HandleConnected(epoch, 10)
	m.HandleMessage(epoch, 0, ppidDCEP, appendOpen(nil, reliable("first")))
	h, _ := m.Lookup(0)
	m.Close(epoch, h)
	m.PollSend()
	m.PollReset()
	m.HandleIncomingReset(epoch, 0)
	m.HandleOutgoingReset(epoch, 0)
	m.check()
	m.HandleMessage(epoch, 0, ppidDCEP, appendOpen(nil, reliable("second")))
	m.check()
	if id, ok := m.PollRelease(); ok {
		t.Errorf("release of stream %d, which carries a channel", id)
	}
	if h2, ok := m.Lookup(0); !ok || h2 == h {
		t.Errorf("stream carries %d, %v", h2, ok)
	}
}

// An id is free when SCTP was told to forget its stream, not before.
func TestIDIsTakenUntilRelease(t *testing.T) {
	m := New(Config{})
	m.SetRole(false)
	m.HandleConnected(epoch, 10)
	h, _ := m.Open(epoch, negotiated("", 4))
	m.Close(epoch, h)
	m.PollReset()
	m.HandleOutgoingReset(epoch, 4)
	m.HandleIncomingReset(epoch, 4)
	if _, err := m.Open(epoch, negotiated("", 4)); err != ErrIDTaken {
		t.Errorf("before the release: %v", err)
	}
	m.PollRelease()
	if _, err := m.Open(epoch, negotiated("", 4)); err != nil {
		t.Errorf("after the release: %v", err)
	}
	m.check()
}

func TestBufferedAmountLowKeepsItsPlace(t *testing.T) {
	l, a, _ := loose(t)
	h := l.open(a, reliable("c"))
	l.settle()
	a.m.HandleBufferedAmountLow(epoch, 0)
	l.close(a, h)
	a.m.HandleBufferedAmountLow(epoch, 0)
	l.settle()
	l.wantEvents(a, `channel 1 open "c" on stream 0`, "channel 1 buffered amount low", "channel 1 closed")
}

// A remote that opens as much as it can, with the longest names, and whose
// events nobody takes, is bounded: its OPENs stay charged to its own window.
func TestHostileOpens(t *testing.T) {
	m := New(Config{})
	m.SetRole(true)
	m.HandleConnected(epoch, 65535)
	big := appendOpen(nil, reliable(strings.Repeat("x", 65535)))
	for id := 1; id < 65535; id += 2 {
		m.HandleMessage(epoch, uint16(id), ppidDCEP, big)
	}
	m.check()
	if m.names > 16<<20 || m.Stats().Accepted != 256 {
		t.Errorf("%d bytes of names in %d channels", m.names, m.Stats().Accepted)
	}
}

func TestWrongOrderOfCallsIsABug(t *testing.T) {
	for name, call := range map[string]func(m *Machine){
		"connected without role":    func(m *Machine) { m.HandleConnected(epoch, 1) },
		"message before connection": func(m *Machine) { m.HandleMessage(epoch, 1, 51, nil) },
	} {
		func() {
			defer func() {
				if r := recover(); r == nil || !strings.HasPrefix(fmt.Sprint(r), "BUG: ") {
					t.Errorf("%s: %v", name, r)
				}
			}()
			call(New(Config{}))
		}()
	}
}

func TestQueue(t *testing.T) {
	var q queue[int]
	next, want := 0, 0
	for round := range 1000 {
		for range round % 7 {
			q.push(next)
			next++
		}
		for range round % 6 {
			if v, ok := q.pop(); ok {
				if v != want {
					t.Fatalf("popped %d, want %d", v, want)
				}
				want++
			}
		}
		if q.len() != next-want {
			t.Fatalf("len %d, want %d", q.len(), next-want)
		}
	}
}

// No allocation for a message on its way through, in either direction.
func TestNoAllocationPerMessage(t *testing.T) {
	l, a, b := loose(t)
	h := l.open(a, reliable("c"))
	l.settle()
	data := bytes.Repeat([]byte("x"), 1000)
	n := testing.AllocsPerRun(100, func() {
		for range 10 {
			a.m.Send(epoch, h, data, false, 0)
		}
		for {
			out, ok := a.m.PollSend()
			if !ok {
				break
			}
			b.m.HandleMessage(epoch, out.Stream, out.PPID, out.Data)
		}
		for {
			if _, ok := b.m.PollEvent(); !ok {
				break
			}
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkMessage(bench *testing.B) {
	l := connected(bench, 1, Config{}, Config{})
	a, b := l.ends[0], l.ends[1]
	h := l.open(a, reliable("c"))
	l.settle()
	data := make([]byte, 1000)
	bench.ReportAllocs()
	for bench.Loop() {
		a.m.Send(epoch, h, data, false, 0)
		out, _ := a.m.PollSend()
		b.m.HandleMessage(epoch, out.Stream, out.PPID, out.Data)
		b.m.PollEvent()
	}
}

func FuzzOperations(f *testing.F) {
	f.Add(uint64(0), []byte{})
	f.Add(uint64(1), []byte("a storm of things that two applications do"))
	f.Fuzz(func(t *testing.T, seed uint64, choices []byte) {
		runStorm(t, seed, func(n int) int {
			if len(choices) == 0 {
				return 0
			}
			c := choices[0]
			choices = choices[1:]
			return int(c) % n
		})
	})
}

// FuzzRemote feeds one machine whatever a remote and a network may: messages
// and resets of any kind in any order.
func FuzzRemote(f *testing.F) {
	f.Add([]byte("\x00\x01\x0d\x03\x00\x01\x00\x00\x00\x00\x00\x00\x01\x00\x00x\x01\x00\x02\x01"))
	f.Fuzz(func(t *testing.T, in []byte) {
		m := New(Config{MaxHeldMessages: 4, MaxHeldBytes: 64, MaxChannels: 6, MaxNameBytes: 40})
		m.SetRole(true)
		m.HandleConnected(epoch, 12)
		window := 0
		next := func() byte {
			if len(in) == 0 {
				return 0
			}
			c := in[0]
			in = in[1:]
			return c
		}
		for len(in) > 0 {
			op, id := next()%8, uint16(next()%13)
			switch op {
			case 0, 1, 2:
				n := min(int(next()%32), len(in))
				ppid := []uint32{50, 51, 53, 56, 57, 52, 0}[next()%7]
				if op == 0 {
					ppid = 50
				}
				n = min(n, len(in))
				m.HandleMessage(epoch, id, ppid, in[:n:n])
				window += n
				in = in[n:]
			case 3:
				m.HandleIncomingReset(epoch, id)
			case 4:
				m.HandleOutgoingReset(epoch, id)
			case 5:
				m.Open(epoch, reliable("x"))
			case 6:
				m.Open(epoch, negotiated("n", id))
			case 7:
				if h, ok := m.Lookup(id); ok {
					m.Close(epoch, h)
				}
			}
			m.check()
			for {
				if _, ok := m.PollRelease(); !ok {
					break
				}
			}
			for {
				if _, ok := m.PollSend(); !ok {
					break
				}
			}
			for {
				if _, ok := m.PollReset(); !ok {
					break
				}
			}
			for {
				n, ok := m.PollCredit()
				if !ok {
					break
				}
				window -= n
			}
			for {
				e, ok := m.PollEvent()
				if !ok {
					break
				}
				window -= e.Charge
				if e.Kind == EventClosed {
					m.Forget(e.Channel)
				}
			}
			m.check()
			if window != m.held.bytes {
				t.Fatalf("%d bytes of window are out, %d held", window, m.held.bytes)
			}
		}
	})
}

// An answer that nobody waits for is not the answer to a reset that has not left.
func TestAnswerBeforeReset(t *testing.T) {
	m := New(Config{})
	m.SetRole(true)
	m.HandleConnected(epoch, 10)
	h, _ := m.Open(epoch, reliable(""))
	m.PollSend()
	m.Close(epoch, h)
	m.HandleOutgoingReset(epoch, 0)
	m.HandleIncomingReset(epoch, 0)
	m.check()
	if m.State(h) != Closing {
		t.Errorf("channel is %v before its reset left", m.State(h))
	}
}
