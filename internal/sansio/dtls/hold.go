package dtls

// Our own limits for records that came too early: what a peer sends in the round trip before we are ready for it.
const (
	maxHeldRecords = 64
	maxHeldBytes   = 128 << 10
)

// hold keeps copies of a few records until they are of use.
type hold struct {
	records [][]byte
	bytes   int // Invariant: sum of the lengths of records
}

// put copies b, unless too much is held.
func (h *hold) put(b []byte) bool {
	if len(h.records) >= maxHeldRecords || h.bytes+len(b) > maxHeldBytes {
		return false
	}
	h.records = append(h.records, append([]byte(nil), b...))
	h.bytes += len(b)
	return true
}

// take returns all and holds nothing more.
func (h *hold) take() [][]byte {
	records := h.records
	*h = hold{}
	return records
}
