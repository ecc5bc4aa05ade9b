package dtls

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/pion/dtls/v3/pkg/crypto/prf"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// TestPRF: known answer for P_SHA256, and pion's PRF for everything else.
func TestPRF(t *testing.T) {
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	// The vector for TLS 1.2 PRF with SHA-256 that the IETF's TLS list agreed on in 2008.
	got := prf12Vector(unhex("9bbe436ba940f017b17652849a71db35"), unhex("a0ba9f936cda311827a6f796ffd5198c"))
	want := unhex("e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff70187347b66")
	if !bytes.Equal(got, want) {
		t.Errorf("PRF is %x", got)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 100 {
		secret, seed := make([]byte, rng.IntN(100)), make([]byte, rng.IntN(100))
		for _, b := range [][]byte{secret, seed} {
			for i := range b {
				b[i] = byte(rng.Uint32())
			}
		}
		n := 1 + rng.IntN(300)
		for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384} {
			want, err := prf.PHash(secret, append([]byte("some label"), seed...), n, h.New)
			if err != nil {
				t.Fatal(err)
			}
			half := len(seed) / 2
			if got := prf12(hmac.New(h.New, secret), "some label", n, seed[:half], seed[half:]); !bytes.Equal(got, want) {
				t.Fatalf("%v: %x, want %x", h, got, want)
			}
		}
	}
	master, err := prf.ExtendedMasterSecret([]byte("premaster"), []byte("session hash"), crypto.SHA256.New)
	if err != nil || !bytes.Equal(master, prf12(hmac.New(sha256.New, []byte("premaster")), "extended master secret", 48, []byte("session hash"))) {
		t.Error("extended master secret differs from pion's")
	}
	keys, err := prf.GenerateEncryptionKeys(master, []byte("client"), []byte("server"), 0, 16, 4, crypto.SHA256.New)
	if err != nil {
		t.Fatal(err)
	}
	client, server := keyBlock(suiteByID(suiteECDHEECDSAAES128GCM), hmac.New(sha256.New, master), []byte("client"), []byte("server"))
	if !bytes.Equal(client.iv[:4], keys.ClientWriteIV) || !bytes.Equal(server.iv[:4], keys.ServerWriteIV) {
		t.Error("key block differs from pion's")
	}
}

func prf12Vector(secret, seed []byte) []byte {
	return prf12(hmac.New(sha256.New, secret), "test label", 100, seed)
}

// TestExporter: RFC 5705 section 4 from its formula; labels of the PRF's own and lengths that cannot be are refused.
func TestExporter(t *testing.T) {
	p := newPair(t, pairConfig{net: quick})
	if _, err := p.ends[0].ExportKeyingMaterial("x", nil, 10); !errors.Is(err, ErrNotConnected) {
		t.Error(err)
	}
	p.start()
	p.wantConnected("")
	c, s := p.ends[0], p.ends[1]
	var outs [][]byte
	for _, context := range [][]byte{nil, {}, []byte("context")} {
		seed := append(bytes.Clone(c.hs.clientRandom[:]), c.hs.serverRandom[:]...)
		if context != nil {
			seed = append(append(seed, 0, byte(len(context))), context...)
		}
		want, err := prf.PHash(c.hs.secret, append([]byte("label"), seed...), 77, crypto.SHA256.New)
		if err != nil {
			t.Fatal(err)
		}
		a, err1 := c.ExportKeyingMaterial("label", context, 77)
		b, err2 := s.ExportKeyingMaterial("label", context, 77)
		if err1 != nil || err2 != nil || !bytes.Equal(a, want) || !bytes.Equal(b, want) {
			t.Errorf("context %q: %x and %x, want %x", context, a, b, want)
		}
		outs = append(outs, a)
	}
	if bytes.Equal(outs[0], outs[1]) {
		t.Error("no context and an empty one give the same")
	}
	for _, label := range reservedLabels {
		if _, err := c.ExportKeyingMaterial(label, nil, 10); !errors.Is(err, ErrReservedLabel) {
			t.Errorf("%s: %v", label, err)
		}
	}
	for _, n := range []int{-1, 0, maxExport + 1} {
		if _, err := c.ExportKeyingMaterial("label", nil, n); err == nil {
			t.Errorf("%d bytes", n)
		}
	}
	if _, err := c.ExportKeyingMaterial("label", make([]byte, 1<<16), 10); err == nil {
		t.Error("context too long")
	}
}

// TestRSAPair: RSA certificates between two of ours, with a chain, and each signature scheme.
func TestRSAPair(t *testing.T) {
	cert := rsaCertificate(t)
	cert.Chain = append(cert.Chain, clientCert.Chain[0])
	use := func(cfg *Config) { cfg.Certificate = cert }
	p := newPair(t, pairConfig{net: quick, client: use, server: use})
	p.start()
	p.wantConnected("RSA")
	if got := p.ends[0].PeerCertificates(); len(got) != 2 || !bytes.Equal(got[1], clientCert.Chain[0]) {
		t.Errorf("%d certificates", len(got))
	}
	for _, bits := range []uint{1024, minRSABits - 1, maxRSABits + 1} {
		if kindOf(&rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), bits-1), E: 65537}) != 0 {
			t.Errorf("an RSA key of %d bits is taken", bits)
		}
	}
	msg := []byte("message")
	for _, c := range []Certificate{cert, clientCert, p384Certificate(t), ed25519Certificate(t)} {
		key := c.PrivateKey.Public()
		for i := range signatureSchemes {
			s := &signatureSchemes[i]
			if s.kind != kindOf(key) {
				if s.verify(key, msg, make([]byte, 64)) == nil {
					t.Errorf("%#x verifies with a key of another kind", s.id)
				}
				continue
			}
			sig, err := s.sign(c.PrivateKey, seeded(3), msg)
			if err != nil {
				t.Errorf("%#x: %v", s.id, err)
				continue
			}
			if err := s.verify(key, msg, sig); err != nil {
				t.Errorf("%#x: %v", s.id, err)
			}
			sig[len(sig)-1] ^= 1
			if s.verify(key, msg, sig) == nil || s.verify(key, []byte("massage"), sig) == nil {
				t.Errorf("%#x verifies anything", s.id)
			}
		}
	}
}

// TestFingerprintText: the form of SDP, there and back.
func TestFingerprintText(t *testing.T) {
	f := mustFingerprint(clientCert)[0]
	g, err := ParseFingerprint("SHA-256", strings.ToLower(f.String()))
	if err != nil || g.Algorithm != "sha-256" || !bytes.Equal(f.Value, g.Value) || len(f.String()) != 95 {
		t.Errorf("%v, %v", g, err)
	}
	for _, bad := range []string{"", "AA", "AA:", ":AA", f.String() + ":00", f.String()[:94], strings.ReplaceAll(f.String(), ":", "-"), strings.ReplaceAll(f.String(), ":", "")} {
		if _, err := ParseFingerprint("sha-256", bad); err == nil {
			t.Errorf("%q parses", bad)
		}
	}
	if g, err := ParseFingerprint("sha-1", "AA:BB"); err != nil || g.String() != "AA:BB" {
		t.Errorf("sha-1: %v, %v", g, err)
	}
	if _, err := FingerprintOf(nil, "md5"); err == nil {
		t.Error("md5")
	}
}

// TestOwnFingerprint: a certificate knows its fingerprint when it has been made here, or checked.
func TestOwnFingerprint(t *testing.T) {
	checked := Certificate{Chain: clientCert.Chain, PrivateKey: clientCert.PrivateKey}
	if checked.Fingerprint().Value != nil {
		t.Error("a certificate that was not checked has one")
	}
	if err := checked.Check(); err != nil {
		t.Fatal(err)
	}
	want := sha256.Sum256(clientCert.Chain[0])
	for _, c := range []Certificate{clientCert, checked} {
		if f := c.Fingerprint(); f.Algorithm != "sha-256" || !bytes.Equal(f.Value, want[:]) {
			t.Errorf("%v", f)
		}
	}
}

// TestKeyLog: both ends log the same secret, in NSS format.
func TestKeyLog(t *testing.T) {
	var logs [2]strings.Builder
	p := newPair(t, pairConfig{
		net:    quick,
		client: func(cfg *Config) { cfg.KeyLog = &logs[0] },
		server: func(cfg *Config) { cfg.KeyLog = &logs[1] },
	})
	p.start()
	p.wantConnected("")
	fields := strings.Fields(logs[0].String())
	if logs[0].String() != logs[1].String() || len(fields) != 3 || fields[0] != "CLIENT_RANDOM" || len(fields[1]) != 64 || len(fields[2]) != 96 {
		t.Errorf("client logs %q, server %q", logs[0].String(), logs[1].String())
	}
}

// TestKeyLog13: the five secrets of 1.3, under the client's random, the same at both ends.
func TestKeyLog13(t *testing.T) {
	var logs [2]strings.Builder
	p := newPair(t, pairConfig{
		net: quick, version: Version13,
		client: func(cfg *Config) { cfg.KeyLog = &logs[0] },
		server: func(cfg *Config) { cfg.KeyLog = &logs[1] },
	})
	p.start()
	p.wantConnected("")
	random := p.ends[0].hs.clientRandom
	var labels []string
	for line := range strings.Lines(logs[0].String()) {
		f := strings.Fields(line)
		if len(f) != 3 || f[1] != hex.EncodeToString(random[:]) || len(f[2]) != 64 {
			t.Errorf("%q", line)
		}
		labels = append(labels, f[0])
	}
	want := []string{"CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET", "CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0", "EXPORTER_SECRET"}
	if !slices.Equal(labels, want) || logs[0].String() != logs[1].String() {
		t.Errorf("client logs %q, server %q", logs[0].String(), logs[1].String())
	}
}

// TestPublicKeyOf: where x509.ParsePKIXPublicKey takes a key, of a kind that we take, it is the same key; where that refuses one so do we.
func TestPublicKeyOf(t *testing.T) {
	// A certificate with info in it, and nothing in its other fields.
	wrap := func(info []byte) []byte {
		var b cryptobyte.Builder
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddBytes([]byte("\x02\x01\x01" + strings.Repeat("\x30\x00", 4)))
				b.AddBytes(info)
			})
			b.AddBytes([]byte("\x30\x00\x03\x01\x00"))
		})
		return b.BytesOrPanic()
	}
	equal := func(a, b crypto.PublicKey) bool { return a.(interface{ Equal(crypto.PublicKey) bool }).Equal(b) }
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, nil)
		if err != nil {
			t.Fatal(err)
		}
		info, err := x509.MarshalPKIXPublicKey(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		for bit := range 8 * len(info) {
			changed := bytes.Clone(info)
			if changed[bit/8] ^= 1 << (bit % 8); bit == 0 {
				changed = info
			}
			want, err := x509.ParsePKIXPublicKey(changed)
			got, kind, gotErr := publicKeyOf(wrap(changed))
			if err == nil && kindOf(want) != 0 {
				if gotErr != nil || kind != keyECDSA || !equal(got, want) {
					t.Errorf("bit %d of %x: %v, %v", bit, changed, got, gotErr)
				}
			} else if gotErr == nil || got != nil || kind != 0 {
				t.Errorf("bit %d of %x: taken", bit, changed)
			}
		}
	}
}

// TestPublicKeyInfo: the key of a certificate is found where crypto/x509 finds it, and nowhere in what is not whole.
func TestPublicKeyInfo(t *testing.T) {
	_, edKey, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(nil, 2048)
	if err != nil {
		t.Fatal(err)
	}
	templates := map[string]*x509.Certificate{
		"bare":       {SerialNumber: big.NewInt(1)},
		"extensions": {SerialNumber: big.NewInt(1 << 40), DNSNames: []string{"a.example"}, IsCA: true, BasicConstraintsValid: true},
	}
	for name, template := range templates {
		for _, key := range []crypto.Signer{mustGenerate(3).PrivateKey, edKey, rsaKey} {
			der, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
			if err != nil {
				t.Fatal(err)
			}
			parsed, err := x509.ParseCertificate(der)
			if err != nil {
				t.Fatal(err)
			}
			if info, ok := publicKeyInfo(der); !ok || !bytes.Equal(info, parsed.RawSubjectPublicKeyInfo) {
				t.Errorf("%s, %T: found %x, %v", name, key, info, ok)
			}
			for n := range der {
				if _, ok := publicKeyInfo(der[:n]); ok {
					t.Fatalf("%s, %T: found in %d of %d bytes", name, key, n, len(der))
				}
			}
			if _, ok := publicKeyInfo(append(der, 0)); ok {
				t.Errorf("%s, %T: found with a byte too many", name, key)
			}
		}
	}
	// RFC 5280 section 4.1: version 1 is not written, and version 2 has unique identifiers.
	sequence := func(content string) string { return string([]byte{0x30, byte(len(content))}) + content }
	const serial, empty, signature = "\x02\x01\x01", "\x30\x00", "\x03\x01\x00"
	head, key := serial+empty+empty+empty+empty, sequence("key")
	for _, tbs := range []string{head + key, "\xa0\x03\x02\x01\x01" + head + key + "\x81\x01\x00\x82\x01\x00"} {
		if info, ok := publicKeyInfo([]byte(sequence(sequence(tbs) + empty + signature))); !ok || string(info) != key {
			t.Errorf("%x: found %x, %v", tbs, info, ok)
		}
		for _, c := range []string{sequence(tbs+"\x02\x01\x00") + empty + signature, sequence(tbs) + empty + empty, sequence(tbs) + empty + signature + empty} {
			if _, ok := publicKeyInfo([]byte(sequence(c))); ok {
				t.Errorf("found in %x", c)
			}
		}
	}
}
