package peer

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtp"

	"github.com/sansrtc/rtc/internal/simnet"
)

// lateData is a connection with media where A has offered channels, and B has answered and sends n messages of 1000 bytes on a channel of its own,
// before A has the answer.
func lateData(t *testing.T, n int) (w *world, answer Description) {
	w = newWorld(t, 1, simnet.Config{Delay: 10 * time.Millisecond}, Config{Media: MediaConfig{Formats: testFormats()}})
	_, err := w.core[0].AddTrack(w.now, Video, "picture", []string{"camera"})
	w.must(err)
	w.negotiate(0)
	w.run(time.Second)
	w.open(0, reliable("ours"))
	theirs := w.open(1, reliable("theirs"))
	answer = w.answer(1, w.offer(0))
	for i := range n {
		w.send(1, theirs, body(i, 1000))
	}
	w.flush()
	return w, answer
}

// Who answers has the association before who has offered: what it sends is kept until the answer is there, and arrives then, in order.
func TestPacketsBeforeTheAnswer(t *testing.T) {
	w, answer := lateData(t, 5)
	w.run(40 * time.Millisecond)
	if n := w.core[0].stats.DroppedEarly; n > 0 {
		t.Errorf("%d were dropped", n)
	}
	sent := w.sent[1]
	w.must(w.core[0].SetRemote(w.now, answer))
	if w.core[0].burst {
		t.Error("what was kept waits for more, to be acknowledged with it")
	}
	w.flush()
	for i, e := range w.ear[0].got {
		if n, ok := bodyNumber(e.Data); !ok || n != i {
			t.Errorf("message %d is %d", i, n)
		}
	}
	if len(w.ear[0].got) != 5 || w.sent[1] != sent {
		t.Errorf("%d messages with the answer, B has sent %d datagrams since", len(w.ear[0].got), w.sent[1]-sent)
	}
	w.run(time.Second)
	if s := w.core[1].Report().SCTP; s.Retransmissions > 0 || s.Timeouts > 0 {
		t.Errorf("%+v", s)
	}
}

// A peer that does not stop is kept only a little of; the rest is lost as on any path, and comes again. A rollback lets go of all.
func TestPacketsBeforeTheAnswerAreBounded(t *testing.T) {
	w, answer := lateData(t, 200)
	w.run(10 * time.Second)
	if n := len(w.core[0].early); n != maxEarly || w.core[0].stats.DroppedEarly == 0 {
		t.Errorf("%d packets are kept, %d were dropped", n, w.core[0].stats.DroppedEarly)
	}
	w.accept(0, answer)
	w.runUntil("all messages", time.Minute, func() bool { return len(w.ear[0].got) == 200 })
	if !slices.IsSortedFunc(w.ear[0].got, func(a, b Event) int {
		n, _ := bodyNumber(a.Data)
		m, _ := bodyNumber(b.Data)
		return n - m
	}) {
		t.Error("out of order")
	}

	w, _ = lateData(t, 5)
	w.run(40 * time.Millisecond)
	if w.core[0].early == nil {
		t.Error("nothing is kept")
	}
	w.must(w.core[0].SetLocal(w.now, Description{Type: Rollback}))
	w.flush()
	if w.core[0].early != nil {
		t.Error("something is kept after the rollback")
	}
}

// firstPackets is a connection where A is connected, and sends n packets, at once and of one picture each, while only what through lets pass of what A sends
// has come to B. The rest is held.
func firstPackets(t *testing.T, n int, through func(nth int, b []byte) bool) (w *world, held [][]byte) {
	w = newWorld(t, 1, simnet.Config{Delay: time.Millisecond}, Config{Media: MediaConfig{Formats: testFormats()}})
	id, err := w.core[0].AddTrack(w.now, Video, "picture", nil)
	w.must(err)
	_, err = w.core[1].AddTrack(w.now, Video, "picture", nil)
	w.must(err)
	nth := 0
	w.see = func(from int, b []byte) bool {
		if from == 1 {
			return true
		}
		nth++
		if !through(nth, b) {
			held = append(held, bytes.Clone(b))
			return false
		}
		return true
	}
	w.negotiate(0)
	w.runUntil("A connected", 200*time.Millisecond, func() bool { return w.ear[0].connection() == Connected })
	for i := range n {
		h := rtp.Header{Version: 2, PayloadType: 96, SequenceNumber: uint16(i)}
		w.must(w.core[0].SendRTP(w.now, id, 0, &h, body(i, 100)))
	}
	w.flush()
	return w, held
}

// heardInOrder fails unless who has heard packets 0 to n-1 of its only track.
func heardInOrder(w *world, who, n int) {
	w.t.Helper()
	if len(w.ear[who].tracks) != 1 {
		w.fatalf("%c has %d tracks: %q", 'A'+who, len(w.ear[who].tracks), w.ear[who].log)
	}
	got := w.ear[who].tracks[1].got
	for i, p := range got {
		if k, ok := bodyNumber(p.body); !ok || k != i {
			w.fatalf("packet %d is %d", i, k)
		}
	}
	if len(got) != n {
		w.fatalf("%d packets of %d", len(got), n)
	}
}

// All that A says after its first check arrives together: the response that gives B its route, the end of the handshake, and the first packets.
func TestFirstPacketsInOneBurst(t *testing.T) {
	w, held := firstPackets(t, 5, func(nth int, _ []byte) bool { return nth == 1 })
	if len(held) < 7 || !isResponse(held[0]) || held[1][0] < 20 || w.core[1].transport.routed {
		t.Fatalf("%d datagrams are held, the first begins with %x; B has a route: %t", len(held), held[0][:2], w.core[1].transport.routed)
	}
	for _, b := range held {
		w.core[1].HandleRead(w.now, w.addr[1], w.addr[0], b, 0)
	}
	w.core[1].EndBurst(w.now)
	w.flush()
	heardInOrder(w, 1, 5)
}

// The responses to B's checks are lost for a while, so that B has no route: it knows who A is, and hears what A sends. What it sends itself waits.
func TestFirstPacketsBeforeTheRoute(t *testing.T) {
	w, held := firstPackets(t, 5, func(_ int, b []byte) bool { return !isResponse(b) })
	w.run(100 * time.Millisecond)
	if len(held) == 0 || w.core[1].transport.routed || w.ear[1].connection() == Connected {
		t.Fatalf("%d responses are held, B is %s", len(held), w.ear[1].connection().name())
	}
	heardInOrder(w, 1, 5)
	for i := range 3 {
		h := rtp.Header{Version: 2, PayloadType: 96, SequenceNumber: uint16(i)}
		w.must(w.core[1].SendRTP(w.now, w.ear[1].tracks[1].Transceiver, 0, &h, body(i, 100)))
	}
	w.run(100 * time.Millisecond)
	if len(w.ear[0].tracks) > 0 {
		t.Error("B has sent without a route")
	}
	w.see = nil
	w.runUntil("B connected", 5*time.Second, func() bool { return w.ear[1].connection() == Connected })
	heardInOrder(w, 1, 5)
	w.run(time.Second)
	heardInOrder(w, 0, 3)
}

// isResponse says whether b is a success response to a check, RFC 8489 section 5.
func isResponse(b []byte) bool { return b[0] == 1 && b[1] == 1 }
