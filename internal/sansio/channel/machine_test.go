package channel

import (
	"bytes"
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
	if _, err := m.Send(epoch, h, 0, false, 0); err != ErrNotOpen {
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
	_, a, b := loose(t)
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
	wantSends(t, m, `0/50 "\x03\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00"`)
	m.SetRemoteMaxMessageSize(6)
	for _, step := range []struct {
		size, buffered int
		want           error
	}{
		{7, 0, ErrTooLarge}, {6, 5, ErrBufferFull}, {6, 4, nil}, {1, 10, ErrBufferFull}, {0, 10, nil}, {0, 11, ErrBufferFull},
	} {
		if _, err := m.Send(epoch, h, step.size, false, step.buffered); err != step.want {
			t.Errorf("%d bytes beside %d: %v, want %v", step.size, step.buffered, err, step.want)
		}
	}
	if id, ok := m.Stream(h); !ok || id != 0 {
		t.Errorf("on stream %d, %v", id, ok)
	}
	if n := m.BytesSent(h); n != 6 {
		t.Errorf("%d bytes sent", n)
	}
	m.check()
	m.SetRemoteMaxMessageSize(0)
	if _, err := m.Send(epoch, h, 10, false, 0); err != nil {
		t.Errorf("no limit: %v", err)
	}
	if _, err := m.Send(epoch, h+1, 0, false, 0); err != ErrNotOpen {
		t.Errorf("unknown handle: %v", err)
	}
}

// RFC 8841 §6.1: without the attribute the remote takes 64K.
func TestDefaultMessageSize(t *testing.T) {
	l, a, b := loose(t)
	h := l.open(a, reliable(""))
	if _, err := a.m.Send(epoch, h, 65537, false, 0); err != ErrTooLarge {
		t.Errorf("65537 bytes: %v", err)
	}
	if err := l.sendData(a, h, make([]byte, 65536), false); err != nil {
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
		if err := l.sendData(a, h, []byte(m.data), m.isString); err != nil {
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

// The event tells of messages that have drained: what DCEP itself has sent does not count.
func TestBufferedAmountLowKeepsItsPlace(t *testing.T) {
	l, a, _ := loose(t)
	h := l.open(a, reliable("c"))
	l.settle()
	a.m.HandleBufferedAmountLow(epoch, 0) // OPEN has drained
	l.send(a, h, "x")
	l.settle()
	a.m.HandleBufferedAmountLow(epoch, 0)
	l.close(a, h)
	a.m.HandleBufferedAmountLow(epoch, 0)
	l.settle()
	l.wantEvents(a, `channel 1 open "c" on stream 0`, "channel 1 buffered amount low", "channel 1 closed")
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

// No allocation for a message on its way through, in either direction.
func TestNoAllocationPerMessage(t *testing.T) {
	l, a, b := loose(t)
	h := l.open(a, reliable("c"))
	l.settle()
	data := bytes.Repeat([]byte("x"), 1000)
	n := testing.AllocsPerRun(100, func() {
		for range 10 {
			out, _ := a.m.Send(epoch, h, len(data), false, 0)
			b.m.HandleMessage(epoch, out.Stream, out.PPID, data)
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
		out, _ := a.m.Send(epoch, h, len(data), false, 0)
		b.m.HandleMessage(epoch, out.Stream, out.PPID, data)
		b.m.PollEvent()
	}
}
