package peer

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sansrtc/rtc/internal/simnet"
)

// What a caller does wrong is an error of its W3C category, and changes nothing.
func TestErrorsHaveTheirKind(t *testing.T) {
	w := newWorld(t, 1, lan)
	a, _ := w.connect()
	c := w.core[0]
	_, tooLong := c.OpenChannel(w.now, reliable(strings.Repeat("l", 65536)))
	_, twoLimits := c.OpenChannel(w.now, Params{MaxRetransmits: 1, MaxLifetime: time.Second})
	_, noOffer := c.CreateAnswer()
	mid, far := "7", uint16(9)
	for _, e := range []struct {
		name string
		err  error
		want Kind
	}{
		{"label too long", tooLong, KindType},
		{"two limits", twoLimits, KindType},
		{"message too large", c.Send(w.now, a, make([]byte, c.MaxSendMessageSize()+1), false), KindType},
		{"channel of nobody", c.Send(w.now, 4711, nil, false), KindInvalidState},
		{"answer without offer", noOffer, KindInvalidState},
		{"answer that nobody waits for", c.SetRemote(w.now, Description{Type: Answer}), KindInvalidState},
		{"candidate of no section", c.AddRemoteCandidate(w.now, RemoteCandidate{Candidate: "candidate:1 1 udp 1 192.0.2.1 1 typ host", SDPMid: &mid}), KindOperation},
		{"candidate of no line", c.AddRemoteCandidate(w.now, RemoteCandidate{Candidate: "candidate:1 1 udp 1 192.0.2.1 1 typ host", SDPMLineIndex: &far}), KindOperation},
		{"candidate of no section at all", c.AddRemoteCandidate(w.now, RemoteCandidate{Candidate: "candidate:1 1 udp 1 192.0.2.1 1 typ host"}), KindType},
		{"offer that is none", c.SetRemote(w.now, Description{Type: Offer, SDP: "hello"}), KindSyntax},
	} {
		if e.err == nil || KindOf(e.err) != e.want {
			t.Errorf("%s: %v is of kind %d, want %d", e.name, e.err, KindOf(e.err), e.want)
		}
	}
	w.send1(a, "hello")
}

// Empty messages have no bytes and yet fill the buffer: their number is bounded, what is told as buffered is their bytes, and all that were
// taken arrive.
func TestEmptyMessagesFillSendBuffer(t *testing.T) {
	const buffer = 96_000
	w := newWorld(t, 1, simnet.Config{Delay: 10 * time.Millisecond}, Config{SendBuffer: buffer})
	a, _ := w.connect()
	w.settle()
	c := w.core[0]
	sent := 0
	for ; sent <= buffer; sent++ {
		if err := c.Send(w.now, a, nil, false); errors.Is(err, ErrBufferFull) {
			break
		} else {
			w.must(err)
		}
	}
	if sent != buffer/messageCost+1 {
		t.Errorf("%d empty messages were taken", sent)
	}
	if n := c.BufferedAmount(a); n != 0 {
		t.Errorf("%d bytes are buffered", n)
	}
	w.runUntil("all messages", time.Minute, func() bool { return len(w.ear[1].got) == sent })
	w.settle()
	if n := c.SendCharge(a); n != 0 {
		t.Errorf("%d are charged in the end", n)
	}
	w.must(c.Send(w.now, a, nil, false))
}

// Send fills a buffer of the size that was configured and no more, and takes what it took; what waits is told, down to nothing, and the event
// comes when it falls to the threshold.
func TestSendBuffer(t *testing.T) {
	w := newWorld(t, 1, simnet.Config{Delay: 10 * time.Millisecond, Rate: 10_000_000}, Config{SendBuffer: 300_000})
	a, _ := w.connect()
	c := w.core[0]
	c.SetBufferedAmountLowThreshold(a, 100_000)
	sent := 0
	for {
		err := c.Send(w.now, a, make([]byte, 10_000), false)
		if errors.Is(err, ErrBufferFull) {
			break
		}
		w.must(err)
		sent++
	}
	if n := c.BufferedAmount(a); n > 300_000 || n < 290_000 {
		t.Errorf("%d bytes wait", n)
	}
	if bytes, _ := c.Unsent(a); bytes != c.BufferedAmount(a) {
		t.Errorf("%d bytes are unsent, %d are buffered", bytes, c.BufferedAmount(a))
	}
	low := -1
	w.ear[0].on = func(e Event) {
		if e.Kind == EventBufferedAmountLow {
			low = c.BufferedAmount(a)
		}
	}
	w.runUntil("all messages", time.Minute, func() bool { return len(w.ear[1].got) == sent })
	w.settle()
	if low <= 0 || low > 100_000 {
		t.Errorf("the event came at %d bytes", low)
	}
	if bytes, inFlight := c.Unsent(a); bytes > 0 || inFlight || c.BufferedAmount(a) > 0 {
		t.Errorf("at the end %d bytes are unsent, in flight: %v", bytes, inFlight)
	}
}

// The getters tell what is; after Close they still answer, and nothing else does anything.
func TestGettersAndClose(t *testing.T) {
	w := newWorld(t, 1, lan)
	c := w.core[0]
	if _, known := c.CanTrickle(); known || c.HasLocalDescription() || c.GatheringState() != GatheringNew || c.HasEvents() || c.IsClosed() {
		t.Error("a new core has a past")
	}
	if n := c.MaxSendMessageSize(); n <= 0 {
		t.Errorf("the largest message has %d bytes", n)
	}
	a, _ := w.connect()
	if trickle, known := c.CanTrickle(); !trickle || !known || !c.HasLocalDescription() || c.GatheringState() != GatheringComplete {
		t.Error("a connected core does not know it")
	}
	r := c.Report()
	if !r.HasICE || !r.HasDTLS || !r.HasSCTP || len(r.PeerCertificates) != 1 || len(r.Channels) != 1 || r.Channels[0].Handle != a || r.CipherSuite == 0 {
		t.Errorf("%+v", r)
	}
	w.unread = true
	c.Close(w.now)
	c.Close(w.now)
	if !c.HasEvents() || !c.IsClosed() {
		t.Error("Close tells nothing")
	}
	w.unread = false
	w.flush()
	n := len(w.ear[0].log)
	h, err := c.OpenChannel(w.now, reliable("late"))
	if err == nil || c.Send(w.now, a, nil, false) == nil || c.Send(w.now, h, nil, false) == nil || c.SetLocal(w.now, Description{}) == nil {
		t.Error("a closed core takes something")
	}
	c.RestartICE()
	c.CloseChannel(w.now, a)
	c.AddLocalCandidate(w.now, w.addr[0], 1)
	c.EndOfLocalCandidates(w.now)
	c.RemoveLocalCandidate(w.now, w.addr[0])
	c.RemoveLocalPort(w.now, w.addr[0].Port())
	c.ReportUnusedServer("stun:example.org")
	c.Taken(w.now, 100)
	c.HandleTimeout(w.now)
	c.EndBurst(w.now)
	c.ForgetChannel(a)
	if c.ConfirmNegotiation() || c.TakeGather() || !c.PollTimeout().IsZero() {
		t.Error("a closed core wants something")
	}
	w.flush()
	if len(w.ear[0].log) != n {
		t.Errorf("after closed it tells %q", w.ear[0].log[n:])
	}
	w.settle()
	if s := w.ear[1].connection(); s != Closed {
		t.Errorf("B is %s", s.name())
	}
	c.Release()
	_ = c.Report()
}

// A socket that fails takes its candidate along; the connection waits for another way, and an ICE restart finds it.
func TestSocketFailsAndRestart(t *testing.T) {
	for _, byPort := range []bool{false, true} {
		w := newWorld(t, 1, lan)
		a, _ := w.connect()
		w.settle()
		if byPort {
			w.core[0].RemoveLocalPort(w.now, w.addr[0].Port())
		} else {
			w.core[0].RemoveLocalCandidate(w.now, w.addr[0])
		}
		w.run(10 * time.Second)
		if s := w.ear[0].connection(); s == Connected {
			t.Error("A is connected without a socket")
		}
		w.core[0].RestartICE()
		w.negotiate(0)
		w.send1(a, "back")
	}
}

// A message's events, taken one channel at a time ahead of the others, keep the window's account.
func TestTakeMessage(t *testing.T) {
	w := newWorld(t, 1, lan)
	a, b := w.connect()
	w.unread = true
	for i := range 10 {
		w.send(0, a, body(i, 100))
	}
	w.settle()
	for i := range 10 {
		e, ok := w.core[1].TakeMessage(b)
		if n, valid := bodyNumber(e.Data); !ok || e.Kind != EventMessage || !valid || n != i {
			t.Fatalf("message %d: %v %v", i, e, ok)
		}
		w.core[1].Taken(w.now, e.Charge)
		w.check()
	}
	if _, ok := w.core[1].TakeMessage(b); ok {
		t.Error("there is another message")
	}
	w.unread = false
	w.flush()
	if held := w.core[1].held(); held != 0 || len(w.ear[1].got) != 0 {
		t.Errorf("SCTP holds %d, and %d messages come again", held, len(w.ear[1].got))
	}
}
