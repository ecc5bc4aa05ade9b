package sctp

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"testing"
)

// wireEnd speaks to one end of a pair in single chunks, in place of the other.
type wireEnd struct {
	p   *pair
	end int

	unchecked bool
}

type wireChunk struct {
	typ, flags byte
	tag        uint32
	body       []byte
}

func wireOf(p *pair, end int) wireEnd { return wireEnd{p: p, end: end} }

// packet makes a packet with a valid checksum.
func (w wireEnd) packet(tag uint32, chunks ...[]byte) []byte {
	a := w.p.end[w.end]
	b := appendHeader(nil, a.cfg.RemotePort, a.cfg.LocalPort, tag)
	for _, c := range chunks {
		b = append(b, c...)
	}
	seal(b)
	return b
}

// deliver hands in one chunk and returns all chunks that the end answers at once.
func (w wireEnd) deliver(typ, flags byte, body []byte) []wireChunk {
	return w.deliverPacket(w.packet(w.p.end[w.end].tag, appendTLV(nil, chunkHead(typ, flags), body)))
}

func (w wireEnd) deliverPacket(b []byte) []wireChunk {
	a := w.p.end[w.end]
	a.HandlePacket(w.p.now, b)
	a.HandleBurstEnd(w.p.now)
	return w.take()
}

func (w wireEnd) take() (chunks []wireChunk) {
	a := w.p.end[w.end]
	for b, ok := a.AppendPacket(w.p.now, nil); ok; b, ok = a.AppendPacket(w.p.now, nil) {
		if !checksumOK(b) && !(a.zeroChecksum && be32(b[8:]) == 0) || len(b) > a.cfg.MTU {
			w.p.fatalf("bad packet %x", b)
		}
		for rest := b[headerSize:]; len(rest) > 0; {
			head, body, next, ok := splitTLV(rest)
			if !ok {
				w.p.fatalf("bad chunk in %x", b)
			}
			chunks = append(chunks, wireChunk{byte(head >> 8), byte(head), be32(b[4:]), body})
			rest = next
		}
	}
	if !w.unchecked {
		a.check()
	}
	return chunks
}

// data makes the body of a DATA chunk.
func dataBody(tsn TSN, stream, ssn uint16, payload string) []byte {
	b := put16(put16(put32(nil, uint32(tsn)), stream), ssn)
	return append(put32(b, 53), payload...)
}

// sackBody makes the body of a SACK with gap blocks.
func sackBody(cum TSN, window uint32, gaps ...uint16) []byte {
	b := put16(put16(put32(put32(nil, uint32(cum)), window), uint16(len(gaps)/2)), 0)
	for _, g := range gaps {
		b = put16(b, g)
	}
	return b
}

// RFC 3720 appendix B.4: CRC32c of 32 zero bytes is aa 36 91 8a, as it goes on the wire.
func TestChecksumKnownAnswer(t *testing.T) {
	p := make([]byte, 32)
	seal(p)
	if got := hex.EncodeToString(p[8:12]); got != "aa36918a" {
		t.Errorf("CRC32c %s", got)
	}
	if !checksumOK(p) {
		t.Error("own checksum is refused")
	}
	p[20] ^= 1
	if checksumOK(p) {
		t.Error("damage is not seen")
	}
}

// The INIT that Chromium 156 puts into a=sctp-init is read as it was meant.
func TestParseInitOfChromium(t *testing.T) {
	b, err := base64.StdEncoding.DecodeString("AQAAHols3R0AUAAA/////+B5ZR3AAAAEgAgABoLA")
	if err != nil {
		t.Fatal(err)
	}
	_, body, _, ok := splitTLV(b)
	if !ok {
		t.Fatal("no chunk")
	}
	v, ok := parseInit(body)
	if !ok || v.tag != 0x896cdd1d || v.window != 5<<20 || v.outgoing != 65535 || v.incoming != 65535 || v.tsn != 0xe079651d || !v.forward || !v.reconfig {
		t.Errorf("%+v %v", v, ok)
	}
}

func TestSplitTLV(t *testing.T) {
	for _, c := range []struct {
		name, in    string
		value, rest string
		ok          bool
	}{
		{"empty", "", "", "", false},
		{"header only", "00010004", "", "", true},
		{"shorter than its header", "00010003", "", "", false},
		{"zero length", "0001000000000000", "", "", false},
		{"longer than the bytes", "00010005", "", "", false},
		{"padding is skipped", "00010005aa00000000020004", "aa", "00020004", true},
		{"the last may lack padding", "00010005aa", "aa", "", true},
	} {
		in, _ := hex.DecodeString(c.in)
		_, value, rest, ok := splitTLV(in)
		if ok != c.ok || hex.EncodeToString(value) != c.value || hex.EncodeToString(rest) != c.rest {
			t.Errorf("%s: %x %x %v", c.name, value, rest, ok)
		}
	}
}

func TestTSNSet(t *testing.T) {
	rng := testRand(1, 1)
	for range 300 {
		base := TSN(rng.Uint64())
		if rng.Uint64()%2 == 0 {
			base = 0xffffff00
		}
		var s tsnSet
		s.reset(base)
		member := map[TSN]bool{}
		for range 500 {
			u := base + 1 + TSN(rng.Uint64()%1000)
			switch rng.Uint64() % 8 {
			case 0:
				base += TSN(rng.Uint64() % 40)
				s.advance(base)
				for m := range member {
					if !base.Less(m) {
						delete(member, m)
					}
				}
			case 1:
				if member[u] && u != s.high {
					s.remove(u)
					delete(member, u)
				}
			default:
				if !member[u] {
					s.add(u)
					member[u] = true
				}
			}
			for !base.Less(u) {
				u += 64
			}
			if s.n != len(member) || s.has(u) != member[u] {
				t.Fatalf("base %d: %d members, want %d; has(%d) = %v", base, s.n, len(member), u, s.has(u))
			}
			next, missing := u, u
			for !s.high.Less(next) && !member[next] {
				next++
			}
			if s.high.Less(next) {
				next = s.nextMember(u) // checked by the loop
			}
			for member[missing] {
				missing++
			}
			if got := s.nextMember(u); got != next {
				t.Fatalf("nextMember(%d) = %d, want %d", u, got, next)
			}
			if got := s.nextMissing(u); s.high.Less(u) && got != u || !s.high.Less(u) && got != missing {
				t.Fatalf("nextMissing(%d) = %d, want %d", u, got, missing)
			}
		}
	}
}

// Promise: packets of bulk data are all equally large, so that they can be segments of one send call.
func TestBulkPacketsAreEqual(t *testing.T) {
	for _, size := range []int{1000, 1132, 16 << 10, 100_000} {
		p := newPair(t, 1, simnetIdeal)
		p.connect()
		a := p.end[0]
		a.cwnd.size = 1 << 20
		for i := range 40 {
			p.send(0, 0, body(uint64(i), size), reliable)
		}
		sizes := map[int]int{}
		for range 30 {
			b, ok := a.AppendPacket(p.now, nil)
			if !ok {
				t.Fatal("no packet")
			}
			sizes[len(b)]++
		}
		if len(sizes) != 1 {
			t.Errorf("messages of %d: packets %v", size, sizes)
		}
	}
}

// Promise: small messages share packets.
func TestSmallMessagesAreBundled(t *testing.T) {
	p := newPair(t, 1, simnetIdeal)
	p.connect()
	for i := range 100 {
		p.send(0, StreamID(i), body(uint64(i), 64), reliable)
	}
	before := p.end[0].Stats().PacketsSent
	p.run(0)
	if n := p.end[0].Stats().PacketsSent - before; n != 8 { // 14 in each
		t.Errorf("%d packets", n)
	}
	if len(p.got[1]) != 100 || !bytes.Equal(p.got[1][99].Data, body(99, 64)) {
		t.Errorf("%d messages", len(p.got[1]))
	}
}
