package sctp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sansrtc/rtc/internal/simnet"
)

func connected(t *testing.T, cfg ...Config) (*pair, wireEnd) {
	p := newPair(t, 1, simnetIdeal, cfg...)
	p.connect()
	return p, wireOf(p, 0)
}

// CVE-2019-20503 (usrsctp): the parameters of INIT were checked with one bound and parsed with another. Whatever the lengths say, nothing
// outside of the chunk is read, and a broken walk has no effect.
func TestCVE_2019_20503_InitParameterWalk(t *testing.T) {
	init := func(params ...byte) []byte {
		b := put32(put16(put16(put32(put32(nil, 7), 100_000), 10), 10), 1)
		return append(b, params...)
	}
	for _, c := range []struct {
		name string
		body []byte
		ok   bool
	}{
		{"none", init(), true},
		{"shorter than its header", init(0xc0, 0, 0, 3), false},
		{"zero length", init(0xc0, 0, 0, 0), false},
		{"beyond the chunk", init(0x80, 8, 0, 6, 130), false},
		{"header cut", init(0xc0, 0, 0), false},
		{"extension list that ends the chunk", init(0x80, 8, 0, 6, 130, 192), true},
		{"body cut", init()[:15], false},
	} {
		whole := append(c.body, bytes.Repeat([]byte{130}, 16)...) // what must not be seen
		v, ok := parseInit(whole[:len(c.body):len(c.body)])
		if ok != c.ok || ok && v.reconfig != strings.HasPrefix(c.name, "extension") {
			t.Errorf("%s: %+v, %v", c.name, v, ok)
		}
		p := newPair(t, 1, simnetIdeal)
		w := wireOf(p, 0)
		answers := w.deliverPacket(w.packet(0, appendTLV(nil, chunkHead(chunkInit, 0), c.body)))
		if (len(answers) == 1 && answers[0].typ == chunkInitAck) != c.ok {
			t.Errorf("%s: answers %+v", c.name, answers)
		}
	}
}

// CVE-2020-6514 (WebRTC with usrsctp): pointers leaked as addresses in the cookie. Ours has no addresses, is the same for the same secret
// and time, and any change of any byte makes it void.
func TestCVE_2020_6514_CookieWithoutAddresses(t *testing.T) {
	cookies := func() [][]byte {
		var list [][]byte
		for range 2 {
			p := newPair(t, 1, simnetIdeal)
			w := wireOf(p, 1)
			init := put32(put16(put16(put32(put32(nil, 7), 100_000), 10), 10), 1)
			answers := w.deliverPacket(w.packet(0, appendTLV(nil, chunkHead(chunkInit, 0), init)))
			v, ok := parseInit(answers[0].body)
			if !ok {
				t.Fatal("INIT ACK is damaged")
			}
			list = append(list, v.cookie)
			for i := range v.cookie {
				forged := bytes.Clone(v.cookie)
				forged[i] ^= 1
				if got := w.deliverPacket(w.packet(v.tag, appendTLV(nil, chunkHead(chunkCookieEcho, 0), forged))); len(got) > 0 {
					t.Fatalf("byte %d of the cookie may be changed", i)
				}
			}
			if got := w.deliverPacket(w.packet(v.tag, appendTLV(nil, chunkHead(chunkCookieEcho, 0), v.cookie))); len(got) != 1 || got[0].typ != chunkCookieAck {
				t.Fatalf("cookie is refused: %+v", got)
			}
		}
		return list
	}()
	if !bytes.Equal(cookies[0], cookies[1]) {
		t.Error("the cookie depends on more than secret and time")
	}
}

// CVE-2020-6831, CVE-2021-30523: AUTH, ASCONF and other extensions. They are unknown chunks: skipped, and reported where their type says so.
func TestCVE_2020_6831_ExtensionsAreUnknown(t *testing.T) {
	p, w := connected(t)
	for typ, want := range map[byte]bool{0x0f: false, 0x80: false, 0xc1: true, 0x40 | 0x0c: true} {
		answers := w.deliver(typ, 0, []byte{1, 2, 3, 4})
		if reported := len(answers) == 1 && answers[0].typ == chunkError && be16(answers[0].body) == uint16(causeUnrecognizedChunk); reported != want {
			t.Errorf("chunk %#x: %+v", typ, answers)
		}
	}
	// 00: "Stop processing this SCTP packet"; 10: "Skip this chunk and continue processing." (RFC 9260 section 3.2).
	next := p.end[0].received.base + 1
	data := appendTLV(nil, chunkHead(chunkData, flagB|flagE), dataBody(next, 0, 0, "x"))
	w.deliverPacket(w.packet(p.end[0].tag, appendTLV(nil, 0x0f00, nil), data))
	if p.end[0].received.base == next {
		t.Error("chunk after an unknown one of type 00 counts")
	}
	w.deliverPacket(w.packet(p.end[0].tag, appendTLV(nil, 0x8100, nil), data))
	if p.end[0].received.base != next {
		t.Error("chunk after an unknown one of type 10 does not count")
	}
}

// usrsctp#570, pion/sctp 2f67797, mediasoup#1891, pion 9475863: loops over lengths, bogus gap blocks, SACKs that were applied in part. A SACK
// of which anything is wrong changes nothing.
func TestUsrsctp570_BogusSackChangesNothing(t *testing.T) {
	p, w := connected(t)
	a := p.end[0]
	for i := range 8 {
		p.send(0, 0, body(uint64(i), 1100), reliable)
	}
	w.take()
	cum, last := a.sent.cum, a.sent.next-1
	bad := map[string][]byte{
		"short":                    sackBody(cum, 1000)[:11],
		"gaps without bytes":       put16(put16(put32(put32(nil, uint32(cum)), 1000), 65535), 0),
		"dups without bytes":       put16(put16(put32(put32(nil, uint32(cum)), 1000), 0), 65535),
		"bytes without gaps":       append(sackBody(cum, 1000), 0, 2, 0, 3),
		"cum never sent":           sackBody(last+1, 1000),
		"cum far ahead":            sackBody(last+1<<30, 1000),
		"gap never sent":           sackBody(cum, 1000, 2, 9),
		"gap from cum":             sackBody(cum, 1000, 0, 1),
		"gap of what cum lacks":    sackBody(cum, 1000, 1, 2),
		"gap backwards":            sackBody(cum, 1000, 5, 4),
		"gaps out of order":        sackBody(cum, 1000, 5, 6, 2, 3),
		"gaps overlap":             sackBody(cum, 1000, 2, 5, 5, 6),
		"good cum, then bad gap":   sackBody(cum+3, 1000, 2, 60000),
		"good gap, then a bad one": sackBody(cum+1, 1000, 3, 4, 4, 4),
	}
	for name, b := range bad {
		drops := a.stats.Drops.BadSack
		before := a.sent
		w.deliver(chunkSack, 0, b)
		if a.stats.Drops.BadSack != drops+1 || a.sent.cum != before.cum || a.sent.acked.n != 0 || a.sent.flight != before.flight || a.peerWindow == 1000 {
			t.Errorf("%s: was applied", name)
		}
	}
	w.deliver(chunkSack, 0, sackBody(cum-1, 1000))
	if a.stats.Drops.StaleSack != 1 || a.peerWindow == 1000 {
		t.Error("a stale SACK was applied")
	}
	w.deliver(chunkSack, 0, sackBody(cum+2, 1<<20, 2, 3))
	if a.sent.cum != cum+2 || a.sent.acked.n != 2 {
		t.Errorf("a good SACK was not applied: %+v", a.stats.Drops)
	}
}

// webrtc-rs/rtc#217: a receiver that dropped the tail of a burst for want of room and then made room must get it again.
func TestRTC217_DroppedTailComesAgain(t *testing.T) {
	cfg := Config{ReceiveBuffer: 64 << 10, MaxReceiveMessageSize: 32 << 10}
	for seed := range seeds(200) {
		p := newPair(t, seed, simnet.Config{Delay: 5 * time.Millisecond}, cfg)
		p.connect()
		p.consume = false
		p.end[0].cwnd.size = 1 << 20
		p.end[0].peerWindow = 1 << 20 // it believes in more than there is
		for i := range 200 {
			p.send(0, StreamID(i%3), body(uint64(i), 1000), reliable)
		}
		p.run(time.Duration(p.rng.IntN(2000)) * time.Millisecond)
		if p.end[1].stats.Drops.Window == 0 {
			p.fatalf("nothing was dropped")
		}
		held := p.got[1]
		p.got[1] = nil
		lost := p.rng.IntN(2) == 0 // the window update too
		p.onPacket = func(from int, b []byte) bool { l := lost && from == 1; lost = lost && !l; return !l }
		for _, e := range held {
			p.end[1].Consume(p.now, len(e.Data))
		}
		p.consume = true
		p.runUntil(20*time.Second, "all messages", func() bool { return len(p.got[1])+len(held) == 200 })
	}
}

// Nothing that is not consumed may grow beyond its bound, whatever a peer sends. The peer here knows the tag and does not respect the window
// (RFC 9260 section 6.2); what is kept is checked after each packet.
func TestHostilePeerCannotGrowMemory(t *testing.T) {
	for seed := range seeds(60) {
		p := newPair(t, seed, simnetIdeal, Config{ReceiveBuffer: 64 << 10, MaxReceiveMessageSize: 32 << 10})
		p.connect()
		a, w := p.end[0], wireOf(p, 0)
		aim := p.rng.IntN(5)
		for i := range 2000 {
			w.unchecked = i%50 != 0
			cum := a.received.base
			tsn, stream, ssn := cum+1+TSN(p.rng.IntN(5000)), p.rng.IntN(65536), p.rng.IntN(65536)
			flags := byte(p.rng.IntN(16))
			size := 1 + p.rng.IntN(1100)
			switch aim {
			case 0: // fill the buffer in order
				tsn, flags, ssn = cum+1, flagB|flagE|flagU, 0
			case 1: // hoard SSNs of one stream
				tsn, flags, stream, ssn, size = cum+1, flagB|flagE, 1, 1+p.rng.IntN(30000), 1
			case 2: // fragments that never become a message
				flags, tsn = flagU, cum+2+TSN(i)
			case 3: // gaps everywhere
				tsn, flags, size = cum+2+2*TSN(i), flagB|flagE, 1
			}
			w.deliver(chunkData, flags, dataBody(tsn, uint16(stream), uint16(ssn), strings.Repeat("x", size)))
			if p.rng.IntN(50) == 0 {
				w.deliver(chunkForwardTSN, 0, put16(put16(put32(nil, uint32(cum)+p.rng.Uint32N(100)), uint16(stream)), uint16(ssn)))
			}
			if a.ended {
				break
			}
		}
		if a.asm.charged > 2*a.cfg.ReceiveBuffer {
			p.fatalf("%d bytes kept", a.asm.charged)
		}
	}
}

// Promise: a message beyond MaxReceiveMessageSize ends the association, in order or not.
func TestTooLargeMessageAborts(t *testing.T) {
	for _, first := range []TSN{1, 2} {
		p, w := connected(t, Config{MaxReceiveMessageSize: 5000})
		a := p.end[0]
		base := a.received.base
		for i := range TSN(6) {
			flags := byte(0)
			if i == 0 {
				flags = flagB
			}
			w.deliver(chunkData, flags, dataBody(base+first+i, 0, 0, strings.Repeat("x", 1000)))
		}
		var err *AbortError
		if e, ok := a.PollEvent(); !ok || e.Kind != EventAborted || !errors.As(e.Err, &err) || err.Remote {
			t.Errorf("first %d: event %+v", first, e)
		}
	}
}

// Promise: a restart of the peer ends the association (RFC 9260 section 5.2.4 A, without its renewal), while a repeated INIT or COOKIE ECHO
// does nothing to it.
func TestRepeatedAndNewHandshakes(t *testing.T) {
	p := newPair(t, 1, simnetIdeal)
	var first [][]byte
	p.onPacket = func(from int, b []byte) bool {
		if from == 0 && (b[headerSize] == chunkInit || b[headerSize] == chunkCookieEcho) {
			first = append(first, bytes.Clone(b))
		}
		return true
	}
	p.connect()
	p.send(0, 0, body(0, 100), reliable)
	p.run(time.Second)
	for range 3 {
		for _, b := range first {
			p.end[1].HandlePacket(p.now, b)
			p.end[1].HandleBurstEnd(p.now)
		}
		p.run(time.Second)
	}
	p.send(0, 0, body(1, 100), reliable)
	p.send(1, 0, body(1, 100), reliable)
	p.run(time.Second)
	if !p.connected() || len(p.got[1]) != 2+1 || len(p.got[0]) != 1+2 { // messages and BufferedAmountLow
		t.Fatalf("states %v %v, events %d %d", p.end[0].State(), p.end[1].State(), len(p.got[0]), len(p.got[1]))
	}
	again, err := New(Config{Rand: testRand(5, 5)})
	if err != nil {
		t.Fatal(err)
	}
	p.end[0] = again
	again.Start(p.now, 0)
	p.run(100 * time.Millisecond)
	if last := p.got[1][len(p.got[1])-1]; last.Kind != EventAborted || again.State() != StateClosed {
		t.Errorf("after a restart: %+v, %v", last, again.State())
	}
}

// Section 8.5: "the endpoint MUST ensure that the value in the Verification Tag field of the received SCTP packet matches its own tag. If the
// received Verification Tag value does not match the receiver's own tag value, the receiver MUST silently discard the packet".
func TestVerificationTag(t *testing.T) {
	p, w := connected(t)
	a := p.end[0]
	for typ := range 256 {
		for _, tag := range []uint32{0, a.tag ^ 1, a.peerTag} {
			if got := w.deliverPacket(w.packet(tag, appendTLV(nil, chunkHead(byte(typ), 0), make([]byte, 16)))); len(got) > 0 && typ != chunkInit {
				t.Errorf("chunk %d with tag %x is answered by %+v", typ, tag, got)
			}
		}
	}
	for _, typ := range []byte{chunkAbort, chunkShutdownComplete} {
		w.deliverPacket(w.packet(a.tag, appendTLV(nil, chunkHead(typ, flagT), nil)))
	}
	if a.State() != StateEstablished {
		t.Fatalf("state %v", a.State())
	}
	b := w.packet(a.tag, appendTLV(nil, chunkHead(chunkAbort, 0), nil))
	binary.LittleEndian.PutUint32(b[8:], binary.LittleEndian.Uint32(b[8:])^1)
	w.deliverPacket(b)
	if a.State() != StateEstablished || a.stats.Drops.Checksum != 1 {
		t.Fatal("a packet with a wrong checksum counts")
	}
	w.deliverPacket(w.packet(a.peerTag, appendTLV(nil, chunkHead(chunkAbort, flagT), nil)))
	if a.State() != StateClosed {
		t.Error("ABORT with the T bit and the peer's tag does not count")
	}
}

// Section 6.2: "If an endpoint receives a DATA chunk with no user data (i.e., the Length field is set to 16), it SHOULD send an ABORT chunk
// with a "No User Data" error cause."
func TestDataWithoutUserDataAborts(t *testing.T) {
	p, w := connected(t)
	answers := w.deliver(chunkData, flagB|flagE, dataBody(p.end[0].received.base+1, 0, 0, ""))
	if len(answers) != 1 || answers[0].typ != chunkAbort || be16(answers[0].body) != uint16(causeNoUserData) {
		t.Errorf("answers %+v", answers)
	}
}

// Section 6.5: an invalid stream is acknowledged, reported, and its data dropped.
func TestInvalidStreamIsReported(t *testing.T) {
	p, w := connected(t, Config{MaxStreams: 10})
	answers := w.deliver(chunkData, flagB|flagE|flagI, dataBody(p.end[0].received.base+1, 10, 0, "x"))
	if len(answers) != 2 || answers[0].typ != chunkError || be16(answers[0].body) != uint16(causeInvalidStream) || answers[1].typ != chunkSack {
		t.Errorf("answers %+v", answers)
	}
	if _, ok := p.end[0].PollEvent(); ok {
		t.Error("its message was delivered")
	}
}

// Promise: the window of a SACK that another has overtaken is not heeded; where the peer may have left out blocks for want of room it is.
func TestWindowOfAnOvertakenSack(t *testing.T) {
	p, w := connected(t)
	a := p.end[0]
	for i := range 200 {
		p.send(0, 0, body(uint64(i), 20), reliable)
	}
	w.take()
	cum := a.sent.cum
	heeds := func(want uint32, sack []byte) {
		t.Helper()
		w.deliver(chunkSack, 0, sack)
		if a.peerWindow != int(want) {
			t.Errorf("the window is %d, not %d", a.peerWindow, want)
		}
	}
	heeds(30000, sackBody(cum, 30000, 2, 4))
	heeds(29000, sackBody(cum, 29000, 2, 4, 6, 7))
	heeds(29000, sackBody(cum, 30000, 2, 4))       // overtaken
	heeds(29000, sackBody(cum, 29500, 2, 3, 6, 7)) // the same, in the middle of a block
	heeds(0, sackBody(cum, 0, 2, 4, 6, 7))
	heeds(40000, sackBody(cum, 40000, 2, 4, 6, 7)) // taken by the application
	heeds(50000, sackBody(cum+4, 50000))           // newer, since cum moved: 6 and 7 were taken back
	heeds(50000, sackBody(cum+4, 60000))
	heeds(60000, sackBody(cum+7, 60000))
	cum += 7
	var many, other []uint16
	for i := range uint16(manyBlocks) {
		many, other = append(many, 2+2*i, 2+2*i), append(other, 3+2*i, 3+2*i)
	}
	heeds(59000, sackBody(cum, 59000, many...))
	heeds(58000, sackBody(cum, 58000, other...))
}

// Promise: a peer that takes back what its gap blocks said gets it again.
func TestRenegedChunksAreSentAgain(t *testing.T) {
	p, w := connected(t)
	a := p.end[0]
	for i := range 6 {
		p.send(0, 0, body(uint64(i), 1100), reliable)
	}
	w.take()
	cum := a.sent.cum
	w.deliver(chunkSack, 0, sackBody(cum, 1<<20, 2, 4))
	again := map[TSN]bool{}
	for _, c := range w.deliver(chunkSack, 0, sackBody(cum+1, 1<<20)) { // 2 to 4 were taken back
		if c.typ == chunkData {
			again[TSN(be32(c.body))] = true
		}
	}
	for i := TSN(2); i <= 4; i++ {
		if !again[cum+i] {
			t.Errorf("chunk %d was not sent again", i)
		}
	}
}
