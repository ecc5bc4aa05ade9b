package rtc_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime/sim"
)

// The promises here are about a path that loses, delays or breaks: only a simulation has one. What holds on any path is tested over each
// runtime.

// Promise 4: a channel that is pulled and not read stops its peer's data and nothing else: the connection's events go on.
func TestEventsGoOnBehindAnUnreadChannel(t *testing.T) {
	p := newPair(t, sim.Config{Handoff: time.Millisecond, Link: sim.Link{Delay: 10 * time.Millisecond}}, smallBuffers)
	var far *rtc.DataChannel
	p.rec[1].on = func(kind string, _ *rtc.PeerConnection, dc *rtc.DataChannel, _ rtc.DataChannelMessage) {
		if kind == "channel" {
			far = dc
			dc.Messages(context.Background())
		}
	}
	a, err := p.pc[0].CreateDataChannel("bulk", nil)
	p.must(err)
	p.negotiate(0)
	p.until("open", func() bool { return far != nil && a.ReadyState() == rtc.DataChannelStateOpen })
	b := newBulk(1, 16<<10)
	b.fill(p, a)
	p.world.Partition(p.hosts[0], p.hosts[1], true)
	p.until("disconnected", func() bool { return p.rec[1].state() == rtc.PeerConnectionStateDisconnected })
	p.world.Partition(p.hosts[0], p.hosts[1], false)
	p.until("connected", func() bool { return p.rec[1].state() == rtc.PeerConnectionStateConnected })
	p.must(p.pc[1].RestartICE())
	p.negotiate(1)
	p.world.Run(time.Second)
	if !p.rec[1].has("signaling have-local-offer") {
		t.Errorf("b heard %q", p.rec[1].heard())
	}
	// What goes the other way goes on, too.
	p.must(far.SendText("still here"))
	p.until("the other direction", func() bool { return p.rec[0].has("message bulk still here") })
	got := newTally()
	p.world.Go("reader", func() {
		for m := range far.Messages(context.Background()) {
			got.take(m.Data)
		}
	})
	p.until("all is read", func() bool { return got.taken() == b.n })
}

// OnDataChannelBufferedAmountLow comes exactly once each time that the amount falls to the threshold from above, and not otherwise.
func TestBufferedAmountLow(t *testing.T) {
	for _, threshold := range []uint64{0, 1, 50_000} {
		t.Run(fmt.Sprint(threshold), func(t *testing.T) {
			p, a, _ := connected(t, sim.Config{Link: sim.Link{Delay: 10 * time.Millisecond, Rate: 4e6}}, nil, nil)
			a.SetBufferedAmountLowThreshold(threshold)
			if a.BufferedAmountLowThreshold() != threshold {
				t.Errorf("the threshold is %d", a.BufferedAmountLowThreshold())
			}
			p.world.Run(time.Second)
			if p.rec[0].has("low data") {
				t.Error("an event before anything was sent")
			}
			crossings := 0
			for range 5 {
				for range 20 {
					before := a.BufferedAmount()
					p.must(a.Send(make([]byte, 10_000)))
					if before+10_000 > threshold && a.BufferedAmount() <= threshold {
						crossings++ // it has left at once
					}
				}
				crossings++
				if n := a.BufferedAmount(); n <= threshold || n > 200_000 {
					t.Fatalf("%d bytes are buffered", n)
				}
				p.until("all is acknowledged", func() bool { return a.BufferedAmount() == 0 && rtc.ReportOf(p.pc[0]).SCTP.InFlight == 0 })
				if n := p.rec[0].count("low data"); n != crossings {
					t.Fatalf("%d events after %d crossings", n, crossings)
				}
			}
			if threshold != 50_000 {
				return
			}
			// What stays below the threshold does not cross it.
			for range 10 {
				p.must(a.Send(make([]byte, 5000)))
				p.world.Run(time.Second)
			}
			if n := p.rec[0].count("low data"); n != crossings {
				t.Errorf("%d events", n-crossings)
			}
		})
	}
}

// A threshold that is set before the channel has its stream holds when it has.
func TestBufferedAmountLowThresholdBeforeOpen(t *testing.T) {
	p := newPair(t, sim.Config{Link: sim.Link{Delay: 10 * time.Millisecond, Rate: 4e6}}, nil)
	dc, err := p.pc[0].CreateDataChannel("data", nil)
	p.must(err)
	dc.SetBufferedAmountLowThreshold(100_000)
	p.negotiate(0)
	p.until("open", func() bool { return p.rec[0].has("open data") })
	p.world.Run(time.Second)
	var at uint64
	p.rec[0].on = func(kind string, _ *rtc.PeerConnection, dc *rtc.DataChannel, _ rtc.DataChannelMessage) {
		if kind == "low" {
			at = dc.BufferedAmount()
		}
	}
	for range 10 {
		p.must(dc.Send(make([]byte, 50_000)))
	}
	p.until("low", func() bool { return p.rec[0].has("low data") })
	if at < 50_000 || at > 100_000 {
		t.Errorf("the event came at %d", at)
	}
}

// Unordered messages are delivered as they come: when one is lost, later ones do not wait for it.
func TestUnorderedDoesNotWait(t *testing.T) {
	for _, ordered := range []bool{true, false} {
		t.Run(fmt.Sprint("ordered=", ordered), func(t *testing.T) {
			const delay = 50 * time.Millisecond
			p, a, _ := connected(t, sim.Config{Link: sim.Link{Delay: delay}}, &rtc.DataChannelInit{Ordered: &ordered}, nil)
			p.must(a.SendText("first"))
			p.world.Run(time.Second)
			var got []string
			took := map[string]time.Duration{}
			start := p.world.Now()
			p.rec[1].on = func(kind string, _ *rtc.PeerConnection, _ *rtc.DataChannel, msg rtc.DataChannelMessage) {
				if kind == "message" {
					got = append(got, string(msg.Data))
					took[string(msg.Data)] = p.world.Now().Sub(start)
				}
			}
			lose := true
			p.world.Drop(func(pk sim.Packet) bool {
				ours := slices.Contains(p.hosts[0].Addrs(), pk.From.Addr()) && pk.Data[0] >= 20 && pk.Data[0] <= 63
				defer func() { lose = lose && !ours }()
				return lose && ours
			})
			p.must(a.SendText("lost"))
			p.world.Run(time.Millisecond)
			if lose {
				t.Fatal("nothing was lost")
			}
			p.must(a.SendText("second"))
			p.must(a.SendText("third"))
			p.until("messages", func() bool { return len(got) == 3 })
			want := []string{"second", "third", "lost"}
			if ordered {
				want = []string{"lost", "second", "third"}
			}
			if !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			if d := took["second"]; (d > delay+5*time.Millisecond) != ordered {
				t.Errorf("the second message took %v", d)
			}
		})
	}
}

// A channel with maxRetransmits=0 loses what the path loses, and only that: what arrives is in order and is not held up by what does not.
func TestNoRetransmits(t *testing.T) {
	for _, ordered := range []bool{true, false} {
		t.Run(fmt.Sprint("ordered=", ordered), func(t *testing.T) {
			const n, delay = 1000, 30 * time.Millisecond
			p, a, _ := connected(t, sim.Config{Link: sim.Link{Delay: delay}}, &rtc.DataChannelInit{Ordered: &ordered, MaxRetransmits: new(uint16(0))}, nil)
			p.must(a.SendText("first")) // RFC 8832: ordered until the channel is acknowledged
			p.world.Run(time.Second)
			p.world.SetDefault(sim.Link{Delay: delay, Loss: 0.2})
			var got []int
			var worst time.Duration
			sent := map[int]time.Time{}
			p.rec[1].on = func(kind string, _ *rtc.PeerConnection, _ *rtc.DataChannel, msg rtc.DataChannelMessage) {
				if kind == "message" {
					var i int
					fmt.Sscan(string(msg.Data), &i)
					got = append(got, i)
					worst = max(worst, p.world.Now().Sub(sent[i]))
				}
			}
			for i := range n {
				sent[i] = p.world.Now()
				p.must(a.SendText(fmt.Sprint(i)))
				p.world.Run(20 * time.Millisecond)
			}
			p.world.Run(10 * time.Second)
			if len(got) < n*65/100 || len(got) > n*95/100 {
				t.Errorf("%d of %d messages came over a path that loses a fifth", len(got), n)
			}
			if ordered && !slices.IsSorted(got) {
				t.Error("they came out of order")
			}
			slices.Sort(got)
			if len(slices.Compact(got)) != len(got) {
				t.Error("one came twice")
			}
			if a.BufferedAmount() > 0 || rtc.ReportOf(p.pc[0]).SCTP.InFlight > 0 {
				t.Errorf("%d bytes are buffered, %d in flight", a.BufferedAmount(), rtc.ReportOf(p.pc[0]).SCTP.InFlight)
			}
			t.Logf("%d came, the slowest after %v", len(got), worst)
			if !ordered && worst > delay+time.Second {
				t.Errorf("one took %v", worst)
			}
		})
	}
}

// A channel with maxPacketLifeTime gives up what could not be delivered in time, and goes on.
func TestLifetime(t *testing.T) {
	p, a, _ := connected(t, sim.Config{Link: sim.Link{Delay: 20 * time.Millisecond}}, &rtc.DataChannelInit{MaxPacketLifeTime: new(uint16(500))}, nil)
	p.must(a.SendText("before"))
	p.world.Run(time.Second)
	p.world.Partition(p.hosts[0], p.hosts[1], true)
	for i := range 20 {
		p.must(a.SendText(fmt.Sprint("lost ", i)))
	}
	p.world.Run(3 * time.Second)
	p.world.Partition(p.hosts[0], p.hosts[1], false)
	p.must(a.SendText("after"))
	p.until("the message behind", func() bool { return p.rec[1].has("message data after") })
	p.world.Run(time.Minute)
	if got := onlyMessages(p.rec[1].heard()); !slices.Equal(got, []string{"message data before", "message data after"}) {
		t.Errorf("got %q", got)
	}
}

// What the peer sends makes nobody log: a flood of datagrams is dropped and counted.
func TestDatagramsAreNotLogged(t *testing.T) {
	var out lines
	p, a, _ := connected(t, sim.Config{Link: sim.Link{Delay: time.Millisecond}}, nil, func(i int, b rtc.Builder) rtc.Builder {
		return b.LoggerFactory(rtc.SlogLoggerFactory(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug - 4}))))
	})
	p.world.Run(time.Second)
	before := out.String()
	p.world.SetDefault(sim.Link{Delay: time.Millisecond, Duplicate: 1, Reorder: 0.5})
	for range 200 {
		p.must(a.Send(slices.Repeat([]byte("data"), 500)))
	}
	p.until("messages", func() bool { return p.rec[1].received() == 200 })
	if got := strings.TrimPrefix(out.String(), before); got != "" {
		t.Errorf("logged\n%s", got)
	}
}
