package simnet

import (
	"container/heap"
	"math/rand/v2"
	"time"
)

// Wire joins two ends, 0 and 1, by a Pipe each way, and holds what is in flight.
type Wire struct {
	Pipes  [2]*Pipe // Pipes[i] carries what end i sends
	flight flights
	seq    uint64
}

// NewWire returns a wire that is the same both ways.
func NewWire(seed uint64, cfg Config) *Wire {
	return &Wire{Pipes: [2]*Pipe{
		NewPipe(cfg, rand.New(rand.NewPCG(seed, 1))),
		NewPipe(cfg, rand.New(rand.NewPCG(seed, 2))),
	}}
}

// Send puts a copy of b on the wire.
func (w *Wire) Send(now time.Time, from int, b []byte) {
	at, n := w.Pipes[from].Send(now, len(b))
	for i := range n {
		w.seq++
		heap.Push(&w.flight, flight{at[i], w.seq, 1 - from, append([]byte(nil), b...)})
	}
}

// Next is when the next datagram arrives; zero when none is in flight.
func (w *Wire) Next() time.Time {
	if len(w.flight) == 0 {
		return time.Time{}
	}
	return w.flight[0].at
}

// Receive takes the next datagram that has arrived by now, and says at which end. The caller owns b.
func (w *Wire) Receive(now time.Time) (to int, b []byte, ok bool) {
	if len(w.flight) == 0 || w.flight[0].at.After(now) {
		return 0, nil, false
	}
	f := heap.Pop(&w.flight).(flight)
	return f.to, f.b, true
}

// InFlight is the number of datagrams that have not arrived.
func (w *Wire) InFlight() int { return len(w.flight) }

// Earliest returns the earliest of the times that are not zero, or zero.
func Earliest(times ...time.Time) (t time.Time) {
	for _, u := range times {
		if !u.IsZero() && (t.IsZero() || u.Before(t)) {
			t = u
		}
	}
	return t
}

type flight struct {
	at  time.Time
	seq uint64 // ties arrive in the order they were sent
	to  int
	b   []byte
}

type flights []flight

func (f flights) Len() int      { return len(f) }
func (f flights) Swap(i, j int) { f[i], f[j] = f[j], f[i] }
func (f *flights) Push(x any)   { *f = append(*f, x.(flight)) }
func (f flights) Less(i, j int) bool {
	return f[i].at.Before(f[j].at) || f[i].at.Equal(f[j].at) && f[i].seq < f[j].seq
}
func (f *flights) Pop() any {
	old := *f
	x := old[len(old)-1]
	old[len(old)-1] = flight{}
	*f = old[:len(old)-1]
	return x
}
