package media

import (
	"bytes"
	"testing"
	"time"

	"github.com/pion/srtp/v3"

	"github.com/sansrtc/rtc/internal/simnet"
)

// What is sent arrives: once, unchanged, as the stream that was negotiated; with each of the protection profiles.
func TestTransfer(t *testing.T) {
	for _, profile := range []srtp.ProtectionProfile{
		srtp.ProtectionProfileAeadAes128Gcm, srtp.ProtectionProfileAeadAes256Gcm,
		srtp.ProtectionProfileAes128CmHmacSha1_80, srtp.ProtectionProfileAes128CmHmacSha1_32,
	} {
		p := newPair(t, 1, simnet.Config{Delay: 10 * time.Millisecond})
		for i, m := range p.end {
			if err := m.SetKeys(keys(profile, i)); err != nil {
				t.Fatal(err)
			}
			m.SetSections([]Section{audioSection("0"), videoSection("1")})
		}
		a := p.end[0].AddSender(audioEncoding("0", 1000))
		v := p.end[0].AddSender(videoEncoding("1", 2000, 2001))
		for n := range 300 {
			p.send(0, a, 65500+n, opus, 80)
			p.send(0, v, n, vp8, 1000)
			p.wait(20 * time.Millisecond)
		}
		p.wait(time.Second)
		want := map[StreamID]int{}
		for _, e := range p.events[1] {
			if e.Kind != EventStream {
				t.Fatalf("event %+v", e)
			}
			if (e.MID == "0") != (e.SSRC == 1000) || (e.MID == "1") != (e.SSRC == 2000) {
				t.Fatalf("event %+v", e)
			}
			want[e.Stream] = map[string]int{"0": 65500, "1": 0}[e.MID]
		}
		if len(p.got[1]) != 600 || len(want) != 2 {
			t.Fatalf("%d packets, %d streams", len(p.got[1]), len(want))
		}
		for _, g := range p.got[1] {
			n := want[g.stream]
			want[g.stream]++
			id := SenderID(g.header.SSRC / 1000)
			size := map[SenderID]int{a: 80, v: 1000}[id]
			if g.header.SequenceNumber != uint16(n) || g.header.Timestamp != uint32(n)*3000 || g.header.Marker != (n%3 == 0) ||
				!bytes.Equal(g.payload, payloadOf(uint32(id), n, size)) || g.repaired {
				t.Fatalf("packet %d came as %+v", n, g.header)
			}
		}
	}
}

// Every packet that is lost comes again, as a retransmission or as itself, unless it is lost a second's worth of times.
func TestRepair(t *testing.T) {
	for _, tc := range []struct {
		name string
		rtx  uint32
	}{{"RTX", 2001}, {"again", 0}} {
		t.Run(tc.name, func(t *testing.T) {
			for seed := range uint64(40) {
				path := simnet.Config{Delay: 15 * time.Millisecond, Jitter: 5 * time.Millisecond, Loss: 0.1}
				p := newPair(t, seed, path)
				for _, m := range p.end {
					m.SetSections([]Section{videoSection("v")})
				}
				v := p.end[0].AddSender(videoEncoding("v", 2000, tc.rtx))
				const packets = 500
				for n := range packets {
					p.send(0, v, 65000+n, vp8, 200+n)
					if n%5 == 4 {
						p.wait(10 * time.Millisecond)
					}
				}
				p.wait(2 * time.Second)
				seen := map[uint16]bool{}
				for _, g := range p.got[1] {
					if seen[g.header.SequenceNumber] {
						p.fatalf("packet %d came twice", g.header.SequenceNumber)
					}
					seen[g.header.SequenceNumber] = true
					n := 65000 + int(g.header.SequenceNumber-65000&0xffff)
					if !bytes.Equal(g.payload, payloadOf(uint32(v), n, 200+n-65000)) || g.header.PayloadType != vp8 || g.header.SSRC != 2000 ||
						g.header.Timestamp != uint32(n)*3000 || g.header.Marker != (n%3 == 0) {
						p.fatalf("packet %d came as %+v", n, g.header)
					}
				}
				// The last of all is not missed by anybody: nothing after it tells.
				first := 0
				for !seen[uint16(65000+first)] {
					first++
				}
				last := packets - 1
				for !seen[uint16(65000+last)] {
					last--
				}
				if first > 20 || last < packets-20 {
					p.fatalf("from %d to %d", first, last)
				}
				for n := first; n <= last; n++ {
					if !seen[uint16(65000+n)] {
						p.fatalf("packet %d never came: %+v", n, p.end[1].streams[0].counts)
					}
				}
				c, _ := p.end[1].StreamCounts(1)
				if c.Repaired == 0 && tc.rtx != 0 || c.Lost != 0 {
					p.fatalf("counts %+v", c)
				}
			}
		})
	}
}
