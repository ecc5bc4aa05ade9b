package rtc_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/sansrtc/rtc"
)

const lan = 5 * time.Millisecond

// The sizes of messages are bounded by what the other side has announced, and each side may use all of it: with pion's defaults, and when
// each side takes more.
func TestInteropMessageSizes(t *testing.T) {
	for _, c := range []struct {
		name         string
		ours, theirs int // a=max-message-size that is set; 0: the default
		weMaySend    int
		pionMaySend  int
	}{
		{"defaults", 0, 0, 1073741823, 256 << 10},
		{"64 KiB", 64 << 10, 64 << 10, 64 << 10, 64 << 10},
		{"256 KiB", 256 << 10, 256 << 10, 256 << 10, 256 << 10},
		{"1 MiB", 1 << 20, 1 << 20, 1 << 20, 1 << 20},
		{"small to us", 1000, 256 << 10, 256 << 10, 1000},
		{"small to pion", 256 << 10, 1000, 1000, 256 << 10},
	} {
		for _, offerer := range eitherSide {
			inBubble(t, c.name+"/offerer="+offerer, func(t *testing.T) {
				m := meet(t, newVNet(t, lan, nil), terms{
					ours:   func(b rtc.Builder) rtc.Builder { return b.SCTP(rtc.SCTPOptions{MaxMessageSize: c.ours}) },
					theirs: func(e *webrtc.SettingEngine) { e.SetSCTPMaxMessageSize(uint32(c.theirs)) },
				})
				m.connect(m.side(offerer))
				for _, s := range m.sides() {
					limit := c.weMaySend
					if s == m.pion {
						limit = c.pionMaySend
					}
					dc := s.ear.channel("first")
					var want []webrtc.DataChannelMessage
					for _, size := range []int{1, 1000, 64<<10 - 1, 64 << 10, 256 << 10, 1 << 20} {
						if size <= limit {
							want = append(want, samples(size)...)
						}
					}
					m.send(dc, want)
					m.wantMessages(m.other(s), "first", want, true)
					if err := dc.Send(make([]byte, min(limit, 2<<20)+1)); limit < 2<<20 && err == nil {
						t.Errorf("%s may send %d bytes, and sent one more", s.name, limit)
					}
				}
				if limit := c.weMaySend; limit < 2<<20 {
					var wrong *rtc.TypeError
					if err := m.us.ear.channel("first").Send(make([]byte, limit+1)); !errors.As(err, &wrong) || !errors.Is(err, rtc.ErrMessageTooLarge) {
						t.Errorf("message over pion's limit: %v, want a TypeError with ErrMessageTooLarge", err)
					}
				}
				m.understood()
			})
		}
	}
}

// What was sent before a channel's close arrives before the close is heard, at both sides, whoever closes; the other channels don't notice.
// The stream can be used again at once, as one that is made at both sides shows.
func TestInteropChannelCloses(t *testing.T) {
	for _, closer := range eitherSide {
		for _, maker := range []string{"we", "pion", "both"} {
			inBubble(t, fmt.Sprintf("closer=%s/maker=%s", closer, maker), func(t *testing.T) {
				m := meet(t, newVNet(t, lan, nil), terms{})
				by := m.side(closer)
				m.connect(m.us)
				want := samples(64 << 10)
				for round := range 5 {
					label := fmt.Sprint("round ", round)
					if maker == "both" {
						init := &webrtc.DataChannelInit{Negotiated: ptr(true), ID: ptr(uint16(42))}
						m.open(m.us, label, init)
						m.open(m.pion, label, init)
					} else {
						m.open(m.side(maker), label, nil)
					}
					near, far := m.opened(by, label)
					m.send(near, want)
					if by == m.pion {
						m.reads(label)
					}
					m.must(near.Close())
					m.until("closed at both sides", func() bool { return by.ear.closedChannel(label) && m.other(by).ear.closedChannel(label) })
					m.wantMessages(m.other(by), label, want, true)
					for _, dc := range []channel{near, far} {
						if got := dc.ReadyState(); got != webrtc.DataChannelStateClosed {
							t.Errorf("%q is %v after its close", label, got)
						}
						if err := dc.Send([]byte("late")); err == nil {
							t.Errorf("%q sends after its close", label)
						}
					}
				}
				m.exchange("first", true)
				m.understood()
			})
		}
	}
}

// reads waits until pion reads the channel: one that is closed before, of which it has just told that it is open, never tells that it is closed.
func (m *meeting) reads(label string) {
	m.t.Helper()
	m.must(m.us.ear.channel(label).SendText("are you there"))
	m.until("pion reads "+label, func() bool { return m.pion.ear.count(label) > 0 })
}

// Both sides close a channel at the same time.
func TestInteropBothCloseChannel(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		m := meet(t, newVNet(t, lan, nil), terms{})
		m.connect(m.us)
		m.open(m.pion, "both", nil)
		near, far := m.opened(m.us, "both")
		m.reads("both")
		m.must(near.Close())
		m.must(far.Close())
		m.until("closed at both sides", func() bool { return m.us.ear.closedChannel("both") && m.pion.ear.closedChannel("both") })
		m.exchange("first", true)
		m.understood()
	})
}

// Fifty channels from each side, before and after the connection, and after all of the first have closed.
func TestInteropManyChannels(t *testing.T) {
	const n = 50
	inBubble(t, "", func(t *testing.T) {
		m := meet(t, newVNet(t, lan, nil), terms{})
		label := func(s *side, round, i int) string { return fmt.Sprintf("%s %d.%d", s.name, round, i) }
		for round := range 3 {
			for i := range n {
				for _, s := range m.sides() {
					m.open(s, label(s, round, i), nil)
				}
			}
			if round == 0 {
				m.negotiate(m.us, nil)
			}
			ids := map[uint16]bool{}
			for i := range n {
				for _, s := range m.sides() {
					near, far := m.opened(s, label(s, round, i))
					m.must(near.SendText("from " + near.Label()))
					m.must(far.SendText("to " + far.Label()))
					ids[*near.ID()] = true
				}
			}
			if len(ids) != 2*n {
				t.Errorf("%d channels have %d ids", 2*n, len(ids))
			}
			for i := range n {
				for _, s := range m.sides() {
					l := label(s, round, i)
					m.wantMessages(m.other(s), l, []webrtc.DataChannelMessage{{IsString: true, Data: []byte("from " + l)}}, true)
					m.wantMessages(s, l, []webrtc.DataChannelMessage{{IsString: true, Data: []byte("to " + l)}}, true)
				}
			}
			if round == 1 {
				continue // these stay open
			}
			for i := range n {
				for _, s := range m.sides() {
					m.must(m.other(s).ear.channel(label(s, round, i)).Close())
				}
			}
			m.until("all closed", func() bool {
				for i := range n {
					for _, s := range m.sides() {
						if l := label(s, round, i); !m.us.ear.closedChannel(l) || !m.pion.ear.closedChannel(l) {
							return false
						}
					}
				}
				return true
			})
		}
		m.understood()
	})
}
