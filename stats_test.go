package rtc_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime/sim"
)

// statsOf are the records of one kind, sorted by their ids.
func statsOf[T webrtc.Stats](pc *rtc.PeerConnection) (list []T) {
	report := pc.GetStats()
	var ids []string
	for id := range report {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		if s, ok := report[id].(T); ok {
			list = append(list, s)
		}
	}
	return list
}

// The figures of GetStats are what the network carried and what the application has sent.
func TestStatsAreTrue(t *testing.T) { everywhere(t, testStatsAreTrue) }

func testStatsAreTrue(t *testing.T, w *world) {
	for name, link := range map[string]sim.Link{
		"perfect": {Delay: 10 * time.Millisecond}, "lossy": {Delay: 10 * time.Millisecond, Loss: 0.1, Duplicate: 0.1},
	} {
		t.Run(name, func(t *testing.T) {
			type carried struct {
				packets uint32
				bytes   uint64
			}
			var sent, received [2]carried
			p := w.newPair(t, sim.Config{Link: link}, nil)
			capture := func(pk sim.Packet) {
				for i, h := range p.hosts {
					if pk.Fate != sim.Received && slices.Contains(h.Addrs(), pk.From.Addr()) {
						sent[i].packets++
						sent[i].bytes += uint64(len(pk.Data))
					}
					if pk.Fate == sim.Received && slices.Contains(h.Addrs(), pk.To.Addr()) {
						received[i].packets++
						received[i].bytes += uint64(len(pk.Data))
					}
				}
			}
			if w.simulated() {
				p.world.Capture(capture)
			}
			_, err := p.pc[0].CreateDataChannel("data", &rtc.DataChannelInit{Protocol: new("chat")})
			p.must(err)
			p.negotiate(0)
			p.until("open", func() bool { return p.rec[0].channel(0) != nil && p.rec[1].channel(0) != nil })
			var size [2]uint64
			for i := range 50 {
				for j, r := range p.rec {
					m := make([]byte, i*100*(j+1))
					size[j] += uint64(len(m))
					p.must(r.channel(0).Send(m))
				}
			}
			p.must(p.rec[0].channel(0).SendText("äöü")) // six bytes
			size[0] += 6
			p.until("messages", func() bool { return p.rec[1].received() == 51 && p.rec[0].received() == 50 })
			p.pass(10 * time.Second)
			for i, pc := range p.pc {
				transports := statsOf[webrtc.TransportStats](pc)
				if len(transports) != 1 {
					t.Fatalf("%d transports", len(transports))
				}
				tr := transports[0]
				if got := (carried{tr.PacketsSent, tr.BytesSent}); got != sent[i] && w.simulated() {
					t.Errorf("%s has sent %+v, the network saw %+v", p.rec[i].name, got, sent[i])
				}
				if got := (carried{tr.PacketsReceived, tr.BytesReceived}); got != received[i] && w.simulated() {
					t.Errorf("%s has received %+v, the network delivered %+v", p.rec[i].name, got, received[i])
				}
				if tr.ICERole != []webrtc.ICERole{webrtc.ICERoleControlling, webrtc.ICERoleControlled}[i] || tr.DTLSState != webrtc.DTLSTransportStateConnected {
					t.Errorf("%s is %v, DTLS %v", p.rec[i].name, tr.ICERole, tr.DTLSState)
				}
				channels := statsOf[webrtc.DataChannelStats](pc)
				if len(channels) != 1 {
					t.Fatalf("%d channels", len(channels))
				}
				c := channels[0]
				n := []uint32{51, 50}
				if c.Label != "data" || c.Protocol != "chat" || c.State != rtc.DataChannelStateOpen || c.DataChannelIdentifier != int32(*p.rec[i].channel(0).ID()) ||
					c.MessagesSent != n[i] || c.MessagesReceived != n[1-i] || c.BytesSent != size[i] || c.BytesReceived != size[1-i] {
					t.Errorf("%s has %+v, want %v messages and %v bytes", p.rec[i].name, c, n, size)
				}
			}
		})
	}
}

// Before it is connected, and after it has closed, a connection has a report too.
func TestStatsAtAllTimes(t *testing.T) { everywhere(t, testStatsAtAllTimes) }

func testStatsAtAllTimes(t *testing.T, w *world) {
	p := w.newPair(t, sim.Config{}, nil)
	if n := len(p.pc[0].GetStats()); n != 1 {
		t.Errorf("a new connection has %d records", n)
	}
	_, err := p.pc[0].CreateDataChannel("data", nil)
	p.must(err)
	if s := statsOf[webrtc.DataChannelStats](p.pc[0]); len(s) != 1 || s[0].State != rtc.DataChannelStateConnecting {
		t.Errorf("channels %+v", s)
	}
	p.must(p.pc[0].SetLocalDescription(rtc.SessionDescription{}))
	if s := statsOf[webrtc.TransportStats](p.pc[0]); len(s) != 1 || s[0].DTLSState != webrtc.DTLSTransportStateNew || s[0].SelectedCandidatePairID != "" || s[0].RemoteCertificateID != "" {
		t.Errorf("transport %+v", s)
	}
	p.negotiate(0)
	p.until("open", func() bool { return p.rec[0].channel(0) != nil })
	p.must(p.pc[0].Close())
	p.pc[0].GetStats()
	p.until("the end", func() bool { return done(p.pc[0]) })
	if s := statsOf[webrtc.PeerConnectionStats](p.pc[0]); len(s) != 1 || s[0].DataChannelsOpened != 1 || s[0].DataChannelsClosed != 1 {
		t.Errorf("after Close: %+v", s)
	}
}

// A pion program reads the report as its own: it marshals and unmarshals by pion's functions.
func TestStatsArePions(t *testing.T) { everywhere(t, testStatsArePions) }

func testStatsArePions(t *testing.T, w *world) {
	p, _, _ := w.connected(t, sim.Config{}, nil, nil)
	for id, s := range p.pc[0].GetStats() {
		text, err := json.Marshal(s)
		p.must(err)
		again, err := webrtc.UnmarshalStatsJSON(text)
		if err != nil {
			t.Errorf("%s: %v in %s", id, err, text)
			continue
		}
		other, err := json.Marshal(again)
		p.must(err)
		if !bytes.Equal(text, other) {
			t.Errorf("%s becomes %s", text, other)
		}
	}
}
