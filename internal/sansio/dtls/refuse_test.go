package dtls

import (
	"encoding/binary"
	"errors"
	"testing"
	"time"
)

// TestFinishedInTheClear: a Finished is believed in epoch 1 only. It would verify, but nothing says that the keys are the same.
func TestFinishedInTheClear(t *testing.T) {
	p := sabotage(t, func(c *Conn) { c.flight.items[4].out = &c.plain })
	p.run(func() bool { return p.now.Sub(epochStart) > time.Second })
	if s := p.ends[1]; s.hs.complete || s.Stats().DroppedUnexpected == 0 {
		t.Errorf("server is complete: %v, %+v", s.hs.complete, s.Stats())
	}
}

// TestPlaintextAfterHandshake: once complete, an end repeats its flight for nobody who cannot authenticate the request.
func TestPlaintextAfterHandshake(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		p := newPair(t, pairConfig{version: version, net: quick})
		p.start()
		p.wantConnected("")
		p.settle()
		sent := p.sent
		p.now = p.now.Add(time.Minute)
		for i, c := range p.ends {
			for seq := range uint16(10) {
				for _, typ := range []uint8{typeClientHello, typeCertificate, typeFinished, typeServerHelloDone} {
					c.HandleDatagram(p.now, handshakeRecord(typ, seq, make([]byte, 12)))
				}
			}
			if n := c.Stats().DroppedEpoch; n < 40 {
				t.Errorf("end %d counts %d", i, n)
			}
		}
		p.drain()
		if p.sent != sent {
			t.Errorf("sent %v, then %v", sent, p.sent)
		}
	})
}

// sabotageServer runs a handshake in which the server's flight 4 is changed before it leaves.
func sabotageServer(t *testing.T, change func(c *Conn)) *pair {
	p := newPair(t, pairConfig{net: quick})
	p.start()
	p.now = p.wire.Next()
	for to, b, ok := p.wire.Receive(p.now); ok; to, b, ok = p.wire.Receive(p.now) {
		p.ends[to].HandleDatagram(p.now, b)
	}
	change(p.ends[1])
	p.ends[1].flight.measure()
	p.drain()
	return p
}

// TestServerKeyExchangeRefused: a server that signs what a client cannot use gets the alert that says so.
func TestServerKeyExchangeRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		group  uint16
		point  []byte
		scheme uint16
		alert  Alert
	}{
		"unknown group":           {0x0019, make([]byte, 133), schemeECDSASHA256, AlertIllegalParameter},
		"point not on the curve":  {groupP256, append([]byte{4}, make([]byte, 64)...), schemeECDSASHA256, AlertIllegalParameter},
		"compressed point":        {groupP256, append([]byte{2}, make([]byte, 32)...), schemeECDSASHA256, AlertIllegalParameter},
		"X25519 of small order":   {groupX25519, make([]byte, 32), schemeECDSASHA256, AlertIllegalParameter},
		"short point":             {groupX25519, make([]byte, 31), schemeECDSASHA256, AlertIllegalParameter},
		"scheme of another key":   {groupX25519, make([]byte, 32), schemePSSSHA256, AlertIllegalParameter},
		"scheme that is unknown":  {groupX25519, make([]byte, 32), 0x0203, AlertIllegalParameter},
		"signature of other hash": {groupX25519, make([]byte, 32), schemeECDSASHA384, AlertDecryptError},
	} {
		p := sabotageServer(t, func(c *Conn) {
			k := serverKeyExchange{params: appendServerParams(nil, tc.group, tc.point), scheme: tc.scheme}
			signed := append(append(append([]byte{}, c.hs.clientRandom[:]...), c.hs.serverRandom[:]...), k.params...)
			k.signature, _ = schemeByID(schemeECDSASHA256).sign(c.cfg.Certificate.PrivateKey, nil, signed)
			c.flight.items[2].message = wholeMessage(typeServerKeyExchange, 2, k.append(nil))
		})
		var why *HandshakeError
		p.wantFailed(0, &why, name)
		if why.Alert != tc.alert {
			t.Errorf("%s: %v", name, why)
		}
	}
}

// TestCertificateOfAnotherKind: the cipher suite says which kind of key authenticates the server.
func TestCertificateOfAnotherKind(t *testing.T) {
	p := sabotageServer(t, func(c *Conn) {
		hello, _ := parseServerHello(c.flight.items[0].message[messageHeaderLen:])
		hello.suite = suiteECDHERSAAES128GCM
		c.flight.items[0].message = wholeMessage(typeServerHello, 0, hello.append(nil))
	})
	var why *HandshakeError
	p.wantFailed(0, &why, "RSA suite, ECDSA certificate")
	if why.Alert != AlertUnsupportedCertificate {
		t.Error(why)
	}
}

// TestNoCommonClientCertificate: a server that wants certificates of another kind, or no signature that we can make.
func TestNoCommonClientCertificate(t *testing.T) {
	for _, r := range []certificateRequest{
		{types: []byte{certificateTypeRSA}, schemes: []uint16{schemeECDSASHA256}},
		{types: []byte{certificateTypeECDSA}, schemes: []uint16{schemePSSSHA256, 0x0203}},
	} {
		p := sabotageServer(t, func(c *Conn) {
			c.flight.items[3].message = wholeMessage(typeCertificateRequest, 3, r.append(nil))
		})
		if err := p.wantFailed(0, nil, "no certificate of ours will do"); !errors.Is(err, ErrNoCertificate) {
			t.Error(err)
		}
	}
}

// TestRecordsThatCannotBe are dropped, each alone: what is behind it in the datagram counts.
func TestRecordsThatCannotBe(t *testing.T) {
	p := newPair(t, pairConfig{net: quick})
	p.start()
	p.wantConnected("")
	p.settle()
	c := p.ends[1]
	for name, change := range map[string]func(b []byte) []byte{
		"version of TLS":       func(b []byte) []byte { b[1], b[4] = 3, 1; return b },
		"version 1.0, epoch 1": func(b []byte) []byte { b[2], b[4] = 0xff, 1; return b },
		"no content":           func(b []byte) []byte { b[11], b[12] = 0, 0; return b[:recordHeaderLen] },
		"unknown type":         func(b []byte) []byte { b[0] = 27; return b },
	} {
		was := c.Stats()
		bad := change(plainRecord(contentHandshake, 1, make([]byte, 40)))
		good := p.ends[0].Seal(append(make([]byte, 21), name...), 0)
		c.HandleDatagram(p.now, append(bad, good...))
		p.drain()
		p.wantData(1, name, name)
		if n := c.Stats().DroppedMalformed - was.DroppedMalformed; n != 1 {
			t.Errorf("%s: %d counted", name, n)
		}
	}
	for epoch := range uint16(3) {
		b := plainRecord(contentApplicationData, 1<<20, make([]byte, 40))
		binary.BigEndian.PutUint16(b[3:], epoch+2)
		was := c.Stats().DroppedEpoch
		c.HandleDatagram(p.now, b)
		if c.Stats().DroppedEpoch != was+1 {
			t.Errorf("epoch %d", epoch+2)
		}
	}
	for n := range recordHeaderLen + 1 { // cut short, which ends the datagram
		was := c.Stats().DroppedMalformed
		c.HandleDatagram(p.now, plainRecord(contentApplicationData, 1, make([]byte, 1))[:n])
		if got := c.Stats().DroppedMalformed - was; got != min(uint64(n), 1) {
			t.Errorf("%d bytes of a record: %d counted", n, got)
		}
	}
}

func TestEmptyCertificate(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		for who := range 2 {
			p := newPair(t, pairConfig{version: version, net: quick})
			p.ends[who].cfg.Certificate.Chain = nil
			p.start()
			if err := p.wantFailed(1-who, nil, "peer has no certificate"); !errors.Is(err, ErrNoCertificate) {
				t.Error(err)
			}
		}
	})
}

// TestBadFinished: a Finished over another transcript is an authenticated contradiction and ends the handshake at once.
func TestBadFinished(t *testing.T) {
	p := sabotage(t, func(c *Conn) { c.flight.items[4].message[messageHeaderLen] ^= 1 })
	var why *HandshakeError
	p.wantFailed(1, &why, "client's Finished is wrong")
	if why.Alert != AlertDecryptError {
		t.Error(why)
	}
	if d := p.now.Sub(epochStart); d != 30*time.Millisecond {
		t.Errorf("failed after %v", d)
	}
}
