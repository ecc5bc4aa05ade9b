package channel

import (
	"testing"
)

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
