package dtls

import (
	"bytes"
	"testing"
	"time"

	"github.com/sansrtc/rtc/internal/simnet"
)

// FuzzWire gives bytes to each parser; what parses is made again and parses to the same.
func FuzzWire(f *testing.F) {
	f.Add(uint8(0), chromiumHello(1, [randomLen]byte{1}))
	f.Add(uint8(0), acceptableHello(nil))
	f.Add(uint8(1), (&serverHello{version: version12, suite: 0xc02b, extensions: helloExtensions{present: []uint16{extExtendedMasterSecret}}}).append(nil))
	f.Add(uint8(2), appendCertificate(nil, clientCert.Chain))
	f.Add(uint8(3), (&serverKeyExchange{params: appendServerParams(nil, groupX25519, make([]byte, 32)), scheme: 0x0403, signature: make([]byte, 70)}).append(nil))
	f.Add(uint8(4), (&certificateRequest{types: []byte{64, 1}, schemes: []uint16{0x0403}}).append(nil))
	f.Add(uint8(5), appendClientKeyExchange(nil, make([]byte, 65)))
	f.Add(uint8(6), appendSignature(nil, 0x0403, make([]byte, 70)))
	f.Add(uint8(7), []byte{0xfe, 0xff, 2, 1, 2})
	f.Add(uint8(8), handshakeRecord(typeClientHello, 0, acceptableHello(nil)))
	f.Fuzz(func(t *testing.T, parser uint8, b []byte) {
		same := func(again []byte) {
			if !bytes.Equal(again, b) {
				t.Fatalf("%x parses, and is made again as %x", b, again)
			}
		}
		switch parser % 9 {
		case 0:
			if h, ok := parseClientHello(b); ok {
				h2, ok := parseClientHello(h.append(nil))
				if !ok || !bytes.Equal(h.append(nil), h2.append(nil)) {
					t.Fatalf("%+v becomes %+v", h, h2)
				}
			}
		case 1:
			if h, ok := parseServerHello(b); ok {
				h2, ok := parseServerHello(h.append(nil))
				if !ok || !bytes.Equal(h.append(nil), h2.append(nil)) {
					t.Fatalf("%+v becomes %+v", h, h2)
				}
			}
		case 2:
			if chain, ok := parseCertificate(b); ok {
				same(appendCertificate(nil, chain))
				for _, der := range chain {
					_, _, _ = publicKeyOf(der)
				}
			}
		case 3:
			if k, ok := parseServerKeyExchange(b); ok {
				same(k.append(nil))
			}
		case 4:
			if r, ok := parseCertificateRequest(b); ok {
				if _, ok := parseCertificateRequest(r.append(nil)); !ok {
					t.Fatalf("%+v", r)
				}
			}
		case 5:
			if point, ok := parseClientKeyExchange(b); ok {
				same(appendClientKeyExchange(nil, point))
			}
		case 6:
			if scheme, sig, ok := parseSignature(b); ok {
				same(appendSignature(nil, scheme, sig))
			}
		case 7:
			parseHelloVerifyRequest(b)
		case 8:
			for rest := b; len(rest) > 0; {
				r, next, ok := parseRecord(rest)
				if !ok {
					break
				}
				if len(r.raw)+len(next) != len(rest) {
					t.Fatal("a record of another length")
				}
				rest = next
			}
		}
	})
}

// FuzzDatagrams gives anybody's bytes to an end at a point of its handshake. Nothing panics, check holds, and in the clear nothing ends
// the connection before its time.
func FuzzDatagrams(f *testing.F) {
	f.Add(uint8(0), uint8(1), handshakeRecord(typeClientHello, 0, acceptableHello(nil)))
	f.Add(uint8(2), uint8(0), handshakeRecord(typeServerHelloDone, 4, nil))
	f.Add(uint8(3), uint8(1), plainRecord(contentAlert, 3, []byte{2, 40}))
	f.Add(uint8(9), uint8(1), plainRecord(contentApplicationData, 3, []byte("x")))
	f.Add(uint8(10), uint8(0), append([]byte{0x2e, 0, 1, 0, 30}, make([]byte, 30)...))
	f.Add(uint8(17), uint8(1), spoofs()["fifteen ServerHellos of 1.3"])
	for stage := range uint8(24) {
		p := newPair(f, pairConfig{seed: 1, net: quick, version: fuzzVersion(stage / 8)})
		var last []byte
		p.log = func(_ int, b []byte) { last = bytes.Clone(b) }
		p.start()
		for range stage % 8 {
			p.step()
		}
		f.Add(stage, stage%2, last)
	}
	f.Fuzz(func(t *testing.T, stage, who uint8, b []byte) {
		p := newPair(t, pairConfig{seed: 1, net: quick, version: fuzzVersion(stage / 8)})
		p.start()
		for range stage % 8 {
			p.step()
		}
		c := p.ends[who%2]
		for len(b) > 0 { // the first byte of each piece is its length
			n := min(1+int(b[0])*4, len(b))
			c.HandleDatagram(p.now, bytes.Clone(b[1:n]))
			c.HandleDatagram(p.now, bytes.Clone(b))
			p.drain()
			b = b[n:]
		}
		if c.State() >= StateClosed {
			t.Fatalf("ended by bytes that nobody authenticated: %v", p.events)
		}
		p.settle()
	})
}

func fuzzVersion(n uint8) uint16 { return [...]uint16{Version12, Version13, anyVersion}[n%3] }

// FuzzOperations calls the methods of two ends in any order, with what they send to each other lost, doubled, changed or late.
func FuzzOperations(f *testing.F) {
	for version := range uint8(3) {
		f.Add(version, []byte{0, 1, 8, 8, 8, 8, 8, 2, 10, 12, 14, 8, 8})
		f.Add(version, []byte{0, 8, 8, 8, 8, 8, 8, 4, 5, 8, 12, 13, 8, 6, 8, 7})
		f.Add(version, []byte{1, 0, 16, 8, 24, 8, 32, 8, 40, 8, 8, 8, 8, 8, 9, 9, 9, 9, 9, 9})
		f.Add(version, []byte("1\xa4808+$08")) // a round-trip time that makes the flight's deadline one of the past
		f.Add(version, []byte{0, 1, 2, 3, 8, 8, 8, 8, 12, 13, 12 | 64, 13 | 64, 8, 8, 8, 12, 8, 8, 4 | 64, 5 | 64})
	}
	f.Fuzz(func(t *testing.T, version uint8, ops []byte) {
		p := newPair(t, pairConfig{seed: 3, net: quick, noFingerprints: true, version: fuzzVersion(version)})
		fps := [2][]Fingerprint{mustFingerprint(serverCert), mustFingerprint(clientCert)}
		n := byte(0)
		mode := byte(0)
		p.filter = func(from int, b []byte) []byte {
			n++
			switch mode {
			case 1:
				if n%2 == 0 {
					return nil
				}
			case 2:
				p.wire.Send(p.now, from, b)
			case 3:
				b[int(n)%len(b)] ^= n
			}
			return b
		}
		for _, op := range ops[:min(len(ops), 200)] {
			who := int(op & 1)
			c := p.ends[who]
			switch op >> 1 & 7 {
			case 0:
				c.Start(p.now)
			case 1:
				c.SetFingerprints(fps[who])
			case 2:
				c.SetRTT(time.Duration(op) * time.Millisecond)
				c.HoldTimer(p.now, op>>6 == 3)
				c.HandleTimeout(p.now) // a shorter timeout may be over already
			case 3:
				if op > 200 {
					c.Close(p.now)
				}
			case 4:
				p.step()
			case 5:
				if d := simnet.Earliest(p.wire.Next(), p.ends[0].PollTimeout(), p.ends[1].PollTimeout()); !d.IsZero() && d.After(p.now) {
					p.now = d
				}
				c.HandleTimeout(p.now)
			case 6:
				if c.State() == StateConnected {
					c.updateDue = c.updateDue || op >= 64 && c.Version() == Version13
					p.send(who, "data")
				}
			case 7:
				mode = op >> 4 & 3
			}
			p.drain()
		}
		for i := range p.ends {
			if len(p.data[i]) > 0 && (len(p.events[i]) == 0 || p.events[i][0].Type != EventConnected) {
				t.Fatal("data before EventConnected")
			}
			if k := len(p.events[i]); k > 2 || k == 2 && p.events[i][1].Type == EventConnected {
				t.Fatalf("events %v", p.events[i])
			}
		}
	})
}
