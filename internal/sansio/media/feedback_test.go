package media

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"github.com/sansrtc/rtc/internal/simnet"
)

// videoPair has one video encoding, of which one packet has arrived.
func videoPair(t *testing.T, path simnet.Config) (p *pair, v SenderID, s StreamID) {
	p = newPair(t, 1, path)
	for _, m := range p.end {
		m.SetSections([]Section{videoSection("v")})
	}
	v = p.end[0].AddSender(videoEncoding("v", 2000, 2001))
	p.send(0, v, 1, vp8, 10)
	p.wait(200 * time.Millisecond)
	return p, v, p.events[1][0].Stream
}

func keyframeRequests(p *pair) (n int) {
	for _, e := range p.events[0] {
		if e.Kind == EventKeyframe {
			n++
		}
	}
	return n
}

// Many wishes for a keyframe within a moment become one request, and one event at the sender; a later wish becomes another.
func TestKeyframeRequests(t *testing.T) {
	p, v, s := videoPair(t, simnet.Config{Delay: 20 * time.Millisecond})
	for range 100 {
		p.end[1].RequestKeyframe(p.now, s)
		p.wait(time.Millisecond)
	}
	if n := len(packetsOf[*rtcp.PictureLossIndication](p, 0)); n != 1 || keyframeRequests(p) != 1 {
		t.Fatalf("%d requests, %d events for wishes of 100 ms", n, keyframeRequests(p))
	}
	p.wait(time.Second)
	if n := len(packetsOf[*rtcp.PictureLossIndication](p, 0)); n != 2 {
		t.Fatalf("%d requests: what was wished after the first one left was not asked for later", n)
	}
	p.end[1].RequestKeyframe(p.now, s)
	p.wait(time.Second)
	c, _ := p.end[0].SenderCounts(v)
	r, _ := p.end[1].StreamCounts(s)
	if c.PLIs != 3 || r.PLIs != 3 || keyframeRequests(p) != 3 {
		t.Fatalf("%d requests, %d sent, %d events", c.PLIs, r.PLIs, keyframeRequests(p))
	}
}

// Where only FIR is understood, it asks; a repeated FIR is no second request (RFC 5104 section 4.3.1.2).
func TestFullIntraRequest(t *testing.T) {
	p, v, s := videoPair(t, simnet.Config{})
	section := videoSection("v")
	section.Codecs[0].PLI = false
	p.end[1].SetSections([]Section{section})
	p.end[1].RequestKeyframe(p.now, s)
	p.wait(time.Second)
	p.end[1].RequestKeyframe(p.now, s)
	p.wait(time.Second)
	for range 3 {
		b, err := rtcp.Marshal([]rtcp.Packet{&rtcp.FullIntraRequest{SenderSSRC: 1, FIR: []rtcp.FIREntry{{SSRC: 2000, SequenceNumber: 200}}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.end[1].WriteRTCP(b); err != nil {
			t.Fatal(err)
		}
		p.wait(time.Second)
	}
	c, _ := p.end[0].SenderCounts(v)
	if c.FIRs != 3 || keyframeRequests(p) != 3 {
		t.Fatalf("%d requests, %d events", c.FIRs, keyframeRequests(p))
	}
}

// When more is lost than can be asked for, a keyframe is.
func TestTooMuchLost(t *testing.T) {
	for _, lost := range []int{maxMissing + 2, windowSpan + 10, 30000} {
		p, v, _ := videoPair(t, simnet.Config{})
		p.send(0, v, 1+lost, vp8, 10)
		p.wait(time.Second)
		if keyframeRequests(p) != 1 {
			t.Errorf("%d lost: %d requests", lost, keyframeRequests(p))
		}
		if n := len(packetsOf[*rtcp.TransportLayerNack](p, 0)); n > 0 {
			t.Errorf("%d lost: %d NACKs", lost, n)
		}
	}
}

// A packet that never comes is asked for at most ten times and for a second; then a keyframe is.
func TestGiveUp(t *testing.T) {
	p, v, _ := videoPair(t, simnet.Config{Delay: 10 * time.Millisecond})
	p.lose = func(from int, b []byte) bool { return from == 0 && b[1]&127 == rtx }
	p.send(0, v, 3, vp8, 10)
	begin := p.now
	p.wait(5 * time.Second)
	nacks := len(packetsOf[*rtcp.TransportLayerNack](p, 0))
	if nacks < 5 || nacks > maxNACKs || keyframeRequests(p) != 1 {
		t.Fatalf("%d requests, and %d for a keyframe, after %v", nacks, keyframeRequests(p), p.now.Sub(begin))
	}
}

// ask has B ask for packets of A's source 2000, and says how many were sent again so far.
func (p *pair) ask(v SenderID, numbers ...uint16) uint64 {
	p.t.Helper()
	nack := &rtcp.TransportLayerNack{SenderSSRC: 1, MediaSSRC: 2000}
	for _, n := range numbers {
		nack.Nacks = append(nack.Nacks, rtcp.NackPair{PacketID: n})
	}
	b, err := nack.Marshal()
	if err == nil {
		err = p.end[1].WriteRTCP(b)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	p.wait(100 * time.Millisecond)
	c, _ := p.end[0].SenderCounts(v)
	return c.RetransmittedPackets
}

// A packet is sent again as long as the history keeps it, and not after that, though its place was not needed for another; not before
// it was sent, and once for all that ask for it before it has left.
func TestRepairInTime(t *testing.T) {
	p, v, _ := videoPair(t, simnet.Config{})
	p.wait(600 * time.Millisecond)
	if n := p.ask(v, 1); n != 1 {
		t.Fatalf("%d repairs within the second", n)
	}
	p.wait(300 * time.Millisecond)
	if n := p.ask(v, 1); n != 1 {
		t.Errorf("%d repairs, one of them of a packet that is older than the history", n)
	}
	p.end[0].SetPacing(10_000)
	for n := range 5 {
		p.send(0, v, 2+n, vp8, 200)
	}
	if n := p.ask(v, 6); n != 1 {
		t.Errorf("%d repairs, one of them of a packet that waits for the pacer", n)
	}
	p.ask(v, 2, 2, 2)
	p.end[0].SetPacing(0)
	p.wait(time.Second)
	if c, _ := p.end[0].SenderCounts(v); c.RetransmittedPackets != 2 || len(p.got[1]) != 6 {
		t.Errorf("%d packets came, %d were sent again", len(p.got[1]), c.RetransmittedPackets)
	}
}

// What was sent again is not sent once more before that can have arrived, whoever asks.
func TestRepairOncePerRoundTrip(t *testing.T) {
	p := newPair(t, 1, simnet.Config{}, Config{ReportInterval: time.Hour})
	for _, m := range p.end {
		m.SetSections([]Section{videoSection("v")})
	}
	p.end[0].SetRTT(400 * time.Millisecond)
	v := p.end[0].AddSender(videoEncoding("v", 2000, 2001))
	p.send(0, v, 1, vp8, 10)
	for i, want := range []uint64{1, 1, 1, 2, 2, 2, 3} { // each 100 ms
		if n := p.ask(v, 1); n != want {
			t.Errorf("request %d: %d repairs, want %d", i, n, want)
		}
	}
}

// Nothing is sent again of a format for which that was not negotiated, or, where there is a source of retransmissions, none has a format of its own.
func TestNoRepairOfOtherFormats(t *testing.T) {
	for name, c := range map[string]struct {
		change func(e *Encoding)
		pt     uint8
		want   uint64
	}{
		"no NACK":                       {func(e *Encoding) { e.Payloads[0].NACK = false }, vp8, 0},
		"no format for retransmissions": {func(e *Encoding) {}, h264, 0},
		"no source of retransmissions":  {func(e *Encoding) { e.RTX = 0 }, h264, 1},
		"a format":                      {func(e *Encoding) {}, vp8, 1},
	} {
		p := newPair(t, 1, simnet.Config{})
		for _, m := range p.end {
			m.SetSections([]Section{videoSection("v")})
		}
		e := videoEncoding("v", 2000, 2001)
		c.change(&e)
		v := p.end[0].AddSender(e)
		p.send(0, v, 1, c.pt, 10)
		p.wait(10 * time.Millisecond)
		if n := p.ask(v, 1); n != c.want {
			t.Errorf("%s: %d repairs", name, n)
		}
	}
}

// REMB is told as it is.
func TestEstimate(t *testing.T) {
	p, _, _ := videoPair(t, simnet.Config{})
	b, err := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverEstimatedMaximumBitrate{SenderSSRC: 1, Bitrate: 1_000_000, SSRCs: []uint32{2000}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.end[1].WriteRTCP(b); err != nil {
		t.Fatal(err)
	}
	p.wait(time.Second)
	if e := p.events[0][len(p.events[0])-1]; e.Kind != EventEstimate || e.Bitrate < 990_000 || e.Bitrate > 1_010_000 || len(e.SSRCs) != 1 {
		t.Fatalf("%+v", e)
	}
}

// RFC 8888 feedback says the same as transport-wide feedback.
func TestCongestionControlFeedback(t *testing.T) {
	p, v, _ := videoPair(t, simnet.Config{})
	p.results[0] = nil
	for n := range 5 {
		p.send(0, v, 2+n, vp8, 1000)
		p.wait(10 * time.Millisecond)
	}
	p.results[0] = nil
	p.end[0].sentLog.oldest(3).state = sentUnknown
	for i := range p.end[0].sentLog.n {
		p.end[0].sentLog.oldest(i).state = sentUnknown
	}
	b, err := rtcp.Marshal([]rtcp.Packet{&rtcp.CCFeedbackReport{
		SenderSSRC: 1, ReportTimestamp: 100 << 16,
		ReportBlocks: []rtcp.CCFeedbackReportBlock{{MediaSSRC: 2000, BeginSequence: 2, MetricBlocks: []rtcp.CCFeedbackMetricBlock{
			{Received: true, ArrivalTimeOffset: 512}, {}, {Received: true, ArrivalTimeOffset: 256},
		}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.end[1].WriteRTCP(b); err != nil {
		t.Fatal(err)
	}
	p.wait(20 * time.Millisecond)
	r := p.results[0]
	if len(r) < 3 || !r[0].Arrived || r[1].Arrived || !r[2].Arrived || r[2].Arrival-r[0].Arrival != 250*time.Millisecond ||
		r[1].Sent.Sub(r[0].Sent) != 10*time.Millisecond {
		t.Fatalf("%+v", r)
	}
}

// A new source carries on: its numbers follow the last, its time goes on, and nothing is sealed under a number that was used.
func TestNewSource(t *testing.T) {
	for _, told := range []bool{true, false} {
		p, v, _ := videoPair(t, simnet.Config{})
		for n := 2; n < 3000; n++ {
			p.send(0, v, n, vp8, 10)
			p.wait(time.Millisecond)
		}
		begin := 60000
		if !told {
			begin = 65000 // 3536 behind what came last, which no reordering is
		}
		if told {
			p.end[0].NewSource(v)
		}
		p.got[1] = nil
		p.wait(100 * time.Millisecond)
		for n := begin; n < begin+10; n++ {
			p.send(0, v, n, vp8, 10)
			p.wait(time.Millisecond)
		}
		if len(p.got[1]) != 10 {
			t.Fatalf("%d packets", len(p.got[1]))
		}
		for i, g := range p.got[1] {
			if int(g.header.SequenceNumber) != 3000+i {
				t.Fatalf("packet %d has number %d", i, g.header.SequenceNumber)
			}
			if d := g.header.Timestamp - 2999*3000 - 101*90 - uint32(i)*3000; d > 180 && -d > 180 {
				t.Fatalf("packet %d has a timestamp that is off by %d", i, int32(d))
			}
		}
	}
}

// A packet that is given twice is sent once.
func TestSendTwice(t *testing.T) {
	p, v, _ := videoPair(t, simnet.Config{})
	p.got[1] = nil
	for _, n := range []int{2, 3, 2, 5, 4, 4, 3} {
		p.send(0, v, n, vp8, 10)
		p.wait(5 * time.Millisecond)
	}
	if c, _ := p.end[0].SenderCounts(v); len(p.got[1]) != 4 || c.Duplicates != 3 {
		t.Fatalf("%d packets, %+v", len(p.got[1]), c)
	}
}

// Pacing spreads a burst over time, lets audio pass, and drops nothing.
func TestPacing(t *testing.T) {
	p := newPair(t, 1, simnet.Config{})
	for _, m := range p.end {
		m.SetSections([]Section{audioSection("a"), videoSection("v")})
	}
	a := p.end[0].AddSender(audioEncoding("a", 1000))
	v := p.end[0].AddSender(videoEncoding("v", 2000, 2001))
	p.end[0].SetPacing(1_000_000)
	for n := range 125 {
		p.send(0, v, n, vp8, 1000)
	}
	for n := range 20 {
		p.send(0, a, n, opus, 50)
		p.wait(20 * time.Millisecond)
	}
	p.wait(2 * time.Second)
	var video []received
	audio := 0
	for _, g := range p.got[1] {
		if g.header.PayloadType == opus {
			if at := g.at.Sub(testEpoch); at > time.Duration(audio)*20*time.Millisecond {
				t.Errorf("audio packet %d came after %v", audio, at)
			}
			audio++
			continue
		}
		video = append(video, g)
	}
	if len(video) != 125 || audio != 20 {
		t.Fatalf("%d video and %d audio packets", len(video), audio)
	}
	// 125 packets of some 1030 bytes are just over a second at 1 Mbit/s.
	if d := video[124].at.Sub(video[0].at); d < 1000*time.Millisecond || d > 1200*time.Millisecond {
		t.Errorf("it took %v", d)
	}
	for i := 1; i < len(video); i++ {
		if d := video[i].at.Sub(video[i-1].at); d > 20*time.Millisecond {
			t.Errorf("%v before packet %d", d, i)
		}
	}
}

// What a sender holds is bounded: the oldest packets that wait give way.
func TestQueueBound(t *testing.T) {
	p := newPair(t, 1, simnet.Config{}, Config{HistoryPackets: 64})
	for _, m := range p.end {
		m.SetSections([]Section{videoSection("v")})
	}
	v := p.end[0].AddSender(videoEncoding("v", 2000, 2001))
	p.end[0].SetPacing(1)
	for n := range 1000 {
		p.send(0, v, n, vp8, 10)
	}
	p.drain()
	p.end[0].SetPacing(0)
	p.wait(time.Second)
	c, _ := p.end[0].SenderCounts(v)
	if c.Dropped < 900 || c.Packets+c.Dropped < 1000 || p.got[1][len(p.got[1])-1].header.SequenceNumber != 999 {
		t.Fatalf("%+v", c)
	}
	if q := p.end[0].Stats().Queued; q != 0 {
		t.Fatalf("%d are queued", q)
	}
}

// Header extensions of the user's pass when they were negotiated, and others do not; those that the machine writes replace theirs; long ones take the
// two-byte form, and no others do. What is sent again has the same.
func TestExtensions(t *testing.T) {
	p, v, _ := videoPair(t, simnet.Config{})
	lose := false
	p.lose = func(from int, b []byte) bool { return lose && from == 0 && b[1]&127 == vp8 }
	send := func(n int, set func(h *rtp.Header)) *rtp.Header {
		h := rtp.Header{Version: 2, PayloadType: vp8, SequenceNumber: uint16(n)}
		set(&h)
		p.got[1] = nil
		if err := p.end[0].Send(p.now, v, &h, []byte{1}); err != nil {
			t.Fatal(err)
		}
		p.wait(time.Millisecond)
		if lose {
			lose = false
			p.send(0, v, n+1, vp8, 1)
			p.wait(time.Second)
			return &p.got[1][1].header
		}
		return &p.got[1][0].header
	}
	h := send(2, func(h *rtp.Header) {
		_ = h.SetExtension(extOther, []byte{7})
		_ = h.SetExtension(extOther+1, []byte{8}) // of another connection
		_ = h.SetExtension(extMID, []byte("wrong"))
		_ = h.SetExtension(extTransportCC, []byte{9, 9})
	})
	if string(h.GetExtension(extOther)) != "\x07" || string(h.GetExtension(extMID)) != "v" || h.ExtensionProfile != rtp.ExtensionProfileOneByte {
		t.Fatalf("%+v", h)
	}
	if h.GetExtension(extOther+1) != nil {
		t.Fatalf("an extension that was not negotiated: %+v", h)
	}
	seq := h.GetExtension(extTransportCC)
	h = send(3, func(h *rtp.Header) {
		h.Extension, h.ExtensionProfile = true, rtp.ExtensionProfileTwoByte
		_ = h.SetExtension(extOther, make([]byte, 40))
	})
	if len(h.GetExtension(extOther)) != 40 || string(h.GetExtension(extMID)) != "v" || h.ExtensionProfile != rtp.ExtensionProfileTwoByte {
		t.Fatalf("%+v", h)
	}
	if next := h.GetExtension(extTransportCC); next[1] != seq[1]+1 {
		t.Fatalf("transport-wide number %x after %x", next, seq)
	}
	if len(h.GetExtension(extSendTime)) != 3 {
		t.Fatal("no time of sending")
	}
	h = send(4, func(h *rtp.Header) {
		h.Extension, h.ExtensionProfile = true, rtp.ExtensionProfileTwoByte
		_ = h.SetExtension(extOther, []byte{7})
		_ = h.SetExtension(extOther+1, make([]byte, 40))
	})
	if string(h.GetExtension(extOther)) != "\x07" || h.ExtensionProfile != rtp.ExtensionProfileOneByte {
		t.Fatalf("%+v", h)
	}
	lose = true
	h = send(5, func(h *rtp.Header) {
		_ = h.SetExtension(extOther, []byte{6})
		_ = h.SetExtension(extOther+1, []byte{8})
	})
	if h.SequenceNumber != 5 || string(h.GetExtension(extOther)) != "\x06" || h.GetExtension(extOther+1) != nil {
		t.Fatalf("sent again: %+v", h)
	}
	// When the peer has reported about the source it knows its section.
	p.wait(3 * time.Second)
	if h = send(7, func(h *rtp.Header) {}); h.GetExtension(extMID) != nil {
		t.Fatal("MID goes on for ever")
	}
}

// With KeepTransportCC who numbers packets by himself gets feedback about his numbers, undisturbed by retransmissions; packets without a number
// are numbered as ever.
func TestForeignTransportCC(t *testing.T) {
	p, v, _ := videoPair(t, simnet.Config{Delay: 5 * time.Millisecond})
	p.end[0].cfg.KeepTransportCC = true
	p.lose = func(from int, b []byte) bool { return from == 0 && b[1]&127 == vp8 && b[3] == 14 }
	p.results[0], p.got[1] = nil, nil
	first := len(packetsOf[*rtcp.TransportLayerCC](p, 0))
	for n := range 20 {
		h := rtp.Header{Version: 2, PayloadType: vp8, SequenceNumber: uint16(10 + n)}
		_ = h.SetExtension(extTransportCC, []byte{77, byte(n)})
		if err := p.end[0].Send(p.now, v, &h, []byte{1}); err != nil {
			t.Fatal(err)
		}
		p.wait(10 * time.Millisecond)
	}
	p.wait(time.Second)
	repaired := 0
	for _, g := range p.got[1] {
		number := g.header.GetExtension(extTransportCC)
		if g.repaired {
			repaired++
			if number != nil {
				t.Errorf("a retransmission has the number %x", number)
			}
		} else if want := []byte{77, byte(g.header.SequenceNumber - 10)}; !bytes.Equal(number, want) {
			t.Errorf("packet %d has the number %x, want %x", g.header.SequenceNumber, number, want)
		}
	}
	if repaired != 1 || len(p.got[1]) != 20 {
		t.Fatalf("%d packets, %d repaired", len(p.got[1]), repaired)
	}
	arrived := make(map[uint16]bool)
	for _, f := range packetsOf[*rtcp.TransportLayerCC](p, 0)[first:] {
		n := f.BaseSequenceNumber
		for _, chunk := range f.PacketChunks {
			switch c := chunk.(type) {
			case *rtcp.RunLengthChunk:
				for range c.RunLength {
					arrived[n] = c.PacketStatusSymbol != rtcp.TypeTCCPacketNotReceived
					n++
				}
			case *rtcp.StatusVectorChunk:
				for _, symbol := range c.SymbolList {
					arrived[n] = symbol != rtcp.TypeTCCPacketNotReceived
					n++
				}
			}
		}
	}
	for n := range uint16(20) {
		if arrived[77<<8+n] != (n != 4) {
			t.Errorf("number %d: the peer says %t", n, arrived[77<<8+n])
		}
	}
	if len(p.results[0]) != 0 {
		t.Errorf("%d results about packets that somebody else accounts for", len(p.results[0]))
	}
}

// What a caller does wrong is an error of its own kind.
func TestSendErrors(t *testing.T) {
	p, v, _ := videoPair(t, simnet.Config{})
	m := p.end[0]
	h := rtp.Header{Version: 2, PayloadType: vp8, SequenceNumber: 9}
	if err := m.Send(p.now, v+1, &h, nil); err != ErrNoSender {
		t.Error(err)
	}
	if err := m.Send(p.now, v, &h, make([]byte, 1200)); err != ErrTooLarge {
		t.Error(err)
	}
	h.PayloadType = 3
	if err := m.Send(p.now, v, &h, nil); err != ErrPayloadType {
		t.Error(err)
	}
	if err := m.WriteRTCP([]byte("hello")); err != ErrRTCP {
		t.Error(err)
	}
	if err := m.SetKeys(Keys{Profile: 99}); err != ErrProfile {
		t.Error(err)
	}
	for range maxRTCP {
		if err := m.WriteRTCP([]byte{0x80, 201, 0, 1, 0, 0, 0, 1}); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.WriteRTCP([]byte{0x80, 201, 0, 1, 0, 0, 0, 1}); err != ErrQueueFull {
		t.Error(err)
	}
}

// While nothing can leave, what waits is bounded, and what has waited for too long does not leave afterwards.
func TestOutage(t *testing.T) {
	p := newPair(t, 1, simnet.Config{}, Config{HistoryPackets: 64})
	for _, m := range p.end {
		m.SetSections([]Section{audioSection("a"), videoSection("v")})
	}
	a := p.end[0].AddSender(audioEncoding("a", 1000))
	v := p.end[0].AddSender(videoEncoding("v", 2000, 2001))
	p.send(0, v, 0, vp8, 10)
	for n := range 10_000 {
		p.send(0, a, n, opus, 10)
		p.send(0, v, n+1, vp8, 10)
		p.now = p.now.Add(10 * time.Millisecond)
		p.end[0].check()
	}
	for class := range p.end[0].queues {
		if n := len(p.end[0].queues[class].ring); n > 256 {
			t.Errorf("%d places in queue %d", n, class)
		}
	}
	p.now = p.now.Add(10 * time.Second)
	p.send(0, v, 10_001, vp8, 10)
	p.wait(time.Second)
	c, _ := p.end[0].SenderCounts(v)
	if n := len(p.got[1]); n != 1 || c.Dropped != 10_001 || c.Packets != 1 {
		t.Errorf("%d came, %+v", n, c)
	}
}

// A source that was silent for long makes room for a new one.
func TestSilentStream(t *testing.T) {
	p := newPair(t, 1, simnet.Config{}, Config{MaxStreams: 2})
	for _, m := range p.end {
		m.SetSections([]Section{audioSection("a")})
	}
	for n := range 3 {
		a := p.end[0].AddSender(audioEncoding("a", uint32(1000*(n+1))))
		p.send(0, a, 1, opus, 10)
		p.wait(20 * time.Second)
	}
	ended := 0
	for _, e := range p.events[1] {
		if e.Kind == EventStreamEnded {
			ended++
			if e.SSRC != 1000 {
				t.Errorf("%+v", e)
			}
		}
	}
	if ended != 1 || len(p.end[1].streams) != 2 || len(p.got[1]) != 3 {
		t.Errorf("%d ended, %d streams, %d packets", ended, len(p.end[1].streams), len(p.got[1]))
	}
}

// Every chunk of transport-wide feedback says here what pion's codec reads in it.
func TestStatusChunks(t *testing.T) {
	for n := range 1 << 16 {
		c := statusChunk(n)
		b := binary.BigEndian.AppendUint16(nil, uint16(n))
		var want []uint16
		if n>>15 == 0 {
			var run rtcp.RunLengthChunk
			if err := run.Unmarshal(b); err != nil {
				t.Fatal(err)
			}
			want = slices.Repeat([]uint16{run.PacketStatusSymbol}, min(int(run.RunLength), 3))
			if c.len() != int(run.RunLength) {
				t.Fatalf("chunk %04x tells of %d packets, want %d", n, c.len(), run.RunLength)
			}
		} else {
			var vector rtcp.StatusVectorChunk
			if err := vector.Unmarshal(b); err != nil {
				t.Fatal(err)
			}
			if want = vector.SymbolList; c.len() != len(want) {
				t.Fatalf("chunk %04x tells of %d packets, want %d", n, c.len(), len(want))
			}
		}
		for i, symbol := range want {
			size := map[uint16]int{rtcp.TypeTCCPacketReceivedSmallDelta: 1, rtcp.TypeTCCPacketReceivedLargeDelta: 2}[symbol]
			if got := c.deltaSize(i); got != size {
				t.Fatalf("chunk %04x: packet %d has a delta of %d bytes, want %d", n, i, got, size)
			}
		}
	}
}

// However often a peer asks for packets again, what is sent again is bounded by what is sent.
func TestTooManyRequests(t *testing.T) {
	p := newPair(t, 1, simnet.Config{Delay: time.Millisecond})
	for _, m := range p.end {
		m.SetSections([]Section{videoSection("v")})
	}
	v := p.end[0].AddSender(videoEncoding("v", 2000, 2001))
	all := make([]uint16, 1000)
	for i := range all {
		all[i] = uint16(i)
	}
	b, err := rtcp.Marshal([]rtcp.Packet{&rtcp.TransportLayerNack{MediaSSRC: 2000, Nacks: rtcp.NackPairsFromSequenceNumbers(all)}})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 1000 {
		p.send(0, v, n, vp8, 1000)
		if err := p.end[1].WriteRTCP(append([]byte(nil), b...)); err != nil {
			t.Fatal(err)
		}
		p.wait(5 * time.Millisecond)
	}
	c, _ := p.end[0].SenderCounts(v)
	if first := c.Bytes - c.RetransmittedBytes; first != 1_000_000 || c.RetransmittedBytes > first+maxCredit || c.RetransmittedBytes < first {
		t.Errorf("%d bytes were sent, and %d again", first, c.RetransmittedBytes)
	}
}
