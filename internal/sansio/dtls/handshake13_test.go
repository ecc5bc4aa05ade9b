package dtls

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sansrtc/rtc/internal/simnet"
)

// pair13 is two connected ends of 1.3 that have nothing more to say.
func pair13(t *testing.T) *pair {
	p := newPair(t, pairConfig{net: quick, version: Version13})
	p.start()
	p.wantConnected("")
	p.settle()
	return p
}

// wear makes the next record of an end its n-th.
func (p *pair) wear(who int, n uint64) {
	p.ends[who].write.next, p.ends[1-who].read.replay.top = n, n
}

// TestVersions: the highest version that both do, and none when they have none in common.
func TestVersions(t *testing.T) {
	all := [][2]uint16{{Version12, Version12}, {Version12, Version13}, {Version13, Version13}}
	for _, client := range all {
		for _, server := range all {
			p := newPair(t, pairConfig{
				net:     quick,
				version: anyVersion,
				client:  func(cfg *Config) { cfg.MinVersion, cfg.MaxVersion = client[0], client[1] },
				server:  func(cfg *Config) { cfg.MinVersion, cfg.MaxVersion = server[0], server[1] },
			})
			p.start()
			want := max(client[1], server[1]) // the lower version is the larger number
			if want > min(client[0], server[0]) {
				if err := p.wantFailed(1, nil, "nothing in common"); !errors.Is(err, ErrVersion) {
					t.Errorf("%#x and %#x: %v", client, server, err)
				}
				continue
			}
			p.wantConnected("")
			for i, c := range p.ends {
				if c.Version() != want {
					t.Errorf("%#x and %#x: end %d has version %#x", client, server, i, c.Version())
				}
			}
		}
	}
	for _, bad := range []Config{
		{MinVersion: 0x0304}, {MinVersion: Version13, MaxVersion: Version12},
		{MinVersion: Version13, CipherSuites: []uint16{suiteECDHEECDSAAES128GCM}}, {MaxVersion: Version12, CipherSuites: []uint16{suiteAES128GCM}},
	} {
		bad.Rand, bad.Certificate = seeded(1), clientCert
		if _, err := New(bad); err == nil {
			t.Errorf("%#x to %#x with %#x", bad.MinVersion, bad.MaxVersion, bad.CipherSuites)
		}
	}
}

// TestDowngrade: RFC 8446 section 4.1.3: a client of 1.3 that gets 1.2 "MUST check that the last eight bytes are not equal to either of these
// values" and abort with illegal_parameter if they are. Here somebody has taken 1.3 out of its ClientHello.
func TestDowngrade(t *testing.T) {
	p := newPair(t, pairConfig{net: quick, version: anyVersion})
	p.filter = func(from int, b []byte) []byte {
		if r, _, ok := parseRecord(b); from == 0 && ok {
			h, body, _, _ := parseMessageHeader(r.payload())
			hello, _ := parseClientHello(body)
			hello.extensions.versions = []uint16{version12}
			return handshakeRecord(h.typ, h.seq, hello.append(nil))
		}
		return b
	}
	p.start()
	var why *HandshakeError
	p.wantFailed(0, &why, "downgraded")
	if !errors.Is(why, ErrDowngrade) || why.Alert != AlertIllegalParameter {
		t.Error(why)
	}
}

// TestRetriedHello: a HelloRetryRequest changes the ClientHello's share and gives it a cookie, nothing else; its message_seq goes on.
func TestRetriedHello(t *testing.T) {
	p := newPair(t, pairConfig{net: quick, version: anyVersion})
	c := p.ends[0]
	var hellos []clientHello
	var seqs []uint16
	p.filter = func(_ int, b []byte) []byte {
		r, _, _ := parseRecord(b)
		h, body, _, _ := parseMessageHeader(r.payload())
		hello, _ := parseClientHello(bytes.Clone(body))
		hellos, seqs = append(hellos, hello), append(seqs, h.seq)
		return nil
	}
	ask := func(seq uint16, change func(h *serverHello)) {
		h := answer13(serverChoice{suite: suiteByID(suiteAES256GCM)})
		copy(h.random[:], retryRandom)
		h.extensions.shares = []keyShare{{group: groupP384}}
		if change != nil {
			change(h)
		}
		c.HandleDatagram(p.now, handshakeRecord(typeServerHello, seq, h.append(nil)))
		p.drain()
	}
	c.Start(p.now)
	p.drain()
	for name, change := range map[string]func(h *serverHello){
		"group that has a share":    func(h *serverHello) { h.extensions.shares[0].group = groupP256 },
		"group that is not offered": func(h *serverHello) { h.extensions.shares[0].group = groupX25519MLKEM768 },
		"nothing new":               func(h *serverHello) { h.extensions.present = h.extensions.present[:1] },
		"suite of 1.2":              func(h *serverHello) { h.suite = suiteECDHEECDSAAES128GCM },
		"another version":           func(h *serverHello) { h.extensions.versions[0] = version12 },
		"session":                   func(h *serverHello) { h.sessionID = []byte{1} },
		"extension": func(h *serverHello) {
			h.extensions.present = append(h.extensions.present, extExtendedMasterSecret)
		},
	} {
		was := c.Stats().MessagesRefused
		ask(0, change)
		if len(hellos) != 1 || c.Stats().MessagesRefused != was+1 {
			t.Errorf("%s: %d ClientHellos, %d refused", name, len(hellos), c.Stats().MessagesRefused-was)
		}
	}
	ask(0, func(h *serverHello) {
		h.extensions.present = append(h.extensions.present, extCookie)
		h.extensions.cookie = []byte("cookie")
	})
	if len(hellos) != 2 || !slices.Equal(seqs, []uint16{0, 1}) {
		t.Fatalf("ClientHellos with message_seq %v", seqs)
	}
	again := hellos[1]
	e := &again.extensions
	if len(e.shares) != 1 || e.shares[0].group != groupP384 || string(e.cookie) != "cookie" || len(again.cookie) != 0 {
		t.Errorf("second ClientHello: %+v", again)
	}
	e.shares, e.cookie = hellos[0].extensions.shares, nil
	e.present = slices.DeleteFunc(e.present, func(typ uint16) bool { return typ == extCookie })
	if !bytes.Equal(again.append(nil), hellos[0].append(nil)) {
		t.Error("it differs by more than share and cookie")
	}
	was := c.Stats().MessagesRefused
	ask(1, func(h *serverHello) { h.extensions.shares[0].group = groupX25519 })
	if len(hellos) != 2 || c.Stats().MessagesRefused != was+1 {
		t.Error("a second HelloRetryRequest is followed")
	}
}

// TestRefused13: a server that does 1.3 refuses a ClientHello of 1.3 that breaks its rules, without a trace.
func TestRefused13(t *testing.T) {
	for name, tc := range map[string]struct {
		seq    uint16
		change func(h *clientHello)
		alert  Alert
	}{
		"fine":          {0, nil, 0},
		"cookie of 1.2": {0, func(h *clientHello) { h.cookie = []byte{1} }, AlertIllegalParameter},
		"compression":   {0, func(h *clientHello) { h.compressions = []byte{0, 1} }, AlertIllegalParameter},
		"no groups": {0, func(h *clientHello) {
			h.extensions.present = []uint16{extSupportedVersions, extKeyShare, extSignatureAlgorithms}
		}, AlertMissingExtension},
		"no shares":            {0, func(h *clientHello) { h.extensions.present = h.extensions.present[:4] }, AlertMissingExtension},
		"suites of 1.2":        {0, func(h *clientHello) { h.suites = []uint16{suiteECDHEECDSAAES128GCM} }, AlertHandshakeFailure},
		"unknown group":        {0, func(h *clientHello) { h.extensions.groups, h.extensions.shares = []uint16{1}, nil }, AlertHandshakeFailure},
		"signatures of RSA":    {0, func(h *clientHello) { h.extensions.schemes = []uint16{schemePSSSHA256} }, AlertHandshakeFailure},
		"share of no point":    {0, func(h *clientHello) { h.extensions.shares[0].key = make([]byte, 65) }, AlertIllegalParameter},
		"no HelloRetryRequest": {1, nil, AlertIllegalParameter},
		"cookie of nobody": {0, func(h *clientHello) {
			h.extensions.present = append(h.extensions.present, extCookie)
			h.extensions.cookie = []byte{1}
		}, AlertIllegalParameter},
	} {
		p := newPair(t, pairConfig{net: quick, version: Version13})
		c := p.ends[1]
		c.HandleDatagram(p.now, handshakeRecord(typeClientHello, tc.seq, acceptableHello13(tc.change)))
		c.check()
		if tc.alert == 0 {
			if c.refused != nil || c.opening.all[0].hs.handshakeKeys() == nil {
				t.Errorf("%s: %v", name, c.refused)
			}
			continue
		}
		if c.refused == nil || c.refused.Alert != tc.alert || c.State() != StateNew {
			t.Errorf("%s: %v, want %v", name, c.refused, tc.alert)
		}
	}
}

// TestNoHalfRoundTrip: a server delivers, seals and exports nothing before the client's flight, though it has the keys; what came before waits.
func TestNoHalfRoundTrip(t *testing.T) {
	p := newPair(t, pairConfig{net: quick, version: Version13})
	var late []byte
	p.filter = func(from int, b []byte) []byte {
		if from == 0 && p.ends[0].hs.complete && late == nil {
			late = bytes.Clone(b)
			return nil
		}
		return b
	}
	p.start()
	p.run(func() bool { return p.ends[0].State() == StateConnected })
	p.send(0, "early")
	p.run(func() bool { return p.wire.InFlight() == 0 })
	c := p.ends[1]
	if len(c.early.records) != 1 || c.State() != StateConnecting {
		t.Fatalf("server is %v and holds %d", c.State(), len(c.early.records))
	}
	p.wantData(1, "before the client's flight")
	if _, err := c.ExportKeyingMaterial("x", nil, 10); !errors.Is(err, ErrNotConnected) {
		t.Error(err)
	}
	func() {
		defer func() {
			if r, ok := recover().(string); !ok || !strings.HasPrefix(r, "BUG: ") {
				t.Errorf("sealed: %v", r)
			}
		}()
		c.Seal(make([]byte, 40), 0)
	}()
	c.HandleDatagram(p.now, late)
	p.drain()
	p.wantData(1, "behind the client's flight", "early")
}

// TestFinalFlightUntilAcknowledged: a client that is connected repeats its flight as long as nobody acknowledges it, and a server acknowledges it
// whenever it comes. RFC 9147 section 5.8.1 wants that of a server for four minutes.
func TestFinalFlightUntilAcknowledged(t *testing.T) {
	p := newPair(t, pairConfig{net: quick, version: Version13})
	deaf := true
	p.filter = func(from int, b []byte) []byte {
		if from == 1 && deaf && p.ends[1].hs.complete {
			return nil
		}
		return b
	}
	p.start()
	p.wantConnected("")
	p.runTo(epochStart.Add(3*time.Minute + 50*time.Second))
	if n := p.ends[0].Stats().Retransmissions; n < 70 || p.ends[0].PollTimeout().IsZero() {
		t.Errorf("%d retransmissions, the next at %v", n, p.ends[0].PollTimeout())
	}
	deaf = false
	p.runTo(p.now.Add(5 * time.Second))
	if c := p.ends[0]; c.unacked != nil || c.readHandshake != nil || !c.PollTimeout().IsZero() {
		t.Error("an acknowledgement after four minutes ends nothing")
	}
	p.send(0, "and then")
	p.settle()
	p.wantData(1, "data", "and then")
}

// TestKeyUpdate: keys are changed before they wear out, as often as it takes, while data flows on a path that loses and reorders.
func TestKeyUpdate(t *testing.T) {
	p := pair13(t)
	for i := range p.wire.Pipes {
		p.wire.Pipes[i].SetConfig(simnet.Config{Delay: 10 * time.Millisecond, Loss: 0.3, Reorder: 0.3, ReorderDelay: 30 * time.Millisecond})
	}
	for epoch := uint64(epochData); epoch < 12; epoch++ {
		for who, c := range p.ends {
			if c.write.epoch != epoch {
				t.Fatalf("end %d writes epoch %d, want %d", who, c.write.epoch, epoch)
			}
			p.wear(who, maxSealed13/4*3)
		}
		got := [2]int{}
		if !p.run(func() bool {
			for who := range p.ends {
				p.send(who, "data")
				got[who] += len(p.data[who])
				p.data[who] = nil
			}
			p.drain()
			return p.ends[0].write.epoch > epoch && p.ends[1].write.epoch > epoch && got[0] > 0 && got[1] > 0
		}) {
			t.Fatalf("epoch %d: writes %d and %d, got %v", epoch, p.ends[0].write.epoch, p.ends[1].write.epoch, got)
		}
		p.run(func() bool {
			return p.wire.InFlight() == 0 && p.ends[0].flight.items == nil && p.ends[1].flight.items == nil
		})
	}
	for i, c := range p.ends {
		if s := c.Stats(); s.DroppedBadMAC+s.DroppedReplay > 0 {
			t.Errorf("end %d: %+v", i, s)
		}
	}
}

// TestKeysWearOut: when nobody acknowledges the KeyUpdate, the connection ends before its keys do.
func TestKeysWearOut(t *testing.T) {
	p := pair13(t)
	c := p.ends[0]
	p.wear(0, maxSealed13-1)
	c.Seal(make([]byte, 40), 0)
	if b := c.Seal(make([]byte, 40), 0); b != nil {
		t.Error("sealed one more")
	}
	p.drain()
	if err := p.wantFailed(0, nil, ""); !errors.Is(err, ErrSequenceExhausted) {
		t.Error(err)
	}
	p.drain()
	p.settle()
	if p.ends[1].State() != StateClosed {
		t.Errorf("peer is %v", p.ends[1].State())
	}
}

// TestPostHandshake: what an authenticated peer may say after the handshake is acknowledged; what it may not ends the connection at once.
func TestPostHandshake(t *testing.T) {
	ticket := append(make([]byte, 8), 0, 0, 1, 'x', 0, 0)
	for name, tc := range map[string]struct {
		to    int
		typ   uint8 // of the message, or of the record if body is nil
		body  []byte
		alert Alert
	}{
		"NewSessionTicket":              {0, typeNewSessionTicket, ticket, 0},
		"NewSessionTicket to a server":  {1, typeNewSessionTicket, ticket, AlertUnexpectedMessage},
		"NewSessionTicket cut":          {0, typeNewSessionTicket, ticket[:9], AlertDecodeError},
		"CertificateRequest":            {0, typeCertificateRequest, (&certificateRequest13{schemes: []uint16{schemeECDSASHA256}}).append(nil), AlertUnexpectedMessage},
		"ClientHello":                   {1, typeClientHello, acceptableHello13(nil), AlertUnexpectedMessage},
		"HelloRequest":                  {0, typeHelloRequest, []byte{1}, AlertUnexpectedMessage},
		"KeyUpdate":                     {1, typeKeyUpdate, []byte{updateNotRequested}, 0},
		"KeyUpdate that asks":           {1, typeKeyUpdate, []byte{updateRequested}, 0},
		"KeyUpdate that asks for more":  {1, typeKeyUpdate, []byte{2}, AlertIllegalParameter},
		"KeyUpdate of two bytes":        {0, typeKeyUpdate, []byte{0, 0}, AlertDecodeError},
		"empty handshake record":        {0, contentHandshake, nil, AlertUnexpectedMessage},
		"empty alert":                   {1, contentAlert, nil, AlertUnexpectedMessage},
		"padding alone":                 {1, 0, nil, AlertUnexpectedMessage},
		"record of unknown type":        {1, 99, nil, AlertUnexpectedMessage},
		"ACK that is none":              {0, contentACK, []byte{0}, AlertDecodeError},
		"ACK of what was never sent":    {0, contentACK, appendACK(nil, []recordNumber{{3, 77}, {1 << 60, 1 << 60}}), 0},
		"ChangeCipherSpec in the epoch": {0, contentChangeCipherSpec, nil, AlertUnexpectedMessage},
		"Certificate":                   {1, typeCertificate, []byte{0, 0, 0, 0}, AlertUnexpectedMessage},
	} {
		p := pair13(t)
		from := p.ends[1-tc.to]
		switch {
		case tc.typ == contentACK:
			b := from.appendRecord(nil, from.write, contentACK, tc.body)
			p.ends[tc.to].HandleDatagram(p.now, b)
		case tc.body == nil:
			p.ends[tc.to].HandleDatagram(p.now, from.appendRecord(nil, from.write, tc.typ, nil))
		default:
			from.flight.begin(p.now)
			from.flight.wantsAnswer, from.flight.updatesKeys = true, tc.typ == typeKeyUpdate
			from.addMessage13(from.write, tc.typ, func(b []byte) []byte { return append(b, tc.body...) })
		}
		p.drain()
		if tc.alert != 0 {
			var why *HandshakeError
			p.wantFailed(tc.to, &why, name)
			if why.Alert != tc.alert {
				t.Errorf("%s: %v", name, why)
			}
			var alert *AlertError
			if p.wantFailed(1-tc.to, &alert, name); alert.Alert != tc.alert {
				t.Errorf("%s: told %v", name, alert)
			}
			continue
		}
		p.settle()
		if from.flight.items != nil {
			t.Errorf("%s is not acknowledged", name)
		}
		p.send(0, "ping")
		p.send(1, "pong")
		p.settle()
		p.wantData(1, name, "ping")
		p.wantData(0, name, "pong")
	}
}

// TestFlightsOutOfOrder: a message of the handshake that is left out, or out of place, ends it with the right alert (CVE-2022-29222).
func TestFlightsOutOfOrder(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(f *flight)
		alert  Alert
	}{
		"no CertificateVerify": {func(f *flight) { f.items = slices.Delete(f.items, 1, 2) }, AlertUnexpectedMessage},
		"no Certificate":       {func(f *flight) { f.items = slices.Delete(f.items, 0, 1) }, AlertUnexpectedMessage},
		"only Finished":        {func(f *flight) { f.items = f.items[2:] }, AlertUnexpectedMessage},
		"signature changed":    {func(f *flight) { m := f.items[1].message; m[len(m)-1] ^= 1 }, AlertDecryptError},
		"Finished changed":     {func(f *flight) { m := f.items[2].message; m[len(m)-1] ^= 1 }, AlertDecryptError},
		"certificate changed":  {func(f *flight) { m := f.items[0].message; m[len(m)-10] ^= 1 }, AlertDecryptError},
	} {
		p := newPair(t, pairConfig{net: quick, version: Version13})
		p.start()
		p.now = p.wire.Next()
		for to, b, ok := p.wire.Receive(p.now); ok; to, b, ok = p.wire.Receive(p.now) {
			p.ends[to].HandleDatagram(p.now, b)
		}
		p.drain()
		p.now = p.wire.Next()
		for to, b, ok := p.wire.Receive(p.now); ok; to, b, ok = p.wire.Receive(p.now) {
			p.ends[to].HandleDatagram(p.now, b)
		}
		f := &p.ends[0].flight
		tc.change(f)
		for i := range f.items {
			f.items[i].message[5] = byte(1 + i)
		}
		f.measure()
		p.drain()
		var why *HandshakeError
		p.wantFailed(1, &why, name)
		if why.Alert != tc.alert || p.ends[1].hs.complete {
			t.Errorf("%s: %v", name, why)
		}
	}
}

// TestCertificatesAndSuites13: each kind of certificate with each suite, and each group.
func TestCertificatesAndSuites13(t *testing.T) {
	for name, cert := range map[string]Certificate{"P-256": serverCert, "P-384": p384Certificate(t), "Ed25519": ed25519Certificate(t), "RSA": rsaCertificate(t)} {
		for _, suite := range []uint16{suiteAES128GCM, suiteAES256GCM, suiteChaCha20} {
			for _, group := range groups13 {
				use := func(cfg *Config) {
					cfg.Certificate, cfg.CipherSuites = cert, []uint16{suite}
					cfg.groups, cfg.PostQuantum = []uint16{group}, group == groupX25519MLKEM768
				}
				p := newPair(t, pairConfig{net: quick, version: Version13, client: use, server: use})
				p.start()
				p.wantConnected(name)
				if p.ends[0].CipherSuite() != suite || p.ends[1].CipherSuite() != suite {
					t.Errorf("%s, %#x: %#x", name, suite, p.ends[0].CipherSuite())
				}
				a, err1 := p.ends[0].ExportKeyingMaterial("EXTRACTOR-dtls_srtp", nil, 88)
				b, err2 := p.ends[1].ExportKeyingMaterial("EXTRACTOR-dtls_srtp", nil, 88)
				if err1 != nil || err2 != nil || !bytes.Equal(a, b) {
					t.Errorf("%s, %#x: exports %x (%v) and %x (%v)", name, suite, a, err1, b, err2)
				}
			}
		}
	}
}

// TestExporterBounds13: what HKDF cannot do is an error.
func TestExporterBounds13(t *testing.T) {
	c := pair13(t).ends[0]
	for _, n := range []int{-1, 0, maxExport13 + 1} {
		if _, err := c.ExportKeyingMaterial("label", nil, n); err == nil {
			t.Errorf("%d bytes", n)
		}
	}
	if _, err := c.ExportKeyingMaterial(strings.Repeat("x", maxLabel+1), nil, 10); err == nil {
		t.Error("a label of 250 bytes")
	}
	if b, err := c.ExportKeyingMaterial(strings.Repeat("x", maxLabel), []byte("context"), maxExport13); err != nil || len(b) != maxExport13 {
		t.Error(err)
	}
}

// TestFlightSizes: with P-256 certificates each flight of a handshake is one datagram, of less than the 900 bytes that a check has room for.
func TestFlightSizes(t *testing.T) {
	p := newPair(t, pairConfig{net: quick, version: anyVersion, client: func(cfg *Config) { cfg.MTU = 900 }, server: func(cfg *Config) { cfg.MTU = 900 }})
	p.start()
	p.wantConnected("")
	p.settle()
	if p.sent != [2]int{2, 2} {
		t.Errorf("datagrams sent: %v", p.sent)
	}
}

// TestNarrowest: flights in the smallest datagrams, on a path that loses some.
func TestNarrowest(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		for seed := range uint64(50) {
			mtu := func(cfg *Config) { cfg.MTU = minMTU }
			p := newPair(t, pairConfig{seed: seed, net: simnet.Config{Delay: 10 * time.Millisecond, Loss: 0.05}, client: mtu, server: mtu, version: version})
			p.log = func(from int, b []byte) {
				if len(b) > minMTU {
					t.Fatalf("end %d sends %d bytes", from, len(b))
				}
			}
			p.start()
			p.wantConnected("")
		}
	})
}

// TestHoldTimer: nothing of a Conn's time passes while it is held, in either role; afterwards it has all of it.
func TestHoldTimer(t *testing.T) {
	eachVersion(t, func(t *testing.T, version uint16) {
		p := newPair(t, pairConfig{net: simnet.Config{Down: true}, version: version})
		for _, c := range p.ends {
			c.HoldTimer(p.now, true)
		}
		p.start()
		for _, c := range p.ends {
			if !c.PollTimeout().IsZero() {
				t.Error("held, with a timer")
			}
			c.HandleTimeout(p.now.Add(time.Hour))
		}
		if p.sent != [2]int{1, 0} {
			t.Errorf("sent %v", p.sent)
		}
		p.now = p.now.Add(time.Hour)
		for i, c := range p.ends {
			c.HoldTimer(p.now, false)
			if d := c.PollTimeout(); i == 0 && d.After(p.now) || i == 1 && !d.Equal(p.now.Add(defaultHandshakeTimeout)) {
				t.Errorf("end %d: timer at %v", i, d)
			}
		}
		for i := range p.wire.Pipes {
			p.wire.Pipes[i].SetConfig(quick)
		}
		p.ends[0].HandleTimeout(p.now)
		p.drain()
		p.wantConnected("released")
	})
}

// TestContradiction13: an authenticated fragment that contradicts another is the peer's own doing. RFC 9147 section 5.5: illegal_parameter.
func TestContradiction13(t *testing.T) {
	p := pair13(t)
	from := p.ends[1]
	for _, b := range []string{"abc", "xyz"} {
		h := messageHeader{typ: typeNewSessionTicket, length: 20, seq: p.ends[0].in.next, fragmentLength: len(b)}
		raw := make([]byte, messageHeaderLen)
		h.put(raw)
		p.ends[0].HandleDatagram(p.now, from.appendRecord(nil, from.write, contentHandshake, append(raw, b...)))
	}
	p.drain()
	var why *HandshakeError
	if p.wantFailed(0, &why, "fragments contradict"); why.Alert != AlertIllegalParameter {
		t.Error(why)
	}
}

// TestSealedOvertakesServerHello: the records of a server's flight that come before its ServerHello are opened when it is there, without another
// transmission.
func TestSealedOvertakesServerHello(t *testing.T) {
	for seed := range uint64(20) {
		p := newPair(t, pairConfig{seed: seed, net: quick, version: anyVersion, client: func(cfg *Config) { cfg.PostQuantum = seed%2 == 0 }})
		var flight [][]byte
		p.filter = func(from int, b []byte) []byte {
			if from == 0 {
				return b
			}
			for len(b) > 0 {
				n := len(b)
				if r, _, ok := parseRecord(b); ok && !isUnified(b[0]) {
					n = len(r.raw)
				}
				flight = append(flight, bytes.Clone(b[:n]))
				b = b[n:]
			}
			return nil
		}
		p.start()
		p.run(func() bool { return len(flight) > 1 })
		for _, b := range slices.Backward(flight) {
			if p.ends[0].State() != StateConnecting {
				t.Fatal("connected too early")
			}
			p.ends[0].HandleDatagram(p.now, b)
			p.ends[0].check()
		}
		if p.ends[0].State() != StateConnected || p.ends[0].Stats().Retransmissions > 0 {
			t.Errorf("seed %d: client is %v: %+v", seed, p.ends[0].State(), p.ends[0].Stats())
		}
	}
}

// TestDataAheadOfTheRest: data that comes when a part of the client's flight is there, and a part is not, waits for that, and then is delivered.
func TestDataAheadOfTheRest(t *testing.T) {
	p := newPair(t, pairConfig{net: quick, version: Version13, client: func(cfg *Config) { cfg.MTU = 300 }})
	n := 0
	p.filter = func(from int, b []byte) []byte {
		if from == 0 && p.ends[0].hs.complete {
			if n++; n == 2 {
				return nil
			}
		}
		return b
	}
	p.start()
	p.run(func() bool { return p.ends[0].State() == StateConnected })
	p.send(0, "early")
	p.runTo(p.now.Add(10 * time.Millisecond))
	if c := p.ends[1]; c.opening != nil || c.hs.complete || len(c.early.records) != 1 {
		t.Fatalf("server holds %d records", len(c.early.records))
	}
	p.wantData(1, "before the rest")
	p.wantConnected("the rest is sent again")
	p.wantData(1, "behind the rest", "early")
}

// TestSettlingRecordOnce: the record that tells which hello counts is a replay when it comes again, at either end.
func TestSettlingRecordOnce(t *testing.T) {
	p := newPair(t, pairConfig{net: quick, version: Version13})
	var sealed [2][]byte // the first datagram of each end with a sealed record
	p.filter = func(from int, b []byte) []byte {
		if sealed[from] == nil && (from == 1 || isUnified(b[0])) {
			sealed[from] = bytes.Clone(b)
		}
		return b
	}
	p.start()
	p.wantConnected("")
	for i, c := range p.ends {
		was := c.Stats().DroppedReplay
		c.HandleDatagram(p.now, sealed[1-i])
		if n := c.Stats().DroppedReplay - was; n != 1 {
			t.Errorf("end %d: %d replays", i, n)
		}
	}
}
