package sim

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// Events leave the queue by time, and those of one time in the order in which they were set, whatever was set again or removed between.
func FuzzQueue(f *testing.F) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 0))
		ops := make([]byte, 3*rng.IntN(400))
		for i := range ops {
			ops[i] = byte(rng.Uint32())
		}
		f.Add(ops)
	}
	f.Fuzz(func(t *testing.T, ops []byte) {
		var q queue
		events := make([]event, 64)
		var model []*event // what should be queued
		bug := func(format string, args ...any) { t.Fatalf(format, args...) }
		for ; len(ops) >= 3; ops = ops[3:] {
			e := &events[ops[1]%64]
			switch ops[0] % 4 {
			case 0, 1:
				q.set(e, int64(ops[2]%16))
				if !slices.Contains(model, e) {
					model = append(model, e)
				}
			case 2:
				q.remove(e)
				model = slices.DeleteFunc(model, func(f *event) bool { return f == e })
			case 3:
				if e := q.first(); e != nil {
					q.remove(e)
					model = slices.DeleteFunc(model, func(f *event) bool { return f == e })
				}
			}
			q.check(bug)
			if len(q.heap) != len(model) {
				t.Fatalf("%d events are queued, want %d", len(q.heap), len(model))
			}
		}
		slices.SortFunc(model, func(a, b *event) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.seq, b.seq)) })
		for _, want := range model {
			if got := q.first(); got != want {
				t.Fatalf("first is %v, want %v", describe(got), describe(want))
			}
			q.remove(want)
		}
		if q.first() != nil {
			t.Fatal("the queue should be empty")
		}
	})
}

func describe(e *event) string {
	if e == nil {
		return "none"
	}
	return fmt.Sprintf("at %d, number %d", e.at, e.seq)
}
