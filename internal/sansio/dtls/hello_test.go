package dtls

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
)

// The tests' own writer, so that it does not err with the package's.
func addVector8(w *cryptobyte.Builder, b []byte) {
	w.AddUint8LengthPrefixed(func(w *cryptobyte.Builder) { w.AddBytes(b) })
}

func addList16(w *cryptobyte.Builder, list []uint16) {
	w.AddUint16LengthPrefixed(func(w *cryptobyte.Builder) {
		for _, v := range list {
			w.AddUint16(v)
		}
	})
}

// chromiumHello is a ClientHello as Chromium 156 makes it by default: DTLS 1.3 with a post-quantum key share beside 1.2, 1413 bytes with the
// handshake header; the order of extensions is another each time.
func chromiumHello(seed uint64, random [randomLen]byte) []byte {
	rng := rand.New(rand.NewPCG(seed, 4))
	fill := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
	list := func(values ...uint16) func(*cryptobyte.Builder) {
		return func(w *cryptobyte.Builder) { addList16(w, values) }
	}
	type extension struct {
		typ  uint16
		body func(*cryptobyte.Builder)
	}
	const x25519MLKEM768 = 0x11ec
	extensions := []extension{
		{extExtendedMasterSecret, func(*cryptobyte.Builder) {}},
		{extRenegotiationInfo, func(w *cryptobyte.Builder) { addVector8(w, nil) }},
		{extSupportedGroups, list(x25519MLKEM768, groupX25519, groupP256, groupP384)},
		{extECPointFormats, func(w *cryptobyte.Builder) { addVector8(w, []byte{pointUncompressed}) }},
		{extSignatureAlgorithms, list(0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601, 0x0201)},
		{extUseSRTP, func(w *cryptobyte.Builder) { addList16(w, []uint16{1, 8, 7}); addVector8(w, nil) }},
		{extSupportedVersions, func(w *cryptobyte.Builder) { addVector8(w, []byte{0xfe, 0xfc, 0xfe, 0xfd}) }},
		{45, func(w *cryptobyte.Builder) { addVector8(w, []byte{1}) }}, // psk_key_exchange_modes
		{51, func(w *cryptobyte.Builder) { // key_share
			w.AddUint16LengthPrefixed(func(w *cryptobyte.Builder) {
				w.AddUint16(x25519MLKEM768)
				w.AddUint16LengthPrefixed(func(w *cryptobyte.Builder) { w.AddBytes(fill(1216)) })
				w.AddUint16(groupX25519)
				w.AddUint16LengthPrefixed(func(w *cryptobyte.Builder) { w.AddBytes(fill(32)) })
			})
		}},
	}
	rng.Shuffle(len(extensions), func(i, j int) { extensions[i], extensions[j] = extensions[j], extensions[i] })
	w := cryptobyte.NewBuilder(nil)
	w.AddUint16(version12)
	w.AddBytes(random[:])
	addVector8(w, nil)
	addVector8(w, nil)
	addList16(w, []uint16{0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xcca9, 0xcca8, 0xc009, 0xc013, 0xc00a, 0xc014, 0x009c, 0x002f, 0x0035})
	addVector8(w, []byte{compressionNull})
	w.AddUint16LengthPrefixed(func(w *cryptobyte.Builder) {
		for _, e := range extensions {
			w.AddUint16(e.typ)
			w.AddUint16LengthPrefixed(e.body)
		}
	})
	return w.BytesOrPanic()
}

// startChromium makes the client of p say what Chromium says.
func startChromium(t *testing.T, p *pair, seed uint64) {
	c := p.ends[0]
	c.Start(p.now)
	body := chromiumHello(seed, c.hs.clientRandom)
	hello, ok := parseClientHello(body)
	if !ok {
		t.Fatal("Chromium's ClientHello does not parse")
	}
	c.hs.hello = &hello
	c.hs.sendSeq, c.hs.transcript = 0, transcript{}
	c.flight.begin(p.now)
	c.flight.wantsAnswer = true
	c.addMessage(&c.plain, typeClientHello, func(b []byte) []byte { return append(b, body...) })
	c.opening = new(openings)
	c.open(nil, 0)
	p.drain()
}

// TestChromiumHello: a ClientHello of two datagrams, that prefers DTLS 1.3 and names groups, suites and extensions that we do not know, is
// answered with 1.2, in whatever order its datagrams come and however often.
func TestChromiumHello(t *testing.T) {
	for seed := range uint64(50) {
		p := newPair(t, pairConfig{seed: seed, net: quick})
		var sizes []int
		var held []byte
		p.filter = func(from int, b []byte) []byte {
			if from == 0 {
				if sizes = append(sizes, len(b)); len(sizes) == 1 && seed%2 == 1 { // the second comes first
					held = b
					return nil
				}
				if len(sizes) == 2 && held != nil {
					p.wire.Send(p.now, 0, b)
					return held
				}
			}
			return b
		}
		startChromium(t, p, seed)
		p.wantConnected(fmt.Sprintf("seed %d", seed))
		if sizes[0] != 1200 || sizes[1] < 200 || sizes[1] > 300 {
			t.Errorf("datagrams of %d bytes", sizes)
		}
		if got, _ := p.ends[0].SRTPProfile(); got != SRTPAEADAES128GCM {
			t.Errorf("SRTP profile %#x", got)
		}
		if got := p.ends[1].CipherSuite(); got != suiteECDHEECDSAAES128GCM {
			t.Errorf("cipher suite %#x", got)
		}
	}
}

// TestChromiumHelloFragments: the fragments of retransmissions are cut elsewhere, are in new records, and come in any order, mixed.
func TestChromiumHelloFragments(t *testing.T) {
	hello := wholeMessage(typeClientHello, 0, chromiumHello(1, [randomLen]byte{9}))
	h, body, _, _ := parseMessageHeader(hello)
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 3))
		var datagrams [][]byte
		seq := uint64(0)
		for range 1 + rng.IntN(4) {
			size := 50 + rng.IntN(1150)
			for at := 0; at < len(body); at += size {
				h.fragmentOffset, h.fragmentLength = at, min(size, len(body)-at)
				b := make([]byte, messageHeaderLen)
				h.put(b)
				datagrams = append(datagrams, plainRecord(contentHandshake, seq, append(b, body[at:at+h.fragmentLength]...)))
				seq++
			}
		}
		rng.Shuffle(len(datagrams), func(i, j int) { datagrams[i], datagrams[j] = datagrams[j], datagrams[i] })
		p := newPair(t, pairConfig{seed: seed, net: quick})
		for _, b := range datagrams {
			p.ends[1].HandleDatagram(p.now, b)
			p.drain()
		}
		if p.sent[1] != 1 || p.ends[1].Stats().FragmentsConflicting != 0 {
			t.Fatalf("seed %d: server sent %d datagrams, %+v", seed, p.sent[1], p.ends[1].Stats())
		}
	}
}

// errAny stands for an error that has no name.
var errAny = errors.New("any error")

// TestChoose: what a server takes and refuses.
func TestChoose(t *testing.T) {
	rsaCert := rsaCertificate(t)
	for _, tc := range []struct {
		name   string
		change func(*clientHello)
		server func(*Config)
		want   error // nil: accepted
		suite  uint16
		group  uint16
	}{
		{name: "minimal", suite: suiteECDHEECDSAAES128GCM, group: groupX25519},
		{name: "unknown signature schemes and groups are passed over", change: func(h *clientHello) {
			h.extensions.schemes = []uint16{0x0904, 0xfefe, 0x0403}
			h.extensions.groups = []uint16{0x11ec, 0x6a6a, groupP384}
		}, suite: suiteECDHEECDSAAES128GCM, group: groupP384},
		{name: "no supported_groups means P-256", change: func(h *clientHello) {
			h.extensions.present = []uint16{extExtendedMasterSecret, extSignatureAlgorithms}
		}, suite: suiteECDHEECDSAAES128GCM, group: groupP256},
		{name: "server's order of suites", change: func(h *clientHello) {
			h.suites = []uint16{suiteECDHEECDSAChaCha20, suiteECDHEECDSAAES256GCM}
		}, suite: suiteECDHEECDSAAES256GCM, group: groupX25519},
		{name: "only 1.3", change: func(h *clientHello) {
			h.extensions.present = append(h.extensions.present, extSupportedVersions)
			h.extensions.versions = []uint16{version13}
		}, want: ErrVersion},
		{name: "only 1.0", change: func(h *clientHello) { h.version = version10 }, want: ErrVersion},
		{name: "no extended master secret", change: func(h *clientHello) {
			h.extensions.present = []uint16{extSupportedGroups, extSignatureAlgorithms}
		}, want: ErrNoExtendedMasterSecret},
		{name: "no signature_algorithms means SHA-1", change: func(h *clientHello) {
			h.extensions.present = []uint16{extExtendedMasterSecret, extSupportedGroups}
		}, want: ErrNothingInCommon},
		{name: "RSA suites for an ECDSA certificate", change: func(h *clientHello) {
			h.suites = []uint16{suiteECDHERSAAES128GCM}
		}, want: ErrNothingInCommon},
		{name: "ECDSA suites for an RSA certificate", server: func(cfg *Config) { cfg.Certificate = rsaCert },
			change: func(h *clientHello) { h.extensions.schemes = []uint16{schemePKCS1SHA256} }, want: ErrNothingInCommon},
		{name: "RSA", server: func(cfg *Config) { cfg.Certificate = rsaCert }, change: func(h *clientHello) {
			h.suites = []uint16{suiteECDHERSAAES128GCM, suiteECDHEECDSAAES128GCM}
			h.extensions.schemes = []uint16{schemeECDSASHA256, schemePSSSHA256}
		}, suite: suiteECDHERSAAES128GCM, group: groupX25519},
		{name: "compressed points only", change: func(h *clientHello) {
			h.extensions.present = append(h.extensions.present, extECPointFormats)
			h.extensions.pointFormats = []byte{1}
		}, want: errAny},
		{name: "compression only", change: func(h *clientHello) { h.compressions = []byte{1} }, want: errAny},
		{name: "renegotiation", change: func(h *clientHello) {
			h.extensions.present = append(h.extensions.present, extRenegotiationInfo)
			h.extensions.renegotiated = make([]byte, 12)
		}, want: ErrRenegotiation},
	} {
		p := newPair(t, pairConfig{net: quick, server: tc.server})
		c := p.ends[1]
		c.HandleDatagram(p.now, handshakeRecord(typeClientHello, 0, acceptableHello(tc.change)))
		if tc.want != nil {
			if c.refused == nil || tc.want != errAny && !errors.Is(c.refused, tc.want) || c.State() != StateNew {
				t.Errorf("%s: %v, want %v", tc.name, c.refused, tc.want)
			}
			c.Start(p.now)
			var timeout *TimeoutError
			if err := p.wantFailed(1, &timeout, tc.name); tc.want != errAny && !errors.Is(err, tc.want) {
				t.Errorf("%s: timeout says %v", tc.name, err)
			}
			continue
		}
		if c.refused != nil || c.CipherSuite() != tc.suite || c.hs.own.Curve() != curveByID(tc.group) {
			t.Errorf("%s: refused %v, suite %#x", tc.name, c.refused, c.CipherSuite())
		}
	}
}

// TestHelloVerifyRequest: the cookie comes back, a bounded number of times, and the transcript begins with the last ClientHello.
func TestHelloVerifyRequest(t *testing.T) {
	for cookies := range maxCookies + 2 {
		p := newPair(t, pairConfig{net: quick})
		var hellos [][]byte
		asked := 0
		p.filter = func(from int, b []byte) []byte {
			if from == 1 || p.ends[0].hs.expect != typeServerHello {
				return b
			}
			r, _, _ := parseRecord(b)
			h, body, _, _ := parseMessageHeader(r.payload())
			hello, ok := parseClientHello(body)
			if cookies > maxCookies && int(h.seq) == maxCookies && asked > maxCookies {
				return nil // it comes again, as the last request was not followed
			}
			if !ok || int(h.seq) != len(hellos) {
				t.Fatalf("ClientHello %d: parses %v, message_seq %d", len(hellos), ok, h.seq)
			}
			if asked > 0 && string(hello.cookie) != fmt.Sprint("cookie ", asked) {
				t.Fatalf("cookie %q", hello.cookie)
			}
			hello.cookie = nil
			hellos = append(hellos, hello.append(nil))
			if asked == cookies {
				return b
			}
			asked++
			w := cryptobyte.NewBuilder(nil)
			w.AddUint16(version10)
			addVector8(w, []byte(fmt.Sprint("cookie ", asked)))
			request := handshakeRecord(typeHelloVerifyRequest, h.seq, w.BytesOrPanic())
			p.wire.Send(p.now, 1, request)
			return nil
		}
		p.ends[0].Start(p.now)
		p.drain()
		if cookies > maxCookies {
			for p.step() && p.now.Sub(epochStart) < 40*time.Millisecond*time.Duration(cookies) {
			}
			if p.ends[0].Stats().DroppedUnexpected == 0 || len(p.ends[0].opening.all) != 1+maxCookies {
				t.Errorf("client followed %d requests", len(p.ends[0].opening.all)-1)
			}
			continue
		}
		p.wantConnected(fmt.Sprintf("%d cookies", cookies))
		for i := range hellos {
			if !bytes.Equal(hellos[i], hellos[0]) {
				t.Errorf("ClientHello %d differs by more than the cookie", i)
			}
		}
	}
}

// TestServerHelloRefused: a client takes no answer to what it did not ask, and goes on with the true ServerHello if that comes.
func TestServerHelloRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*serverHello)
		alert  Alert
	}{
		"version":                    {func(h *serverHello) { h.version = version10 }, AlertProtocolVersion},
		"unknown suite":              {func(h *serverHello) { h.suite = 0x1301 }, AlertIllegalParameter},
		"suite that was not offered": {func(h *serverHello) { h.suite = suiteECDHERSAAES128GCM }, AlertIllegalParameter},
		"compression":                {func(h *serverHello) { h.compression = 1 }, AlertIllegalParameter},
		"extension that was not offered": {func(h *serverHello) {
			h.extensions.present = append(h.extensions.present, 52)
		}, AlertUnsupportedExtension},
		"version 1.3": {func(h *serverHello) {
			h.extensions.present = append(h.extensions.present, extSupportedVersions)
			h.extensions.versions = []uint16{version13}
		}, AlertUnsupportedExtension},
		"no extended master secret": {func(h *serverHello) { h.extensions.present = h.extensions.present[1:] }, AlertHandshakeFailure},
		"renegotiation":             {func(h *serverHello) { h.extensions.renegotiated = []byte{1} }, AlertHandshakeFailure},
		"compressed points only":    {func(h *serverHello) { h.extensions.pointFormats = []byte{1} }, AlertIllegalParameter},
		"two SRTP profiles":         {func(h *serverHello) { h.extensions.srtpProfiles = []uint16{7, 8} }, AlertIllegalParameter},
		"unknown SRTP profile":      {func(h *serverHello) { h.extensions.srtpProfiles = []uint16{5} }, AlertIllegalParameter},
		"MKI":                       {func(h *serverHello) { h.extensions.srtpMKI = []byte{1} }, AlertIllegalParameter},
		"extension twice": {func(h *serverHello) {
			h.extensions.present = append(h.extensions.present, extExtendedMasterSecret)
		}, AlertDecodeError},
	} {
		for _, forged := range []bool{true, false} {
			suites := func(cfg *Config) { cfg.CipherSuites = []uint16{suiteECDHEECDSAAES128GCM} }
			p := newPair(t, pairConfig{net: quick, client: suites})
			p.filter = func(from int, b []byte) []byte {
				r, rest, _ := parseRecord(b)
				if from == 0 || p.ends[0].hs.expect != typeServerHello || r.typ != contentHandshake {
					return b
				}
				h, body, _, _ := parseMessageHeader(r.payload())
				if h.typ != typeServerHello {
					return b
				}
				hello, ok := parseServerHello(body)
				if !ok {
					t.Fatalf("%s: our ServerHello does not parse", name)
				}
				tc.change(&hello)
				changed := handshakeRecord(typeServerHello, h.seq, hello.append(nil))
				if !forged {
					return append(changed, rest...)
				}
				p.wire.Send(p.now, 1, changed)
				return b
			}
			p.start()
			if forged {
				p.wantConnected(name)
				if s := p.ends[0].Stats(); s.MessagesRefused != 0 || s.FragmentsConflicting != 1 {
					t.Errorf("%s: the true message did not replace it: %+v", name, s)
				}
				continue
			}
			var why *HandshakeError
			p.wantFailed(0, &why, name)
			if d := p.now.Sub(epochStart); why.Alert != tc.alert || d != 20*time.Millisecond+refusalGrace {
				t.Errorf("%s: after %v: %v", name, d, why)
			}
		}
	}
}

// TestUnexpectedMessages: at each point exactly one message is due, and no other one takes its place or changes anything.
func TestUnexpectedMessages(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		all := []uint8{
			typeHelloRequest, typeClientHello, typeServerHello, typeHelloVerifyRequest, 4, typeCertificate, typeServerKeyExchange,
			typeCertificateRequest, typeServerHelloDone, typeCertificateVerify, typeClientKeyExchange, typeFinished, 22, 255,
		}
		p := newPair(t, pairConfig{version: version, net: quick, client: func(cfg *Config) { cfg.MTU = 150 }, server: func(cfg *Config) { cfg.MTU = 150 }})
		p.start()
		forged := 0
		for !p.connected() {
			for _, c := range p.ends {
				expect, at := c.hs.expect, len(c.hs.transcript.messages)
				for _, typ := range all {
					if typ == expect {
						continue
					}
					forged++
					c.HandleDatagram(p.now, handshakeRecord(typ, c.in.next, []byte("nothing")))
					c.check()
				}
				if c.hs.expect != expect || len(c.hs.transcript.messages) != at {
					t.Fatalf("message %d became %d", expect, c.hs.expect)
				}
			}
			if !p.step() {
				t.Fatalf("stuck after %d forgeries: %v, %v", forged, p.ends[0].refused, p.ends[1].refused)
			}
		}
	})
}

// TestHelloVerifyRequestDoubled: a server that asks twice for the same cookie gets one more ClientHello at most, and not at once.
func TestHelloVerifyRequestDoubled(t *testing.T) {
	p := newPair(t, pairConfig{net: quick})
	c := p.ends[0]
	c.Start(p.now)
	p.drain()
	w := cryptobyte.NewBuilder(nil)
	w.AddUint16(version10)
	addVector8(w, []byte("cookie"))
	body := w.BytesOrPanic()
	ask := func(seq uint16) {
		c.HandleDatagram(p.now, handshakeRecord(typeHelloVerifyRequest, seq, body))
		p.drain()
	}
	ask(7) // a message_seq that no server would use
	if len(c.opening.all) != 1 {
		t.Error("followed a request with message_seq 7")
	}
	ask(0)
	ask(0)
	if p.sent[0] != 2 {
		t.Errorf("%d ClientHellos at once", p.sent[0])
	}
	p.now = p.now.Add(30 * time.Millisecond)
	ask(0)
	if p.sent[0] != 3 || len(c.opening.all) != 2 || c.Stats().Retransmissions != 1 {
		t.Errorf("%d ClientHellos after the request came again later", p.sent[0])
	}
}
