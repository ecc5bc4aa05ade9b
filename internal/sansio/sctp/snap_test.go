package sctp

import (
	"bytes"
	"encoding/base64"
	"errors"
	"testing"
	"time"

	"github.com/sansrtc/rtc/internal/simnet"
)

// ahead is a pair whose ends have exchanged their INIT chunks.
func ahead(t testing.TB, path simnet.Config, cfg ...Config) *pair {
	t.Helper()
	both := [2]Config{}
	for i := range both {
		if len(cfg) > 0 {
			both[i] = cfg[min(i, len(cfg)-1)]
		}
		both[i].Rand = testRand(9, uint64(i))
		init, err := both[i].NewInit()
		if err != nil {
			t.Fatal(err)
		}
		both[i].LocalInit = init
	}
	both[0].RemoteInit, both[1].RemoteInit = both[1].LocalInit, both[0].LocalInit
	return newPair(t, 1, path, both[:]...)
}

// draft-hancke-tsvwg-snap: with both INIT chunks known, an association is established when it starts. No packet is sent for it, and what the ends
// agree on is what the handshake would have come to.
func TestInitsExchangedAheadAgreeOnWhatTheHandshakeWould(t *testing.T) {
	for name, cfg := range map[string][2]Config{
		"plain":         {},
		"all":           {{ZeroChecksum: true, Interleaving: true, LargerMTUs: []int{1400}}, {ZeroChecksum: true, Interleaving: true, LargerMTUs: []int{1400}}},
		"one has it":    {{ZeroChecksum: true, Interleaving: true}, {}},
		"fewer streams": {{MaxStreams: 1000}, {MaxStreams: 10}},
		"windows":       {{ReceiveBuffer: 600 << 10}, {ReceiveBuffer: 8 << 20, MaxReceiveMessageSize: 2 << 20}},
	} {
		t.Run(name, func(t *testing.T) {
			p, q := ahead(t, simnetIdeal, cfg[:]...), newPair(t, 1, simnetIdeal, cfg[:]...)
			for i, a := range p.end {
				a.Start(p.now, 0)
				if a.State() != StateEstablished {
					t.Fatalf("end %d is %v", i, a.State())
				}
				if b, ok := a.AppendPacket(p.now, nil); ok {
					t.Fatalf("end %d sends %x", i, b)
				}
			}
			q.connect()
			for i, a := range p.end {
				b := q.end[i]
				if a.outStreams != b.outStreams || a.inStreams != b.inStreams || a.peerWindow != b.peerWindow || a.peerBuffer != b.peerBuffer ||
					a.forward.supported != b.forward.supported || a.reset.supported != b.reset.supported || a.zeroChecksum != b.zeroChecksum ||
					a.interleaving != b.interleaving || len(a.path.sizes) != len(b.path.sizes) || a.sack.window != b.sack.window {
					t.Errorf("end %d: ahead %+v\nby the handshake %+v", i, a.Stats(), b.Stats())
				}
				if o := p.end[1-i]; a.peerTag != o.tag || a.received.base != o.initialTSN-1 || a.reset.expected != uint32(o.initialTSN) {
					t.Errorf("end %d expects %d, %d, %d; the other has %d, %d", i, a.peerTag, a.received.base, a.reset.expected, o.tag, o.initialTSN)
				}
				if e, ok := a.PollEvent(); !ok || e.Kind != EventConnected {
					t.Errorf("end %d: event %+v", i, e)
				}
			}
		})
	}
}

// What was queued before leaves at once: the first message takes half a round trip, both ways at the same time, and neither end ever asks for
// what it knows. A path measured by ICE gives the timers that the handshake would have.
func TestInitsExchangedAheadCarryDataAtOnce(t *testing.T) {
	const rtt = 100 * time.Millisecond
	p := ahead(t, simnet.Config{Delay: rtt / 2}, Config{ZeroChecksum: true, Interleaving: true})
	p.onPacket = func(_ int, b []byte) bool {
		for rest := b[headerSize:]; len(rest) > 0; {
			head, _, next, ok := splitTLV(rest)
			if typ := head >> 8; !ok || typ == chunkInit || typ == chunkInitAck || typ == chunkCookieEcho || typ == chunkCookieAck {
				t.Errorf("chunk %d is sent", typ)
			}
			rest = next
		}
		return true
	}
	var at [2]time.Duration
	p.onEvent = func(end int, e Event) {
		if e.Kind == EventMessage {
			at[end] = p.now.Sub(testEpoch)
		}
	}
	for i, a := range p.end {
		p.send(i, 1, body(7, 100), reliable)
		a.Start(p.now, rtt)
		if s := a.Stats(); s.RTT != rtt {
			t.Errorf("round trip of %v", s.RTT)
		}
	}
	p.run(time.Second)
	if at != [2]time.Duration{rtt / 2, rtt / 2} {
		t.Errorf("messages arrive after %v", at)
	}
	for i := range p.end {
		p.send(i, 1, body(8, 200<<10), reliable)
		p.send(i, 2, body(9, 500), SendParams{Unordered: true, MaxRetransmits: 0})
		p.end[i].ResetStream(p.now, 1)
	}
	p.onEvent = nil
	p.run(10 * time.Second)
	for i, got := range p.got {
		kinds := map[EventKind]int{}
		for _, e := range got {
			kinds[e.Kind]++
		}
		if kinds[EventMessage] != 2 || kinds[EventIncomingReset] != 1 || kinds[EventOutgoingReset] != 1 {
			t.Errorf("end %d hears %v", i, kinds)
		}
	}
}

// An INIT chunk in the form that Chromium 156 gives it, and what makes one of no use.
func TestCheckInit(t *testing.T) {
	chromium, err := base64.StdEncoding.DecodeString("AQAAHols3R0AUAAA/////+B5ZR3AAAAEgAgABoLA")
	if err != nil {
		t.Fatal(err)
	}
	v, err := parseInitChunk(chromium)
	if want := (initView{tag: 0x896cdd1d, window: 5 << 20, outgoing: 65535, incoming: 65535, tsn: 0xe079651d, forward: true, reconfig: true}); err != nil ||
		v.tag != want.tag || v.window != want.window || v.outgoing != want.outgoing || v.incoming != want.incoming || v.tsn != want.tsn ||
		!v.forward || !v.reconfig || v.zeroChecksum || v.interleaving {
		t.Errorf("%+v, %v", v, err)
	}
	if err := CheckInit(append(bytes.Clone(chromium), 0, 0)); err != nil {
		t.Errorf("with its padding: %v", err)
	}
	edited := func(at int, b ...byte) []byte {
		c := bytes.Clone(chromium)
		copy(c[at:], b)
		return c
	}
	for name, chunk := range map[string][]byte{
		"nothing":          nil,
		"text":             []byte("no INIT chunk at all, but long enough"),
		"INIT ACK":         edited(0, chunkInitAck),
		"cut":              chromium[:len(chromium)-1],
		"too long a chunk": edited(2, 0, 200),
		"a chunk behind":   append(bytes.Clone(chromium), 0, 0, 1, 0, 0, 4),
		"a parameter cut":  edited(26, 0, 9),
		"no tag":           edited(4, 0, 0, 0, 0),
		"a small window":   edited(8, 0, 0, 5, 0xdb),
		"no streams out":   edited(12, 0, 0),
		"no streams in":    edited(14, 0, 0),
		"a host name":      append(append(edited(2, 0, 36), 0, 0), appendTLV(nil, paramHostName, nil)...),
	} {
		if err := CheckInit(chunk); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := New(Config{Rand: testRand(1, 1), LocalInit: chromium, RemoteInit: chunk}); !errors.Is(err, ErrConfig) {
			t.Errorf("New with %s: %v", name, err)
		}
	}
}

// A peer that was told no INIT of ours, or has forgotten the association, ends it as one that restarts; one that is told late may still use the
// four-way handshake.
func TestInitOfAPeerThatStartsAnew(t *testing.T) {
	p := ahead(t, simnetIdeal)
	p.end[0].Start(p.now, 0)
	w := wireOf(p, 0)
	answers := w.deliverPacket(w.packet(0, appendTLV(nil, chunkHead(chunkInit, 0), initBody(1500, 5, 5))))
	if len(answers) != 1 || answers[0].typ != chunkInitAck || answers[0].tag != 7 {
		t.Errorf("answers %+v", answers)
	}
	if p.end[0].State() != StateEstablished {
		t.Errorf("an INIT makes it %v", p.end[0].State())
	}
	p.end[0].check()
}

// FuzzInitAhead: whatever INIT a description has, it is refused, or the association that it makes sends and takes packets.
func FuzzInitAhead(f *testing.F) {
	for _, cfg := range []Config{{}, {ZeroChecksum: true, Interleaving: true}} {
		cfg.Rand = testRand(1, 1)
		init, err := cfg.NewInit()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(init, []byte{})
		f.Add(init[:20], appendTLV(nil, chunkHead(chunkData, flagB|flagE), dataBody(1, 2, 0, "hello")))
	}
	f.Fuzz(func(t *testing.T, init, chunks []byte) {
		cfg := Config{Rand: testRand(2, 2), ZeroChecksum: true, Interleaving: true, RemoteInit: init}
		var err error
		if cfg.LocalInit, err = cfg.NewInit(); err != nil {
			t.Fatal(err)
		}
		a, err := New(cfg)
		if (err == nil) != (CheckInit(init) == nil && init != nil) {
			t.Fatalf("CheckInit says %v, New %v", CheckInit(init), err)
		}
		if err != nil {
			return
		}
		now := testEpoch
		a.Start(now, 0)
		if err := a.Send(now, 0, 53, body(1, 5000), reliable); err != nil {
			t.Fatal(err)
		}
		drain := func() {
			for b, ok := a.AppendPacket(now, nil); ok; b, ok = a.AppendPacket(now, nil) {
				if len(b) > a.MaxPacket() {
					t.Fatalf("packet of %d bytes", len(b))
				}
			}
			for e, ok := a.PollEvent(); ok; e, ok = a.PollEvent() {
				a.Consume(now, len(e.Data))
			}
			a.check()
		}
		drain()
		p := append(appendHeader(nil, 5000, 5000, a.tag), chunks...)
		seal(p)
		a.HandlePacket(now, p)
		a.HandleBurstEnd(now)
		drain()
		for range 3 {
			if at := a.PollTimeout(); !at.IsZero() {
				now = at
				a.HandleTimeout(now)
				drain()
			}
		}
	})
}
