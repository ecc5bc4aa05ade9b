package rtc_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime/sim"
)

// The promises here are figures of virtual time, or say what happens at one instant of it: only a simulation has that.

// Setup in round trips: with DTLS 1.2 and no loss a channel is open at both ends 3 round trips after both have the descriptions if they have SCTP's INIT
// chunks, and 4.5 if not.
func TestSetupRoundTrips(t *testing.T) {
	for _, c := range []struct {
		name    string
		disable [2]bool
		limit   float64
	}{{"SNAP", [2]bool{}, 3}, {"offerer without", [2]bool{true, false}, 4.5}, {"answerer without", [2]bool{false, true}, 4.5}} {
		for _, rtt := range []time.Duration{10 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond} {
			t.Run(fmt.Sprint(c.name, "/", rtt), func(t *testing.T) {
				p := newPair(t, sim.Config{Link: sim.Link{Delay: rtt / 2}}, func(i int, b rtc.Builder) rtc.Builder {
					return b.SCTP(rtc.SCTPOptions{DisableSNAP: c.disable[i]})
				})
				_, err := p.pc[0].CreateDataChannel("data", nil)
				p.must(err)
				p.negotiate(0)
				start := p.world.Now()
				p.until("open", func() bool { return p.rec[0].channel(0) != nil && p.rec[1].channel(0) != nil })
				trips := float64(p.world.Now().Sub(start)) / float64(rtt)
				t.Logf("open after %.3f RTT", trips)
				if trips > c.limit {
					t.Errorf("channel open after %.3f round trips; want at most %.1f", trips, c.limit)
				}
				for i, pc := range p.pc {
					offered := strings.Contains(pc.LocalDescription().SDP, "\r\na=sctp-init:")
					if want := !c.disable[i] && (i == 0 || !c.disable[0]); offered != want {
						t.Errorf("side %d: a=sctp-init is %v in\n%s", i, offered, pc.LocalDescription().SDP)
					}
				}
			})
		}
	}
}

// OnNegotiationNeeded is not told when the need is gone by then; and it is told again when a rollback brings it back.
func TestNegotiationNeededIsDecidedLate(t *testing.T) {
	const needed = "negotiationneeded"
	p := newPair(t, sim.Config{}, nil)
	p.offered(1) // within one instant of the simulation: no event was told yet
	p.must(p.pc[1].SetLocalDescription(rtc.SessionDescription{}))
	p.must(p.pc[0].SetRemoteDescription(*p.pc[1].LocalDescription()))
	p.world.Run(time.Second)
	if n := p.rec[0].count(needed); n != 0 {
		t.Errorf("told %d times what was already done", n)
	}
	q := newPair(t, sim.Config{}, nil)
	q.offer(0)
	q.world.Run(time.Second)
	if n := q.rec[0].count(needed); n != 0 {
		t.Errorf("told %d times while there is an offer", n)
	}
	q.must(q.pc[0].SetLocalDescription(rtc.SessionDescription{Type: rtc.SDPTypeRollback}))
	q.world.Run(time.Second)
	if n := q.rec[0].count(needed); n != 1 {
		t.Errorf("told %d times after a rollback, want once", n)
	}
}

// Close at every stage: before each call of the API, and after each step of the simulation from the first check to data that is under way
// in both directions. Done closes, closed is the last event, channels close; and once both ends are connected the peer hears of it at once.
func TestCloseAtEveryStep(t *testing.T) {
	certificate, err := rtc.GenerateCertificate()
	if err != nil {
		t.Fatal(err)
	}
	const delay = 5 * time.Millisecond
	cfg := sim.Config{Start: certificate.Expires().AddDate(0, 0, -10), Handoff: -1, Link: sim.Link{Delay: delay}}
	closers := map[string][]int{"a": {0}, "b": {1}, "both": {0, 1}, "twice": {0, 0}}
	for name, sides := range closers {
		for k, more := 0, true; more; k++ {
			more = false // when this step is not among those that are to run
			t.Run(fmt.Sprintf("%s/%d", name, k), func(t *testing.T) {
				p := newPair(t, cfg, func(_ int, b rtc.Builder) rtc.Builder { return b.Certificates(*certificate) })
				a, b := p.pc[0], p.pc[1]
				var dc [2]*rtc.DataChannel
				calls := []func(){
					func() { dc[0], err = a.CreateDataChannel("first", nil) },
					func() { err = a.SetLocalDescription(rtc.SessionDescription{}) },
					func() { err = b.SetRemoteDescription(*a.LocalDescription()) },
					func() { dc[1], err = b.CreateDataChannel("second", nil) },
					func() { err = b.SetLocalDescription(rtc.SessionDescription{}) },
					func() { err = a.SetRemoteDescription(*b.LocalDescription()) },
				}
				sent := 0
				for i := range k {
					switch {
					case i < len(calls):
						if calls[i](); err != nil {
							t.Fatal(err)
						}
						continue
					case !p.world.Step():
						t.Fatal("nothing is left to do")
					}
					for _, d := range dc {
						if sent < 20 && d.ReadyState() == rtc.DataChannelStateOpen {
							sent++
							p.must(d.Send(make([]byte, 5000)))
						}
					}
				}
				connected := func(i int) bool { return p.rec[i].state() == rtc.PeerConnectionStateConnected }
				heard := connected(0) && connected(1)
				for _, i := range sides {
					p.must(p.pc[i].Close())
					if s := p.pc[i].ConnectionState(); s != rtc.PeerConnectionStateClosed {
						t.Errorf("%s is %v behind its Close", p.rec[i].name, s)
					}
				}
				if heard {
					p.world.Run(2 * delay)
					wantEnd(t, p.rec[0], a)
					wantEnd(t, p.rec[1], b)
				}
				p.world.Run(time.Second)
				wantEnd(t, p.rec[sides[0]], p.pc[sides[0]])
				a.Close()
				b.Close()
				p.world.Run(time.Millisecond)
				wantEnd(t, p.rec[0], a)
				wantEnd(t, p.rec[1], b)
				more = !heard || p.rec[0].received()+p.rec[1].received() < 16
			})
			if t.Failed() {
				return
			}
		}
	}
}

// Close is W3C's: what waits to be sent is lost, the peer hears of the end within the path's delay, and its channels close first.
func TestCloseIsAbrupt(t *testing.T) {
	const delay = 30 * time.Millisecond
	p, a, _ := connected(t, sim.Config{Handoff: -1, Link: sim.Link{Delay: delay, Rate: 1e6}}, nil, nil)
	p.must(a.Send(make([]byte, 200_000)))
	p.world.Run(100 * time.Millisecond)
	p.must(p.pc[0].Close())
	if n := a.BufferedAmount(); n != 0 {
		t.Errorf("%d bytes wait in a closed connection", n)
	}
	start := p.world.Now()
	p.until("the peer hears of it", func() bool { return p.rec[1].state() == rtc.PeerConnectionStateClosed })
	// The bottleneck's queue is before the close_notify.
	if took := p.world.Now().Sub(start); took > delay+600*time.Millisecond {
		t.Errorf("the peer heard after %v", took)
	}
	heard := p.rec[1].heard()
	want := []string{"close data", "ice closed", "signaling closed", "connection closed"}
	if tail := heard[len(heard)-4:]; !slices.Equal(tail, want) {
		t.Errorf("the peer heard %q, want %q at the end", heard, want)
	}
	if p.rec[1].received() != 0 {
		t.Error("a message came whose end was never sent")
	}
}

// Promise 4, never blocked: while a handler blocks for three seconds, its connection goes on: data is acknowledged as fast as ever, nothing
// is sent again, consent is asked for and given; and another connection of the same host hears of everything in time. The blocked one's
// events wait, and come in order, one at a time, when the handler has returned.
func TestHandlerThatBlocks(t *testing.T) {
	const delay = 20 * time.Millisecond
	link := sim.Link{Delay: delay}
	p, a, b := connected(t, sim.Config{Handoff: -1, Link: link}, nil, func(i int, b rtc.Builder) rtc.Builder {
		return b.ICE(rtc.ICEOptions{ConsentInterval: 500 * time.Millisecond})
	})
	// Another connection, between b's host and a third.
	other := [2]*recorder{{name: "b's other"}, {name: "c"}}
	var otherPC [2]*rtc.PeerConnection
	for i, h := range []*sim.Host{p.hosts[1], p.world.Host("c")} {
		pc, err := rtc.NewBuilder().Runtime(h).Handler(other[i]).Build(t.Context())
		p.must(err)
		t.Cleanup(func() { pc.Close() }) // before the pair's own
		otherPC[i] = pc
	}
	_, err := otherPC[1].CreateDataChannel("other", nil)
	p.must(err)
	negotiate(t, otherPC[1], otherPC[0], nil)
	p.until("the other's channel", func() bool { return other[0].channel(0) != nil && other[1].channel(0) != nil })
	p.world.Run(time.Second)

	var began, ended time.Time
	p.rec[1].on = func(kind string, _ *rtc.PeerConnection, _ *rtc.DataChannel, msg rtc.DataChannelMessage) {
		if kind == "message" && string(msg.Data) == "block" {
			began = p.world.Now()
			p.world.Sleep(3 * time.Second)
			ended = p.world.Now()
		}
	}
	var late, back []time.Duration // how long messages took on the other connection, and from the one whose handler blocks
	var sentAt time.Time
	other[0].on = func(kind string, _ *rtc.PeerConnection, _ *rtc.DataChannel, _ rtc.DataChannelMessage) {
		if kind == "message" {
			late = append(late, p.world.Now().Sub(sentAt))
		}
	}
	p.rec[0].on = func(kind string, _ *rtc.PeerConnection, _ *rtc.DataChannel, _ rtc.DataChannelMessage) {
		if kind == "message" {
			back = append(back, p.world.Now().Sub(sentAt))
		}
	}
	before := [2]uint64{consentRequests(p.pc[0]), consentRequests(p.pc[1])}
	p.must(a.SendText("block"))
	p.until("the handler blocks", func() bool { return !began.IsZero() })
	from := len(p.rec[1].heard())
	want := []string{}
	for i := range 25 {
		for j := range 4 {
			text := fmt.Sprint(i, "/", j)
			p.must(a.SendText(text))
			want = append(want, "message data "+text)
		}
		sentAt = p.world.Now()
		p.must(other[1].channel(0).SendText("in time"))
		p.must(b.SendText("back")) // a channel of the blocked connection, used from outside
		p.world.Run(100 * time.Millisecond)
		if n := a.BufferedAmount(); n > 0 {
			t.Fatalf("%d bytes wait at the peer of the handler that blocks", n)
		}
		r := rtc.ReportOf(p.pc[0]).SCTP
		if r.InFlight > 0 || r.Retransmissions > 0 || r.Timeouts > 0 || r.RTT > 2*delay+25*time.Millisecond {
			t.Fatalf("the peer of the handler that blocks: %+v", r)
		}
	}
	if len(p.rec[1].heard()) != from || !ended.IsZero() {
		t.Fatalf("events while the handler blocks: %q", p.rec[1].heard()[from:])
	}
	for i, pc := range p.pc {
		if n := consentRequests(pc) - before[i]; n < 4 || n > 8 {
			t.Errorf("%s asked %d times for consent in 2.5 s; want about 5", p.rec[i].name, n)
		}
		if s := p.rec[i].state(); s != rtc.PeerConnectionStateConnected || pc.ConnectionState() != s {
			t.Errorf("%s is %v", p.rec[i].name, s)
		}
	}
	if len(late) != 25 || slices.Max(late) > delay {
		t.Errorf("the other connection's %d events came after %v; want 25 within %v", len(late), late, delay)
	}
	if len(back) != 25 || slices.Max(back) > delay {
		t.Errorf("%d messages of the connection whose handler blocks came after %v; want 25 within %v", len(back), back, delay)
	}
	p.world.Run(time.Second)
	if d := ended.Sub(began); d != 3*time.Second {
		t.Errorf("the handler took %v", d)
	}
	if got := onlyMessages(p.rec[1].heard()[from:]); !slices.Equal(got, want) {
		t.Errorf("after the handler came %q, want %q", got, want)
	}
}

// Promise 4, never dropped and yet bounded: messages of one byte, or of none, are charged for what it costs to keep them.
func TestFloodOfSmallMessages(t *testing.T) {
	for _, text := range []string{"", "x"} {
		t.Run(fmt.Sprintf("%q", text), func(t *testing.T) {
			p, a, _ := connected(t, sim.Config{Handoff: -1, Link: sim.Link{Delay: time.Millisecond}}, nil, func(_ int, b rtc.Builder) rtc.Builder {
				// The sender has room for all of them.
				return b.SCTP(rtc.SCTPOptions{MaxMessageSize: 128 << 10, ReceiveBuffer: smallReceiveBuffer, SendBuffer: 8 << 20})
			})
			n, release := 0, false
			p.rec[1].on = func(kind string, _ *rtc.PeerConnection, _ *rtc.DataChannel, msg rtc.DataChannelMessage) {
				for !release {
					p.world.Sleep(100 * time.Millisecond)
				}
				if kind != "message" {
					return
				}
				if n++; string(msg.Data) != text {
					t.Errorf("message %d is %q", n, msg.Data)
				}
			}
			const total = 50_000
			before := heap()
			for i := range total {
				p.must(a.SendText(text))
				if i%500 == 0 {
					p.world.Run(10 * time.Millisecond)
				}
			}
			p.world.Run(5 * time.Second)
			held := int(rtc.ReportOf(p.pc[1]).SCTP.MessagesReceived)
			if most := smallReceiveBuffer / 64; held > most+100 || held < most/2 {
				t.Errorf("%d messages are held by a receiver that takes none; it has room for %d", held, most)
			}
			if grown := heap() - before; grown > 32<<20 {
				t.Errorf("%d bytes of memory for %d messages", grown, total)
			}
			release = true
			p.until("all is taken", func() bool { return n == total })
		})
	}
}

// The report is whole: every record that another one names is there, records carry their key as id and the time of the call, and the selected
// pair is the one that is used.
func TestStatsReport(t *testing.T) {
	p, a, _ := connected(t, sim.Config{Link: sim.Link{Delay: 25 * time.Millisecond}}, nil, nil)
	p.world.Run(30 * time.Second)
	now := float64(p.world.Now().UnixNano()) / 1e6
	for i, pc := range p.pc {
		report := pc.GetStats()
		text, err := json.Marshal(report)
		p.must(err)
		var records map[string]map[string]any
		p.must(json.Unmarshal(text, &records))
		for id, r := range records {
			if r["id"] != id {
				t.Errorf("%q has the id %v", id, r["id"])
			}
			if at, _ := r["timestamp"].(float64); at != now {
				t.Errorf("%q is of %v, want %v", id, at, now)
			}
			for _, field := range []string{"transportId", "selectedCandidatePairId", "localCertificateId", "remoteCertificateId", "localCandidateId", "remoteCandidateId"} {
				if to, _ := r[field].(string); to != "" && records[to] == nil {
					t.Errorf("%q names %q as %s, which is not there", id, to, field)
				}
			}
		}
		tr := statsOf[webrtc.TransportStats](pc)[0]
		pair, ok := report[tr.SelectedCandidatePairID].(webrtc.ICECandidatePairStats)
		if !ok || !pair.Nominated || pair.State != webrtc.StatsICECandidatePairStateSucceeded {
			t.Fatalf("the selected pair is %+v", pair)
		}
		local, remote := report[pair.LocalCandidateID].(webrtc.ICECandidateStats), report[pair.RemoteCandidateID].(webrtc.ICECandidateStats)
		if local.IP != p.hosts[i].Addrs()[1].String() || remote.IP != p.hosts[1-i].Addrs()[1].String() || local.CandidateType != rtc.ICECandidateTypeHost {
			t.Errorf("the selected pair is from %+v to %+v", local, remote)
		}
		if rtt := pair.CurrentRoundTripTime; rtt < 0.050 || rtt > 0.051 {
			t.Errorf("the round trip is %v s, want 0.05", rtt)
		}
		if pair.ConsentRequestsSent == 0 || pair.ResponsesReceived == 0 || pair.TotalRoundTripTime < 0.05*float64(pair.ResponsesReceived)-1e-9 {
			t.Errorf("the selected pair is %+v", pair)
		}
		certificates := [2]webrtc.CertificateStats{report[tr.LocalCertificateID].(webrtc.CertificateStats), report[tr.RemoteCertificateID].(webrtc.CertificateStats)}
		for side, c := range certificates {
			fingerprints, err := p.pc[side^i].GetConfiguration().Certificates[0].GetFingerprints()
			p.must(err)
			if c.FingerprintAlgorithm != "sha-256" || !strings.EqualFold(c.Fingerprint, fingerprints[0].Value) {
				t.Errorf("certificate %d is %+v", side, c)
			}
			if der, err := base64.RawURLEncoding.DecodeString(c.Base64Certificate); err != nil || len(der) < 100 {
				t.Errorf("certificate %d: %v", side, err)
			}
		}
	}
	if n := len(statsOf[webrtc.ICECandidateStats](p.pc[0])); n < 4 {
		t.Errorf("%d candidates, want at least four", n)
	}
	p.must(a.Close())
	p.until("close", func() bool { return p.rec[0].has("close data") && p.rec[1].has("close data") })
	if s := statsOf[webrtc.PeerConnectionStats](p.pc[0]); len(s) != 1 || s[0].DataChannelsOpened != 1 || s[0].DataChannelsClosed != 1 {
		t.Errorf("the connection's record is %+v", s)
	}
	if s := statsOf[webrtc.DataChannelStats](p.pc[0]); len(s) != 0 {
		t.Errorf("a channel that is closed is still there: %+v", s)
	}
}

// Promise 6: an hour of an idle call takes no time but that of its packets: some hundred checks.
func TestAnHourOfCall(t *testing.T) {
	p, a, _ := connected(t, sim.Config{Handoff: -1, Link: sim.Link{Delay: 20 * time.Millisecond, Loss: 0.01}}, nil, nil)
	before := [2]uint64{consentRequests(p.pc[0]), consentRequests(p.pc[1])}
	for range 60 {
		p.world.Run(time.Minute)
		for i, r := range p.rec {
			if s := r.state(); s != rtc.PeerConnectionStateConnected {
				t.Fatalf("%s is %v", p.rec[i].name, s)
			}
		}
	}
	// The path in use and a reserve are asked every 12 to 18 s, and again after 500 ms if they do not answer.
	for i := range before {
		if n := consentRequests(p.pc[i]) - before[i]; n < 400 || n > 700 {
			t.Errorf("%s asked %d times for consent in an hour", p.rec[i].name, n)
		}
	}
	p.must(a.SendText("still there"))
	p.until("a message after an hour", func() bool { return p.rec[1].received() == 1 })
}
