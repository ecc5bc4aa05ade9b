package peer

import (
	"slices"
	"testing"
	"time"

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
