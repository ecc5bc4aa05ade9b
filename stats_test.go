package rtc_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
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
