package worker

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// The heap gives what a plain list gives, whatever is done with it.
func FuzzDeadlines(f *testing.F) {
	f.Add(uint64(1), 1000)
	f.Add(uint64(2), 20)
	f.Fuzz(func(t *testing.T, seed uint64, ops int) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var d deadlines
		hosts := make([]Host, 40)
		plain := map[*Host]int64{}
		for range min(max(ops, 0), 2000) {
			h := &hosts[rng.IntN(len(hosts))]
			switch rng.IntN(5) {
			case 0, 1, 2:
				at := int64(rng.IntN(100)) * int64(littleEarly) / 20
				if old, ok := plain[h]; !ok || at < old || at-old > int64(littleEarly) {
					plain[h] = at
				}
				d.set(h, at)
			case 3:
				delete(plain, h)
				d.remove(h)
			case 4:
				if len(d) > 0 {
					first := d[0]
					for o, at := range plain {
						if at < first.at {
							t.Fatalf("the first is at %d, but %p is at %d", first.at, o, at)
						}
					}
					delete(plain, first.host)
					d.remove(first.host)
				}
			}
			d.check(func(format string, args ...any) { t.Fatal("BUG: worker: " + fmt.Sprintf(format, args...)) })
			if len(d) != len(plain) {
				t.Fatalf("%d entries for %d hosts", len(d), len(plain))
			}
			for _, e := range d {
				if plain[e.host] != e.at {
					t.Fatalf("an entry is at %d instead of %d", e.at, plain[e.host])
				}
			}
		}
	})
}

func TestDeadlinesAgainstAPlainList(t *testing.T) {
	// The seeds of FuzzDeadlines run as tests; this is the same with many.
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var d deadlines
		hosts := make([]Host, 200)
		for i := range hosts {
			d.set(&hosts[i], int64(rng.IntN(1000)))
		}
		for last := int64(-1); len(d) > 0; {
			if d[0].at < last {
				t.Fatalf("seed %d: %d after %d", seed, d[0].at, last)
			}
			last = d[0].at
			d.remove(d[0].host)
		}
		for i := range hosts {
			if hosts[i].slot != 0 {
				t.Fatalf("seed %d: host %d has a slot in an empty heap", seed, i)
			}
		}
	}
}

// BenchmarkDeadlines is what ten thousand hosts cost: most packets only ask for a later time, and each deadline that passes moves the heap.
func BenchmarkDeadlines(b *testing.B) {
	const n = 10000
	hosts := make([]Host, n)
	rng := rand.New(rand.NewPCG(1, 1))
	fill := func() (d deadlines) {
		for i := range hosts {
			hosts[i].slot = 0
			d.set(&hosts[i], int64(rng.IntN(5_000_000)))
		}
		return d
	}
	b.Run("later", func(b *testing.B) {
		d := fill()
		for i := range b.N {
			d.set(&hosts[i%n], 5_000_000)
		}
	})
	b.Run("pass", func(b *testing.B) {
		d := fill()
		for range b.N {
			e := d[0]
			d.remove(e.host)
			d.set(e.host, e.at+4_000_000+int64(rng.IntN(2_000_000)))
		}
	})
	b.Run("earlier", func(b *testing.B) {
		d := fill()
		for i := range b.N {
			h := &hosts[i%n]
			d.remove(h)
			d.set(h, int64(i%1000))
		}
	})
}
