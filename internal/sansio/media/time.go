package media

import "time"

// instant is a time inside the machine: nanoseconds since its first call, counted from 1. Zero is never.
type instant int64

func (t instant) add(d time.Duration) instant   { return t + instant(d) }
func (t instant) since(u instant) time.Duration { return time.Duration(t - u) }

// sooner is the earlier of two deadlines, of which zero is none.
func sooner(a, b instant) instant {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// enter begins each call: it takes the caller's time as the machine's own. Time never goes back.
func (m *Machine) enter(now time.Time) {
	if m.epoch.IsZero() {
		m.epoch = now
	}
	m.now = max(m.now, instant(now.Sub(m.epoch))+1)
}

// at is the caller's name for t.
func (m *Machine) at(t instant) time.Time {
	if t == 0 {
		return time.Time{}
	}
	return m.epoch.Add(time.Duration(t - 1))
}

// ntp is the 64-bit NTP timestamp of t (RFC 3550 section 4): seconds since 1900 and their fraction.
func (m *Machine) ntp(t instant) uint64 {
	const from1900 = 2208988800
	w := m.at(t)
	return uint64(w.Unix()+from1900)<<32 | uint64(w.Nanosecond())<<32/uint64(time.Second)
}

// compact is the middle 32 bits of an NTP timestamp, which LSR and DLSR use: units of 1/65536 s.
func compact(ntp uint64) uint32 { return uint32(ntp >> 16) }

func toCompact(d time.Duration) uint32 { return uint32(uint64(d) * 65536 / uint64(time.Second)) }

func fromCompact(u uint32) time.Duration {
	return time.Duration(uint64(u) * uint64(time.Second) / 65536)
}

// fromNTP is the time that a 64-bit NTP timestamp tells.
func fromNTP(ntp uint64) time.Time {
	const from1900 = 2208988800
	return time.Unix(int64(ntp>>32)-from1900, int64(ntp&(1<<32-1)*uint64(time.Second)>>32))
}
