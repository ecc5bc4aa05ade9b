package channel

import (
	"fmt"
	"strings"
	"testing"
)

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
		open, _ := m.PollSend()
		before, _ := m.Send(epoch, h, 1, true, 0)
		m.HandleMessage(epoch, 0, first.ppid, first.data)
		after, _ := m.Send(epoch, h, 1, true, 0)
		outs := []Outgoing{open, before, after}
		for i, want := range []Outgoing{
			{PPID: ppidDCEP, MaxRetransmits: -1, Lifetime: -1},
			{PPID: ppidString, MaxRetransmits: 2, Lifetime: -1},
			{PPID: ppidString, MaxRetransmits: 2, Lifetime: -1, Unordered: true},
		} {
			out := outs[i]
			if out.PPID != want.PPID || out.Unordered != want.Unordered || out.MaxRetransmits != want.MaxRetransmits || out.Lifetime != want.Lifetime {
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
		_, a, _ := loose(t)
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
