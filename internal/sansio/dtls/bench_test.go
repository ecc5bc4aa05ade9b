package dtls

import (
	"bytes"
	"fmt"
	"testing"
)

// connectedPair is two ends with suite that have nothing more to say.
func connectedPair(tb testing.TB, suite uint16) *pair {
	cert := Certificate{}
	if suiteByID(suite).rsa {
		cert = rsaCertificate(tb)
	}
	use := func(cfg *Config) {
		cfg.CipherSuites = []uint16{suite}
		if cert.Chain != nil {
			cfg.Certificate = cert
		}
	}
	pc := pairConfig{net: quick, client: use, server: use}
	if suiteByID(suite).tls13 {
		pc.version = Version13
	}
	p := newPair(tb, pc)
	p.start()
	p.wantConnected("")
	p.settle()
	return p
}

// carry seals a record of n bytes at one end and opens it at the other.
func carry(tb testing.TB, p *pair, buf []byte, n int) {
	head, tail := p.ends[0].Overhead()
	rec := p.ends[0].Seal(buf[:head+n], 0)
	if len(rec) != head+n+tail {
		tb.Fatalf("record of %d bytes", len(rec))
	}
	p.ends[1].HandleDatagram(p.now, rec)
	got, ok := p.ends[1].PollData()
	if !ok || len(got) != n {
		tb.Fatalf("got %d bytes, %v", len(got), ok)
	}
}

// TestNoAllocations: a record costs no allocation in steady state, of any suite.
func TestNoAllocations(t *testing.T) {
	for _, suite := range cipherSuites {
		p := connectedPair(t, suite.id)
		buf := make([]byte, 2048)
		carry(t, p, buf, 1200)
		if n := testing.AllocsPerRun(100, func() { carry(t, p, buf, 1200) }); n != 0 {
			t.Errorf("suite %#x: %v allocations for a record", suite.id, n)
		}
		dropped := make([]byte, 100)
		putRecordHeader(dropped, contentApplicationData, version12, epochProtected, 1<<40, 87)
		if n := testing.AllocsPerRun(100, func() { p.ends[1].HandleDatagram(p.now, dropped) }); n != 0 {
			t.Errorf("suite %#x: %v allocations for a forged record", suite.id, n)
		}
		forged := bytes.Repeat([]byte{0x2f}, 100)
		forged[3], forged[4] = 0, 95
		if n := testing.AllocsPerRun(100, func() { p.ends[1].HandleDatagram(p.now, forged) }); n != 0 {
			t.Errorf("suite %#x: %v allocations for a forged record of 1.3", suite.id, n)
		}
	}
}

// BenchmarkRecord seals and opens a record of 1200 bytes.
func BenchmarkRecord(b *testing.B) {
	for _, suite := range cipherSuites[:6] {
		b.Run(fmt.Sprintf("%#04x", suite.id), func(b *testing.B) {
			p := connectedPair(b, suite.id)
			buf := make([]byte, 2048)
			b.SetBytes(1200)
			b.ReportAllocs()
			for b.Loop() {
				carry(b, p, buf, 1200)
			}
		})
	}
}

// BenchmarkHandshake is both ends of a handshake, without a network.
func BenchmarkHandshake(b *testing.B) {
	for _, bc := range []struct {
		name    string
		version uint16
		client  func(*Config)
	}{
		{"1.2", Version12, nil},
		{"1.3", Version13, nil},
		{"any", anyVersion, nil},
		{"post-quantum", Version13, func(cfg *Config) { cfg.PostQuantum = true }},
	} {
		b.Run(bc.name, func(b *testing.B) {
			b.ReportAllocs()
			seed := uint64(0)
			for b.Loop() {
				seed++
				p := newPair(b, pairConfig{seed: seed, version: bc.version, client: bc.client})
				p.fast = true
				p.start()
				p.wantConnected("")
			}
		})
	}
}
