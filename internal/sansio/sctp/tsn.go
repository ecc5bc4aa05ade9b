package sctp

import "math/bits"

// TSN is a transmission sequence number. It wraps, so its order is that of RFC 1982.
type TSN uint32

// Less says whether t comes before u.
func (t TSN) Less(u TSN) bool { return int32(t-u) < 0 }

// Distance is how far u is after t; negative when it is before.
func (t TSN) Distance(u TSN) int { return int(int32(u - t)) }

// tsnSet is a set of TSNs after base, as a ring of bits. Its span, highest minus base, is bounded by its users.
type tsnSet struct {
	base TSN      // everything up to it is forgotten
	high TSN      // no member is after it; base when there is none
	n    int      // members
	bits []uint64 // by TSN/64, len is a power of two
}

func (s *tsnSet) reset(base TSN) { s.base, s.high, s.n, s.bits = base, base, 0, nil }

func (s *tsnSet) word(t TSN) *uint64 { return &s.bits[int(t>>6)&(len(s.bits)-1)] }

func (s *tsnSet) has(t TSN) bool {
	return s.base.Less(t) && !s.high.Less(t) && *s.word(t)>>(t&63)&1 != 0
}

// add adds t, which comes after base and is not a member.
func (s *tsnSet) add(t TSN) {
	if s.high.Less(t) {
		s.fit(t)
		s.high = t
	}
	*s.word(t) |= 1 << (t & 63)
	s.n++
}

// fit makes the ring hold all words from base's to t's.
func (s *tsnSet) fit(t TSN) {
	need := int(t>>6-s.base>>6)&(1<<26-1) + 1
	if need <= len(s.bits) {
		return
	}
	old := *s
	s.bits = make([]uint64, max(4, 1<<bits.Len(uint(need-1))))
	for t, i := old.base, 0; i < len(old.bits); t, i = t+64, i+1 {
		*s.word(t) = *old.word(t)
	}
}

// advance moves base forward to t and forgets the members on the way.
func (s *tsnSet) advance(t TSN) {
	if s.n > 0 {
		end := t
		if s.high.Less(end) {
			end = s.high
		}
		for u := s.base + 1; !end.Less(u); u = u | 63 + 1 {
			mask := ^uint64(0) << (u & 63)
			if u>>6 == end>>6 {
				mask &= ^uint64(0) >> (63 - end&63)
			}
			w := s.word(u)
			s.n -= bits.OnesCount64(*w & mask)
			*w &^= mask
		}
	}
	s.base = t
	if s.high.Less(t) {
		s.high = t
	}
}

// remove takes the member t out.
func (s *tsnSet) remove(t TSN) {
	*s.word(t) &^= 1 << (t & 63)
	s.n--
}

// nextMember is the first member that is not before t, which is after base; one past high when there is none.
func (s *tsnSet) nextMember(t TSN) TSN {
	for !s.high.Less(t) {
		if w := *s.word(t) >> (t & 63); w != 0 {
			return t + TSN(bits.TrailingZeros64(w))
		}
		t = t | 63 + 1
	}
	return s.high + 1
}

// nextMissing is the first TSN that is not before t, which is after base, and no member.
func (s *tsnSet) nextMissing(t TSN) TSN {
	for !s.high.Less(t) {
		if w := ^*s.word(t) >> (t & 63); w != 0 {
			return t + TSN(bits.TrailingZeros64(w))
		}
		t = t | 63 + 1
	}
	return t
}
