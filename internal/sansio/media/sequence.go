package media

// unwrapped extends 16-bit sequence numbers to 64 bits: the result is the number nearest to the last one.
// The first becomes 1<<16 and more, so that earlier ones have a place.
type unwrapped struct {
	last  uint64
	begun bool
}

// peek says what seq would become.
func (u *unwrapped) peek(seq uint16) uint64 {
	if !u.begun {
		return 1<<16 + uint64(seq)
	}
	return u.last + uint64(int64(int16(seq-uint16(u.last))))
}

// advance is peek, and remembers the number if it is the highest.
func (u *unwrapped) advance(seq uint16) uint64 {
	n := u.peek(seq)
	if !u.begun || n > u.last {
		u.last, u.begun = n, true
	}
	return n
}
