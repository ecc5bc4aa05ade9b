package rtc_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime/sim"
)

// wantEnd holds that a connection has ended as it should: Done is closed, its last event is closed, and so are its channels.
func wantEnd(t testing.TB, r *recorder, pc *rtc.PeerConnection) {
	t.Helper()
	select {
	case <-pc.Done():
	default:
		t.Errorf("%s: Done is not closed", r.name)
	}
	heard := r.heard()
	if n := len(heard); n == 0 || heard[n-1] != "connection closed" || slices.Index(heard, "connection closed") != n-1 {
		t.Errorf("%s: closed is not the last event: %q", r.name, heard)
	}
	count := map[string]int{}
	for _, l := range heard {
		count[l]++
	}
	for l, n := range count {
		kind, label, _ := strings.Cut(l, " ")
		if (kind == "open" || kind == "channel" || kind == "close") && (n != 1 || count["close "+label] != 1) {
			t.Errorf("%s: channel %s: %q", r.name, label, heard)
		}
	}
	if s := []any{pc.ConnectionState(), pc.ICEConnectionState(), pc.SignalingState()}; s[0] != rtc.PeerConnectionStateClosed ||
		s[1] != rtc.ICEConnectionStateClosed && slices.ContainsFunc(heard, func(l string) bool { return strings.HasPrefix(l, "ice ") }) ||
		s[2] != rtc.SignalingStateClosed {
		t.Errorf("%s: the states are %v", r.name, s)
	}
}

// A channel closes from either side or from both at once; what its closer has sent arrives before.
func TestChannelClose(t *testing.T) { everywhere(t, testChannelClose) }

func testChannelClose(t *testing.T, w *world) {
	for _, loss := range []float64{0, 0.1} {
		for name, sides := range map[string][]int{"maker": {0}, "other": {1}, "both": {0, 1}, "twice": {1, 1}} {
			t.Run(fmt.Sprintf("%s/loss=%v", name, loss), func(t *testing.T) {
				p, a, b := w.connected(t, sim.Config{Handoff: -1, Link: sim.Link{Delay: 10 * time.Millisecond, Loss: loss}}, nil, nil)
				dc, closer := [2]*rtc.DataChannel{a, b}, sides[0]
				for range 50 {
					p.must(dc[closer].Send(make([]byte, 10_000)))
				}
				for _, i := range sides {
					p.must(dc[i].Close())
					// Over sockets the second Close may come behind the end.
					if s := dc[i].ReadyState(); s != rtc.DataChannelStateClosing && (w.simulated() || s != rtc.DataChannelStateClosed) {
						t.Errorf("behind Close the channel is %v", s)
					}
					if err := dc[i].SendText("late"); !errors.Is(err, rtc.ErrDataChannelNotOpen) {
						t.Errorf("Send behind Close: %v", err)
					}
				}
				p.until("close at both ends", func() bool { return p.rec[0].has("close data") && p.rec[1].has("close data") })
				if n := p.rec[1-closer].received(); n != 50 && name != "both" {
					t.Errorf("%d messages of 50 came before the close", n)
				}
				for i, r := range p.rec {
					// Over sockets one that closes, too, may have heard of the other's Close before.
					if heard := r.has("closing data"); heard == slices.Contains(sides, i) && (w.simulated() || name != "both") {
						t.Errorf("%s heard closing: %v", r.name, heard)
					}
				}
				// The connection stays, and its next channel works.
				if _, err := p.pc[closer].CreateDataChannel("next", nil); err != nil {
					t.Fatal(err)
				}
				p.until("the next channel", func() bool { return p.rec[0].has("open next") && p.rec[1].has("open next") })
			})
		}
	}
}

// A stream's id serves one channel after the other, a thousand times, whoever closes: each has its own message and no other's.
func TestChannelReopens(t *testing.T) { everywhere(t, testChannelReopens) }

func testChannelReopens(t *testing.T, w *world) {
	p, _, _ := w.connected(t, sim.Config{Handoff: -1, Link: sim.Link{Delay: 5 * time.Millisecond, Loss: 0.02, Reorder: 0.05}}, nil, nil)
	var got, ended [2]int
	for i, r := range p.rec {
		r.on = func(kind string, _ *rtc.PeerConnection, dc *rtc.DataChannel, msg rtc.DataChannelMessage) {
			switch kind {
			case "message":
				got[i]++
				if string(msg.Data) != dc.Label() {
					t.Errorf("channel %s has %q", dc.Label(), msg.Data)
				}
			case "close":
				ended[i]++
			case "error":
				t.Errorf("channel %s has an error", dc.Label())
			}
		}
	}
	yes, id := true, uint16(100)
	for n := range 1000 {
		label := fmt.Sprint("life", n)
		var dc [2]*rtc.DataChannel
		for i := range dc {
			if i == 1 && n%3 == 0 {
				p.pass(3 * time.Millisecond) // the other's message may be there before the channel is
			}
			var err error
			if dc[i], err = p.pc[i].CreateDataChannel(label, &rtc.DataChannelInit{Negotiated: &yes, ID: &id}); err != nil {
				t.Fatal(err)
			}
			p.must(dc[i].SendText(label))
		}
		p.until("messages", func() bool { return got == [2]int{n + 1, n + 1} })
		p.must(dc[n%2].Close())
		if n%5 == 0 {
			p.must(dc[1-n%2].Close())
		}
		p.until("close at both ends", func() bool { return ended == [2]int{n + 1, n + 1} })
	}
	stats := p.pc[0].GetStats()
	if n := len(stats); n > 100 {
		t.Errorf("%d stats are left of channels that are gone", n)
	}
}

// A thousand channels that are announced, one after the other: each opens, carries and closes.
func TestChannelsComeAndGo(t *testing.T) { everywhere(t, testChannelsComeAndGo) }

func testChannelsComeAndGo(t *testing.T, w *world) {
	p, _, _ := w.connected(t, sim.Config{Handoff: -1, Link: sim.Link{Delay: 5 * time.Millisecond, Loss: 0.02}}, nil, nil)
	closed := [2]int{}
	for i, r := range p.rec {
		r.on = func(kind string, _ *rtc.PeerConnection, dc *rtc.DataChannel, msg rtc.DataChannelMessage) {
			switch kind {
			case "message":
				dc.Close()
			case "close":
				closed[i]++
			}
		}
	}
	for n := range 1000 {
		dc, err := p.pc[n%2].CreateDataChannel(fmt.Sprint(n), nil)
		p.must(err)
		p.must(dc.SendText("bye"))
		if n%10 == 9 {
			p.until("close at both ends", func() bool { return closed == [2]int{n + 1, n + 1} })
		}
	}
	if got := p.rec[0].received() + p.rec[1].received(); got != 1000 {
		t.Errorf("%d messages of 1000", got)
	}
}

// After Close every operation fails by an InvalidStateError with ErrConnectionClosed, getters and iterators still answer, and nothing hangs.
func TestCallsAfterClose(t *testing.T) { everywhere(t, testCallsAfterClose) }

func testCallsAfterClose(t *testing.T, w *world) {
	for _, released := range []bool{false, true} {
		t.Run(fmt.Sprint("released=", released), func(t *testing.T) {
			p, a, _ := w.connected(t, sim.Config{Handoff: -1}, nil, nil)
			pc := p.pc[0]
			sender := p.add(0, aTrack("track"))
			p.must(pc.Close())
			if released {
				p.until("Done", func() bool { return done(pc) })
			}
			v := reflect.ValueOf(pc)
			tried := 0
			for i := range v.NumMethod() {
				m, name := v.Method(i), v.Type().Method(i).Name
				outs := m.Type().NumOut()
				if outs == 0 || m.Type().Out(outs-1) != reflect.TypeFor[error]() {
					continue
				}
				var args []reflect.Value
				for j := range m.Type().NumIn() {
					switch in := m.Type().In(j); {
					case m.Type().IsVariadic() && j == m.Type().NumIn()-1:
					case in == reflect.TypeFor[rtc.TrackLocal]():
						args = append(args, reflect.ValueOf(aTrack("late")))
					case in == reflect.TypeFor[rtc.RTPCodecType]():
						args = append(args, reflect.ValueOf(rtc.RTPCodecTypeVideo))
					case in == reflect.TypeOf(sender):
						args = append(args, reflect.ValueOf(sender))
					default:
						args = append(args, reflect.Zero(in))
					}
				}
				err, _ := m.Call(args)[outs-1].Interface().(error)
				var state *rtc.InvalidStateError
				switch {
				case name == "Close" && err == nil:
				case !errors.As(err, &state) || !errors.Is(err, rtc.ErrConnectionClosed):
					t.Errorf("%s: %v", name, err)
				}
				tried++
			}
			if tried < 9 {
				t.Errorf("only %d methods return errors", tried)
			}
			for name, send := range map[string]func() error{
				"Send":        func() error { return a.Send([]byte("late")) },
				"SendText":    func() error { return a.SendText("late") },
				"SendContext": func() error { return a.SendContext(context.Background(), []byte("late")) },
				"Write":       func() error { _, err := a.Detach().Write([]byte("late")); return err },
			} {
				var state *rtc.InvalidStateError
				if err := send(); !errors.As(err, &state) || !errors.Is(err, rtc.ErrDataChannelNotOpen) {
					t.Errorf("%s: %v", name, err)
				}
			}
			for _, f := range pcCalls {
				f(pc, p.pc[1])
			}
			for _, f := range dcCalls {
				f(a)
			}
			for _, f := range transceiverCalls {
				f(sender.RTPTransceiver())
			}
			for _, f := range senderCalls {
				f(sender)
			}
			for _, f := range receiverCalls {
				f(sender.RTPTransceiver().Receiver())
			}
			p.until("Done", func() bool { return done(pc) })
			if a.ReadyState() != rtc.DataChannelStateClosed || a.Close() != nil {
				t.Errorf("the channel is %v", a.ReadyState())
			}
			for range a.Messages(context.Background()) {
				t.Error("a message of a closed connection")
			}
			for range pc.Events(context.Background()) {
				t.Error("an event of a closed connection")
			}
			for range pc.DataChannels(context.Background()) {
				t.Error("a channel of a closed connection")
			}
			wantEnd(t, p.rec[0], pc)
		})
	}
}

// Close of both ends from many goroutines at once, while others send, call and negotiate over real sockets, ends everything.
func TestCloseFromManyGoroutines(t *testing.T) { overSockets(t, testCloseFromManyGoroutines) }

func testCloseFromManyGoroutines(t *testing.T, w *world) {
	rts := w.runtimes(t)
	for round := range 20 {
		pc, rec := w.realPair(t, rts, nil)
		var all sync.WaitGroup
		for i := range pc {
			dc := rec[i].channel(0)
			for range 4 {
				all.Go(func() {
					for n := 0; dc.Send(make([]byte, 1000)) == nil || n < 3; n++ {
						pc[i].GetStats()
					}
				})
				all.Go(func() {
					for range round {
						pc[i].CreateOffer(nil)
					}
					pc[i].Close()
				})
			}
			all.Go(func() { pc[i].SetLocalDescription(rtc.SessionDescription{}) })
		}
		all.Wait()
		for i := range pc {
			<-pc[i].Done()
			wantEnd(t, rec[i], pc[i])
		}
	}
}

// A handler that stays does not keep the sockets of a connection that was closed.
func TestCloseInAHandlerThatStays(t *testing.T) {
	p, a, _ := simulated.connected(t, sim.Config{Handoff: time.Millisecond, Link: sim.Link{Delay: time.Millisecond}}, nil, nil)
	release := false
	p.rec[1].on = func(kind string, pc *rtc.PeerConnection, _ *rtc.DataChannel, _ rtc.DataChannelMessage) {
		if kind != "message" {
			return
		}
		if err := pc.Close(); err != nil {
			t.Error(err)
		}
		for !release {
			p.sleep(100 * time.Millisecond)
		}
	}
	p.must(a.Send([]byte("close")))
	p.pass(time.Second)
	if done(p.pc[1]) {
		t.Error("Done while a handler stays")
	}
	if loops, sockets := p.world.Open(); loops != 1 || sockets != 0 {
		t.Errorf("%d loops and %d sockets while a handler stays, and the peer has heard of it", loops, sockets)
	}
	release = true
	p.until("Done", func() bool { return done(p.pc[1]) })
	wantEnd(t, p.rec[1], p.pc[1])
}

// Done does not depend on an iterator that nobody reads.
func TestCloseWithAnUnreadIterator(t *testing.T) { everywhere(t, testCloseWithAnUnreadIterator) }

func testCloseWithAnUnreadIterator(t *testing.T, w *world) {
	p, _, _ := w.connected(t, sim.Config{Handoff: time.Millisecond, Link: sim.Link{Delay: time.Millisecond}}, nil, nil)
	p.pc[1].Events(context.Background())
	for i := range 1000 {
		_, err := p.pc[0].CreateDataChannel(fmt.Sprint(i), nil)
		p.must(err)
	}
	p.pass(time.Second)
	if heard := len(p.rec[1].heard()); heard > 500 {
		t.Errorf("%d events are told behind an iterator that is not read", heard)
	}
	p.must(p.pc[1].Close())
	p.until("Done", func() bool { return done(p.pc[1]) })
	wantEnd(t, p.rec[1], p.pc[1])
}
