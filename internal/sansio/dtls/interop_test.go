package dtls

//lint:file-ignore SA1019 one Config for both roles says what pion is told

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	piondtls "github.com/pion/dtls/v3"
	pionelliptic "github.com/pion/dtls/v3/pkg/crypto/elliptic"
)

// memConn is the net.PacketConn under pion's engine.
type memConn struct {
	in, out chan []byte
	ctx     context.Context
	cancel  context.CancelFunc
}

func newMemConn() *memConn {
	ctx, cancel := context.WithCancel(context.Background())
	return &memConn{make(chan []byte, 256), make(chan []byte, 256), ctx, cancel}
}

type memAddr struct{}

func (memAddr) Network() string { return "mem" }
func (memAddr) String() string  { return "mem" }

func (m *memConn) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case d := <-m.in:
		return copy(b, d), memAddr{}, nil
	case <-m.ctx.Done():
		return 0, nil, os.ErrClosed
	}
}

func (m *memConn) WriteTo(b []byte, _ net.Addr) (int, error) {
	select {
	case m.out <- bytes.Clone(b):
		return len(b), nil
	case <-m.ctx.Done():
		return 0, os.ErrClosed
	}
}
func (m *memConn) Close() error                     { m.cancel(); return nil }
func (m *memConn) LocalAddr() net.Addr              { return memAddr{} }
func (m *memConn) SetDeadline(time.Time) error      { return nil }
func (m *memConn) SetReadDeadline(time.Time) error  { return nil }
func (m *memConn) SetWriteDeadline(time.Time) error { return nil }

// pumped drives a Conn against a memConn by its clock, which in a synctest bubble is virtual.
type pumped struct {
	t      *testing.T
	conn   *Conn
	mem    *memConn
	events []Event
	data   [][]byte
	drop   func(fromPion bool, n int) bool // n counts the datagrams of a direction
	n      [2]int
	wake   chan error // makes run ask done again
	woken  error
	isDone bool
}

func (p *pumped) lost(fromPion bool) bool {
	i := 0
	if fromPion {
		i = 1
	}
	p.n[i]++
	return p.drop != nil && p.drop(fromPion, p.n[i]-1)
}

// run pumps until done says so or limit has passed.
func (p *pumped) run(limit time.Duration, done func() bool) bool {
	end := time.Now().Add(limit)
	for {
		p.conn.check()
		for b, ok := p.conn.PollData(); ok; b, ok = p.conn.PollData() {
			p.data = append(p.data, bytes.Clone(b))
		}
		for e, ok := p.conn.PollEvent(); ok; e, ok = p.conn.PollEvent() {
			p.events = append(p.events, e)
		}
		for b, ok := p.conn.PollWrite(time.Now(), nil); ok; b, ok = p.conn.PollWrite(time.Now(), nil) {
			if !p.lost(false) {
				p.mem.in <- b
			}
		}
		if done() {
			return true
		}
		next := end
		if d := p.conn.PollTimeout(); !d.IsZero() && d.Before(end) {
			next = d
		}
		timer := time.NewTimer(time.Until(next))
		select {
		case b := <-p.mem.out:
			if !p.lost(true) {
				p.conn.HandleDatagram(time.Now(), b)
			}
		case p.woken = <-p.wake:
			p.isDone = true
		case <-timer.C:
			if !time.Now().Before(end) {
				return false
			}
			p.conn.HandleTimeout(time.Now())
		}
		timer.Stop()
	}
}

// interopCase is a handshake with pion's engine.
type interopCase struct {
	name            string
	oursIsClient    bool
	ours            Config
	ourCert, cert   Certificate // ours and pion's
	pion            piondtls.Config
	drop            func(fromPion bool, n int) bool
	wantSuite       uint16
	wantRetransmits bool
}

func (ic interopCase) run(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := newMemConn()
		cfg := ic.ours
		cfg.Client, cfg.Certificate = ic.oursIsClient, ic.ourCert
		if cfg.Rand == nil {
			cfg.Rand = seeded(77)
		}
		ours, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ours.SetFingerprints(mustFingerprint(ic.cert))
		p := &pumped{t: t, conn: ours, mem: mem, drop: ic.drop}

		pc := ic.pion
		pc.Certificates = []tls.Certificate{{Certificate: ic.cert.Chain, PrivateKey: ic.cert.PrivateKey}}
		pc.InsecureSkipVerify = true
		pc.ClientAuth = piondtls.RequireAnyClientCert
		pc.ExtendedMasterSecret = piondtls.RequireExtendedMasterSecret
		pc.SRTPProtectionProfiles = []piondtls.SRTPProtectionProfile{piondtls.SRTP_AEAD_AES_128_GCM, piondtls.SRTP_AES128_CM_HMAC_SHA1_80}
		var theirs *piondtls.Conn
		if ic.oursIsClient {
			theirs, err = piondtls.Server(mem, memAddr{}, &pc)
		} else {
			theirs, err = piondtls.Client(mem, memAddr{}, &pc)
		}
		if err != nil {
			t.Fatal(err)
		}
		p.wake = make(chan error, 1)
		go func() { p.wake <- theirs.HandshakeContext(mem.ctx) }()
		defer theirs.Close()
		defer mem.Close()

		ours.Start(time.Now())
		if !p.run(20*time.Second, func() bool {
			return p.isDone && (p.woken != nil || ours.State() == StateConnected) || ours.State() >= StateClosed
		}) || ours.State() != StateConnected {
			t.Fatalf("not connected: pion has %v; ours is %v with %v, %+v, refused %v", p.woken, ours.State(), p.events, ours.Stats(), ours.refused)
		}
		if ic.wantSuite != 0 && ours.CipherSuite() != ic.wantSuite {
			t.Errorf("cipher suite %#x, want %#x", ours.CipherSuite(), ic.wantSuite)
		}
		if ic.wantRetransmits && ours.Stats().Retransmissions == 0 {
			t.Error("nothing was sent again")
		}
		profile, ok := theirs.SelectedSRTPProtectionProfile()
		if got, ourOK := ours.SRTPProfile(); !ok || !ourOK || uint16(got) != uint16(profile) {
			t.Errorf("SRTP profiles: ours %#x, pion's %#x", got, profile)
		}
		state, _ := theirs.ConnectionState()
		for _, context := range [][]byte{nil} { // pion knows no other
			a, err1 := ours.ExportKeyingMaterial("EXTRACTOR-dtls_srtp", context, 60)
			b, err2 := state.ExportKeyingMaterial("EXTRACTOR-dtls_srtp", context, 60)
			if err1 != nil || err2 != nil || !bytes.Equal(a, b) {
				t.Errorf("exports differ: %x (%v) and %x (%v)", a, err1, b, err2)
			}
		}
		if !bytes.Equal(state.PeerCertificates[0], ic.ourCert.Chain[0]) || !bytes.Equal(ours.PeerCertificates()[0], ic.cert.Chain[0]) {
			t.Error("the certificates that were seen are not those that were shown")
		}

		p.drop = nil
		head, _ := ours.Overhead()
		mem.in <- ours.Seal(append(make([]byte, head), "from us"...), 0)
		buf := make([]byte, 1500)
		if n, err := theirs.Read(buf); err != nil || string(buf[:n]) != "from us" {
			t.Errorf("pion read %q, %v", buf[:n], err)
		}
		if _, err := theirs.Write([]byte("from pion")); err != nil {
			t.Error(err)
		}
		p.run(10*time.Second, func() bool { return len(p.data) > 0 })
		if len(p.data) != 1 || string(p.data[0]) != "from pion" {
			t.Errorf("we read %q", p.data)
		}
		go theirs.Close()
		p.run(10*time.Second, func() bool { return ours.State() == StateClosed })
		if e := p.events[len(p.events)-1]; e.Type != EventClosed {
			t.Errorf("pion's Close made %v with %v", ours.State(), p.events)
		}
		mem.Close()
	})
}

// signedBy makes a self-signed certificate for any key. A key from the standard library's tests would do as well as a new one.
func signedBy(t testing.TB, key crypto.Signer) Certificate {
	t.Helper()
	template := x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: epochStart, NotAfter: epochStart.AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(seeded(5), &template, &template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return Certificate{Chain: [][]byte{der}, PrivateKey: key}
}

func rsaCertificate(t testing.TB) Certificate {
	t.Helper()
	key, err := rsa.GenerateKey(seeded(6), 2048)
	if err != nil {
		t.Fatal(err)
	}
	return signedBy(t, key)
}

func p384Certificate(t testing.TB) Certificate {
	t.Helper()
	raw := make([]byte, 48)
	_, _ = seeded(7).Read(raw)
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P384(), raw)
	if err != nil {
		t.Fatal(err)
	}
	return signedBy(t, key)
}

func ed25519Certificate(t testing.TB) Certificate {
	t.Helper()
	raw := make([]byte, 32)
	_, _ = seeded(8).Read(raw)
	return signedBy(t, ed25519.NewKeyFromSeed(raw))
}

// TestInterop: pion's engine, the other DTLS of the Go world, agrees with us on everything, in both roles.
func TestInterop(t *testing.T) {
	rsaCert := rsaCertificate(t)
	var cases []interopCase
	add := func(ic interopCase) {
		if ic.ourCert.Chain == nil {
			ic.ourCert = clientCert
		}
		if ic.cert.Chain == nil {
			ic.cert = serverCert
		}
		for _, ic.oursIsClient = range []bool{true, false} {
			cases = append(cases, ic)
		}
	}
	add(interopCase{name: "default"})
	add(interopCase{name: "without HelloVerifyRequest", pion: piondtls.Config{InsecureSkipVerifyHello: true}})
	for _, suite := range cipherSuites[3:] {
		ic := interopCase{
			name: fmt.Sprintf("suite %#04x", suite.id), ours: Config{CipherSuites: []uint16{suite.id}}, wantSuite: suite.id,
			pion: piondtls.Config{CipherSuites: []piondtls.CipherSuiteID{piondtls.CipherSuiteID(suite.id)}},
		}
		if suite.rsa {
			ic.ourCert, ic.cert = rsaCert, rsaCert
		}
		add(ic)
	}
	for _, curve := range []pionelliptic.Curve{pionelliptic.X25519, pionelliptic.P256, pionelliptic.P384} {
		add(interopCase{name: "curve " + curve.String(), pion: piondtls.Config{EllipticCurves: []pionelliptic.Curve{curve}}})
	}
	add(interopCase{name: "our certificate is RSA", ourCert: rsaCert})
	add(interopCase{name: "pion's certificate is RSA", cert: rsaCert})
	add(interopCase{name: "our certificate is P-384", ourCert: p384Certificate(t)})
	add(interopCase{name: "pion's certificate is P-384", cert: p384Certificate(t)})
	add(interopCase{name: "our certificate is Ed25519", ourCert: ed25519Certificate(t)})
	add(interopCase{name: "pion's certificate is Ed25519", cert: ed25519Certificate(t)})
	add(interopCase{name: "small datagrams", ours: Config{MTU: 200}, pion: piondtls.Config{MTU: 200}})
	for lost := range 4 {
		add(interopCase{
			name: fmt.Sprintf("our datagram %d lost", lost), wantRetransmits: lost < 2,
			drop: func(fromPion bool, n int) bool { return !fromPion && n == lost },
		})
		add(interopCase{
			name: fmt.Sprintf("pion's datagram %d lost", lost),
			drop: func(fromPion bool, n int) bool { return fromPion && n == lost },
		})
	}
	for _, ic := range cases {
		role := "server"
		if ic.oursIsClient {
			role = "client"
		}
		t.Run(ic.name+"/we are "+role, ic.run)
	}
}
