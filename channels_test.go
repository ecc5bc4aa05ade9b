package rtc_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime/sim"
)

// wantAttributes compares the two ends of a channel, and a's with what it was made with.
func wantAttributes(t testing.TB, a, b *rtc.DataChannel, label string, init rtc.DataChannelInit) {
	t.Helper()
	text := func(dc *rtc.DataChannel) string {
		number := func(n *uint16) string {
			if n == nil {
				return "nil"
			}
			return fmt.Sprint(*n)
		}
		return fmt.Sprintf("%q protocol %q ordered %v retransmits %v lifetime %v negotiated %v id %v", dc.Label(), dc.Protocol(), dc.Ordered(),
			number(dc.MaxRetransmits()), number(dc.MaxPacketLifeTime()), dc.Negotiated(), number(dc.ID()))
	}
	if text(a) != text(b) {
		t.Errorf("the ends differ:\n%.300s\n%.300s", text(a), text(b))
	}
	value := func(n *uint16) int {
		if n == nil {
			return -1
		}
		return int(*n)
	}
	switch {
	case a.Label() != label:
		t.Errorf("label %.100q", a.Label())
	case a.Ordered() != (init.Ordered == nil || *init.Ordered):
		t.Errorf("ordered %v", a.Ordered())
	case value(a.MaxRetransmits()) != value(init.MaxRetransmits):
		t.Errorf("maxRetransmits %v", value(a.MaxRetransmits()))
	case value(a.MaxPacketLifeTime()) != value(init.MaxPacketLifeTime):
		t.Errorf("maxPacketLifeTime %v", value(a.MaxPacketLifeTime()))
	case init.Protocol != nil && a.Protocol() != *init.Protocol || init.Protocol == nil && a.Protocol() != "":
		t.Errorf("protocol %.100q", a.Protocol())
	case a.Negotiated() != (init.Negotiated != nil):
		t.Errorf("negotiated %v", a.Negotiated())
	case init.Negotiated != nil && value(a.ID()) != value(init.ID):
		t.Errorf("id %v", value(a.ID()))
	case a.ID() == nil:
		t.Error("an open channel has no id")
	}
}

// Every kind of channel opens, made before the connection or after it, has its attributes at both ends, and carries messages both ways.
func TestChannelKinds(t *testing.T) { everywhere(t, testChannelKinds) }

func testChannelKinds(t *testing.T, w *world) {
	longest := strings.Repeat("ä", 32767) + "x" // 65535 bytes
	type kind struct {
		name, label string
		init        rtc.DataChannelInit
	}
	var kinds []kind
	id := uint16(1000)
	for _, ordered := range []bool{true, false} {
		for _, negotiated := range []bool{false, true} {
			for name, r := range map[string]rtc.DataChannelInit{
				"reliable": {}, "retransmits=0": {MaxRetransmits: new(uint16(0))}, "retransmits=65535": {MaxRetransmits: new(uint16(65535))},
				"lifetime=0": {MaxPacketLifeTime: new(uint16(0))}, "lifetime=65535": {MaxPacketLifeTime: new(uint16(65535))},
			} {
				for form, c := range map[string]struct{ label, protocol string }{
					"plain": {"chat", "v1.example"}, "empty": {"", ""}, "longest": {longest, longest}, "Unicode": {"日本語\x00🙂", "протокол"},
				} {
					id++
					k := kind{fmt.Sprintf("ordered=%v/negotiated=%v/%s/%s", ordered, negotiated, name, form), c.label, r}
					k.init.Ordered = new(ordered)
					if c.protocol != "" {
						k.init.Protocol = new(c.protocol)
					}
					if negotiated {
						k.init.Negotiated, k.init.ID = new(true), new(id)
					}
					kinds = append(kinds, k)
				}
			}
		}
	}
	kinds = append(kinds, kind{"default", "default", rtc.DataChannelInit{}})
	p := w.newPair(t, sim.Config{Link: sim.Link{Delay: 10 * time.Millisecond}}, nil)
	_, err := p.pc[0].CreateDataChannel("data", nil)
	p.must(err)
	for _, when := range []string{"before", "after"} {
		for i, k := range kinds {
			if when == "before" && len(k.label) > 1000 {
				continue // a few of those are enough
			}
			t.Run(when+"/"+k.name, func(t *testing.T) {
				from := [2]int{len(p.rec[0].channels), len(p.rec[1].channels)}
				q := p
				if when == "before" {
					q = w.newPair(t, sim.Config{Link: sim.Link{Delay: 10 * time.Millisecond}}, nil)
					from = [2]int{}
				} else if p.pc[0].CurrentLocalDescription() == nil {
					p.negotiate(0)
					p.until("the first channel", func() bool { return p.rec[0].channel(0) != nil && p.rec[1].channel(0) != nil })
					from = [2]int{1, 1}
				}
				made, err := q.pc[0].CreateDataChannel(k.label, &k.init)
				q.must(err)
				if (made.ID() != nil) != (when == "after" || made.Negotiated()) { // W3C: from createDataChannel on, once the role is known
					t.Errorf("made %s the connection the channel has the id %v", when, made.ID())
				}
				if k.init.Negotiated != nil {
					_, err := q.pc[1].CreateDataChannel(k.label, &k.init)
					q.must(err)
				}
				if when == "before" {
					if made.ReadyState() != rtc.DataChannelStateConnecting {
						t.Errorf("before the connection the channel is %v", made.ReadyState())
					}
					q.negotiate(0)
				}
				q.until("open", func() bool { return q.rec[0].channel(from[0]) != nil && q.rec[1].channel(from[1]) != nil })
				a, b := q.rec[0].channel(from[0]), q.rec[1].channel(from[1])
				if a != made {
					t.Error("another channel opened")
				}
				wantAttributes(t, a, b, k.label, k.init)
				there, back := fmt.Sprint("there ", i), fmt.Sprint("back ", i)
				q.must(a.SendText(there))
				q.must(b.Send([]byte(back)))
				if l := k.init.MaxPacketLifeTime; l != nil && *l == 0 && !w.simulated() {
					return // what does not leave at once may be given up
				}
				q.until("messages", func() bool { return q.rec[0].got(back) && q.rec[1].got(there) })
				p.must(a.Close())
			})
		}
	}
}

// What createDataChannel refuses, it refuses as W3C says.
func TestCreateDataChannelErrors(t *testing.T) { everywhere(t, testCreateDataChannelErrors) }

func testCreateDataChannelErrors(t *testing.T, w *world) {
	p := w.newPair(t, sim.Config{}, nil)
	for name, c := range map[string]struct {
		label string
		init  rtc.DataChannelInit
		want  string
	}{
		"label":              {strings.Repeat("x", 65536), rtc.DataChannelInit{}, "TypeError"},
		"label in UTF-8":     {strings.Repeat("ä", 32768), rtc.DataChannelInit{}, "TypeError"},
		"protocol":           {"", rtc.DataChannelInit{Protocol: new(strings.Repeat("x", 65536))}, "TypeError"},
		"two limits":         {"", rtc.DataChannelInit{MaxRetransmits: new(uint16(1)), MaxPacketLifeTime: new(uint16(1))}, "TypeError"},
		"negotiated, no id":  {"", rtc.DataChannelInit{Negotiated: new(true)}, "TypeError"},
		"id 65535":           {"", rtc.DataChannelInit{Negotiated: new(true), ID: new(uint16(65535))}, "TypeError"},
		"id, not negotiated": {"", rtc.DataChannelInit{ID: new(uint16(65535))}, ""}, // W3C: it is not read
		"id in use":          {"", rtc.DataChannelInit{Negotiated: new(true), ID: new(uint16(5))}, "OperationError"},
	} {
		q := w.newPair(t, sim.Config{}, nil)
		_, err := q.pc[0].CreateDataChannel("five", &rtc.DataChannelInit{Negotiated: new(true), ID: new(uint16(5))})
		p.must(err)
		dc, err := q.pc[0].CreateDataChannel(c.label, &c.init)
		wantCategory(t, name, err, c.want)
		if dc != nil && dc.ID() != nil {
			t.Errorf("%s: the id is %d", name, *dc.ID())
		}
		if (dc == nil) != (err != nil) {
			t.Errorf("%s: channel %v with error %v", name, dc, err)
		}
		if n := len(q.pc[0].GetStats()); err != nil && n != 2 {
			t.Errorf("%s: %d stats after an error", name, n)
		}
	}
}

// RFC 8832 section 6: "If the side is acting as the DTLS client, it MUST choose an even stream identifier; if the side is acting as the DTLS
// server, it MUST choose an odd one." In both roles, before and after the connection; and ids that the application has taken are left out.
func TestChannelIDs(t *testing.T) { everywhere(t, testChannelIDs) }

func testChannelIDs(t *testing.T, w *world) {
	for _, role := range []rtc.DTLSRole{rtc.DTLSRoleAuto, rtc.DTLSRoleClient, rtc.DTLSRoleServer} {
		t.Run(role.String(), func(t *testing.T) {
			p := w.newPair(t, sim.Config{}, func(_ int, b rtc.Builder) rtc.Builder {
				return b.DTLS(rtc.DTLSOptions{AnsweringRole: role})
			})
			for i := range p.pc {
				for id := range uint16(4) {
					_, err := p.pc[i].CreateDataChannel("taken", &rtc.DataChannelInit{Negotiated: new(true), ID: new(id)})
					p.must(err)
				}
			}
			var made [2][]*rtc.DataChannel
			for round := range 2 {
				for i, pc := range p.pc {
					for range 3 {
						dc, err := pc.CreateDataChannel("own", nil)
						p.must(err)
						made[i] = append(made[i], dc)
					}
				}
				if round == 0 {
					p.negotiate(0)
				}
				p.until("open", func() bool {
					return p.rec[0].count("open own") == 6*(round+1) && p.rec[1].count("open own") == 6*(round+1)
				})
			}
			parity := uint16(0) // of the offerer: it is the client, as the answerer is the server by default
			if role == rtc.DTLSRoleClient {
				parity = 1
			}
			seen := map[uint16]bool{0: true, 1: true, 2: true, 3: true}
			for i := range made {
				for _, dc := range made[i] {
					id := *dc.ID()
					if id%2 != (parity+uint16(i))%2 || seen[id] {
						t.Errorf("%s made the id %d", p.rec[i].name, id)
					}
					seen[id] = true
				}
			}
		})
	}
}

// When all ids of a side are in use, the next channel is an OperationError, and one that waits for its id fails by an event; a channel that
// closes gives its id back.
func TestChannelIDsRunOut(t *testing.T) { everywhere(t, testChannelIDsRunOut) }

func testChannelIDsRunOut(t *testing.T, w *world) {
	p, a, _ := w.connected(t, sim.Config{Start: time.Unix(1, 0)}, nil, nil)
	parity := *a.ID() % 2
	free := parity
	for id := parity; ; id += 2 {
		if id != *a.ID() {
			if _, err := p.pc[0].CreateDataChannel("", &rtc.DataChannelInit{Negotiated: new(true), ID: new(id)}); err != nil {
				t.Fatalf("id %d: %v", id, err)
			}
			free = id
		}
		if id >= 65533 {
			break
		}
	}
	_, err := p.pc[0].CreateDataChannel("one too many", nil)
	wantCategory(t, "no id is left", err, "OperationError")
	p.must(a.Close())
	p.until("close", func() bool { return p.rec[0].has("close data") && p.rec[1].has("close data") })
	dc, err := p.pc[0].CreateDataChannel("next", nil)
	p.must(err)
	if *dc.ID() != *a.ID() || free == 0 {
		t.Errorf("the next id is %d, want %d", *dc.ID(), *a.ID())
	}
	p.until("open", func() bool { return p.rec[0].has("open next") && p.rec[1].has("open next") })
}

// Messages of all sizes arrive as they were sent, text and binary; one byte over the peer's limit is a TypeError and takes nothing.
func TestMessageSizes(t *testing.T) { everywhere(t, testMessageSizes) }

func testMessageSizes(t *testing.T, w *world) {
	const limit = 256 << 10
	p, a, b := w.connected(t, sim.Config{Link: sim.Link{Delay: 10 * time.Millisecond, Loss: 0.01}}, nil, nil)
	sizes := []int{0, 1, 1100, 1150, 1199, 1200, 1201, 65535, 65536, 65537, limit - 1, limit}
	message := func(n int) []byte { return bytes.Repeat([]byte(fmt.Sprint(n, " ")), n/len(fmt.Sprint(n, " "))+1)[:n] }
	for _, n := range sizes {
		p.must(a.Send(message(n)))
		p.must(b.SendText(string(message(n))))
	}
	for name, err := range map[string]error{"Send": a.Send(make([]byte, limit+1)), "SendText": a.SendText(string(make([]byte, limit+1)))} {
		wantCategory(t, name, err, "TypeError")
		if !errors.Is(err, rtc.ErrMessageTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p.until("messages", func() bool { return p.rec[0].received() >= len(sizes) && p.rec[1].received() >= len(sizes) })
	p.pass(time.Minute)
	for i, r := range p.rec {
		if r.received() != len(sizes) {
			t.Fatalf("%s got %d messages", r.name, r.received())
		}
		for j, m := range r.messages {
			if !bytes.Equal(m.Data, message(sizes[j])) || m.IsString != (i == 0) {
				t.Errorf("%s got %d bytes, text %v, want %d", r.name, len(m.Data), m.IsString, sizes[j])
			}
		}
	}
	if a.BufferedAmount() != 0 {
		t.Errorf("%d bytes are buffered in the end", a.BufferedAmount())
	}
}

// Send keeps nothing of the slice that it is given, and what a handler gets is its own.
func TestSendCopies(t *testing.T) { everywhere(t, testSendCopies) }

func testSendCopies(t *testing.T, w *world) {
	p, a, b := w.connected(t, sim.Config{Link: sim.Link{Delay: 10 * time.Millisecond, Loss: 0.2}}, nil, nil)
	buf := make([]byte, 5000)
	for i := range 100 {
		for j := range buf {
			buf[j] = byte(i)
		}
		p.must(a.Send(buf))
	}
	clear(buf)
	p.until("messages", func() bool { return p.rec[1].received() == 100 })
	for i, m := range p.rec[1].messages {
		if !bytes.Equal(m.Data, bytes.Repeat([]byte{byte(i)}, 5000)) {
			t.Errorf("message %d has another's bytes", i)
		}
		for j := range m.Data {
			m.Data[j] = 0xff // an owner may
		}
		p.must(b.Send(m.Data))
	}
	p.until("messages", func() bool { return p.rec[0].received() == 100 })
	for i, m := range p.rec[0].messages {
		if bytes.ContainsFunc(m.Data, func(r rune) bool { return r != 0xfffd }) || len(m.Data) != 5000 {
			t.Errorf("message %d came back changed", i)
		}
	}
}

// The limit is the receiver's a=max-message-size, each direction its own: smaller, larger, none ("0": any size), and 64 KiB where it says nothing.
func TestPeersMaxMessageSize(t *testing.T) { everywhere(t, testPeersMaxMessageSize) }

func testPeersMaxMessageSize(t *testing.T, w *world) {
	for name, c := range map[string]struct {
		edit  func(sdp string) string
		limit int
	}{
		"smaller":   {func(s string) string { return replaceLine(s, "a=max-message-size:", "a=max-message-size:1000") }, 1000},
		"unlimited": {func(s string) string { return replaceLine(s, "a=max-message-size:", "a=max-message-size:0") }, 0},
		"unsaid":    {func(s string) string { return without(s, "a=max-message-size:") }, 65536},
		"as it is":  {func(s string) string { return s }, 200_000},
	} {
		for _, offerer := range []int{0, 1} {
			t.Run(fmt.Sprint(name, "/offerer=", offerer), func(t *testing.T) {
				p := w.newPair(t, sim.Config{}, func(i int, b rtc.Builder) rtc.Builder {
					return b.SCTP(rtc.SCTPOptions{MaxMessageSize: []int{100_000, 200_000}[i]})
				})
				_, err := p.pc[0].CreateDataChannel("data", nil)
				p.must(err)
				// What b says reaches a edited.
				exchange := func(from int) {
					p.must(p.pc[from].SetLocalDescription(rtc.SessionDescription{}))
					d := *p.pc[from].LocalDescription()
					if from == 1 {
						d.SDP = c.edit(d.SDP)
					}
					p.must(p.pc[1-from].SetRemoteDescription(d))
				}
				if offerer == 1 {
					_, err := p.pc[1].CreateDataChannel("more", nil)
					p.must(err)
				}
				exchange(offerer)
				exchange(1 - offerer)
				p.until("open", func() bool { return p.rec[0].has("open data") && p.rec[1].has("open data") })
				a := p.rec[0].channels[slices.IndexFunc(p.rec[0].channels, func(dc *rtc.DataChannel) bool { return dc.Label() == "data" })]
				b := p.rec[1].channels[slices.IndexFunc(p.rec[1].channels, func(dc *rtc.DataChannel) bool { return dc.Label() == "data" })]
				size := c.limit
				if size == 0 {
					size = 200_000
					if err := a.Send(make([]byte, 1<<20)); err != nil {
						t.Errorf("any size: %v", err)
					}
					return // the peer would end the association for this
				}
				wantCategory(t, "one more", a.Send(make([]byte, size+1)), "TypeError")
				p.must(a.Send(make([]byte, size)))
				wantCategory(t, "one more, the other way", b.Send(make([]byte, 100_001)), "TypeError")
				p.must(b.Send(make([]byte, 100_000)))
				p.until("messages", func() bool { return p.rec[0].received() == 1 && p.rec[1].received() == 1 })
			})
		}
	}
}

// A message for a channel that is not open is an InvalidStateError and is not kept.
func TestSendWhenNotOpen(t *testing.T) { everywhere(t, testSendWhenNotOpen) }

func testSendWhenNotOpen(t *testing.T, w *world) {
	p := w.newPair(t, sim.Config{}, nil)
	dc, err := p.pc[0].CreateDataChannel("data", nil)
	p.must(err)
	want := func(state rtc.DataChannelState) {
		t.Helper()
		// Over sockets the peer may have answered Close by now.
		if s := dc.ReadyState(); s != state && (w.simulated() || state != rtc.DataChannelStateClosing || s != rtc.DataChannelStateClosed) {
			t.Fatalf("the state is %v, want %v", s, state)
		}
		for name, err := range map[string]error{
			"Send": dc.Send(nil), "SendText": dc.SendText("x"), "SendContext": dc.SendContext(t.Context(), nil),
			"SendTextContext": dc.SendTextContext(t.Context(), "x"),
		} {
			wantCategory(t, name+" when "+state.String(), err, "InvalidStateError")
			if !errors.Is(err, rtc.ErrDataChannelNotOpen) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if dc.BufferedAmount() != 0 {
			t.Errorf("%d bytes are buffered", dc.BufferedAmount())
		}
	}
	want(rtc.DataChannelStateConnecting)
	p.negotiate(0)
	p.until("open", func() bool { return p.rec[1].has("open data") && dc.ReadyState() == rtc.DataChannelStateOpen })
	p.must(dc.Close())
	want(rtc.DataChannelStateClosing)
	p.until("close", func() bool { return p.rec[0].has("close data") })
	want(rtc.DataChannelStateClosed)
	p.pass(time.Minute)
	if p.rec[1].received() != 0 {
		t.Error("a message came")
	}
}

// A channel that is closed before the connection is there never opens, at neither end, and the others do.
func TestCloseBeforeOpen(t *testing.T) { everywhere(t, testCloseBeforeOpen) }

func testCloseBeforeOpen(t *testing.T, w *world) {
	p := w.newPair(t, sim.Config{}, nil)
	first, err := p.pc[0].CreateDataChannel("first", nil)
	p.must(err)
	_, err = p.pc[0].CreateDataChannel("second", nil)
	p.must(err)
	p.must(first.Close())
	p.negotiate(0)
	p.until("open", func() bool { return p.rec[0].has("open second") && p.rec[1].has("open second") })
	p.pass(time.Second)
	if !p.rec[0].has("close first") || p.rec[0].has("open first") || p.rec[1].has("channel first") || first.ReadyState() != rtc.DataChannelStateClosed {
		t.Errorf("a heard %q, b heard %q", p.rec[0].heard(), p.rec[1].heard())
	}
}

// BufferedAmount counts what Send has taken, and nothing of the protocol: the announcement of a channel is not in it, and tells no event.
func TestBufferedAmountIsTheApplications(t *testing.T) {
	everywhere(t, testBufferedAmountIsTheApplications)
}

func testBufferedAmountIsTheApplications(t *testing.T, w *world) {
	p := w.newPair(t, sim.Config{Link: sim.Link{Delay: 50 * time.Millisecond, Rate: 1e6}}, nil)
	long := strings.Repeat("x", 65535)
	dc, err := p.pc[0].CreateDataChannel(long, nil)
	p.must(err)
	var at []uint64
	p.rec[0].on = func(kind string, _ *rtc.PeerConnection, dc *rtc.DataChannel, _ rtc.DataChannelMessage) {
		if kind == "open" {
			at = append(at, dc.BufferedAmount())
		}
	}
	p.negotiate(0)
	p.until("open", func() bool { return p.rec[1].channel(0) != nil })
	if len(at) != 1 || at[0] != 0 {
		t.Errorf("at its open the channel has buffered %v", at)
	}
	p.pass(time.Second)
	if p.rec[0].has("low " + long) {
		t.Error("an event though nothing was sent")
	}
	p.must(dc.Send(nil))
	if n := dc.BufferedAmount(); n != 0 {
		t.Errorf("an empty message counts %d", n)
	}
}

// Two hundred channels at once, of both sides, share the connection: each opens, carries its own and closes, over a path that loses.
func TestManyChannels(t *testing.T) { everywhere(t, testManyChannels) }

func testManyChannels(t *testing.T, w *world) {
	p := w.newPair(t, sim.Config{Link: sim.Link{Delay: 20 * time.Millisecond, Loss: 0.02}}, nil)
	var made [2][]*rtc.DataChannel
	for n := range 200 {
		dc, err := p.pc[n%2].CreateDataChannel(fmt.Sprint(n), nil)
		p.must(err)
		made[n%2] = append(made[n%2], dc)
	}
	got := map[string]int{}
	closed := 0
	for _, r := range p.rec {
		r.on = func(kind string, _ *rtc.PeerConnection, dc *rtc.DataChannel, msg rtc.DataChannelMessage) {
			switch kind {
			case "open":
				for i := range 10 {
					if err := dc.SendText(fmt.Sprint(dc.Label(), "/", i)); err != nil {
						t.Error(err)
					}
				}
			case "message":
				if label, n, _ := strings.Cut(string(msg.Data), "/"); label != dc.Label() || n != fmt.Sprint(got[r.name+label]) {
					t.Errorf("%s got %q on %s", r.name, msg.Data, dc.Label())
				}
				got[r.name+dc.Label()]++
			case "close":
				closed++
			}
		}
	}
	p.negotiate(0)
	p.until("open and heard", func() bool {
		for _, n := range got {
			if n != 10 {
				return false
			}
		}
		return len(got) == 400
	})
	for i := range made {
		for _, dc := range made[i] {
			p.must(dc.Close())
		}
	}
	p.until("closed", func() bool { return closed == 400 })
}
