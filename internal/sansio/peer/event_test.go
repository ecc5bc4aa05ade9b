package peer

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

// The queue gives events in order, each once, whatever is taken out of its middle; taking gives a channel's messages up to what ends them.
func TestEvents(t *testing.T) {
	kinds := []EventKind{EventMessage, EventMessage, EventMessage, EventMessage, EventICEState, EventChannelClosing, EventChannelError, EventChannelClosed}
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var q events
		var model []Event
		next := 0
		for range 3000 {
			switch r := rng.IntN(10); {
			case r < 4+int(seed%3):
				next++
				ev := Event{Kind: kinds[rng.IntN(len(kinds))], Channel: Handle(rng.IntN(3)), Charge: next}
				if ev.Kind == EventChannelError || next%7 == 0 && ev.Kind != EventMessage {
					ev.Err = errors.New("rest")
				}
				q.push(ev)
				model = append(model, ev)
			case r < 8:
				ev, ok := q.pop()
				if ok != (len(model) > 0) || ok && (ev.Charge != model[0].Charge || ev.Err != model[0].Err) {
					t.Fatalf("seed %d: pop gives %v, %v; want the first of %v", seed, ev, ok, model)
				}
				if ok {
					model = model[1:]
				}
			default:
				h := Handle(rng.IntN(3))
				i := slices.IndexFunc(model, func(e Event) bool {
					return e.Channel == h && (e.Kind == EventMessage || e.Kind == EventChannelError || e.Kind == EventChannelClosed)
				})
				ev, ok := q.take(h)
				if ok != (i >= 0) || ok && (ev.Charge != model[i].Charge || ev.Err != model[i].Err) {
					t.Fatalf("seed %d: take(%d) gives %v, %v", seed, h, ev, ok)
				}
				if ok && ev.Kind == EventMessage {
					model = slices.Delete(model, i, i+1)
				}
			}
			if (q.len() > 0) != (len(model) > 0) || q.len() > 0 && q.at(0).kind == 0 {
				t.Fatalf("seed %d: %d places for %d events, or an empty one first", seed, q.len(), len(model))
			}
		}
	}
}
