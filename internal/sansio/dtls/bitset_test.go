package dtls

import "testing"

// TestBitset: exactly the bits of the range are set, and those that were not before are counted.
func TestBitset(t *testing.T) {
	const n = 200
	for from := range n {
		for to := from; to <= n; to++ {
			s := newBitset(n)
			if news := s.set(n/3, n/2); news != n/2-n/3 {
				t.Fatalf("%d bits", news)
			}
			old := max(0, min(to, n/2)-max(from, n/3))
			if news := s.set(from, to); news != to-from-old {
				t.Fatalf("from %d to %d: %d are new", from, to, news)
			}
			for at := range n {
				if want := at >= n/3 && at < n/2 || at >= from && at < to; s.has(at) != want {
					t.Fatalf("from %d to %d: bit %d is %v", from, to, at, !want)
				}
			}
		}
	}
}
