package dtls

// replayWords and replayBits give the size of the window. RFC 6347 section 4.1.2.6 wants 64 records or more. A burst of segments spread
// over two paths reorders by hundreds at the speeds we reach.
const (
	replayWords = 16
	replayBits  = replayWords * 64
)

// replayWindow remembers which of the last records of an epoch have been received. The bits are a ring: sequence number n has bit
// n mod replayBits.
//
// Invariant: no bit is set for a number in (top-replayBits, top] that was not marked.
type replayWindow struct {
	bits [replayWords]uint64
	top  uint64 // one more than the largest number marked
}

// fresh says whether seq is new. It changes nothing: RFC 6347 section 4.1.2.6, "The receive window is updated only if the MAC
// verification succeeds."
func (w *replayWindow) fresh(seq uint64) bool {
	if seq >= w.top {
		return true
	}
	return w.top-seq <= replayBits && w.bits[seq/64%replayWords]&(1<<(seq%64)) == 0
}

// mark notes that seq has been received and authenticated. It must be fresh.
func (w *replayWindow) mark(seq uint64) {
	if seq >= w.top {
		if seq-w.top >= replayBits {
			w.bits = [replayWords]uint64{}
		} else {
			for n := w.top; n < seq; n++ { // numbers skipped: their bits belong to the window's last round
				w.bits[n/64%replayWords] &^= 1 << (n % 64)
			}
		}
		w.top = seq + 1
	}
	w.bits[seq/64%replayWords] |= 1 << (seq % 64)
}
