package media

import (
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"github.com/sansrtc/rtc/internal/simnet"
)

// Encodings of one track are told apart by RID, and their retransmissions by repaired RID, with no SSRC in any description.
func TestSimulcast(t *testing.T) {
	for seed := range uint64(20) {
		p := newPair(t, seed, simnet.Config{Delay: 10 * time.Millisecond, Loss: 0.05})
		s := videoSection("v")
		s.RIDs = []string{"q", "h", "f"}
		for _, m := range p.end {
			m.SetSections([]Section{audioSection("a"), s, videoSection("w")})
		}
		var ids []SenderID
		for i, rid := range s.RIDs {
			e := videoEncoding("v", uint32(2000+10*i), uint32(2001+10*i))
			e.RID = rid
			ids = append(ids, p.end[0].AddSender(e))
		}
		for n := range 400 {
			for i, id := range ids {
				p.send(0, id, n+100*i, vp8, 100+i)
			}
			p.wait(10 * time.Millisecond)
		}
		p.wait(2 * time.Second)
		streams := map[string]Event{}
		for _, e := range p.events[1] {
			if _, ok := streams[e.RID]; ok || e.Kind != EventStream || e.MID != "v" {
				p.fatalf("event %+v", e)
			}
			streams[e.RID] = e
		}
		for i, rid := range s.RIDs {
			if streams[rid].SSRC != uint32(2000+10*i) {
				p.fatalf("streams %+v", streams)
			}
			c, _ := p.end[1].StreamCounts(streams[rid].Stream)
			if c.Packets < 380 || c.Lost != 0 || c.RTXSSRC != uint32(2001+10*i) || c.Repaired == 0 {
				p.fatalf("%s: %+v", rid, c)
			}
		}
		for _, g := range p.got[1] {
			if i := int(g.header.SSRC-2000) / 10; len(g.payload) != 100+i || streams[s.RIDs[i]].Stream != g.stream {
				p.fatalf("%d bytes of source %d on stream %d", len(g.payload), g.header.SSRC, g.stream)
			}
		}
	}
}

// RFC 8843 section 9.2, a packet at a time: which section it is of.
func TestRoute(t *testing.T) {
	with := func(mid string, h rtp.Header) rtp.Header {
		if err := h.SetExtension(extMID, []byte(mid)); err != nil {
			t.Fatal(err)
		}
		return h
	}
	packet := func(ssrc uint32, pt uint8) rtp.Header { return rtp.Header{Version: 2, SSRC: ssrc, PayloadType: pt} }
	signalled := videoSection("s")
	signalled.Signalled = []Signalled{{SSRC: 77, RTX: 78}}
	silent := videoSection("n")
	silent.Receiving = false
	for _, tc := range []struct {
		name    string
		packets []rtp.Header
		want    []string // MIDs; empty: dropped
	}{
		{"by MID", []rtp.Header{with("v", packet(1, vp8)), with("w", packet(2, vp8))}, []string{"v", "w"}},
		{"by MID, then by source", []rtp.Header{with("v", packet(1, vp8)), packet(1, vp8)}, []string{"v", "v"}},
		{"a MID that is not there", []rtp.Header{with("x", packet(1, opus))}, []string{""}},
		{"a MID that is not there, of a known source", []rtp.Header{with("v", packet(1, vp8)), with("x", packet(1, vp8))}, []string{"v", ""}},
		{"a source that moves", []rtp.Header{with("v", packet(1, vp8)), with("w", packet(1, vp8)), packet(1, vp8)}, []string{"v", "w", "w"}},
		{"by signalled source", []rtp.Header{packet(77, vp8)}, []string{"s"}},
		{"by payload type of one section only", []rtp.Header{packet(5, opus)}, []string{"a"}},
		{"by payload type of several sections", []rtp.Header{packet(5, vp8)}, []string{""}},
		{"a payload type of another section", []rtp.Header{with("a", packet(5, vp8))}, []string{""}},
		{"a section that does not receive", []rtp.Header{with("n", packet(5, vp8))}, []string{""}},
		{"retransmissions of the only stream", []rtp.Header{with("v", packet(1, vp8)), with("v", packet(5, rtx))}, []string{"v", "v"}},
		{"retransmissions of one of two", []rtp.Header{with("v", packet(1, vp8)), with("v", packet(2, vp8)), with("v", packet(5, rtx))}, []string{"v", "v", ""}},
		{"retransmissions of nothing", []rtp.Header{with("v", packet(5, rtx))}, []string{""}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPair(t, 1, simnet.Config{})
			m := p.end[0]
			m.SetSections([]Section{audioSection("a"), videoSection("v"), videoSection("w"), signalled, silent})
			for i := range tc.packets {
				b, ok := m.route(&tc.packets[i])
				m.checkRoutes()
				got := ""
				if ok {
					got = b.stream.mid
				}
				if got != tc.want[i] {
					t.Errorf("packet %d: section %q, want %q", i, got, tc.want[i])
				}
			}
		})
	}
}

// An encoding whose source changes (RFC 3550 section 8.2, after a collision) is the same stream, of the new source from then on, whether packets go on
// naming it or not.
func TestEncodingChangesItsSource(t *testing.T) {
	p := newPair(t, 1, simnet.Config{})
	m := p.end[0]
	s := videoSection("v")
	s.RIDs = []string{"q", "h"}
	m.SetSections([]Section{s})
	named := func(ssrc uint32, rid string) *rtp.Header {
		h := &rtp.Header{Version: 2, SSRC: ssrc, PayloadType: vp8}
		for id, value := range map[uint8]string{extMID: "v", extRID: rid} {
			if err := h.SetExtension(id, []byte(value)); err != nil {
				t.Fatal(err)
			}
		}
		return h
	}
	var first StreamID
	for i, h := range []*rtp.Header{named(1, "q"), named(2, "q"), {Version: 2, SSRC: 2, PayloadType: vp8}} {
		b, ok := m.route(h)
		m.checkRoutes()
		if !ok || b.stream.rid != "q" || b.stream.ssrc != h.SSRC || i > 0 && b.stream.id != first {
			t.Fatalf("packet %d of source %d: %+v, %t", i, h.SSRC, b.stream, ok)
		}
		first = b.stream.id
	}
}

func (m *Machine) checkRoutes() {
	for _, s := range m.streams {
		s.window.begun = s.seq.begun
	}
	m.check()
}

// A stream is muted while its section does not receive and goes on afterwards; it ends with its section. Others stay as they are.
func TestSectionsChange(t *testing.T) {
	p := newPair(t, 1, simnet.Config{})
	for _, m := range p.end {
		m.SetSections([]Section{audioSection("a"), videoSection("v")})
	}
	a := p.end[0].AddSender(audioEncoding("a", 1000))
	v := p.end[0].AddSender(videoEncoding("v", 2000, 2001))
	p.send(0, a, 1, opus, 10)
	p.send(0, v, 1, vp8, 10)
	p.wait(time.Millisecond)
	p.events[1] = nil
	changed := videoSection("v")
	changed.Receiving = false
	p.end[1].SetSections([]Section{audioSection("a"), changed})
	p.send(0, a, 2, opus, 10)
	p.send(0, v, 2, vp8, 10)
	p.wait(time.Millisecond)
	if len(p.events[1]) != 1 || p.events[1][0].Kind != EventStreamMuted || p.events[1][0].SSRC != 2000 {
		t.Fatalf("events %+v", p.events[1])
	}
	if len(p.got[1]) != 3 || p.end[1].Stats().Drops.Unwanted != 1 {
		t.Fatalf("%d packets, %+v", len(p.got[1]), p.end[1].Stats().Drops)
	}
	p.events[1] = nil
	p.end[1].SetSections([]Section{audioSection("a"), videoSection("v")})
	p.send(0, v, 3, vp8, 10)
	p.wait(time.Millisecond)
	if len(p.events[1]) != 1 || p.events[1][0].Kind != EventStreamUnmuted || len(p.got[1]) != 5 { // the one that was dropped is asked for
		t.Fatalf("events %+v", p.events[1])
	}
	p.events[1] = nil
	p.end[1].SetSections([]Section{audioSection("a")})
	p.send(0, v, 4, vp8, 10)
	p.wait(time.Millisecond)
	if len(p.events[1]) != 1 || p.events[1][0].Kind != EventStreamEnded || len(p.got[1]) != 5 {
		t.Fatalf("events %+v", p.events[1])
	}
}

// A source that has sent nothing has nothing to say BYE for (RFC 3550 section 6.3.7: "MUST NOT send a BYE packet").
func TestNoGoodbyeOfSilence(t *testing.T) {
	p := newPair(t, 1, simnet.Config{})
	for _, m := range p.end {
		m.SetSections([]Section{audioSection("a")})
	}
	for range 2 {
		p.end[0].RemoveSender(p.now, p.end[0].AddSender(audioEncoding("a", 1000)))
		p.end[0].AddSender(audioEncoding("a", 1001))
		p.wait(time.Second)
	}
	p.end[0].Close(p.now)
	p.wait(time.Second)
	if n := len(packetsOf[*rtcp.Goodbye](p, 1)); n > 0 {
		t.Errorf("%d goodbyes", n)
	}
}

// A source that says BYE is muted, and goes on if it sends again.
func TestGoodbye(t *testing.T) {
	p := newPair(t, 1, simnet.Config{})
	for _, m := range p.end {
		m.SetSections([]Section{audioSection("a")})
	}
	a := p.end[0].AddSender(audioEncoding("a", 1000))
	p.send(0, a, 1, opus, 10)
	p.wait(time.Millisecond)
	p.end[0].RemoveSender(p.now, a)
	p.wait(time.Millisecond)
	if e := p.events[1][len(p.events[1])-1]; e.Kind != EventStreamMuted || e.SSRC != 1000 {
		t.Fatalf("events %+v", p.events[1])
	}
	if c, _ := p.end[1].StreamCounts(1); !c.Muted {
		t.Fatal("not muted")
	}
	e := audioEncoding("a", 1000)
	a = p.end[0].AddSender(e)
	p.send(0, a, 5, opus, 10)
	p.wait(time.Millisecond)
	if c, _ := p.end[1].StreamCounts(1); c.Muted || c.Packets != 2 {
		t.Fatalf("%+v", c)
	}
	if e := p.events[1][len(p.events[1])-1]; e.Kind != EventStreamUnmuted || e.SSRC != 1000 {
		t.Fatalf("events %+v", p.events[1])
	}
}
