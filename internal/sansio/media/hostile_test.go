package media

import (
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"

	"github.com/sansrtc/rtc/internal/simnet"
)

// sealer protects packets as the peer of end 0 would.
func sealer(t testing.TB) *srtp.Context {
	k := keys(srtp.ProtectionProfileAeadAes128Gcm, 1)
	c, err := srtp.CreateContext(k.LocalKey, k.LocalSalt, srtp.ProtectionProfile(k.Profile))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Bytes of somebody without the keys have no effect.
func TestUnauthentic(t *testing.T) {
	p, _, _ := videoPair(t, simnet.Config{})
	m := p.end[1]
	p.got[1] = nil
	for i := range 2000 {
		b := make([]byte, 12+p.rng.IntN(60))
		for k := range b {
			b[k] = byte(p.rng.Uint32())
		}
		b[0] = 0x80 | b[0]&0x3f
		if i%2 == 0 {
			b[1] = 200 + b[1]%7
		} else {
			b[1] = vp8
		}
		p.receive(1, b)
		p.drain()
	}
	d := m.Stats().Drops
	if len(p.got[1]) > 0 || len(m.streams) != 1 || d.Protection+d.Replayed != 2000 {
		t.Fatalf("%d packets, %d streams, %+v", len(p.got[1]), len(m.streams), d)
	}
}

// A packet that is repeated is dropped, after more packets than most windows have too.
func TestReplay(t *testing.T) {
	p, v, _ := videoPair(t, simnet.Config{})
	var old []byte
	p.lose = func(from int, b []byte) bool {
		if from == 0 && old == nil && b[1]&127 == vp8 {
			old = append(old, b...)
		}
		return false
	}
	for n := range 1025 {
		p.send(0, v, 2+n, vp8, 10)
		p.wait(time.Millisecond)
	}
	n := len(p.got[1])
	p.receive(1, append([]byte(nil), old...))
	if len(p.got[1]) != n || p.end[1].Stats().Drops.Replayed != 1 {
		t.Fatalf("%+v", p.end[1].Stats().Drops)
	}
}

// A peer that invents sources gets as many streams as the machine allows.
func TestManySources(t *testing.T) {
	p := newPair(t, 1, simnet.Config{}, Config{MaxStreams: 50})
	m := p.end[0]
	m.SetSections([]Section{audioSection("a")})
	c := sealer(t)
	for ssrc := range uint32(1000) {
		b, err := (&rtp.Packet{Header: rtp.Header{Version: 2, SSRC: ssrc, PayloadType: opus}, Payload: []byte{1}}).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := c.EncryptRTP(nil, b, nil)
		if err != nil {
			t.Fatal(err)
		}
		p.receive(0, sealed)
	}
	m.check()
	if len(m.streams) != 50 || len(p.got[0]) != 50 || m.Stats().Drops.TooManyStreams != 950 {
		t.Fatalf("%d streams, %+v", len(m.streams), m.Stats().Drops)
	}
}

// Padding is taken off, and padding that is longer than its packet is refused.
func TestPadding(t *testing.T) {
	p := newPair(t, 1, simnet.Config{})
	m := p.end[0]
	m.SetSections([]Section{audioSection("a")})
	c := sealer(t)
	for i, tc := range []struct {
		payload []byte
		want    int // -1: dropped
	}{
		{[]byte{1, 2, 3, 0, 2}, 3}, {[]byte{1, 1}, 1}, {[]byte{2, 2}, 0}, {[]byte{1, 3}, -1}, {[]byte{1, 0}, -1}, {nil, -1},
	} {
		b, err := (&rtp.Packet{Header: rtp.Header{Version: 2, SSRC: 1, PayloadType: opus, SequenceNumber: uint16(i)}, Payload: tc.payload}).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		b[0] |= 0x20
		sealed, err := c.EncryptRTP(nil, b, nil)
		if err != nil {
			t.Fatal(err)
		}
		p.got[0] = nil
		p.receive(0, sealed)
		got := -1
		if len(p.got[0]) > 0 {
			got = len(p.got[0][0].payload)
		}
		if got != tc.want {
			t.Errorf("payload %x: %d bytes, want %d", tc.payload, got, tc.want)
		}
	}
}

// Before there are keys nothing leaves, nothing comes in, and nothing is kept.
func TestNoKeys(t *testing.T) {
	m, err := New(Config{Rand: testRand(1, 1), CNAME: "x"})
	if err != nil {
		t.Fatal(err)
	}
	m.SetSections([]Section{audioSection("a")})
	id := m.AddSender(audioEncoding("a", 1))
	if err := m.Send(testEpoch, id, &rtp.Header{Version: 2, PayloadType: opus}, []byte{1}); err != nil {
		t.Fatal(err)
	}
	if _, ok := m.HandleRTP(testEpoch, make([]byte, 50)); ok {
		t.Fatal("a packet")
	}
	if _, ok := m.HandleRTCP(testEpoch, make([]byte, 50)); ok {
		t.Fatal("a packet")
	}
	if _, ok := m.PollWrite(testEpoch, nil); ok || !m.PollTimeout().IsZero() || m.Stats().Drops.NoKeys != 2 || m.Stats().Queued != 0 {
		t.Fatalf("%+v", m.Stats())
	}
}

// FuzzRTP gives an authentic peer's bytes, whatever they are.
func FuzzRTP(f *testing.F) {
	b, _ := (&rtp.Packet{Header: rtp.Header{Version: 2, SSRC: 1, PayloadType: vp8, SequenceNumber: 5}, Payload: []byte{1, 2, 3}}).Marshal()
	f.Add(b)
	b, _ = (&rtp.Packet{Header: rtp.Header{Version: 2, SSRC: 2, PayloadType: rtx, SequenceNumber: 5}, Payload: []byte{0, 4, 3}}).Marshal()
	f.Add(b)
	h := rtp.Header{Version: 2, SSRC: 3, PayloadType: vp8}
	_ = h.SetExtension(extMID, []byte("v"))
	_ = h.SetExtension(extRID, []byte("q"))
	b, _ = (&rtp.Packet{Header: h, Payload: []byte{1}}).Marshal()
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		p := newPair(t, 1, simnet.Config{})
		m := p.end[0]
		simulcast := videoSection("s")
		simulcast.RIDs = []string{"q"}
		m.SetSections([]Section{audioSection("a"), videoSection("v"), simulcast})
		c := sealer(t)
		for len(b) > 12 { // the first byte of each packet is its length
			n := min(13+int(b[0]), len(b))
			plain := append([]byte(nil), b[1:n]...)
			b = b[n:]
			if len(plain) < 12 {
				break
			}
			plain[0] = plain[0]&0x3f | 0x80
			sealed, err := c.EncryptRTP(nil, plain, nil)
			if err != nil {
				continue
			}
			p.receive(0, sealed)
			p.drain()
			p.wait(time.Millisecond)
		}
	})
}

// FuzzRTCP gives an authentic peer's control packets, whatever they are.
func FuzzRTCP(f *testing.F) {
	f.Add([]byte{0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 7, 208})
	f.Add([]byte{0x81, 205, 0, 3, 0, 0, 0, 1, 0, 0, 7, 208, 0, 1, 255, 255})
	f.Add([]byte{0x8f, 205, 0, 5, 0, 0, 0, 1, 0, 0, 7, 208, 0, 0, 0, 2, 0, 0, 1, 0, 0x20, 2, 4, 4})
	f.Add([]byte{0x81, 203, 0, 1, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		p := newPair(t, 1, simnet.Config{})
		for _, m := range p.end {
			m.SetSections([]Section{audioSection("a"), videoSection("v")})
		}
		v := p.end[0].AddSender(videoEncoding("v", 2000, 2001))
		w := p.end[1].AddSender(videoEncoding("v", 1, 2))
		for n := range 50 {
			p.send(0, v, n, vp8, 10)
			p.send(1, w, n, vp8, 10)
		}
		p.wait(10 * time.Millisecond)
		sealed, err := p.end[1].tx.EncryptRTCP(nil, b, nil)
		if err != nil {
			return
		}
		p.receive(0, sealed)
		p.wait(2 * time.Second)
		if p.sent[0] > 1000 {
			t.Fatalf("%d packets left", p.sent[0])
		}
	})
}

// FuzzOperations calls the methods in any order, with packets lost between.
func FuzzOperations(f *testing.F) {
	f.Add([]byte("\x00\x00\x01\x01\x02\x03\x08\x10\x18\x20\x28\x30\x38\x40"))
	f.Add([]byte{0, 0, 0, 1, 1, 1, 2, 7, 9, 3, 0, 0, 0, 4, 7, 5, 0, 6, 0, 7, 8, 200, 201, 202})
	f.Fuzz(func(t *testing.T, ops []byte) {
		p := newPair(t, 2, simnet.Config{Delay: 3 * time.Millisecond}, Config{HistoryPackets: 32, MaxStreams: 4})
		sections := []Section{audioSection("a"), videoSection("v")}
		for _, m := range p.end {
			m.SetSections(sections)
		}
		n := 0
		var ids [2][]SenderID
		p.lose = func(int, []byte) bool { n++; return n%5 == 3 }
		for i, op := range ops[:min(len(ops), 300)] {
			end := i & 1
			m := p.end[end]
			var id SenderID
			if k := len(ids[end]); k > 0 {
				id = ids[end][int(op)%k]
			}
			switch op >> 4 {
			case 0, 1, 2, 3, 4:
				if id == 0 {
					ids[end] = append(ids[end], m.AddSender(videoEncoding("v", uint32(100*i), uint32(100*i+1))))
					break
				}
				h := rtp.Header{Version: 2, PayloadType: vp8, SequenceNumber: uint16(i) * uint16(op&3+1) * 97}
				if op&15 != 0 {
					h.SequenceNumber = uint16(n)
				}
				if err := m.Send(p.now, id, &h, ops[:i%100%len(ops)]); err != nil && err != ErrNoSender && err != ErrPayloadType {
					t.Fatal(err)
				}
			case 5:
				ids[end] = append(ids[end], m.AddSender(audioEncoding("a", uint32(100*i+5))))
			case 6:
				m.RemoveSender(p.now, id)
			case 7:
				m.NewSource(id)
			case 8:
				m.SetPacing(float64(op&15) * 10000)
			case 9:
				m.SetSections(sections[:op&3%3])
			case 10:
				m.SetSections(sections)
			case 11:
				m.RequestKeyframe(p.now, StreamID(op&7))
			case 12:
				m.SetRTT(time.Duration(op&15) * 10 * time.Millisecond)
			case 13:
				e := videoEncoding("v", 0, 0)
				e.Inactive = op&1 == 0
				m.UpdateSender(id, e)
			case 14:
				p.wait(time.Duration(op&15) * 50 * time.Millisecond)
			case 15:
				p.wait(time.Millisecond)
			}
			p.drain()
		}
	})
}
