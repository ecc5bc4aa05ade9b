package rtc

import (
	"math/bits"
	"sync"
	"unsafe"
)

// Send copies a message, and when the peer has it the copy's memory serves another message of any connection; likewise a packet that was received,
// when the handler has returned from it. What nobody borrows is the garbage
// collector's. There are four sizes to a doubling, so at most a fifth is unused. Smaller messages are copied by the core, what is larger is
// allocated as usual.
const (
	minLent = 1<<8 + 1
	maxLent = 1 << 16
)

var lent [4 * 8]sync.Pool // of *byte, the first of a buffer; by size

// lentSize is the size of the buffer for n bytes, and its place in lent; false: there is none.
func lentSize(n int) (size, i int, ok bool) {
	if n < minLent || n > maxLent {
		return 0, 0, false
	}
	shift := bits.Len(uint(n-1)) - 3
	quarter := (n - 1) >> shift // 4 to 7
	return (quarter + 1) << shift, 4*(shift-bits.Len(minLent-1)+3) + quarter - 4, true
}

// lend returns an empty slice with room for n bytes. It is not nil.
func lend(n int) []byte {
	size, i, ok := lentSize(n)
	if !ok {
		return make([]byte, 0, max(n, 1))
	}
	if p, ok := lent[i].Get().(*byte); ok {
		return unsafe.Slice(p, size)[:0]
	}
	return make([]byte, 0, size)
}

// lendCopy copies a message. It returns nil for a small one, which the core copies.
func lendCopy(data []byte) []byte {
	if len(data) < minLent {
		return nil
	}
	return append(lend(len(data)), data...)
}

// lendPacket is lend for a packet that is received, with length n; those of audio are small and many.
func lendPacket(n int) []byte { return lend(max(n, minLent))[:n] }

// recyclePacket takes back what lendPacket(len(b)) returned.
func recyclePacket(b []byte) { recycle(b[:max(len(b), min(cap(b), minLent))]) }

// recycle takes back what lend(len(b)) returned.
func recycle(b []byte) {
	if size, i, ok := lentSize(len(b)); ok && cap(b) == size {
		lent[i].Put(unsafe.SliceData(b))
	}
}
