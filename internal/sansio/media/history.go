package media

import "time"

// packet is one that was given to us to send, in the clear.
type packet struct {
	seq     uint64 // unwrapped; zero: the place is free
	b       []byte // header and payload
	header  int    // length of the header
	put     instant
	sent    instant // last time; zero: it waits
	resends uint8
	queued  bool // as a retransmission
	foreign bool // its transport-wide number is the user's
}

// history is the ring of the last packets of a source: those that wait to be sent, and those that may be asked for again. It grows while its
// oldest packet is younger than keep, up to limit packets; then the oldest makes room.
type history struct {
	ring  []packet // len is a power of two, by seq
	keep  time.Duration
	limit int
}

const minHistory = 8

// place gives the place for seq. Dropped: a packet that was still waiting had to go.
func (h *history) place(now instant, seq uint64) (p *packet, dropped bool) {
	if len(h.ring) == 0 {
		h.ring = make([]packet, minHistory)
	}
	p = h.at(seq)
	for p.seq != 0 && len(h.ring) < h.limit && (p.sent == 0 || now.since(p.put) < h.keep) {
		h.grow()
		p = h.at(seq)
	}
	dropped = p.seq != 0 && p.sent == 0
	*p = packet{seq: seq, b: p.b[:0], put: now}
	return p, dropped
}

func (h *history) at(seq uint64) *packet { return &h.ring[seq&uint64(len(h.ring)-1)] }

func (h *history) grow() {
	ring := make([]packet, 2*len(h.ring))
	for _, p := range h.ring {
		if p.seq != 0 {
			ring[p.seq&uint64(len(ring)-1)] = p
		}
	}
	h.ring = ring
}

// drop forgets all packets.
func (h *history) drop() { h.ring = nil }

// find returns the packet with seq, nil when it is not there.
func (h *history) find(seq uint64) *packet {
	if len(h.ring) == 0 {
		return nil
	}
	if p := h.at(seq); p.seq == seq && seq != 0 {
		return p
	}
	return nil
}
