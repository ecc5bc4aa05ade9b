package bwe

import "time"

// throughput is how fast packets arrived over the last half second, by the receiver's clock.
type throughput struct {
	buckets [throughputBuckets]int
	newest  int64 // number of the newest bucket
	first   time.Duration
	latest  time.Duration
	begun   bool
}

const (
	throughputBuckets = 25
	bucketSpan        = 20 * time.Millisecond
	minSpan           = 100 * time.Millisecond
	recent            = 8 // buckets, in which a queue that is noticed has been there
)

func (t *throughput) add(at time.Duration, size int) {
	n := bucket(at)
	switch {
	case !t.begun || n-t.newest >= throughputBuckets:
		*t = throughput{newest: n, first: at, latest: at, begun: true}
	case n <= t.newest-throughputBuckets:
		return
	}
	for ; t.newest < n; t.newest++ {
		t.buckets[index(t.newest+1)] = 0
	}
	t.buckets[index(n)] += size
	t.first, t.latest = min(t.first, at), max(t.latest, at)
}

// bucket is the number of the bucket for a time, which may be negative.
func bucket(at time.Duration) int64 {
	if at < 0 {
		at -= bucketSpan - 1
	}
	return int64(at / bucketSpan)
}

// index is the place of a bucket.
func index(n int64) int64 { return (n%throughputBuckets + throughputBuckets) % throughputBuckets }

// rate is in bit/s, over so many of the last buckets; false: too little has arrived to tell.
func (t *throughput) rate(buckets int64) (float64, bool) {
	from := t.newest - buckets + 1
	span := t.latest - max(t.first, time.Duration(from)*bucketSpan)
	if span < minSpan {
		return 0, false
	}
	sum := 0
	for n := from; n <= t.newest; n++ {
		sum += t.buckets[index(n)]
	}
	return float64(sum) * 8 / span.Seconds(), true
}

// losses are the fates of the last packets.
type losses struct {
	bits    [lossWindow / 64]uint64 // 1: lost
	n, lost int
	at      int
}

const lossWindow = 512

func (l *losses) add(arrived bool) {
	word, bit := &l.bits[l.at/64], uint64(1)<<(l.at%64)
	if l.n == lossWindow {
		if *word&bit != 0 {
			l.lost--
		}
	} else {
		l.n++
	}
	*word &^= bit
	if !arrived {
		*word |= bit
		l.lost++
	}
	l.at = (l.at + 1) % lossWindow
}

func (l *losses) full() bool { return l.n >= 100 }

func (l *losses) rate() float64 {
	if l.n == 0 {
		return 0
	}
	return float64(l.lost) / float64(l.n)
}
