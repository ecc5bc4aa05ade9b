package dtls

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sansrtc/rtc/internal/simnet"
)

var quick = simnet.Config{Delay: 10 * time.Millisecond}

// plainRecord is a record as anybody could forge it.
func plainRecord(typ uint8, seq uint64, content []byte) []byte {
	b := make([]byte, recordHeaderLen)
	putRecordHeader(b, typ, version12, epochPlain, seq, len(content))
	return append(b, content...)
}

func handshakeRecord(typ uint8, seq uint16, body []byte) []byte {
	return plainRecord(contentHandshake, 1000+uint64(seq), wholeMessage(typ, seq, body))
}

func wholeMessage(typ uint8, seq uint16, body []byte) []byte {
	h := messageHeader{typ: typ, length: len(body), seq: seq, fragmentLength: len(body)}
	b := make([]byte, messageHeaderLen)
	h.put(b)
	return append(b, body...)
}

// acceptableHello is a ClientHello that a server takes.
func acceptableHello(change func(*clientHello)) []byte {
	h := clientHello{
		version: version12, suites: []uint16{suiteECDHEECDSAAES128GCM}, compressions: []byte{compressionNull},
		extensions: helloExtensions{
			present: []uint16{extExtendedMasterSecret, extSupportedGroups, extSignatureAlgorithms},
			groups:  []uint16{groupX25519}, schemes: []uint16{schemeECDSASHA256},
		},
	}
	if change != nil {
		change(&h)
	}
	return h.append(nil)
}

// acceptableHello13 is one of 1.3.
func acceptableHello13(change func(*clientHello)) []byte {
	return acceptableHello(func(h *clientHello) {
		h.suites = []uint16{suiteAES128GCM}
		e := &h.extensions
		e.present = append(e.present, extSupportedVersions, extKeyShare)
		e.versions = []uint16{version13}
		e.groups = []uint16{groupX25519, groupP256, groupP384}
		e.shares = []keyShare{{groupP256, p256Point()}}
		if change != nil {
			change(h)
		}
	})
}

// TestCVE_2023_49786_CVE_2023_51443: somebody's unacceptable ClientHello before the true one ended the call in Asterisk and FreeSWITCH.
func TestCVE_2023_49786_CVE_2023_51443(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		bad := [][]byte{
			acceptableHello(func(h *clientHello) { h.suites = []uint16{0x0000} }),
			acceptableHello(func(h *clientHello) { h.version = version10 }),
			acceptableHello(func(h *clientHello) { h.extensions.groups = []uint16{1} }),
			acceptableHello(func(h *clientHello) { h.extensions.present = nil }),
			acceptableHello(nil)[:40],
			{},
		}
		p := newPair(t, pairConfig{version: version, net: quick})
		p.ends[1].Start(p.now)
		for i := range 20 * len(bad) {
			p.now = p.now.Add(200 * time.Millisecond)
			p.ends[1].HandleDatagram(p.now, handshakeRecord(typeClientHello, 0, bad[i%len(bad)]))
			p.ends[1].HandleTimeout(p.now)
			p.drain()
		}
		if p.sent[1] != 0 || p.ends[1].Stats().MessagesRefused != uint64(20*len(bad)) {
			t.Errorf("server sent %d datagrams, refused %d", p.sent[1], p.ends[1].Stats().MessagesRefused)
		}
		p.start()
		p.wantConnected("the true ClientHello comes at last")
	})
}

// TestCVE_2023_49786_Alerts: alerts in the clear end nothing, before, during and after the handshake, in both roles.
func TestCVE_2023_49786_Alerts(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		p := newPair(t, pairConfig{version: version, net: quick})
		forge := func() {
			for i, c := range p.ends {
				for _, a := range []Alert{AlertHandshakeFailure, AlertCloseNotify, AlertInternalError} {
					for level := range byte(4) {
						c.HandleDatagram(p.now, plainRecord(contentAlert, 9, []byte{level, byte(a)}))
					}
				}
				if c.State() >= StateClosed {
					t.Fatalf("end %d is %v with %v", i, c.State(), p.events[i])
				}
			}
		}
		forge()
		p.start()
		for !p.connected() {
			forge()
			if !p.step() {
				t.Fatal("not connected")
			}
		}
		forge()
		p.settle()
		p.send(0, "still here")
		p.settle()
		p.wantData(1, "after forged alerts", "still here")
	})
}

// TestPlaintextAlertExplainsTimeout: an alert in the clear does not end a handshake, but its timeout tells of it.
func TestPlaintextAlertExplainsTimeout(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		p := newPair(t, pairConfig{version: version, net: simnet.Config{Down: true}})
		p.start()
		p.ends[0].HandleDatagram(p.now, plainRecord(contentAlert, 0, []byte{alertFatal, byte(AlertHandshakeFailure)}))
		var timeout *TimeoutError
		p.wantFailed(0, &timeout, "no answer")
		if !timeout.HasAlert || timeout.Alert != AlertHandshakeFailure || p.now.Sub(epochStart) != 30*time.Second {
			t.Errorf("after %v: %v", p.now.Sub(epochStart), timeout)
		}
		if err := p.wantFailed(1, &timeout, "no ClientHello"); timeout.HasAlert || timeout.Refused != nil {
			t.Error(err)
		}
	})
}

// TestCVE_2021_28681_GHSA_qwfw_ggxw_577c: a data channel was usable after a failed certificate check, or there was no check in the client's
// role. Whoever finds the wrong fingerprint fails, delivers nothing, exports nothing, and tells the other, whether the signalling comes
// before or after the handshake.
func TestCVE_2021_28681_GHSA_qwfw_ggxw_577c(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		wrong := mustFingerprint(mustGenerate(3))
		for who := range 2 {
			for _, late := range []bool{false, true} {
				p := newPair(t, pairConfig{version: version, net: quick, noFingerprints: true})
				other := 1 - who
				p.ends[other].SetFingerprints(mustFingerprint([2]Certificate{clientCert, serverCert}[who]))
				if !late {
					p.ends[who].SetFingerprints(wrong)
				}
				where := fmt.Sprintf("end %d, late %v", who, late)
				p.start()
				if late {
					p.run(func() bool { return p.ends[who].hs.complete && p.ends[other].State() == StateConnected })
					p.send(other, "unwanted")
					p.run(func() bool { return p.wire.InFlight() == 0 })
					if p.ends[who].State() != StateConnecting || len(p.ends[who].held.records) != 1 {
						t.Fatalf("%s: is %v, holds %d", where, p.ends[who].State(), len(p.ends[who].held.records))
					}
					p.ends[who].SetFingerprints(wrong)
					p.drain()
				}
				var mismatch *FingerprintError
				p.wantFailed(who, &mismatch, where)
				if _, err := p.ends[who].ExportKeyingMaterial("EXTRACTOR-dtls_srtp", nil, 56); !errors.Is(err, ErrNotConnected) {
					t.Errorf("%s: export gives %v", where, err)
				}
				var alert *AlertError
				p.wantFailed(other, &alert, where+": other end")
				if alert.Alert != AlertBadCertificate {
					t.Errorf("%s: told %v", where, alert.Alert)
				}
				p.settle()
				p.wantData(who, where)
				if len(p.events[who]) != 1 {
					t.Errorf("%s: events %v", where, p.events[who])
				}
			}
		}
	})
}

// TestFingerprints: one match is enough, unsupported algorithms match nothing, and no fingerprint at all means nobody.
func TestFingerprints(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		good := mustFingerprint(serverCert)[0]
		sha384, _ := FingerprintOf(serverCert.Chain[0], "SHA-384")
		wrong := mustFingerprint(clientCert)[0]
		for _, tc := range []struct {
			fps []Fingerprint
			ok  bool
		}{
			{[]Fingerprint{good}, true},
			{[]Fingerprint{sha384}, true},
			{[]Fingerprint{wrong, {"sha-1", make([]byte, 20)}, good}, true},
			{[]Fingerprint{wrong}, false},
			{[]Fingerprint{{"sha-1", make([]byte, 20)}}, false},
			{[]Fingerprint{{"sha-256", nil}}, false},
			{[]Fingerprint{{"sha-256", good.Value[:31]}}, false},
			{[]Fingerprint{}, false},
			{nil, false},
		} {
			p := newPair(t, pairConfig{version: version, net: quick, noFingerprints: true})
			p.ends[1].SetFingerprints(mustFingerprint(clientCert))
			p.ends[0].SetFingerprints(tc.fps)
			p.start()
			p.settle()
			if ok := len(p.events[0]) > 0 && p.events[0][0].Type == EventConnected; ok != tc.ok {
				t.Errorf("%v: %v", tc.fps, p.events[0])
			}
		}
	})
}

// TestFingerprintTiming: the handshake may finish before the signalling has brought the fingerprint, however late it is. Data that came
// meanwhile is held, a bounded amount of it, and delivered in order afterwards.
func TestFingerprintTiming(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		p := newPair(t, pairConfig{version: version, net: quick, noFingerprints: true})
		p.ends[0].SetFingerprints(mustFingerprint(serverCert))
		p.start()
		p.run(func() bool { return p.ends[0].State() == StateConnected })
		var want []string
		for i := range maxHeldRecords + 5 {
			msg := fmt.Sprintf("message %d", i)
			p.send(0, msg)
			if i < maxHeldRecords {
				want = append(want, msg)
			}
		}
		p.settle()
		p.now = p.now.Add(time.Hour)
		p.ends[1].HandleTimeout(p.now)
		p.drain()
		p.wantData(1, "before the fingerprint")
		if p.ends[1].State() != StateConnecting {
			t.Fatalf("server is %v", p.ends[1].State())
		}
		p.ends[1].SetFingerprints(mustFingerprint(clientCert))
		p.drain()
		p.wantData(1, "after the fingerprint", want...)
		if n := p.ends[1].Stats().DroppedOverflow; n != 5 {
			t.Errorf("%d dropped over the limit, want 5", n)
		}
	})
}

// sabotage runs a handshake in which the client's flight 5 is changed before it leaves.
func sabotage(t *testing.T, change func(c *Conn)) *pair {
	p := newPair(t, pairConfig{net: quick})
	p.start()
	for p.ends[0].hs.expect != typeFinished {
		now := simnet.Earliest(p.wire.Next())
		p.now = now
		for to, b, ok := p.wire.Receive(now); ok; to, b, ok = p.wire.Receive(now) {
			p.ends[to].HandleDatagram(now, b)
			if to == 0 && p.ends[0].hs.expect == typeFinished {
				change(p.ends[0])
				p.ends[0].flight.measure()
			}
			p.drain()
		}
	}
	return p
}

// TestCVE_2022_29222: a client that shows a certificate without a CertificateVerify, and so without owning its key, was let in.
func TestCVE_2022_29222(t *testing.T) {
	p := sabotage(t, func(c *Conn) {
		items := c.flight.items
		verify := items[2].message
		if verify[0] != typeCertificateVerify {
			t.Fatal("flight 5 has another order")
		}
		messages := c.hs.transcript.messages
		messages = messages[:len(messages)-len(verify)-len(items[4].message)]
		c.hs.transcript.messages = messages
		c.flight.items = items[:2]
		c.hs.sendSeq -= 2
		c.addFinished()
	})
	var timeout *TimeoutError
	p.wantFailed(1, &timeout, "no CertificateVerify")
	if c := p.ends[1]; c.hs.complete || c.write != nil || c.Stats().DataIn != 0 {
		t.Error("the server has keys without a CertificateVerify")
	}
}

// TestClientWithAnothersCertificate: a CertificateVerify by another key than the certificate's lets nobody in.
func TestClientWithAnothersCertificate(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		p := newPair(t, pairConfig{version: version, net: quick})
		p.ends[0].cfg.Certificate.PrivateKey = mustGenerate(3).PrivateKey
		p.start()
		var why *HandshakeError
		p.wantFailed(1, &why, "client signs with another key")
		if !errors.Is(why, errBadSignature) || why.Alert != AlertDecryptError || p.ends[1].hs.complete {
			t.Error(why)
		}
	})
}

// TestServerWithAnothersCertificate: the same for the signature of ServerKeyExchange.
func TestServerWithAnothersCertificate(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		p := newPair(t, pairConfig{version: version, net: quick})
		p.ends[1].cfg.Certificate.PrivateKey = mustGenerate(3).PrivateKey
		p.start()
		var why *HandshakeError
		p.wantFailed(0, &why, "server signs with another key")
		if !errors.Is(why, errBadSignature) {
			t.Error(why)
		}
		if d := p.now.Sub(epochStart); d > 4*time.Second {
			t.Errorf("known after %v only", d)
		}
	})
}

// TestCVE_2019_20786: application data in the clear was accepted.
func TestCVE_2019_20786(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		p := newPair(t, pairConfig{version: version, net: quick})
		forge := func() {
			for _, c := range p.ends {
				c.HandleDatagram(p.now, plainRecord(contentApplicationData, 77, []byte("in the clear")))
			}
		}
		p.start()
		forge()
		p.wantConnected("data in the clear")
		forge()
		p.settle()
		p.wantData(0, "data in the clear")
		p.wantData(1, "data in the clear")
		if n := p.ends[0].Stats().DroppedPlaintextData; n != 2 {
			t.Errorf("%d dropped, want 2", n)
		}
	})
}

// TestCVE_2022_29189: fragments of ever new messages, that never become whole, were all buffered.
func TestCVE_2022_29189(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		p := newPair(t, pairConfig{version: version, net: quick})
		c := p.ends[1]
		for i := range 5000 {
			for _, length := range []int{100, maxMessage, maxMessage + 1, 1<<24 - 1} {
				h := messageHeader{typ: typeClientHello, length: length, seq: uint16(i), fragmentOffset: i % 100, fragmentLength: 1}
				b := make([]byte, messageHeaderLen+1)
				h.put(b)
				c.HandleDatagram(p.now, plainRecord(contentHandshake, uint64(i), b))
				c.HandleDatagram(p.now, func() []byte { // and records of epoch 1 before there are keys
					r := plainRecord(contentHandshake, uint64(i), make([]byte, 1000))
					r[4] = 1
					return r
				}())
				c.check()
			}
		}
		held := c.in.aheadBytes() + c.opening.hellos.aheadBytes() + c.early.bytes
		if held > 2*maxAheadBytes+maxHeldBytes || c.Stats().DroppedOverflow == 0 {
			t.Errorf("holds %d bytes, %+v", held, c.Stats())
		}
		p.start()
		p.wantConnected("after the flood")
	})
}

// TestCVE_2022_29190: fragments of no length made an endless loop. They bring nothing and are dropped, unless the message has no length.
func TestCVE_2022_29190(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		p := newPair(t, pairConfig{version: version, net: quick})
		h := messageHeader{typ: typeClientHello, length: 100}
		fragments := make([]byte, 0, 12000)
		for range 1000 {
			b := make([]byte, messageHeaderLen)
			h.put(b)
			fragments = append(fragments, b...)
		}
		p.ends[1].HandleDatagram(p.now, plainRecord(contentHandshake, 0, fragments))
		p.ends[1].check()
		if s := p.ends[1].Stats(); s.DroppedMalformed != 1000 || p.ends[1].opening.hellos.slots != nil {
			t.Errorf("%+v", s)
		}
		p.start()
		p.wantConnected("after fragments of no length")
	})
}

// TestCVE_2026_26014: random explicit nonces of AES-GCM collide. Ours are the epoch and sequence number, in all records.
func TestCVE_2026_26014(t *testing.T) {
	p := newPair(t, pairConfig{net: quick})
	seen := map[[8]byte]bool{}
	look := func(from int, b []byte) []byte {
		for rest := b; len(rest) > 0; {
			r, next, ok := parseRecord(rest)
			if !ok {
				t.Fatal("we sent a malformed record")
			}
			if rest = next; r.epoch == epochPlain || from == 1 {
				continue
			}
			nonce := [8]byte(r.payload()[:8])
			if binary.BigEndian.Uint64(nonce[:]) != uint64(r.epoch)<<48|r.seq || seen[nonce] {
				t.Fatalf("nonce %x of record %d, seen before: %v", nonce, r.seq, seen[nonce])
			}
			seen[nonce] = true
		}
		return b
	}
	p.filter = look
	p.start()
	p.wantConnected("")
	for range 100 {
		look(0, p.ends[0].Seal(make([]byte, 21+10), 0))
	}
	p.ends[0].Close(p.now)
	p.drain()
	if len(seen) != 102 {
		t.Errorf("%d records, want Finished, 100 and close_notify", len(seen))
	}
}

// TestCVE_2026_54908: a ServerKeyExchange cut short caused a panic. Here each message of each plaintext flight comes cut, at each length,
// before it comes whole: it is refused, or replaced while it waits, and the handshake goes on with the true one.
func TestCVE_2026_54908(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		for n, longest := 0, 1; n < longest; n++ {
			p := newPair(t, pairConfig{version: version, net: quick})
			p.filter = func(from int, b []byte) []byte {
				for rest := b; len(rest) > 0; {
					r, next, _ := parseRecord(rest)
					rest = next
					if r.typ != contentHandshake || r.epoch != epochPlain {
						continue
					}
					h, body, _, _ := parseMessageHeader(r.payload())
					longest = max(longest, len(body))
					if n < len(body) {
						p.ends[1-from].HandleDatagram(p.now, handshakeRecord(h.typ, h.seq, body[:n]))
						p.ends[1-from].check()
					}
				}
				return b
			}
			p.start()
			p.wantConnected(fmt.Sprintf("messages cut to %d bytes come first", n))
		}
	})
}

// TestDTLSAmplification: before a whole ClientHello there is no answer, so an address costs its owner's attacker more than it gets.
func TestDTLSAmplification(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		p := newPair(t, pairConfig{version: version, net: quick})
		p.ends[1].Start(p.now)
		hello := wholeMessage(typeClientHello, 0, acceptableHello(nil))
		h, body, _, _ := parseMessageHeader(hello)
		for i := range len(body) - 1 {
			h.fragmentOffset, h.fragmentLength = i, 1
			b := make([]byte, messageHeaderLen)
			h.put(b)
			p.ends[1].HandleDatagram(p.now, plainRecord(contentHandshake, uint64(i), append(b, body[i])))
			p.drain()
		}
		for p.step() {
		}
		if p.sent[1] != 0 {
			t.Errorf("server sent %d datagrams", p.sent[1])
		}
	})
}

// TestRenegotiation: a second handshake is refused with a warning, and the connection goes on.
func TestRenegotiation(t *testing.T) {
	p := newPair(t, pairConfig{net: quick})
	p.start()
	p.wantConnected("")
	p.settle()
	hello := p.ends[0].appendRecord(nil, p.ends[0].write, contentHandshake, wholeMessage(typeClientHello, 4, acceptableHello(nil)))
	p.ends[1].HandleDatagram(p.now, hello)
	request := p.ends[1].appendRecord(nil, p.ends[1].write, contentHandshake, wholeMessage(typeHelloRequest, 7, nil))
	p.ends[0].HandleDatagram(p.now, request)
	sent := p.sent
	p.drain()
	if p.sent != [2]int{sent[0] + 1, sent[1] + 1} {
		t.Errorf("sent %v, then %v: each was to be answered with one alert", sent, p.sent)
	}
	p.settle()
	if !p.connected() {
		t.Fatalf("states %v and %v", p.ends[0].State(), p.ends[1].State())
	}
	p.send(0, "go on")
	p.settle()
	p.wantData(1, "after the attempts", "go on")
}

// TestReplay: each record is delivered once, however often it comes, and a record that was changed is dropped without a trace.
func TestReplay(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		p := newPair(t, pairConfig{version: version, net: quick})
		p.start()
		p.wantConnected("")
		p.settle()
		rec := p.seal(0, "once")
		for i := range rec {
			changed := bytes.Clone(rec)
			changed[i] ^= 0x40
			p.ends[1].HandleDatagram(p.now, changed)
			p.drain()
		}
		p.wantData(1, "changed records")
		for range 3 {
			p.ends[1].HandleDatagram(p.now, bytes.Clone(rec))
			p.drain()
		}
		p.wantData(1, "the record and two replays", "once")
		if s := p.ends[1].Stats(); s.DroppedReplay != 2 {
			t.Errorf("%+v", s)
		}
	})
}

// TestClientHelloRetransmission: a ClientHello that is sent again says the same (werift sent a new cookie each time), in new records.
func TestClientHelloRetransmission(t *testing.T) {
	p := newPair(t, pairConfig{net: simnet.Config{Down: true}})
	var hellos [][]byte
	var at []time.Duration
	p.log = func(from int, b []byte) {
		hellos = append(hellos, b)
		at = append(at, p.now.Sub(epochStart))
	}
	p.start()
	p.settle()
	for i, b := range hellos {
		if r, _, _ := parseRecord(b); r.seq != uint64(i) || r.version != version10 || !bytes.Equal(b[recordHeaderLen:], hellos[0][recordHeaderLen:]) {
			t.Errorf("transmission %d has sequence number %d, equal: %v", i, r.seq, bytes.Equal(b[recordHeaderLen:], hellos[0][recordHeaderLen:]))
		}
	}
	want := []time.Duration{0, 50, 150, 350, 750, 1550, 3150, 6150, 9150, 12150, 15150, 18150, 21150, 24150, 27150}
	if len(at) != len(want) {
		t.Fatalf("sent at %v", at)
	}
	for i := range want {
		if at[i] != want[i]*time.Millisecond {
			t.Errorf("sent at %v, want %v ms", at, want)
			break
		}
	}
}
