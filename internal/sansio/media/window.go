package media

// windowSpan is how many numbers back a window remembers.
const windowSpan = 2048

// window remembers which of the last numbers were there.
type window struct {
	begun   bool
	highest uint64
	bits    [windowSpan / 64]uint64
}

func (w *window) has(n uint64) bool { return w.bits[n/64%(windowSpan/64)]&(1<<(n%64)) != 0 }
func (w *window) set(n uint64)      { w.bits[n/64%(windowSpan/64)] |= 1 << (n % 64) }
func (w *window) unset(n uint64)    { w.bits[n/64%(windowSpan/64)] &^= 1 << (n % 64) }

// old: n is so far back that nothing is known of it.
func (w *window) old(n uint64) bool { return w.begun && n+windowSpan <= w.highest }

// add puts n in and says whether it is new. Numbers that are too old are not.
func (w *window) add(n uint64) bool {
	switch {
	case !w.begun || n >= w.highest+windowSpan:
		*w = window{begun: true, highest: n}
	case n > w.highest:
		for k := w.highest + 1; k < n; k++ {
			w.unset(k)
		}
		w.highest = n
	case w.old(n) || w.has(n):
		return false
	}
	w.set(n)
	return true
}
