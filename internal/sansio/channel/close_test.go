package channel

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// W3C: data queued before close still goes out; RFC 8831 §6.7: both directions
// are reset, then the channel is closed on both sides and its id is free.
func TestCloseAfterQueuedData(t *testing.T) {
	l, a, b := loose(t)
	h := l.open(a, reliable("c"))
	l.sendData(a, h, []byte("last words"), true)
	a.m.Close(epoch, h)
	if _, err := a.m.Send(epoch, h, 0, true, 0); err != ErrNotOpen {
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

// A reset may not overtake the OPEN of its channel.
func TestCloseBehindOpen(t *testing.T) {
	l, a, b := loose(t)
	h, _ := a.m.Open(epoch, reliable("c"))
	a.m.Close(epoch, h)
	if _, ok := a.m.PollReset(); ok {
		t.Error("the reset is before the OPEN")
	}
	l.pump(a)
	l.settle()
	l.wantEvents(b, `channel 1 incoming "c" on stream 0`, `channel 1 closing`, `channel 1 closed`)
	l.wantRest(a, 0)
}

// What is polled for a channel goes before its messages: an owner that forgets to is told at once.
func TestSendBehindOpen(t *testing.T) {
	_, a, _ := loose(t)
	h, _ := a.m.Open(epoch, reliable("c"))
	defer func() {
		if recover() == nil {
			t.Error("a message overtakes the OPEN of its channel")
		}
	}()
	a.m.Send(epoch, h, 1, true, 0)
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
		if _, ok := a.m.Stream(h); ok {
			t.Error("a closed channel is on a stream")
		}
		if _, err := a.m.Send(epoch, h, 0, true, 0); err != ErrNotOpen {
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

// An OPEN between the last reset and the release of its stream: SCTP hears of
// the release all the same, or it would refuse what is sent on the stream from
// then on; and the machine keeps what has begun again.
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
	if id, ok := m.PollRelease(); !ok || id != 0 {
		t.Errorf("release of stream %d, %v", id, ok)
	}
	m.check()
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

// A channel that the remote refused, and whose association is then lost, ends for the first reason.
func TestOneErrorForEachChannel(t *testing.T) {
	m := New(Config{})
	m.SetRole(true)
	m.HandleConnected(epoch, 10)
	if _, err := m.Open(epoch, reliable("c")); err != nil {
		t.Fatal(err)
	}
	m.PollSend()
	m.HandleIncomingReset(epoch, 0)
	m.HandleClosed(epoch, errors.New("lost"))
	m.check()
	var errs []error
	for e, ok := m.PollEvent(); ok; e, ok = m.PollEvent() {
		if e.Kind == EventError {
			errs = append(errs, e.Err)
		}
	}
	if len(errs) != 1 || errs[0] != ErrRefused {
		t.Errorf("errors %v", errs)
	}
}
