package rtc_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime/sim"
)

// eventLine writes an event as a recorder does.
func eventLine(e rtc.Event) string {
	var detail any
	kind := ""
	switch e.Kind {
	case rtc.EventNegotiationNeeded:
		kind = "negotiationneeded"
	case rtc.EventICECandidate:
		kind, detail = "candidate", "end"
		if e.ICECandidate != nil {
			detail = e.ICECandidate.Address
		}
	case rtc.EventICECandidateError:
		kind, detail = "candidateerror", fmt.Sprint(e.ICECandidateError.ErrorCode, " ", e.ICECandidateError.URL)
	case rtc.EventSignalingStateChange:
		kind, detail = "signaling", e.SignalingState
	case rtc.EventICEGatheringStateChange:
		kind, detail = "gathering", e.ICEGatheringState
	case rtc.EventICEConnectionStateChange:
		kind, detail = "ice", e.ICEConnectionState
	case rtc.EventConnectionStateChange:
		kind, detail = "connection", e.ConnectionState
	case rtc.EventDataChannel:
		kind = "channel"
	case rtc.EventDataChannelOpen:
		kind = "open"
	case rtc.EventDataChannelBufferedAmountLow:
		kind = "low"
	case rtc.EventDataChannelClosing:
		kind = "closing"
	case rtc.EventDataChannelError:
		kind, detail = "error", e.Err
	case rtc.EventDataChannelClose:
		kind = "close"
	}
	if e.DataChannel != nil {
		kind += " " + e.DataChannel.Label()
	}
	if detail != nil {
		kind += " " + fmt.Sprint(detail)
	}
	return kind
}

// beside guards what goroutines change that run beside the simulation, as those do that wait for a channel of Go.
type beside struct{ sync.Mutex }

func (b *beside) do(f func()) {
	b.Lock()
	defer b.Unlock()
	f()
}

func (b *beside) is(cond func() bool) func() bool {
	return func() bool {
		b.Lock()
		defer b.Unlock()
		return cond()
	}
}

// ready takes the messages that are there; the sequence's error is the context's.
func ready(t testing.TB, dc *rtc.DataChannel) (texts []string) {
	t.Helper()
	for msg, err := range dc.Messages(canceled()) {
		if err != nil {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("Messages: %v", err)
			}
			return texts
		}
		texts = append(texts, string(msg.Data))
	}
	return append(texts, "end")
}

// wantTexts takes messages until there are as many as are wanted.
func (p *pair) wantTexts(dc *rtc.DataChannel, want ...string) {
	p.t.Helper()
	var got []string
	p.until("messages", func() bool {
		got = append(got, ready(p.t, dc)...)
		return len(got) >= len(want)
	})
	if !slices.Equal(got, want) {
		p.t.Errorf("%q has %q, want %q", dc.Label(), got, want)
	}
}

// Messages gives what was sent, in order, with its kind, from the call on, instead of the handler; leaving the loop leaves the rest for the
// next one; it ends without an error when the channel has closed and all was taken.
func TestMessages(t *testing.T) { everywhere(t, testMessages) }

func testMessages(t *testing.T, w *world) {
	p, a, b := w.connected(t, sim.Config{Link: sim.Link{Delay: 10 * time.Millisecond}}, nil, nil)
	p.must(a.SendText("heard"))
	p.until("a message for the handler", func() bool { return p.rec[1].received() == 1 })
	messages := b.Messages(t.Context())
	for i := range 5 {
		p.must(a.SendText(fmt.Sprint("text ", i)))
		p.must(a.Send([]byte{byte(i)}))
	}
	p.must(a.Close())
	p.until("the end", func() bool { return b.ReadyState() == rtc.DataChannelStateClosed })
	n := 0
	for msg, err := range messages {
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprint("text ", n/2); msg.IsString != (n%2 == 0) || msg.IsString && string(msg.Data) != want || !msg.IsString && msg.Data[0] != byte(n/2) {
			t.Errorf("message %d is %v", n, msg)
		}
		if n++; n == 3 {
			break
		}
	}
	for msg, err := range b.Messages(t.Context()) { // another sequence goes on where the first was left
		if err != nil {
			t.Fatal(err)
		}
		if n == 3 && (msg.IsString || msg.Data[0] != 1) {
			t.Errorf("after the break comes %v", msg)
		}
		n++
	}
	if n != 10 {
		t.Errorf("%d messages, want 10", n)
	}
	for range messages {
		t.Error("a message after the end")
	}
	if p.rec[1].received() != 1 {
		t.Errorf("the handler heard %d messages", p.rec[1].received())
	}
}

// Messages yields the context's error, once, when that ends, but prefers a message that is there; the next sequence has lost nothing.
func TestMessagesContext(t *testing.T) { everywhere(t, testMessagesContext) }

func testMessagesContext(t *testing.T, w *world) {
	p, a, b := w.connected(t, sim.Config{}, nil, nil)
	ctx, cancel := context.WithCancel(t.Context())
	var shared beside
	got, ended := 0, false
	messages := b.Messages(ctx)
	p.actAside("reader", func() {
		for msg, err := range messages {
			shared.do(func() {
				switch {
				case ended:
					t.Error("it goes on after the error")
				case err == nil:
					got++
				case !errors.Is(err, context.Canceled) || msg.Data != nil:
					t.Errorf("it yields %v and %v", msg, err)
				default:
					ended = true
				}
			})
		}
	})
	p.must(a.SendText("one"))
	p.until("a message", shared.is(func() bool { return got == 1 }))
	cancel()
	p.until("the end", shared.is(func() bool { return ended }))
	p.must(a.SendText("two"))
	p.must(a.SendText("three"))
	p.wantTexts(b, "two", "three")
}

// overdraw connects with a channel on which a may send more than b takes.
func (p *pair) overdraw() {
	p.t.Helper()
	p.offered(1)
	p.must(p.pc[1].SetLocalDescription(rtc.SessionDescription{}))
	d := *p.pc[1].LocalDescription()
	d.SDP = replaceLine(d.SDP, "a=max-message-size:", "a=max-message-size:0")
	p.must(p.pc[0].SetRemoteDescription(d))
	p.until("open", func() bool { return p.rec[0].channel(0) != nil && p.rec[1].channel(0) != nil })
}

// Messages yields the channel's error, behind all its messages, when the channel ends by one.
func TestMessagesOfAChannelThatFails(t *testing.T) { everywhere(t, testMessagesOfAChannelThatFails) }

func testMessagesOfAChannelThatFails(t *testing.T, w *world) {
	p := w.newPair(t, sim.Config{Link: sim.Link{Delay: 10 * time.Millisecond}}, nil)
	p.overdraw()
	a, b := p.rec[0].channel(0), p.rec[1].channel(0)
	messages := b.Messages(t.Context())
	p.must(a.SendText("last"))
	p.must(a.Send(make([]byte, 300_000)))
	p.until("the end", func() bool { return p.rec[0].has("close data") && p.rec[1].has("close data") })
	var errs []error
	texts := []string{}
	for msg, err := range messages {
		errs = append(errs, err)
		texts = append(texts, string(msg.Data))
	}
	if len(errs) != 2 || errs[0] != nil || errs[1] == nil || texts[0] != "last" {
		t.Fatalf("yields %q, %v", texts, errs)
	}
	if !slices.Contains(p.rec[1].errs, errs[1]) {
		t.Errorf("the handler heard %v, the sequence %v", p.rec[1].errs, errs[1])
	}
}

// Several sequences of a channel share its messages: each goes to one of them.
func TestMessagesAreShared(t *testing.T) { everywhere(t, testMessagesAreShared) }

func testMessagesAreShared(t *testing.T, w *world) {
	p, a, b := w.connected(t, sim.Config{Handoff: time.Millisecond}, nil, nil)
	var shared beside
	seen := map[string]int{}
	ends := 0
	for i := range 4 {
		messages := b.Messages(t.Context())
		p.actAside(fmt.Sprint("reader ", i), func() {
			for msg, err := range messages {
				if err != nil {
					t.Error(err)
				}
				shared.do(func() { seen[string(msg.Data)]++ })
			}
			shared.do(func() { ends++ })
		})
	}
	p.pass(time.Second)
	for i := range 200 {
		p.must(a.SendText(fmt.Sprint(i)))
	}
	p.must(a.Close())
	p.until("all have ended", shared.is(func() bool { return ends == 4 }))
	if len(seen) != 200 {
		t.Errorf("%d different messages", len(seen))
	}
	for text, n := range seen {
		if n != 1 {
			t.Errorf("%q came %d times", text, n)
		}
	}
}

// A connection without a handler keeps its messages until they are pulled, from channels of either side, however late; also after the channel
// has closed.
func TestNoHandler(t *testing.T) { everywhere(t, testNoHandler) }

func testNoHandler(t *testing.T, w *world) {
	p := w.newPair(t, sim.Config{Link: sim.Link{Delay: 10 * time.Millisecond}}, func(i int, b rtc.Builder) rtc.Builder {
		return b.Handler(nil)
	})
	yes, id := true, uint16(7)
	own, err := p.pc[0].CreateDataChannel("own", nil)
	p.must(err)
	var both [2]*rtc.DataChannel
	for i := range both {
		both[i], err = p.pc[i].CreateDataChannel("both", &rtc.DataChannelInit{Negotiated: &yes, ID: &id})
		p.must(err)
	}
	p.negotiate(0)
	p.until("open", func() bool {
		return own.ReadyState() == rtc.DataChannelStateOpen && both[1].ReadyState() == rtc.DataChannelStateOpen && both[0].ReadyState() == rtc.DataChannelStateOpen
	})
	p.must(own.SendText("early"))
	p.must(both[0].SendText("there"))
	p.must(both[1].SendText("back"))
	p.pass(time.Hour)
	var far *rtc.DataChannel
	for dc := range p.pc[1].DataChannels(t.Context()) {
		far = dc
		break
	}
	if far.Label() != "own" {
		t.Errorf("the channel is %q", far.Label())
	}
	p.must(own.SendText("late"))
	p.must(own.Close())
	p.until("the channel is closed", func() bool {
		return far.ReadyState() == rtc.DataChannelStateClosed && own.ReadyState() == rtc.DataChannelStateClosed
	})
	for _, c := range []struct {
		dc   *rtc.DataChannel
		want []string
	}{{far, []string{"early", "late", "end"}}, {both[1], []string{"there"}}, {both[0], []string{"back"}}, {own, []string{"end"}}} {
		p.wantTexts(c.dc, c.want...)
	}
}

// Events gives what the handler hears, in the same order, from the call on; whichever of them makes the program act.
func TestEventsAreTheHandlers(t *testing.T) { everywhere(t, testEventsAreTheHandlers) }

func testEventsAreTheHandlers(t *testing.T, w *world) {
	p := w.newPair(t, sim.Config{Seed: 1, Link: sim.Link{Delay: 10 * time.Millisecond, Loss: 0.02}}, func(_ int, b rtc.Builder) rtc.Builder {
		return b.ICEServers(rtc.ICEServer{URLs: []string{"stun:192.0.2.1"}})
	})
	events := [2]func(func(rtc.Event) bool){p.pc[0].Events(t.Context()), p.pc[1].Events(t.Context())}
	_, err := p.pc[0].CreateDataChannel("first", nil)
	p.must(err)
	p.until("the need to negotiate", func() bool { return p.rec[0].has("negotiationneeded") })
	p.overdraw()
	dc := p.rec[0].channel(0)
	dc.SetBufferedAmountLowThreshold(1000)
	for range 5 {
		p.must(dc.Send(make([]byte, 100_000)))
	}
	_, err = p.pc[1].CreateDataChannel("second", nil)
	p.must(err)
	p.until("the second channel", func() bool {
		return p.rec[0].has("open second") && p.rec[1].has("open second") && p.rec[0].has("low "+dc.Label())
	})
	p.must(dc.Close())
	p.until("the first one's end", func() bool { return p.rec[0].has("close "+dc.Label()) && p.rec[1].has("close "+dc.Label()) })
	p.must(p.rec[0].channel(1).Send(make([]byte, 300_000)))
	p.until("an error", func() bool {
		return p.rec[0].has("close second") && p.rec[1].has("close second") && len(p.rec[0].errs)+len(p.rec[1].errs) > 0
	})
	p.must(p.pc[0].RestartICE())
	p.negotiate(1)
	p.pass(time.Second)
	p.must(p.pc[0].Close())
	p.must(p.pc[1].Close())
	p.until("the end of both", func() bool { return done(p.pc[0]) && done(p.pc[1]) })
	kinds := map[rtc.EventKind]bool{}
	for i, r := range p.rec {
		var got []string
		for e := range events[i] {
			got = append(got, eventLine(e))
			kinds[e.Kind] = true
		}
		want := slices.DeleteFunc(r.heard(), func(l string) bool { return len(l) > 7 && l[:7] == "message" })
		if !slices.Equal(got, want) {
			t.Errorf("%s: events\n%q\nhandler\n%q", r.name, got, want)
		}
	}
	if len(kinds) != int(rtc.EventDataChannelClose) {
		t.Errorf("only the kinds %v came", kinds)
	}
}

// Events ends when its context does, when its loop is left, and after closed; it begins with what comes after the call, though its loop begins
// later.
func TestEventsEnds(t *testing.T) { everywhere(t, testEventsEnds) }

func testEventsEnds(t *testing.T, w *world) {
	p := w.newPair(t, sim.Config{}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cut, left, all := p.pc[0].Events(ctx), p.pc[0].Events(t.Context()), p.pc[0].Events(t.Context())
	p.offer(0)
	p.until("the end of gathering", func() bool { return p.rec[0].has("candidate end") })
	later := p.pc[0].Events(t.Context())
	n := 0
	for range left {
		if n++; n == 2 {
			break
		}
	}
	for range left {
		t.Error("an event after the loop was left")
	}
	if n != 2 {
		t.Errorf("%d events", n)
	}
	p.must(p.pc[0].SetRemoteDescription(func() rtc.SessionDescription {
		p.must(p.pc[1].SetRemoteDescription(*p.pc[0].LocalDescription()))
		p.must(p.pc[1].SetLocalDescription(rtc.SessionDescription{}))
		return *p.pc[1].LocalDescription()
	}()))
	p.until("open", func() bool { return p.rec[0].has("open data") && p.rec[0].has("ice completed") })
	p.pass(time.Second)
	cancel()
	before := len(p.rec[0].heard())
	got := 0
	for range cut {
		got++
	}
	if got != before {
		t.Errorf("the events of a context that has ended are %d, want the %d before its end", got, before)
	}
	p.must(p.pc[0].Close())
	p.until("the end", func() bool { return done(p.pc[0]) })
	var first, last string
	for e := range later {
		if last = eventLine(e); first == "" {
			first = last
		}
	}
	if first != "signaling stable" || last != "connection closed" {
		t.Errorf("from %q to %q", first, last)
	}
	n = 0
	for range all {
		n++
	}
	if n != len(p.rec[0].heard()) {
		t.Errorf("%d events, the handler heard %d", n, len(p.rec[0].heard()))
	}
}

// An iterator that is not read holds up the events when 256 wait, and nothing else: data is acknowledged, the connection stays; when it is
// read all come. Its context, or leaving its loop, lets them go on.
func TestSlowIterator(t *testing.T) { everywhere(t, testSlowIterator) }

func testSlowIterator(t *testing.T, w *world) {
	for _, name := range []string{"read", "context", "context inside the loop", "break"} {
		t.Run(name, func(t *testing.T) {
			p, a, _ := w.connected(t, sim.Config{Handoff: time.Millisecond, Link: sim.Link{Delay: 5 * time.Millisecond}}, nil, nil)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			p.until("the end of the checks", func() bool { return p.rec[0].has("ice completed") && p.rec[1].has("ice completed") })
			from := len(p.rec[1].heard())
			events := p.pc[1].Events(ctx)
			for i := range 300 {
				_, err := p.pc[0].CreateDataChannel(fmt.Sprint(i), nil)
				p.must(err)
			}
			var shared beside
			release := false
			defer shared.do(func() { release = true })
			if name == "context inside the loop" || name == "break" {
				p.actAside("slow reader", func() {
					for range events {
						for !shared.is(func() bool { return release })() {
							p.doze(time.Second)
						}
						break
					}
				})
			}
			p.until("256 events", func() bool { return len(p.rec[1].heard())-from >= 256 })
			p.pass(time.Second)
			// A loop that has begun takes all that waits at a time, so the next 256 may come before it is a slow one.
			if n := len(p.rec[1].heard()) - from; n < 256 || n > 512 || n > 256 && (name == "read" || name == "context") {
				t.Errorf("the handler heard %d events before an iterator that is not read, want 256", n)
			}
			p.must(a.SendText("waits"))
			p.pass(time.Minute)
			if !w.simulated() { // the time that has passed is short
				p.until("acknowledged", func() bool { return rtc.ReportOf(p.pc[0]).SCTP.InFlight == 0 })
			}
			if r := rtc.ReportOf(p.pc[0]).SCTP; r.InFlight > 0 || p.rec[0].state() != rtc.PeerConnectionStateConnected {
				t.Errorf("the peer is %v, and has %d bytes in flight", p.rec[0].state(), r.InFlight)
			}
			var got []string
			switch name {
			case "context", "context inside the loop":
				cancel()
			case "break":
				shared.do(func() { release = true })
			default:
				p.actAside("reader", func() {
					for e := range events {
						n := 0
						shared.do(func() {
							got = append(got, eventLine(e))
							n = len(got)
						})
						if n == 600 {
							break
						}
					}
				})
			}
			p.until("all events", shared.is(func() bool {
				return len(p.rec[1].heard()) == from+601 && (name != "read" || len(got) == 600)
			}))
			if heard := p.rec[1].heard()[from:]; name == "read" && !slices.Equal(got, heard[:600]) {
				t.Errorf("the iterator has\n%q, the handler\n%q", got, heard)
			} else if heard[600] != "message data waits" {
				t.Errorf("the last is %q", heard[600])
			}
		})
	}
}

// ICECandidates begins with what was gathered before the call, ends with the gathering, and knows nothing of one that was rolled back.
func TestICECandidates(t *testing.T) { everywhere(t, testICECandidates) }

func testICECandidates(t *testing.T, w *world) {
	p := w.newPair(t, sim.Config{}, nil)
	pc := p.pc[0]
	addresses := func(ctx context.Context) (got []string) {
		for c := range pc.ICECandidates(ctx) {
			got = append(got, c.Address+" "+c.UsernameFragment)
		}
		return got
	}
	if got := addresses(canceled()); got != nil {
		t.Errorf("before the gathering: %q", got)
	}
	p.offer(0)
	p.until("the end of gathering", func() bool { return p.rec[0].has("candidate end") })
	first := addresses(t.Context())
	if len(first) != w.candidates() || !slices.Equal(first, addresses(t.Context())) {
		t.Errorf("gathered %q, then %q", first, addresses(t.Context()))
	}
	for range pc.ICECandidates(t.Context()) {
		break
	}
	p.must(pc.SetLocalDescription(rtc.SessionDescription{Type: rtc.SDPTypeRollback}))
	p.until("the rollback is told", func() bool { return p.rec[0].has("gathering new") })
	if got := addresses(canceled()); got != nil {
		t.Errorf("after a rollback: %q", got)
	}
	p.negotiate(0)
	p.until("open", func() bool { return p.rec[0].has("open data") })
	second := addresses(t.Context())
	p.must(pc.RestartICE())
	p.negotiate(0)
	p.until("the end of another gathering", func() bool { return p.rec[0].count("candidate end") == 3 })
	third := addresses(t.Context())
	if len(second) != w.candidates() || len(third) != w.candidates() || slices.Equal(first, second) || slices.Equal(second, third) {
		t.Errorf("generations have %q, %q, %q", first, second, third)
	}
}

// ICECandidates ends when the connection closes before the gathering is complete, or never begins.
func TestICECandidatesOfAConnectionThatCloses(t *testing.T) {
	everywhere(t, testICECandidatesOfAConnectionThatCloses)
}

func testICECandidatesOfAConnectionThatCloses(t *testing.T, w *world) {
	p := w.newPair(t, sim.Config{Handoff: time.Millisecond}, nil)
	var shared beside
	ended := 0
	for i, pc := range p.pc {
		p.actAside(fmt.Sprint(i), func() {
			for range pc.ICECandidates(t.Context()) {
				t.Error("a candidate")
			}
			shared.do(func() { ended++ })
		})
	}
	p.pass(time.Second)
	p.must(p.pc[0].Close())
	p.must(p.pc[1].Close())
	p.until("ended", shared.is(func() bool { return ended == 2 }))
}

// ConnectionStates begins with the state at the call, has each change once, and ends after closed.
func TestConnectionStates(t *testing.T) { everywhere(t, testConnectionStates) }

func testConnectionStates(t *testing.T, w *world) {
	p := w.newPair(t, sim.Config{Handoff: time.Millisecond, Link: sim.Link{Delay: time.Millisecond}}, nil)
	var shared beside
	var early, late, last []string
	n := 0
	keep := func(into *[]string) {
		for s := range p.pc[0].ConnectionStates(t.Context()) {
			shared.do(func() { *into = append(*into, s.String()) })
		}
		shared.do(func() { n++ })
	}
	p.actAside("early", func() { keep(&early) })
	p.until("the state of now", shared.is(func() bool { return len(early) == 1 }))
	p.offer(0)
	p.negotiate(0)
	p.until("connected", func() bool { return p.rec[0].state() == rtc.PeerConnectionStateConnected })
	p.actAside("late", func() { keep(&late) })
	p.until("the state of now", shared.is(func() bool { return len(late) == 1 }))
	for s := range p.pc[0].ConnectionStates(t.Context()) {
		if s != rtc.PeerConnectionStateConnected {
			t.Errorf("begins with %v", s)
		}
		break
	}
	p.actAside("last", func() {
		p.pc[0].Close()
		keep(&last) // closed, but that was not told yet
	})
	p.until("ended", shared.is(func() bool { return n == 3 }))
	var after []string
	keep(&after)
	for _, c := range []struct{ got, want []string }{
		{early, []string{"new", "connecting", "connected", "closed"}},
		{late, []string{"connected", "closed"}},
		{last, []string{"closed"}},
		{after, []string{"closed"}},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

// DataChannels begins with the channels that are there, oldest first and without those that have closed, has each once, and ends with the
// connection.
func TestDataChannels(t *testing.T) { everywhere(t, testDataChannels) }

func testDataChannels(t *testing.T, w *world) {
	p, a, _ := w.connected(t, sim.Config{Handoff: time.Millisecond, Link: sim.Link{Delay: time.Millisecond}}, nil, nil)
	create := func(i int, label string) {
		t.Helper()
		_, err := p.pc[i].CreateDataChannel(label, nil)
		p.must(err)
		p.until(label, func() bool { return p.rec[0].has("open "+label) && p.rec[1].has("open "+label) })
	}
	create(0, "one")
	create(1, "own") // is no incoming one
	create(0, "two")
	p.must(a.Close())
	p.until("close", func() bool { return p.rec[1].has("close data") })
	var shared beside
	var got []string
	ended := false
	p.actAside("iterator", func() {
		for dc := range p.pc[1].DataChannels(t.Context()) {
			shared.do(func() { got = append(got, dc.Label()) })
		}
		shared.do(func() { ended = true })
	})
	p.pass(time.Second)
	create(0, "three")
	for dc := range p.pc[1].DataChannels(t.Context()) {
		if dc.Label() != "one" {
			t.Errorf("begins with %q", dc.Label())
		}
		break
	}
	p.must(p.pc[0].Close())
	p.until("ended", shared.is(func() bool { return ended }))
	if !slices.Equal(got, []string{"one", "two", "three"}) {
		t.Errorf("gives %q", got)
	}
}

// A message that comes right behind its channel is not missed by who pulls from OnDataChannel on, or by an iterator over channels.
func TestPulledFromTheFirstMessage(t *testing.T) { everywhere(t, testPulledFromTheFirstMessage) }

func testPulledFromTheFirstMessage(t *testing.T, w *world) {
	for _, how := range []string{"handler", "iterator"} {
		t.Run(how, func(t *testing.T) {
			for seed := range uint64(w.some(20)) {
				p := w.newPair(t, sim.Config{Seed: seed, Handoff: time.Millisecond, Link: sim.Link{Delay: time.Millisecond, Reorder: 0.3, Jitter: time.Millisecond}},
					func(i int, b rtc.Builder) rtc.Builder {
						if i == 1 && how == "iterator" {
							b = b.Handler(nil)
						}
						return b
					})
				var far *rtc.DataChannel
				if how == "handler" {
					p.rec[1].on = func(kind string, _ *rtc.PeerConnection, dc *rtc.DataChannel, _ rtc.DataChannelMessage) {
						if kind == "channel" {
							far = dc
							dc.Messages(t.Context())
						}
					}
				}
				_, err := p.pc[0].CreateDataChannel("data", nil)
				p.must(err)
				p.rec[0].on = func(kind string, _ *rtc.PeerConnection, dc *rtc.DataChannel, _ rtc.DataChannelMessage) {
					if kind == "open" {
						for i := range 10 {
							dc.SendText(fmt.Sprint(i))
						}
					}
				}
				p.negotiate(0)
				if w.simulated() {
					p.pass(10 * time.Second)
				}
				if how == "iterator" {
					for far = range p.pc[1].DataChannels(t.Context()) {
						break
					}
				}
				p.until("the channel", func() bool { return far != nil })
				p.wantTexts(far, "0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
			}
		})
	}
}
