package rtc_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime/sim"
)

// wire counts what the network carries of one source, from one side to the other.
type wire struct {
	sent, lost      int
	payload, header int
	reception
}

// reception is what a receiver can know of a source.
type reception struct {
	arrived        int
	first, highest int // sequence numbers with their cycles
}

func (r *reception) add(seq uint16) {
	if r.arrived++; r.arrived == 1 {
		r.first, r.highest = int(seq), int(seq)
	}
	r.highest += max(int(int16(seq-uint16(r.highest))), 0)
}

// expected and lost are what RFC 3550 section 6.4.1 says they are, of a source and that of its retransmissions.
func (r *reception) expected() int {
	if r.arrived == 0 {
		return 0
	}
	return r.highest - r.first + 1
}

func (r *reception) lost(repairs reception) int { return r.expected() - r.arrived - repairs.arrived }

// fraction is that of the report behind a former one: "the number of packets lost divided by the number of packets expected", "equivalent to taking
// the integer part after multiplying the loss fraction by 256". "If the loss is negative due to duplicates, the fraction lost is set to zero."
func (r *reception) fraction(repairs, former, formerRepairs reception) float64 {
	expected, lost := r.expected()-former.expected(), r.lost(repairs)-former.lost(formerRepairs)
	if lost <= 0 {
		return 0
	}
	return float64(lost*256/expected) / 256
}

// carried reads what the network of a pair carries, as far as it is in the clear.
type carried struct {
	rtp         map[rtc.SSRC]*wire
	nacks, nack [2]int // RTCP packets that begin with a NACK, by who has sent them; and those of them that have arrived
	plis        [2]int
	reports     []map[rtc.SSRC]reception // what there was to tell in each receiver report of the second side
	way         []int                    // those that are on their way
	told        int                      // the last that has arrived; zero: none
}

// tag is what AEAD_AES_128_GCM adds to a packet.
const tag = 16

func (p *pair) watch() *carried {
	c := &carried{rtp: make(map[rtc.SSRC]*wire), reports: make([]map[rtc.SSRC]reception, 1)}
	p.world.Capture(func(pk sim.Packet) {
		b := pk.Data
		if len(b) < 12 || b[0]>>6 != 2 {
			return
		}
		from := 1
		if slices.Contains(p.hosts[0].Addrs(), pk.From.Addr()) {
			from = 0
		}
		received := pk.Fate == sim.Received
		if pt := b[1]; pt >= 192 && pt <= 223 {
			switch {
			case pt == 205 && b[0]&31 == 1 && received:
				c.nack[from]++
			case pt == 205 && b[0]&31 == 1:
				c.nacks[from]++
			case pt == 206 && b[0]&31 == 1 && !received:
				c.plis[from]++
			case pt == 201 && from == 1 && received:
				c.told, c.way = c.way[0], c.way[1:]
			case pt == 201 && from == 1:
				if pk.Fate == sim.Sent {
					c.way = append(c.way, len(c.reports))
				}
				now := make(map[rtc.SSRC]reception)
				for ssrc, w := range c.rtp {
					now[ssrc] = w.reception
				}
				c.reports = append(c.reports, now)
			}
			return
		}
		var h rtp.Header
		n, err := h.Unmarshal(b)
		if err != nil {
			return
		}
		w := c.rtp[rtc.SSRC(h.SSRC)]
		if w == nil {
			w = new(wire)
			c.rtp[rtc.SSRC(h.SSRC)] = w
		}
		if received {
			w.add(h.SequenceNumber)
			return
		}
		w.sent++
		w.payload += len(b) - n - tag
		w.header += n
		if pk.Fate != sim.Sent {
			w.lost++
		}
	})
	return c
}

// GetStats tells what the network has carried: packets and bytes, what was lost, asked for and sent again, and the path's round trip.
func TestMediaStatsAreTrue(t *testing.T) {
	const delay = 25 * time.Millisecond
	for _, loss := range []float64{0, 0.05} {
		p, v := simulated.viewers(t, sim.Config{Link: sim.Link{Delay: delay, Loss: loss}}, nil)
		network := p.watch()
		video, audio := newSource(t, vp8, "face"), newSource(t, opus, "voice")
		senders := []*rtc.RTPSender{p.add(0, video), p.add(0, audio)}
		p.connects(0)
		repairs := map[rtc.SSRC]rtc.SSRC{}
		for _, s := range senders {
			e := s.GetParameters().Encodings[0]
			repairs[e.SSRC] = e.RTX.SSRC
		}
		stop := p.films(video)
		talking := true
		p.act("microphone", func() {
			for talking {
				audio.send(1)
				p.sleep(37500 * time.Microsecond) // what packet's timestamps tell at Opus' clock rate
			}
		})
		worst := map[rtc.SSRC]float64{} // of the fractions that were told
		listen := func(d time.Duration) {
			for end := p.now().Add(d); p.now().Before(end); {
				p.pass(100 * time.Millisecond)
				for _, ri := range statsOf[webrtc.RemoteInboundRTPStreamStats](p.pc[0]) {
					now, former := network.reports[network.told], network.reports[network.told-1]
					own, rtx := now[ri.SSRC], repairs[ri.SSRC]
					fraction, lost := own.fraction(now[rtx], former[ri.SSRC], former[rtx]), own.lost(now[rtx])
					if ri.FractionLost != fraction || int(ri.PacketsLost) != lost {
						t.Errorf("%s: report %d tells of %d lost, and a fraction of %v; they were %d and %v", ri.Kind, network.told, ri.PacketsLost, ri.FractionLost, lost, fraction)
					}
					worst[ri.SSRC] = max(worst[ri.SSRC], fraction)
				}
			}
		}
		listen(30 * time.Second)
		stop()
		talking = false
		listen(5 * time.Second)
		v[1].right(t)

		outbound := statsOf[webrtc.OutboundRTPStreamStats](p.pc[0])
		inbound := statsOf[webrtc.InboundRTPStreamStats](p.pc[1])
		remoteIn := statsOf[webrtc.RemoteInboundRTPStreamStats](p.pc[0])
		remoteOut := statsOf[webrtc.RemoteOutboundRTPStreamStats](p.pc[1])
		if len(outbound) != 2 || len(inbound) != 2 || len(remoteIn) != 2 || len(remoteOut) != 2 {
			t.Fatalf("%d sent, %d received, %d and %d of the other side", len(outbound), len(inbound), len(remoteIn), len(remoteOut))
		}
		if other := statsOf[webrtc.OutboundRTPStreamStats](p.pc[1]); len(other) != 0 {
			t.Errorf("b sends %+v", other)
		}
		nacks, asked := 0, 0
		for _, s := range senders {
			e := s.GetParameters().Encodings[0]
			kind := s.Track().Kind().String()
			source := map[string]*source{"video": video, "audio": audio}[kind]
			out := *of(t, outbound, func(o *webrtc.OutboundRTPStreamStats) bool { return o.SSRC == e.SSRC })
			in := *of(t, inbound, func(o *webrtc.InboundRTPStreamStats) bool { return o.SSRC == e.SSRC })
			ri := *of(t, remoteIn, func(o *webrtc.RemoteInboundRTPStreamStats) bool { return o.SSRC == e.SSRC })
			ro := *of(t, remoteOut, func(o *webrtc.RemoteOutboundRTPStreamStats) bool { return o.SSRC == e.SSRC })
			own, rtx := *network.rtp[e.SSRC], wire{}
			if w := network.rtp[e.RTX.SSRC]; w != nil {
				rtx = *w
			}
			if own.sent != source.sent || (loss > 0) != (own.lost > 0) {
				t.Errorf("%s: the network saw %+v of %d packets", kind, own, source.sent)
			}
			// What was sent.
			if int(out.PacketsSent) != own.sent+rtx.sent || int(out.BytesSent) != own.payload+rtx.payload || int(out.HeaderBytesSent) != own.header+rtx.header {
				t.Errorf("%s: sent %d packets, %d + %d bytes; the network saw %+v and %+v", kind, out.PacketsSent, out.BytesSent, out.HeaderBytesSent, own, rtx)
			}
			if int(out.RetransmittedPacketsSent) != rtx.sent || int(out.RetransmittedBytesSent) != rtx.payload || out.PacketsDiscardedOnSend != 0 || !out.Active {
				t.Errorf("%s: sent again %d packets, %d bytes; the network saw %+v", kind, out.RetransmittedPacketsSent, out.RetransmittedBytesSent, rtx)
			}
			// What was received, and what of it was missing in the end.
			missing := len(counted(0, source.sent-1)) - len(v[1].seen(source.ID()))
			if int(in.PacketsReceived) != source.sent-missing || int(in.PacketsLost) != missing || kind == "video" && missing != 0 {
				t.Errorf("%s: received %d, lost %d; of %d the handler lacks %d", kind, in.PacketsReceived, in.PacketsLost, source.sent, missing)
			}
			if kind == "audio" && missing != own.lost || kind == "video" && int(in.PacketsRepaired) != own.lost {
				t.Errorf("%s: %d missing, %d repaired; the network lost %d", kind, missing, in.PacketsRepaired, own.lost)
			}
			if in.Jitter != 0 || in.PacketsDuplicated != 0 || in.PacketsDiscarded != 0 {
				t.Errorf("%s: jitter %v, %d duplicates, %d discarded", kind, in.Jitter, in.PacketsDuplicated, in.PacketsDiscarded)
			}
			nacks, asked = nacks+int(out.NACKCount), asked+int(in.NACKCount)
			// What the other side has told.
			if int(ri.PacketsLost) != missing || ri.Jitter != 0 || ri.RoundTripTimeMeasurements == 0 || (loss > 0) != (worst[e.SSRC] > 0) {
				t.Errorf("%s: the receiver tells of %+v", kind, ri)
			}
			if want := (2 * delay).Seconds(); math.Abs(ri.RoundTripTime-want) > 0.0005 ||
				math.Abs(ri.TotalRoundTripTime/float64(ri.RoundTripTimeMeasurements)-want) > 0.0005 {
				t.Errorf("%s: round trip %v, %v in %d measurements; the path's is %v", kind, ri.RoundTripTime, ri.TotalRoundTripTime, ri.RoundTripTimeMeasurements, want)
			}
			if int(ro.PacketsSent) != own.sent || int(ro.BytesSent) != own.payload || ro.ReportsSent == 0 || ro.RemoteTimestamp == 0 ||
				math.Abs(float64(ro.Timestamp-ro.RemoteTimestamp)-delay.Seconds()*1000) > 1 {
				t.Errorf("%s: the sender tells of %+v", kind, ro)
			}
			// Who belongs to whom.
			if out.RemoteID != ri.ID || ri.LocalID != out.ID || in.RemoteID != ro.ID || ro.LocalID != in.ID || out.Mid != in.Mid || out.Mid == "" ||
				out.Kind != kind || in.Kind != kind || ri.Kind != kind || ro.Kind != kind {
				t.Errorf("%s: %+v\n%+v\n%+v\n%+v", kind, out, ri, in, ro)
			}
			for pc, id := range map[*rtc.PeerConnection]string{p.pc[0]: out.CodecID, p.pc[1]: in.CodecID} {
				codec, ok := pc.GetStats()[id].(webrtc.CodecStats)
				if !ok || !strings.EqualFold(codec.MimeType, source.Codec().MimeType) || codec.ClockRate != source.Codec().ClockRate || codec.PayloadType == 0 {
					t.Errorf("%s: codec %q is %+v", kind, id, codec)
				}
			}
			var track string
			switch m := p.pc[0].GetStats()[out.MediaSourceID].(type) {
			case webrtc.AudioSourceStats:
				track = m.TrackIdentifier
			case webrtc.VideoSourceStats:
				track = m.TrackIdentifier
			}
			if track != source.ID() {
				t.Errorf("%s: the media source is %q", kind, track)
			}
		}
		if asked != network.nacks[1] || nacks != network.nack[1] || (loss > 0) != (nacks > 0) {
			t.Errorf("%d NACKs sent, %d received; the network took %d and delivered %d", asked, nacks, network.nacks[1], network.nack[1])
		}
		for _, pc := range p.pc {
			if tr := statsOf[webrtc.TransportStats](pc); len(tr) != 1 || tr[0].SRTPCipher != "SRTP_AEAD_AES_128_GCM" || tr[0].DTLSCipher != "TLS_AES_128_GCM_SHA256" {
				t.Errorf("transport %+v", tr)
			}
		}
	}
}

// of is the one record that is like this.
func of[T any](t *testing.T, list []T, is func(*T) bool) *T {
	t.Helper()
	i := slices.IndexFunc(list, func(v T) bool { return is(&v) })
	if i < 0 {
		t.Fatalf("none is it among %+v", list)
	}
	return &list[i]
}

// A sender's stats are the streams that it sends and all that they refer to, a receiver's likewise: nothing of the other halves, and no
// reference that leads nowhere. https://w3c.github.io/webrtc-pc/#the-stats-selection-algorithm
func TestStatsSelectors(t *testing.T) { everywhere(t, testStatsSelectors) }

func testStatsSelectors(t *testing.T, w *world) {
	p, v := w.viewers(t, sim.Config{Link: sim.Link{Delay: 5 * time.Millisecond}}, func(_ int, b rtc.Builder) rtc.Builder {
		return b.Media(rtc.MediaOptions{ReportInterval: 100 * time.Millisecond})
	})
	var sources [2][2]*source
	var senders [2][2]*rtc.RTPSender
	for i := range p.pc {
		sources[i] = [2]*source{newSource(t, vp8, "face"), newSource(t, opus, "voice")}
		for k, s := range sources[i] {
			senders[i][k] = p.add(i, s)
		}
	}
	_, err := p.pc[0].CreateDataChannel("data", nil)
	p.must(err)
	p.connects(0)
	for i := range sources {
		for k := range sources[i] {
			if n := len(senders[i][k].GetStats()); n == 0 {
				t.Error("nothing is known of a sender that is bound")
			}
			defer p.films(sources[i][k])()
		}
	}
	p.until("reports", func() bool {
		for _, pc := range p.pc {
			if len(statsOf[webrtc.RemoteInboundRTPStreamStats](pc)) < 2 || len(statsOf[webrtc.RemoteOutboundRTPStreamStats](pc)) < 2 {
				return false
			}
		}
		return true
	})
	count := func(r rtc.StatsReport) map[string]int {
		n := make(map[string]int)
		for id, s := range r {
			name := strings.TrimSuffix(strings.TrimPrefix(strings.Split(fmt.Sprintf("%T", s), ".")[1], "ICE"), "Stats")
			n[name]++
			if id == "" {
				t.Error("a record without an id")
			}
		}
		return n
	}
	for i := range p.pc {
		all := count(p.pc[i].GetStats())
		if all["OutboundRTPStream"] != 2 || all["InboundRTPStream"] != 2 || all["DataChannel"] != 1 || all["PeerConnection"] != 1 || all["Codec"] != 4 {
			t.Errorf("all: %v", all)
		}
		for k, name := range []string{"face", "voice"} {
			sends, receives := count(senders[i][k].GetStats()), count(v[i].track(name).Receiver().GetStats())
			for what, n := range map[string][2]int{
				"OutboundRTPStream": {1, 0}, "RemoteInboundRTPStream": {1, 0}, "InboundRTPStream": {0, 1}, "RemoteOutboundRTPStream": {0, 1},
				"Codec": {1, 1}, "Transport": {1, 1}, "CandidatePair": {1, 1}, "Candidate": {2, 2}, "Certificate": {2, 2},
				"DataChannel": {0, 0}, "PeerConnection": {0, 0}, "SCTPTransport": {0, 0},
			} {
				if sends[what] != n[0] || receives[what] != n[1] {
					t.Errorf("%s of %s: %d of the sender, %d of the receiver, want %v", what, name, sends[what], receives[what], n)
				}
			}
			if sends["VideoSource"]+sends["AudioSource"] != 1 || receives["VideoSource"]+receives["AudioSource"] != 0 {
				t.Errorf("sources of %s: %v, %v", name, sends, receives)
			}
		}
	}
}

// What the application has no time for is received, and counted as discarded: when nobody reads a track, and when the handler stays.
func TestStatsOfWhatIsNotTaken(t *testing.T) {
	small := func(_ int, b rtc.Builder) rtc.Builder { return b.Media(rtc.MediaOptions{ReceiveQueue: 10}) }
	discarded := func(t *testing.T, p *pair, want uint32) {
		t.Helper()
		if in := statsOf[webrtc.InboundRTPStreamStats](p.pc[1]); len(in) != 1 || in[0].PacketsReceived != 30 || in[0].PacketsDiscarded != want || in[0].PacketsLost != 0 {
			t.Errorf("of 30 packets, %d to be discarded: %+v", want, in)
		}
	}
	t.Run("unread", func(t *testing.T) {
		p := newPair(t, sim.Config{}, small)
		s := newSource(t, vp8, "video")
		p.add(0, s)
		p.connects(0)
		for range 30 {
			s.send(1)
			p.pass(20 * time.Millisecond)
		}
		discarded(t, p, 20)
	})
	t.Run("busy handler", func(t *testing.T) {
		p, v := simulated.viewers(t, sim.Config{}, small)
		s := newSource(t, vp8, "video")
		v[1].onRTP = func(*rtc.TrackRemote, *rtp.Packet) {
			v[1].onRTP = nil
			p.sleep(3 * time.Second)
		}
		p.add(0, s)
		p.connects(0)
		for range 30 {
			s.send(1)
			p.pass(20 * time.Millisecond)
		}
		discarded(t, p, 19)
		p.pass(5 * time.Second)
		if got := v[1].seen("video"); !slices.Equal(got, append([]int{0}, counted(20, 29)...)) {
			t.Errorf("got %v", got)
		}
	})
}

// A connection's ID is its own while it lives, and another's afterwards: there are as many as there are connections at a time.
func TestIDs(t *testing.T) {
	seen := map[string]bool{}
	for range 20 {
		p := newPair(t, sim.Config{}, nil)
		for _, pc := range p.pc {
			seen[pc.ID()] = true
		}
		if p.pc[0].ID() == p.pc[1].ID() {
			t.Fatalf("two connections are %q", p.pc[0].ID())
		}
		for _, pc := range p.pc {
			p.must(pc.Close())
		}
		p.until("the end", func() bool { return done(p.pc[0]) && done(p.pc[1]) })
	}
	if len(seen) != 2 {
		t.Errorf("%d names for two connections at a time", len(seen))
	}
}
