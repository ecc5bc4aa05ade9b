package rtc_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime"
	"github.com/sansrtc/rtc/runtime/sim"
)

// build makes a connection that is closed at the end of the test.
func build(t testing.TB, w *sim.World, b rtc.Builder) *rtc.PeerConnection {
	t.Helper()
	pc, err := b.Build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close(); w.Run(time.Second); w.Close() })
	return pc
}

// A Builder is a value: no method changes its receiver, and a base serves connections that know nothing of each other.
func TestBuilderIsAValue(t *testing.T) { everywhere(t, testBuilderIsAValue) }

func testBuilderIsAValue(t *testing.T, w *world) {
	p := w.newPair(t, sim.Config{}, nil)
	base := w.builder(p.rt[0]).ICEServers(rtc.ICEServer{URLs: []string{"stun:192.0.2.1"}})
	before := base
	base.Configuration(rtc.Configuration{ICETransportPolicy: rtc.ICETransportPolicyRelay})
	base.ICEServers(rtc.ICEServer{URLs: []string{"stun:192.0.2.2"}})
	base.Certificates(rtc.Certificate{})
	base.Handler(rtc.BaseHandler{})
	base.Runtime(p.rt[1])
	base.LoggerFactory(rtc.SlogLoggerFactory(nil))
	base.ListenAddrs("192.0.2.3:4")
	base.ICE(rtc.ICEOptions{MaxRemoteCandidates: -1})
	base.DTLS(rtc.DTLSOptions{HandshakeTimeout: -1})
	base.SCTP(rtc.SCTPOptions{MaxMessageSize: -1})
	if !reflect.DeepEqual(base, before) {
		t.Errorf("methods changed the builder\n%+v\n%+v", before, base)
	}

	one := p.build(base)
	two := p.build(base.ICEServers())
	if n, m := len(one.GetConfiguration().ICEServers), len(two.GetConfiguration().ICEServers); n != 1 || m != 0 {
		t.Errorf("the connections have %d and %d servers, want 1 and 0", n, m)
	}
	if one.GetConfiguration().Certificates[0].Equals(two.GetConfiguration().Certificates[0]) {
		t.Error("two connections share the certificate that each was to make")
	}
	if err := one.SetConfiguration(rtc.Configuration{}); err != nil {
		t.Error(err)
	}
	if three := p.build(base); len(three.GetConfiguration().ICEServers) != 1 {
		t.Error("SetConfiguration of a connection has changed the builder that it was made with")
	}
}

// offerOf is an offer with a data section.
func offerOf(t testing.TB, pc *rtc.PeerConnection) rtc.SessionDescription {
	t.Helper()
	if _, err := pc.CreateDataChannel("data", nil); err != nil {
		t.Fatal(err)
	}
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	return offer
}

// Build tells all mistakes at once, each with its category.
func TestBuildTellsEveryMistake(t *testing.T) {
	h := sim.New(sim.Config{}).Host("a")
	_, err := rtc.NewBuilder().Runtime(h).
		Configuration(rtc.Configuration{
			ICEServers: []rtc.ICEServer{
				{},
				{URLs: []string{"http://example.org", "turn:192.0.2.1"}},
			},
			PeerIdentity:  "somebody",
			RTCPMuxPolicy: webrtc.RTCPMuxPolicyNegotiate,
			SDPSemantics:  webrtc.SDPSemanticsPlanB,
			Certificates:  []rtc.Certificate{expiring(t, h.Now().Add(-time.Second))},
		}).
		ListenAddrs("nowhere", "10.0.0.1", "10.0.0.1:1").
		ICE(rtc.ICEOptions{DisconnectedTimeout: -1, FailedTimeout: -1, ConsentInterval: -1, MaxRemoteCandidates: -1}).
		DTLS(rtc.DTLSOptions{HandshakeTimeout: -1, AnsweringRole: rtc.DTLSRoleServer + 1}).
		SCTP(rtc.SCTPOptions{MaxMessageSize: 17 << 20, SendBuffer: -1, ReceiveBuffer: 1, MaxPacketSize: -1}).
		Build(t.Context())
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("Build: %v", err)
	}
	count := map[string]int{}
	for _, e := range joined.Unwrap() {
		count[reflect.TypeOf(e).Elem().Name()]++
		if strings.TrimSpace(e.Error()) == "" {
			t.Errorf("a %T without a text", e)
		}
	}
	want := map[string]int{"InvalidAccessError": 2, "SyntaxError": 4, "NotSupportedError": 3, "RangeError": 9, "TypeError": 1}
	if !reflect.DeepEqual(count, want) {
		t.Errorf("Build found %v, want %v:\n%v", count, want, err)
	}
	for name, text := range map[string]string{
		"the credentials": webrtc.ErrNoTurnCredentials.Error(), "the certificate": webrtc.ErrCertificateExpired.Error(),
	} {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the text does not tell of %s:\n%v", name, err)
		}
	}
	for _, sentinel := range []error{webrtc.ErrNoTurnCredentials, webrtc.ErrCertificateExpired} {
		if !errors.Is(err, sentinel) {
			t.Errorf("errors.Is does not find %v", sentinel)
		}
	}
	var syntax *rtc.SyntaxError
	var access *rtc.InvalidAccessError
	var unsupported *rtc.NotSupportedError
	var typ *rtc.TypeError
	if !errors.As(err, &syntax) || !errors.As(err, &access) || !errors.As(err, &unsupported) || !errors.As(err, &typ) {
		t.Error("errors.As does not find a category")
	}
}

// Each single mistake is enough for an error.
func TestBuildRefuses(t *testing.T) {
	w := sim.New(sim.Config{})
	base := rtc.NewBuilder().Runtime(w.Host("a"))
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tomorrow := w.Now().AddDate(0, 0, 1)
	for name, b := range map[string]rtc.Builder{
		"no URLs":           base.ICEServers(rtc.ICEServer{}),
		"no scheme":         base.ICEServers(rtc.ICEServer{URLs: []string{"192.0.2.1"}}),
		"turn without user": base.ICEServers(rtc.ICEServer{URLs: []string{"turn:192.0.2.1"}, Credential: "c"}),
		"turns without key": base.ICEServers(rtc.ICEServer{URLs: []string{"turns:192.0.2.1"}, Username: "u"}),
		"one bad of two":    base.ICEServers(rtc.ICEServer{URLs: []string{"stun:192.0.2.1", "stun:"}}),
		"address by name":   base.ListenAddrs("localhost:1"),
		"message size":      base.SCTP(rtc.SCTPOptions{MaxMessageSize: -1}),
		"receive buffer":    base.SCTP(rtc.SCTPOptions{MaxMessageSize: 1000, ReceiveBuffer: 1999}),
		"packet size":       base.SCTP(rtc.SCTPOptions{MaxPacketSize: 1199}),
		"empty certificate": base.Certificates(rtc.Certificate{}),
		"no private key":    base.Certificates(webrtc.CertificateFromX509(nil, selfSigned(t, other, tomorrow))),
		"another's key":     base.Certificates(webrtc.CertificateFromX509(other, selfSigned(t, p521, tomorrow))),
		"unknown curve":     base.Certificates(webrtc.CertificateFromX509(p521, selfSigned(t, p521, tomorrow))),
		"second expired":    base.Certificates(expiring(t, w.Now().Add(time.Hour)), expiring(t, w.Now().Add(-time.Hour))),
	} {
		t.Run(name, func(t *testing.T) {
			pc, err := b.Build(t.Context())
			if err == nil {
				pc.Close()
				t.Fatal("it was built")
			}
			t.Log(err)
			if slices.Contains([]string{"empty certificate", "no private key", "another's key", "unknown curve", "second expired"}, name) {
				var access *rtc.InvalidAccessError
				if !errors.As(err, &access) {
					t.Errorf("%T: %v", err, err)
				}
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := base.Build(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Build with a context that has ended: %v", err)
	}
	w.Run(time.Second)
	if loops, sockets := w.Open(); loops+sockets > 0 {
		t.Errorf("builds that failed have left %d loops and %d sockets", loops, sockets)
	}
	w.Close()
	if _, err := base.Build(t.Context()); !errors.Is(err, runtime.ErrClosed) {
		t.Errorf("Build in a runtime that is closed: %v", err)
	}
}

// Build's context bounds Build only: a connection lives on when it ends.
func TestBuildContextEnds(t *testing.T) { everywhere(t, testBuildContextEnds) }

func testBuildContextEnds(t *testing.T, w *world) {
	ctx, cancel := context.WithCancel(t.Context())
	p := w.newPair(t, sim.Config{}, nil)
	pc, err := w.builder(p.rt[0]).Build(ctx)
	p.must(err)
	cancel()
	p.pass(time.Second)
	if _, err := pc.CreateOffer(nil); err != nil {
		t.Error(err)
	}
	pc.Close()
}

// expiring is a certificate that is good until notAfter.
func expiring(t testing.TB, notAfter time.Time) rtc.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return webrtc.CertificateFromX509(key, selfSigned(t, key, notAfter))
}

func selfSigned(t testing.TB, key crypto.Signer, notAfter time.Time) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: notAfter.AddDate(0, 0, -30), NotAfter: notAfter}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

// A connection without a certificate makes one, valid for 30 days of its runtime's clock; GetConfiguration has it, and it is what the peer sees.
func TestDefaultCertificate(t *testing.T) { everywhere(t, testDefaultCertificate) }

func testDefaultCertificate(t *testing.T, w *world) {
	p, _, _ := w.connected(t, sim.Config{}, nil, nil)
	c := p.pc[0].GetConfiguration().Certificates
	if len(c) != 1 {
		t.Fatalf("there are %d certificates", len(c))
	}
	if d := c[0].Expires().Sub(p.now()); d < 29*24*time.Hour || d > 30*24*time.Hour {
		t.Errorf("it expires in %v", d)
	}
	fingerprints, err := c[0].GetFingerprints()
	p.must(err)
	seen := false
	for _, s := range p.pc[1].GetStats() {
		if s, ok := s.(webrtc.CertificateStats); ok && strings.EqualFold(s.Fingerprint, fingerprints[0].Value) {
			seen = true
		}
	}
	if !seen {
		t.Error("the peer has not seen it")
	}
	if g, err := rtc.GenerateCertificate(); err != nil || time.Until(g.Expires()) < 29*24*time.Hour {
		t.Errorf("GenerateCertificate: %v, %v", g, err)
	}
}

// Certificates that pion has made, of either kind of key and through PEM, connect in both roles, and verify.
func TestCertificateKinds(t *testing.T) { everywhere(t, testCertificateKinds) }

func testCertificateKinds(t *testing.T, w *world) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	certificates := map[string]rtc.Certificate{
		"Ed25519": webrtc.CertificateFromX509(edwards, selfSigned(t, edwards, time.Now().AddDate(0, 1, 0))),
	}
	for name, key := range map[string]crypto.Signer{"RSA": rsaKey, "ECDSA": ecKey, "ECDSA-P384": p384} {
		c, err := webrtc.GenerateCertificate(key)
		if err != nil {
			t.Fatal(err)
		}
		text, err := c.PEM()
		if err != nil {
			t.Fatal(err)
		}
		again, err := webrtc.CertificateFromPEM(text)
		if err != nil {
			t.Fatal(err)
		}
		certificates[name], certificates[name+" from PEM"] = *c, *again
	}
	for name, c := range certificates {
		for _, role := range []rtc.DTLSRole{rtc.DTLSRoleClient, rtc.DTLSRoleServer} {
			t.Run(name+"/answerer="+role.String(), func(t *testing.T) {
				// pion dates its certificates by the wall clock.
				p, a, _ := w.connected(t, sim.Config{Start: c.Expires().AddDate(0, 0, -7), Link: sim.Link{Delay: time.Millisecond}}, nil,
					func(i int, b rtc.Builder) rtc.Builder {
						if i == 0 {
							b = b.Certificates(c)
						}
						return b.DTLS(rtc.DTLSOptions{AnsweringRole: role})
					})
				if got := p.pc[0].GetConfiguration().Certificates[0]; !got.Equals(c) && name != "Ed25519" { // pion does not compare these
					t.Error("GetConfiguration has another certificate")
				}
				p.must(a.SendText("hello"))
				p.until("a message", func() bool { return p.rec[1].received() == 1 })
				if r := rtc.ReportOf(p.pc[1]); len(r.PeerCertificates) == 0 {
					t.Error("the peer has no certificate")
				}
			})
		}
	}
}

// Builder gives back what a connection was made with, as it is configured now, so that another one can be made like it; of nil it gives defaults.
func TestBuilderOfAConnection(t *testing.T) { everywhere(t, testBuilderOfAConnection) }

func testBuilderOfAConnection(t *testing.T, w *world) {
	if b := (*rtc.PeerConnection)(nil).Builder(); !reflect.DeepEqual(b, rtc.NewBuilder()) {
		t.Errorf("Builder of nil: %+v", b)
	}
	p := w.newPair(t, sim.Config{}, nil)
	rec := &recorder{name: "c", floor: p.floor}
	one := p.build(w.builder(p.rt[0]).Handler(rec).SCTP(rtc.SCTPOptions{MaxMessageSize: 12345}))
	if err := one.SetConfiguration(rtc.Configuration{ICEServers: []rtc.ICEServer{{URLs: []string{"stun:192.0.2.7"}}}}); err != nil {
		t.Fatal(err)
	}
	two := p.build(one.Builder())
	if !two.GetConfiguration().Certificates[0].Equals(one.GetConfiguration().Certificates[0]) {
		t.Error("the other connection has another certificate")
	}
	offer := offerOf(t, two)
	if !strings.Contains(offer.SDP, "a=max-message-size:12345\r\n") {
		t.Errorf("the other connection offers\n%s", offer.SDP)
	}
	if err := two.SetLocalDescription(offer); err != nil {
		t.Fatal(err)
	}
	p.until("what the handler is told of the server", func() bool { return rec.has("candidateerror 701 stun:192.0.2.7") })
	one.Close()
	p.until("the end of the first", func() bool { return done(one) })
	if three := p.build(one.Builder()); three.SignalingState() != rtc.SignalingStateStable {
		t.Error("the builder of a closed connection makes a closed one")
	}
}

// The key log has the secrets of the connection, by which its records can be read; without KeyLogWriter nothing is written.
func TestKeyLog(t *testing.T) { everywhere(t, testKeyLog) }

func testKeyLog(t *testing.T, w *world) {
	var log [2]bytes.Buffer
	w.connected(t, sim.Config{}, nil, func(i int, b rtc.Builder) rtc.Builder {
		return b.DTLS(rtc.DTLSOptions{KeyLogWriter: &log[i]})
	})
	var lines [2][]string
	for i := range log {
		lines[i] = strings.Split(strings.TrimSpace(log[i].String()), "\n")
		slices.Sort(lines[i])
	}
	if !slices.Equal(lines[0], lines[1]) {
		t.Errorf("the ends log %q and %q", lines[0], lines[1])
	}
	labels := []string{"CLIENT_HANDSHAKE_TRAFFIC_SECRET", "CLIENT_TRAFFIC_SECRET_0", "EXPORTER_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET", "SERVER_TRAFFIC_SECRET_0"}
	for i, line := range lines[0] {
		if f := strings.Fields(line); len(lines[0]) != len(labels) || len(f) != 3 || f[0] != labels[i] || len(f[1]) != 64 || len(f[2]) != 64 {
			t.Errorf("the key log has %q", line)
		}
	}
}
