package media

import "time"

// sentWindow is how many packets the log of what was sent remembers: at 1200 bytes and 50 Mbit/s a second and a half.
const sentWindow = 8192

// sentPacket is one that has left with a transport-wide number.
type sentPacket struct {
	seq   uint16 // transport-wide
	ssrc  uint32
	rtp   uint16
	size  int32
	at    instant
	state uint8 // what the peer has said of it
}

const (
	sentUnknown uint8 = iota
	sentLost
	sentArrived
)

// sentLog is the ring of the last packets by transport-wide number. It is made when the first is sent.
type sentLog struct {
	ring []sentPacket
	next uint16
	n    int
	all  uint64 // that were ever added
}

func (l *sentLog) add(now instant, size int, s *sender, rtp uint16) uint16 {
	if l.ring == nil || l.n == len(l.ring) && len(l.ring) < sentWindow && now.since(l.ring[l.next&uint16(len(l.ring)-1)].at) < sentKeep {
		l.grow()
	}
	seq := l.next
	l.next++
	l.all++
	l.n = min(l.n+1, len(l.ring))
	l.ring[seq&uint16(len(l.ring)-1)] = sentPacket{seq: seq, ssrc: s.enc.SSRC, rtp: rtp, size: int32(size), at: now}
	return seq
}

// sentKeep is how long after a packet feedback about it may come.
const sentKeep = 2 * time.Second

func (l *sentLog) grow() {
	ring := make([]sentPacket, max(64, 2*len(l.ring)))
	for i := range l.n {
		seq := l.next - uint16(l.n) + uint16(i)
		ring[seq&uint16(len(ring)-1)] = l.ring[seq&uint16(len(l.ring)-1)]
	}
	l.ring = ring
}

// find returns the packet with a transport-wide number, nil when it is not in the log.
func (l *sentLog) find(seq uint16) *sentPacket {
	if back := int(l.next - seq); back < 1 || back > l.n {
		return nil
	}
	return &l.ring[seq&uint16(len(l.ring)-1)]
}

// oldest returns the packet number i of those in the log, the first that was sent first.
func (l *sentLog) oldest(i int) *sentPacket {
	return &l.ring[(l.next-uint16(l.n)+uint16(i))&uint16(len(l.ring)-1)]
}
