package dtls

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
)

// spoofs are what somebody who sees nothing of the handshake can send with the peer's address.
func spoofs() map[string][]byte {
	hello := func(first byte, seq uint16) []byte {
		return handshakeRecord(typeClientHello, seq, acceptableHello(func(h *clientHello) { h.random[0] = first }))
	}
	verify := func(cookie string, seq uint16) []byte {
		w := cryptobyte.NewBuilder(nil)
		w.AddUint16(version10)
		addVector8(w, []byte(cookie))
		return handshakeRecord(typeHelloVerifyRequest, seq, w.BytesOrPanic())
	}
	serverHello := serverHello{version: version12, suite: suiteECDHEECDSAAES128GCM, extensions: helloExtensions{present: []uint16{extExtendedMasterSecret}}}
	p256 := append([]byte{4}, bytes.Repeat([]byte{1}, 64)...)
	keyExchange := serverKeyExchange{params: appendServerParams(nil, groupX25519, p256[1:33]), scheme: schemeECDSASHA256, signature: make([]byte, 70)}
	request := certificateRequest{types: []byte{certificateTypeECDSA}, schemes: []uint16{schemeECDSASHA256}}
	certificate := appendCertificate(nil, mustGenerate(9).Chain)
	var server13, client13, retry []byte
	share := keyShare{groupP256, p256Point()}
	for i := range byte(maxOpenings - 1) {
		h := answer13(serverChoice{suite: suiteByID(suiteAES128GCM)})
		h.random[0] = i
		h.extensions.shares = []keyShare{share}
		server13 = append(server13, handshakeRecord(typeServerHello, uint16(i%2), h.append(nil))...)
		client13 = append(client13, handshakeRecord(typeClientHello, 0, acceptableHello13(func(h *clientHello) { h.random[0] = 50 + i }))...)
		copy(h.random[:], retryRandom)
		h.extensions.present = append(h.extensions.present, extCookie)
		h.extensions.shares[0], h.extensions.cookie = keyShare{group: groupP384}, []byte{i}
		retry = append(retry, handshakeRecord(typeServerHello, uint16(i%4), h.append(nil))...)
	}
	sealed13 := append([]byte{0x2e, 1, 2, 0, 60}, make([]byte, 60)...)
	all := map[string][]byte{
		"fifteen ServerHellos of 1.3":          server13,
		"ServerHello of 1.3":                   server13[:len(server13)/(maxOpenings-1)],
		"fifteen ClientHellos of 1.3":          client13,
		"ClientHello of 1.3":                   client13[:len(client13)/(maxOpenings-1)],
		"HelloRetryRequest":                    retry[:len(retry)/(maxOpenings-1)],
		"fifteen HelloRetryRequests":           retry,
		"HelloRetryRequest and ServerHellos":   append(bytes.Clone(retry[:len(retry)/(maxOpenings-1)]), server13...),
		"sealed records of 1.3":                bytes.Repeat(append(sealed13, append([]byte{0x2f}, sealed13[1:]...)...), 5),
		"ACK in the clear":                     plainRecord(contentACK, 1, appendACK(nil, []recordNumber{{0, 0}, {2, 0}, {2, 1}})),
		"ClientHello":                          hello(1, 0),
		"ClientHello after a cookie":           hello(2, 1),
		"ClientHello after three cookies":      hello(3, 3),
		"fifteen ClientHellos":                 nil,
		"HelloVerifyRequest":                   verify("a", 0),
		"three HelloVerifyRequests":            append(append(verify("a", 0), verify("b", 1)...), verify("c", 2)...),
		"ServerHello":                          handshakeRecord(typeServerHello, 0, serverHello.append(nil)),
		"ServerHello behind a cookie":          append(verify("a", 0), handshakeRecord(typeServerHello, 1, serverHello.append(nil))...),
		"server's Certificate":                 handshakeRecord(typeCertificate, 1, certificate),
		"ServerHello and Certificate":          append(handshakeRecord(typeServerHello, 0, serverHello.append(nil)), handshakeRecord(typeCertificate, 1, certificate)...),
		"ServerKeyExchange":                    handshakeRecord(typeServerKeyExchange, 2, keyExchange.append(nil)),
		"CertificateRequest":                   handshakeRecord(typeCertificateRequest, 3, request.append(nil)),
		"CertificateRequest, ServerHelloDone":  append(handshakeRecord(typeCertificateRequest, 3, request.append(nil)), handshakeRecord(typeServerHelloDone, 4, nil)...),
		"ServerHelloDone":                      handshakeRecord(typeServerHelloDone, 4, nil),
		"ClientKeyExchange":                    handshakeRecord(typeClientKeyExchange, 2, appendClientKeyExchange(nil, p256[1:33])),
		"ClientKeyExchange of another group":   handshakeRecord(typeClientKeyExchange, 2, appendClientKeyExchange(nil, p256)),
		"CertificateVerify":                    handshakeRecord(typeCertificateVerify, 3, appendSignature(nil, schemeECDSASHA256, make([]byte, 70))),
		"CertificateVerify of another kind":    handshakeRecord(typeCertificateVerify, 3, appendSignature(nil, schemePSSSHA256, make([]byte, 256))),
		"fatal alert":                          plainRecord(contentAlert, 1, []byte{alertFatal, byte(AlertHandshakeFailure)}),
		"close_notify":                         plainRecord(contentAlert, 1, []byte{alertWarning, byte(AlertCloseNotify)}),
		"ChangeCipherSpec":                     plainRecord(contentChangeCipherSpec, 1, []byte{1}),
		"Finished in the clear":                handshakeRecord(typeFinished, 4, make([]byte, verifyDataLen)),
		"Finished that nobody can open":        nil,
		"Certificate with many messages ahead": nil,
	}
	for i := range byte(maxOpenings - 1) {
		all["fifteen ClientHellos"] = append(all["fifteen ClientHellos"], hello(100+i, uint16(i%4))...)
	}
	sealed := handshakeRecord(typeFinished, 4, make([]byte, 48))
	sealed[4] = 1
	all["Finished that nobody can open"] = sealed
	for seq := range uint16(maxAhead) {
		b := handshakeRecord(typeCertificate, 1+seq, certificate)
		all["Certificate with many messages ahead"] = append(all["Certificate with many messages ahead"], b...)
	}
	return all
}

// p256Point is somebody's share.
func p256Point() []byte {
	s, err := newShare13(seeded(99), groupP256)
	if err != nil {
		panic(err)
	}
	return s.public()
}

// TestSpoofs: whatever one datagram of somebody who only knows the addresses says, to whichever end and at whichever point of the handshake,
// both ends connect to each other, and no transmission more is needed. When the server's first flight is lost as well, one is.
func TestSpoofs(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		for name, spoof := range spoofs() {
			for n := range 48 {
				who, lose, point := n&1, n>>1&1, n>>2 // before the client starts, then every 5 ms
				p := newPair(t, pairConfig{version: version, seed: 1, net: quick})
				where := fmt.Sprintf("%s to end %d at point %d, lost: %d", name, who, point, lose)
				inject := func() {
					p.ends[who].HandleDatagram(p.now, bytes.Clone(spoof))
					p.drain()
				}
				p.ends[1].Start(p.now)
				if point == 0 {
					inject()
				}
				p.filter = func(from int, b []byte) []byte {
					if from == 1 && p.now != epochStart && lose > 0 {
						lose--
						return nil
					}
					return b
				}
				limit := 50*time.Millisecond + time.Duration(lose)*minRTO
				p.start()
				if point > 0 {
					p.runTo(p.now.Add(time.Duration(point-1) * 5 * time.Millisecond))
					inject()
				}
				p.wantConnected(where)
				if took := p.now.Sub(epochStart); took > limit {
					t.Errorf("%s: connected after %v", where, took)
				}
				p.settle()
				p.send(0, "from the client")
				p.send(1, "from the server")
				p.settle()
				p.wantData(1, where, "from the client")
				p.wantData(0, where, "from the server")
			}
		}
	})
}

// TestForgedFlightIsJudgedOnce: a whole flight with a signature that does not verify costs its verification once, and its place is free again.
func TestForgedFlightIsJudgedOnce(t *testing.T) {
	p := newPair(t, pairConfig{seed: 1, net: quick})
	all := spoofs()
	c := p.ends[1]
	c.Start(p.now)
	for _, name := range []string{"ClientHello", "server's Certificate", "ClientKeyExchange", "CertificateVerify"} {
		c.HandleDatagram(p.now, all[name])
	}
	for range 10 {
		c.HandleDatagram(p.now, all["fatal alert"])
		p.drain()
	}
	if n := c.Stats().MessagesRefused; n != 1 {
		t.Errorf("%d messages refused, want the CertificateVerify", n)
	}
	if _, ok := c.in.whole(1); ok {
		t.Error("the forged Certificate is kept")
	}
}

// TestSpoofsBeforeTheClient: everything of them at once, long before the true client begins, ends nothing either.
func TestSpoofsBeforeTheClient(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		p := newPair(t, pairConfig{version: version, seed: 1, net: quick})
		p.ends[1].Start(p.now)
		all := spoofs()
		delete(all, "fifteen ClientHellos")
		delete(all, "fifteen ClientHellos of 1.3")
		for range 3 {
			for _, spoof := range all {
				p.ends[1].HandleDatagram(p.now, bytes.Clone(spoof))
				p.drain()
			}
		}
		p.runTo(p.now.Add(20 * time.Second))
		begin := p.now
		p.ends[0].Start(p.now)
		p.drain()
		p.wantConnected("a late client")
		if d := p.now.Sub(begin); d > 400*time.Millisecond {
			t.Errorf("connected after %v", d)
		}
	})
}

// TestOpeningsAreBounded: a server answers so many ClientHellos and no more, and repeats itself at the pace of its timer however often they come.
func TestOpeningsAreBounded(t *testing.T) {
	p := newPair(t, pairConfig{seed: 1, net: quick})
	c := p.ends[1]
	c.Start(p.now)
	for range 10 {
		for i := range byte(100) {
			c.HandleDatagram(p.now, handshakeRecord(typeClientHello, uint16(i%4), acceptableHello(func(h *clientHello) { h.random[1] = i })))
			p.drain()
		}
	}
	if p.sent[1] != maxOpenings || len(c.opening.all) != maxOpenings {
		t.Errorf("%d ClientHellos got %d datagrams", len(c.opening.all), p.sent[1])
	}
	for range 100 {
		p.now = p.now.Add(time.Millisecond)
		for i := range byte(100) {
			c.HandleDatagram(p.now, handshakeRecord(typeClientHello, uint16(i%4), acceptableHello(func(h *clientHello) { h.random[1] = i })))
			p.drain()
		}
	}
	if most := maxOpenings * 4; p.sent[1] > most {
		t.Errorf("%d datagrams in 100 ms, at most %d are due", p.sent[1], most)
	}
}

// TestForgedDataAsksOnce: sealed bytes of anybody's make a server that waits for the client's flight ask for it once in a round trip, not more.
func TestForgedDataAsksOnce(t *testing.T) {
	p := newPair(t, pairConfig{seed: 1, net: quick, version: Version13})
	p.filter = func(from int, b []byte) []byte {
		if from == 0 && p.ends[0].hs.complete {
			return nil
		}
		return b
	}
	p.start()
	p.run(func() bool { return p.ends[0].hs.complete })
	p.run(func() bool { return p.wire.InFlight() == 0 })
	was := p.sent[1]
	for range 200 {
		p.ends[1].HandleDatagram(p.now, append([]byte{0x2f, 1, 2, 0, 60}, make([]byte, 60)...))
		p.drain()
	}
	if n := p.sent[1] - was; n != 1 {
		t.Errorf("%d datagrams for 200", n)
	}
}
