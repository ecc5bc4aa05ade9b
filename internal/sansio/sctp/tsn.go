package sctp

// TSN is a transmission sequence number; it wraps, so order is that of RFC 1982.
type TSN uint32

// Less says whether t comes before u.
func (t TSN) Less(u TSN) bool { return int32(t-u) < 0 }
