package media

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"

	"github.com/sansrtc/rtc/internal/simnet"
)

var testEpoch = time.Unix(1_800_000_000, 0)

// pair is two machines over a simulated wire, in virtual time.
type pair struct {
	t    testing.TB
	seed uint64
	end  [2]*Machine
	wire *simnet.Wire
	now  time.Time
	rng  *rand.Rand

	lose     func(from int, b []byte) bool // b as it is on the wire
	got      [2][]received
	events   [2][]Event
	rtcp     [2][][]byte
	results  [2][]PacketResult
	onPacket func(end int, p Packet) // instead of got
	sent     [2]int                  // datagrams
	nonces   map[string][]byte       // what was sealed under which number
}

type received struct {
	at       time.Time
	stream   StreamID
	header   rtp.Header
	payload  []byte
	repaired bool
}

func testRand(seed, stream uint64) *rand.ChaCha8 {
	var key [32]byte
	for i := range 8 {
		key[i], key[8+i] = byte(seed>>(8*i)), byte(stream>>(8*i))
	}
	return rand.NewChaCha8(key)
}

// keys are those of the end, 0 or 1, for a profile.
func keys(profile srtp.ProtectionProfile, end int) Keys {
	key, salt, _ := KeyLength(uint16(profile))
	k := [2][]byte{bytes.Repeat([]byte{1}, key), bytes.Repeat([]byte{2}, key)}
	s := [2][]byte{bytes.Repeat([]byte{3}, salt), bytes.Repeat([]byte{4}, salt)}
	return Keys{uint16(profile), k[end], s[end], k[1-end], s[1-end]}
}

func newPair(t testing.TB, seed uint64, path simnet.Config, cfg ...Config) *pair {
	p := &pair{
		t: t, seed: seed, wire: simnet.NewWire(seed, path), now: testEpoch, rng: rand.New(rand.NewPCG(seed, 7)),
		nonces: make(map[string][]byte),
	}
	for i := range p.end {
		var c Config
		if len(cfg) > 0 {
			c = cfg[min(i, len(cfg)-1)]
		}
		c.Rand, c.CNAME = testRand(seed, uint64(i)), fmt.Sprintf("end%d", i)
		m, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.SetKeys(keys(srtp.ProtectionProfileAeadAes128Gcm, i)); err != nil {
			t.Fatal(err)
		}
		p.end[i] = m
	}
	return p
}

func (p *pair) fatalf(format string, args ...any) {
	p.t.Helper()
	p.t.Fatalf("seed %d, %v: %s", p.seed, p.now.Sub(testEpoch), fmt.Sprintf(format, args...))
}

// drain takes what both ends have to give.
func (p *pair) drain() {
	for i, m := range p.end {
		m.check()
		for {
			b, ok := m.PollWrite(p.now, nil)
			m.check()
			if !ok {
				break
			}
			p.sent[i]++
			p.once(i, b)
			if p.lose == nil || !p.lose(i, b) {
				p.wire.Send(p.now, i, b)
			}
		}
		for e, ok := m.PollEvent(); ok; e, ok = m.PollEvent() {
			p.events[i] = append(p.events[i], e)
		}
		if at := m.PollTimeout(); !at.IsZero() && !at.After(p.now) {
			p.fatalf("end %d has a timeout at %v when it has given all", i, at.Sub(testEpoch))
		}
	}
}

// once: under one number of one source there is one packet.
func (p *pair) once(from int, b []byte) {
	if b[1] >= 192 && b[1] <= 223 {
		return
	}
	name := string(append([]byte{byte(from)}, append(bytes.Clone(b[8:12]), b[2], b[3])...))
	if old, ok := p.nonces[name]; ok && !bytes.Equal(old, b) {
		p.fatalf("two packets with the number %x", name)
	}
	p.nonces[name] = bytes.Clone(b)
}

func (p *pair) receive(to int, b []byte) {
	m := p.end[to]
	if b[1] >= 192 && b[1] <= 223 {
		if plain, ok := m.HandleRTCP(p.now, b); ok {
			p.rtcp[to] = append(p.rtcp[to], bytes.Clone(plain))
		}
		p.results[to] = append(p.results[to], m.PollResults()...)
		return
	}
	if got, ok := m.HandleRTP(p.now, b); ok && got.Stream != 0 {
		if p.onPacket != nil {
			p.onPacket(to, got)
			return
		}
		p.got[to] = append(p.got[to], received{p.now, got.Stream, got.Header.Clone(), bytes.Clone(got.Payload), got.Repaired})
	}
}

// run goes on until a time.
func (p *pair) run(until time.Time) {
	p.t.Helper()
	for {
		p.drain()
		next := simnet.Earliest(p.wire.Next(), p.end[0].PollTimeout(), p.end[1].PollTimeout())
		if next.IsZero() || next.After(until) {
			p.now = until
			return
		}
		if next.Before(p.now) {
			p.fatalf("time goes back")
		}
		p.now = next
		for to, b, ok := p.wire.Receive(p.now); ok; to, b, ok = p.wire.Receive(p.now) {
			p.receive(to, b)
		}
		for _, m := range p.end {
			if at := m.PollTimeout(); !at.IsZero() && !at.After(p.now) {
				m.HandleTimeout(p.now)
			}
		}
	}
}

func (p *pair) wait(d time.Duration) { p.run(p.now.Add(d)) }

// What the tests negotiate.
const (
	opus, vp8, rtx, h264        = 111, 96, 97, 102
	extMID, extRID, extRepaired = 1, 2, 3
	extTransportCC, extSendTime = 4, 5
	extOther                    = 9
)

var testExtensions = Extensions{MID: extMID, RID: extRID, RepairedRID: extRepaired, TransportCC: extTransportCC, AbsSendTime: extSendTime}

func audioSection(mid string) Section {
	return Section{
		MID: mid, Kind: Audio, Receiving: true, ReducedSize: true, Extensions: testExtensions,
		Codecs: []Codec{{PayloadType: opus, ClockRate: 48000}},
	}
}

func videoSection(mid string) Section {
	return Section{
		MID: mid, Kind: Video, Receiving: true, ReducedSize: true, Extensions: testExtensions,
		Codecs: []Codec{
			{PayloadType: vp8, ClockRate: 90000, NACK: true, PLI: true, FIR: true},
			{PayloadType: rtx, ClockRate: 90000, RTX: true, Of: vp8},
			{PayloadType: h264, ClockRate: 90000, NACK: true, PLI: true},
		},
	}
}

func audioEncoding(mid string, ssrc uint32) Encoding {
	return Encoding{Kind: Audio, MID: mid, SSRC: ssrc, Payloads: []Payload{{Type: opus, ClockRate: 48000}}, Extensions: testExtensions}
}

func videoEncoding(mid string, ssrc, rtxSSRC uint32) Encoding {
	return Encoding{
		Kind: Video, MID: mid, SSRC: ssrc, RTX: rtxSSRC, Extensions: testExtensions, Others: []uint8{extOther},
		Payloads: []Payload{{Type: vp8, ClockRate: 90000, NACK: true, RTXType: rtx}, {Type: h264, ClockRate: 90000, NACK: true}},
	}
}

// payloadOf is what packet n of a source carries.
func payloadOf(ssrc uint32, n, size int) []byte {
	b := make([]byte, size)
	rng := rand.New(rand.NewPCG(uint64(ssrc), uint64(n)))
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// send gives packet n of a source to an end.
func (p *pair) send(end int, id SenderID, n int, pt uint8, size int) {
	p.t.Helper()
	h := rtp.Header{Version: 2, PayloadType: pt, SequenceNumber: uint16(n), Timestamp: uint32(n) * 3000, SSRC: 1, Marker: n%3 == 0}
	if err := p.end[end].Send(p.now, id, &h, payloadOf(uint32(id), n, size)); err != nil {
		p.fatalf("packet %d: %v", n, err)
	}
}

// With each profile that DTLS may negotiate media and reports come through, and packets leave in runs of the length that they really have.
func TestProfiles(t *testing.T) {
	for _, profile := range []srtp.ProtectionProfile{
		srtp.ProtectionProfileAes128CmHmacSha1_80, srtp.ProtectionProfileAes128CmHmacSha1_32,
		srtp.ProtectionProfileAeadAes128Gcm, srtp.ProtectionProfileAeadAes256Gcm,
	} {
		p := newPair(t, 1, simnet.Config{})
		for i, m := range p.end {
			m.SetSections([]Section{videoSection("v")})
			if err := m.SetKeys(keys(profile, i)); err != nil {
				t.Fatal(err)
			}
		}
		v := p.end[0].AddSender(videoEncoding("v", 2000, 2001))
		for n := range 100 {
			for k := range 4 {
				p.send(0, v, 5*n+k, vp8, 500)
			}
			p.send(0, v, 5*n+4, vp8, 100)
			run, size, count := p.end[0].PollRun(p.now, make([]byte, 0, 10_000), 64)
			for len(run) > 0 && count > 0 {
				if b := run[:min(size, len(run))]; isRTCP(b) {
					p.receive(1, b)
				} else if got, ok := p.end[1].HandleRTP(p.now, b); !ok || len(got.Payload) != 500 && len(got.Payload) != 100 {
					t.Fatalf("%v: a segment of %d bytes is no packet", profile, len(b))
				}
				run = run[min(size, len(run)):]
			}
			p.wait(20 * time.Millisecond)
		}
		c, _ := p.end[0].SenderCounts(v)
		if c.Packets != 500 || c.Remote.At.IsZero() {
			t.Errorf("%v: %+v", profile, c)
		}
	}
	if (&Machine{}).SetKeys(Keys{Profile: 99}) != ErrProfile {
		t.Error("an unknown profile is taken")
	}
}

func isRTCP(b []byte) bool { return b[1] >= 192 && b[1] <= 223 }
