package media

import (
	"testing"
	"time"

	"github.com/pion/rtcp"

	"github.com/sansrtc/rtc/internal/simnet"
)

// reports returns the packets of a type among what an end received.
func packetsOf[T rtcp.Packet](p *pair, end int) (list []T) {
	for _, b := range p.rtcp[end] {
		packets, err := rtcp.Unmarshal(b)
		if err != nil {
			p.fatalf("%v", err)
		}
		for _, q := range packets {
			if r, ok := q.(T); ok {
				list = append(list, r)
			}
		}
	}
	return list
}

// Reports say what the network did: losses, the highest number, jitter, round trips, and what was sent.
func TestReports(t *testing.T) {
	const delay = 30 * time.Millisecond
	p := newPair(t, 3, simnet.Config{Delay: delay})
	for _, m := range p.end {
		m.SetSections([]Section{audioSection("a")})
	}
	a := p.end[0].AddSender(audioEncoding("a", 1000))
	lost, n := 0, 0
	p.lose = func(from int, b []byte) bool {
		if from == 0 && b[1]&127 == opus && n > 0 && n%10 == 0 {
			lost++
			return true
		}
		return false
	}
	for ; n < 2000; n++ {
		p.send(0, a, 65530+n, opus, 100)
		// The timestamps tell of 62.5 ms, the packets leave each 20.
		p.wait(20 * time.Millisecond)
	}
	p.lose = nil
	p.wait(4 * time.Second)

	rrs := packetsOf[*rtcp.ReceiverReport](p, 0)
	if len(rrs) < 35 || len(rrs) > 55 {
		t.Fatalf("%d receiver reports in 44 s", len(rrs))
	}
	last := rrs[len(rrs)-1].Reports[0]
	if int(last.TotalLost) != lost || lost != 199 {
		t.Errorf("reported %d lost, the network lost %d", last.TotalLost, lost)
	}
	if want := uint32(65530 + 1999); last.LastSequenceNumber != want {
		t.Errorf("highest %d, want %d with its cycles", last.LastSequenceNumber, want)
	}
	// RFC 3550 section 6.4.1: "the number of packets lost divided by the number of packets expected", "since the previous SR or RR packet was sent".
	former := rtcp.ReceptionReport{LastSequenceNumber: 65529}
	for i, r := range rrs {
		r := r.Reports[0]
		expected, lost := r.LastSequenceNumber-former.LastSequenceNumber, r.TotalLost-former.TotalLost
		if expected > 0 && uint32(r.FractionLost) != lost*256/expected || expected == 0 && r.FractionLost != 0 {
			t.Errorf("report %d: fraction lost %d/256, of %d packets %d were lost", i, r.FractionLost, expected, lost)
		}
		former = r
	}
	c, _ := p.end[0].SenderCounts(a)
	if c.Remote.RoundTrip < 2*delay-time.Millisecond || c.Remote.RoundTrip > 2*delay+time.Millisecond || c.Remote.Lost != int32(lost) {
		t.Errorf("remote report %+v", c.Remote)
	}
	// |D| is 62.5 - 20 ms, and twice that after a loss.
	r, _ := p.end[1].StreamCounts(1)
	if r.Jitter < 42*time.Millisecond || r.Jitter > 48*time.Millisecond || r.Lost != int64(lost) || r.Packets != 2000-uint64(lost) ||
		r.Bytes != r.Packets*100 {
		t.Errorf("counts %+v", r)
	}

	srs := packetsOf[*rtcp.SenderReport](p, 1)
	sr := srs[len(srs)-1]
	if sr.PacketCount != 2000 || sr.OctetCount != 200_000 || sr.SSRC != 1000 {
		t.Errorf("sender report %+v", sr)
	}
	if r.RemotePackets != 2000 || r.RemoteBytes != 200_000 || r.RemoteReports != uint64(len(srs)) {
		t.Errorf("counts %+v", r)
	}
	// NTP and RTP time of a report are of one instant: 48 000 a second from the last packet on.
	sent := testEpoch.Add(1999 * 20 * time.Millisecond)
	elapsed := fromNTP(sr.NTPTime).Sub(sent)
	if d := int32(sr.RTPTime-uint32((65530+1999)*3000)) - int32(elapsed.Seconds()*48000); d < -2 || d > 2 {
		t.Errorf("RTP time is off by %d", d)
	}
	// Nothing is sent any more, so no more is reported, and all is said.
	for _, s := range packetsOf[*rtcp.SourceDescription](p, 1) {
		if s.Chunks[0].Items[0].Text != "end0" {
			t.Errorf("name %+v", s)
		}
	}
}

// Packets sent again are not in a sender report's counts twice, and the loss of what was repaired is not reported.
func TestReportsOfRepairs(t *testing.T) {
	p := newPair(t, 4, simnet.Config{Delay: 10 * time.Millisecond})
	for _, m := range p.end {
		m.SetSections([]Section{videoSection("v")})
	}
	v := p.end[0].AddSender(videoEncoding("v", 2000, 2001))
	n := 0
	p.lose = func(from int, b []byte) bool { return from == 0 && b[1]&127 == vp8 && n%7 == 3 }
	for ; n < 500; n++ {
		p.send(0, v, n, vp8, 500)
		p.wait(10 * time.Millisecond)
	}
	p.wait(3 * time.Second)
	srs := packetsOf[*rtcp.SenderReport](p, 1)
	if sr := srs[len(srs)-1]; sr.PacketCount != 500 || sr.OctetCount != 250_000 {
		t.Errorf("sender report %+v", sr)
	}
	rrs := packetsOf[*rtcp.ReceiverReport](p, 0)
	if r := rrs[len(rrs)-1].Reports[0]; r.TotalLost != 0 {
		t.Errorf("%d lost, all were repaired", r.TotalLost)
	}
	c, _ := p.end[0].SenderCounts(v)
	r, _ := p.end[1].StreamCounts(1)
	if c.RetransmittedPackets != 71 || c.NACKs != 71 || r.NACKs != 71 || r.Repaired != 71 || r.RTXPackets != 71 || r.RTXBytes != 71*500 {
		t.Errorf("sender %+v, receiver %+v", c, r)
	}
	if n := uint64(len(packetsOf[*rtcp.TransportLayerNack](p, 0))); n == 0 || c.NACKMessages != n || r.NACKMessages != n {
		t.Errorf("%d NACKs, the sender counts %d, the receiver %d", n, c.NACKMessages, r.NACKMessages)
	}
}

// tell has an end send RTCP.
func (p *pair) tell(from int, packets ...rtcp.Packet) {
	p.t.Helper()
	b, err := rtcp.Marshal(packets)
	if err == nil {
		err = p.end[from].WriteRTCP(b)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	p.wait(50 * time.Millisecond)
}

// A repaired packet says nothing of the network's jitter, and what the peer says of its source of retransmissions, a report or BYE, nothing of the stream.
func TestSourceOfRepairs(t *testing.T) {
	p := newPair(t, 1, simnet.Config{Delay: 10 * time.Millisecond}, Config{ReportInterval: time.Hour})
	for _, m := range p.end {
		m.SetSections([]Section{videoSection("v")})
	}
	v := p.end[0].AddSender(videoEncoding("v", 2000, 2001))
	n := 0
	p.lose = func(from int, b []byte) bool { return from == 0 && b[1]&127 == vp8 && n%7 == 3 }
	for ; n < 100; n++ {
		p.send(0, v, n, vp8, 500)
		p.wait(time.Second * 3000 / 90000)
	}
	p.wait(time.Second)
	c, _ := p.end[1].StreamCounts(1)
	if c.Repaired == 0 || c.RTXSSRC != 2001 || c.Jitter > time.Millisecond {
		t.Fatalf("%d were repaired by %d, with a jitter of %v", c.Repaired, c.RTXSSRC, c.Jitter)
	}
	p.tell(0, &rtcp.SenderReport{SSRC: 2001, NTPTime: 1, PacketCount: 77}, &rtcp.Goodbye{Sources: []uint32{2001}})
	if c, _ = p.end[1].StreamCounts(1); c.RemoteReports != 0 || c.RemotePackets != 0 || c.Muted {
		t.Errorf("what is said of 2001 counts for 2000: %+v", c)
	}
	p.tell(0, &rtcp.SenderReport{SSRC: 2000, NTPTime: 1, PacketCount: 77}, &rtcp.Goodbye{Sources: []uint32{2000}})
	if c, _ = p.end[1].StreamCounts(1); c.RemoteReports != 1 || c.RemotePackets != 77 || !c.Muted {
		t.Errorf("what is said of 2000 does not count: %+v", c)
	}
}

// A round trip that no conversation bears is no round trip: the report is about a sender report of another time, or of nobody.
func TestRoundTripOfAnotherTime(t *testing.T) {
	p, v, _ := videoPair(t, simnet.Config{})
	for _, c := range []struct {
		ago  time.Duration
		want time.Duration
	}{{time.Second, time.Second + 50*time.Millisecond}, {time.Minute, 0}, {-time.Minute, 0}} {
		before, _ := p.end[0].SenderCounts(v)
		last := compact(p.end[0].ntp(instant(p.now.Sub(p.end[0].epoch)) + 1 - instant(c.ago)))
		p.tell(1, &rtcp.ReceiverReport{SSRC: 1, Reports: []rtcp.ReceptionReport{{SSRC: 2000, LastSenderReport: last}}})
		got, _ := p.end[0].SenderCounts(v)
		if (got.Remote.RoundTrips > before.Remote.RoundTrips) != (c.want > 0) || got.Remote.RoundTrip > 2*time.Second {
			t.Errorf("a sender report of %v ago: %+v", c.ago, got.Remote)
		}
	}
}

// Without a=rtcp-rsize each RTCP packet is a compound that begins with a report and has the name (RFC 3550 section 6.1).
func TestCompound(t *testing.T) {
	for _, reduced := range []bool{true, false} {
		p := newPair(t, 5, simnet.Config{Delay: 10 * time.Millisecond, Loss: 0.05})
		s := videoSection("v")
		s.ReducedSize = reduced
		for _, m := range p.end {
			m.SetSections([]Section{s})
		}
		v := p.end[0].AddSender(videoEncoding("v", 2000, 2001))
		for n := range 300 {
			p.send(0, v, n, vp8, 500)
			p.wait(10 * time.Millisecond)
		}
		alone := 0
		for _, b := range p.rtcp[0] {
			packets, err := rtcp.Unmarshal(b)
			if err != nil {
				t.Fatal(err)
			}
			compound := rtcp.CompoundPacket(packets)
			if err := compound.Validate(); err != nil {
				alone++
			}
		}
		if reduced != (alone > 0) {
			t.Errorf("reduced size %v: %d packets are no compounds", reduced, alone)
		}
	}
}

// Transport-wide feedback tells when each packet came and which did not.
func TestTransportFeedback(t *testing.T) {
	for seed := range uint64(8) {
		p := newPair(t, seed, simnet.Config{Delay: 20 * time.Millisecond, Jitter: 10 * time.Millisecond})
		for _, m := range p.end {
			m.SetSections([]Section{audioSection("a"), videoSection("v")})
		}
		a := p.end[0].AddSender(audioEncoding("a", 1000))
		v := p.end[0].AddSender(videoEncoding("v", 2000, 2001))
		type fate struct {
			at      time.Time
			arrived bool
		}
		var fates []fate
		p.lose = func(from int, b []byte) bool {
			if from == 1 || b[1] >= 192 && b[1] <= 223 {
				return false
			}
			lost := p.rng.IntN(20) == 0
			fates = append(fates, fate{p.now, !lost})
			return lost
		}
		for n := range 1000 {
			p.send(0, a, n, opus, 100)
			for k := range 3 {
				p.send(0, v, 3*n+k, vp8, 1000)
			}
			p.wait(time.Duration(p.rng.IntN(20)) * time.Millisecond)
		}
		p.wait(time.Second)
		for !fates[0].arrived {
			fates = fates[1:] // before the first that came nothing is told
		}
		results := p.results[0]
		// What was lost is told as lost once, and what was lost on the way back is missing. Nothing was, here.
		if len(results) < len(fates)*98/100 || len(results) > len(fates) {
			p.fatalf("%d results of %d packets", len(results), len(fates))
		}
		var offset time.Duration
		for i, r := range results {
			f := fates[i]
			if !r.Sent.Equal(f.at) || r.Arrived != f.arrived {
				p.fatalf("packet %d sent at %v arrived %v, told %+v", i, f.at, f.arrived, r)
			}
			if !r.Arrived {
				continue
			}
			// The clocks differ by a constant, and arrivals are told in 250 µs.
			d := r.Arrival - r.Sent.Sub(testEpoch) - 20*time.Millisecond
			if offset == 0 {
				offset = d
			}
			if d < offset-11*time.Millisecond || d > offset+11*time.Millisecond {
				p.fatalf("packet %d: arrival is off by %v", i, d-offset)
			}
		}
	}
}

// Who has sent reports as the source that it sends, and who has not as one that nobody else is.
func TestReportsAreOfASource(t *testing.T) {
	p := newPair(t, 1, simnet.Config{Delay: 10 * time.Millisecond})
	for _, m := range p.end {
		m.SetSections([]Section{audioSection("a")})
	}
	a, b := p.end[0].AddSender(audioEncoding("a", 1000)), p.end[1].AddSender(audioEncoding("a", 3000))
	n := 0
	listen := func() (list []*rtcp.ReceiverReport) {
		before := len(packetsOf[*rtcp.ReceiverReport](p, 0))
		for range 200 {
			p.send(0, a, n, opus, 100)
			p.wait(20 * time.Millisecond)
			n++
		}
		return packetsOf[*rtcp.ReceiverReport](p, 0)[before:]
	}
	first := listen()
	for _, r := range first {
		if r.SSRC == 3000 || r.SSRC == 1000 || r.SSRC != first[0].SSRC {
			t.Errorf("a report of %d, before anything was sent", r.SSRC)
		}
	}
	p.send(1, b, 0, opus, 100)
	then := listen()
	for _, r := range then {
		if r.SSRC != 3000 {
			t.Errorf("a report of %d, not of the source that has sent", r.SSRC)
		}
	}
	if len(first) == 0 || len(then) == 0 {
		t.Errorf("%d reports, and %d", len(first), len(then))
	}
}

// When nothing is sent any more all is reported once, and then nothing, by a machine that has nothing to wake up for; when something is sent again, so are reports.
func TestSilenceIsNotReported(t *testing.T) {
	p := newPair(t, 1, simnet.Config{Delay: 10 * time.Millisecond})
	for _, m := range p.end {
		m.SetSections([]Section{audioSection("a")})
	}
	a := p.end[0].AddSender(audioEncoding("a", 1000))
	for n := range 2 {
		for k := range 100 {
			p.send(0, a, 100*n+k, opus, 100)
			p.wait(20 * time.Millisecond)
		}
		p.wait(4 * time.Second)
		rrs, srs := packetsOf[*rtcp.ReceiverReport](p, 0), packetsOf[*rtcp.SenderReport](p, 1)
		if len(rrs) == 0 || rrs[len(rrs)-1].Reports[0].LastSequenceNumber != uint32(100*n+99) || len(srs) == 0 || srs[len(srs)-1].PacketCount != uint32(100*n+100) {
			t.Fatalf("%d packets are not reported: %v, %v", 100*n+100, rrs, srs)
		}
		counts := [2]int{len(p.rtcp[0]), len(p.rtcp[1])}
		p.wait(time.Minute)
		if now := [2]int{len(p.rtcp[0]), len(p.rtcp[1])}; now != counts {
			t.Errorf("%v RTCP packets a minute after the last reports, from %v", now, counts)
		}
		for i, m := range p.end {
			if at := m.PollTimeout(); !at.IsZero() {
				t.Errorf("end %d wakes up at %v", i, at.Sub(p.now))
			}
		}
	}
}

// A source that has said goodbye is reported once more if there is something to tell, and then no more, while others are.
func TestSourceThatHasEndedIsNotReported(t *testing.T) {
	p := newPair(t, 1, simnet.Config{Delay: 10 * time.Millisecond})
	for _, m := range p.end {
		m.SetSections([]Section{audioSection("a"), videoSection("v")})
	}
	a, v := p.end[0].AddSender(audioEncoding("a", 1000)), p.end[0].AddSender(videoEncoding("v", 2000, 2001))
	send := func(from, to int, both bool) {
		for n := from; n < to; n++ {
			if p.send(0, v, n, vp8, 500); both {
				p.send(0, a, n, opus, 100)
			}
			p.wait(20 * time.Millisecond)
		}
	}
	send(0, 100, true)
	p.tell(0, &rtcp.Goodbye{Sources: []uint32{1000}})
	before := len(packetsOf[*rtcp.ReceiverReport](p, 0))
	send(100, 500, false)
	reports, last := map[uint32]int{}, map[uint32]uint32{}
	for i, r := range packetsOf[*rtcp.ReceiverReport](p, 0) {
		for _, b := range r.Reports {
			if last[b.SSRC] = b.LastSequenceNumber; i >= before {
				reports[b.SSRC]++
			}
		}
	}
	if reports[1000] != 1 || last[1000] != 99 || reports[2000] < 4 {
		t.Errorf("reports by source: %v, the last tell of %v", reports, last)
	}
}
