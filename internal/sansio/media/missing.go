package media

import (
	"slices"
	"time"
)

// maxMissing bounds the list of missing packets. When it runs over a keyframe is asked for instead.
const maxMissing = 512

// A packet is asked for at once, and again when the answer to the last request should have come, up to maxNACKs times and nackLifetime: what
// comes later helps no decoder. RFC 4585 section 6.2.1 has the message, and leaves the times open.
const (
	maxNACKs        = 10
	minNACKInterval = 20 * time.Millisecond
	nackLifetime    = time.Second
)

// missing is what was lost of a source and may be sent again.
type missing struct {
	list    []missingPacket // by rising number
	next    instant         // when something of it is due; zero: never
	tooMany bool            // the list ran over, and nobody was told
}

type missingPacket struct {
	seq  uint64
	sent uint8
	due  instant
	gone instant
}

// lose adds the numbers from first up to, but without, end.
func (l *missing) lose(now instant, first, end uint64) {
	if end-first > uint64(maxMissing-len(l.list)) {
		l.clear()
		l.tooMany = true
		return
	}
	for n := first; n < end; n++ {
		l.list = append(l.list, missingPacket{seq: n, due: now, gone: now.add(nackLifetime)})
		l.next = sooner(l.next, now)
	}
}

// arrive takes a number off the list.
func (l *missing) arrive(seq uint64) {
	if i, ok := slices.BinarySearchFunc(l.list, seq, func(p missingPacket, seq uint64) int { return int(int64(p.seq - seq)) }); ok {
		l.list = slices.Delete(l.list, i, i+1)
		l.schedule()
	}
}

func (l *missing) clear() { l.list, l.next, l.tooMany = l.list[:0], 0, false }

func (l *missing) schedule() {
	l.next = 0
	for i := range l.list {
		l.next = sooner(l.next, l.list[i].due)
	}
}

// ask appends the numbers that are due to be asked for to dst, and gives up those that it has been too long for: gaveUp says whether there
// were any.
func (l *missing) ask(now instant, rtt time.Duration, dst []uint16) (_ []uint16, gaveUp bool) {
	if l.next == 0 || l.next > now {
		return dst, false
	}
	kept := l.list[:0]
	for _, p := range l.list {
		if p.due <= now {
			if p.sent == maxNACKs || p.gone <= now {
				gaveUp = true
				continue
			}
			dst = append(dst, uint16(p.seq))
			p.sent++
			p.due = min(now.add(max(rtt+rtt/4, minNACKInterval)), p.gone)
		}
		kept = append(kept, p)
	}
	l.list = kept
	l.schedule()
	return dst, gaveUp
}
