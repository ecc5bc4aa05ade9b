package media

import (
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"

	"github.com/sansrtc/rtc/internal/simnet"
)

// A packet that is sent costs no memory, and neither does one that is received.
func TestAllocations(t *testing.T) {
	p := newPair(t, 1, simnet.Config{})
	for _, m := range p.end {
		m.SetSections([]Section{videoSection("v")})
	}
	v := p.end[0].AddSender(videoEncoding("v", 2000, 2001))
	send := sending(p, v)
	for range 5000 {
		send()
	}
	if n := testing.AllocsPerRun(2000, func() { send() }); n != 0 {
		t.Errorf("%v allocations for a packet sent", n)
	}
	through := func() {
		b := send()
		if _, ok := p.end[1].HandleRTP(p.now, b); !ok {
			t.Fatal("dropped")
		}
	}
	for range 5000 {
		through()
	}
	// Feedback and reports are due after a while; here no time goes by.
	if n := testing.AllocsPerRun(2000, through); n != 0 {
		t.Errorf("%v allocations for a packet sent and received", n)
	}
}

// sending returns what sends the next packet of 1200 bytes and gives it as it leaves.
func sending(p *pair, id SenderID) func() []byte {
	h := rtp.Header{Version: 2, PayloadType: vp8}
	payload := make([]byte, 1150)
	buf := make([]byte, 0, 2000)
	return func() []byte {
		h.SequenceNumber++
		if err := p.end[0].Send(p.now, id, &h, payload); err != nil {
			p.t.Fatal(err)
		}
		b, ok := p.end[0].PollWrite(p.now, buf)
		if !ok {
			p.t.Fatal("nothing to send")
		}
		return b
	}
}

func BenchmarkSend(b *testing.B) {
	for _, profile := range []srtp.ProtectionProfile{srtp.ProtectionProfileAeadAes128Gcm, srtp.ProtectionProfileAes128CmHmacSha1_80} {
		b.Run(profile.String(), func(b *testing.B) {
			p := newPair(b, 1, simnet.Config{})
			for i, m := range p.end {
				m.SetSections([]Section{videoSection("v")})
				if err := m.SetKeys(keys(profile, i)); err != nil {
					b.Fatal(err)
				}
			}
			send := sending(p, p.end[0].AddSender(videoEncoding("v", 2000, 2001)))
			b.ReportAllocs()
			for b.Loop() {
				send()
				p.now = p.now.Add(100 * time.Microsecond)
			}
		})
	}
}

func BenchmarkReceive(b *testing.B) {
	p := newPair(b, 1, simnet.Config{})
	for _, m := range p.end {
		m.SetSections([]Section{videoSection("v")})
	}
	send := sending(p, p.end[0].AddSender(videoEncoding("v", 2000, 2001)))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := p.end[1].HandleRTP(p.now, send()); !ok {
			b.Fatal("dropped")
		}
		p.now = p.now.Add(100 * time.Microsecond)
	}
}
