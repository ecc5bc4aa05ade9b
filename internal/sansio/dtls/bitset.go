package dtls

import "math/bits"

// bitset has a bit for each byte of something: whether that has come, or is acknowledged.
type bitset []uint64

func newBitset(n int) bitset { return make(bitset, (n+63)/64) }

func (s bitset) has(at int) bool { return s[at/64]&(1<<(at%64)) != 0 }

// set sets the bits before to, from from on, and says how many of them were not.
func (s bitset) set(from, to int) (news int) {
	for from < to {
		n := min(to-from, 64-from%64) // of one word
		fresh := (uint64(1)<<n - 1) << (from % 64) &^ s[from/64]
		s[from/64] |= fresh
		news += bits.OnesCount64(fresh)
		from += n
	}
	return news
}
